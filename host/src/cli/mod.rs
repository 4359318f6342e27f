//! The command line: one file for each command.
//!
//! Owns: arguments, environment, terminal and exit codes. stdout is data, stderr is talk.
//! Never: decides anything about jobs.

mod arguments;
mod cache;
mod call;
mod cancel;
mod check;
mod completions;
mod config;
mod control;
mod credentials;
mod explain;
mod failure;
mod gc;
mod graph;
mod history;
mod hostile;
mod inspect;
mod jobs;
mod logs;
mod machine;
mod models;
mod new;
mod plan;
mod porch;
mod print;
mod replay;
mod resume;
mod retry;
mod run;
mod schema;
mod selftest;
mod serve;
mod session;
mod shipped;
mod signals;
mod status;
mod sweep;
mod tasks;
mod tasks_list;
mod tasks_store;
mod times;
mod transcribe;

use std::process::ExitCode;

use clap::Parser;

use pframe_core::config::Isolation;

use self::arguments::{Arguments, Command, ConfigCommand, ProbeArguments, SettingFlags};
use self::failure::Failure;
use self::porch::Porch;
use crate::process::jail::Layer;
use crate::process::probe::{Attack, Stage, serve_probe};

/// Reads the arguments, runs the command, and says how it went.
pub fn main() -> ExitCode {
    let arguments = match Arguments::try_parse() {
        Ok(arguments) => arguments,
        Err(error) => {
            let _ = error.print();
            return ExitCode::from(u8::try_from(error.exit_code()).unwrap_or(failure::USAGE));
        }
    };
    #[cfg(feature = "failpoints")]
    let _failpoints = crate::failpoint::set_up();
    open_many_files();
    match dispatch(&arguments) {
        Ok(code) => code,
        Err(failure) => failure.report(),
    }
}

/// Names come from this very program; what it does not know it does not do.
fn probe(arguments: &ProbeArguments) -> ExitCode {
    let left_out: Vec<_> = arguments.without.iter().filter_map(|name| Layer::find(name)).collect();
    let stage = Stage::ALL.iter().find(|(name, _)| *name == arguments.stage);
    let stage = stage.map_or(Stage::Running, |(_, stage)| *stage);
    let attack = arguments.attack.as_deref();
    let attack = attack.and_then(|wanted| Attack::ALL.iter().find(|(name, _)| *name == wanted));
    serve_probe(&left_out, attack.map(|(_, attack)| *attack), stage)
}

/// A child reads no configuration: its host tells it what to put on.
fn child_isolation(settings: &SettingFlags) -> Result<Isolation, Failure> {
    let said = settings.given.iter().find(|(knob, _)| knob.flag == "--isolation");
    let known = [Isolation::Strict, Isolation::Container, Isolation::Off];
    let found = said.and_then(|(_, said)| known.into_iter().find(|known| known.name() == said));
    found.ok_or_else(|| Failure::Usage("`--isolation` must be strict, container or off".into()))
}

/// Many files may be open at once; what the operator allows at most is what this program takes.
fn open_many_files() {
    use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
    let limit = getrlimit(Resource::Nofile);
    let _ = setrlimit(Resource::Nofile, Rlimit { current: limit.maximum, ..limit });
}

fn dispatch(arguments: &Arguments) -> Result<ExitCode, Failure> {
    let porch = || Porch::open(&arguments.settings);
    match &arguments.command {
        Command::Run(command) => run::run(&porch()?, command),
        Command::Call(command) => call::call(&porch()?, command),
        Command::Resume(command) => resume::resume(&porch()?, command),
        Command::Replay(command) => replay::replay(&porch()?, command),
        Command::Retry(command) => retry::retry(&porch()?, command),
        Command::Check(command) => check::check(&porch()?, command),
        Command::Plan(command) => plan::plan(&porch()?, command),
        Command::Status(command) => status::status(&porch()?, command),
        Command::Explain(command) => explain::explain(porch, command),
        Command::Logs(command) => logs::logs(&porch()?, command),
        Command::Cancel(command) => cancel::cancel(&porch()?, command),
        Command::Gc(command) => gc::gc(&porch()?, command),
        Command::New(command) => new::new(command),
        Command::Tasks(command) => tasks::tasks(&porch()?, command),
        Command::Config(ConfigCommand::Show(flag)) => config::show(&porch()?, *flag),
        Command::Transcribe(command) => transcribe::transcribe(porch()?, command),
        Command::Serve(command) => serve::serve(porch()?, command),
        Command::Cache(command) => cache::cache(&porch()?, command),
        Command::Models(command) => models::models(&porch()?, command),
        Command::Machine(flag) => machine::machine(&porch()?, *flag),
        Command::Schema => schema::schema(),
        Command::Selftest(command) => selftest::selftest(command),
        Command::Probe(command) => Ok(probe(command)),
        Command::Compile(_) => {
            Ok(crate::registry::serve_compile(child_isolation(&arguments.settings)?))
        }
        Command::Decode(_) => {
            Ok(crate::recording::serve_decode(child_isolation(&arguments.settings)?))
        }
        Command::Recognise(_) => {
            Ok(crate::recogniser::serve_recognise(child_isolation(&arguments.settings)?))
        }
        Command::Scratch(_) => {
            let isolation = child_isolation(&arguments.settings)?;
            Ok(crate::process::scratch::serve_scratch(isolation))
        }
        Command::Worker(_) => Ok(crate::worker::serve(child_isolation(&arguments.settings)?)),
        Command::Completions { shell } => completions::completions(*shell),
    }
}
