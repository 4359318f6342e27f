//! Finds a compiler for WebAssembly.
//!
//! Owns: the order in which toolchains are tried, and what a build needs to know about the one that was found.
//! Never: installs anything; the two toolchains do, and say so first.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::str::FromStr;

use super::{debian, rustup};
use crate::workspace::{Kind, root};
use crate::{Outcome, talk::say};

/// Which toolchain to use.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Choice {
    /// The first that works: rustup's, else Debian's.
    #[default]
    Auto,
    /// The toolchain that runs this command, with targets from rustup.
    Rustup,
    /// Debian's packages, which build the standard library from source.
    Debian,
}

impl FromStr for Choice {
    type Err = String;

    fn from_str(text: &str) -> Outcome<Self> {
        match text {
            "auto" => Ok(Self::Auto),
            "rustup" => Ok(Self::Rustup),
            "debian" => Ok(Self::Debian),
            _ => Err(format!("toolchain `{text}` is unknown: auto, rustup or debian")),
        }
    }
}

/// How one kind of guest is compiled.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Recipe {
    /// The target, which is also a folder below the target folder.
    pub(crate) target: &'static str,
    /// Arguments for `cargo build` besides the usual ones.
    pub(crate) arguments: Vec<&'static str>,
    /// Flags for rustc, joined by spaces.
    pub(crate) rustflags: String,
    /// Flags for the guest's own crate alone; in `rustflags` they would rebuild all that it depends on.
    pub(crate) own_flags: Vec<&'static str>,
}

/// A toolchain that can build guests.
#[derive(Clone, Debug)]
pub(crate) struct Toolchain {
    /// Its name, which is also the name of its folder in `target/guests`: the two do not share what they built.
    pub(crate) name: &'static str,
    cargo: PathBuf,
    environment: Vec<(&'static str, String)>,
    recipe: fn(Kind) -> Recipe,
}

impl Toolchain {
    /// A toolchain with its cargo, the environment it needs, and its recipe for each kind of guest.
    pub(crate) fn new(
        name: &'static str,
        cargo: impl Into<PathBuf>,
        environment: Vec<(&'static str, String)>,
        recipe: fn(Kind) -> Recipe,
    ) -> Self {
        Self { name, cargo: cargo.into(), environment, recipe }
    }

    /// The recipe for one kind of guest.
    pub(crate) fn recipe(&self, kind: Kind) -> Recipe {
        (self.recipe)(kind)
    }

    /// Where it builds.
    pub(crate) fn folder(&self) -> PathBuf {
        root().join("target/guests").join(self.name)
    }

    /// Builds a project outside of this workspace as its README says, with this toolchain's flags.
    pub(crate) fn project_command(&self, project: &Path, kind: Kind) -> Command {
        let recipe = self.recipe(kind);
        let mut command = Command::new(&self.cargo);
        command.current_dir(project).args(["rustc", "--release"]);
        command.arg(format!("--target={}", recipe.target)).args(&recipe.arguments);
        self.finish(command, &recipe, &self.folder().join("projects"))
    }

    /// Builds one package.
    pub(crate) fn build_command(&self, recipe: &Recipe, package: &str) -> Command {
        let mut command = Command::new(&self.cargo);
        command.current_dir(root()).args(["rustc", "--profile=guest", "--package", package]);
        command.arg(format!("--target={}", recipe.target)).args(&recipe.arguments);
        self.finish(command, recipe, &self.folder())
    }

    /// Flags meant for the host's own build do not leak into that of a guest.
    fn finish(&self, mut command: Command, recipe: &Recipe, folder: &Path) -> Command {
        command.arg("--target-dir").arg(folder);
        command.arg("--").args(&recipe.own_flags);
        for leaked in ["CARGO_ENCODED_RUSTFLAGS", "LLVM_PROFILE_FILE", "RUSTC_WRAPPER"] {
            command.env_remove(leaked);
        }
        command.env("RUSTFLAGS", &recipe.rustflags);
        command.envs(self.environment.iter().map(|(name, value)| (name, value)));
        command
    }
}

/// Finds a toolchain, installing what is missing.
pub(crate) fn find(choice: Choice) -> Outcome<Toolchain> {
    match choice {
        Choice::Rustup => rustup::find(),
        Choice::Debian => debian::find(),
        Choice::Auto => rustup::find().or_else(|without_rustup| {
            say(&format!("{without_rustup}; trying Debian's packages"));
            debian::find().map_err(|without_debian| {
                format!("no toolchain for WebAssembly\n  rustup: {without_rustup}\n  debian: {without_debian}")
            })
        }),
    }
}
