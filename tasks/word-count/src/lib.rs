//! Counts words, exactly, over any number of chunks.
//!
//! Owns: the task type `word-count`: its parameters, and the road from chunk to result.
//! Never: estimates, samples or cuts a word short.
//!
//! A word is a maximal run of alphanumeric characters (Unicode's `Alphabetic` and `Numeric`), in which single
//! apostrophes (`'` or `’`) between two such characters belong to it. Words are lower-cased character by character,
//! and `’` becomes `'`. Everything else separates words, bytes that are not valid UTF-8 among it.
//!
//! A native program can count with the same code: see [`Counter`].

mod counter;
mod partial;
mod report;
mod runs;
mod short_table;
mod splitter;
mod table;

pub use counter::{Counter, Counts};
pub use report::Report;

use pframe_guest::{Chunk, Collector, Failure, Handler, Output, Partials, progress};
use serde::Deserialize;

/// The task type `word-count`.
pub struct WordCount;

/// What a job may set.
#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Parameters {
    /// How many of the most frequent words the result lists; 0 lists all.
    pub top: usize,
}

impl Default for Parameters {
    fn default() -> Self {
        Self { top: 10 }
    }
}

impl Handler for WordCount {
    type Parameters = Parameters;

    /// Writes the counts of all words of the chunk: the top of a chunk says nothing about the top of the whole.
    fn run(chunk: &Chunk, _: Parameters, output: &mut Output) -> Result<(), Failure> {
        let mut counter = Counter::new();
        let mut blocks = chunk.blocks();
        while let Some(block) = blocks.next().transpose()? {
            counter.feed(&block);
            progress(share(blocks.offset(), chunk.size()), None);
        }
        partial::write(counter.finish(), output)
    }
}

impl Collector for WordCount {
    type Parameters = Parameters;

    fn combine(parts: &Partials, _: Parameters, output: &mut Output) -> Result<(), Failure> {
        partial::write(merged(parts)?, output)
    }

    fn finish(
        parts: &Partials,
        parameters: Parameters,
        output: &mut Output,
    ) -> Result<(), Failure> {
        Report::new(merged(parts)?, parameters.top).write(output)
    }
}

fn merged(parts: &Partials) -> Result<Counts, Failure> {
    let mut counts = Counts::default();
    for part in parts.iter() {
        partial::read(&part, &mut counts)?;
    }
    Ok(counts)
}

#[expect(clippy::cast_precision_loss, reason = "a progress bar needs no more than a few digits")]
fn share(done: u64, size: u64) -> f32 {
    done as f32 / size as f32
}

pframe_guest::export!(WordCount with collector);
