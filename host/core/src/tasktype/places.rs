//! Where parameters stand in a job file that was read before.
//!
//! Owns: the way from a job and a step within its parameters back to a line and a column.
//! Never: checks anything.

use super::parameters::Step;
use crate::document::{self, Node, Place, Problems, Value};
use crate::fault::Code;

/// The tree of a job file, to find places in.
#[derive(Debug)]
pub struct Places(Option<Node>);

impl Places {
    /// Reads the tree once more. A file that cannot be read has no places.
    pub fn of(bytes: &[u8]) -> Self {
        Self(document::read(bytes, &mut Problems::new("", Code::JobFile)))
    }

    /// The place of what a path within the parameters of the `job`th job leads to, or of the last thing on the way.
    pub fn of_parameter(&self, job: usize, path: &[Step]) -> Option<Place> {
        let job = inner(key(self.0.as_ref()?, "jobs")?, &Step::Index(job))?;
        let Some(mut node) = key(job, "parameters") else { return Some(job.place) };
        for step in path {
            match inner(node, step) {
                Some(next) => node = next,
                None => break,
            }
        }
        Some(node.place)
    }
}

fn key<'n>(node: &'n Node, key: &str) -> Option<&'n Node> {
    match &node.value {
        Value::Map(entries) => entries.iter().find(|it| it.key == key).map(|it| &it.value),
        Value::Null
        | Value::Bool(_)
        | Value::Number(_)
        | Value::Text(_)
        | Value::List(_)
        | Value::Refused => None,
    }
}

fn inner<'n>(node: &'n Node, step: &Step) -> Option<&'n Node> {
    match (step, &node.value) {
        (Step::Key(name), _) => key(node, name),
        (Step::Index(index), Value::List(items)) => items.get(*index),
        (Step::Index(_), _) => None,
    }
}
