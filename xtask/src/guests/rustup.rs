//! The toolchain that runs this command, with targets from rustup.
//!
//! Owns: whether its targets are there, and the one bounded attempt to fetch them.
//! Never: waits for a server that does not answer.

use std::path::Path;
use std::process::Command;
use std::time::Duration;

use super::toolchain::{Recipe, Toolchain};
use crate::Outcome;
use crate::process::{ask, work};
use crate::talk::say;
use crate::workspace::{Kind, cargo};

const WASI: &str = "wasm32-wasip2";
const BARE: &str = "wasm32-unknown-unknown";

/// The longest wait for rustup's server: without a network the request may hang.
const DOWNLOAD_TIME_MAX: Duration = Duration::from_mins(3);

/// The present toolchain, once it has both targets.
pub(crate) fn find() -> Outcome<Toolchain> {
    let missing: Vec<_> = [WASI, BARE].into_iter().filter(|target| !has(target)).collect();
    if !missing.is_empty() {
        add(&missing)?;
    }
    Ok(Toolchain::new("rustup", cargo(), Vec::new(), recipe))
}

fn recipe(kind: Kind) -> Recipe {
    let target = match kind {
        Kind::Handler | Kind::Command => WASI,
        Kind::HandlerWithoutWasi => BARE,
    };
    Recipe { target, arguments: Vec::new(), rustflags: String::new(), own_flags: Vec::new() }
}

/// Whether the standard library for a target is installed: its folder exists and holds `core`.
fn has(target: &str) -> bool {
    let answer = ask(Command::new("rustc").args(["--print=target-libdir", "--target"]).arg(target));
    let files = answer.and_then(|folder| Path::new(folder.trim()).read_dir().ok());
    files.is_some_and(|mut files| files.any(|file| file.is_ok_and(|file| is_core(&file.path()))))
}

fn is_core(file: &Path) -> bool {
    let name = file.file_name().and_then(|name| name.to_str()).unwrap_or_default();
    name.starts_with("libcore-")
}

fn add(targets: &[&str]) -> Outcome {
    if ask(Command::new("rustup").arg("--version")).is_none() {
        return Err(format!("rustc has no {} and there is no rustup", targets.join(", ")));
    }
    say(&format!("rustup: adding {}, the targets that guests are built for", targets.join(", ")));
    work(Command::new("rustup").args(["target", "add"]).args(targets), DOWNLOAD_TIME_MAX)
}
