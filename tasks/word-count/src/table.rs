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
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Short(pub(crate) u64, pub(crate) u64);

impl Short {
    /// Packs a word of at most 16 bytes.
    pub(crate) fn pack(word: &[u8]) -> Option<Self> {
        let mut bytes = [0; SHORT_BYTES_MAX];
        bytes.get_mut(..word.len())?.copy_from_slice(word);
        let number = u128::from_le_bytes(bytes);
        Some(Self(low_half(number), low_half(number >> 64)))
    }

    pub(crate) fn unpack(self) -> Vec<u8> {
        let number = u128::from(self.0) | u128::from(self.1) << 64;
        let bytes = number.to_le_bytes();
        let length = bytes.iter().position(|byte| *byte == 0).unwrap_or(bytes.len());
        bytes[..length].to_vec()
    }
}

#[expect(clippy::cast_possible_truncation, reason = "the low half is what is asked for")]
fn low_half(number: u128) -> u64 {
    number as u64
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

    /// All words and their counts, in no order.
    pub(crate) fn into_words(self) -> impl Iterator<Item = (Box<[u8]>, u64)> {
        let short = self.short.into_words().map(|(word, count)| (word.unpack().into(), count));
        short.chain(self.long)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_short_word_packs_and_unpacks() {
        for word in ["", "a", "eightlet", "sixteen-letters!"] {
            let short = Short::pack(word.as_bytes()).map(Short::unpack);
            assert_eq!(short, Some(word.as_bytes().to_vec()));
        }
        assert_eq!(Short::pack(b"seventeen-letters"), None);
    }

    #[test]
    fn counts_add_up_for_short_and_long_words() {
        let mut table = Table::default();
        for word in ["the", "the", "incomprehensibilities", "the", "incomprehensibilities"] {
            table.add(word.as_bytes(), 1);
        }
        let mut words: Vec<_> = table.into_words().collect();
        words.sort();
        let expect: [(Box<[u8]>, u64); 2] =
            [(b"incomprehensibilities"[..].into(), 2), (b"the"[..].into(), 3)];
        assert_eq!(words, expect);
    }
}
