//! How often each word was seen.
//!
//! Owns: two maps: words of at most 16 bytes live in a pair of numbers and cost no allocation, longer ones in a box.
//! Never: sees anything but finished, lower-cased words.

use std::collections::HashMap;
use std::hash::{BuildHasherDefault, Hasher};

use foldhash::fast::FixedState;

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

    fn unpack(self) -> Vec<u8> {
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

impl std::hash::Hash for Short {
    fn hash<H: Hasher>(&self, hasher: &mut H) {
        hasher.write_u64(self.0);
        hasher.write_u64(self.1);
    }
}

/// A hasher for [`Short`] alone: two multiplications, which WebAssembly does in one instruction each.
///
/// Nobody else's data is in the table, so a sender of colliding words slows down nothing but his own job.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct ShortHasher(u64);

impl Hasher for ShortHasher {
    fn write_u64(&mut self, number: u64) {
        // The odd constant is 2^64 divided by the golden ratio; the rotation brings the good high bits down.
        self.0 = (self.0.rotate_left(29) ^ number).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    }

    fn write(&mut self, bytes: &[u8]) {
        for byte in bytes {
            self.write_u64(u64::from(*byte));
        }
    }

    fn finish(&self) -> u64 {
        self.0 ^ self.0.rotate_left(32)
    }
}

/// How often each word was seen.
#[derive(Clone, Debug, Default)]
pub(crate) struct Table {
    short: HashMap<Short, u64, BuildHasherDefault<ShortHasher>>,
    long: HashMap<Box<[u8]>, u64, FixedState>,
}

impl Table {
    /// Adds to the count of a word of at most 16 bytes.
    #[inline]
    pub(crate) fn add_short(&mut self, word: Short, count: u64) {
        *self.short.entry(word).or_insert(0) += count;
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
        let short = self.short.into_iter().map(|(word, count)| (word.unpack().into(), count));
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
