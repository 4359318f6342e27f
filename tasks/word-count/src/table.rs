//! How often each word was seen.
//!
//! Owns: two maps: words of at most 16 bytes live in a pair of numbers and cost no allocation, longer ones in a box.
//! Never: sees anything but finished, lower-cased words.

use std::collections::HashMap;

use foldhash::fast::FixedState;

use crate::short_table::ShortTable;

/// The longest word that fits into a [`Short`].
pub(crate) const SHORT_BYTES_MAX: usize = 16;

/// A word of at most 16 bytes: two little-endian numbers, with zeros behind its end. No word contains a zero byte, so
/// this is one to one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Short(pub(crate) u64, pub(crate) u64);

impl Short {
    /// Packs a word of at most 16 bytes.
    pub(crate) fn pack(word: &[u8]) -> Option<Self> {
        let (low, high) = word.split_at_checked(8).unwrap_or((word, &[]));
        (word.len() <= SHORT_BYTES_MAX).then(|| Self(number(low), number(high)))
    }

    /// The numbers that 16 bytes are, whether a word or not.
    #[inline]
    pub(crate) fn halves(bytes: &[u8; SHORT_BYTES_MAX]) -> [u64; 2] {
        let [low, high] = [0, 8].map(|start| bytes[start..].first_chunk().copied());
        [low, high].map(|half| u64::from_le_bytes(half.unwrap_or_default()))
    }

    /// The word, with zeros behind its end.
    pub(crate) fn bytes(self) -> [u8; SHORT_BYTES_MAX] {
        (u128::from(self.0) | u128::from(self.1) << 64).to_le_bytes()
    }

    /// How many bytes the word has.
    pub(crate) fn len(self) -> usize {
        let unused = if self.1 == 0 { 64 + self.0.leading_zeros() } else { self.1.leading_zeros() };
        SHORT_BYTES_MAX - unused as usize / 8
    }

    /// Whether two words are the same: one branch in place of two.
    #[inline]
    pub(crate) fn is(self, other: Self) -> bool {
        (self.0 ^ other.0) | (self.1 ^ other.1) == 0
    }

    /// The same, with the bytes the other way round in both numbers: a big-endian word's order is that of its bytes.
    fn swapped(self) -> Self {
        Self(self.0.swap_bytes(), self.1.swap_bytes())
    }
}

/// At most eight bytes as a number, the first byte lowest. Byte by byte: in WebAssembly to copy a few is a call.
fn number(bytes: &[u8]) -> u64 {
    bytes.iter().rev().fold(0, |number, byte| number << 8 | u64::from(*byte))
}

/// A word that is shown.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Word<'a> {
    /// One of at most 16 bytes: all of them, and how many count.
    Short(&'a [u8; SHORT_BYTES_MAX], usize),
    /// One that is longer.
    Long(&'a [u8]),
}

impl<'a> Word<'a> {
    /// Its bytes.
    pub(crate) fn bytes(self) -> &'a [u8] {
        match self {
            Self::Short(bytes, length) => &bytes[..length],
            Self::Long(bytes) => bytes,
        }
    }
}

/// How often each word was seen.
#[derive(Clone, Debug, Default)]
pub(crate) struct Table {
    short: ShortTable,
    long: HashMap<Box<[u8]>, u64, FixedState>,
}

impl Table {
    /// Adds to the count of a word of at most 16 bytes.
    #[inline]
    pub(crate) fn add_short(&mut self, word: Short, count: u64) {
        self.short.add(word, count);
    }

    /// Adds to the count of a word of any length. Allocates only for a long word that is new.
    pub(crate) fn add(&mut self, word: &[u8], count: u64) {
        if let Some(word) = Short::pack(word) {
            self.add_short(word, count);
        } else if let Some(present) = self.long.get_mut(word) {
            *present += count;
        } else {
            self.long.insert(word.into(), count);
        }
    }

    /// How many different words there are.
    pub(crate) fn len(&self) -> usize {
        self.short.len() + self.long.len()
    }

    /// Shows all words and their counts, in the order of their bytes.
    pub(crate) fn each_sorted(self, mut show: impl FnMut(Word<'_>, u64)) {
        let mut long: Vec<_> = self.long.into_iter().collect();
        long.sort_unstable();
        let mut long = long.into_iter().peekable();
        for (short, count) in sorted(self.short) {
            let bytes = short.bytes();
            // No word contains a zero byte, so the zeros behind a short word order it like its end does.
            while let Some((word, count)) = long.next_if(|(word, _)| word[..] < bytes[..]) {
                show(Word::Long(&word), count);
            }
            show(Word::Short(&bytes, short.len()), count);
        }
        for (word, count) in long {
            show(Word::Long(&word), count);
        }
    }
}

/// The short words in the order of their bytes: numbers compare faster than bytes.
fn sorted(words: ShortTable) -> impl Iterator<Item = (Short, u64)> {
    let mut words: Vec<_> =
        words.into_words().map(|(word, count)| (word.swapped(), count)).collect();
    words.sort_unstable_by_key(|(word, _)| *word);
    words.into_iter().map(|(word, count)| (word.swapped(), count))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_short_word_packs_and_unpacks() {
        for word in ["", "a", "eightlet", "sixteen-letters!"] {
            let short = Short::pack(word.as_bytes()).map(|short| (short.bytes(), short.len()));
            let unpacked = short.map(|(bytes, length)| bytes[..length].to_vec());
            assert_eq!(unpacked, Some(word.as_bytes().to_vec()));
        }
        assert_eq!(Short::pack(b"seventeen-letters"), None);
    }

    fn shown(table: Table) -> Vec<String> {
        let mut words = Vec::new();
        table.each_sorted(|word, count| {
            words.push(format!("{} {count}", String::from_utf8_lossy(word.bytes())));
        });
        words
    }

    #[test]
    fn short_and_long_words_are_sorted_together() {
        let mut table = Table::default();
        for word in ["b", "sixteen-letters!!", "sixteen-letters!", "a-very-long-word-indeed", "été"]
        {
            table.add(word.as_bytes(), 1);
        }
        let expect = ["a-very-long-word-indeed 1", "b 1", "sixteen-letters! 1"];
        assert_eq!(shown(table), [&expect[..], &["sixteen-letters!! 1", "été 1"]].concat());
    }

    #[test]
    fn counts_add_up_for_short_and_long_words() {
        let mut table = Table::default();
        for word in ["the", "the", "incomprehensibilities", "the", "incomprehensibilities"] {
            table.add(word.as_bytes(), 1);
        }
        assert_eq!(shown(table), ["incomprehensibilities 2", "the 3"]);
    }
}
