//! `cargo xtask test`: every test of the workspace, from a fresh clone.
//!
//! Owns: what tests need before they run, and the line that sums them up.
//! Never: leaves tests out in silence: those that take minutes are named, and `--slow` runs them.

use std::process::Command;
use std::time::Duration;

use crate::Outcome;
use crate::guests;
use crate::packages;
use crate::process::{WORK_TIME_MAX, listen, step};
use crate::pytest;
use crate::sdks;
use crate::talk::show;
use crate::workspace::{cargo, root};

/// What follows `cargo xtask test`.
pub(crate) const USAGE: &str = "[--slow] [FILTER] [--test NAME]… [-- LIBTEST…]";

/// The longest wait for all tests.
const TEST_TIME_MAX: Duration = Duration::from_hours(1);

/// Read by tests that have a long form: more rounds, more seeds.
const SLOW: &str = "PFRAME_SLOW";

/// Read by the tests: what runs attempts.
const SCHEDULER: &str = "PFRAME_TEST_SCHEDULER";

/// What meets guests runs a second time, with every attempt in a worker process in its jail.
const IN_PROCESSES: &[&str] = &[
    "buckets",
    "cache",
    "capabilities",
    "chunking",
    "collecting",
    "dead_letters",
    "dependencies",
    "directories",
    "endings",
    "fuel",
    "handlers",
    "hostile",
    "keyvalue",
    "languages",
    "large_result",
    "network",
    "outboxes",
    "recognisers",
    "recordings",
    "resume",
    "retry",
    "scratch",
    "sources",
    "speech",
    "streams",
    "whisper",
];

/// Builds what the tests need, runs them, and sums them up.
pub(crate) fn main(arguments: &[String]) -> Outcome {
    let (slow, forwarded): (Vec<_>, Vec<_>) =
        arguments.iter().partition(|argument| *argument == "--slow");
    guests::build(&guests::Request::default())?;
    packages::for_testing()?;
    build()?;
    let mut tally = Tally::default();
    let mut outcome = Ok(());
    for mut command in passes(&forwarded) {
        if !slow.is_empty() {
            command.env(SLOW, "1");
        }
        let ended = listen(&mut command, TEST_TIME_MAX, |line| tally.hear(line));
        outcome = outcome.and(ended);
    }
    if forwarded.is_empty() {
        for counted in [sdks::run(), pytest::run(!slow.is_empty())] {
            match counted {
                Ok((passed, failed)) => tally.add(passed, failed),
                Err(error) => outcome = outcome.and(Err(error)),
            }
        }
    }
    if tally.failed > 0 {
        outcome = outcome.and(Err("some tests failed".into()));
    }
    match outcome {
        Ok(()) => {
            show(&format!("\n{}", tally.summary()));
            Ok(())
        }
        Err(error) => {
            // A test program that crashed, or was not built, counts nothing itself.
            tally.failed = tally.failed.max(1);
            Err(format!("{error}\n\n{}", tally.summary()))
        }
    }
}

/// The program is built together with the tests: Cargo joins the features of all packages that it builds at once, so
/// each dependency is compiled once for both.
pub(crate) fn build() -> Outcome {
    let mut command = Command::new(cargo());
    command.current_dir(root()).args(["build", "--workspace", "--bins", "--tests"]);
    step(&mut command, WORK_TIME_MAX)
}

/// Everything on threads, then what meets guests in worker processes. Whoever picks tests runs those once, as he asks.
fn passes(forwarded: &[&String]) -> Vec<Command> {
    let mut passes = vec![tests(forwarded)];
    if forwarded.is_empty() {
        let mut again = tests(forwarded);
        again.env(SCHEDULER, "processes");
        again.args(IN_PROCESSES.iter().flat_map(|name| ["--test", name]));
        passes.push(again);
    }
    passes
}

/// All failures are wanted, not the first alone.
fn tests(forwarded: &[&String]) -> Command {
    let mut command = Command::new(cargo());
    command.current_dir(root()).args(["test", "--workspace", "--no-fail-fast"]).args(forwarded);
    command
}

/// The sums over all test programs.
#[derive(Debug, Default, PartialEq, Eq)]
struct Tally {
    passed: u64,
    failed: u64,
}

impl Tally {
    fn summary(&self) -> String {
        format!("{} passed, {} failed", self.passed, self.failed)
    }

    fn add(&mut self, passed: u64, failed: u64) {
        self.passed += passed;
        self.failed += failed;
    }

    /// Adds a line such as `test result: ok. 3 passed; 0 failed; 1 ignored; …`; other lines say nothing.
    fn hear(&mut self, line: &str) {
        let Some(result) = line.strip_prefix("test result: ") else { return };
        let words: Vec<&str> = result.split([' ', ';']).filter(|word| !word.is_empty()).collect();
        for pair in words.windows(2) {
            let Ok(count) = pair[0].parse::<u64>() else { continue };
            match pair[1] {
                "passed" => self.passed += count,
                "failed" => self.failed += count,
                _ => {}
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn results_are_summed_and_other_lines_say_nothing() {
        let mut tally = Tally::default();
        for line in [
            "running 3 tests",
            "test a ... ok",
            "test result: ok. 3 passed; 0 failed; 1 ignored; 0 measured; 2 filtered out; finished in 0.10s",
            "5 passed",
            "test result: FAILED. 1 passed; 2 failed; 0 ignored; 0 measured; 0 filtered out",
        ] {
            tally.hear(line);
        }
        assert_eq!(tally, Tally { passed: 4, failed: 2 });
    }
}
