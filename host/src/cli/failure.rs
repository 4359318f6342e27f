//! How a command fails: what is printed, and the exit code.
//!
//! Owns: the exit codes. 0 all jobs completed · 1 our bug · 2 usage · 3 the job file ·
//! 4 a task failed · 5 the machine · 130 interrupted · 143 terminated.
//! Never: prints to stdout.

use std::process::ExitCode;

use pframe_core::document::Problems;
use pframe_core::fault::{Code, Fault, Origin};

use crate::reporter::told::{say, tell_fault};

/// Wrong arguments, or a configuration that cannot be used.
pub(super) const USAGE: u8 = 2;
/// The machine does not give what is needed.
pub(super) const MACHINE: u8 = 5;
/// Ctrl-C.
pub(super) const INTERRUPTED: u8 = 130;
/// SIGTERM.
pub(super) const TERMINATED: u8 = 143;

/// Why a command ends early.
#[derive(Debug)]
pub(super) enum Failure {
    /// A fault, with what it happened to.
    Fault { fault: Box<Fault>, place: String },
    /// Problems of a file, each with its place.
    Problems { problems: Box<Problems>, exit_code: u8 },
    /// A file that people write, and that cannot be read.
    Unreadable { code: Code, path: String, why: String },
    /// Wrong usage, said in one line.
    Usage(String),
}

impl Failure {
    /// A fault that happened to `place`, such as `job count-novels`.
    pub(super) fn at(place: impl Into<String>) -> impl FnOnce(Fault) -> Self {
        let place = place.into();
        move |fault| Self::Fault { fault: Box::new(fault), place }
    }

    /// Problems of a job file.
    pub(super) fn job_file(problems: Problems) -> Self {
        Self::Problems { problems: Box::new(problems), exit_code: exit_code(Origin::Job) }
    }

    /// Problems of the configuration.
    pub(super) fn config(problems: Problems) -> Self {
        Self::Problems { problems: Box::new(problems), exit_code: USAGE }
    }

    /// Prints itself to stderr.
    pub(super) fn report(self) -> ExitCode {
        match self {
            Self::Fault { fault, place } => {
                tell_fault(&fault, &place);
                ExitCode::from(exit_code(fault.code.origin()))
            }
            Self::Problems { problems, exit_code } => {
                say(&problems.to_string());
                ExitCode::from(exit_code)
            }
            Self::Unreadable { code, path, why } => {
                say(&format!("error[{code}]: `{path}`: {why}\n  advice: check the path"));
                let is_config = code == Code::ConfigInvalid;
                ExitCode::from(if is_config { USAGE } else { exit_code(code.origin()) })
            }
            Self::Usage(message) => {
                say(&format!("error: {message}"));
                ExitCode::from(USAGE)
            }
        }
    }
}

impl From<Fault> for Failure {
    fn from(fault: Fault) -> Self {
        Self::Fault { fault: Box::new(fault), place: String::new() }
    }
}

/// The exit code of a failure, by whose move it is.
pub(super) fn exit_code(origin: Origin) -> u8 {
    match origin {
        Origin::Host => 1,
        Origin::Job => 3,
        Origin::Task => 4,
        Origin::Machine => MACHINE,
    }
}
