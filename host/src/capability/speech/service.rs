//! What is asked of whoever recognises speech for an attempt, and what comes back: the same on a thread of the host and
//! behind a worker's line.
//!
//! Owns: the words of that conversation, and the account of what it took.
//! Never: knows how speech is recognised, or what a guest's handles are.

use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use pframe_core::fault::{Code, Fault};
use pframe_core::limits::SpeechUsage;
use pframe_speech::{Span, Transcript};
use serde::{Deserialize, Serialize};

/// The longest code of a language.
const LANGUAGE_BYTES_MAX: usize = 16;
/// The longest prompt: recognisers use its last 220 words or so.
const PROMPT_BYTES_MAX: usize = 2048;
/// Why there is no transcript.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) enum SpeechError {
    Denied,
    ModelNotFound(String),
    ModelNotAllowed(String),
    DeviceUnavailable(String),
    InvalidAudio(String),
    InvalidOption(String),
    Quota(String),
    Busy(Duration),
    Deadline,
    Cancelled,
    OutOfMemory,
    EngineFailed(String),
}

/// Which models an attempt may use.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub(crate) enum SpeechGrant {
    /// None: speech was not granted.
    #[default]
    Denied,
    /// Those of these names.
    Only(Vec<String>),
    /// All that the host has.
    Any,
}

impl SpeechGrant {
    /// The error of a model that may not be used.
    pub(crate) fn check(&self, model: &str) -> Result<(), SpeechError> {
        match self {
            Self::Any => Ok(()),
            Self::Only(names) if names.iter().any(|name| name == model) => Ok(()),
            Self::Only(names) => {
                let shown = model.escape_debug();
                let what = format!("`{shown}`; this job may use {}", names.join(", "));
                Err(SpeechError::ModelNotAllowed(what))
            }
            Self::Denied => Err(SpeechError::Denied),
        }
    }
}

/// What is to be listened to.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) enum Sound {
    /// A part of the recording that the attempt's chunk was cut from.
    Recording(Span),
    /// A part of samples that the guest brought.
    Own(Vec<u8>),
}

/// A call of `transcribe`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Question {
    pub(crate) sound: Sound,
    pub(crate) model: String,
    pub(crate) language: Option<String>,
    pub(crate) needs_gpu: bool,
    pub(crate) prompt: Option<String>,
    pub(crate) beam: Option<u32>,
    pub(crate) temperature: Option<f32>,
    pub(crate) deadline: Option<Duration>,
}

impl Question {
    /// The error of an option that is longer than anybody needs: recognisers are native code, and each reads it.
    pub(crate) fn check(&self) -> Result<(), SpeechError> {
        let is_short = |text: &Option<String>, most: usize| {
            text.as_ref().is_none_or(|text| text.len() <= most)
        };
        if !is_short(&self.language, LANGUAGE_BYTES_MAX) {
            return Err(SpeechError::InvalidOption(
                "a language is a short code such as `en`".into(),
            ));
        }
        if !is_short(&self.prompt, PROMPT_BYTES_MAX) {
            let what = format!("a prompt has at most {PROMPT_BYTES_MAX} bytes");
            return Err(SpeechError::InvalidOption(what));
        }
        Ok(())
    }
}

/// What `transcribe` came to; times count from the start of the recording, or of the guest's own samples.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Answer {
    pub(crate) transcript: Transcript,
    pub(crate) usage: SpeechUsage,
}

/// A model, as guests are told of it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct KnownModel {
    pub(crate) name: String,
    pub(crate) family: String,
    pub(crate) languages: Vec<String>,
}

/// A call that is under way.
pub(crate) type Asked<'a> = Pin<Box<dyn Future<Output = Result<Answer, SpeechError>> + Send + 'a>>;

/// Who recognises speech for an attempt.
pub(crate) trait SpeechService: Send {
    /// All models of the host.
    fn models(&mut self) -> Result<Vec<KnownModel>, SpeechError>;
    /// Recognises. Who lets the call fall cancels it.
    fn transcribe(&mut self, question: Question) -> Asked<'_>;
}

/// What an attempt's recognition took so far; whoever recognises adds to it.
#[derive(Debug, Clone, Default)]
pub(crate) struct SpeechAccount(Arc<Mutex<Account>>);

impl SpeechAccount {
    /// Adds what a call took.
    pub(crate) fn add(&self, usage: SpeechUsage) {
        let total = &mut self.lock().usage;
        total.audio += usage.audio;
        total.cpu += usage.cpu;
    }

    /// What it comes to.
    pub(crate) fn total(&self) -> SpeechUsage {
        self.lock().usage
    }

    /// Takes down how the last call was answered: with so much to wait, or not.
    pub(crate) fn note_wait(&self, wait: Option<Duration>) {
        self.lock().wait = wait;
    }

    /// What follows from an attempt that ended with this fault: one whose last call found no room, and that asks for another
    /// try, came at a bad moment and did not fail.
    pub(crate) fn put_off(&self, fault: &Fault) -> Option<Duration> {
        self.lock().wait.filter(|_| fault.code == Code::Transient)
    }

    fn lock(&self) -> MutexGuard<'_, Account> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[derive(Debug, Default)]
struct Account {
    usage: SpeechUsage,
    /// The last call was refused for want of room, and may be worth another try after this.
    wait: Option<Duration>,
}
