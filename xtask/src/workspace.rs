//! Where the workspace is and what is in it.
//!
//! Owns: paths inside the checkout, and the packages that say in their manifest that they are guests.
//! Never: knows a package by name.

use std::path::{Path, PathBuf};
use std::process::Command;

use serde::Deserialize;

use crate::Outcome;
use crate::process::ask;

/// The root of the checkout.
pub(crate) fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap_or(Path::new("."))
}

/// Cargo as it runs this command.
pub(crate) fn cargo() -> PathBuf {
    std::env::var_os("CARGO").map_or_else(|| "cargo".into(), PathBuf::from)
}

/// What a guest is built as: `[package.metadata.guest] kind = "…"` in its manifest.
#[derive(Clone, Copy, Debug, Deserialize, PartialEq, Eq)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Kind {
    /// A `cdylib` that exports `pframe:task/handler`.
    Handler,
    /// The same without any WASI import: built for `wasm32-unknown-unknown` and wrapped here.
    HandlerWithoutWasi,
    /// A program with a `main`, which exports `wasi:cli/run`.
    Command,
}

/// A package that becomes a component.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Guest {
    /// The name of its package: `word-count`.
    pub(crate) package: String,
    /// What it is built as.
    pub(crate) kind: Kind,
}

impl Guest {
    /// The name of its component's file: `word_count.wasm` for a library, as Cargo names it.
    pub(crate) fn file_name(&self) -> String {
        format!("{}.wasm", self.package.replace('-', "_"))
    }

    /// The name that Cargo gives to what it builds: only a library gets underscores.
    pub(crate) fn artifact_name(&self) -> String {
        match self.kind {
            Kind::Handler | Kind::HandlerWithoutWasi => self.file_name(),
            Kind::Command => format!("{}.wasm", self.package),
        }
    }
}

#[derive(Deserialize)]
struct Workspace {
    packages: Vec<Package>,
}

#[derive(Deserialize)]
struct Package {
    name: String,
    manifest_path: PathBuf,
    metadata: Option<PackageMetadata>,
}

#[derive(Deserialize)]
struct PackageMetadata {
    guest: Option<GuestMetadata>,
}

#[derive(Deserialize)]
struct GuestMetadata {
    kind: Kind,
}

/// All guests of the workspace, by name.
pub(crate) fn guests() -> Outcome<Vec<Guest>> {
    guests_in(&metadata()?)
}

/// The folder of a package's sources.
pub(crate) fn source_folder(package: &str) -> Outcome<PathBuf> {
    let workspace = parse(&metadata()?)?;
    let found = workspace.packages.into_iter().find(|candidate| candidate.name == package);
    let found = found.ok_or_else(|| format!("there is no package `{package}`"))?;
    Ok(found.manifest_path.with_file_name("src"))
}

fn metadata() -> Outcome<String> {
    let mut metadata = Command::new(cargo());
    metadata.args(["metadata", "--no-deps", "--format-version=1"]).current_dir(root());
    ask(&mut metadata).ok_or_else(|| "`cargo metadata` failed: try it yourself to see why".into())
}

fn parse(metadata: &str) -> Outcome<Workspace> {
    serde_json::from_str(metadata)
        .map_err(|error| format!("`cargo metadata` says something unexpected: {error}"))
}

fn guests_in(metadata: &str) -> Outcome<Vec<Guest>> {
    let mut guests: Vec<_> = parse(metadata)?.packages.into_iter().filter_map(guest).collect();
    guests.sort_by(|left, right| left.package.cmp(&right.package));
    Ok(guests)
}

fn guest(package: Package) -> Option<Guest> {
    let kind = package.metadata?.guest?.kind;
    Some(Guest { package: package.name, kind })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_guest_is_a_package_that_says_so() {
        let metadata = r#"{"packages": [
            {"name": "xtask", "manifest_path": "/a", "metadata": null},
            {"name": "word-count", "manifest_path": "/b", "metadata": {"guest": {"kind": "handler"}}},
            {"name": "tiny", "manifest_path": "/c", "metadata": {"guest": {"kind": "handler-without-wasi"}}},
            {"name": "docs", "manifest_path": "/d", "metadata": {"docs.rs": {}}}
        ]}"#;
        let guests = guests_in(metadata).expect("this is how cargo answers");
        let names: Vec<_> = guests.iter().map(Guest::file_name).collect();
        assert_eq!(names, ["tiny.wasm", "word_count.wasm"]);
    }

    #[test]
    fn an_unknown_kind_is_an_error() {
        let metadata = r#"{"packages": [
            {"name": "x", "manifest_path": "/x", "metadata": {"guest": {"kind": "y"}}}
        ]}"#;
        assert!(guests_in(metadata).is_err_and(|message| message.contains("unknown variant `y`")));
    }
}
