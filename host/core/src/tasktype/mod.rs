//! Task types that describe themselves: what stands in their description, and how jobs name them.
//!
//! Owns: the format of `task.yaml`, the schema of parameters, and names with versions.
//! Never: opens the component that a description names.

mod file;
pub(crate) mod keys;
mod parameters;
mod places;
mod reference;
mod schema;

pub use file::{DESCRIPTION_BYTES_MAX, TaskType, parse};
pub use parameters::{Step, Violation};
pub use places::Places;
pub use reference::{Reference, ReferenceError, Wanted};
pub use schema::{ALTERNATIVES_MAX, ParameterSchema};

#[cfg(test)]
mod tests;
