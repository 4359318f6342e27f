//! What a configuration consists of once it is checked.
//!
//! Owns: the types of its values and their defaults.
//! Never: a value that the file could not have said.

use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;

use serde_json::{Map, Value as Json};

use super::layers::Origin;
use crate::ids::{Digest, TaskName, TenantName};
use crate::job::{Chunking, Grant, LimitsRequest, Overlap, RequirementsRequest};
use crate::policy::RetryPolicy;
use crate::units::ByteSize;

/// How much of stdin is kept where the configuration says nothing: it is stored twice for a moment, and who pipes in more
/// has a file.
pub(super) const STDIN_BYTES_MAX: ByteSize = ByteSize::gib(1);

/// How much of each tenant's results is kept to be taken again, where the configuration says nothing: a morning's work of one
/// machine, and a small part of its disk.
pub(super) const RESULT_CACHE_BYTES_MAX: ByteSize = ByteSize::gib(4);

/// How many bytes of chunks that failed are kept of each run, where the configuration says nothing: a hundred large chunks.
pub(super) const DEAD_LETTER_BYTES_MAX: ByteSize = ByteSize::gib(1);

/// The largest component that is accepted where the configuration says nothing: ten times the largest language runtime.
pub const COMPONENT_BYTES_MAX: ByteSize = ByteSize::mib(256);

/// The configuration in force.
#[derive(Debug, Clone, PartialEq)]
pub struct Config {
    /// What runs attempts.
    pub scheduler: SchedulerKind,
    /// What the operating system adds around worker processes.
    pub isolation: Isolation,
    /// Threads that run guests.
    pub workers: Count,
    /// Sandboxes alive at once; one that waits in a host call keeps its memory and gives its core back.
    pub attempts: Count,
    /// What all attempts together may reserve.
    pub memory_limit: MemoryLimit,
    /// Directory for scratch data; `None` takes the system's.
    pub temp_storage: Option<String>,
    /// After a transient failure, where a job states nothing else.
    pub retry: RetryPolicy,
    /// What an attempt reserves where nothing is stated, and the most that one attempt may have.
    pub memory_per_job: Option<ByteSize>,
    /// Time of one attempt where nothing is stated.
    pub timeout_default: Duration,
    /// What is told while jobs run.
    pub monitoring: Monitoring,
    /// What is kept, and where.
    pub storage: Storage,
    /// Recordings, and who recognises speech in them.
    pub speech: Speech,
    /// What the operator says about task types.
    pub job_types: BTreeMap<TaskName, JobType>,
    /// Tenants that are listed; ask [`Config::tenant`] for any.
    pub tenants: BTreeMap<TenantName, Tenant>,
    /// Directories that tenants may be granted, by name.
    pub directories: BTreeMap<String, Directory>,
    /// Harmless oddities, such as a variable with an unknown name.
    pub remarks: Vec<String>,
    pub(super) entries: Vec<Entry>,
}

impl Config {
    /// Every value in force with its origin: first the settings of [`KNOBS`](super::KNOBS) in their order, then job types and tenants.
    pub fn entries(&self) -> &[Entry] {
        &self.entries
    }

    /// Where the value at this dotted path came from.
    pub fn origin(&self, path: &str) -> Option<&Origin> {
        self.entries.iter().find(|entry| entry.path == path).map(|entry| &entry.origin)
    }

    /// The tenant of this name; one that is not listed has weight 1, no quotas and no grants.
    pub fn tenant(&self, name: &TenantName) -> Tenant {
        self.tenants.get(name).cloned().unwrap_or_default()
    }
}

/// One value in force, for `config show`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// Its keys, joined by dots.
    pub path: String,
    /// As a person would write it.
    pub value: String,
    /// Where it came from.
    pub origin: Origin,
}

/// What runs attempts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SchedulerKind {
    /// Threads of this process.
    Threads,
    /// Worker processes, each in a jail.
    Processes,
    /// Other machines; loads, and does not exist yet.
    Distributed,
}

impl fmt::Display for SchedulerKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Threads => "threads",
            Self::Processes => "processes",
            Self::Distributed => "distributed",
        })
    }
}

/// What the operating system adds around a worker process.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Isolation {
    /// Every layer, or the worker refuses to run.
    #[default]
    Strict,
    /// Every layer but those that a container's default profile forbids (namespaces and the empty root directory).
    Container,
    /// None: for tests, and for code that is trusted.
    Off,
}

impl Isolation {
    /// As it is written.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Strict => "strict",
            Self::Container => "container",
            Self::Off => "off",
        }
    }
}

impl fmt::Display for Isolation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// A number that the host may choose by itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Count {
    /// The host chooses.
    Auto,
    /// This many.
    Exactly(u32),
}

impl fmt::Display for Count {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Auto => f.write_str("auto"),
            Self::Exactly(count) => write!(f, "{count}"),
        }
    }
}

/// A limit on memory, absolute or as a share.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MemoryLimit {
    /// Percent of the smaller of the machine's memory and the control group's limit.
    Share(u8),
    /// This much.
    Bytes(ByteSize),
}

impl MemoryLimit {
    /// The limit on a machine with this much memory.
    pub fn of(self, memory: ByteSize) -> ByteSize {
        match self {
            Self::Share(percent) => ByteSize(memory.bytes() / 100 * u64::from(percent)),
            Self::Bytes(limit) => limit.min(memory),
        }
    }
}

impl fmt::Display for MemoryLimit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Share(percent) => write!(f, "{percent}%"),
            Self::Bytes(size) => write!(f, "{size}"),
        }
    }
}

/// What is told while jobs run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Monitoring {
    /// Whether metrics are offered.
    pub metrics: bool,
    /// The least severe messages that are written.
    pub log_level: LogLevel,
    /// Time between two words about progress.
    pub progress_interval: Duration,
}

/// How much is written to the log.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum LogLevel {
    /// What went wrong.
    Error,
    /// And what is odd.
    Warn,
    /// And what happened.
    Info,
    /// And what was ordered.
    Debug,
    /// And every host call.
    Trace,
}

impl fmt::Display for LogLevel {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Error => "error",
            Self::Warn => "warn",
            Self::Info => "info",
            Self::Debug => "debug",
            Self::Trace => "trace",
        })
    }
}

/// What is kept, and where.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Storage {
    /// Journal and results; `None` takes the user's state directory.
    pub state_dir: Option<String>,
    /// Compiled components; `None` takes the user's cache directory.
    pub cache_dir: Option<String>,
    /// Task types that jobs may name without bringing them along; `None` has none.
    pub tasks_dir: Option<String>,
    /// Task types that were added; `None` takes the user's data directory.
    pub task_store: Option<String>,
    /// The largest component that is accepted.
    pub component_bytes_max: ByteSize,
    /// How much a job that names `-` as its file reads from stdin.
    pub stdin_bytes_max: ByteSize,
    /// Bytes of results that are kept for each tenant, to be taken instead of running what made them.
    pub result_cache_bytes_max: ByteSize,
    /// Bytes of chunks that failed for good that are kept for each run, to be run again alone.
    pub dead_letter_bytes_max: ByteSize,
    /// When `gc` removes what has ended.
    pub retention: Retention,
}

/// How long ended work is kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Retention {
    /// Nothing older.
    pub age: Duration,
    /// The oldest go first once there is more.
    pub bytes: ByteSize,
}

/// Recordings, and who recognises speech in them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Speech {
    /// Directory of the models; `None` takes the user's data directory.
    pub models_dir: Option<String>,
    /// Windows of 30 s that are recognised at once; by default one for each core.
    pub recognisers: Count,
    /// Windows of one tenant that may wait.
    pub queued_max: u32,
    /// The longest recording that is decoded.
    pub recording_max: Duration,
}

/// What the operator says about a task type.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct JobType {
    /// Path of the component, relative to the file that names it.
    pub component: Option<String>,
    /// The digest that the component must have.
    pub sha256: Option<Digest>,
    /// How inputs are cut where the job states nothing.
    pub chunking: Option<Chunking>,
    /// How much of its neighbours a chunk repeats, with these chunks.
    pub overlap: Option<Overlap>,
    /// Limits where the job states nothing; `timeout` is among them.
    pub limits: LimitsRequest,
    /// Requirements where the job states nothing.
    pub requirements: RequirementsRequest,
    /// Parameters that a job may override one by one.
    pub parameters: Map<String, Json>,
    /// Whether the results of earlier attempts may be taken, where the job states nothing.
    pub cache: Option<bool>,
}

/// A directory of this machine that tenants may be granted by its name. Guests find it as `/in/NAME`, and can only read;
/// where it has a quota, they may be granted to put files into it by way of `/out/NAME`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Directory {
    /// Absolute. No tenant sees it.
    pub path: String,
    /// Bytes of all files in it at most, after guests have put theirs there; `None` lets them put none.
    pub quota: Option<ByteSize>,
}

/// What the operator allows a tenant.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tenant {
    /// Share of the machine, relative to the other tenants'.
    pub weight: u32,
    /// Chunks that wait at most; `None` has no limit of its own.
    pub queued_max: Option<u64>,
    /// Sandboxes alive at once at most.
    pub running_max: Option<u32>,
    /// Memory reserved at once at most.
    pub memory_max: Option<ByteSize>,
    /// Capabilities that its jobs may ask for.
    pub grants: Vec<Grant>,
}

impl Default for Tenant {
    /// Weight 1, no quotas, no grants.
    fn default() -> Self {
        Self {
            weight: 1,
            queued_max: None,
            running_max: None,
            memory_max: None,
            grants: Vec::new(),
        }
    }
}
