//! The result: one entry for each field.
//!
//! Owns: the shape of the JSON that a job gets.
//! Never: contains anything that depends on how the input was cut.

use std::collections::BTreeMap;

use serde::Serialize;

use crate::field::Field;
use crate::number::Number;
use crate::stats::Stats;

/// The result of a job.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Report {
    /// All lines, blank and invalid ones included.
    pub lines: u64,
    /// Lines of white space alone.
    pub blank_lines: u64,
    /// Lines that were skipped because they are not JSON objects.
    pub invalid_lines: u64,
    /// The fields, by their dotted path.
    pub fields: BTreeMap<String, FieldReport>,
}

/// What is known about one field.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct FieldReport {
    /// How many lines have it, whatever its value: the sum of the six counts below.
    pub count: u64,
    /// How often it was a number.
    pub numbers: u64,
    /// How often it was a string.
    pub strings: u64,
    /// How often it was `true` or `false`.
    pub booleans: u64,
    /// How often it was `null`.
    pub nulls: u64,
    /// How often it was an array.
    pub arrays: u64,
    /// How often it was an object; what is in it are fields of their own.
    pub objects: u64,
    /// How many different numbers, strings and booleans it had. `1` and `1.0` are one value, `1` and `"1"` are two.
    pub distinct: usize,
    /// The least number.
    pub min: Option<Number>,
    /// The greatest number.
    pub max: Option<Number>,
    /// The mean of its numbers, from their exact sum.
    pub mean: Option<f64>,
}

impl Report {
    /// The report of all lines.
    pub fn new(stats: &Stats) -> Self {
        let fields = stats.fields.iter();
        Self {
            lines: stats.lines,
            blank_lines: stats.blank_lines,
            invalid_lines: stats.invalid_lines,
            fields: fields.map(|(path, field)| (path.clone(), FieldReport::new(field))).collect(),
        }
    }
}

impl FieldReport {
    fn new(field: &Field) -> Self {
        Self {
            count: field.count(),
            numbers: field.numbers,
            strings: field.strings,
            booleans: field.trues + field.falses,
            nulls: field.nulls,
            arrays: field.arrays,
            objects: field.objects,
            distinct: field.distinct(),
            min: field.different_numbers.first().copied(),
            max: field.different_numbers.last().copied(),
            mean: (field.numbers > 0).then(|| field.sum.mean(field.numbers)),
        }
    }
}
