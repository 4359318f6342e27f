//! The whole house through its front door: what every test of this package shares.
//!
//! Owns: finding the built handlers and the built binary, and an engine for each test binary.
//! Never: builds handlers or the binary; `cargo xtask test` does that first.

pub mod bucket;
pub mod canary;
pub mod diary;
pub mod ggml;
pub mod history;
pub mod house;
pub mod mixed;
pub mod process;
pub mod program;
pub mod random;
pub mod reference;
pub mod registry;
pub mod sound;
pub mod speech;

pub mod web;

pub use pframe_hostile as component;

use std::path::PathBuf;

/// The repository's root.
pub fn root() -> PathBuf {
    let manifest = PathBuf::from(env!("CARGO_MANIFEST_DIR"));
    manifest.parent().expect("this package lies in the repository").to_owned()
}

/// A component built by `cargo xtask guests`.
///
/// # Panics
///
/// Where it has not been built.
pub fn guest(name: &str) -> PathBuf {
    let path = root().join("target/handlers").join(format!("{name}.wasm"));
    assert!(path.exists(), "{} is missing: run `cargo xtask guests` first", path.display());
    path
}
