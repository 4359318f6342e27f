//! The tests of the Python package: the wheel, installed as users install it.
//!
//! Owns: what these tests need, and how their summary is read.
//! Never: tests the sources in place: what is not in the wheel is not there.

use std::process::Command;

use crate::Outcome;
use crate::process::{WORK_TIME_MAX, listen, step};
use crate::talk::show;
use crate::wheel::{self, Build};
use crate::workspace::root;
use crate::{guests, packages, test};

/// Read by the tests: the program that writes a model with random weights.
const MODEL_WRITER: &str = "WHISPER_MODEL_WRITER";

/// Builds what these tests need, and runs them.
pub(crate) fn main(_: &[String]) -> Outcome {
    guests::build(&guests::Request::default())?;
    packages::for_testing()?;
    test::build()?;
    match run(false)? {
        (passed, 0) => {
            show(&format!("\n{passed} passed, 0 failed"));
            Ok(())
        }
        (passed, failed) => Err(format!("{passed} passed, {failed} failed")),
    }
}

/// Builds the wheel, installs it, and runs mypy and pytest. The answer counts what passed and what failed.
pub(crate) fn run(is_slow: bool) -> Outcome<(u64, u64)> {
    let wheel = wheel::build(Build::Test)?;
    let tools = wheel::tools()?;
    let package = root().join("target/wheel");
    step(Command::new(tools.join("bin/mypy")).current_dir(&package), WORK_TIME_MAX)?;
    let user = root().join("target/python-user");
    wheel::environment(&user)?;
    let mut install = wheel::pip(&user);
    install.args(["install", "--quiet", "--force-reinstall"]).arg(&wheel).arg("pytest==9.2.0");
    step(&mut install, WORK_TIME_MAX)?;
    let mut command = Command::new(user.join("bin/python"));
    command.args(["-m", "pytest"]).current_dir(&package);
    command.env(MODEL_WRITER, root().join("target/debug/whisper-model"));
    command.env("XDG_CACHE_HOME", root().join("target/test-python-cache"));
    if is_slow {
        command.env("PFRAME_SLOW", "1");
    }
    let mut counted = (0, 0);
    let outcome = listen(&mut command, WORK_TIME_MAX, |line| {
        counted = counts(line).unwrap_or(counted);
    });
    // Whatever ended without its summary counts as a failure.
    match outcome {
        Ok(()) => Ok(counted),
        Err(_) => Ok((counted.0, counted.1.max(1))),
    }
}

/// Reads a summary such as `2 failed, 31 passed, 1 error in 12.34s`.
fn counts(line: &str) -> Option<(u64, u64)> {
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
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_summary_is_read_and_other_lines_are_not() {
        assert_eq!(counts("31 passed in 12.34s"), Some((31, 0)));
        assert_eq!(
            counts("=== 2 failed, 31 passed, 1 error, 3 skipped in 1.2s ==="),
            Some((31, 3))
        );
        assert_eq!(counts("tests/test_jobs.py ....... [100%]"), None);
        assert_eq!(counts("a line in between"), None);
    }
}
