//! The closing table: one row for each job.
//!
//! Owns: which figures a person sees at the end of a run.
//! Never: more than a screen of rows; the rest is summed in the last line.

use comfy_table::presets::UTF8_HORIZONTAL_ONLY;
use comfy_table::{CellAlignment, ContentArrangement, Table};
use pframe_core::report::JobReport;
use pframe_core::units::show_duration;

use super::told::say;

/// Rows at most.
const ROWS_MAX: usize = 50;

/// Prints the table to stderr.
pub(crate) fn print(jobs: &[JobReport]) {
    if !jobs.is_empty() {
        say(&text(jobs));
    }
}

/// The table as text.
pub(crate) fn text(jobs: &[JobReport]) -> String {
    let mut table = Table::new();
    table.load_style(UTF8_HORIZONTAL_ONLY).set_content_arrangement(ContentArrangement::Dynamic);
    table.set_header([
        "job", "state", "chunks", "attempts", "wall", "cpu", "peak memory", "fuel", "throughput",
    ]);
    for job in jobs.iter().take(ROWS_MAX) {
        table.add_row(row(job));
    }
    for column in 2..9 {
        if let Some(column) = table.column_mut(column) {
            column.set_cell_alignment(CellAlignment::Right);
        }
    }
    match jobs.len().saturating_sub(ROWS_MAX) {
        0 => table.to_string(),
        more => format!("{table}\nand {more} more jobs; `pframe-host status` lists all"),
    }
}

fn row(job: &JobReport) -> [String; 9] {
    let chunks = match job.chunks_failed {
        0 => format!("{}/{}", job.chunks_done, job.chunks),
        failed => format!("{}/{}, {failed} failed", job.chunks_done, job.chunks),
    };
    let at_least = if job.fuel_at_least { "≥ " } else { "" };
    [
        job.spec.id.to_string(),
        job.state().to_string(),
        chunks,
        job.attempts.to_string(),
        job.wall().map_or_else(|| "–".into(), show_duration),
        show_duration(job.cpu),
        job.memory_peak.to_string(),
        format!("{at_least}{}", job.fuel),
        job.throughput().map_or_else(|| "–".into(), |rate| format!("{rate}/s")),
    ]
}
