//! The command line: one file for each command.
//!
//! Owns: arguments, environment, terminal and exit codes. stdout is data, stderr is talk.
//! Never: decides anything about jobs.

mod arguments;
mod call;
mod control;
mod failure;
mod jobs;
mod porch;
mod resume;
mod run;
mod session;
mod signals;

use std::process::ExitCode;

use clap::Parser;

use self::arguments::{Arguments, Command};
use self::failure::Failure;
use self::porch::Porch;

/// Reads the arguments, runs the command, and says how it went.
pub fn main() -> ExitCode {
    let arguments = match Arguments::try_parse() {
        Ok(arguments) => arguments,
        Err(error) => {
            let _ = error.print();
            return ExitCode::from(u8::try_from(error.exit_code()).unwrap_or(failure::USAGE));
        }
    };
    match dispatch(arguments) {
        Ok(code) => code,
        Err(failure) => failure.report(),
    }
}

fn dispatch(arguments: Arguments) -> Result<ExitCode, Failure> {
    let porch = Porch::open(&arguments.settings)?;
    match arguments.command {
        Command::Run(command) => run::run(&porch, &command),
        Command::Call(command) => call::call(&porch, &command),
        Command::Resume(command) => resume::resume(&porch, &command),
    }
}
