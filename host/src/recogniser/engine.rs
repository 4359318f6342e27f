//! What a recogniser is asked, and what it answers.
//!
//! Owns: the trait that every recogniser implements, and its errors.

use pframe_speech::Word;
use serde::{Deserialize, Serialize};

/// How a window shall be recognised.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct Options {
    /// Code of the language, such as `en`; `None` lets the recogniser find out.
    pub(crate) language: Option<String>,
    /// What was said before, or words to expect.
    pub(crate) prompt: Option<String>,
    /// How many ways to go on are looked at.
    pub(crate) beam: Option<u32>,
    /// 0 takes the likeliest word always.
    pub(crate) temperature: Option<f32>,
}

/// What was heard in a window.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct Heard {
    /// In order; times count from the start of the window.
    pub(crate) words: Vec<Word>,
    /// Code of the language, where the recogniser knows.
    pub(crate) language: Option<String>,
}

/// Why a window was not recognised.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) enum Problem {
    /// It was told to stop.
    Cancelled,
    /// It cannot do what an option asks; in words.
    Option(String),
    /// It failed; in words.
    Failed(String),
}

/// Recognises one window at a time. It lives in a process of its own, on one thread.
pub(crate) trait Recogniser: Send {
    /// Listens to samples at 16 kHz. `is_cancelled` is asked several times a second where the recogniser can.
    fn recognise(
        &mut self,
        samples: &[i16],
        options: &Options,
        is_cancelled: &mut dyn FnMut() -> bool,
    ) -> Result<Heard, Problem>;
}
