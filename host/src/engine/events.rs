//! What happens to one job, as it happens.
//!
//! Owns: the way of records from the engine to whoever follows a job.
//! Never: holds the engine up: who does not read is cut off, and told.

use std::sync::mpsc::{Receiver, SyncSender, TrySendError, sync_channel};
use std::sync::{Mutex, MutexGuard, PoisonError};

use pframe_core::event::Record;
use pframe_core::ids::JobId;

/// Records that may wait for a follower before it is cut off.
const WAITING_MAX: usize = 4096;

/// Records of one job from now on; ends with the job, or when its reader fell behind.
///
/// The bytes of small results are not part of the records' JSON, but of the records.
#[derive(Debug)]
pub struct JobEvents(Receiver<Record>);

impl Iterator for JobEvents {
    type Item = Record;

    /// Waits for the next record.
    fn next(&mut self) -> Option<Record> {
        self.0.recv().ok()
    }
}

/// Who follows which job.
#[derive(Debug, Default)]
pub(super) struct Followers(Mutex<Vec<(JobId, SyncSender<Record>)>>);

impl Followers {
    /// Follows a job from now on.
    pub(super) fn follow(&self, job: &JobId) -> JobEvents {
        let (sender, receiver) = sync_channel(WAITING_MAX);
        self.list().push((job.clone(), sender));
        JobEvents(receiver)
    }

    /// Hands records to those who follow their jobs.
    pub(super) fn tell(&self, records: &[Record]) {
        let mut list = self.list();
        if list.is_empty() {
            return;
        }
        for record in records {
            let job = record.event.job();
            list.retain(|(followed, sender)| {
                followed != job
                    || match sender.try_send(record.clone()) {
                        Ok(()) => true,
                        Err(TrySendError::Full(_) | TrySendError::Disconnected(_)) => false,
                    }
            });
        }
    }

    /// The job has ended: its followers have heard everything.
    pub(super) fn leave(&self, job: &JobId) {
        self.list().retain(|(followed, _)| followed != job);
    }

    /// The engine has ended.
    pub(super) fn leave_all(&self) {
        self.list().clear();
    }

    fn list(&self) -> MutexGuard<'_, Vec<(JobId, SyncSender<Record>)>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
