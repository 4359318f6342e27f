//! A job in its two shapes: as asked for ([`JobRequest`]) and as accepted ([`JobSpec`]).
//!
//! Owns: what a job consists of.
//! Never: reads a file; the host resolves inputs and components and makes the spec from the request.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::buckets::BucketPrefix;
use crate::hosts::HostPattern;
use crate::ids::{Digest, JobId, TaskName, TenantName};
use crate::limits::Limits;
use crate::oci::OciReference;
use crate::policy::{OnFailure, RetryPolicy};
use crate::units::{ByteSize, CpuCores, Fuel, Timestamp};

/// Chunks of one job at most: the plan is kept whole in memory and in the journal.
pub const CHUNKS_MAX: usize = 1_000_000;
/// Priorities lie between this and its negative.
pub const PRIORITY_MAX: i32 = 1000;

/// How stdin is named among a job's files, and stdout as its output.
pub const STANDARD_STREAM: &str = "-";

/// Where a job's input comes from, as asked for.
#[derive(Debug, Clone, PartialEq)]
pub enum InputRequest {
    /// Paths and glob patterns, relative to the job file; `-` is stdin.
    Files(Vec<FileRequest>),
    /// The text itself.
    Text(String),
    /// A JSON value; the handler sees its compact text.
    Json(serde_json::Value),
    /// The bytes themselves.
    Bytes(Vec<u8>),
    /// The results of these jobs, of the same submission.
    Jobs(Vec<JobId>),
}

/// A file, or a pattern that names some.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FileRequest {
    /// A path or glob pattern, relative to the job file; `-` is stdin.
    pub path: String,
    /// The digest that the file must have; a pattern has none.
    pub sha256: Option<Digest>,
}

impl FileRequest {
    /// True for stdin.
    pub fn is_stdin(&self) -> bool {
        self.path == STANDARD_STREAM
    }
}

impl From<String> for FileRequest {
    /// Whatever the file holds.
    fn from(path: String) -> Self {
        Self { path, sha256: None }
    }
}

impl From<&str> for FileRequest {
    /// Whatever the file holds.
    fn from(path: &str) -> Self {
        path.to_owned().into()
    }
}

/// How an input is cut into chunks.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "strategy", rename_all = "lowercase")]
pub enum Chunking {
    /// One chunk per file.
    None,
    /// Chunks of about `size` bytes, each ended at the next `boundary`.
    Size {
        /// The size aimed at; only a record that is itself longer makes a longer chunk.
        size: ByteSize,
        /// Where a chunk may end.
        boundary: Boundary,
    },
    /// Chunks of whole records, as many as fit into `size`.
    Content {
        /// The bytes that end a record, such as `"\n"` or `"\n\n"`.
        separator: String,
        /// The size aimed at.
        size: ByteSize,
    },
    /// Spans of time of a recording, which is decoded for that; cut in silence where there is one nearby.
    Time {
        /// The length aimed at.
        length: Duration,
    },
    /// The handler's own `chunker` decides.
    Custom,
}

/// Where a chunk cut by size may end.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Boundary {
    /// After any byte.
    Byte,
    /// After a line feed.
    Line,
    /// After an empty line.
    Record,
}

impl Boundary {
    /// The bytes after which a chunk may end; `None` means any.
    pub fn separator(self) -> Option<&'static [u8]> {
        match self {
            Self::Byte => None,
            Self::Line => Some(b"\n"),
            Self::Record => Some(b"\n\n"),
        }
    }
}

/// How much of its neighbours a chunk repeats, so that what lies across a cut is seen whole by one of them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Overlap {
    /// Bytes of the chunk before it: whole records, as many as fit.
    Bytes(ByteSize),
    /// Time of the chunks before and after it.
    Time(Duration),
}

/// How the outputs of many chunks become one result.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Collect {
    /// By the handler's own collector.
    Handler,
    /// Joined, in the order of the chunks.
    Concat,
    /// One JSON array of all values that the chunks wrote.
    JsonArray,
    /// A file for each chunk, with a manifest; a tar archive where the result has no folder of its own.
    Files,
    /// Not at all: the work was done for what it did, not for what it wrote.
    None,
}

/// Whether the results of a job's attempts are kept, and may be those of earlier ones.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Caching {
    /// Everything runs, and nothing is kept.
    #[default]
    Off,
    /// What ran before, with the same component on the same bytes with the same parameters, does not run again.
    Use,
    /// Everything runs, and what it makes takes the place of what was kept.
    Renew,
}

/// Limits as asked for; what is not stated comes from the job type, then from the configuration.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct LimitsRequest {
    /// See [`Limits::memory`].
    pub memory: Option<ByteSize>,
    /// See [`Limits::fuel`].
    pub fuel: Option<Fuel>,
    /// See [`Limits::timeout`]; a job file writes it as `timeout`, beside `limits`.
    pub timeout: Option<Duration>,
    /// See [`Limits::cpu`].
    pub cpu: Option<Duration>,
    /// See [`Limits::output`].
    pub output: Option<ByteSize>,
    /// See [`Limits::disk`].
    pub disk: Option<ByteSize>,
}

impl LimitsRequest {
    /// What is stated here, else what `other` states.
    pub fn or(self, other: Self) -> Self {
        Self {
            memory: self.memory.or(other.memory),
            fuel: self.fuel.or(other.fuel),
            timeout: self.timeout.or(other.timeout),
            cpu: self.cpu.or(other.cpu),
            output: self.output.or(other.output),
            disk: self.disk.or(other.disk),
        }
    }

    /// Fills in what is not stated.
    pub fn resolve(self, default: Limits) -> Limits {
        Limits {
            memory: self.memory.unwrap_or(default.memory),
            fuel: self.fuel.or(default.fuel),
            timeout: self.timeout.unwrap_or(default.timeout),
            cpu: self.cpu.or(default.cpu),
            output: self.output.unwrap_or(default.output),
            disk: self.disk.unwrap_or(default.disk),
        }
    }
}

/// Requirements as asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct RequirementsRequest {
    /// Processor cores held while an attempt runs.
    pub cpu: Option<CpuCores>,
    /// Memory held while an attempt runs.
    pub memory: Option<ByteSize>,
    /// Memory of a graphics processor held while an attempt runs.
    pub gpu_memory: Option<ByteSize>,
}

impl RequirementsRequest {
    /// What is stated here, else what `other` states.
    pub fn or(self, other: Self) -> Self {
        Self {
            cpu: self.cpu.or(other.cpu),
            memory: self.memory.or(other.memory),
            gpu_memory: self.gpu_memory.or(other.gpu_memory),
        }
    }
}

/// A way out of the sandbox that a job asks for, such as `env: LANG`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(tag = "kind", content = "of", rename_all = "kebab-case")]
pub enum Grant {
    /// One environment variable of the host.
    Env(String),
    /// The real time instead of the moment of acceptance.
    Clock,
    /// Real randomness instead of bytes seeded by the chunk.
    Random,
    /// Recognition of speech, by any model.
    Speech,
    /// Recognition of speech by the model of this name.
    Model(String),
    /// The directory that the operator has given this name, to read.
    Directory(String),
    /// Requests over HTTP to these hosts.
    Http(HostPattern),
    /// Inputs from, and results to, these objects of S3; the host's doing, never the guest's.
    S3(BucketPrefix),
    /// The tenant's key-value store of this name.
    KeyValue(String),
    /// The directory that the operator has given this name, to put files into once an attempt has ended well.
    Write(String),
}

/// A job as asked for: every field checked by itself, nothing looked up yet.
#[derive(Debug, Clone, PartialEq)]
pub struct JobRequest {
    /// Unique within its file.
    pub id: JobId,
    /// The name in the registry.
    pub task: TaskName,
    /// What to work on.
    pub input: InputRequest,
    /// Handed to the handler as JSON text.
    pub parameters: serde_json::Value,
    /// How to cut; not stated: from the job type, else one chunk per file.
    pub chunking: Option<Chunking>,
    /// How much of its neighbours a chunk repeats.
    pub overlap: Option<Overlap>,
    /// How outputs become one result; not stated: by the handler's own collector if it has one, else joined.
    pub collect: Option<Collect>,
    /// Whether the results of earlier attempts may be taken; not stated: from the job type, else they may not.
    pub cache: Option<bool>,
    /// Chunks run back to back on one reservation; `None` lets the scheduler choose.
    pub batch: Option<u32>,
    /// It starts once these jobs of the same submission have completed; those whose results it works on need not be named.
    pub after: Vec<JobId>,
    /// Higher goes first, within the tenant.
    pub priority: i32,
    /// On whose account.
    pub tenant: TenantName,
    /// For the whole job, from acceptance.
    pub deadline: Option<Duration>,
    /// Not stated: from the configuration.
    pub retries_max: Option<u32>,
    /// What a chunk that failed for good means.
    pub on_failure: OnFailure,
    /// Per attempt.
    pub limits: LimitsRequest,
    /// Ways out of the sandbox.
    pub grants: Vec<Grant>,
    /// What an attempt holds while it runs.
    pub requirements: RequirementsRequest,
    /// Where the result goes, relative to the job file; `-` is stdout. `None` keeps it in the state directory, and `run`
    /// prints what no other job works on.
    pub output: Option<String>,
}

impl JobRequest {
    /// A job with nothing stated but what every job needs.
    pub fn new(id: JobId, task: TaskName, input: InputRequest) -> Self {
        Self {
            id,
            task,
            input,
            parameters: serde_json::Value::Object(serde_json::Map::new()),
            chunking: None,
            overlap: None,
            collect: None,
            cache: None,
            batch: None,
            after: Vec::new(),
            priority: 0,
            tenant: TenantName::default_tenant(),
            deadline: None,
            retries_max: None,
            on_failure: OnFailure::Stop,
            limits: LimitsRequest::default(),
            grants: Vec::new(),
            requirements: RequirementsRequest::default(),
            output: None,
        }
    }

    /// All jobs that must have completed before this one starts, each once.
    pub fn dependencies(&self) -> Vec<JobId> {
        let mut all = self.after.clone();
        if let InputRequest::Jobs(jobs) = &self.input {
            all.extend(jobs.iter().cloned());
        }
        all.sort();
        all.dedup();
        all
    }
}

/// A task type that a job file brings along.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TaskDeclaration {
    /// Where its component lies.
    pub component: ComponentPlace,
    /// The digest that the component must have.
    pub sha256: Option<Digest>,
}

/// Where a component lies.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ComponentPlace {
    /// A path, relative to the job file.
    File(String),
    /// A registry.
    Registry(OciReference),
}

/// A job file after all its checks.
#[derive(Debug, Clone, PartialEq)]
pub struct JobFile {
    /// Task types that the file brings along.
    pub tasks: BTreeMap<TaskName, TaskDeclaration>,
    /// In the order of the file; ids are unique.
    pub jobs: Vec<JobRequest>,
    /// Harmless oddities, such as a key that is accepted and ignored.
    pub remarks: Vec<String>,
}

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

/// One chunk: a half-open range of one source, in bytes.
///
/// Where the source is cut by time, these are bytes of the recording as samples: 16 kHz, mono, 16 bits, so 32 for each
/// millisecond. Such chunks overlap where a cut may go through a word.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Slice {
    /// Index into the job's inputs.
    pub source: u32,
    /// First byte.
    pub start: u64,
    /// One past the last byte.
    pub end: u64,
}

impl Slice {
    /// Length in bytes.
    pub fn len(&self) -> u64 {
        self.end - self.start
    }

    /// True where there is nothing to read.
    pub fn is_empty(&self) -> bool {
        self.start == self.end
    }
}
