//! The tests of the Python package: the wheel, installed as users install it.
//!
//! Owns: what these tests need, and how their summary is read.
//! Never: tests the package's sources in place: what is not in the wheel is not there.

use std::process::Command;

use crate::Outcome;
use crate::counts::{count, pytest};
use crate::process::{WORK_TIME_MAX, step};
use crate::talk::show;
use crate::wheel::{self, Build};
use crate::workspace::root;
use crate::{guests, packages, test, venv};

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

/// Tests the wheel in a virtual environment that has nothing else but pytest. The answer counts what passed and what failed.
pub(crate) fn run(is_slow: bool) -> Outcome<(u64, u64)> {
    let wheel = wheel::build(Build::Test)?;
    let tools = venv::tools()?;
    let package = root().join("target/wheel");
    step(Command::new(tools.join("bin/mypy")).current_dir(&package), WORK_TIME_MAX)?;
    let user = root().join("target/python-user");
    venv::environment(&user)?;
    let mut install = venv::pip(&user);
    install.args(["install", "--quiet", "--force-reinstall"]).arg(&wheel).arg("pytest==9.2.0");
    step(&mut install, WORK_TIME_MAX)?;
    let mut command = Command::new(user.join("bin/python"));
    command.args(["-m", "pytest"]).current_dir(&package);
    command.env(MODEL_WRITER, root().join("target/debug/whisper-model"));
    command.env("XDG_CACHE_HOME", root().join("target/test-python-cache"));
    if is_slow {
        command.env("PFRAME_SLOW", "1");
    }
    Ok(count(&mut command, pytest))
}
