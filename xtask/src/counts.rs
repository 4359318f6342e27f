//! How many tests passed, as the runners of other languages say it.
//!
//! Owns: the closing lines of each runner.
//! Never: believes a runner that failed without counting.

use std::process::Command;

use crate::process::{WORK_TIME_MAX, listen};

/// Tests that passed and tests that failed.
pub(crate) type Counts = (u64, u64);

/// Runs tests and reads their counts with `read`, which knows the closing lines. Whatever fails without a failed test counts as
/// one.
pub(crate) fn count(command: &mut Command, read: fn(&str, Counts) -> Counts) -> Counts {
    let mut counted = (0, 0);
    let outcome = listen(command, WORK_TIME_MAX, |line| counted = read(line, counted));
    match outcome {
        Ok(()) => counted,
        Err(_) => (counted.0, counted.1.max(1)),
    }
}

/// Reads pytest's `2 failed, 31 passed, 1 error in 12.34s`.
pub(crate) fn pytest(line: &str, before: Counts) -> Counts {
    let read = || {
        let (counts, _) = line.trim_matches(['=', ' ']).rsplit_once(" in ")?;
        let mut all = (0, 0);
        for count in counts.split(", ") {
            let (number, word) = count.split_once(' ')?;
            let number: u64 = number.parse().ok()?;
            match word {
                "passed" => all.0 += number,
                "failed" | "error" | "errors" => all.1 += number,
                _ => {}
            }
        }
        Some(all)
    };
    read().unwrap_or(before)
}

/// Reads the lines `# pass 16` and `# fail 0` of node's test runner, as it writes them to a pipe.
pub(crate) fn node(line: &str, (passed, failed): Counts) -> Counts {
    let number = |word: &str| line.strip_prefix(word).and_then(|rest| rest.parse().ok());
    (number("# pass ").unwrap_or(passed), number("# fail ").unwrap_or(failed))
}

/// Reads the line `21 tests passed`.
pub(crate) fn plain(line: &str, before: Counts) -> Counts {
    let number = line.strip_suffix(" tests passed").and_then(|number| number.parse().ok());
    number.map_or(before, |passed| (passed, before.1))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn closing_lines_are_read_and_other_lines_are_not() {
        assert_eq!(pytest("31 passed in 12.34s", (0, 0)), (31, 0));
        let line = "=== 2 failed, 31 passed, 1 error, 3 skipped in 1.2s ===";
        assert_eq!(pytest(line, (0, 0)), (31, 3));
        assert_eq!(pytest("tests/test_jobs.py ....... [100%]", (1, 2)), (1, 2));
        assert_eq!(pytest("a line in between", (1, 2)), (1, 2));
        assert_eq!(node("# fail 3", node("# pass 16", (0, 0))), (16, 3));
        assert_eq!(node("ok 1 - # pass 5", (0, 0)), (0, 0));
        assert_eq!(plain("21 tests passed", (0, 0)), (21, 0));
        assert_eq!(plain("a write that fails", (1, 0)), (1, 0));
    }
}
