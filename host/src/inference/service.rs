//! The service itself: takes calls in, and has threads listen to their windows.
//!
//! Owns: the threads, one for each window that is listened to at once.
//! Never: runs anything of a recogniser in this process.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::{Duration, Instant};

use pframe_core::fault::{Code, Fault};
use pframe_core::ids::TenantName;
use pframe_speech::{BYTES_PER_MS, Loudness, Part, Rule, Span, cuts};

use super::call::{Bounds, Call, Ended, Waiting, Work};
use super::pool::Pool;
use super::queue::{FairQueue, Full};
use crate::capability::speech::SpeechError;
use crate::data::source::Bytes;
use crate::machine::memory_is_short;
use crate::process::errand::ErrandProgram;
use crate::recogniser::{Listening, Model, Models, Options, Problem, Unheard, Window};

/// How often idle threads look whether something is to be given up.
const LOOK_INTERVAL: Duration = Duration::from_secs(1);
/// How much faster than a recording it is recognised, on one core, at first: what a wait is estimated by.
const SPEED_GUESS: u32 = 5;

/// What is asked for.
pub(crate) struct Request {
    pub(crate) tenant: TenantName,
    pub(crate) model: Arc<Model>,
    pub(crate) options: Options,
    /// The recording, as samples.
    pub(crate) bytes: Bytes,
    pub(crate) loudness: Arc<Loudness>,
    /// Which part of it.
    pub(crate) span: Span,
    pub(crate) deadline: Instant,
    /// Processor time that it may take.
    pub(crate) cpu_max: Option<Duration>,
}

/// What the service needs to know before it starts.
#[derive(Debug, Clone)]
pub(crate) struct InferenceSettings {
    /// What recognisers are started from; none in a library that names no program.
    pub(crate) program: Option<ErrandProgram>,
    pub(crate) models: Models,
    /// Windows that are listened to at once.
    pub(crate) seats: u32,
    /// Windows of one tenant that may wait.
    pub(crate) waiting_max: usize,
    /// Shares of the tenants that have another than 1.
    pub(crate) weights: BTreeMap<TenantName, u32>,
}

/// Recognises speech for all attempts of this host.
pub(crate) struct Inference {
    settings: InferenceSettings,
    shared: OnceLock<Arc<Shared>>,
    /// Milliseconds that were listened to, or found to be silent.
    heard_ms: Arc<AtomicU64>,
}

struct Shared {
    pool: Pool,
    queue: Mutex<FairQueue<Work>>,
    changed: Condvar,
    is_closing: AtomicBool,
    heard_ms: Arc<AtomicU64>,
}

impl Inference {
    /// A service that starts with its first call.
    pub(crate) fn new(settings: InferenceSettings) -> Self {
        Self { settings, shared: OnceLock::new(), heard_ms: Arc::default() }
    }

    /// How much was listened to so far.
    pub(crate) fn heard(&self) -> Duration {
        Duration::from_millis(self.heard_ms.load(Ordering::Relaxed))
    }

    /// The models that can be asked for.
    pub(crate) fn models(&self) -> &Models {
        &self.settings.models
    }

    /// Takes a call in. `tell` hears how it ended, once, on a thread of the service.
    pub(crate) fn call(
        &self,
        request: Request,
        tell: impl FnOnce(&Call, Ended) + Send + 'static,
    ) -> Result<Waiting, SpeechError> {
        let shared = self.shared()?;
        let Request { tenant, model, options, bytes, loudness, span, deadline, cpu_max } = request;
        let weight = self.settings.weights.get(&tenant).copied().unwrap_or(1);
        let windows = cuts(&loudness, span, Rule::windows());
        // Where nothing is to be heard, recognisers only invent.
        let parts = windows.iter().map(|window| {
            let is_silent = loudness.sounds(*window).is_empty();
            is_silent.then(|| Part { span: *window, words: Vec::new() })
        });
        let parts: Vec<Option<Part>> = parts.collect();
        let silent_ms = parts.iter().flatten().map(|part| part.span.len_ms()).sum();
        let silent: Vec<bool> = parts.iter().map(Option::is_some).collect();
        if windows.len() > self.settings.waiting_max {
            // It would never find room.
            let (count, most) = (windows.len(), self.settings.waiting_max);
            let what = format!("{count} windows of 30 s, and `speech.max_queued` is {most}");
            return Err(SpeechError::InvalidAudio(what));
        }
        let bounds = Bounds { deadline, cpu_max };
        let call = Call::new((tenant.clone(), model, options), bounds, parts, Box::new(tell));
        let call = Arc::new(call);
        let works = windows.into_iter().enumerate().filter(|(index, _)| !silent[*index]);
        let works = works.map(|(index, span)| {
            let (offset, length) = (span.start_ms * BYTES_PER_MS, span.len_ms() * BYTES_PER_MS);
            let window = Window { bytes: bytes.clone(), offset, length };
            let work = Work { call: Arc::clone(&call), index, span, window, is_second: false };
            (Duration::from_millis(span.len_ms()), work)
        });
        let works: Vec<_> = works.collect();
        let mut queue = shared.queue();
        // What nobody wants any more takes no room.
        queue.retain(|waiting| !waiting.call.is_over());
        if let Err(Full) = queue.push(&tenant, weight, deadline, works) {
            call.forget();
            let wait = queue.length_of(&tenant) / self.settings.seats.max(1) / SPEED_GUESS;
            return Err(SpeechError::Busy(wait.max(Duration::from_millis(100))));
        }
        drop(queue);
        shared.changed.notify_all();
        self.heard_ms.fetch_add(silent_ms, Ordering::Relaxed);
        call.end_if_complete();
        Ok(Waiting(call))
    }

    fn shared(&self) -> Result<&Arc<Shared>, SpeechError> {
        let settings = &self.settings;
        let program = settings.program.clone().ok_or_else(|| {
            SpeechError::EngineFailed(
                "recognisers run in processes of their own, and `EngineBuilder::worker_program` \
                 names no program to start them from"
                    .into(),
            )
        })?;
        Ok(self.shared.get_or_init(|| {
            let shared = Arc::new(Shared {
                pool: Pool::new(program, settings.models.clone(), settings.seats),
                queue: Mutex::new(FairQueue::new(settings.waiting_max)),
                changed: Condvar::new(),
                is_closing: AtomicBool::new(false),
                heard_ms: Arc::clone(&self.heard_ms),
            });
            for _ in 0..settings.seats {
                let shared = Arc::clone(&shared);
                let thread = std::thread::Builder::new().name("pframe-listener".into());
                thread.spawn(move || shared.listen()).expect("a thread can be started");
            }
            shared
        }))
    }
}

impl Drop for Inference {
    fn drop(&mut self) {
        if let Some(shared) = self.shared.get() {
            shared.is_closing.store(true, Ordering::Release);
            shared.queue().retain(|_| false);
            shared.changed.notify_all();
        }
    }
}

impl Shared {
    fn queue(&self) -> MutexGuard<'_, FairQueue<Work>> {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A thread's life: one window after the other.
    fn listen(&self) {
        while let Some(work) = self.next() {
            self.work(work);
        }
    }

    /// The next window that somebody wants; none once the service ends.
    fn next(&self) -> Option<Work> {
        let mut queue = self.queue();
        loop {
            if self.is_closing.load(Ordering::Acquire) {
                return None;
            }
            if let Some(work) = queue.pop() {
                if work.call.is_cancelled() {
                    // Its neighbours are not wanted either.
                    queue.retain(|waiting| !waiting.call.is_over());
                    continue;
                }
                return Some(work);
            }
            let waited = self.changed.wait_timeout(queue, LOOK_INTERVAL);
            let (again, timeout) = waited.unwrap_or_else(PoisonError::into_inner);
            queue = again;
            if timeout.timed_out() {
                drop(queue);
                self.pool.tidy(memory_is_short());
                queue = self.queue();
            }
        }
    }

    fn work(&self, work: Work) {
        let mut placed = match self.pool.take(&work.call.model) {
            Ok(placed) => placed,
            Err(fault) => return work.call.fail(of_fault(&fault)),
        };
        let call = &*work.call;
        match placed.seat.listen(&work.window, &call.options, call) {
            Ok(heard) => {
                self.heard_ms.fetch_add(work.span.len_ms(), Ordering::Relaxed);
                call.hear(&work, heard);
                self.pool.give(placed);
                self.pool.tidy_now_and_then();
            }
            Err(Unheard::Problem(problem)) => {
                call.fail(match problem {
                    Problem::Cancelled => SpeechError::Cancelled,
                    Problem::Option(what) => SpeechError::InvalidOption(what),
                    Problem::Failed(what) => SpeechError::EngineFailed(what),
                });
                self.pool.give(placed);
            }
            Err(Unheard::Lost(fault)) => {
                self.pool.lose(&placed);
                drop(placed);
                self.try_again(work, &fault);
            }
        }
    }

    /// A window whose process was lost gets another one, once: it may have been a neighbour's doing.
    fn try_again(&self, work: Work, fault: &Fault) {
        if work.is_second || work.call.is_over() {
            return work.call.fail(of_fault(fault));
        }
        let (tenant, deadline) = (work.call.tenant.clone(), work.call.bounds.deadline);
        self.queue().put_back(&tenant, deadline, Work { is_second: true, ..work });
        self.changed.notify_all();
    }
}

fn of_fault(fault: &Fault) -> SpeechError {
    match fault.code {
        Code::ModelMissing => SpeechError::ModelNotFound(fault.detail.clone()),
        Code::OutOfMemory => SpeechError::OutOfMemory,
        _ => SpeechError::EngineFailed(fault.detail.clone()),
    }
}
