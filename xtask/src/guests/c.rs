//! Handlers in C, built by clang and make, as `guest-sdk/c/handler.mk` says.
//!
//! Owns: the packages that this takes.
//! Never: builds what make finds up to date.

use std::path::Path;
use std::process::Command;

use super::foreign::take;
use crate::Outcome;
use crate::apt::{Wanted, ensure};
use crate::process::{WORK_TIME_MAX, step};

/// Builds the folder with a `Makefile`.
pub(super) fn build(folder: &Path, built: &Path) -> Outcome {
    ensure(&Wanted {
        packages: &["make", "clang-22", "lld-22", "libclang-rt-22-dev-wasm32", "wasi-libc"],
        purpose: "handlers in C are built by clang, a download of about 100 MB",
        oldest: ("clang-22", (22, 0)),
    })?;
    step(Command::new("make").arg("--silent").arg("-C").arg(folder), WORK_TIME_MAX)?;
    let name = built.file_name().expect("a component has a name");
    take(&folder.join("build").join(name), built)
}
