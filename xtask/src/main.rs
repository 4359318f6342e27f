//! The project's own commands: `cargo xtask NAME`.
//!
//! Owns: the table of commands, and what is said when one fails.
//! Never: does the work of a command; each has a module of its own.

mod apt;
mod bench;
mod bindings;
mod ci;
mod counts;
mod coverage;
mod demo;
mod fuzz;
mod guests;
mod packages;
mod process;
mod pytest;
mod sdks;
mod talk;
mod test;
mod venv;
mod wheel;
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

const COMMANDS: &[Command] = &[
    Command {
        name: "prepare",
        usage: "",
        about: "installs what building and testing need beside Rust, and says so",
        run: |_| packages::for_testing(),
    },
    Command {
        name: "demo",
        usage: demo::USAGE,
        about: "builds everything and runs a job on 64 MiB of text, or on a folder of yours",
        run: demo::main,
    },
    Command {
        name: "test",
        usage: test::USAGE,
        about: "builds what the tests need and runs them all",
        run: test::main,
    },
    Command {
        name: "guests",
        usage: guests::USAGE,
        about: "builds the handlers and the test guests into target/handlers",
        run: guests::main,
    },
    Command {
        name: "bindings",
        usage: "",
        about: "writes what the SDK for C is generated from `wit/task.wit`, into guest-sdk/c/generated",
        run: bindings::main,
    },
    Command {
        name: "wheel",
        usage: wheel::USAGE,
        about: "builds the Python package, program and handlers inside, into target/wheels",
        run: wheel::main,
    },
    Command {
        name: "pytest",
        usage: "",
        about: "runs the tests of the Python package alone; `cargo xtask test` runs them too",
        run: pytest::main,
    },
    Command {
        name: "bench",
        usage: bench::USAGE,
        about: "measures, and writes the tables to target/bench.md",
        run: bench::main,
    },
    Command {
        name: "coverage",
        usage: coverage::USAGE,
        about: "shows which lines the tests run, of pframe-core or of the packages named",
        run: coverage::main,
    },
    Command {
        name: "fuzz",
        usage: fuzz::USAGE,
        about: "feeds random bytes to every border that takes bytes from strangers, for ten minutes",
        run: fuzz::main,
    },
    Command {
        name: "ci",
        usage: ci::USAGE,
        about: "runs what the continuous integration runs",
        run: ci::main,
    },
];

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
        let line = format!("  cargo xtask {} {}", command.name, command.usage);
        format!("{}\n      {}", line.trim_end(), command.about)
    });
    format!("commands:\n{}", lines.collect::<Vec<_>>().join("\n"))
}
