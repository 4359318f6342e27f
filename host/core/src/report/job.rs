//! The figures of one job.
//!
//! Owns: what is remembered about a job, and what is derived from that.
//! Never: keeps more than a handful of faults; the journal has them all.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use crate::fault::{Code, Fault};
use crate::ids::{AttemptId, Step};
use crate::job::JobSpec;
use crate::limits::{HttpUsage, SpeechUsage, Usage};
use crate::state::{JobState, Progress};
use crate::units::{ByteSize, Fuel, Timestamp};

/// Faults of failed steps that are kept word for word; the others are only counted.
pub const FAULTS_KEPT_MAX: usize = 20;

/// A step that failed for good.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StepFault {
    /// Its last attempt.
    pub attempt: AttemptId,
    /// Why.
    pub fault: Fault,
}

/// What is known about one job.
#[derive(Debug, Clone, PartialEq)]
pub struct JobReport {
    /// The job as accepted.
    pub spec: Arc<JobSpec>,
    /// When the job was accepted.
    pub accepted_at: Timestamp,
    /// When its first attempt was ordered.
    pub started_at: Option<Timestamp>,
    /// When it ended.
    pub ended_at: Option<Timestamp>,
    /// When anything last became true of it.
    pub changed_at: Timestamp,
    /// How many chunks it has; none before they are known.
    pub chunks: u32,
    /// Chunks that succeeded.
    pub chunks_done: u32,
    /// Those of them whose result is that of an earlier attempt, of this run or another.
    pub chunks_cached: u32,
    /// Chunks that failed for good by themselves.
    pub chunks_failed: u32,
    /// Chunks that ran when the job was stopped.
    pub chunks_stopped: u32,
    /// Attempts of all steps, without those that were taken back before they had their chance.
    pub attempts: u64,
    /// Those of them that came after a failure of the same step.
    pub retries: u64,
    /// Processor time of all attempts.
    pub cpu: Duration,
    /// Wall-clock time of all attempts, added up.
    pub busy: Duration,
    /// The most memory that one attempt held.
    pub memory_peak: ByteSize,
    /// Units of work of all attempts.
    pub fuel: Fuel,
    /// True where `fuel` is a lower bound.
    pub fuel_at_least: bool,
    /// Bytes handed to guests, by all attempts.
    pub input_bytes: ByteSize,
    /// Bytes written by guests, by all attempts.
    pub output_bytes: ByteSize,
    /// Calls that were denied for want of a grant.
    pub calls_denied: u64,
    /// What recognition of speech took, for all attempts.
    pub speech: SpeechUsage,
    /// What requests over HTTP took, for all attempts.
    pub http: HttpUsage,
    /// Size of the result.
    pub result_bytes: Option<ByteSize>,
    /// True once the result stands where the job wanted it.
    pub is_published: bool,
    /// Why the job ended without a result.
    pub fault: Option<Fault>,
    /// The first steps that failed for good.
    pub step_faults: Vec<StepFault>,
    /// All failed attempts, by code.
    pub attempt_faults: BTreeMap<Code, u64>,
    pub(super) progress: Progress,
    pub(super) is_stopping: bool,
    /// Steps that failed, were put off and have not ended.
    tried: BTreeSet<Step>,
    /// Order of acceptance.
    pub(super) sequence: u64,
}

impl JobReport {
    pub(super) fn new(spec: &Arc<JobSpec>, at: Timestamp, sequence: u64) -> Self {
        Self {
            spec: Arc::clone(spec),
            accepted_at: at,
            started_at: None,
            ended_at: None,
            changed_at: at,
            chunks: 0,
            chunks_done: 0,
            chunks_cached: 0,
            chunks_failed: 0,
            chunks_stopped: 0,
            attempts: 0,
            retries: 0,
            cpu: Duration::ZERO,
            busy: Duration::ZERO,
            memory_peak: ByteSize::ZERO,
            fuel: Fuel(0),
            fuel_at_least: false,
            input_bytes: ByteSize::ZERO,
            output_bytes: ByteSize::ZERO,
            calls_denied: 0,
            speech: SpeechUsage::default(),
            http: HttpUsage::default(),
            result_bytes: None,
            is_published: false,
            fault: None,
            step_faults: Vec::new(),
            attempt_faults: BTreeMap::new(),
            progress: Progress::default(),
            is_stopping: false,
            tried: BTreeSet::new(),
            sequence,
        }
    }

    /// The state that users see.
    pub fn state(&self) -> JobState {
        self.progress.state()
    }

    /// Attempts that run now.
    pub fn running(&self) -> u32 {
        self.progress.running
    }

    /// Steps that failed and wait to be tried again.
    pub fn retrying(&self) -> u32 {
        self.progress.retrying
    }

    /// Chunks that have ended, one way or another.
    pub fn chunks_ended(&self) -> u32 {
        self.chunks_done + self.chunks_failed + self.chunks_stopped
    }

    /// From acceptance to the first attempt; `None` before that.
    pub fn queue_wait(&self) -> Option<Duration> {
        self.started_at.map(|started| started.since(self.accepted_at))
    }

    /// From the first attempt to the end, or to the last event while there is no end.
    pub fn wall(&self) -> Option<Duration> {
        let end = self.ended_at.unwrap_or(self.changed_at);
        self.started_at.map(|started| end.since(started))
    }

    /// Bytes of input worked through per second of [`wall`](Self::wall).
    pub fn throughput(&self) -> Option<ByteSize> {
        let micros = self.wall()?.as_micros().max(1);
        let per_second = u128::from(self.input_bytes.0) * 1_000_000 / micros;
        Some(ByteSize(u64::try_from(per_second).unwrap_or(u64::MAX)))
    }

    pub(super) fn add(&mut self, usage: &Usage) {
        self.cpu = self.cpu.saturating_add(usage.cpu);
        self.busy = self.busy.saturating_add(usage.wall);
        self.memory_peak = self.memory_peak.max(usage.memory_peak);
        self.fuel.0 = self.fuel.0.saturating_add(usage.fuel.0);
        self.fuel_at_least |= usage.fuel_at_least;
        self.input_bytes.0 = self.input_bytes.0.saturating_add(usage.input_bytes.0);
        self.output_bytes.0 = self.output_bytes.0.saturating_add(usage.output_bytes.0);
        self.calls_denied += u64::from(usage.calls_denied);
        self.http.add(usage.http);
        self.speech.audio = self.speech.audio.saturating_add(usage.speech.audio);
        self.speech.cpu = self.speech.cpu.saturating_add(usage.speech.cpu);
    }

    pub(super) fn start(&mut self, step: Step, at: Timestamp) {
        self.attempts += 1;
        self.started_at.get_or_insert(at);
        self.progress.running += 1;
        if self.has_failed(step) {
            self.retries += 1;
            self.progress.retrying -= 1;
        }
    }

    fn has_failed(&self, step: Step) -> bool {
        !self.tried.is_empty() && self.tried.contains(&step)
    }

    pub(super) fn leave(&mut self) {
        self.progress.running = self.progress.running.saturating_sub(1);
    }

    pub(super) fn put_off(&mut self, step: Step) {
        self.tried.insert(step);
        self.progress.retrying += 1;
    }

    pub(super) fn give_back(&mut self, step: Step) {
        self.leave();
        self.attempts -= 1;
        if self.has_failed(step) {
            self.retries -= 1;
            self.progress.retrying += 1;
        }
    }

    /// The step begins anew if it is ever needed again.
    pub(super) fn succeed(&mut self, step: Step) {
        self.tried.remove(&step);
    }

    pub(super) fn give_up(&mut self, attempt: &AttemptId, fault: &Fault) {
        if let Step::Run(_) = attempt.step {
            let count =
                if self.is_stopping { &mut self.chunks_stopped } else { &mut self.chunks_failed };
            *count += 1;
        }
        if !self.is_stopping && self.step_faults.len() < FAULTS_KEPT_MAX {
            self.step_faults.push(StepFault { attempt: attempt.clone(), fault: fault.clone() });
        }
    }
}
