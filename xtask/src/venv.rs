//! Virtual environments of Python.
//!
//! Owns: the tools that build and check what is written in Python, each in an exact version.
//! Never: touches the machine's own Python.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::Outcome;
use crate::apt::{Wanted, ensure};
use crate::process::{WORK_TIME_MAX, ask, step};
use crate::talk::say;
use crate::workspace::root;

/// Exact, so that the same commit builds the same tomorrow. The builder of components is that of `python/pyproject.toml`.
const TOOLS: [&str; 4] =
    ["componentize_py==0.25.1", "maturin==1.16.0", "mypy==2.4.1", "pytest==9.2.0"];

/// The virtual environment of the tools: made, and filled, where it is not there.
pub(crate) fn tools() -> Outcome<PathBuf> {
    let folder = root().join("target/python-tools");
    environment(&folder)?;
    let missing: Vec<_> = TOOLS.into_iter().filter(|tool| !has(&folder, tool)).collect();
    if !missing.is_empty() {
        say("python: installing the tools into target/python-tools");
        step(pip(&folder).args(["install", "--quiet"]).args(missing), WORK_TIME_MAX)?;
    }
    Ok(folder)
}

/// Makes a virtual environment unless there is one.
pub(crate) fn environment(folder: &Path) -> Outcome {
    if folder.join("bin/pip").is_file() {
        return Ok(());
    }
    if ask(Command::new("python3").args(["-c", "import ensurepip, venv"])).is_none() {
        ensure(&Wanted {
            packages: &["python3", "python3-venv"],
            purpose: "the Python package is built and tested in virtual environments",
            oldest: ("python3", (3, 10)),
        })?;
    }
    step(Command::new("python3").args(["-m", "venv", "--clear"]).arg(folder), WORK_TIME_MAX)
}

/// `pip` of a virtual environment.
pub(crate) fn pip(folder: &Path) -> Command {
    let mut command = Command::new(folder.join("bin/pip"));
    command.env("PIP_DISABLE_PIP_VERSION_CHECK", "1");
    command
}

/// Whether a tool is there in its very version, as the folder that `pip` keeps about it says.
fn has(folder: &Path, tool: &str) -> bool {
    let (name, version) = tool.split_once("==").expect("every tool has a version");
    let wanted = format!("{name}-{version}.dist-info");
    let libraries = fs::read_dir(folder.join("lib")).into_iter().flatten().flatten();
    libraries
        .map(|entry| entry.path())
        .any(|path| path.join("site-packages").join(&wanted).is_dir())
}
