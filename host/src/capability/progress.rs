//! `pframe:task/progress`: how far a handler is.
//!
//! Owns: the newest word of each attempt that said one. Its limit: one number is kept, the last wins.
//! It charges: a call's fuel. Its escape test: `a_flood_of_progress_costs_the_host_nothing`.
//! Never: queues anything, or keeps a number of an attempt that has ended.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use pframe_core::ids::{AttemptId, JobId};

use super::Capabilities;
use super::bindings::pframe::task::progress;

/// The newest words of all attempts that run. Clones share them: attempts write, handles read.
#[derive(Debug, Clone, Default)]
pub(crate) struct ProgressBoard(Arc<Mutex<BTreeMap<AttemptId, f32>>>);

impl ProgressBoard {
    /// The shares done of a job's running attempts, added up.
    pub(crate) fn sum(&self, job: &JobId) -> f32 {
        let words = self.words();
        words.iter().filter(|(attempt, _)| attempt.job == *job).map(|(_, done)| done).sum()
    }

    fn words(&self) -> MutexGuard<'_, BTreeMap<AttemptId, f32>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Hears how far one attempt is.
pub(crate) trait Progress: Send {
    /// The share done, from 0 to 1.
    fn say(&mut self, done: f32);
}

/// One attempt's place on the board. It is taken with the first word: most handlers never say one.
#[derive(Debug)]
pub(crate) struct ProgressSink {
    board: ProgressBoard,
    attempt: AttemptId,
    has_spoken: bool,
}

impl ProgressSink {
    pub(crate) fn new(board: &ProgressBoard, attempt: AttemptId) -> Self {
        Self { board: board.clone(), attempt, has_spoken: false }
    }
}

impl Progress for ProgressSink {
    fn say(&mut self, done: f32) {
        self.has_spoken = true;
        self.board.words().insert(self.attempt.clone(), done);
    }
}

impl Drop for ProgressSink {
    fn drop(&mut self) {
        if self.has_spoken {
            self.board.words().remove(&self.attempt);
        }
    }
}

impl progress::Host for Capabilities {
    fn report(&mut self, done: f32, _message: Option<String>) -> wasmtime::Result<()> {
        if done.is_finite() {
            self.progress.say(done.clamp(0.0, 1.0));
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_word_counts_and_goes_with_its_attempt() {
        let board = ProgressBoard::default();
        let attempt: AttemptId = "job-7/3#2".parse().unwrap();
        let mut sink = ProgressSink::new(&board, attempt.clone());
        sink.say(0.25);
        sink.say(0.5);
        assert!((board.sum(&attempt.job) - 0.5).abs() < f32::EPSILON);
        drop(sink);
        assert!(board.sum(&attempt.job).abs() < f32::EPSILON);
    }
}
