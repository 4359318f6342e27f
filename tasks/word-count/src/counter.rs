//! Counts words in blocks of bytes.
//!
//! Owns: the fast road, for runs of ASCII letters and digits, and the turn-off to the splitter for all others.
//! Never: copies or allocates on the fast road.

use crate::runs::{GROUP_BYTES, classify, is_odd, load};
use crate::splitter::Splitter;
use crate::table::{SHORT_BYTES_MAX, Short, Table};

/// The bit that tells a lower-case ASCII letter from its upper-case one. Digits have it too, so setting it in every
/// byte of a plain run lower-cases the run.
const LOWER_CASE: u64 = 0x2020_2020_2020_2020;

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
        let mut words: Vec<_> = self.table.into_words().collect();
        words.sort_unstable();
        words
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
        let rest = self.close(block);
        let mut start = None;
        for (index, group) in rest.chunks(GROUP_BYTES).enumerate() {
            let base = index * GROUP_BYTES;
            let classes = classify(group);
            // Every bit that differs from the one before it starts or ends a run; a run that reaches the end of the
            // block may go on in the next one, so no edge lies beyond it.
            let before = (classes.runs << 1) | u64::from(start.is_some());
            let mut edges = (classes.runs ^ before) & (u64::MAX >> (GROUP_BYTES - group.len()));
            while edges != 0 {
                let place = base + edges.trailing_zeros() as usize;
                edges &= edges - 1;
                start = match start {
                    None => Some(place),
                    Some(start) => {
                        self.run(rest, start, place, classes.odd);
                        None
                    }
                };
            }
        }
        if let Some(start) = start {
            self.splitter.feed(&rest[start..], &mut self.table);
            self.is_open = true;
        }
    }

    /// Ends the text.
    pub fn finish(mut self) -> Counts {
        self.splitter.end(&mut self.table);
        Counts { table: self.table }
    }

    /// Ends the run that the last block left open; returns what comes after it.
    fn close<'a>(&mut self, block: &'a [u8]) -> &'a [u8] {
        if !self.is_open {
            return block;
        }
        let belongs = |byte: &u8| byte.is_ascii_alphanumeric() || is_odd(*byte);
        let end = block.iter().position(|byte| !belongs(byte));
        let (run, rest) = block.split_at(end.unwrap_or(block.len()));
        self.splitter.feed(run, &mut self.table);
        if end.is_some() {
            self.splitter.end(&mut self.table);
            self.is_open = false;
        }
        rest
    }

    /// Counts the run from `start` to `end`; `odd` are the odd bytes of the group in which it ends.
    #[inline]
    fn run(&mut self, block: &[u8], start: usize, end: usize, odd: u64) {
        let length = end - start;
        let bytes = &block[start..];
        match bytes.first_chunk() {
            Some(bytes)
                if length <= SHORT_BYTES_MAX && is_plain(&bytes[..length], start, end, odd) =>
            {
                self.table.add_short(lower_case(bytes, length), 1);
            }
            _ => self.split(&bytes[..length]),
        }
    }

    /// Counts the words of a run that is not plain, long, or at the very end of a block.
    #[cold]
    fn split(&mut self, run: &[u8]) {
        self.splitter.feed(run, &mut self.table);
        self.splitter.end(&mut self.table);
    }
}

/// Whether a run has no odd bytes: none in its only group says so at once, else its few bytes do.
#[inline]
fn is_plain(run: &[u8], start: usize, end: usize, odd: u64) -> bool {
    let is_in_one_group = start / GROUP_BYTES == end / GROUP_BYTES;
    (odd == 0 && is_in_one_group) || !run.iter().any(|byte| is_odd(*byte))
}

/// The first `length` of 16 bytes, all of them ASCII letters or digits, in lower case.
#[inline]
fn lower_case(bytes: &[u8; SHORT_BYTES_MAX], length: usize) -> Short {
    let keep = |bytes: usize| u64::MAX >> (64 - 8 * bytes);
    let low = load(&bytes[..8]) | LOWER_CASE;
    if length <= 8 {
        return Short(low & keep(length), 0);
    }
    Short(low, (load(&bytes[8..]) | LOWER_CASE) & keep(length - 8))
}

#[cfg(test)]
#[path = "counter_tests.rs"]
mod tests;
