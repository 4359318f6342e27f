//! One call: a recording, cut into windows that are recognised one by one, and stitched when the last is heard.
//!
//! Owns: that whoever called hears exactly once how it ended, whatever happens to the windows.
//! Never: retries a window more than once, and only where its process was lost.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use pframe_core::ids::TenantName;
use pframe_core::limits::SpeechUsage;
use pframe_core::units::show_duration;
use pframe_speech::{Part, Span, Transcript, segments, stitch};

use crate::capability::speech::SpeechError;
use crate::recogniser::{Heard, Listening, Model, Options, Window};

/// Words that are taken of one window.
const WINDOW_WORDS_MAX: usize = 1000;
/// The longest word that is taken.
const WORD_BYTES_MAX: usize = 256;

/// How a call ended.
pub(crate) type Ended = Result<Transcript, SpeechError>;

/// When a call ends, wanted or not.
#[derive(Debug, Clone, Copy)]
pub(super) struct Bounds {
    pub(super) deadline: Instant,
    /// Processor time.
    pub(super) cpu_max: Option<Duration>,
}

/// Hears how a call ended.
type Tell = Box<dyn FnOnce(&Call, Ended) + Send>;

/// A call from its acceptance to its end. The windows that wait and the caller share it.
pub(crate) struct Call {
    pub(super) tenant: TenantName,
    pub(super) model: Arc<Model>,
    pub(super) options: Options,
    pub(super) bounds: Bounds,
    is_over: AtomicBool,
    state: Mutex<State>,
}

struct State {
    parts: Vec<Option<Part>>,
    language: Option<String>,
    usage: SpeechUsage,
    tell: Option<Tell>,
}

/// A window of a call.
#[derive(Clone)]
pub(super) struct Work {
    pub(super) call: Arc<Call>,
    pub(super) index: usize,
    /// Where in the recording.
    pub(super) span: Span,
    pub(super) window: Window,
    /// It was tried already, and its process was lost.
    pub(super) is_second: bool,
}

impl Call {
    pub(super) fn new(
        (tenant, model, options): (TenantName, Arc<Model>, Options),
        bounds: Bounds,
        parts: Vec<Option<Part>>,
        tell: Tell,
    ) -> Self {
        let usage = SpeechUsage::default();
        let state = State { parts, language: None, usage, tell: Some(tell) };
        let (is_over, state) = (AtomicBool::new(false), Mutex::new(state));
        Self { tenant, model, options, bounds, is_over, state }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// True once it has ended, one way or another.
    pub(super) fn is_over(&self) -> bool {
        self.is_over.load(Ordering::Acquire)
    }

    /// What has gone into it so far.
    pub(crate) fn usage(&self) -> SpeechUsage {
        self.state().usage
    }

    /// Ends it with an error, unless it has ended.
    pub(crate) fn fail(&self, error: SpeechError) {
        self.end(Err(error));
    }

    fn end(&self, ended: Ended) {
        self.is_over.store(true, Ordering::Release);
        let tell = self.state().tell.take();
        if let Some(tell) = tell {
            tell(self, ended);
        }
    }

    /// Takes in what was heard in a window; the last one ends the call.
    pub(super) fn hear(&self, work: &Work, heard: Heard) {
        let mut state = self.state();
        state.usage.audio += Duration::from_millis(work.span.len_ms());
        state.language = state.language.take().or(heard.language);
        let mut words = heard.words;
        // Nobody says more in half a minute; a recogniser that was taken over, or a strange model, might.
        words.truncate(WINDOW_WORDS_MAX);
        words.retain(|word| word.text.len() <= WORD_BYTES_MAX);
        for word in &mut words {
            // A recogniser may hear nothing outside of its window.
            let start_ms = word.start_ms.min(work.span.len_ms());
            word.end_ms = work.span.start_ms + word.end_ms.clamp(start_ms, work.span.len_ms());
            word.start_ms = work.span.start_ms + start_ms;
        }
        // None where the call has ended meanwhile.
        if let Some(part) = state.parts.get_mut(work.index) {
            *part = Some(Part { span: work.span, words });
        }
        drop(state);
        self.end_if_complete();
    }

    /// Stitches, once every window was heard.
    pub(super) fn end_if_complete(&self) {
        let mut state = self.state();
        if state.tell.is_none() || state.parts.iter().any(Option::is_none) {
            return;
        }
        let parts = std::mem::take(&mut state.parts);
        let language = state.language.take();
        // Under the same lock: who else looks finds a call that has ended.
        let tell = state.tell.take();
        drop(state);
        self.is_over.store(true, Ordering::Release);
        let segments = segments(stitch(parts.into_iter().flatten()));
        if let Some(tell) = tell {
            tell(self, Ok(Transcript { language, segments }));
        }
    }

    /// It never was: whoever called hears why at once.
    pub(super) fn forget(&self) {
        self.is_over.store(true, Ordering::Release);
        self.state().tell = None;
    }

    /// Ends it where it has used what it may.
    fn check_bounds(&self) {
        if self.bounds.deadline <= Instant::now() {
            self.fail(SpeechError::Deadline);
        }
        let used = self.usage().cpu;
        if let Some(most) = self.bounds.cpu_max.filter(|most| used > *most) {
            let what = format!("`limits.cpu` leaves {} for recognition", show_duration(most));
            self.fail(SpeechError::Quota(what));
        }
    }
}

impl Listening for Call {
    fn is_cancelled(&self) -> bool {
        self.check_bounds();
        self.is_over()
    }

    fn charge(&self, cpu: Duration) {
        self.state().usage.cpu += cpu;
    }
}

/// A call that somebody waits for. When it falls, nobody wants it any more.
pub(crate) struct Waiting(pub(super) Arc<Call>);

impl Waiting {
    /// What has gone into it so far.
    pub(crate) fn usage(&self) -> SpeechUsage {
        self.0.usage()
    }

    /// Ends it.
    pub(crate) fn cancel(&self, error: SpeechError) {
        self.0.fail(error);
    }
}

impl Drop for Waiting {
    fn drop(&mut self) {
        self.0.fail(SpeechError::Cancelled);
    }
}
