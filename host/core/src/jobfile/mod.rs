//! Job files: from text to a checked [`JobFile`], or to every problem in it.
//!
//! Owns: the keys of a job file, their meaning and their bounds.
//! Never: opens what a file names; the host finds inputs and components.

pub mod bounds;
mod chunking;
mod dependencies;
mod file;
mod grants;
mod input;
mod job;
pub(crate) mod keys;
mod limits;

pub(crate) use chunking::{
    Cutting, Stated, Strategy, boundary, chunking, length_range, overlap, separator, size_range,
    strategies,
};
pub use file::{VERSION, parse};
pub(crate) use grants::{DIRECTORY_NAME, grants, is_directory_name};
pub use grants::{GrantError, is_model_name};
pub(crate) use input::path;
pub(crate) use job::parameters;
pub use limits::check_limits;
pub(crate) use limits::{limits, requirements};
