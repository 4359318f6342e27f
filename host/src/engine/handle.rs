//! Handles: how a user follows a job, waits for it, reads its result, or ends it.
//!
//! Owns: the user's side of a submitted job.
//! Never: keeps the engine alive; a handle of an engine that is gone has an ending.

use std::io::Write;
use std::sync::Arc;
use std::time::Duration;

use pframe_core::event::Output;
use pframe_core::fault::{Code, Fault};
use pframe_core::ids::JobId;
use pframe_core::report::JobReport;
use pframe_core::scheduler::Message;
use pframe_core::state::JobState;
use pframe_core::units::ByteSize;

use super::events::JobEvents;
use super::ledger::{Cell, Ledger};
use crate::capability::progress::ProgressBoard;
use crate::data::publish::copy;
use crate::data::results::ResultStore;
use crate::inbox::Inbox;

/// One submitted job. Clones follow the same job.
#[derive(Debug, Clone)]
pub struct JobHandle {
    pub(super) id: JobId,
    pub(super) cell: Arc<Cell>,
    pub(super) ledger: Arc<Ledger>,
    pub(super) inbox: Arc<Inbox>,
    pub(super) progress: ProgressBoard,
    pub(super) results: ResultStore,
}

impl JobHandle {
    /// The job's id.
    pub fn id(&self) -> &JobId {
        &self.id
    }

    /// The job's state, as recorded; `Pending` until the job is recorded.
    pub fn status(&self) -> JobState {
        match self.cell.ending() {
            Some(Err(fault)) if self.report().is_none() => ended_early(&fault),
            _ => self.report().map_or(JobState::Pending, |report| report.state()),
        }
    }

    /// True for a job without a file of its own that others work on, unless its result was asked for as well.
    pub(crate) fn is_for_others(&self) -> bool {
        self.cell.is_for_others()
    }

    /// True where a result could not be put where it was wanted.
    pub(crate) fn is_unpublished(&self) -> bool {
        self.cell.is_unpublished()
    }

    /// Everything recorded about the job, summed up; `None` until it is recorded.
    pub fn report(&self) -> Option<JobReport> {
        self.ledger.report().job(&self.id).cloned()
    }

    /// The job's records from now on, as they are made; the iterator waits for each.
    pub fn events(&self) -> JobEvents {
        let events = self.ledger.followers.follow(&self.id);
        if self.cell.ending().is_some() {
            self.ledger.followers.leave(&self.id);
        }
        events
    }

    /// How far the job is, between 0 and 1: chunks that have ended, and what running ones say of themselves.
    pub fn progress(&self) -> f32 {
        let Some(report) = self.report() else { return 0.0 };
        if report.state().is_terminal() {
            return 1.0;
        }
        #[expect(clippy::cast_precision_loss, reason = "a share for people")]
        let (ended, chunks) = (report.chunks_ended() as f32, report.chunks.max(1) as f32);
        ((ended + self.progress.sum(&self.id)) / chunks).min(1.0)
    }

    /// Waits until the job is recorded, on a thread that may block: from then on it outlives a crash, where the engine
    /// has a state directory. The error is why it was refused.
    pub fn wait_recorded_blocking(&self) -> Result<(), Fault> {
        self.cell.wait_recorded_blocking()
    }

    /// Waits for the end.
    pub async fn wait(&self) -> Result<JobOutput, Fault> {
        self.output_of(self.cell.wait().await)
    }

    /// Waits for the end, on a thread that may block.
    pub fn wait_blocking(&self) -> Result<JobOutput, Fault> {
        self.output_of(self.cell.wait_blocking())
    }

    /// The end, if it has come.
    pub fn try_wait(&self) -> Option<Result<JobOutput, Fault>> {
        self.cell.ending().map(|ending| self.output_of(ending))
    }

    /// Asks for the end; the job ends as `cancelled` unless it ended before.
    pub fn cancel(&self) {
        self.inbox.send(Message::Cancel { job: self.id.clone() });
    }

    fn output_of(&self, ending: super::ledger::Ending) -> Result<JobOutput, Fault> {
        ending.map(|output| JobOutput { output, results: self.results.clone() })
    }
}

fn ended_early(fault: &Fault) -> JobState {
    match fault.code {
        Code::Cancelled | Code::Drained => JobState::Cancelled,
        _ => JobState::Failed,
    }
}

/// The result of a completed job.
#[derive(Debug, Clone)]
pub struct JobOutput {
    output: Option<Output>,
    results: ResultStore,
}

impl JobOutput {
    /// A result that lies in this store.
    pub(super) fn of(output: Output, results: ResultStore) -> Self {
        Self { output: Some(output), results }
    }

    /// Bytes of the result; zero where it was written to the file that the job named.
    pub fn size(&self) -> ByteSize {
        self.output.as_ref().map_or(ByteSize::ZERO, Output::size)
    }

    /// The whole result in memory.
    pub fn bytes(&self) -> Result<Vec<u8>, Fault> {
        let mut bytes = Vec::new();
        self.copy_to(&mut bytes)?;
        Ok(bytes)
    }

    /// Copies the result to a writer, in blocks.
    pub fn copy_to(&self, writer: &mut impl Write) -> Result<(), Fault> {
        self.output.as_ref().map_or(Ok(()), |output| copy(output, writer, &self.results))
    }
}

/// Several jobs submitted at once.
#[derive(Debug, Clone)]
pub struct BatchHandle {
    /// One handle for each job, in order.
    pub jobs: Vec<JobHandle>,
}

impl BatchHandle {
    /// Waits for all; the results are in the order of submission.
    pub async fn wait(&self) -> Vec<Result<JobOutput, Fault>> {
        let mut results = Vec::with_capacity(self.jobs.len());
        for job in &self.jobs {
            results.push(job.wait().await);
        }
        results
    }

    /// Waits for all, on a thread that may block.
    pub fn wait_blocking(&self) -> Vec<Result<JobOutput, Fault>> {
        self.jobs.iter().map(JobHandle::wait_blocking).collect()
    }

    /// Calls `watch` with the share of jobs that have ended, each `interval`, until all have.
    pub fn monitor_progress(&self, interval: Duration, mut watch: impl FnMut(f64)) {
        loop {
            let ended = self.jobs.iter().filter(|job| job.cell.ending().is_some()).count();
            #[expect(clippy::cast_precision_loss, reason = "a share for people")]
            watch(ended as f64 / self.jobs.len().max(1) as f64);
            if ended == self.jobs.len() {
                return;
            }
            std::thread::sleep(interval);
        }
    }
}
