//! Where recordings are cut, how transcripts of the pieces become one, and how it is written.
//!
//! Owns: what host and handlers must do alike: [`Loudness`], [`cuts`], [`stitch`], [`Transcript`] and its written forms.
//! Never: decodes, recognises, reads or writes; everything here is a function of its arguments.
//!
//! A recording is 16 kHz mono of signed 16-bit samples; times are milliseconds from its start.

mod cuts;
mod formats;
mod loudness;
mod span;
mod stitch;
mod transcript;

pub use cuts::{Rule, cuts};
pub use formats::{srt, txt, vtt};
pub use loudness::{FRAME_MS, Loudness, Meter};
pub use span::{BYTES_PER_MS, SAMPLE_RATE, SAMPLES_PER_MS, Span, samples};
pub use stitch::{Part, stitch};
pub use transcript::{Segment, Transcript, Word, segments};
