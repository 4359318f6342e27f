//! Figures over all jobs.
//!
//! Owns: sums; they stay right when single jobs are dropped from a report.
//! Never: counts a job twice.

use std::collections::BTreeMap;
use std::time::Duration;

use crate::fault::Code;
use crate::state::JobState;
use crate::units::{ByteSize, Fuel, Timestamp};

/// Sums over every job that was ever accepted.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Totals {
    pub(super) by_state: [u64; JobState::ALL.len()],
    /// Jobs that ended without a result, by the code of their fault.
    pub job_faults: BTreeMap<Code, u64>,
    /// Failed attempts, by code.
    pub attempt_faults: BTreeMap<Code, u64>,
    /// Chunks of all jobs.
    pub chunks: u64,
    /// Chunks that succeeded.
    pub chunks_done: u64,
    /// Those of them whose result is that of an earlier attempt.
    pub chunks_cached: u64,
    /// Chunks that failed for good.
    pub chunks_failed: u64,
    /// Attempts ordered.
    pub attempts: u64,
    /// Attempts that ended.
    pub attempts_ended: u64,
    /// Processor time of all attempts.
    pub cpu: Duration,
    /// Wall-clock time of all attempts, added up.
    pub busy: Duration,
    /// Units of work of all attempts.
    pub fuel: Fuel,
    /// Bytes handed to guests.
    pub input_bytes: ByteSize,
    /// Bytes written by guests.
    pub output_bytes: ByteSize,
    /// Time of the first record.
    pub first_at: Option<Timestamp>,
    /// Time of the last record.
    pub last_at: Option<Timestamp>,
}

impl Totals {
    /// How many jobs are in this state.
    pub fn jobs_in(&self, state: JobState) -> u64 {
        self.by_state[state as usize]
    }

    /// How many jobs there are.
    pub fn jobs(&self) -> u64 {
        self.by_state.iter().sum()
    }

    /// From the first record to the last.
    pub fn wall(&self) -> Duration {
        match (self.first_at, self.last_at) {
            (Some(first), Some(last)) => last.since(first),
            _ => Duration::ZERO,
        }
    }
}
