//! Times of a recording, and the samples they stand for.

use serde::{Deserialize, Serialize};

/// Samples in a second.
pub const SAMPLE_RATE: u32 = 16_000;
/// Samples in a millisecond.
pub const SAMPLES_PER_MS: u64 = 16;
/// Bytes in a millisecond: two for each sample.
pub const BYTES_PER_MS: u64 = 2 * SAMPLES_PER_MS;

/// The samples in these bytes: two each, the lower one first. Half a sample at the end is left out.
pub fn samples(bytes: &[u8]) -> Vec<i16> {
    bytes.chunks_exact(2).map(|pair| i16::from_le_bytes([pair[0], pair[1]])).collect()
}

/// A half-open range of a recording, in milliseconds from its start.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Span {
    /// The first millisecond.
    pub start_ms: u64,
    /// One past the last.
    pub end_ms: u64,
}

impl Span {
    /// The range from `start_ms` to `end_ms`; empty where they are out of order.
    pub fn new(start_ms: u64, end_ms: u64) -> Self {
        Self { start_ms, end_ms: end_ms.max(start_ms) }
    }

    /// Its length in milliseconds.
    pub fn len_ms(self) -> u64 {
        self.end_ms - self.start_ms
    }

    /// True where nothing is in it.
    pub fn is_empty(self) -> bool {
        self.len_ms() == 0
    }

    /// The part of it that lies in `other`.
    pub fn within(self, other: Self) -> Self {
        let start_ms = self.start_ms.clamp(other.start_ms, other.end_ms);
        Self::new(start_ms, self.end_ms.clamp(start_ms, other.end_ms))
    }
}
