//! How loud a recording is, and where it is silent.
//!
//! Owns: the measure (dB below full scale, for each 10 ms) and the level below which nobody speaks.
//! Never: tells speech from other sounds.

use serde::{Deserialize, Serialize};

use crate::span::{SAMPLES_PER_MS, Span};

/// Length of a frame, the unit in which loudness is measured.
pub const FRAME_MS: u64 = 10;
/// What is quieter than this is silence in any recording: some ten steps of a 16-bit sample.
const ALWAYS_SILENT_DB: i8 = -70;
/// The quietest level there is; digital silence.
const FLOOR_DB: i8 = -96;
/// Silence is at most this much louder than the background.
const ABOVE_BACKGROUND_DB: i8 = 10;
/// Silence is at least this much quieter than the voices.
const BELOW_VOICES_DB: i8 = 20;
/// The shortest silence in which a recording may be cut.
pub(crate) const GAP_MS_MIN: u64 = 200;

/// The loudness of a recording: for each 10 ms its root mean square, in dB relative to full scale (0 to −96).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Loudness {
    frames: Vec<i8>,
    duration_ms: u64,
    silent_db: i8,
}

impl Loudness {
    /// The loudness of these samples, which are the whole recording.
    pub fn of(samples: &[i16]) -> Self {
        let mut meter = Meter::default();
        meter.feed(samples);
        meter.finish()
    }

    /// Its length.
    pub fn duration_ms(&self) -> u64 {
        self.duration_ms
    }

    /// The level at or below which a frame is silent, in dB relative to full scale.
    pub fn silent_db(&self) -> i8 {
        self.silent_db
    }

    /// Mean level of a span, in dB relative to full scale; −96 for an empty one.
    pub fn mean_db(&self, span: Span) -> f32 {
        let frames = self.frames(span);
        let sum: f32 = frames.iter().map(|db| f32::from(*db)).sum();
        #[expect(clippy::cast_precision_loss, reason = "a mean of levels needs few digits")]
        let count = frames.len() as f32;
        if frames.is_empty() { f32::from(FLOOR_DB) } else { sum / count }
    }

    /// The silences within a span that last at least `length_ms_min`, in order.
    pub fn silences(&self, within: Span, length_ms_min: u64) -> Vec<Span> {
        let is_silent = |db: i8| db <= self.silent_db;
        self.runs(within, is_silent)
            .into_iter()
            .filter(|run| run.len_ms() >= length_ms_min)
            .collect()
    }

    /// Where there is sound within a span, in order; silences shorter than 200 ms belong to it.
    pub fn sounds(&self, within: Span) -> Vec<Span> {
        let within = within.within(Span::new(0, self.duration_ms));
        let mut sounds = Vec::new();
        let mut start_ms = within.start_ms;
        for silence in self.silences(within, GAP_MS_MIN) {
            if silence.start_ms > start_ms {
                sounds.push(Span::new(start_ms, silence.start_ms));
            }
            start_ms = silence.end_ms;
        }
        if within.end_ms > start_ms {
            sounds.push(Span::new(start_ms, within.end_ms));
        }
        sounds
    }

    /// The quietest stretch of `length_ms` within a span; the first of equals.
    pub(crate) fn quietest(&self, within: Span, length_ms: u64) -> Span {
        let frames = self.frames(within);
        let width = place(length_ms / FRAME_MS).clamp(1, frames.len().max(1));
        let levels =
            frames.windows(width).map(|window| window.iter().map(|db| i64::from(*db)).sum::<i64>());
        let best = levels.enumerate().min_by_key(|(_, sum)| *sum).map_or(0, |(index, _)| index);
        let start_ms = within.start_ms + best as u64 * FRAME_MS;
        Span::new(start_ms, start_ms + length_ms).within(within)
    }

    fn frames(&self, span: Span) -> &[i8] {
        let end = place(span.end_ms.div_ceil(FRAME_MS)).min(self.frames.len());
        let start = place(span.start_ms / FRAME_MS).min(end);
        &self.frames[start..end]
    }

    fn runs(&self, within: Span, belongs: impl Fn(i8) -> bool) -> Vec<Span> {
        let within = within.within(Span::new(0, self.duration_ms));
        let first = within.start_ms / FRAME_MS;
        let mut runs: Vec<Span> = Vec::new();
        let mut open: Option<u64> = None;
        let frames = self.frames(within);
        for (index, db) in (first..).zip(frames) {
            match (belongs(*db), open) {
                (true, None) => open = Some(index),
                (false, Some(start)) => {
                    runs.push(Span::new(start * FRAME_MS, index * FRAME_MS).within(within));
                    open = None;
                }
                _ => {}
            }
        }
        if let Some(start) = open {
            runs.push(Span::new(start * FRAME_MS, within.end_ms).within(within));
        }
        runs
    }
}

fn place(number: u64) -> usize {
    usize::try_from(number).unwrap_or(usize::MAX)
}

/// Measures a recording that comes in pieces.
#[derive(Debug, Clone, Default)]
pub struct Meter {
    frames: Vec<i8>,
    samples: u64,
    /// Of the frame that is not complete.
    energy: u64,
    count: u64,
}

impl Meter {
    /// Takes in more samples.
    pub fn feed(&mut self, samples: &[i16]) {
        self.samples += samples.len() as u64;
        for &sample in samples {
            let sample = i64::from(sample);
            self.energy += (sample * sample).unsigned_abs();
            self.count += 1;
            if self.count == SAMPLES_PER_MS * FRAME_MS {
                self.close();
            }
        }
    }

    /// The loudness of everything. What is left of a millisecond at the end counts as one.
    pub fn finish(mut self) -> Loudness {
        if self.count > 0 {
            self.close();
        }
        let silent_db = silent_db(&self.frames);
        let duration_ms = self.samples.div_ceil(SAMPLES_PER_MS);
        Loudness { frames: self.frames, duration_ms, silent_db }
    }

    fn close(&mut self) {
        self.frames.push(level(self.energy, self.count));
        self.energy = 0;
        self.count = 0;
    }
}

/// Root mean square of samples with this sum of squares, in dB relative to full scale.
#[expect(
    clippy::cast_precision_loss,
    clippy::cast_possible_truncation,
    reason = "clamped to −96…0"
)]
fn level(energy: u64, count: u64) -> i8 {
    let mean = energy as f64 / count as f64;
    let full = 32_768.0 * 32_768.0;
    (10.0 * (mean / full).log10()).clamp(f64::from(FLOOR_DB), 0.0) as i8
}

/// Where silence begins: a little above the background (the quietest tenth), but well below the voices (the loudest
/// tenth). A recording without such a difference, such as music, has no silence.
fn silent_db(frames: &[i8]) -> i8 {
    let mut counts = [0_usize; 97];
    for db in frames {
        counts[usize::from(db.unsigned_abs())] += 1;
    }
    // From the loudest: index 0 is full scale.
    let at_share = |tenths: usize| {
        let wanted = frames.len() * tenths / 10;
        let mut seen = 0;
        let reached = counts.iter().position(|count| {
            seen += count;
            seen > wanted
        });
        i8::try_from(reached.unwrap_or(96)).map_or(FLOOR_DB, |db| -db)
    };
    let (voices, background) = (at_share(1), at_share(9));
    let level = (background + ABOVE_BACKGROUND_DB).min(voices.saturating_sub(BELOW_VOICES_DB));
    level.max(ALWAYS_SILENT_DB)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A tone of this amplitude for so many milliseconds.
    fn tone(amplitude: i16, ms: usize) -> Vec<i16> {
        (0..ms * 16).map(|it| if it % 2 == 0 { amplitude } else { -amplitude }).collect()
    }

    fn spans(spans: &[Span]) -> Vec<(u64, u64)> {
        spans.iter().map(|span| (span.start_ms, span.end_ms)).collect()
    }

    #[test]
    fn a_level_is_in_decibels_below_full_scale() {
        let loudness = Loudness::of(&tone(3277, 10));
        assert_eq!(loudness.frames, [-19], "a tenth of full scale is −20 dB, cut off towards 0");
        assert_eq!(Loudness::of(&tone(0, 10)).frames, [-96]);
    }

    #[test]
    fn silence_is_found_between_sounds() {
        let samples = [tone(5000, 1000), tone(0, 300), tone(5000, 500), tone(0, 150)].concat();
        let loudness = Loudness::of(&samples);
        let all = Span::new(0, loudness.duration_ms());
        assert_eq!(spans(&loudness.silences(all, 200)), [(1000, 1300)]);
        assert_eq!(spans(&loudness.sounds(all)), [(0, 1000), (1300, 1950)]);
    }

    #[test]
    fn a_noisy_pause_is_silence_beside_voices() {
        let samples = [tone(5000, 1000), tone(100, 400), tone(5000, 1000)].concat();
        let loudness = Loudness::of(&samples);
        let all = Span::new(0, loudness.duration_ms());
        assert_eq!(spans(&loudness.silences(all, 200)), [(1000, 1400)]);
    }

    #[test]
    fn steady_sound_has_no_silence_and_digital_silence_no_sound() {
        let all = Span::new(0, 1000);
        assert_eq!(Loudness::of(&tone(800, 1000)).silences(all, 10), []);
        assert_eq!(Loudness::of(&tone(0, 1000)).sounds(all), []);
        assert_eq!(Loudness::of(&[]).sounds(all), []);
    }

    #[test]
    fn a_quiet_voice_is_no_silence() {
        let samples = [tone(60, 1000), tone(0, 400), tone(60, 1000)].concat();
        let loudness = Loudness::of(&samples);
        assert_eq!(spans(&loudness.sounds(Span::new(0, 2400))), [(0, 1000), (1400, 2400)]);
    }
}
