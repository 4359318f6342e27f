//! Finds runs: stretches of bytes between ASCII separators, eight bytes at a time.
//!
//! Owns: the classes of bytes, and the bit arithmetic that sorts eight of them at once.
//! Never: decides what a word is; a run of plain letters and digits is one, any other needs the splitter.

/// Bytes that are looked at together: one bit each in a `u64`.
pub(crate) const GROUP_BYTES: usize = 64;

const ONES: u64 = 0x0101_0101_0101_0101;
const HIGH_BITS: u64 = 0x8080_8080_8080_8080;
const LOW_BITS: u64 = !HIGH_BITS;

/// What the bytes of a group are.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Classes {
    /// Bytes that may belong to a word, bit `i` for byte `i`: ASCII letters and digits, and all odd ones.
    pub(crate) runs: u64,
    /// Some bytes need a closer look: apostrophes, and all that are not ASCII.
    pub(crate) is_odd: bool,
}

/// Classifies a group of bytes.
#[inline]
pub(crate) fn classify(group: &[u8; GROUP_BYTES]) -> Classes {
    let (mut runs, mut odd) = (0, 0);
    for (index, eight) in group.as_chunks().0.iter().enumerate() {
        let bytes = u64::from_le_bytes(*eight);
        let odd_here = odd_bytes(bytes);
        odd |= odd_here;
        runs |= bits((plain_bytes(bytes) | odd_here) & HIGH_BITS) << (8 * index);
    }
    Classes { runs, is_odd: odd & HIGH_BITS != 0 }
}

/// Whether a byte may belong to a word.
pub(crate) fn is_in_run(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || byte == b'\'' || !byte.is_ascii()
}

/// Whether any of eight bytes is an apostrophe, or not ASCII.
pub(crate) fn has_odd(bytes: u64) -> bool {
    odd_bytes(bytes) & HIGH_BITS != 0
}

/// The high bit of every byte that is an apostrophe or not ASCII, beside lower bits that mean nothing.
#[inline]
fn odd_bytes(bytes: u64) -> u64 {
    let apostrophe = u64::from(b'\'') * ONES;
    // 128 less a number below 128 has its high bit only if that number is 0.
    bytes | (HIGH_BITS - ((bytes ^ apostrophe) & LOW_BITS))
}

/// The high bit of every byte that is an ASCII letter or digit, and of some that are not ASCII, beside lower bits that
/// mean nothing.
#[inline]
fn plain_bytes(bytes: u64) -> u64 {
    let low = bytes & LOW_BITS;
    between(low | (0x20 * ONES), b'a', b'z') | between(low, b'0', b'9')
}

/// The high bit of every byte that lies in a range; every byte must be below 128, so that nothing carries over.
#[inline]
fn between(low: u64, first: u8, last: u8) -> u64 {
    let at_least_first = low + u64::from(0x80 - first) * ONES;
    let beyond_last = low + u64::from(0x7f - last) * ONES;
    at_least_first & !beyond_last
}

/// Gathers the high bits of eight bytes into the low eight bits: the multiplication moves bit `8 i + 7` to `56 + i`.
#[inline]
fn bits(high_bits: u64) -> u64 {
    high_bits.wrapping_mul(0x0002_0408_1020_4081) >> 56
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
                let is_odd = byte == b'\'' || byte > 127;
                let is_in_run = is_odd || byte.is_ascii_alphanumeric();
                let expect = Classes { runs: u64::from(is_in_run) << place, is_odd };
                assert_eq!(classify(&group), expect, "byte {byte} at {place}");
                assert_eq!(super::is_in_run(byte), is_in_run);
            }
        }
    }

    #[test]
    fn odd_bytes_are_seen_among_plain_ones() {
        assert!(has_odd(u64::from_le_bytes(*b"don't\0\0\0")));
        assert!(has_odd(u64::from_le_bytes(*b"\xc3\xbcber\0\0\0")));
        assert!(!has_odd(u64::from_le_bytes(*b"plain7\0\0")));
    }
}
