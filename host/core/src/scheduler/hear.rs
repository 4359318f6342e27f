//! What each message makes true.
//!
//! Owns: the first event that follows from a message, and the decision whether to try again.
//! Never: panics on a word that is late, doubled or about something unknown.

use std::sync::Arc;
use std::time::Duration;

use super::job::Job;
use super::message::{Message, Outcome};
use super::mind::Scheduler;
use super::slab::Key;
use crate::event::{AfterFailure, Event, Output};
use crate::fault::{Code, Fault, Retry};
use crate::ids::{AttemptId, JobId, Step};
use crate::job::{JobSpec, Slice};
use crate::limits::Usage;
use crate::policy::{LOSSES_MAX, PUT_OFFS_MAX};

impl Scheduler {
    pub(super) fn hear(&mut self, message: Message) {
        match message {
            Message::Submit { job, chunks } => self.on_submit(job, chunks),
            Message::AttemptEnded { attempt, usage, outcome } => {
                self.on_attempt_ended(attempt, usage, outcome);
            }
            Message::Cancel { job } => self.on_cancel(&job),
            Message::ResultPublished { job } => self.on_result_published(job),
            Message::CapacityChanged(capacity) => self.ledger.resize(capacity),
            Message::Drain => self.is_draining = true,
            Message::Tick => {}
        }
    }

    fn on_submit(&mut self, spec: Arc<JobSpec>, chunks: Option<Arc<[Slice]>>) {
        let key = self.accept(&spec).expect("the engine made sure that the id is not in use");
        let id = spec.id.clone();
        self.decision.events.push(Event::JobAccepted { job: spec });
        if let Some(chunks) = chunks {
            self.record(key, Event::ChunksPlanned { job: id, chunks });
        }
        match self.too_big(key) {
            Some(fault) => self.stop(key, fault, Code::JobStopped),
            None => self.settle(key),
        }
    }

    fn on_attempt_ended(&mut self, attempt: AttemptId, usage: Usage, outcome: Outcome) {
        let Some(&key) = self.job_of.get(&attempt.job) else { return };
        let running = self.jobs[key].running(attempt.step, attempt.number);
        let Some(batch) = running.map(|running| running.batch) else { return };
        match (outcome, attempt.step) {
            (Outcome::Output(output), Step::Run(_) | Step::Collect) => {
                self.on_output(key, attempt, usage, output);
            }
            (Outcome::Cuts(chunks), Step::Cut) => self.on_cuts(key, attempt, usage, chunks),
            (Outcome::Failed(fault), _) => self.on_failed(key, attempt, usage, fault),
            (Outcome::PutOff { fault, after }, _) => {
                self.on_put_off(key, attempt, usage, (fault, after));
            }
            (Outcome::Returned, _) => self.record(key, Event::AttemptReturned { attempt }),
            (Outcome::Output(_), Step::Cut) | (Outcome::Cuts(_), _) => {
                let fault =
                    Fault::new(Code::Bug).detail("the attempt ended as one of another step");
                self.on_failed(key, attempt, usage, fault);
            }
        }
        if let Some(batch) = batch {
            self.leave_batch(batch);
        }
        self.settle(key);
    }

    fn on_output(&mut self, key: Key<Job>, attempt: AttemptId, usage: Usage, output: Output) {
        self.record(key, Event::AttemptSucceeded { attempt, usage, output });
    }

    fn on_cuts(&mut self, key: Key<Job>, attempt: AttemptId, usage: Usage, chunks: Arc<[Slice]>) {
        let job = attempt.job.clone();
        self.record(key, Event::CutSucceeded { attempt, usage });
        if self.jobs[key].is_open() {
            self.record(key, Event::ChunksPlanned { job, chunks });
        }
    }

    pub(super) fn on_failed(
        &mut self,
        key: Key<Job>,
        attempt: AttemptId,
        usage: Usage,
        fault: Fault,
    ) {
        let then = self.after_failure(key, &attempt, fault.code.retry());
        self.record(key, Event::AttemptFailed { attempt, usage, fault, then });
    }

    /// Nothing is charged to the retries of its job: it was not the attempt's fault.
    fn on_put_off(
        &mut self,
        key: Key<Job>,
        attempt: AttemptId,
        usage: Usage,
        (fault, after): (Fault, Duration),
    ) {
        let job = &self.jobs[key];
        let state = job.step(attempt.step).expect("the attempt runs");
        let then = match job.is_open() && state.put_offs < PUT_OFFS_MAX {
            true => AfterFailure::Retry { at: self.now.after(after) },
            false => AfterFailure::GiveUp,
        };
        self.record(key, Event::AttemptFailed { attempt, usage, fault, then });
    }

    fn after_failure(&self, key: Key<Job>, attempt: &AttemptId, retry: Retry) -> AfterFailure {
        let job = &self.jobs[key];
        let state = job.step(attempt.step).expect("the attempt runs");
        let policy = &job.spec.retry;
        let (earlier, most) = match retry {
            Retry::Never => return AfterFailure::GiveUp,
            Retry::ByPolicy => (state.failures, policy.retries_max),
            Retry::AfterLoss => (state.losses, LOSSES_MAX),
            Retry::WhenFree => (state.put_offs, PUT_OFFS_MAX),
        };
        if earlier >= most || !job.is_open() {
            return AfterFailure::GiveUp;
        }
        AfterFailure::Retry { at: self.now.after(policy.delay_after(attempt, earlier + 1)) }
    }

    fn on_cancel(&mut self, job: &JobId) {
        let Some(&key) = self.job_of.get(job) else { return };
        if self.jobs[key].is_open() {
            self.stop(key, Fault::new(Code::Cancelled), Code::Cancelled);
        }
    }

    fn on_result_published(&mut self, job: JobId) {
        let Some(&key) = self.job_of.get(&job) else { return };
        if self.jobs[key].ending.is_some() {
            self.record(key, Event::ResultPublished { job });
        }
    }

    pub(super) fn miss_deadlines(&mut self) {
        while let Some(key) = self.alarms.missed_deadline(self.now) {
            self.stop(key, Fault::new(Code::DeadlineOfJob), Code::DeadlineOfJob);
        }
    }
}
