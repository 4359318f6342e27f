//! What an engine records, kept for tests: to wait for an event, and to look back at all of them.
//!
//! Owns: the only way for a test to wait: for something that became true, never for time to pass.
//! Never: waits for ever.

use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use pframe_core::event::{Event, Record};
use pframe_core::ids::{JobId, Step};
use pframe_host::Reporter;

/// How long a test waits for what must happen.
const PATIENCE: Duration = Duration::from_secs(60);

/// Everything that was recorded. Clones share it.
#[derive(Debug, Clone, Default)]
pub struct Diary(Arc<Inner>);

#[derive(Debug, Default)]
struct Inner {
    records: Mutex<Vec<Record>>,
    written: Condvar,
}

impl Diary {
    /// Whoever writes into this diary.
    pub fn reporter(&self) -> Box<dyn Reporter> {
        Box::new(Writer(self.clone()))
    }

    /// Everything so far.
    pub fn records(&self) -> Vec<Record> {
        self.lock().clone()
    }

    /// Everything so far about one job.
    pub fn of(&self, job: &JobId) -> Vec<Event> {
        let records = self.lock();
        let events = records.iter().map(|record| &record.event);
        events.filter(|event| event.job() == job).cloned().collect()
    }

    /// Waits until something is recorded that fits.
    ///
    /// # Panics
    ///
    /// Where that takes longer than a minute.
    pub fn wait_for(&self, what: &str, fits: impl Fn(&Event) -> bool) {
        let is_missing = |records: &mut Vec<Record>| !records.iter().any(|one| fits(&one.event));
        let waited = self.0.written.wait_timeout_while(self.lock(), PATIENCE, is_missing);
        let (records, timeout) = waited.unwrap_or_else(PoisonError::into_inner);
        assert!(!timeout.timed_out(), "waited in vain for {what}; recorded: {records:#?}");
    }

    /// Waits until an attempt at a job has started.
    pub fn wait_for_start(&self, job: &JobId) {
        self.wait_for(
            &format!("the start of {job}"),
            |event| matches!(event, Event::AttemptStarted { attempt, .. } if attempt.job == *job),
        );
    }

    /// Waits until the end of a job is written down. A handle knows it a moment earlier.
    pub fn wait_for_end(&self, job: &JobId) {
        self.wait_for(&format!("the end of {job}"), |event| {
            let is_end = matches!(
                event,
                Event::JobCompleted { .. } | Event::JobFailed { .. } | Event::JobCancelled { .. }
            );
            is_end && event.job() == job
        });
    }

    /// How many attempts ran at once at most, of those jobs that `counts`.
    pub fn most_at_once(&self, counts: impl Fn(&JobId) -> bool) -> usize {
        let (mut now, mut most) = (0_usize, 0);
        for record in self.lock().iter().filter(|record| counts(record.event.job())) {
            match record.event {
                Event::AttemptStarted { .. } => now += 1,
                Event::AttemptSucceeded { .. }
                | Event::CutSucceeded { .. }
                | Event::AttemptFailed { .. }
                | Event::AttemptReturned { .. } => now -= 1,
                _ => {}
            }
            most = most.max(now);
        }
        most
    }

    /// Jobs in the order in which their first chunk succeeded. With one slot that is the order in
    /// which they ran; starts are told by the batch, and some of a batch may be given back.
    pub fn order_of_successes(&self) -> Vec<String> {
        let records = self.lock();
        let successes = records.iter().filter_map(|record| match &record.event {
            Event::AttemptSucceeded { attempt, .. } if attempt.step == Step::Run(0) => {
                Some(attempt.job.to_string())
            }
            _ => None,
        });
        successes.collect()
    }

    fn lock(&self) -> MutexGuard<'_, Vec<Record>> {
        self.0.records.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

struct Writer(Diary);

impl Reporter for Writer {
    fn show(&mut self, records: &[Record]) {
        self.0.lock().extend_from_slice(records);
        self.0.0.written.notify_all();
    }
}
