//! The result: the most frequent words.
//!
//! Owns: the order (most frequent first, equal ones by their bytes) and the JSON.
//! Never: depends on how the text was cut.

use std::cmp::Reverse;
use std::io::Write;

use pframe_guest::{Failure, Output};
use serde::Serialize;

use crate::counter::Counts;

/// One word and how often it was seen.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Entry {
    /// The word, in lower case.
    pub word: String,
    /// How often it was seen.
    pub count: u64,
}

/// The result of a job.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Report {
    /// How many words the text has.
    pub total_words: u64,
    /// How many of them are different.
    pub distinct_words: usize,
    /// The most frequent ones.
    pub top: Vec<Entry>,
}

impl Report {
    /// The `top` most frequent words; all of them if that is 0.
    pub fn new(counts: Counts, top: usize) -> Self {
        let mut words = counts.into_sorted();
        let total_words = words.iter().map(|(_, count)| count).sum();
        let distinct_words = words.len();
        // Stable, so equal counts stay in the order of their bytes.
        words.sort_by_key(|(_, count)| Reverse(*count));
        words.truncate(if top == 0 { usize::MAX } else { top });
        let entry = |(word, count): (Box<[u8]>, u64)| Entry {
            word: String::from_utf8_lossy(&word).into_owned(),
            count,
        };
        Self { total_words, distinct_words, top: words.into_iter().map(entry).collect() }
    }

    /// Writes the result as one line of JSON.
    pub fn write(&self, output: &mut Output) -> Result<(), Failure> {
        serde_json::to_writer(&mut *output, self)?;
        Ok(output.write_all(b"\n")?)
    }
}
