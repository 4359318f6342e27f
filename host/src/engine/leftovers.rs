//! Stored outputs that a job needs no longer once it has ended.
//!
//! Owns: which files of the results store each unfinished job stands on: a fold of the records.
//! Never: releases a result that somebody can still ask for: that of a completed job without a file of its own.

use std::collections::{HashMap, HashSet};

use pframe_core::event::{Event, Output, Record};
use pframe_core::ids::{Digest, JobId};

use crate::data::results::ResultStore;

/// Follows the records and releases what has become useless.
pub(super) struct Leftovers {
    store: ResultStore,
    /// One entry for each stored output, the same digest as often as it was made.
    outputs: HashMap<JobId, Vec<Digest>>,
    /// Jobs whose result goes to a file of its own.
    published: HashSet<JobId>,
}

impl Leftovers {
    pub(super) fn new(store: ResultStore) -> Self {
        Self { store, outputs: HashMap::new(), published: HashSet::new() }
    }

    /// Takes over what an earlier process recorded.
    pub(super) fn recover(&mut self, records: &[Record]) {
        for record in records {
            if let Event::AttemptSucceeded { output: Output::Stored { sha256, .. }, .. } =
                &record.event
            {
                self.store.use_once_more(*sha256);
            }
        }
        self.apply(records);
    }

    /// Folds a turn's records.
    pub(super) fn apply(&mut self, records: &[Record]) {
        for record in records {
            self.see(&record.event);
        }
    }

    fn see(&mut self, event: &Event) {
        match event {
            Event::AttemptSucceeded { attempt, output: Output::Stored { sha256, .. }, .. } => {
                self.outputs.entry(attempt.job.clone()).or_default().push(*sha256);
            }
            Event::JobAccepted { job } if job.output.is_some() => {
                self.published.insert(job.id.clone());
            }
            Event::JobCompleted { job, output } => {
                if !self.published.contains(job) {
                    self.release_all_but(job, output.as_ref());
                }
            }
            Event::JobFailed { job, .. }
            | Event::JobCancelled { job, .. }
            | Event::ResultPublished { job } => {
                self.published.remove(job);
                self.release_all_but(job, None);
            }
            Event::JobAccepted { .. }
            | Event::ChunksPlanned { .. }
            | Event::AttemptStarted { .. }
            | Event::AttemptSucceeded { .. }
            | Event::CutSucceeded { .. }
            | Event::AttemptFailed { .. }
            | Event::AttemptReturned { .. }
            | Event::StopRequested { .. } => {}
        }
    }

    fn release_all_but(&mut self, job: &JobId, result: Option<&Output>) {
        let mut kept = match result {
            Some(Output::Stored { sha256, .. }) => Some(*sha256),
            Some(Output::Inline { .. }) | None => None,
        };
        for digest in self.outputs.remove(job).unwrap_or_default() {
            match kept == Some(digest) {
                true => kept = None,
                false => self.store.release(&digest),
            }
        }
    }
}
