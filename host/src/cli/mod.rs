//! The command line: one file for each command.
//!
//! Owns: arguments, environment, terminal and exit codes. stdout is data, stderr is talk.
//! Never: decides anything about jobs.

mod arguments;
mod call;
mod cancel;
mod check;
mod completions;
mod config;
mod control;
mod explain;
mod failure;
mod gc;
mod history;
mod inspect;
mod jobs;
mod logs;
mod machine;
mod plan;
mod porch;
mod print;
mod resume;
mod run;
mod schema;
mod session;
mod signals;
mod status;
mod sweep;
mod tasks;
mod times;

use std::process::ExitCode;

use clap::Parser;

use self::arguments::{Arguments, Command, ConfigCommand};
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
    match dispatch(&arguments) {
        Ok(code) => code,
        Err(failure) => failure.report(),
    }
}

fn dispatch(arguments: &Arguments) -> Result<ExitCode, Failure> {
    let porch = || Porch::open(&arguments.settings);
    match &arguments.command {
        Command::Run(command) => run::run(&porch()?, command),
        Command::Call(command) => call::call(&porch()?, command),
        Command::Resume(command) => resume::resume(&porch()?, command),
        Command::Check(command) => check::check(&porch()?, command),
        Command::Plan(command) => plan::plan(&porch()?, command),
        Command::Status(command) => status::status(&porch()?, command),
        Command::Explain(command) => explain::explain(porch, command),
        Command::Logs(command) => logs::logs(&porch()?, command),
        Command::Cancel(command) => cancel::cancel(&porch()?, command),
        Command::Gc(command) => gc::gc(&porch()?, command),
        Command::Tasks(command) => tasks::tasks(&porch()?, command),
        Command::Config(ConfigCommand::Show(flag)) => config::show(&porch()?, *flag),
        Command::Machine(flag) => machine::machine(&porch()?, *flag),
        Command::Schema => schema::schema(),
        Command::Completions { shell } => completions::completions(*shell),
    }
}
