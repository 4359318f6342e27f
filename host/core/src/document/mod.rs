//! Text that people write, as one tree in which every node and every key knows its place.
//!
//! Owns: reading YAML and JSON within limits, the list of [`Problems`], and the checker that walks a tree.
//! Never: knows what a job or a configuration consists of.
//!
//! The parser is `granit-parser`, the event parser behind serde-saphyr: YAML 1.2 is a superset of JSON
//! and its events carry lines and columns, so that one parser serves both forms. serde would stop at
//! the first problem and lose places where it buffers.

mod builder;
mod checker;
mod problems;
mod quantities;
mod scalar;
mod suggest;
mod syntax;
mod text;
mod tree;
mod version;

pub(crate) use checker::{Checker, Fields, Section};
pub use problems::{PROBLEMS_MAX, Problem, Problems, Spot};
pub(crate) use suggest::{closest, shown};
pub use tree::{Entry, Node, Place, Value};

pub use builder::{DEPTH_MAX, NODES_MAX};
pub use text::TEXT_BYTES_MAX;

/// Reads one document; everything that is wrong with it lands in `problems`.
///
/// The tree is there even where single nodes were refused (they are [`Value::Refused`]), so that the
/// checks which follow find the rest of the problems. A syntax error leaves no tree.
pub fn read(bytes: &[u8], problems: &mut Problems) -> Option<Node> {
    let text = text::decode(bytes, problems)?;
    builder::build(text, NODES_MAX, problems)
}

#[cfg(test)]
mod tests;
