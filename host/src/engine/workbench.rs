//! What can be done with components and jobs before anything is written: register, check, measure.
//!
//! Owns: the names of task types, and the sizes that were chosen for this machine.
//! Never: runs a guest, or leaves a trace but compiled components in the cache.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use pframe_core::config::Config;
use pframe_core::fault::{Code, Fault};
use pframe_core::ids::{Digest, TaskName, TenantName};
use pframe_core::job::JobSpec;
use pframe_core::resources::Capacity;
use pframe_core::tasktype::{TaskType, Violation};
use pframe_core::units::{ByteSize, Timestamp};

use super::admission::{self, Job, Planned};
use super::clock::Clock;
use crate::data::stdin::Stdin;
use crate::data::web::Web;
use crate::executor::{Directories, Outboxes};
use crate::inference::Inference;
use crate::machine::Machine;
use crate::outside::Outside;
use crate::process::scratch::ScratchMaker;
use crate::recording::Recordings;
use crate::registry::{Entry, Registry};
use crate::sandbox::{Sandbox, Task};

/// The disk that is made to see whether disks can be made.
const DISK_TRIED: ByteSize = ByteSize::mib(1);

/// What is known about a registered component.
#[derive(Debug, Clone)]
pub struct TaskInfo {
    /// Its identity.
    pub digest: Digest,
    /// True where it brings its own chunker.
    pub cuts: bool,
    /// True where it brings its own collector.
    pub collects: bool,
    /// Interfaces that it imports.
    pub imports: Vec<String>,
    /// Interfaces that it exports.
    pub exports: Vec<String>,
}

impl TaskInfo {
    fn of(task: &Task) -> Self {
        Self {
            digest: task.digest,
            cuts: task.cuts(),
            collects: task.collects(),
            imports: task.imports.clone(),
            exports: task.exported.clone(),
        }
    }
}

/// Sandbox, registry and configuration, without a journal.
pub(crate) struct Workbench {
    pub(super) config: Config,
    pub(super) machine: Machine,
    pub(super) capacity: Capacity,
    pub(super) workers: u32,
    pub(super) sandbox: Sandbox,
    pub(super) registry: Arc<Registry>,
    /// Makes the private disks of attempts.
    pub(super) scratch: Arc<ScratchMaker>,
    /// Opens the directories that jobs were granted.
    pub(super) directories: Arc<Directories>,
    /// Puts what guests leave for other directories there.
    pub(super) outboxes: Arc<Outboxes>,
    /// Decodes what is cut by time.
    pub(super) recordings: Arc<Recordings>,
    /// Recognises speech.
    pub(super) inference: Arc<Inference>,
    /// An input, where a job names it as one.
    pub(super) stdin: Stdin,
    /// The network.
    pub(super) outside: Outside,
    /// Fetches sources.
    pub(super) web: Arc<Web>,
    pub(super) base_dir: PathBuf,
    pub(super) tasks: RwLock<BTreeMap<TaskName, Registered>>,
}

/// A task type that is ready, with what it says of itself.
#[derive(Clone)]
pub(super) struct Registered {
    task: Arc<Task>,
    described: Arc<TaskType>,
}

impl Workbench {
    /// Makes the component at `path` ready under a name.
    pub(crate) fn register_task(
        &self,
        tenant: &TenantName,
        name: &TaskName,
        path: &Path,
        sha256: Option<Digest>,
    ) -> Result<TaskInfo, Fault> {
        let task = self.registry.load(tenant, path, sha256)?;
        Ok(self.register(name, task, Arc::default()))
    }

    /// Makes a task type that describes itself ready under the name by which somebody asks for it.
    pub(crate) fn register_entry(
        &self,
        tenant: &TenantName,
        name: &TaskName,
        entry: &Entry,
    ) -> Result<TaskInfo, Fault> {
        let task = self.registry.load(tenant, &entry.component, entry.pinned)?;
        Ok(self.register(name, task, Arc::clone(&entry.described)))
    }

    /// Makes a component given as bytes ready under a name.
    pub(crate) fn register_component(
        &self,
        tenant: &TenantName,
        name: &TaskName,
        bytes: Vec<u8>,
    ) -> Result<TaskInfo, Fault> {
        let task = self.registry.add_bytes(tenant, bytes)?;
        Ok(self.register(name, task, Arc::default()))
    }

    fn register(&self, name: &TaskName, task: Arc<Task>, described: Arc<TaskType>) -> TaskInfo {
        let info = TaskInfo::of(&task);
        let mut tasks = self.tasks.write().unwrap_or_else(PoisonError::into_inner);
        tasks.insert(name.clone(), Registered { task, described });
        info
    }

    /// Checks and measures a job.
    pub(crate) fn plan(&self, job: &Job) -> Result<Planned, Fault> {
        let now = Clock::start(Timestamp::default()).now();
        let Registered { task, described } = self.registered(&job.task)?;
        let planned = admission::plan(self, job, &task, &described, now)?;
        if planned.spec.limits.disk > ByteSize::ZERO {
            // Whether disks can be made here is known before anything is accepted.
            self.scratch.make(DISK_TRIED)?;
        }
        // The same for directories.
        self.directories.open(&planned.spec.grants)?;
        self.outboxes.check(&planned.spec.grants)?;
        Ok(planned)
    }

    /// Refuses a job that this machine could never run: what it states, else its limit, is too much. The answer is what its
    /// first attempt reserves.
    pub(crate) fn check_fits(&self, job: &JobSpec) -> Result<Capacity, Fault> {
        let (need, machine) = (need_of(job), self.capacity);
        if need.fits(&machine) {
            return Ok(need);
        }
        let detail = format!("an attempt needs {need}; the machine has {machine}");
        Err(Fault::new(Code::TooBig).detail(detail))
    }

    /// What is known about a registered task type.
    pub(crate) fn info(&self, name: &TaskName) -> Option<TaskInfo> {
        self.registered(name).ok().map(|it| TaskInfo::of(&it.task))
    }

    /// What a registered task type says of itself; nothing where it has no description.
    pub(crate) fn described(&self, name: &TaskName) -> Arc<TaskType> {
        self.registered(name).map(|it| it.described).unwrap_or_default()
    }

    /// Everything in a job's parameters that its task type does not take.
    pub(crate) fn violations(&self, job: &Job) -> Vec<Violation> {
        let described = self.described(&job.task);
        match self.config.resolve_with(job, &described) {
            Ok(resolved) => admission::violations(&described, &resolved.parameters),
            // Something else is wrong with it, and planning says what.
            Err(_) => Vec::new(),
        }
    }

    /// Graphics memory that a job asks for, whether there is any or not.
    pub(crate) fn gpu_memory_asked(&self, job: &Job) -> ByteSize {
        let resolved = self.config.resolve_with(job, &self.described(&job.task));
        resolved.map_or(ByteSize::ZERO, |resolved| resolved.requirements.gpu_memory)
    }

    /// What is known about all registered task types.
    pub(crate) fn tasks(&self) -> BTreeMap<TaskName, TaskInfo> {
        let tasks = self.tasks.read().unwrap_or_else(PoisonError::into_inner);
        tasks.iter().map(|(name, it)| (name.clone(), TaskInfo::of(&it.task))).collect()
    }

    fn registered(&self, name: &TaskName) -> Result<Registered, Fault> {
        let tasks = self.tasks.read().unwrap_or_else(PoisonError::into_inner);
        tasks.get(name).cloned().ok_or_else(|| {
            let known: Vec<_> = tasks.keys().map(|name| format!("`{name}`")).collect();
            let known = match known.is_empty() {
                true => "none is registered".into(),
                false => format!("known are {}", known.join(", ")),
            };
            Fault::new(Code::TaskUnknown).detail(format!("`{name}`; {known}"))
        })
    }

    /// How much speech was recognised so far, by all jobs.
    pub(crate) fn heard(&self) -> impl Fn() -> Duration + Send + use<> {
        let inference = Arc::clone(&self.inference);
        move || inference.heard()
    }

    pub(crate) fn machine(&self) -> &Machine {
        &self.machine
    }

    pub(crate) fn capacity(&self) -> Capacity {
        self.capacity
    }

    /// Threads that run guests.
    pub(crate) fn workers(&self) -> u32 {
        self.workers
    }

    pub(crate) fn registry(&self) -> &Registry {
        &self.registry
    }
}

/// What the first attempt of a job reserves: nothing has been learnt about its memory yet.
pub(crate) fn need_of(job: &JobSpec) -> Capacity {
    Capacity {
        cpu: job.requirements.cpu,
        memory: job.requirements.memory.unwrap_or_else(|| job.limits.memory_with_disk()),
        gpu_memory: job.requirements.gpu_memory,
        attempts: 1,
    }
}
