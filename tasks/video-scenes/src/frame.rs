//! What is kept of a frame.
//!
//! Owns: the histogram of its luma, the sum of its luma, and how they travel: 264 bytes for each frame.
//! Never: keeps a pixel.

/// Bins of a histogram; a bin is four values of luma wide.
pub(crate) const BINS: usize = 64;
const BIN_SHIFT: u32 = 2;
const SUM_BYTES: usize = 8;
const BIN_BYTES: usize = 4;
/// Bytes of a frame on its way to the result.
pub(crate) const FRAME_BYTES: usize = SUM_BYTES + BINS * BIN_BYTES;
/// Neighbouring pixels are mostly alike. Counting each in a table of its own spares the wait for the one before.
const LANES: usize = 4;

/// The luma of a frame in numbers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Frame {
    /// How many pixels there are in each bin.
    pub(crate) bins: [u32; BINS],
    /// The luma of all pixels together.
    pub(crate) luma_sum: u64,
}

impl Frame {
    /// The pixels in which two histograms differ: half the sum of the differences of all bins. Divided by the pixels of a
    /// frame it is the total variation distance, from 0 to 1.
    pub(crate) fn difference(&self, other: &Self) -> u32 {
        let differences = self.bins.iter().zip(&other.bins).map(|(one, two)| one.abs_diff(*two));
        let sum: u64 = differences.map(u64::from).sum();
        u32::try_from(sum / 2).unwrap_or(u32::MAX)
    }

    /// As it travels: the sum, then the bins, the lower byte first.
    pub(crate) fn to_bytes(&self) -> [u8; FRAME_BYTES] {
        let mut bytes = [0; FRAME_BYTES];
        let (sum, bins) = bytes.split_at_mut(SUM_BYTES);
        sum.copy_from_slice(&self.luma_sum.to_le_bytes());
        for (place, bin) in bins.chunks_exact_mut(BIN_BYTES).zip(self.bins) {
            place.copy_from_slice(&bin.to_le_bytes());
        }
        bytes
    }

    /// Reads what [`Frame::to_bytes`] wrote.
    pub(crate) fn from_bytes(bytes: &[u8; FRAME_BYTES]) -> Self {
        let (sum, bins) = bytes.split_at(SUM_BYTES);
        let (bins, _) = bins.as_chunks::<BIN_BYTES>();
        Self {
            luma_sum: sum.first_chunk().map_or(0, |sum| u64::from_le_bytes(*sum)),
            bins: std::array::from_fn(|bin| u32::from_le_bytes(bins[bin])),
        }
    }
}

/// Counts the luma of a frame, block by block.
pub(crate) struct Counter {
    lanes: [[u32; BINS]; LANES],
    luma_sum: u64,
}

impl Counter {
    /// Nothing counted.
    pub(crate) fn new() -> Self {
        Self { lanes: [[0; BINS]; LANES], luma_sum: 0 }
    }

    /// Counts some pixels.
    pub(crate) fn add(&mut self, luma: &[u8]) {
        let (groups, rest) = luma.as_chunks::<LANES>();
        for group in groups {
            for (lane, value) in self.lanes.iter_mut().zip(group) {
                lane[usize::from(value >> BIN_SHIFT)] += 1;
            }
        }
        for value in rest {
            self.lanes[0][usize::from(value >> BIN_SHIFT)] += 1;
        }
        self.luma_sum += luma.iter().map(|value| u64::from(*value)).sum::<u64>();
    }

    /// What was counted.
    pub(crate) fn frame(&self) -> Frame {
        let bins = std::array::from_fn(|bin| self.lanes.iter().map(|lane| lane[bin]).sum());
        Frame { bins, luma_sum: self.luma_sum }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn frame(luma: &[u8]) -> Frame {
        let mut counter = Counter::new();
        counter.add(luma);
        counter.frame()
    }

    #[test]
    fn a_bin_is_four_values_wide() {
        let frame = frame(&[0, 3, 4, 7, 8, 255, 252]);
        assert_eq!(
            (frame.bins[..3].to_vec(), frame.bins[63], frame.luma_sum),
            (vec![2, 2, 1], 2, 529)
        );
    }

    #[test]
    fn a_frame_survives_the_journey() {
        let frame = frame(&(0..=255).cycle().take(999).collect::<Vec<u8>>());
        assert_eq!(Frame::from_bytes(&frame.to_bytes()), frame);
    }

    #[test]
    fn the_difference_is_how_many_pixels_would_have_to_change() {
        let difference = |one, two| frame(one).difference(&frame(two));
        assert_eq!(difference(&[0, 0, 9, 9], &[9, 0, 9, 0]), 0);
        assert_eq!(difference(&[0, 0, 9, 9], &[0, 90, 90, 90]), 3);
        assert_eq!(difference(&[0, 0, 0, 0], &[99, 98, 97, 4]), 4);
    }
}
