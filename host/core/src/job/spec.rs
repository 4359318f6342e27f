//! A job as it was accepted.
//!
//! Owns: the whole of it: inputs found and measured, component identified, every default filled in. The journal has it as JSON.
//! Never: changes, but for results of other jobs that take their places among its inputs.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::{Caching, Chunking, Collect, Grant, Overlap};
use crate::ids::{Digest, JobId, TaskName, TenantName};
use crate::limits::Limits;
use crate::policy::{OnFailure, RetryPolicy};
use crate::units::{ByteSize, CpuCores, Timestamp};

/// One whole input of an accepted job.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Source {
    /// As it is shown and as the handler sees it: never a path outside the job's own words.
    pub name: String,
    /// Guessed from the name, such as `text/plain`.
    pub media_type: Option<String>,
    /// Bytes.
    pub size: u64,
    /// Where the bytes are.
    pub place: SourcePlace,
}

impl Source {
    /// The file of the results store behind it, if there is one.
    pub fn stored(&self) -> Option<Digest> {
        match self.place {
            SourcePlace::Stored { sha256 } => Some(sha256),
            SourcePlace::File { .. }
            | SourcePlace::Inline(_)
            | SourcePlace::Job(_)
            | SourcePlace::Web { .. } => None,
        }
    }
}

/// Where a source's bytes are.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum SourcePlace {
    /// A regular file, read in place.
    File {
        /// Absolute.
        path: String,
        /// Modification time at acceptance, nanoseconds since the Unix epoch, within the years 1677 to 2262.
        modified_ns: i64,
    },
    /// Bytes that came with the job, or a small result of another.
    Inline(Arc<[u8]>),
    /// The result of this job, which has not completed yet; its size is not known.
    Job(JobId),
    /// A file behind a URL.
    Web {
        /// With everything that is asked for, secrets among it.
        url: String,
        /// What it was at acceptance.
        version: WebVersion,
    },
    /// A large result of another job, in the results store.
    Stored {
        /// Names the file.
        sha256: Digest,
    },
}

/// How a file behind a URL is known again.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum WebVersion {
    /// By its tag (`ETag`); it can be read by ranges.
    Tag(String),
    /// By its date (`Last-Modified`); it can be read by ranges.
    Modified(String),
    /// By its content: its server gives it only as a whole, or says nothing of versions.
    Whole(Digest),
}

/// The handler behind an accepted job.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TaskRef {
    /// The name in the registry.
    pub name: TaskName,
    /// Identity of the component.
    pub component: Digest,
    /// True where the component exports a `collector`; else the host joins the outputs in chunk order.
    pub collects: bool,
}

/// What an attempt holds while it runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Requirements {
    /// Processor cores.
    pub cpu: CpuCores,
    /// Memory; `None` is estimated from the peaks of the task type's earlier attempts.
    pub memory: Option<ByteSize>,
    /// Memory of a graphics processor.
    pub gpu_memory: ByteSize,
}

impl Default for Requirements {
    /// One core, memory estimated, no graphics memory.
    fn default() -> Self {
        Self { cpu: CpuCores::ONE, memory: None, gpu_memory: ByteSize::ZERO }
    }
}

/// A job as accepted: inputs found and measured, component identified, every default filled in.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct JobSpec {
    /// Unique within the journal's unfinished work.
    pub id: JobId,
    /// On whose account.
    pub tenant: TenantName,
    /// What runs.
    pub task: TaskRef,
    /// What it runs on, in order.
    pub inputs: Arc<[Source]>,
    /// JSON text.
    pub parameters: Arc<str>,
    /// How the inputs are cut.
    pub chunking: Chunking,
    /// How much of its neighbours a chunk repeats.
    #[serde(default)]
    pub overlap: Option<Overlap>,
    /// How outputs become one result, if the job says so.
    #[serde(default)]
    pub collect: Option<Collect>,
    /// Whether the results of earlier attempts may be taken.
    #[serde(default)]
    pub cache: Caching,
    /// Chunks run back to back on one reservation; `None` lets the scheduler choose.
    pub batch: Option<u32>,
    /// It starts once these jobs have completed.
    #[serde(default)]
    pub after: Arc<[JobId]>,
    /// How many jobs of its submission depend on it: its result is kept for them.
    #[serde(default)]
    pub dependents: u32,
    /// Higher goes first, within the tenant.
    pub priority: i32,
    /// Per attempt.
    pub limits: Limits,
    /// After a failure.
    pub retry: RetryPolicy,
    /// What a chunk that failed for good means.
    pub on_failure: OnFailure,
    /// What an attempt holds while it runs.
    pub requirements: Requirements,
    /// Asked by the job and allowed by the operator.
    pub grants: Arc<[Grant]>,
    /// When the job was accepted.
    pub accepted_at: Timestamp,
    /// When the job must have ended.
    pub deadline: Option<Timestamp>,
    /// Absolute path of the file that receives the result.
    pub output: Option<String>,
    /// The job asked for its result on stdout, even where other jobs work on it.
    #[serde(default)]
    pub is_printed: bool,
}

impl JobSpec {
    /// How outputs become one result.
    pub fn collector(&self) -> Collect {
        let usual = if self.task.collects { Collect::Handler } else { Collect::Concat };
        self.collect.unwrap_or(usual)
    }
}
