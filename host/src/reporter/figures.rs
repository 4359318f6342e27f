//! The figures of a run that metrics and the closing statistics are made of.
//!
//! Owns: the fold from records to figures that the report does not keep: waits, live attempts, reservations.
//! Never: counts by hand; every figure is a fold of events.

use std::collections::HashMap;
use std::time::Duration;

use pframe_core::event::{AfterFailure, Event, Record};
use pframe_core::ids::{AttemptId, JobId};
use pframe_core::limits::Usage;
use pframe_core::report::{Report, Totals};
use pframe_core::units::ByteSize;
use prometheus_client::metrics::histogram::Histogram;

/// Upper bounds of the buckets in seconds: from a millisecond to an hour, in steps of about three.
const BUCKETS: [f64; 14] =
    [0.001, 0.003, 0.01, 0.03, 0.1, 0.3, 1.0, 3.0, 10.0, 30.0, 100.0, 300.0, 1000.0, 3600.0];
/// Jobs that have ended and are still known: none is asked for again.
const ENDED_KEPT: usize = 1;

/// Everything that is counted.
#[derive(Debug, Clone)]
pub(super) struct Figures {
    report: Report,
    /// Attempts that failed and are tried again.
    pub(super) retries: u64,
    /// Attempts that were taken back, which nobody is charged for.
    pub(super) returned: u64,
    /// Calls that were denied for want of a grant.
    pub(super) calls_denied: u64,
    /// Seconds from a job's acceptance to its first attempt.
    pub(super) queue_wait: Histogram,
    /// The longest of these.
    pub(super) queue_wait_max: Duration,
    /// Seconds that attempts took.
    pub(super) attempt_wall: Histogram,
    /// The most memory that one attempt held.
    pub(super) memory_peak: ByteSize,
    /// Attempts that run, with the memory reserved for each.
    live: HashMap<AttemptId, ByteSize>,
}

impl Figures {
    pub(super) fn new() -> Self {
        Self {
            report: Report::keeping(ENDED_KEPT),
            retries: 0,
            returned: 0,
            calls_denied: 0,
            queue_wait: Histogram::new(BUCKETS),
            queue_wait_max: Duration::ZERO,
            attempt_wall: Histogram::new(BUCKETS),
            memory_peak: ByteSize::ZERO,
            live: HashMap::new(),
        }
    }

    pub(super) fn totals(&self) -> &Totals {
        self.report.totals()
    }

    /// Attempts that run.
    pub(super) fn attempts_live(&self) -> u64 {
        self.live.len() as u64
    }

    /// Memory reserved for the attempts that run.
    pub(super) fn memory_reserved(&self) -> ByteSize {
        ByteSize(self.live.values().map(|memory| memory.bytes()).sum())
    }

    pub(super) fn apply(&mut self, records: &[Record]) {
        for record in records {
            let starts = self.first_started(&record.event).cloned();
            self.report.apply(record);
            self.see(&record.event);
            if let Some(wait) = starts.and_then(|job| self.report.job(&job)?.queue_wait()) {
                self.queue_wait.observe(wait.as_secs_f64());
                self.queue_wait_max = self.queue_wait_max.max(wait);
            }
        }
    }

    fn see(&mut self, event: &Event) {
        match event {
            Event::AttemptStarted { attempt, memory } => {
                self.live.insert(attempt.clone(), *memory);
            }
            Event::AttemptSucceeded { attempt, usage, .. }
            | Event::CutSucceeded { attempt, usage } => self.end(attempt, usage),
            Event::AttemptFailed { attempt, usage, then, .. } => {
                self.end(attempt, usage);
                self.retries += u64::from(matches!(then, AfterFailure::Retry { .. }));
            }
            Event::AttemptReturned { attempt } => {
                self.live.remove(attempt);
                self.returned += 1;
            }
            Event::JobAccepted { .. }
            | Event::ChunksPlanned { .. }
            | Event::StopRequested { .. }
            | Event::JobCompleted { .. }
            | Event::JobFailed { .. }
            | Event::JobCancelled { .. }
            | Event::ResultPublished { .. } => {}
        }
    }

    /// The job whose first attempt this event starts, before the report has heard of it.
    fn first_started<'a>(&self, event: &'a Event) -> Option<&'a JobId> {
        let Event::AttemptStarted { attempt, .. } = event else { return None };
        let job = self.report.job(&attempt.job)?;
        job.started_at.is_none().then_some(&attempt.job)
    }

    fn end(&mut self, attempt: &AttemptId, usage: &Usage) {
        self.live.remove(attempt);
        self.attempt_wall.observe(usage.wall.as_secs_f64());
        self.memory_peak = self.memory_peak.max(usage.memory_peak);
        self.calls_denied += u64::from(usage.calls_denied);
    }
}
