//! Stored outputs that a job needs no longer once it has ended.
//!
//! Owns: which files of the results store each unfinished job stands on, stdin among them: a fold of the records.
//! Never: releases a result that somebody can still ask for: that of a completed job without a file of its own, of one that
//! another job works on, or of a chunk whose job is worth another try.

use std::collections::{HashMap, HashSet};

use pframe_core::event::{AfterFailure, Event, Output, Record};
use pframe_core::fault::Code;
use pframe_core::ids::{Digest, JobId};
use pframe_core::job::{JobSpec, Source};

use crate::data::results::ResultStore;

/// Follows the records and releases what has become useless.
pub(super) struct Leftovers {
    store: ResultStore,
    /// One entry for each stored output or input, the same digest as often as it was made.
    outputs: HashMap<JobId, Vec<Digest>>,
    /// Jobs whose result goes to a file of its own, until it is there.
    published: HashSet<JobId>,
    /// Jobs of which a chunk failed for good: what succeeded of them is taken over when they are taken up again.
    failed: HashSet<JobId>,
    /// Jobs that others depend on, each by a number of its own: an id is free again when its job has ended, while those
    /// that depend on the job still run.
    awaited: HashMap<u64, Awaited>,
    /// The number of the newest job of an id that others depend on.
    numbers: HashMap<JobId, u64>,
    next_number: u64,
    /// What jobs that have not ended depend on.
    after: HashMap<JobId, Vec<u64>>,
}

/// A job that others depend on.
struct Awaited {
    /// How many of them have not ended.
    left: u32,
    /// Its stored result, once it has one.
    result: Option<Digest>,
    /// True once the result stands in a file of its own: then only the others need the stored one.
    is_published: bool,
    /// True once one of the others is worth another try.
    is_needed_again: bool,
}

impl Leftovers {
    pub(super) fn new(store: ResultStore) -> Self {
        Self {
            store,
            outputs: HashMap::new(),
            published: HashSet::new(),
            failed: HashSet::new(),
            awaited: HashMap::new(),
            numbers: HashMap::new(),
            next_number: 0,
            after: HashMap::new(),
        }
    }

    /// Takes over what an earlier process recorded.
    pub(super) fn recover(&mut self, records: &[Record]) {
        for record in records {
            if let Event::AttemptSucceeded { output: Output::Stored { sha256, .. }, .. } =
                &record.event
            {
                self.store.use_older(*sha256);
            }
            for stored in inputs(&record.event) {
                self.store.use_older(stored);
            }
        }
        // Only now: what one job releases may be what a later one stands on.
        for record in records {
            self.see(&record.event);
        }
    }

    /// Folds a turn's records.
    pub(super) fn apply(&mut self, records: &[Record]) {
        for record in records {
            for stored in inputs(&record.event) {
                self.store.use_once_more(stored);
            }
            self.see(&record.event);
        }
    }

    fn see(&mut self, event: &Event) {
        match event {
            Event::AttemptSucceeded { attempt, output: Output::Stored { sha256, .. }, .. } => {
                self.outputs.entry(attempt.job.clone()).or_default().push(*sha256);
            }
            Event::JobAccepted { job } => self.accepted(job),
            Event::JobCompleted { job, output } => {
                self.leave(job);
                let result = output.as_ref().and_then(stored);
                if let Some(awaited) = self.awaited(job) {
                    awaited.result = result;
                }
                if !self.published.contains(job) {
                    self.let_go(job, result);
                }
            }
            Event::JobFailed { job, .. } => {
                self.failed.insert(job.clone());
                self.ended_without_result(job);
            }
            Event::JobCancelled { job, fault } => {
                match fault.code {
                    Code::DependencyFailed => self.failed.insert(job.clone()),
                    _ => self.failed.remove(job),
                };
                self.ended_without_result(job);
            }
            Event::ResultPublished { job } => {
                self.published.remove(job);
                let awaited = self.awaited(job).map(|awaited| {
                    awaited.is_published = true;
                    awaited.result
                });
                self.let_go(job, awaited.flatten());
            }
            Event::AttemptFailed { attempt, then: AfterFailure::GiveUp, .. } => {
                self.failed.insert(attempt.job.clone());
            }
            Event::ChunksPlanned { .. }
            | Event::AttemptStarted { .. }
            | Event::AttemptSucceeded { .. }
            | Event::CutSucceeded { .. }
            | Event::AttemptFailed { .. }
            | Event::AttemptReturned { .. }
            | Event::StopRequested { .. } => {}
        }
    }

    fn accepted(&mut self, job: &JobSpec) {
        for stored in job.inputs.iter().filter_map(Source::stored) {
            self.outputs.entry(job.id.clone()).or_default().push(stored);
        }
        if job.output.is_some() {
            self.published.insert(job.id.clone());
        }
        if job.dependents > 0 {
            let awaited = Awaited {
                left: job.dependents,
                result: None,
                is_published: false,
                is_needed_again: false,
            };
            self.next_number += 1;
            self.awaited.insert(self.next_number, awaited);
            self.numbers.insert(job.id.clone(), self.next_number);
        }
        if !job.after.is_empty() {
            let numbers = job.after.iter().filter_map(|needed| self.numbers.get(needed).copied());
            self.after.insert(job.id.clone(), numbers.collect());
        }
    }

    fn ended_without_result(&mut self, job: &JobId) {
        self.leave(job);
        if let Some(number) = self.numbers.remove(job) {
            self.awaited.remove(&number);
        }
        self.published.remove(job);
        self.let_go(job, None);
    }

    /// The newest job of this id, if others depend on it.
    fn awaited(&mut self, job: &JobId) -> Option<&mut Awaited> {
        self.awaited.get_mut(self.numbers.get(job)?)
    }

    /// The job needs nothing any more of what it depended on.
    fn leave(&mut self, job: &JobId) {
        for needed in self.after.remove(job).unwrap_or_default() {
            let Some(awaited) = self.awaited.get_mut(&needed) else { continue };
            awaited.left = awaited.left.saturating_sub(1);
            awaited.is_needed_again |= self.failed.contains(job);
            if awaited.left > 0 {
                continue;
            }
            let last = self.awaited.remove(&needed).filter(|awaited| awaited.is_published);
            match last.and_then(|it| it.result.map(|result| (result, it.is_needed_again))) {
                Some((result, true)) => self.store.leave(&result),
                Some((result, false)) => self.store.release(&result),
                None => {}
            }
        }
    }

    /// The job needs nothing any more but its result. What it made stays for `retry`, if chunks of it failed, until `gc`.
    fn let_go(&mut self, job: &JobId, mut result: Option<Digest>) {
        let is_taken_up = self.failed.remove(job);
        for digest in self.outputs.remove(job).unwrap_or_default() {
            match (result == Some(digest), is_taken_up) {
                (true, _) => result = None,
                (false, true) => self.store.leave(&digest),
                (false, false) => self.store.release(&digest),
            }
        }
    }
}

/// Stored inputs that a job brings. Only stdin is there before its job; results of other jobs come later, and are theirs.
fn inputs(event: &Event) -> impl Iterator<Item = Digest> {
    let job = match event {
        Event::JobAccepted { job } => Some(job),
        _ => None,
    };
    job.into_iter().flat_map(|job| job.inputs.iter().filter_map(Source::stored))
}

/// The file behind a result, if it has one.
fn stored(output: &Output) -> Option<Digest> {
    match output {
        Output::Stored { sha256, .. } => Some(*sha256),
        Output::Inline { .. } => None,
    }
}
