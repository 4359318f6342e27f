//! The whole house through its front door: what every test of this package shares.
//!
//! Owns: finding the built handlers and the built binary.
//! Never: builds them; `cargo xtask test` does that first.

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
