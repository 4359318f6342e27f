//! Finds runs: stretches of bytes between ASCII separators, eight bytes at a time.
//!
//! Owns: the classes of bytes, and the bit arithmetic that sorts eight of them at once.
//! Never: decides what a word is; a run of plain letters and digits is one, any other needs the splitter.

/// Bytes that are looked at together: one bit each in a `u64`.
pub(crate) const GROUP_BYTES: usize = 64;

const ONES: u64 = 0x0101_0101_0101_0101;
const HIGH_BITS: u64 = 0x8080_8080_8080_8080;
const LOW_BITS: u64 = !HIGH_BITS;

/// What the bytes of a group are, bit `i` for byte `i`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Classes {
    /// Bytes that may belong to a word: ASCII letters and digits, and all odd ones.
    pub(crate) runs: u64,
    /// Bytes that need a closer look: apostrophes, and all that are not ASCII.
    pub(crate) odd: u64,
}

/// Classifies a group of bytes. Bytes that a short group lacks are separators.
pub(crate) fn classify(group: &[u8]) -> Classes {
    let mut classes = Classes::default();
    for (index, eight) in group.chunks(8).enumerate() {
        let (runs, odd) = classify_eight(load(eight));
        classes.runs |= runs << (8 * index);
        classes.odd |= odd << (8 * index);
    }
    classes
}

/// Whether a byte needs a closer look: an apostrophe, or not ASCII.
pub(crate) fn is_odd(byte: u8) -> bool {
    byte == b'\'' || !byte.is_ascii()
}

/// Up to eight bytes as a number, the first byte lowest, zeros behind the last.
pub(crate) fn load(bytes: &[u8]) -> u64 {
    let mut eight = [0; 8];
    match bytes.first_chunk() {
        Some(bytes) => eight = *bytes,
        None => eight[..bytes.len()].copy_from_slice(bytes),
    }
    u64::from_le_bytes(eight)
}

/// The two classes of eight bytes, one bit each.
fn classify_eight(bytes: u64) -> (u64, u64) {
    let not_ascii = bytes & HIGH_BITS;
    let low = bytes & LOW_BITS;
    let letters = between(low | (0x20 * ONES), b'a', b'z');
    let digits = between(low, b'0', b'9');
    let odd = not_ascii | between(low, b'\'', b'\'');
    // A byte above 127 may look like a letter without its high bit; it is in the run either way.
    (bits(letters | digits | odd), bits(odd))
}

/// Sets the high bit of every byte that lies in a range; every byte must be below 128, so that nothing carries over.
fn between(low: u64, first: u8, last: u8) -> u64 {
    let at_least_first = low + u64::from(0x80 - first) * ONES;
    let beyond_last = low + u64::from(0x7f - last) * ONES;
    at_least_first & !beyond_last & HIGH_BITS
}

/// Gathers the high bits of eight bytes into the low eight bits: the multiplication moves bit `8 i` to `56 + i`.
fn bits(high_bits: u64) -> u64 {
    (high_bits >> 7).wrapping_mul(0x0102_0408_1020_4080) >> 56
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_byte_is_in_its_class_at_every_place() {
        for byte in 0..=255 {
            for place in 0..GROUP_BYTES {
                let mut group = [b' '; GROUP_BYTES];
                group[place] = byte;
                let odd = is_odd(byte);
                let run = odd || byte.is_ascii_alphanumeric();
                let expect =
                    Classes { runs: u64::from(run) << place, odd: u64::from(odd) << place };
                assert_eq!(classify(&group), expect, "byte {byte} at {place}");
            }
        }
    }

    #[test]
    fn what_a_short_group_lacks_separates() {
        assert_eq!(classify(b"ab"), Classes { runs: 0b11, odd: 0 });
        assert_eq!(classify(b""), Classes::default());
    }
}
