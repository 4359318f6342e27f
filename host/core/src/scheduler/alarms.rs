//! What happens by itself when time passes: retries come due, deadlines are missed.
//!
//! Owns: the order of the next moments.
//! Never: keeps a moment of a job that has ended.

use std::collections::BTreeSet;

use super::job::Job;
use super::slab::Key;
use crate::ids::Step;
use crate::units::Timestamp;

/// The moments to come.
#[derive(Debug, Clone, Default)]
pub(crate) struct Alarms {
    retries: BTreeSet<(Timestamp, Key<Job>, Step)>,
    deadlines: BTreeSet<(Timestamp, Key<Job>)>,
}

impl Alarms {
    pub(crate) fn set_retry(&mut self, at: Timestamp, job: Key<Job>, step: Step) {
        self.retries.insert((at, job, step));
    }

    pub(crate) fn clear_retry(&mut self, at: Timestamp, job: Key<Job>, step: Step) {
        self.retries.remove(&(at, job, step));
    }

    pub(crate) fn set_deadline(&mut self, at: Timestamp, job: Key<Job>) {
        self.deadlines.insert((at, job));
    }

    pub(crate) fn clear_deadline(&mut self, at: Timestamp, job: Key<Job>) {
        self.deadlines.remove(&(at, job));
    }

    /// Takes out the earliest retry that is due.
    pub(crate) fn next_due_retry(&mut self, now: Timestamp) -> Option<(Timestamp, Key<Job>, Step)> {
        if self.retries.first()?.0 > now {
            return None;
        }
        self.retries.pop_first()
    }

    /// The job whose deadline was missed first.
    pub(crate) fn missed_deadline(&self, now: Timestamp) -> Option<Key<Job>> {
        self.deadlines.first().filter(|first| first.0 <= now).map(|first| first.1)
    }

    /// When something happens next.
    pub(crate) fn next(&self) -> Option<Timestamp> {
        let retry = self.retries.first().map(|first| first.0);
        let deadline = self.deadlines.first().map(|first| first.0);
        retry.into_iter().chain(deadline).min()
    }

    pub(crate) fn retries(&self) -> impl Iterator<Item = &(Timestamp, Key<Job>, Step)> {
        self.retries.iter()
    }

    pub(crate) fn deadlines(&self) -> impl Iterator<Item = &(Timestamp, Key<Job>)> {
        self.deadlines.iter()
    }
}
