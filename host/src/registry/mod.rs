//! Components: known by their digest, compiled once, kept compiled on disk.
//!
//! Owns: from a file that somebody named to a task that is ready to run.
//! Never: accepts compiled code from outside, or loads a cached artefact whose seal does not match.

mod admission;
mod artefacts;
mod catalog;
mod compile;
mod features;
mod folder;
mod oci;
mod store;
mod task_store;
mod turnstile;

pub(crate) use admission::admit;
#[cfg(feature = "fuzzing")]
pub(crate) use artefacts::ArtefactCache;
pub(crate) use artefacts::compatibility;
pub(crate) use catalog::{Catalog, Entry, Listed};
pub(crate) use compile::serve_compile;
pub(crate) use features::switched_off;
pub(crate) use oci::pull;
pub(crate) use store::{Registry, RegistrySettings, copy_path, load_artefact_file};
pub(crate) use task_store::{Addition, Kept, TaskStore};
