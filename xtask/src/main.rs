//! The project's own commands: `cargo xtask NAME`.
//!
//! Owns: the table of commands, and what is said when one fails.
//! Never: does the work of a command; each has a module of its own.

mod guests;
mod process;
mod talk;
mod workspace;

use std::process::ExitCode;

use talk::say;

/// What a command returns: nothing, or a sentence about what went wrong and what to do.
type Outcome<T = ()> = Result<T, String>;

/// One command: its name, what follows the name, what it does, and the function behind it.
struct Command {
    name: &'static str,
    usage: &'static str,
    about: &'static str,
    run: fn(&[String]) -> Outcome,
}

const COMMANDS: &[Command] = &[Command {
    name: "guests",
    usage: guests::USAGE,
    about: "builds the handlers and the test guests into target/handlers",
    run: guests::main,
}];

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    match dispatch(&arguments) {
        Ok(()) => ExitCode::SUCCESS,
        Err(message) => {
            say(&format!("error: {message}"));
            ExitCode::FAILURE
        }
    }
}

fn dispatch(arguments: &[String]) -> Outcome {
    let Some((name, rest)) = arguments.split_first() else {
        say(&overview());
        return Err("name a command".into());
    };
    if matches!(name.as_str(), "help" | "--help" | "-h") {
        say(&overview());
        return Ok(());
    }
    match COMMANDS.iter().find(|command| command.name == name) {
        Some(command) => (command.run)(rest),
        None => Err(format!("there is no command `{name}`\n\n{}", overview())),
    }
}

fn overview() -> String {
    let lines = COMMANDS.iter().map(|command| {
        format!("  cargo xtask {} {}\n      {}", command.name, command.usage, command.about)
    });
    format!("commands:\n{}", lines.collect::<Vec<_>>().join("\n"))
}
