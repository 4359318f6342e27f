//! The engine as its users hold it.
//!
//! Owns: registration, submission, draining and the end.
//! Never: blocks its user on the scheduler, except where the inbox is full.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, PoisonError, RwLock, mpsc};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use pframe_core::config::Config;
use pframe_core::fault::{Code, Fault};
use pframe_core::ids::{Digest, JobId, TaskName};
use pframe_core::report::{JobReport, Totals};
use pframe_core::resources::Capacity;
use pframe_core::scheduler::{Decision, Message};
use pframe_core::units::ByteSize;

use super::admission::{self, Job, Planned};
use super::builder::EngineBuilder;
use super::clock::Clock;
use super::control::Control;
use super::handle::{BatchHandle, JobHandle};
use super::inbox::{Inbox, Mail};
use super::ledger::Ledger;
use crate::data::results::ResultStore;
use crate::journal::HostLock;
use crate::machine::{Machine, memory_within_reach};
use crate::registry::Registry;
use crate::sandbox::Task;

/// How often the host looks whether memory runs short.
const MEMORY_LOOK_INTERVAL: Duration = Duration::from_secs(1);
/// How often a drain looks whether everything has ended.
const DRAIN_LOOK_INTERVAL: Duration = Duration::from_millis(10);

/// Runs jobs. Dropping it ends what runs.
///
/// ```
/// use pframe_host::{Engine, Job, JobInput};
///
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let engine = Engine::builder().workers(2).build()?;
/// let input = JobInput::Text("to be or not to be".into());
/// let job = Job::new("greet".parse()?, "no-such-task".parse()?, input);
/// let refused = engine.submit(job).unwrap_err();
/// assert_eq!(refused.code.to_string(), "PF210"); // no task type has this name
/// # Ok(())
/// # }
/// ```
pub struct Engine {
    shared: Arc<Shared>,
    tasks: RwLock<BTreeMap<TaskName, Arc<Task>>>,
    control: Option<JoinHandle<()>>,
    monitor: Option<(mpsc::Sender<()>, JoinHandle<()>)>,
    _lock: Option<HostLock>,
}

/// What engine, handles and threads share.
pub(super) struct Shared {
    pub(super) clock: Clock,
    pub(super) config: Config,
    pub(super) machine: Machine,
    pub(super) capacity: Capacity,
    pub(super) registry: Arc<Registry>,
    pub(super) inbox: Arc<Inbox>,
    pub(super) ledger: Arc<Ledger>,
    pub(super) results: ResultStore,
    pub(super) base_dir: PathBuf,
    pub(super) run: Option<i64>,
}

/// What is known about a registered component.
#[derive(Debug, Clone)]
pub struct TaskInfo {
    /// Its identity.
    pub digest: Digest,
    /// True where it brings its own chunker.
    pub cuts: bool,
    /// True where it brings its own collector.
    pub collects: bool,
}

impl TaskInfo {
    fn of(task: &Task) -> Self {
        Self { digest: task.digest, cuts: task.cuts(), collects: task.collects() }
    }
}

impl Engine {
    /// Starts to describe an engine.
    pub fn builder() -> EngineBuilder {
        EngineBuilder::default()
    }

    pub(super) fn start(
        shared: Shared,
        control: Control,
        recovered: Option<Decision>,
        lock: Option<HostLock>,
    ) -> Self {
        let shared = Arc::new(shared);
        let control = std::thread::Builder::new()
            .name("pframe-control".into())
            .spawn(move || control.run(recovered))
            .expect("a thread can be started at start-up");
        let monitor = Some(watch_memory(Arc::clone(&shared)));
        Self { shared, tasks: RwLock::default(), control: Some(control), monitor, _lock: lock }
    }

    /// Registers the component at `path` under a name, compiling it unless it was before.
    pub fn register_task(&self, name: &TaskName, path: &Path) -> Result<TaskInfo, Fault> {
        self.register_pinned(name, path, None)
    }

    /// The same, for a component that must have this digest.
    pub fn register_pinned(
        &self,
        name: &TaskName,
        path: &Path,
        sha256: Option<Digest>,
    ) -> Result<TaskInfo, Fault> {
        let task = self.shared.registry.load(path, sha256)?;
        Ok(self.register(name, task))
    }

    /// Registers a component given as bytes.
    pub fn register_component(&self, name: &TaskName, bytes: Vec<u8>) -> Result<TaskInfo, Fault> {
        let task = self.shared.registry.add_bytes(bytes)?;
        Ok(self.register(name, task))
    }

    fn register(&self, name: &TaskName, task: Arc<Task>) -> TaskInfo {
        let info = TaskInfo::of(&task);
        self.tasks.write().unwrap_or_else(PoisonError::into_inner).insert(name.clone(), task);
        info
    }

    /// Checks and measures a job without running it.
    pub fn plan(&self, job: &Job) -> Result<Planned, Fault> {
        let shared = &self.shared;
        let task = self.task(&job.task)?;
        admission::plan(job, &task, &shared.config, &shared.base_dir, shared.clock.now())
    }

    fn task(&self, name: &TaskName) -> Result<Arc<Task>, Fault> {
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

    /// Submits a job. It is accepted once it is recorded; the handle's ending tells if it was refused.
    pub fn submit(&self, job: Job) -> Result<JobHandle, Fault> {
        let planned = self.plan(&job)?;
        self.submit_planned(planned)
    }

    /// Submits jobs; none of them if one is refused.
    pub fn submit_batch(&self, jobs: Vec<Job>) -> Result<BatchHandle, Fault> {
        let planned: Result<Vec<_>, _> = jobs.iter().map(|job| self.plan(job)).collect();
        let jobs = planned?.into_iter().map(|planned| self.submit_planned(planned));
        Ok(BatchHandle { jobs: jobs.collect::<Result<_, _>>()? })
    }

    /// Submits a job that was planned before.
    pub fn submit_planned(&self, planned: Planned) -> Result<JobHandle, Fault> {
        let Planned { spec, chunks } = planned;
        self.shared.ledger.open(&spec.id)?;
        let handle = self.handle(&spec.id).expect("its place was opened just now");
        self.shared.inbox.submit([Message::Submit { job: spec, chunks }]);
        Ok(handle)
    }

    /// The handle of a job that has not ended.
    pub fn handle(&self, job: &JobId) -> Option<JobHandle> {
        let shared = &self.shared;
        Some(JobHandle {
            id: job.clone(),
            cell: shared.ledger.cell(job)?,
            ledger: Arc::clone(&shared.ledger),
            inbox: Arc::clone(&shared.inbox),
            results: shared.results.clone(),
        })
    }

    /// Reports on all jobs, in the order of their acceptance.
    pub fn jobs(&self) -> Vec<JobReport> {
        self.shared.ledger.report().jobs().into_iter().cloned().collect()
    }

    /// Sums over all jobs.
    pub fn totals(&self) -> Totals {
        self.shared.ledger.report().totals().clone()
    }

    /// Says why a job waits; `None` for a job that is unknown or has ended.
    pub fn explain(&self, job: &JobId) -> Option<String> {
        let (answer, question) = mpsc::channel();
        self.shared.inbox.tell(Mail::Explain { job: job.clone(), answer });
        question.recv_timeout(Duration::from_secs(5)).ok().flatten()
    }

    /// What this machine has.
    pub fn machine(&self) -> &Machine {
        &self.shared.machine
    }

    /// What jobs may hold together.
    pub fn capacity(&self) -> Capacity {
        self.shared.capacity
    }

    pub(crate) fn registry(&self) -> &Registry {
        &self.shared.registry
    }

    pub(crate) fn results(&self) -> &ResultStore {
        &self.shared.results
    }

    pub(crate) fn run(&self) -> Option<i64> {
        self.shared.run
    }

    /// Starts nothing any more and waits for what runs, but not longer than `grace`. True if all ended.
    pub fn drain(&self, grace: Duration) -> bool {
        self.shared.inbox.send(Message::Drain);
        let until = Instant::now() + grace;
        while Instant::now() < until {
            let running: u32 = self.shared.ledger.report().jobs().iter().map(|j| j.running()).sum();
            if running == 0 {
                return true;
            }
            std::thread::sleep(DRAIN_LOOK_INTERVAL);
        }
        false
    }

    /// Records that the run is over: every job has ended and every result stands where it was wanted.
    pub(crate) fn finish_run(&self) {
        self.shared.inbox.tell(Mail::FinishRun);
    }
}

impl Drop for Engine {
    fn drop(&mut self) {
        if let Some((quit, monitor)) = self.monitor.take() {
            drop(quit);
            let _ = monitor.join();
        }
        self.shared.inbox.tell(Mail::Close);
        if let Some(control) = self.control.take() {
            let _ = control.join();
        }
    }
}

/// Admits less while memory runs short, and all again when it does not.
fn watch_memory(shared: Arc<Shared>) -> (mpsc::Sender<()>, JoinHandle<()>) {
    let (quit, told) = mpsc::channel();
    let look = move || {
        let full = shared.capacity;
        let mut now = full.memory;
        while told.recv_timeout(MEMORY_LOOK_INTERVAL) == Err(mpsc::RecvTimeoutError::Timeout) {
            let memory = full.memory.min(memory_within_reach());
            if differs(memory, now) {
                now = memory;
                tracing::debug!(%memory, "what jobs may hold together has changed");
                let capacity = Capacity { memory, ..full };
                shared.inbox.send(Message::CapacityChanged(capacity));
            }
        }
    };
    let thread = std::thread::Builder::new()
        .name("pframe-memory".into())
        .spawn(look)
        .expect("a thread can be started at start-up");
    (quit, thread)
}

/// By more than a twentieth: smaller changes are not worth a turn.
fn differs(one: ByteSize, other: ByteSize) -> bool {
    one.bytes().abs_diff(other.bytes()) > one.bytes().max(other.bytes()) / 20
}
