//! From any sampling rate to 16 kHz.
//!
//! Owns: that the resampled recording is neither shifted nor longer than the original by more than a sample.

use pframe_speech::SAMPLE_RATE;
use rubato::audioadapter_buffers::direct::InterleavedSlice;
use rubato::{Fft, FixedSync, Indexing, Resampler as Resample};

/// Frames that go through the filter at a time: a quarter of a second of a common rate.
const CHUNK_FRAMES: usize = 4096;

/// Resamples one channel that comes in pieces.
pub(super) struct Resampler {
    rate: u32,
    /// None where the rate is right already.
    filter: Option<Fft<f32>>,
    waiting: Vec<f32>,
    made: Vec<f32>,
    /// Frames taken in, and frames given out.
    taken: u64,
    given: u64,
    /// Frames of the filter's own delay, which are dropped.
    delay: usize,
}

impl Resampler {
    /// From this rate, in Hz.
    pub(super) fn new(rate: u32) -> Result<Self, String> {
        let filter = (rate != SAMPLE_RATE).then(|| {
            Fft::new(rate as usize, SAMPLE_RATE as usize, CHUNK_FRAMES, 1, FixedSync::Input)
        });
        let filter = filter.transpose().map_err(|error| error.to_string())?;
        let delay = filter.as_ref().map_or(0, Resample::output_delay);
        let (waiting, made) = (Vec::new(), Vec::new());
        Ok(Self { rate, filter, waiting, made, taken: 0, given: 0, delay })
    }

    /// Takes in more frames and hands what is ready to `sink`.
    pub(super) fn feed<E>(
        &mut self,
        frames: &[f32],
        sink: &mut impl FnMut(&[f32]) -> Result<(), E>,
    ) -> Result<(), E> {
        self.taken += frames.len() as u64;
        if self.filter.is_none() {
            self.given += frames.len() as u64;
            return sink(frames);
        }
        self.waiting.extend_from_slice(frames);
        let mut start = 0;
        while let Some(filter) = &self.filter
            && self.waiting.len() - start >= filter.input_frames_next()
        {
            start += self.filter_some(start, None, sink)?;
        }
        self.waiting.drain(..start);
        Ok(())
    }

    /// Hands out what is still in the filter.
    pub(super) fn finish<E>(
        mut self,
        sink: &mut impl FnMut(&[f32]) -> Result<(), E>,
    ) -> Result<(), E> {
        while self.filter.is_some() && self.given < self.wanted() {
            let left = self.waiting.len();
            self.filter_some(0, Some(left), sink)?;
            self.waiting.clear();
        }
        Ok(())
    }

    /// Frames that what was taken in comes to.
    fn wanted(&self) -> u64 {
        (self.taken * u64::from(SAMPLE_RATE)).div_ceil(u64::from(self.rate))
    }

    /// Filters the next frames, `partial` of them real; the answer is how many were used.
    fn filter_some<E>(
        &mut self,
        start: usize,
        partial: Option<usize>,
        sink: &mut impl FnMut(&[f32]) -> Result<(), E>,
    ) -> Result<usize, E> {
        let filter = self.filter.as_mut().expect("asked only where there is one");
        self.made.resize(filter.output_frames_max(), 0.0);
        let room = self.made.len();
        let input = &self.waiting[start..];
        let from = InterleavedSlice::new(input, 1, input.len()).expect("one channel, all frames");
        let mut to =
            InterleavedSlice::new_mut(&mut self.made, 1, room).expect("one channel, all frames");
        let indexing = Indexing { partial_len: partial, ..Indexing::default() };
        let (used, made) = filter
            .process_into_buffer(&from, &mut to, Some(&indexing))
            .expect("both buffers are as large as the filter said");
        let dropped = self.delay.min(made);
        self.delay -= dropped;
        let mut end = made;
        if partial.is_some() {
            // The silence behind the end is no part of the recording.
            let left = usize::try_from(self.wanted() - self.given).unwrap_or(made);
            end = made.min(dropped + left);
        }
        self.given += (end - dropped) as u64;
        sink(&self.made[dropped..end])?;
        Ok(used)
    }
}

#[cfg(test)]
mod tests {
    use std::convert::Infallible;

    use super::*;

    fn resampled(rate: u32, frames: &[f32], piece: usize) -> Vec<f32> {
        let mut resampler = Resampler::new(rate).unwrap();
        let mut made = Vec::new();
        let mut sink = |frames: &[f32]| {
            made.extend_from_slice(frames);
            Ok::<_, Infallible>(())
        };
        for piece in frames.chunks(piece) {
            resampler.feed(piece, &mut sink).unwrap();
        }
        resampler.finish(&mut sink).unwrap();
        made
    }

    /// A tone of 440 Hz.
    #[expect(clippy::cast_precision_loss, reason = "a test tone")]
    fn tone(rate: u32, frames: usize) -> Vec<f32> {
        let step = 440.0 * std::f32::consts::TAU / rate as f32;
        (0..frames).map(|index| 0.5 * (step * index as f32).sin()).collect()
    }

    #[test]
    fn a_tone_stays_where_it_is_and_as_long_as_it_is() {
        for rate in [8000, 11_025, 22_050, 44_100, 48_000, 96_000] {
            let frames = tone(rate, rate as usize * 3 / 2);
            let made = resampled(rate, &frames, 1000);
            assert_eq!(made.len(), 24_000, "{rate} Hz");
            let wanted = tone(SAMPLE_RATE, 24_000);
            // The filter rings a little at both ends.
            let middle = 2000..22_000;
            let worst = middle.map(|at| (made[at] - wanted[at]).abs()).fold(0.0, f32::max);
            // A shift by one sample would be 0.086.
            assert!(worst < 0.07, "{rate} Hz: {worst}");
        }
    }

    #[test]
    fn the_pieces_in_which_it_comes_change_nothing() {
        let frames = tone(44_100, 30_000);
        assert_eq!(resampled(44_100, &frames, 30_000), resampled(44_100, &frames, 7));
    }

    #[test]
    fn the_right_rate_goes_through_as_it_is() {
        let frames = tone(SAMPLE_RATE, 777);
        assert_eq!(resampled(SAMPLE_RATE, &frames, 100), frames);
        assert_eq!(resampled(48_000, &[], 100), Vec::<f32>::new());
    }
}
