//! `cargo xtask fuzz`: bytes that nobody thought of, against every border that takes bytes from strangers.
//!
//! Owns: that the nightly compiler and `cargo-fuzz` are there, and how the time is divided among the targets.
//! Never: writes into the repository: what the fuzzer grows lies in `target/`, and a find is shown with its file.

use std::fs;
use std::path::PathBuf;
use std::process::Command;
use std::time::Duration;

use crate::Outcome;
use crate::process::{WORK_TIME_MAX, ask, step};
use crate::talk::{say, show};
use crate::workspace::{cargo, root};

pub(crate) const USAGE: &str = "[--seconds N] [TARGET]…";

/// What all targets share, unless `--seconds` says otherwise: ten minutes.
const SECONDS: u64 = 600;
/// How much longer than its time a target may take to start and to end.
const GRACE: Duration = Duration::from_mins(2);
/// The largest input that is tried.
const BYTES_MAX: u32 = 4096;

pub(crate) fn main(arguments: &[String]) -> Outcome {
    let (seconds, wanted) = read(arguments)?;
    let targets = targets()?;
    if let Some(unknown) = wanted.iter().find(|name| !targets.contains(name)) {
        return Err(format!("there is no target `{unknown}`: {}", targets.join(", ")));
    }
    let wanted = if wanted.is_empty() { targets } else { wanted };
    ensure_nightly()?;
    ensure_cargo_fuzz()?;
    let each = (seconds / wanted.len() as u64).max(1);
    step(&mut fuzz(&["build"]), WORK_TIME_MAX)?;
    for target in &wanted {
        run(target, each)?;
    }
    show(&format!("{} targets, {each} s each: nothing found", wanted.len()));
    Ok(())
}

fn read(arguments: &[String]) -> Outcome<(u64, Vec<String>)> {
    let (mut seconds, mut wanted) = (SECONDS, Vec::new());
    let mut arguments = arguments.iter();
    while let Some(argument) = arguments.next() {
        match argument.as_str() {
            "--seconds" => {
                let number = arguments.next().and_then(|text| text.parse().ok());
                seconds = number.ok_or("`--seconds` needs a number")?;
            }
            option if option.starts_with('-') => {
                return Err(format!("`{option}` is unknown: cargo xtask fuzz {USAGE}"));
            }
            target => wanted.push(target.to_owned()),
        }
    }
    Ok((seconds, wanted))
}

/// Every file in `fuzz/targets`.
fn targets() -> Outcome<Vec<String>> {
    let folder = root().join("fuzz/targets");
    let entries =
        fs::read_dir(&folder).map_err(|error| format!("{}: {error}", folder.display()))?;
    let stem = |path: PathBuf| Some(path.file_stem()?.to_str()?.to_owned());
    let mut targets: Vec<String> = entries.flatten().filter_map(|it| stem(it.path())).collect();
    targets.sort();
    Ok(targets)
}

fn ensure_nightly() -> Outcome {
    let mut question = Command::new("cargo");
    question.args(["+nightly", "--version"]);
    ask(&mut question).map(drop).ok_or_else(|| {
        "fuzzing needs a nightly compiler: `rustup toolchain install nightly`".to_owned()
    })
}

/// Where tools lie that were installed by these commands.
fn tools() -> PathBuf {
    root().join("target/tools")
}

fn ensure_cargo_fuzz() -> Outcome {
    if tools().join("bin/cargo-fuzz").exists() {
        return Ok(());
    }
    say("cargo-fuzz is installed into target/tools");
    let mut install = Command::new(cargo());
    install.args(["install", "cargo-fuzz", "--locked", "--root"]).arg(tools());
    step(&mut install, WORK_TIME_MAX)
}

fn fuzz(arguments: &[&str]) -> Command {
    let mut command = Command::new(tools().join("bin/cargo-fuzz"));
    command.arg("fuzz").args(arguments).args(["--fuzz-dir", "."]);
    command.current_dir(root().join("fuzz"));
    command.env("CARGO_TARGET_DIR", root().join("target/fuzz")).env("RUSTUP_TOOLCHAIN", "nightly");
    command
}

/// Grows what the seeds begin.
fn run(target: &str, seconds: u64) -> Outcome {
    let grown = root().join("target/fuzz-corpus").join(target);
    fs::create_dir_all(&grown).map_err(|error| format!("{}: {error}", grown.display()))?;
    let mut command = fuzz(&["run", target]);
    command.arg(&grown).arg(format!("seeds/{target}"));
    command.arg("--").arg(format!("-max_total_time={seconds}"));
    command.args(["-print_final_stats=1", "-timeout=20", "-rss_limit_mb=4096"]);
    command.arg(format!("-max_len={BYTES_MAX}"));
    step(&mut command, Duration::from_secs(seconds) + GRACE).map_err(|error| {
        format!("`{target}` found something: make the file named above a seed in fuzz/seeds/{target}, where a test runs it for ever ({error})")
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn arguments(text: &str) -> Vec<String> {
        text.split_whitespace().map(str::to_owned).collect()
    }

    #[test]
    fn time_and_targets_can_be_chosen() {
        assert_eq!(read(&arguments("")), Ok((SECONDS, vec![])));
        assert_eq!(read(&arguments("--seconds 5 frames")), Ok((5, vec!["frames".into()])));
        assert!(read(&arguments("--seconds soon")).is_err());
        assert!(read(&arguments("--minutes 5")).is_err());
    }

    #[test]
    fn every_target_has_seeds() {
        for target in targets().unwrap() {
            let seeds = fs::read_dir(root().join("fuzz/seeds").join(&target)).unwrap();
            assert!(seeds.count() > 0, "{target}");
        }
    }
}
