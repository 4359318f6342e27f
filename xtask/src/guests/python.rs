//! Handlers in Python, built by `componentize-py`.
//!
//! Owns: what it is called with.
//! Never: installs it; the virtual environment of tools does.

use std::fs;
use std::path::Path;
use std::process::Command;

use crate::Outcome;
use crate::process::{WORK_TIME_MAX, step};
use crate::venv::tools;
use crate::workspace::root;

/// Builds the folder with an `app.py`.
pub(super) fn build(folder: &Path, built: &Path) -> Outcome {
    let mut command = Command::new(tools()?.join("bin/componentize-py"));
    command.arg("-q").arg("-d").arg(root().join("wit/task.wit")).args(["-w", world(folder)]);
    command.args(["componentize", "app", "-p"]).arg(folder);
    command.arg("-p").arg(root().join("guest-sdk/python/src"));
    step(command.arg("-o").arg(built), WORK_TIME_MAX)
}

/// What the module exports: a class stands for each interface.
fn world(folder: &Path) -> &'static str {
    let module = fs::read_to_string(folder.join("app.py")).unwrap_or_default();
    let has = |class: &str| module.lines().any(|line| line.starts_with(&format!("class {class}(")));
    match (has("Chunker"), has("Collector")) {
        (false, false) => "task",
        (true, false) => "task-with-chunker",
        (false, true) => "task-with-collector",
        (true, true) => "full-task",
    }
}
