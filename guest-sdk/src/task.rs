//! The three traits of a task.
//!
//! Owns: what a task type implements; `export!` then makes a component of it.
//! Never: asks for state: every call runs in a fresh instance, so the functions take no `self`.

use serde::de::DeserializeOwned;

use crate::bindings::Span;
use crate::chunk::{Chunk, Source};
use crate::failure::Failure;
use crate::output::Output;
use crate::partials::Partials;

/// The work on one chunk: what every task has.
pub trait Handler {
    /// The job's `parameters`; [`NoParameters`](crate::NoParameters) if there are none.
    type Parameters: DeserializeOwned;

    /// Works on one chunk and writes what came out.
    fn run(chunk: &Chunk, parameters: Self::Parameters, output: &mut Output)
    -> Result<(), Failure>;
}

/// Custom cuts, for jobs with `chunking: { strategy: custom }`.
pub trait Chunker {
    /// The job's `parameters`.
    type Parameters: DeserializeOwned;

    /// Cuts one source into spans of bytes: in order, not overlapping, none empty.
    fn cut(source: &Source, parameters: Self::Parameters) -> Result<Vec<Span>, Failure>;
}

/// From many results to one.
pub trait Collector {
    /// The job's `parameters`.
    type Parameters: DeserializeOwned;

    /// Turns several parts into one of the same kind. Must be associative: the host calls it in a tree.
    fn combine(
        parts: &Partials,
        parameters: Self::Parameters,
        output: &mut Output,
    ) -> Result<(), Failure>;

    /// Turns the parts that are left into the result of the job; called once.
    fn finish(
        parts: &Partials,
        parameters: Self::Parameters,
        output: &mut Output,
    ) -> Result<(), Failure>;
}
