//! What became true. The journal is a list of these; every state, report and metric is a fold over it.
//!
//! Owns: [`Event`], in the past tense, never edited; new meaning is a new variant.
//! Never: holds what can be derived from earlier events.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::fault::Fault;
use crate::ids::{AttemptId, Digest, JobId};
use crate::job::{JobSpec, Slice};
use crate::limits::Usage;
use crate::units::{ByteSize, Timestamp};

/// A result: small ones travel in the event, large ones lie in the results store.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Output {
    /// The bytes themselves. They are not part of the event's JSON: the journal keeps them in a column of their own.
    Inline {
        /// Length in bytes.
        size: ByteSize,
        /// The bytes.
        #[serde(skip, default = "no_bytes")]
        bytes: Arc<[u8]>,
    },
    /// A file named by its digest.
    Stored {
        /// Length in bytes.
        size: ByteSize,
        /// Names the file.
        sha256: Digest,
    },
}

fn no_bytes() -> Arc<[u8]> {
    Arc::default()
}

impl Output {
    /// Wraps bytes that are small enough to travel.
    pub fn inline(bytes: impl Into<Arc<[u8]>>) -> Self {
        let bytes = bytes.into();
        Self::Inline { size: ByteSize(bytes.len() as u64), bytes }
    }

    /// Length in bytes.
    pub fn size(&self) -> ByteSize {
        match self {
            Self::Inline { size, .. } | Self::Stored { size, .. } => *size,
        }
    }
}

/// What a failed attempt leads to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum AfterFailure {
    /// The step is tried again, not before this moment.
    Retry {
        /// Earliest start.
        at: Timestamp,
    },
    /// The step has failed for good.
    GiveUp,
}

/// What became true.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "event", rename_all = "kebab-case")]
pub enum Event {
    /// A job was taken on; from here on it ends exactly once.
    JobAccepted {
        /// The whole job.
        job: Arc<JobSpec>,
    },
    /// The chunks of a job are known.
    ChunksPlanned {
        /// The job.
        job: JobId,
        /// In order; they cover the inputs exactly once, unless a chunker left data out or the job asks for overlap.
        chunks: Arc<[Slice]>,
    },
    /// An attempt was ordered; it is charged from here on.
    AttemptStarted {
        /// Which.
        attempt: AttemptId,
        /// The memory reserved for it.
        memory: ByteSize,
    },
    /// A `run` or `collect` attempt ended with a result.
    AttemptSucceeded {
        /// Which.
        attempt: AttemptId,
        /// What it used.
        usage: Usage,
        /// What it made.
        output: Output,
    },
    /// A `cut` attempt ended; `ChunksPlanned` follows.
    CutSucceeded {
        /// Which.
        attempt: AttemptId,
        /// What it used.
        usage: Usage,
    },
    /// An attempt ended without a result.
    AttemptFailed {
        /// Which.
        attempt: AttemptId,
        /// What it used.
        usage: Usage,
        /// Why.
        fault: Fault,
        /// What follows.
        then: AfterFailure,
    },
    /// An attempt was taken back before or while it ran, through no fault of its own; it is not charged.
    AttemptReturned {
        /// Which.
        attempt: AttemptId,
    },
    /// The job will end as cancelled or failed with this fault; no attempt of it starts any more.
    StopRequested {
        /// The job.
        job: JobId,
        /// Why.
        fault: Fault,
    },
    /// Every step succeeded, or the failed chunks were tolerated.
    JobCompleted {
        /// The job.
        job: JobId,
        /// The collected result; `None` where no chunk was left to collect.
        output: Option<Output>,
    },
    /// The job ended without a result.
    JobFailed {
        /// The job.
        job: JobId,
        /// Why.
        fault: Fault,
    },
    /// The job was ended on request.
    JobCancelled {
        /// The job.
        job: JobId,
        /// Why.
        fault: Fault,
    },
    /// The result stands where the job wanted it.
    ResultPublished {
        /// The job.
        job: JobId,
    },
}

impl Event {
    /// The job this is about.
    pub fn job(&self) -> &JobId {
        match self {
            Self::JobAccepted { job } => &job.id,
            Self::ChunksPlanned { job, .. }
            | Self::StopRequested { job, .. }
            | Self::JobCompleted { job, .. }
            | Self::JobFailed { job, .. }
            | Self::JobCancelled { job, .. }
            | Self::ResultPublished { job } => job,
            Self::AttemptStarted { attempt, .. }
            | Self::AttemptSucceeded { attempt, .. }
            | Self::CutSucceeded { attempt, .. }
            | Self::AttemptFailed { attempt, .. }
            | Self::AttemptReturned { attempt } => &attempt.job,
        }
    }

    /// Files of the store that this record names, each with its size in bytes.
    pub fn stored(&self) -> Vec<(Digest, u64)> {
        match self {
            Self::JobAccepted { job } => {
                job.inputs.iter().filter_map(|it| Some((it.stored()?, it.size))).collect()
            }
            Self::AttemptSucceeded { output: Output::Stored { size, sha256 }, .. }
            | Self::JobCompleted { output: Some(Output::Stored { size, sha256 }), .. } => {
                vec![(*sha256, size.bytes())]
            }
            _ => Vec::new(),
        }
    }

    /// The attempt that ended with this event.
    pub fn ended_attempt(&self) -> Option<&AttemptId> {
        match self {
            Self::AttemptSucceeded { attempt, .. }
            | Self::CutSucceeded { attempt, .. }
            | Self::AttemptFailed { attempt, .. }
            | Self::AttemptReturned { attempt } => Some(attempt),
            Self::JobAccepted { .. }
            | Self::ChunksPlanned { .. }
            | Self::AttemptStarted { .. }
            | Self::StopRequested { .. }
            | Self::JobCompleted { .. }
            | Self::JobFailed { .. }
            | Self::JobCancelled { .. }
            | Self::ResultPublished { .. } => None,
        }
    }

    /// Where a job ended with this event: why without a result, if it has none.
    pub fn ending(&self) -> Option<Option<&Fault>> {
        match self {
            Self::JobCompleted { .. } => Some(None),
            Self::JobFailed { fault, .. } | Self::JobCancelled { fault, .. } => Some(Some(fault)),
            Self::JobAccepted { .. }
            | Self::ChunksPlanned { .. }
            | Self::StopRequested { .. }
            | Self::ResultPublished { .. }
            | Self::AttemptStarted { .. }
            | Self::AttemptSucceeded { .. }
            | Self::CutSucceeded { .. }
            | Self::AttemptFailed { .. }
            | Self::AttemptReturned { .. } => None,
        }
    }

    /// The output that travels with the event, for the journal's column.
    pub fn inline_bytes(&self) -> Option<&Arc<[u8]>> {
        match self {
            Self::AttemptSucceeded { output: Output::Inline { bytes, .. }, .. }
            | Self::JobCompleted { output: Some(Output::Inline { bytes, .. }), .. } => Some(bytes),
            _ => None,
        }
    }

    /// Puts back what [`inline_bytes`](Self::inline_bytes) took out.
    pub fn attach(&mut self, column: Arc<[u8]>) {
        match self {
            Self::AttemptSucceeded { output: Output::Inline { bytes, .. }, .. }
            | Self::JobCompleted { output: Some(Output::Inline { bytes, .. }), .. } => {
                *bytes = column;
            }
            _ => {}
        }
    }
}

/// An event with its place in the journal and its time.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Record {
    /// Counts from 1 without gaps.
    pub seq: u64,
    /// When it was recorded.
    pub at: Timestamp,
    /// What became true.
    #[serde(flatten)]
    pub event: Event,
}
