//! `cargo xtask demo`: from a fresh clone to the result of a real job.
//!
//! Owns: the order: make the input, build, run, show; and the commands, which are printed so that a person can
//! repeat each.
//! Never: does what `pframe-host` should: it starts the program as anybody would.

mod events;
mod input;
mod result;
mod texts;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::json;

use crate::Outcome;
use crate::guests;
use crate::packages;
use crate::process::{WORK_TIME_MAX, step};
use crate::talk::say;
use crate::workspace::{cargo, root};

/// What follows `cargo xtask demo`.
pub(crate) const USAGE: &str = "[--input FOLDER]";

/// Everything that the demo makes, but for the two programs.
const FOLDER: &str = "target/demo";

/// The handlers that the job file names.
const HANDLERS: [&str; 2] = ["word-count", "json-stats"];

/// What is worked on.
#[derive(Debug, PartialEq, Eq)]
enum Input {
    /// What this command makes.
    Made,
    /// Somebody's own folder.
    Folder(PathBuf),
}

/// Builds, runs and shows.
pub(crate) fn main(arguments: &[String]) -> Outcome {
    let job_file = match parse(arguments)? {
        Input::Made => {
            input::make(&root().join(FOLDER))?;
            PathBuf::from("examples/demo.yaml")
        }
        Input::Folder(folder) => job_file_for(&folder)?,
    };
    packages::for_building()?;
    build()?;
    step(&mut run(&job_file), WORK_TIME_MAX)?;
    result::show_all(&root().join(FOLDER).join("results"))
}

fn parse(arguments: &[String]) -> Outcome<Input> {
    match arguments {
        [] => Ok(Input::Made),
        [option, folder] if option == "--input" => Ok(Input::Folder(folder.into())),
        _ => Err(format!("this is not understood: cargo xtask demo {USAGE}")),
    }
}

fn build() -> Outcome {
    let mut host = Command::new(cargo());
    host.current_dir(root()).args(["build", "--release", "--package", "pframe-host"]);
    step(&mut host, WORK_TIME_MAX)?;
    let only = HANDLERS.map(String::from).to_vec();
    say(&format!("$ cargo xtask guests --only {}", only.join(" --only ")));
    guests::build(&guests::Request { only, ..guests::Request::default() }).map(|_| ())
}

/// Words of every file of a folder, as a job file of its own.
fn job_file_for(folder: &Path) -> Outcome<PathBuf> {
    let folder = fs::canonicalize(folder)
        .map_err(|error| format!("cannot look into {}: {error}", folder.display()))?;
    if !folder.is_dir() {
        return Err(format!("{} is not a folder", folder.display()));
    }
    let job_file = Path::new(FOLDER).join("jobs.json");
    let jobs = json!({
        "version": 1,
        "tasks": { "word-count": { "component": "../handlers/word_count.wasm" } },
        "jobs": [{
            "id": "count-words",
            "task_type": "word-count",
            "input_data": { "files": [folder.join("**/*")] },
            "parameters": { "top": 20 },
            "chunking": { "strategy": "size", "size": "4MiB", "boundary": "line" },
            "output": { "path": "results/top-words.json" },
        }],
    });
    let results = root().join(FOLDER).join("results");
    // What an earlier demo described is not about this folder.
    let _ = fs::remove_dir_all(&results);
    fs::create_dir_all(&results)
        .and_then(|()| fs::write(root().join(&job_file), format!("{jobs:#}\n")))
        .map_err(|error| format!("cannot write {}: {error}", job_file.display()))?;
    Ok(job_file)
}

fn run(job_file: &Path) -> Command {
    let mut command = Command::new("target/release/pframe-host");
    command.current_dir(root()).arg("run").arg(job_file);
    command.args(["--state-dir", "target/demo/state", "--cache-dir", "target/demo/cache"]);
    // Where stderr is no terminal, progress is a line each second instead of a bar.
    command.args(["--progress-update-interval", "1s"]);
    command
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_of_ones_own_may_be_named() {
        let parse = |words: &[&str]| parse(&words.iter().map(|&w| w.into()).collect::<Vec<_>>());
        assert_eq!(parse(&[]), Ok(Input::Made));
        assert_eq!(parse(&["--input", "novels"]), Ok(Input::Folder("novels".into())));
        assert!(parse(&["--input"]).is_err());
        assert!(parse(&["novels"]).is_err());
    }
}
