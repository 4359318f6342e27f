//! What is known about all lines so far.
//!
//! Owns: how a line becomes fields, and how two halves of an input become one.
//! Never: changes anything when a line is refused.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::field::Field;

/// What is known about all lines so far; also what a chunk writes.
#[derive(Clone, Debug, Default, Deserialize, Serialize)]
pub struct Stats {
    pub(crate) lines: u64,
    pub(crate) blank_lines: u64,
    pub(crate) invalid_lines: u64,
    pub(crate) fields: BTreeMap<String, Field>,
}

impl Stats {
    /// Adds one line; an error says why it is not a JSON object.
    pub fn add_line(&mut self, line: &[u8]) -> Result<(), String> {
        if line.trim_ascii().is_empty() {
            self.lines += 1;
            self.blank_lines += 1;
            return Ok(());
        }
        match serde_json::from_slice(line) {
            Ok(Value::Object(object)) => {
                self.lines += 1;
                self.add_object("", &object);
                Ok(())
            }
            Ok(other) => Err(format!("expected an object, found {}", kind(&other))),
            Err(error) => Err(error.to_string()),
        }
    }

    /// Counts a line that was refused.
    pub fn skip_line(&mut self) {
        self.lines += 1;
        self.invalid_lines += 1;
    }

    /// Adds what another part of the input knows.
    pub fn merge(&mut self, other: Self) {
        self.lines += other.lines;
        self.blank_lines += other.blank_lines;
        self.invalid_lines += other.invalid_lines;
        for (path, field) in other.fields {
            self.fields.entry(path).or_default().merge(field);
        }
    }

    /// As deep as `serde_json` parses: 128 levels.
    fn add_object(&mut self, prefix: &str, object: &Map<String, Value>) {
        for (key, value) in object {
            let path = format!("{prefix}{}", key.replace('.', "\\."));
            if let Value::Object(inner) = value {
                self.add_object(&format!("{path}."), inner);
            }
            self.field(path).add(value);
        }
    }

    fn field(&mut self, path: String) -> &mut Field {
        self.fields.entry(path).or_default()
    }
}

fn kind(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "a boolean",
        Value::Number(_) => "a number",
        Value::String(_) => "a string",
        Value::Array(_) => "an array",
        Value::Object(_) => "an object",
    }
}
