//! Tables: one row for each job, each row one line.
//!
//! Owns: which figures a person sees of a job, and which of them give way on a narrow terminal.
//! Never: more than a screen of rows; the rest is counted in the last line.

use comfy_table::{CellAlignment, ContentArrangement, LineStyle, Table, TableStyle};
use pframe_core::report::JobReport;
use pframe_core::units::show_duration;

use super::amounts::{about, rate};
use super::told::say;

/// Rows at most.
const ROWS_MAX: usize = 50;
/// Characters of a job's id at most.
const ID_WIDTH_MAX: usize = 28;

/// A line below the header, and no other.
const STYLE: TableStyle =
    TableStyle::new().header_separator(LineStyle::none().fill('─').junction('─'));

/// One column of the jobs' table.
struct Column {
    header: &'static str,
    cell: fn(&JobReport) -> String,
    is_number: bool,
}

/// The columns in their order.
const COLUMNS: [Column; 9] = [
    Column { header: "job", cell: id, is_number: false },
    Column { header: "state", cell: |job| job.state().to_string(), is_number: false },
    Column { header: "chunks", cell: chunks, is_number: true },
    Column { header: "attempts", cell: |job| job.attempts.to_string(), is_number: true },
    Column { header: "wall", cell: wall, is_number: true },
    Column { header: "cpu", cell: |job| show_duration(job.cpu), is_number: true },
    Column { header: "peak memory", cell: |job| about(job.memory_peak), is_number: true },
    Column { header: "fuel", cell: fuel, is_number: true },
    Column { header: "throughput", cell: throughput, is_number: true },
];

/// What gives way first where the terminal is narrow.
const DISPENSABLE: [&str; 5] = ["attempts", "cpu", "throughput", "fuel", "peak memory"];

/// Prints the jobs' table to stderr.
pub(crate) fn print(jobs: &[JobReport]) {
    if !jobs.is_empty() {
        let mut measured = Table::new();
        say(&text(jobs, measured.use_stderr().width()));
    }
}

/// Columns of the terminal behind stdout; `None` where there is none.
pub(crate) fn stdout_width() -> Option<u16> {
    Table::new().width()
}

/// The jobs' table as text, at most `width` wide where that can be done.
pub(crate) fn text(jobs: &[JobReport], width: Option<u16>) -> String {
    let shown = &jobs[..jobs.len().min(ROWS_MAX)];
    let mut columns: Vec<&Column> = COLUMNS.iter().collect();
    let mut table = jobs_table(shown, &columns);
    for header in DISPENSABLE {
        if width.is_none_or(|width| width_of(&table) <= usize::from(width)) {
            break;
        }
        columns.retain(|column| column.header != header);
        table = jobs_table(shown, &columns);
    }
    let table = table.trim_fmt();
    match jobs.len() - shown.len() {
        0 => table,
        more => format!("{table}\nand {more} more jobs; `pframe-host status --json` lists all"),
    }
}

/// A table of any rows; the columns in `numbers` are aligned to the right.
pub(crate) fn grid<const N: usize>(
    header: &[&str; N],
    rows: impl IntoIterator<Item = [String; N]>,
    numbers: &[usize],
) -> String {
    let mut table = empty_table();
    table.set_header(header);
    table.add_rows(rows);
    align_right(&mut table, numbers.iter().copied());
    table.trim_fmt()
}

fn empty_table() -> Table {
    let mut table = Table::new();
    table.load_style(STYLE).set_content_arrangement(ContentArrangement::Disabled);
    table
}

fn jobs_table(jobs: &[JobReport], columns: &[&Column]) -> Table {
    let mut table = empty_table();
    table.set_header(columns.iter().map(|column| column.header));
    for job in jobs {
        table.add_row(columns.iter().map(|column| (column.cell)(job)));
    }
    let numbers = columns.iter().enumerate().filter(|(_, column)| column.is_number);
    align_right(&mut table, numbers.map(|(index, _)| index));
    table
}

fn align_right(table: &mut Table, columns: impl Iterator<Item = usize>) {
    for column in columns {
        if let Some(column) = table.column_mut(column) {
            column.set_cell_alignment(CellAlignment::Right);
        }
    }
}

fn width_of(table: &Table) -> usize {
    table.lines().map(|line| line.chars().count()).max().unwrap_or(0)
}

fn id(job: &JobReport) -> String {
    shortened(job.spec.id.as_str(), ID_WIDTH_MAX)
}

/// At most `width` characters; what is left out in the middle is shown as `…`.
pub(crate) fn shortened(text: &str, width: usize) -> String {
    let count = text.chars().count();
    if count <= width {
        return text.to_owned();
    }
    let tail = (width - 1) / 2;
    let head: String = text.chars().take(width - 1 - tail).collect();
    let tail: String = text.chars().skip(count - tail).collect();
    format!("{head}…{tail}")
}

fn chunks(job: &JobReport) -> String {
    let mut words = vec![format!("{}/{}", job.chunks_done, job.chunks)];
    for (count, word) in [(job.chunks_failed, "failed"), (job.chunks_cached, "cached")] {
        if count > 0 {
            words.push(format!("{count} {word}"));
        }
    }
    words.join(", ")
}

fn wall(job: &JobReport) -> String {
    job.wall().map_or_else(|| "–".into(), show_duration)
}

fn fuel(job: &JobReport) -> String {
    let at_least = if job.fuel_at_least { "≥ " } else { "" };
    format!("{at_least}{}", job.fuel)
}

fn throughput(job: &JobReport) -> String {
    let rate = job.wall().and_then(|wall| rate(job.input_bytes, wall));
    rate.unwrap_or_else(|| "–".into())
}

#[cfg(test)]
mod tests {
    use super::super::samples::reports;
    use super::*;

    #[test]
    fn a_wide_table_shows_every_figure() {
        let expect = expect_test::expect![[r#"
             job             state              chunks   attempts    wall     cpu   peak memory     fuel   throughput
            ──────────────────────────────────────────────────────────────────────────────────────────────────────────
             count-novels    completed             2/2          3   8.0 s   4.2 s      48.2 MiB     4.5G   56.2 MiB/s
             count-letters   failed      0/1, 1 failed          1   5.0 s   1.4 s      48.2 MiB   ≥ 1.5G   30.0 MiB/s
             waits           queued                0/3          0       –    0 µs           0 B        0            –"#]];
        expect.assert_eq(&text(&reports(), None));
    }

    #[test]
    fn a_narrow_terminal_gets_fewer_columns_and_no_broken_line() {
        let text = text(&reports(), Some(80));
        assert!(text.lines().all(|line| line.chars().count() <= 80), "{text}");
        let expect = expect_test::expect![[r#"
             job             state              chunks    wall   peak memory     fuel
            ──────────────────────────────────────────────────────────────────────────
             count-novels    completed             2/2   8.0 s      48.2 MiB     4.5G
             count-letters   failed      0/1, 1 failed   5.0 s      48.2 MiB   ≥ 1.5G
             waits           queued                0/3       –           0 B        0"#]];
        expect.assert_eq(&text);
    }

    #[test]
    fn a_long_name_keeps_its_ends() {
        assert_eq!(shortened("count-novels", 12), "count-novels");
        assert_eq!(shortened("count-all-the-novels", 9), "coun…vels");
    }
}
