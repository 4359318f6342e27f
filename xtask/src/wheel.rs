//! `cargo xtask wheel`: the Python package, with the program and the handlers that ship inside.
//!
//! Owns: the folder in which the package is put together.
//! Never: writes into `python/`: what is generated lies under `target`.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::Outcome;
use crate::guests;
use crate::packages;
use crate::process::{WORK_TIME_MAX, step};
use crate::talk::show;
use crate::venv::tools;
use crate::workspace::root;

/// What follows `cargo xtask wheel`.
pub(crate) const USAGE: &str = "";

/// Handlers that the package brings.
const SHIPPED: [&str; 1] = ["audio-transcription"];

/// How the program inside is built.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Build {
    /// As users get it.
    Release,
    /// As the other tests have it built already.
    Test,
}

/// Builds the wheel and says where it is.
pub(crate) fn main(arguments: &[String]) -> Outcome {
    if let Some(stranger) = arguments.first() {
        return Err(format!("`{stranger}` is unknown: cargo xtask wheel"));
    }
    packages::for_building()?;
    let only = SHIPPED.map(str::to_owned).to_vec();
    guests::build(&guests::Request { only, ..guests::Request::default() })?;
    let wheel = build(Build::Release)?;
    show(&wheel.strip_prefix(root()).unwrap_or(&wheel).display().to_string());
    Ok(())
}

/// Builds the wheel. The handlers that ship must be built.
pub(crate) fn build(how: Build) -> Outcome<PathBuf> {
    let tools = tools()?;
    let stage = stage().map_err(|error| format!("the package cannot be put together: {error}"))?;
    let wheels = root().join("target/wheels").join(match how {
        Build::Release => "release",
        Build::Test => "test",
    });
    let _ = fs::remove_dir_all(&wheels);
    let mut command = Command::new(tools.join("bin/maturin"));
    command.current_dir(&stage).args(["build", "--quiet", "--out"]).arg(&wheels);
    command.arg("--target-dir").arg(root().join("target"));
    // The same features as the other tests have: Cargo finds everything built.
    let test_features = "failpoints,fuzzing,scripted";
    match how {
        Build::Release => command.args(["--profile", "release"]),
        Build::Test => command.args(["--profile", "dev", "--features", test_features]),
    };
    step(&mut command, WORK_TIME_MAX)?;
    let built = fs::read_dir(&wheels).into_iter().flatten().flatten().map(|entry| entry.path());
    built
        .filter(|path| path.extension().is_some_and(|extension| extension == "whl"))
        .last()
        .ok_or_else(|| format!("maturin left no wheel in {}", wheels.display()))
}

/// Puts the package together: its sources, the contract with handlers, and the handlers that ship.
fn stage() -> std::io::Result<PathBuf> {
    let stage = root().join("target/wheel");
    let _ = fs::remove_dir_all(&stage);
    copy_folder(&root().join("python"), &stage)?;
    let project = stage.join("pyproject.toml");
    let manifest = root().join("host/Cargo.toml");
    let text = fs::read_to_string(&project)?;
    fs::write(&project, text.replace("../host/Cargo.toml", &manifest.display().to_string()))?;
    let guest = stage.join("src/parallel_framework/guest");
    fs::copy(root().join("wit/task.wit"), guest.join("task.wit"))?;
    let handlers = stage.join("pframe_host.data/data/share/pframe-host/tasks");
    fs::create_dir_all(&handlers)?;
    for name in SHIPPED {
        let file = format!("{}.wasm", name.replace('-', "_"));
        fs::copy(root().join("target/handlers").join(&file), handlers.join(&file))?;
    }
    Ok(stage)
}

fn copy_folder(from: &Path, to: &Path) -> std::io::Result<()> {
    fs::create_dir_all(to)?;
    for entry in fs::read_dir(from)? {
        let entry = entry?;
        let target = to.join(entry.file_name());
        let is_cache = entry.file_name().to_string_lossy().ends_with("cache__")
            || entry.file_name().to_string_lossy().ends_with("_cache");
        match entry.file_type()?.is_dir() {
            _ if is_cache => {}
            true => copy_folder(&entry.path(), &target)?,
            false => drop(fs::copy(entry.path(), target)?),
        }
    }
    Ok(())
}
