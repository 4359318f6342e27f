//! Chunks that failed for good, each with all that is needed to run it once more.
//!
//! Owns: [`DeadLetters`], a fold of events: which chunk of which job that was, with the results of other jobs that it worked on.
//! Never: counts what ended because its job was stopped.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::event::{AfterFailure, Event, Output};
use crate::fault::Fault;
use crate::ids::{AttemptId, JobId, Step};
use crate::job::{JobSpec, Slice};
use crate::scheduler::with_result;

/// A chunk that failed for good.
#[derive(Debug, Clone, PartialEq)]
pub struct FailedChunk {
    /// Its last attempt.
    pub attempt: AttemptId,
    /// Its job; the results of other jobs are in their places.
    pub job: Arc<JobSpec>,
    /// The chunk.
    pub slice: Slice,
    /// How many chunks the job has.
    pub count: u32,
    /// Why.
    pub fault: Fault,
}

/// Follows events and finds what failed for good.
#[derive(Debug, Clone, Default)]
pub struct DeadLetters {
    open: BTreeMap<JobId, Open>,
    /// Jobs that wait for another, by that one.
    waiting: BTreeMap<JobId, Vec<JobId>>,
    /// Results that jobs will ask for that are still to be accepted, and how many those are.
    results: BTreeMap<JobId, (Option<Output>, u32)>,
}

/// A job that has not ended.
#[derive(Debug, Clone)]
struct Open {
    job: Arc<JobSpec>,
    chunks: Option<Arc<[Slice]>>,
    is_stopping: bool,
}

impl DeadLetters {
    /// Folds an event; the answer is the chunk that failed for good with it.
    pub fn see(&mut self, event: &Event) -> Option<FailedChunk> {
        match event {
            Event::JobAccepted { job } => self.accepted(job),
            Event::ChunksPlanned { job, chunks } => {
                self.open.get_mut(job)?.chunks = Some(Arc::clone(chunks));
            }
            Event::StopRequested { job, .. } => self.open.get_mut(job)?.is_stopping = true,
            Event::AttemptFailed { attempt, fault, then: AfterFailure::GiveUp, .. } => {
                return self.failed(attempt, fault);
            }
            Event::JobCompleted { job, output } => self.completed(job, output.as_ref()),
            Event::JobFailed { job, .. } | Event::JobCancelled { job, .. } => {
                self.open.remove(job);
                self.waiting.remove(job);
            }
            Event::AttemptStarted { .. }
            | Event::AttemptSucceeded { .. }
            | Event::CutSucceeded { .. }
            | Event::AttemptFailed { .. }
            | Event::AttemptReturned { .. }
            | Event::ResultPublished { .. } => {}
        }
        None
    }

    fn accepted(&mut self, job: &Arc<JobSpec>) {
        // An id is free again once its job has ended: who depends on it from here on means this one.
        self.results.remove(&job.id);
        let mut found = Arc::clone(job);
        for needed in job.after.iter() {
            if let Some((output, left)) = self.results.get_mut(needed) {
                found = with_result(&found, needed, output.as_ref());
                *left -= 1;
                if *left == 0 {
                    self.results.remove(needed);
                }
            } else {
                self.waiting.entry(needed.clone()).or_default().push(job.id.clone());
            }
        }
        let open = Open { job: found, chunks: None, is_stopping: false };
        self.open.insert(job.id.clone(), open);
    }

    fn failed(&self, attempt: &AttemptId, fault: &Fault) -> Option<FailedChunk> {
        let Step::Run(chunk) = attempt.step else { return None };
        let open = self.open.get(&attempt.job).filter(|open| !open.is_stopping)?;
        let chunks = open.chunks.as_ref()?;
        Some(FailedChunk {
            attempt: attempt.clone(),
            job: Arc::clone(&open.job),
            slice: *chunks.get(chunk as usize)?,
            count: u32::try_from(chunks.len()).unwrap_or(u32::MAX),
            fault: fault.clone(),
        })
    }

    fn completed(&mut self, job: &JobId, output: Option<&Output>) {
        let Some(ended) = self.open.remove(job) else { return };
        let waiting = self.waiting.remove(job).unwrap_or_default();
        let came = u32::try_from(waiting.len()).unwrap_or(u32::MAX);
        let left = ended.job.dependents.saturating_sub(came);
        for id in waiting {
            if let Some(open) = self.open.get_mut(&id) {
                open.job = with_result(&open.job, job, output);
            }
        }
        if left > 0 {
            self.results.insert(job.clone(), (output.cloned(), left));
        }
    }
}
