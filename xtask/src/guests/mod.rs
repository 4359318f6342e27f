//! `cargo xtask guests`: builds every handler and test guest into `target/handlers`.
//!
//! Owns: the command line of this step, and [`build`], which other commands call.
//! Never: rebuilds what has not changed.
//!
//! The road: `workspace` says which packages are guests, `toolchain` finds a compiler for them (`rustup` first, else
//! `debian`), `build` runs it, `foreign` finds the guests in other languages, `component` turns what was made into checked
//! components.

mod build;
mod c;
mod component;
mod debian;
mod foreign;
mod javascript;
mod python;
mod rustup;
mod toolchain;

pub(crate) use build::{build, build_project};
pub(crate) use javascript::ensure_node;
pub(crate) use toolchain::Choice;

use std::path::PathBuf;

use crate::Outcome;
use crate::talk::show;

/// What follows `cargo xtask guests`.
pub(crate) const USAGE: &str = "[--only NAME]… [--project FOLDER] [--toolchain auto|rustup|debian]";

/// What to build, and with what.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Request {
    /// The packages to build; all guests if empty.
    pub(crate) only: Vec<String>,
    /// A project in Rust outside of this checkout, in place of the guests.
    pub(crate) project: Option<PathBuf>,
    /// Which toolchain to use.
    pub(crate) toolchain: Choice,
}

impl Request {
    fn parse(arguments: &[String]) -> Outcome<Self> {
        let mut request = Self::default();
        let mut arguments = arguments.iter();
        while let Some(argument) = arguments.next() {
            let value = || format!("`{argument}` needs a value: cargo xtask guests {USAGE}");
            match argument.as_str() {
                "--only" => request.only.push(name(arguments.next().ok_or_else(value)?)),
                "--project" => {
                    request.project = Some(arguments.next().ok_or_else(value)?.into());
                }
                "--toolchain" => {
                    request.toolchain = arguments.next().ok_or_else(value)?.parse()?;
                }
                _ => return Err(format!("`{argument}` is unknown: cargo xtask guests {USAGE}")),
            }
        }
        Ok(request)
    }
}

/// A package name from what people type: `word_count` and `word_count.wasm` mean `word-count`.
fn name(text: &str) -> String {
    text.trim_end_matches(".wasm").replace('_', "-")
}

/// Runs the command and lists the components on stdout.
pub(crate) fn main(arguments: &[String]) -> Outcome {
    let request = Request::parse(arguments)?;
    let components = match &request.project {
        Some(folder) => vec![build_project(folder, request.toolchain)?],
        None => build(&request)?,
    };
    for component in components {
        show(&component.to_string());
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(line: &str) -> Outcome<Request> {
        Request::parse(&line.split_whitespace().map(String::from).collect::<Vec<_>>())
    }

    #[test]
    fn nothing_asked_is_everything() {
        assert_eq!(parse(""), Ok(Request::default()));
    }

    #[test]
    fn names_may_be_written_as_files() {
        let request = parse("--only word_count.wasm --only evil --toolchain debian");
        let only = vec!["word-count".into(), "evil".into()];
        let expect = Request { only, toolchain: Choice::Debian, ..Request::default() };
        assert_eq!(request, Ok(expect));
    }

    #[test]
    fn a_mistyped_option_is_refused() {
        assert!(parse("--onyl evil").is_err());
        assert!(parse("--only").is_err());
        assert!(parse("--toolchain gcc").is_err());
    }
}
