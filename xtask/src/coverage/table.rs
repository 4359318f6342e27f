//! Covered lines, as a table.
//!
//! Owns: which files count, and how they are listed.
//! Never: rounds up: 100 % means every line.

use std::path::{Path, PathBuf};

use super::llvm::{Count, Lines};
use crate::workspace::root;

/// One row for each file below the folders, by name, and the sum.
pub(super) fn rows(all: &[Lines], folders: &[PathBuf]) -> Vec<String> {
    let mut files: Vec<(&Path, Count)> = all
        .iter()
        .filter(|lines| folders.iter().any(|folder| lines.file.starts_with(folder)))
        .filter(|lines| !is_test(&lines.file))
        .map(|lines| (lines.file.strip_prefix(root()).unwrap_or(&lines.file), lines.summary.lines))
        .collect();
    files.sort_by_key(|(file, _)| *file);
    let total = files.iter().fold(Count::default(), |sum, (_, count)| Count {
        count: sum.count + count.count,
        covered: sum.covered + count.covered,
    });
    let mut rows = vec![format!("{:<48} {:>7} {:>8} {:>8}", "file", "lines", "not run", "run")];
    rows.extend(files.iter().map(|(file, count)| row(&file.display().to_string(), *count)));
    rows.push(row("all", total));
    rows
}

fn row(name: &str, count: Count) -> String {
    let Count { count: lines, covered } = count;
    // Tenths of a per cent, rounded down.
    let share = (covered * 1000).checked_div(lines).unwrap_or(1000);
    let (whole, tenth) = (share / 10, share % 10);
    format!("{name:<48} {lines:>7} {:>8} {whole:>4}.{tenth} %", lines - covered)
}

/// Tests in a file of their own: `tests.rs`, `counter_tests.rs`.
fn is_test(file: &Path) -> bool {
    let name = file.file_stem().and_then(|name| name.to_str()).unwrap_or_default();
    name == "tests" || name.ends_with("_tests")
}

#[cfg(test)]
mod tests {
    use super::super::llvm::Summary;
    use super::*;

    fn lines(file: &str, count: u64, covered: u64) -> Lines {
        Lines { file: root().join(file), summary: Summary { lines: Count { count, covered } } }
    }

    #[test]
    fn files_are_listed_by_name_and_summed_and_tests_are_left_out() {
        let all = [
            lines("core/src/b.rs", 1000, 999),
            lines("core/src/a.rs", 8, 8),
            lines("core/src/a/tests.rs", 5, 5),
            lines("other/src/c.rs", 5, 0),
        ];
        let rows = rows(&all, &[root().join("core/src")]);
        let words = |row: &String| row.split_whitespace().map(String::from).collect::<Vec<_>>();
        let expected = [
            "file lines not run run",
            "core/src/a.rs 8 0 100.0 %",
            "core/src/b.rs 1000 1 99.9 %",
            "all 1008 1 99.9 %",
        ];
        assert_eq!(rows.iter().map(|row| words(row).join(" ")).collect::<Vec<_>>(), expected);
    }
}
