//! Speech recognition, done by the host.
//!
//! Owns: the calls of `pframe:audio/speech` in Rust's words, and the one table that says which of its errors are worth
//! another attempt.
//! Never: holds samples: audio stays with the host.
//!
//! Needs the job's grant `speech`, and `chunking: { strategy: time }` for the audio of a chunk.

use crate::bindings::speech::pframe::audio::speech as host;
pub use crate::bindings::speech::pframe::audio::speech::{
    Audio, Device, Error, Model, Options, Segment, Span, Transcript, Usage, Word,
};
use crate::failure::Failure;

/// The audio of the chunk that is worked on.
pub fn chunk_audio() -> Result<Audio, Error> {
    host::chunk_audio()
}

/// Audio from samples at 16 kHz, mono; at most 2 minutes.
pub fn from_samples(samples: &[i16]) -> Result<Audio, Error> {
    host::from_samples(samples)
}

/// The models that this job may use.
pub fn models() -> Result<Vec<Model>, Error> {
    host::models()
}

/// Options with a model and nothing else said.
pub fn options(model: impl Into<String>) -> Options {
    Options {
        model: model.into(),
        language: None,
        device: Device::Auto,
        prompt: None,
        beam: None,
        temperature: None,
        deadline: None,
    }
}

/// Why there is no transcript, as a sentence.
fn sentence(error: &host::Error) -> String {
    match error {
        host::Error::Denied => {
            "the job has no grant for speech recognition: `grants: [speech]`".to_owned()
        }
        host::Error::ModelNotFound(what) => format!("no such model: {what}"),
        host::Error::ModelNotAllowed(what) => format!("model not allowed: {what}"),
        host::Error::DeviceUnavailable(what) => format!("device not available: {what}"),
        host::Error::InvalidAudio(what) => format!("no audio: {what}"),
        host::Error::InvalidOption(what) => format!("option not possible: {what}"),
        host::Error::Quota(what) => format!("no processor time left: {what}"),
        host::Error::Busy(wait) => {
            format!("too much speech of this tenant waits; try again in {wait} ms")
        }
        host::Error::Deadline => "recognition did not end before its deadline".to_owned(),
        host::Error::Cancelled => "recognition was stopped".to_owned(),
        host::Error::OutOfMemory => "the recogniser ran out of memory".to_owned(),
        host::Error::EngineFailed(what) => format!("the recogniser failed: {what}"),
    }
}

/// The table: what may be better the next time is transient, what the job's author must change is invalid, the rest is
/// permanent.
impl From<host::Error> for Failure {
    fn from(error: host::Error) -> Self {
        let message = sentence(&error);
        match error {
            host::Error::Busy(_) | host::Error::OutOfMemory | host::Error::EngineFailed(_) => {
                Self::Transient(message)
            }
            host::Error::Denied
            | host::Error::ModelNotFound(_)
            | host::Error::ModelNotAllowed(_)
            | host::Error::DeviceUnavailable(_)
            | host::Error::InvalidAudio(_)
            | host::Error::InvalidOption(_) => Self::Invalid(message),
            host::Error::Quota(_) | host::Error::Deadline | host::Error::Cancelled => {
                Self::Permanent(message)
            }
        }
    }
}
