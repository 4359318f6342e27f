//! Why a job waits, in words.
//!
//! Owns: the reasons, and their bound: however large the job, the answer fits on a few lines.
//! Never: changes anything.

use std::fmt;
use std::time::Duration;

use super::mind::Scheduler;
use crate::ids::{AttemptId, JobId};
use crate::state::JobState;
use crate::units::Timestamp;

/// The answer to "what is this job doing, and why not more?".
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Explanation {
    /// The job.
    pub job: JobId,
    /// Its state.
    pub state: JobState,
    /// What is to be said about it, most important first.
    pub reasons: Vec<Reason>,
}

/// One thing to say.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Reason {
    /// These attempts run.
    Runs {
        /// The first few.
        attempts: Vec<AttemptId>,
        /// How many more.
        more: u32,
    },
    /// A step waits to be tried again.
    Retry {
        /// The attempt to come.
        attempt: AttemptId,
        /// How long it still waits.
        delay: Duration,
    },
}

impl Scheduler {
    /// Says what a job is doing and why it waits; `None` for jobs that are unknown or forgotten.
    pub fn explain(&self, _now: Timestamp, job: &JobId) -> Option<Explanation> {
        let &key = self.job_of.get(job)?;
        let state = self.jobs[key].progress().state();
        Some(Explanation { job: job.clone(), state, reasons: Vec::new() })
    }
}

impl fmt::Display for Explanation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.state)
    }
}
