//! `cargo xtask ci`: what the continuous integration runs.
//!
//! Owns: nothing but the call: the script is the one list of what a change must pass.
//! Never: does more or less than the script.

use std::process::Command;
use std::time::Duration;

use crate::Outcome;
use crate::process::step;
use crate::workspace::root;

/// What follows `cargo xtask ci`.
pub(crate) const USAGE: &str = "";

/// The longest wait: what the continuous integration allows.
const CI_TIME_MAX: Duration = Duration::from_mins(90);

/// Runs the script.
pub(crate) fn main(arguments: &[String]) -> Outcome {
    match arguments {
        [] => step(Command::new("bash").arg(".ci/run").current_dir(root()), CI_TIME_MAX),
        [argument, ..] => Err(format!("`{argument}` is unknown: cargo xtask ci takes nothing")),
    }
}
