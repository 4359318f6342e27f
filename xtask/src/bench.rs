//! `cargo xtask bench`: every figure that the project claims, measured in one go.
//!
//! Owns: what is built for it, and the page in `target/bench.md`.
//! Never: judges; the programs print what is aimed at beside what they measured.

use std::fs;
use std::process::Command;
use std::time::Duration;

use crate::Outcome;
use crate::guests;
use crate::packages;
use crate::process::{WORK_TIME_MAX, listen, step};
use crate::talk::say;
use crate::workspace::{cargo, root};

/// What follows `cargo xtask bench`.
pub(crate) const USAGE: &str = "[scheduler] [NAME]…";

/// The longest wait for one program's measurements.
const BENCH_TIME_MAX: Duration = Duration::from_mins(30);

/// The name under which the scheduler's own benchmark is asked for.
const SCHEDULER: &str = "scheduler";

const PAGE: &str = "target/bench.md";

/// Builds, measures, and writes the page.
pub(crate) fn main(names: &[String]) -> Outcome {
    guests::build(&guests::Request::default())?;
    packages::for_measuring()?;
    build()?;
    let of_house: Vec<&String> = names.iter().filter(|name| *name != SCHEDULER).collect();
    let mut page = String::from("# Measured by `cargo xtask bench`\n");
    let mut outcome = Ok(());
    if names.is_empty() || of_house.len() < names.len() {
        let (table, ended) = measure(&mut scheduler());
        page.extend(["\n## The scheduler alone\n\n```text\n", &table, "```\n"]);
        outcome = outcome.and(ended);
    }
    if names.is_empty() || !of_house.is_empty() {
        let (table, ended) = measure(house().args(of_house));
        page.extend(["\n## The whole house\n\n", &table]);
        outcome = outcome.and(ended);
    }
    fs::write(root().join(PAGE), page).map_err(|error| format!("cannot write {PAGE}: {error}"))?;
    say(&format!("written to {PAGE}"));
    outcome
}

fn build() -> Outcome {
    let mut command = Command::new(cargo());
    command.current_dir(root());
    command.args(["build", "--release", "--package", "pframe-host", "--package", "pframe-bench"]);
    step(&mut command, WORK_TIME_MAX)
}

fn scheduler() -> Command {
    let mut command = Command::new(cargo());
    command.current_dir(root()).args(["bench", "--package", "pframe-core", "--bench", SCHEDULER]);
    command
}

fn house() -> Command {
    let mut command = Command::new("target/release/pframe-bench");
    command.current_dir(root());
    command
}

/// What a program printed, and how it ended: one that ends badly has measured all the same.
fn measure(command: &mut Command) -> (String, Outcome) {
    let mut table = String::new();
    let ended = listen(command, BENCH_TIME_MAX, |line| {
        table.push_str(line);
        table.push('\n');
    });
    (table, ended)
}
