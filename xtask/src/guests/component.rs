//! From what the linker made to a checked component in `target/handlers`.
//!
//! Owns: the check that a file is a valid component, and the wrapping of a bare core module into one.
//! Never: writes a file whose bytes did not change, so that nothing downstream rebuilds or recompiles.

use std::fmt;
use std::fs;
use std::path::{Path, PathBuf};

use wasmparser::{Encoding, Parser, Payload, Validator};
use wit_component::ComponentEncoder;

use crate::Outcome;

/// A finished component.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Component {
    /// Where it lies.
    pub(crate) path: PathBuf,
    /// Its size in bytes.
    pub(crate) bytes: usize,
}

impl fmt::Display for Component {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = self.path.file_name().unwrap_or_default().to_string_lossy();
        write!(formatter, "{name:<20} {:>9} bytes", self.bytes)
    }
}

/// Turns what the linker made into a component at `path`.
pub(crate) fn finish(artifact: &Path, path: PathBuf) -> Outcome<Component> {
    let made = fs::read(artifact).map_err(|error| {
        format!("cannot read what cargo built, {}: {error}", artifact.display())
    })?;
    let component = if is_component(&made) { made } else { wrap(&made)? };
    let bytes = component.len();
    if fs::read(&path).is_ok_and(|present| present == component) {
        return Ok(Component { path, bytes });
    }
    check(&component).map_err(|reason| format!("{}: {reason}", artifact.display()))?;
    write(&path, &component)
        .map_err(|error| format!("cannot write {}: {error}", path.display()))?;
    Ok(Component { path, bytes })
}

/// Writes beside and renames, so that a test that runs now sees the old file or the new one.
fn write(path: &Path, bytes: &[u8]) -> std::io::Result<()> {
    if let Some(folder) = path.parent() {
        fs::create_dir_all(folder)?;
    }
    let unfinished = path.with_extension(format!("{}.unfinished", std::process::id()));
    fs::write(&unfinished, bytes)?;
    fs::rename(&unfinished, path)
}

fn is_component(bytes: &[u8]) -> bool {
    matches!(
        Parser::new(0).parse_all(bytes).next(),
        Some(Ok(Payload::Version { encoding: Encoding::Component, .. }))
    )
}

/// A core module that carries the description of its world becomes a component without any adapter.
fn wrap(module: &[u8]) -> Outcome<Vec<u8>> {
    ComponentEncoder::default()
        .module(module)
        .and_then(|encoder| encoder.validate(true).encode())
        .map_err(|error| format!("cannot make a component of a core module: {error:#}"))
}

fn check(component: &[u8]) -> Outcome {
    Validator::new().validate_all(component).map_err(|error| format!("not valid: {error}"))?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    const EMPTY_MODULE: &[u8] = b"\0asm\x01\0\0\0";
    const EMPTY_COMPONENT: &[u8] = b"\0asm\x0d\0\x01\0";

    #[test]
    fn a_component_is_told_from_a_module() {
        assert!(is_component(EMPTY_COMPONENT));
        assert!(!is_component(EMPTY_MODULE));
        assert!(!is_component(b"#!/bin/sh"));
    }

    #[test]
    fn an_empty_component_is_valid_and_garbage_is_not() {
        assert_eq!(check(EMPTY_COMPONENT), Ok(()));
        assert!(check(b"garbage").is_err());
    }
}
