//! How a job names a task type that it does not bring along: `name`, `name@1.2.0`, `name@^1.2`, `sha256:…`.
//!
//! Owns: what the part behind `@` means.
//! Never: looks which task types there are.

use std::fmt;

use semver::{Version, VersionReq};

use crate::ids::{Digest, TaskName};

/// What is asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Reference {
    /// One component, whatever it is called.
    Digest(Digest),
    /// A name, and which of its versions.
    Named {
        /// Without its version.
        name: TaskName,
        /// Which of its versions.
        wanted: Wanted,
    },
}

/// Which of several versions.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Wanted {
    /// The highest there is.
    Highest,
    /// This one: all three numbers were written.
    Exactly(Version),
    /// The highest that fits, such as `1`, `^1.2` or `~1.2.3`.
    Matching(VersionReq),
}

/// Why a name with `@` or `sha256:` refers to nothing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReferenceError(String);

impl fmt::Display for ReferenceError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for ReferenceError {}

impl Reference {
    /// Reads a name as a reference.
    pub fn of(name: &TaskName) -> Result<Self, ReferenceError> {
        let text = name.as_str();
        if text.starts_with("sha256:") {
            let error = |error| ReferenceError(format!("{error}"));
            return text.parse().map(Self::Digest).map_err(error);
        }
        let Some((bare, version)) = text.split_once('@') else {
            return Ok(Self::Named { name: name.clone(), wanted: Wanted::Highest });
        };
        let wanted = wanted(version).ok_or_else(|| {
            ReferenceError(format!(
                "`{version}` is no version; write `1.2.3`, or `1`, `^1.2` or `~1.2` for the highest that fits"
            ))
        })?;
        let name = TaskName::new(bare).map_err(|error| ReferenceError(error.to_string()))?;
        Ok(Self::Named { name, wanted })
    }
}

/// Build metadata does not order versions, so that no version with it could be told from another.
fn wanted(text: &str) -> Option<Wanted> {
    match Version::parse(text) {
        Ok(version) if version.build.is_empty() => Some(Wanted::Exactly(version)),
        Ok(_) => None,
        Err(_) => VersionReq::parse(text).ok().map(Wanted::Matching),
    }
}

impl Wanted {
    /// True where this version is among those wanted; one without a version is only the highest of its name.
    pub fn takes(&self, version: Option<&Version>) -> bool {
        match (self, version) {
            (Self::Highest, _) => true,
            (Self::Exactly(wanted), Some(version)) => wanted == version,
            (Self::Matching(wanted), Some(version)) => wanted.matches(version),
            (Self::Exactly(_) | Self::Matching(_), None) => false,
        }
    }
}

impl fmt::Display for Wanted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Highest => f.write_str("any version"),
            Self::Exactly(version) => write!(f, "version {version}"),
            Self::Matching(requirement) => write!(f, "a version {requirement}"),
        }
    }
}
