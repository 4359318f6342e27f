//! Keys and places of S3, as the AWS tools write them down: `[default]`, `[profile work]`.
//!
//! Owns: the written form, and what a profile comes to beside the environment's variables, which win.
//! Never: reads a file, runs what would know keys, takes on a role, or repeats a value in an error.

mod chosen;
mod file;
#[cfg(test)]
mod tests;

pub use self::chosen::with_profile;
pub use self::file::{ProfileError, ProfileFile, ProfileKind};

/// The profile where nobody names one.
const DEFAULT: &str = "default";
