//! A job as somebody asks for it.
//!
//! Owns: what a job file can say of a job, each field checked by itself.
//! Never: knows whether what it names is there.

use std::collections::BTreeMap;
use std::time::Duration;

use super::{Chunking, Collect, Grant, Overlap, STANDARD_STREAM};
use crate::ids::{Digest, JobId, TaskName, TenantName};
use crate::limits::Limits;
use crate::oci::OciReference;
use crate::policy::OnFailure;
use crate::units::{ByteSize, CpuCores, Fuel};

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
