//! Debian's packages: a second Rust under /usr that can build for WebAssembly, for machines that rustup's server
//! does not reach.
//!
//! Owns: which packages, which version at least, and how their compiler is called.
//! Never: installs anything without having said what and why; without the rights it says what to type.

use std::process::Command;

use super::toolchain::{Recipe, Toolchain};
use crate::Outcome;
use crate::process::{WORK_TIME_MAX, ask, work};
use crate::talk::say;
use crate::workspace::Kind;

/// What is needed, and for what: the compiler and Cargo, the source of its standard library (which Cargo builds for
/// the target), LLVM's tools with `wasm-component-ld`, the linker, and the C library below the standard library.
const PACKAGES: [&str; 6] =
    ["rustc-web", "cargo-web", "rust-web-src", "rust-web-llvm", "lld-22", "wasi-libc"];

/// The oldest `rustc-web` that builds the guests; Debian 12 has it in its security archive.
const RUSTC_VERSION_MIN: (u32, u32) = (1, 96);

const WASI: &str = "wasm32-wasip1";
const BARE: &str = "wasm32-unknown-unknown";

/// Debian's toolchain, installed first if need be and possible.
pub(crate) fn find() -> Outcome<Toolchain> {
    if ask(Command::new("apt-get").arg("--version")).is_none() {
        return Err("this is not Debian: there is no apt-get".into());
    }
    let missing: Vec<_> = PACKAGES.into_iter().filter(|package| !is_installed(package)).collect();
    if !missing.is_empty() {
        install(&missing)?;
    }
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

fn is_installed(package: &str) -> bool {
    let format = "--showformat=${db:Status-Status} ${Version}";
    let answer = ask(Command::new("dpkg-query").args(["--show", format, package]));
    let Some(version) = answer.as_deref().and_then(|answer| answer.strip_prefix("installed "))
    else {
        return false;
    };
    package != "rustc-web" || is_new_enough(version)
}

/// Whether a version such as `1.96.0+dfsg1-1~deb12u2` will do.
fn is_new_enough(version: &str) -> bool {
    let mut numbers = version.split('.').map_while(|part| part.parse::<u32>().ok());
    let version = (numbers.next().unwrap_or(0), numbers.next().unwrap_or(0));
    version >= RUSTC_VERSION_MIN
}

fn install(packages: &[&str]) -> Outcome {
    let list = packages.join(" ");
    let prefix = right_to_install().ok_or_else(|| {
        format!("installing needs root; type: sudo apt-get update && sudo apt-get install {list}")
    })?;
    if !has_candidate() {
        say("debian: the package lists are missing or old: apt-get update");
        work(&mut apt(prefix, &["update", "--quiet"]), WORK_TIME_MAX)?;
    }
    if !has_candidate() {
        let (major, minor) = RUSTC_VERSION_MIN;
        return Err(format!(
            "the archive has no rustc-web {major}.{minor} or newer: add your release's security archive to apt's sources"
        ));
    }
    say(&format!(
        "debian: installing {list}: a Rust that builds for WebAssembly, about 1.5 GB under /usr, beside rustup's"
    ));
    let options = ["install", "--quiet", "--yes", "--no-install-recommends"];
    work(apt(prefix, &options).args(packages), WORK_TIME_MAX)
}

/// Words in front of `apt-get`: none for root, `sudo -n` where that asks no password.
fn right_to_install() -> Option<&'static [&'static str]> {
    if ask(Command::new("id").arg("-u")).is_some_and(|id| id.trim() == "0") {
        return Some(&[]);
    }
    ask(Command::new("sudo").args(["-n", "true"])).map(|_| &["sudo", "-n"][..])
}

fn apt(prefix: &[&str], arguments: &[&str]) -> Command {
    let words: Vec<&str> = prefix.iter().copied().chain(["apt-get"]).collect();
    let mut command = Command::new(words[0]);
    command.args(&words[1..]).args(arguments).env("DEBIAN_FRONTEND", "noninteractive");
    command
}

/// Whether apt knows a `rustc-web` that is new enough.
fn has_candidate() -> bool {
    let policy = ask(Command::new("apt-cache").args(["policy", "rustc-web"]).env("LC_ALL", "C"));
    policy.as_deref().and_then(candidate).is_some_and(is_new_enough)
}

fn candidate(policy: &str) -> Option<&str> {
    policy.lines().find_map(|line| line.trim().strip_prefix("Candidate: "))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_are_compared_as_numbers() {
        assert!(is_new_enough("1.96.0+dfsg1-1~deb12u2"));
        assert!(is_new_enough("1.100.0"));
        assert!(is_new_enough("2.0.0"));
        assert!(!is_new_enough("1.85.0+dfsg3-1~deb12u3"));
        assert!(!is_new_enough("(none)"));
    }

    #[test]
    fn the_candidate_is_read_from_apts_answer() {
        let policy = "rustc-web:\n  Installed: (none)\n  Candidate: 1.96.0-1\n  Version table:\n";
        assert_eq!(candidate(policy), Some("1.96.0-1"));
        assert_eq!(candidate(""), None);
    }
}
