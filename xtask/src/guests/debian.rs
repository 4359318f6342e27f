//! Debian's second Rust under /usr, which can build for WebAssembly.
//!
//! Owns: which packages, which version at least, and how their compiler is called.
//! Never: installs anything itself; `apt` does, and says so first.

use super::toolchain::{Recipe, Toolchain};
use crate::Outcome;
use crate::apt::{Wanted, ensure};
use crate::workspace::Kind;

/// What is needed, and for what: the compiler and Cargo, the source of its standard library (which Cargo builds for
/// the target), LLVM's tools with `wasm-component-ld`, the linker, and the C library below the standard library.
const PACKAGES: [&str; 6] =
    ["rustc-web", "cargo-web", "rust-web-src", "rust-web-llvm", "lld-22", "wasi-libc"];

const PURPOSE: &str = "a Rust that builds for WebAssembly, a download of about 170 MB, 0.9 GB under /usr, beside rustup's";

/// The oldest `rustc-web` that builds the guests; Debian 12 has it in its security archive.
const RUSTC_VERSION_MIN: (u32, u32) = (1, 96);

const WASI: &str = "wasm32-wasip1";
const BARE: &str = "wasm32-unknown-unknown";

/// Debian's toolchain, installed first if need be and possible.
pub(crate) fn find() -> Outcome<Toolchain> {
    let oldest = ("rustc-web", RUSTC_VERSION_MIN);
    ensure(&Wanted { packages: &PACKAGES, purpose: PURPOSE, oldest })?;
    // Both programs look for their companions in PATH, where rustup's may come first.
    let path = std::env::var("PATH").unwrap_or_default();
    let environment = vec![
        ("RUSTC_BOOTSTRAP", "1".into()), // `-Zbuild-std` is not stable yet
        ("RUSTC", "/usr/bin/rustc".into()),
        ("PATH", format!("/usr/bin:{path}")),
    ];
    Ok(Toolchain::new("debian", "/usr/bin/cargo", environment, recipe))
}

fn recipe(kind: Kind) -> Recipe {
    let (target, rustflags) = match kind {
        Kind::Handler | Kind::Command => (WASI, wasi_flags()),
        Kind::HandlerWithoutWasi => (BARE, "-C linker=wasm-ld-22".into()),
    };
    let own_flags = match kind {
        Kind::Command => vec!["-Clink-arg=/usr/lib/wasm32-wasi/crt1-command.o"],
        Kind::Handler | Kind::HandlerWithoutWasi => Vec::new(),
    };
    Recipe { target, arguments: vec!["-Zbuild-std=std,panic_abort"], rustflags, own_flags }
}

/// Debian's C library in place of the one that rustup's target brings along.
fn wasi_flags() -> String {
    let linker = component_linker();
    format!("-L native=/usr/lib/wasm32-wasi -C link-self-contained=no -C linker={linker}")
}

/// Turns the core module that the linker makes into a component.
fn component_linker() -> String {
    let machine = std::env::consts::ARCH;
    format!("/usr/lib/rustlib/{machine}-unknown-linux-gnu/bin/wasm-component-ld")
}
