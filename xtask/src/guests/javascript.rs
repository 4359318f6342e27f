//! Handlers in JavaScript, built by `esbuild` and `componentize-js`, as their `package.json` says.
//!
//! Owns: when their tools are installed.
//! Never: takes another version than the lock file names.

use std::path::Path;
use std::process::Command;

use super::foreign::{modified, take};
use crate::Outcome;
use crate::apt::{Wanted, ensure};
use crate::process::{WORK_TIME_MAX, ask, step};

/// Builds the folder with a `package.json`.
pub(super) fn build(folder: &Path, built: &Path) -> Outcome {
    ensure_node()?;
    let installed = modified(&folder.join("node_modules/.package-lock.json"));
    if installed < modified(&folder.join("package-lock.json")) {
        let quiet = ["ci", "--no-audit", "--no-fund", "--loglevel=error"];
        step(Command::new("npm").current_dir(folder).args(quiet), WORK_TIME_MAX)?;
    }
    step(
        Command::new("npm").current_dir(folder).args(["run", "--silent", "build"]),
        WORK_TIME_MAX,
    )?;
    let name = built.file_name().expect("a component has a name");
    take(&folder.join("build").join(name), built)
}

/// Node and its package manager, wherever they come from.
pub(crate) fn ensure_node() -> Outcome {
    let has = |program: &str| ask(Command::new(program).arg("--version")).is_some();
    if has("node") && has("npm") {
        return Ok(());
    }
    ensure(&Wanted {
        packages: &["nodejs", "npm"],
        purpose: "handlers in JavaScript are built and tested by Node",
        oldest: ("nodejs", (18, 0)),
    })
}
