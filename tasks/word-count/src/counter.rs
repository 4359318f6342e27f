//! Counts words in blocks of bytes.
//!
//! Owns: the fast road, for runs of ASCII letters and digits, and the turn-off to the splitter for all others.
//! Never: copies or allocates on the fast road.

use crate::runs::{GROUP_BYTES, classify, has_odd, is_in_run};
use crate::splitter::Splitter;
use crate::table::{SHORT_BYTES_MAX, Short, Table, Word};

/// The bit that tells a lower-case ASCII letter from its upper-case one. Digits have it too, so setting it in every
/// byte of a plain run lower-cases the run.
const LOWER_CASE: u64 = 0x2020_2020_2020_2020;

/// Bytes that are looked at together: a group, and room for a whole word that starts at the group's last byte.
const WINDOW_BYTES: usize = GROUP_BYTES + SHORT_BYTES_MAX;

/// All words of a text and how often each was seen.
#[derive(Clone, Debug, Default)]
pub struct Counts {
    table: Table,
}

impl Counts {
    /// How many different words there are.
    pub fn distinct(&self) -> usize {
        self.table.len()
    }

    /// Adds to the count of a word.
    pub(crate) fn add(&mut self, word: &[u8], count: u64) {
        self.table.add(word, count);
    }

    /// All words with their counts, in the order of their bytes.
    pub fn into_sorted(self) -> Vec<(Box<[u8]>, u64)> {
        let mut words = Vec::with_capacity(self.distinct());
        self.each_sorted(|word, count| words.push((word.bytes().into(), count)));
        words
    }

    /// Shows all words with their counts, in the order of their bytes.
    pub(crate) fn each_sorted(self, show: impl FnMut(Word<'_>, u64)) {
        self.table.each_sorted(show);
    }
}

/// Counts the words of a text that comes in blocks, which may end anywhere, within a word or a character.
///
/// ```
/// let mut counter = word_count::Counter::new();
/// counter.feed(b"To be, or not t");
/// counter.feed(b"o be");
/// let counts = counter.finish().into_sorted();
/// assert_eq!(counts[0], (b"be"[..].into(), 2));
/// ```
#[derive(Clone, Debug, Default)]
pub struct Counter {
    table: Table,
    splitter: Splitter,
    /// The last block ended within a run, which the splitter holds.
    is_open: bool,
}

impl Counter {
    /// A counter that has seen nothing.
    pub fn new() -> Self {
        Self::default()
    }

    /// Takes the next block.
    pub fn feed(&mut self, block: &[u8]) {
        let mut rest = self.close(block);
        while let Some(window) = rest.first_chunk() {
            rest = match self.window(window) {
                0 => self.one_run(rest),
                done => &rest[done..],
            };
        }
        while !rest.is_empty() {
            rest = self.one_run(rest);
        }
    }

    /// Ends the text.
    pub fn finish(mut self) -> Counts {
        self.splitter.end(&mut self.table);
        Counts { table: self.table }
    }

    /// Ends the run that the last block left open; returns what comes after it.
    fn close<'a>(&mut self, block: &'a [u8]) -> &'a [u8] {
        if self.is_open { self.one_run(block) } else { block }
    }

    /// Counts all runs of a group that end in it; returns how many bytes are done with. The next group starts where
    /// the last run does that has no end in this one, so it never has to be put together again. That may be at 0.
    #[inline]
    fn window(&mut self, window: &[u8; WINDOW_BYTES]) -> usize {
        let Some(group) = window.first_chunk() else { return 0 };
        let classes = classify(group);
        let mut runs = classes.runs;
        while runs != 0 {
            let start = runs.trailing_zeros() as usize;
            let length = (runs >> start).trailing_ones() as usize;
            if start + length == GROUP_BYTES {
                return start;
            }
            // Adding to the lowest bit of a run carries through all of it.
            runs &= runs + (1 << start);
            match window[start..].first_chunk() {
                Some(bytes) if length <= SHORT_BYTES_MAX => {
                    self.short_run(bytes, length, classes.is_odd);
                }
                _ => self.split(&window[start..start + length]),
            }
        }
        GROUP_BYTES
    }

    /// Counts a run of at most 16 bytes.
    #[inline]
    fn short_run(&mut self, bytes: &[u8; SHORT_BYTES_MAX], length: usize, may_be_odd: bool) {
        let word = lower_case(bytes, length);
        if may_be_odd && (has_odd(word.0) || has_odd(word.1)) {
            self.split(&bytes[..length]);
        } else {
            self.table.add_short(word, 1);
        }
    }

    /// Counts the words of a run that is not plain, or long.
    #[cold]
    fn split(&mut self, run: &[u8]) {
        self.splitter.feed(run, &mut self.table);
        self.splitter.end(&mut self.table);
    }

    /// Counts the words of the first run, or of what remains of the open one, byte by byte; returns what comes after
    /// it. A run that reaches the end of the block stays open.
    #[cold]
    fn one_run<'a>(&mut self, block: &'a [u8]) -> &'a [u8] {
        let end = block.iter().position(|byte| !is_in_run(*byte)).unwrap_or(block.len());
        let (run, rest) = block.split_at(end);
        self.splitter.feed(run, &mut self.table);
        self.is_open = rest.is_empty() && (self.is_open || !run.is_empty());
        if !self.is_open {
            self.splitter.end(&mut self.table);
        }
        let next = rest.iter().position(|byte| is_in_run(*byte)).unwrap_or(rest.len());
        &rest[next..]
    }
}

/// The first `length` of 16 bytes, all of them ASCII letters or digits, in lower case.
#[inline]
fn lower_case(bytes: &[u8; SHORT_BYTES_MAX], length: usize) -> Short {
    let [low, high] = Short::halves(bytes).map(|half| half | LOWER_CASE);
    let keep = |bytes: usize| u64::MAX >> (64 - 8 * bytes);
    if length <= 8 { Short(low & keep(length), 0) } else { Short(low, high & keep(length - 8)) }
}

#[cfg(test)]
#[path = "counter_tests.rs"]
mod tests;
