//! The engine as its users hold it.
//!
//! Owns: registration, submission, draining and the end.
//! Never: blocks its user on the scheduler, except where the inbox is full.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::{Arc, mpsc};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use pframe_core::fault::{Code, Fault};
use pframe_core::ids::{JobId, TaskName, TenantName};
use pframe_core::job::Caching;
use pframe_core::report::{JobReport, Totals};
use pframe_core::resources::Capacity;
use pframe_core::scheduler::{Decision, Message};
use pframe_core::units::ByteSize;

use super::admission::{Job, Planned, link};
use super::builder::EngineBuilder;
use super::control::Control;
use super::handle::{BatchHandle, JobHandle};
use super::ledger::{Cell, Ledger};
use super::workbench::{TaskInfo, Workbench};
use crate::capability::progress::ProgressBoard;
use crate::data::results::ResultStore;
use crate::inbox::{Inbox, Mail};
use crate::journal::HostLock;
use crate::machine::{Machine, memory_within_reach};

/// How often the host looks whether memory runs short.
const MEMORY_LOOK_INTERVAL: Duration = Duration::from_secs(1);
/// How long an explanation may take.
const EXPLAIN_PATIENCE: Duration = Duration::from_secs(5);
/// How long attempts may take to notice that they were stopped.
const STOP_GRACE: Duration = Duration::from_secs(2);
/// How often a drain looks whether everything has ended.
const DRAIN_LOOK_INTERVAL: Duration = Duration::from_millis(10);

/// Runs jobs. Dropping it ends what runs.
///
/// ```
/// use pframe_host::{Engine, Job, JobInput};
///
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// // A handler is any component that exports `pframe:task/handler`, or `wasi:cli/run` like this one.
/// let component = wat::parse_str(
///     r#"(component
///         (core module $m (func (export "run") (result i32) i32.const 0))
///         (core instance $i (instantiate $m))
///         (func $run (result (result)) (canon lift (core func $i "run")))
///         (instance $command (export "run" (func $run)))
///         (export "wasi:cli/run@0.2.0" (instance $command)))"#,
/// )?;
/// let engine = Engine::builder().workers(2).build()?;
/// let task = "do-nothing".parse()?;
/// engine.register_component(&task, component)?;
///
/// let mut job = Job::new("first".parse()?, task, JobInput::Text("to be or not to be".into()));
/// job.limits.fuel = Some(pframe_host::core::units::Fuel(1_000_000));
/// let handle = engine.submit(job)?;
/// let output = handle.wait_blocking()?;
///
/// assert_eq!(output.bytes()?, b"");
/// assert_eq!(handle.status().to_string(), "completed");
/// # Ok(())
/// # }
/// ```
pub struct Engine {
    shared: Arc<Shared>,
    control: Option<JoinHandle<()>>,
    monitor: Option<(mpsc::Sender<()>, JoinHandle<()>)>,
    _lock: Option<HostLock>,
}

/// What engine, handles and threads share.
pub(super) struct Shared {
    pub(super) workbench: Workbench,
    pub(super) inbox: Arc<Inbox>,
    pub(super) ledger: Arc<Ledger>,
    pub(super) progress: ProgressBoard,
    pub(super) results: ResultStore,
    pub(super) run: Option<i64>,
    /// How many jobs the run is about.
    pub(super) jobs_wanted: u64,
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
        Self { shared, control: Some(control), monitor, _lock: lock }
    }

    /// Registers the component at `path` under a name, compiling it unless it was before.
    pub fn register_task(&self, name: &TaskName, path: &Path) -> Result<TaskInfo, Fault> {
        self.shared.workbench.register_task(&TenantName::default_tenant(), name, path, None)
    }

    /// Registers a component given as bytes.
    pub fn register_component(&self, name: &TaskName, bytes: Vec<u8>) -> Result<TaskInfo, Fault> {
        self.register_component_of(&TenantName::default_tenant(), name, bytes)
    }

    /// Registers a component that a tenant brought. Two compilers run for a tenant at once: whoever brings a hundred
    /// components waits for himself.
    pub fn register_component_of(
        &self,
        tenant: &TenantName,
        name: &TaskName,
        bytes: Vec<u8>,
    ) -> Result<TaskInfo, Fault> {
        self.shared.workbench.register_component(tenant, name, bytes)
    }

    /// The task types that are registered.
    pub fn tasks(&self) -> BTreeMap<TaskName, TaskInfo> {
        self.shared.workbench.tasks()
    }

    pub(crate) fn workbench(&self) -> &Workbench {
        &self.shared.workbench
    }

    /// Checks and measures a job without running it.
    pub fn plan(&self, job: &Job) -> Result<Planned, Fault> {
        self.shared.workbench.plan(job)
    }

    /// Submits a job. It is accepted once it is recorded; the handle's ending tells if it was refused.
    #[expect(clippy::needless_pass_by_value, reason = "a submitted job is the engine's")]
    pub fn submit(&self, job: Job) -> Result<JobHandle, Fault> {
        let planned = link(vec![self.plan(&job)?])?.remove(0);
        self.submit_planned(planned)
    }

    /// Submits jobs; none of them if one is not right. One that a quota refuses hears it as its end, and those that depend on
    /// it too. They may depend on each other, and the handles stand in an order in
    /// which each comes behind those that it depends on.
    #[expect(clippy::needless_pass_by_value, reason = "submitted jobs are the engine's")]
    pub fn submit_batch(&self, jobs: Vec<Job>) -> Result<BatchHandle, Fault> {
        let planned: Result<Vec<_>, _> = jobs.iter().map(|job| self.plan(job)).collect();
        let jobs = link(planned?)?.into_iter().map(|planned| self.submit_planned(planned));
        Ok(BatchHandle { jobs: jobs.collect::<Result<_, _>>()? })
    }

    /// Submits a job that was planned before.
    pub fn submit_planned(&self, planned: Planned) -> Result<JobHandle, Fault> {
        let Planned { spec, chunks } = planned;
        if spec.cache != Caching::Off && self.shared.run.is_none() {
            let detail = "`cache: true` needs a state directory, which this engine does not have";
            return Err(Fault::new(Code::JobFile).detail(detail));
        }
        self.shared.workbench.stdin.adopt(&spec.inputs, &self.shared.results)?;
        self.shared.ledger.open(&spec.id)?;
        let handle = self.handle(&spec.id).expect("its place was opened just now");
        self.shared.inbox.submit([Message::Submit { job: spec, chunks }]);
        Ok(handle)
    }

    /// The handle of a job that has not ended.
    pub fn handle(&self, job: &JobId) -> Option<JobHandle> {
        self.shared.ledger.cell(job).map(|cell| self.handle_of(job, cell))
    }

    /// Handles of the jobs of a continued run, in the order of acceptance, those that had ended among them.
    pub(crate) fn recovered(&self) -> Vec<JobHandle> {
        let recovered = self.shared.ledger.recovered().iter();
        recovered.map(|(job, cell)| self.handle_of(job, Arc::clone(cell))).collect()
    }

    fn handle_of(&self, job: &JobId, cell: Arc<Cell>) -> JobHandle {
        let shared = &self.shared;
        JobHandle {
            id: job.clone(),
            cell,
            ledger: Arc::clone(&shared.ledger),
            inbox: Arc::clone(&shared.inbox),
            progress: shared.progress.clone(),
            results: shared.results.clone(),
        }
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
        self.remote().explain(job)
    }

    /// A handle for whoever may ask and cancel, but not submit.
    pub(crate) fn remote(&self) -> Remote {
        let Shared { inbox, ledger, .. } = &*self.shared;
        Remote { inbox: Arc::clone(inbox), ledger: Arc::clone(ledger) }
    }

    /// What this machine has.
    pub fn machine(&self) -> &Machine {
        self.shared.workbench.machine()
    }

    /// What jobs may hold together.
    pub fn capacity(&self) -> Capacity {
        self.shared.workbench.capacity()
    }

    pub(crate) fn run(&self) -> Option<i64> {
        self.shared.run
    }

    /// Starts nothing any more, lets what runs end within `grace`, and takes the rest back uncharged.
    pub fn drain(&self, grace: Duration) {
        self.shared.inbox.send(Message::Drain);
        if !self.wait_until_idle(grace) {
            self.shared.inbox.tell(Mail::StopAttempts);
            self.wait_until_idle(STOP_GRACE);
        }
    }

    fn wait_until_idle(&self, patience: Duration) -> bool {
        let until = Instant::now() + patience;
        while self.running() > 0 {
            if Instant::now() >= until {
                return false;
            }
            std::thread::sleep(DRAIN_LOOK_INTERVAL);
        }
        true
    }

    fn running(&self) -> u32 {
        self.shared.ledger.report().jobs().iter().map(|job| job.running()).sum()
    }

    /// Records that the run is over: every job has ended and every result stands where it was wanted.
    /// A run of which some jobs were never accepted is not.
    pub(crate) fn finish_run(&self) -> Result<(), Fault> {
        if self.totals().jobs() < self.shared.jobs_wanted {
            return Ok(());
        }
        let (answer, finished) = mpsc::channel();
        self.shared.inbox.tell(Mail::FinishRun(answer));
        // Where nobody answers, the loop has ended, and said why.
        finished.recv().unwrap_or_else(|_| {
            Err(Fault::new(Code::StateUnusable).detail("the journal failed before"))
        })
    }
}

/// Asks and cancels from another thread.
pub(crate) struct Remote {
    inbox: Arc<Inbox>,
    ledger: Arc<Ledger>,
}

impl Remote {
    /// Asks for a job's end; false where no such job is unfinished.
    pub(crate) fn cancel(&self, job: &JobId) -> bool {
        let is_open = self.ledger.cell(job).is_some();
        if is_open {
            self.inbox.send(Message::Cancel { job: job.clone() });
        }
        is_open
    }

    /// Says why a job waits; `None` for a job that is unknown or has ended.
    pub(crate) fn explain(&self, job: &JobId) -> Option<String> {
        let (answer, question) = mpsc::channel();
        self.inbox.tell(Mail::Explain { job: job.clone(), answer });
        question.recv_timeout(EXPLAIN_PATIENCE).ok().flatten()
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
        self.shared.workbench.stdin.release();
    }
}

/// Admits less while memory runs short, and all again when it does not.
fn watch_memory(shared: Arc<Shared>) -> (mpsc::Sender<()>, JoinHandle<()>) {
    let (quit, told) = mpsc::channel();
    let look = move || {
        let full = shared.workbench.capacity();
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
