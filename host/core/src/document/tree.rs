//! The tree: nodes, keys and their places.
//!
//! Owns: [`Node`] and its conversion to JSON.
//! Never: resolves what a scalar means; `scalar` does.

use std::fmt;

use serde_json::{Map, Number, Value as Json};

use super::scalar;

/// Where something stands in a file; both count from 1, columns in characters.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Place {
    /// The line.
    pub line: u32,
    /// The column.
    pub column: u32,
}

impl Place {
    /// The first character.
    pub const START: Self = Self { line: 1, column: 1 };
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.line, self.column)
    }
}

/// A value and where it stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Node {
    /// Of its first character.
    pub place: Place,
    /// What it is.
    pub value: Value,
}

/// What a node is, by the core schema of YAML 1.2.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Value {
    /// Nothing, `null` or `~`.
    Null,
    /// `true` or `false`; `yes` and `no` are text.
    Bool(bool),
    /// A number as it was written, so that an id such as `007` keeps its zeros.
    Number(Box<str>),
    /// Any other scalar, and everything in quotes.
    Text(String),
    /// A sequence.
    List(Vec<Node>),
    /// A mapping in the order of the file; its keys are unique.
    Map(Vec<Entry>),
    /// Something that was refused and reported already, such as an alias.
    Refused,
}

/// A key with its value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// As it was written.
    pub key: String,
    /// Of the key.
    pub place: Place,
    /// What belongs to it.
    pub value: Node,
}

impl Node {
    /// The node that `text` stands for when it is written without quotes, such as the value of an environment variable.
    pub fn plain(text: &str) -> Self {
        Self { place: Place::START, value: scalar::plain(text) }
    }

    /// What kind of value this is, for messages: `a number`, `text`, `a list`.
    pub fn kind(&self) -> &'static str {
        match &self.value {
            Value::Null => "nothing",
            Value::Bool(_) => "a boolean",
            Value::Number(_) => "a number",
            Value::Text(_) => "text",
            Value::List(_) => "a list",
            Value::Map(_) => "a mapping",
            Value::Refused => "something refused",
        }
    }

    /// The same value as JSON; the error names the node that has no JSON form, such as `.nan`.
    pub fn to_json(&self) -> Result<Json, &Self> {
        Ok(match &self.value {
            Value::Null | Value::Refused => Json::Null,
            Value::Bool(value) => Json::Bool(*value),
            Value::Number(text) => Json::Number(scalar::json_number(text).ok_or(self)?),
            Value::Text(text) => Json::String(text.clone()),
            Value::List(items) => {
                Json::Array(items.iter().map(Self::to_json).collect::<Result<_, _>>()?)
            }
            Value::Map(entries) => Json::Object(entries_to_json(entries)?),
        })
    }

    /// The number as a whole number, where it is one.
    pub fn as_whole(&self) -> Option<i64> {
        match &self.value {
            Value::Number(text) => scalar::json_number(text).as_ref().and_then(Number::as_i64),
            Value::Null
            | Value::Bool(_)
            | Value::Text(_)
            | Value::List(_)
            | Value::Map(_)
            | Value::Refused => None,
        }
    }

    /// What was written, where the node is one word or number.
    pub fn as_written(&self) -> Option<&str> {
        match &self.value {
            Value::Number(text) => Some(text),
            Value::Text(text) => Some(text),
            Value::Bool(true) => Some("true"),
            Value::Bool(false) => Some("false"),
            Value::Null | Value::List(_) | Value::Map(_) | Value::Refused => None,
        }
    }
}

fn entries_to_json(entries: &[Entry]) -> Result<Map<String, Json>, &Node> {
    entries.iter().map(|entry| Ok((entry.key.clone(), entry.value.to_json()?))).collect()
}
