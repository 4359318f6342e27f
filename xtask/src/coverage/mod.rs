//! `cargo xtask coverage`: which lines the tests run.
//!
//! Owns: the instrumented build in a target folder of its own, and the road from its traces to a table.
//! Never: counts tests themselves, or packages that were not asked for.

mod llvm;
mod table;

use std::fs;
use std::path::PathBuf;
use std::process::Command;

use serde::Deserialize;

use crate::Outcome;
use crate::process::{WORK_TIME_MAX, ask_within, step};
use crate::talk::{say, show};
use crate::workspace::{cargo, root, source_folder};

/// What follows `cargo xtask coverage`.
pub(crate) const USAGE: &str = "[PACKAGE]…";

/// Whose tests run, and whose lines are counted, where nothing is named.
const PACKAGE: &str = "pframe-core";

/// Flags change every artefact, so the usual target folder must not see them.
const FOLDER: &str = "target/coverage";

/// Runs the tests of the packages and prints the lines of those packages that they ran.
pub(crate) fn main(arguments: &[String]) -> Outcome {
    let default = [PACKAGE.to_owned()];
    let packages = if arguments.is_empty() { &default } else { arguments };
    let folders: Vec<PathBuf> =
        packages.iter().map(|package| source_folder(package)).collect::<Outcome<_>>()?;
    let tools = llvm::find()?;
    let traces = root().join(FOLDER).join("traces");
    // Traces of an older build do not fit this one.
    let _ = fs::remove_dir_all(&traces);
    let programs = programs(packages)?;
    let mut tests = cargo_test(packages);
    tests.env("LLVM_PROFILE_FILE", traces.join("%p-%m.profraw")).args(["--", "--quiet"]);
    step(&mut tests, WORK_TIME_MAX)?;
    let profile = tools.merge(&traces)?;
    let lines = tools.lines(&profile, &programs)?;
    for row in table::rows(&lines, &folders) {
        show(&row);
    }
    say("a file's own `mod tests` is counted with it; tests in files of their own are not");
    Ok(())
}

fn cargo_test(packages: &[String]) -> Command {
    let mut command = Command::new(cargo());
    command.current_dir(root()).args(["test", "--tests", "--target-dir", FOLDER]);
    command.args(packages.iter().flat_map(|package| ["--package", package]));
    command.env("RUSTFLAGS", "-C instrument-coverage");
    // Build scripts and macros are instrumented too; what they leave is of no use.
    command.env("LLVM_PROFILE_FILE", root().join(FOLDER).join("build-%m.profraw"));
    command
}

#[derive(Deserialize)]
struct Message {
    executable: Option<PathBuf>,
}

/// The test programs, which hold the map from traces to lines.
fn programs(packages: &[String]) -> Outcome<Vec<PathBuf>> {
    step(cargo_test(packages).arg("--no-run"), WORK_TIME_MAX)?;
    let mut list = cargo_test(packages);
    list.args(["--no-run", "--message-format=json"]);
    let messages =
        ask_within(&mut list, WORK_TIME_MAX).ok_or("cargo does not list what it built")?;
    let programs = messages.lines().filter_map(|line| serde_json::from_str::<Message>(line).ok());
    Ok(programs.filter_map(|message| message.executable).collect())
}
