//! The tests of the SDKs in other languages than Rust, each in its own language, with something that stands in for the host.
//!
//! Owns: what each takes to be tested.
//! Never: builds a handler; `guests` does.

use std::process::Command;

use crate::Outcome;
use crate::counts::{Counts, count, node, plain, pytest};
use crate::guests::ensure_node;
use crate::process::{WORK_TIME_MAX, step};
use crate::venv;
use crate::workspace::root;

/// Tests all of them. The answer counts what passed and what failed.
pub(crate) fn run() -> Outcome<Counts> {
    let all = [test_c(), test_javascript()?, test_python()?];
    Ok(all.into_iter().fold((0, 0), |sum, one| (sum.0 + one.0, sum.1 + one.1)))
}

/// With the machine's own compiler.
fn test_c() -> Counts {
    let mut make = Command::new("make");
    count(make.current_dir(root().join("guest-sdk/c")).args(["--silent", "test"]), plain)
}

fn test_javascript() -> Outcome<Counts> {
    ensure_node()?;
    let mut tests = Command::new("npm");
    tests.current_dir(root().join("guest-sdk/javascript")).args(["--silent", "test"]);
    Ok(count(&mut tests, node))
}

/// With the bindings that `componentize-py` generates.
fn test_python() -> Outcome<Counts> {
    let tools = venv::tools()?;
    let bindings = root().join("target/python-bindings");
    let _ = std::fs::remove_dir_all(&bindings);
    let mut generate = Command::new(tools.join("bin/componentize-py"));
    generate.current_dir(root()).args(["-q", "-d", "wit/task.wit", "-w", "full-task"]);
    step(generate.arg("bindings").arg(&bindings), WORK_TIME_MAX)?;
    let sdk = root().join("guest-sdk/python");
    let path = format!("{}:{}", sdk.join("src").display(), bindings.display());
    let mut mypy = Command::new(tools.join("bin/mypy"));
    mypy.current_dir(&sdk).env("MYPYPATH", &path).arg("--cache-dir");
    step(mypy.arg(root().join("target/mypy")), WORK_TIME_MAX)?;
    let mut tests = Command::new(tools.join("bin/python"));
    tests.args(["-B", "-m", "pytest", "-p", "no:cacheprovider"]);
    Ok(count(tests.current_dir(&sdk).env("PYTHONPATH", &path), pytest))
}
