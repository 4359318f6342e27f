//! What is known about one field.
//!
//! Owns: the counts by kind, the least and greatest number, the exact sum, and the different values themselves.
//! Never: estimates; exact distinct counts cost memory in proportion to the different values.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::exact_sum::ExactSum;
use crate::number::Number;

/// What is known about one field.
#[derive(Clone, Debug, Default, Deserialize, Serialize)]
pub(crate) struct Field {
    pub(crate) numbers: u64,
    pub(crate) strings: u64,
    pub(crate) trues: u64,
    pub(crate) falses: u64,
    pub(crate) nulls: u64,
    pub(crate) arrays: u64,
    pub(crate) objects: u64,
    pub(crate) sum: ExactSum,
    pub(crate) different_numbers: BTreeSet<Number>,
    pub(crate) different_strings: BTreeSet<Box<str>>,
}

impl Field {
    /// Adds one value.
    pub(crate) fn add(&mut self, value: &Value) {
        match value {
            Value::Null => self.nulls += 1,
            Value::Bool(true) => self.trues += 1,
            Value::Bool(false) => self.falses += 1,
            Value::Number(number) => self.add_number(number),
            Value::String(string) => self.add_string(string),
            Value::Array(_) => self.arrays += 1,
            Value::Object(_) => self.objects += 1,
        }
    }

    /// Adds what another part of the input knows.
    pub(crate) fn merge(&mut self, other: Self) {
        self.numbers += other.numbers;
        self.strings += other.strings;
        self.trues += other.trues;
        self.falses += other.falses;
        self.nulls += other.nulls;
        self.arrays += other.arrays;
        self.objects += other.objects;
        self.sum.merge(&other.sum);
        self.different_numbers.extend(other.different_numbers);
        self.different_strings.extend(other.different_strings);
    }

    /// How many values there were, of all kinds.
    pub(crate) fn count(&self) -> u64 {
        let scalars = self.numbers + self.strings + self.trues + self.falses + self.nulls;
        scalars + self.arrays + self.objects
    }

    /// How many different numbers, strings and booleans there were.
    pub(crate) fn distinct(&self) -> usize {
        let booleans = usize::from(self.trues > 0) + usize::from(self.falses > 0);
        self.different_numbers.len() + self.different_strings.len() + booleans
    }

    fn add_number(&mut self, number: &serde_json::Number) {
        // Always one of the three: serde_json is built without arbitrary precision.
        if let Some(number) = Number::from_json(number) {
            self.numbers += 1;
            self.sum.add(number);
            self.different_numbers.insert(number);
        }
    }

    fn add_string(&mut self, string: &str) {
        self.strings += 1;
        if !self.different_strings.contains(string) {
            self.different_strings.insert(string.into());
        }
    }
}
