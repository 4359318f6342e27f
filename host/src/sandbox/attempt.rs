//! One attempt: a fresh store, one call, one product or one fault. A straight line.
//!
//! Owns: the order of things in an attempt and the account of what it used.
//! Never: uses a store twice.

use std::fs::File;
use std::sync::Arc;

use pframe_core::fault::{Code, Fault, GuestText};
use pframe_core::job::Slice;
use pframe_core::limits::{Limits, Usage};
use pframe_core::units::{ByteSize, Fuel};
use wasmtime::Store;
use wasmtime::component::{
    ComponentExportIndex, ComponentNamedList, Instance, Lift, Lower, Resource, TypedFunc,
};

use super::ending;
use super::engine::Sandbox;
use super::leaving;
use super::merge::{FAN_IN, MergeTree};
use super::meter::Metered;
use super::state::{AttemptState, Watch, store};
use super::stop::Stop;
use super::task::{Exports, Task};
use crate::capability::bindings::pframe::task::types::{Failure, Span, Unit};
use crate::capability::directories::Files;
use crate::capability::input::{ChunkHandle, Part, PartialsHandle, SourceHandle, Supply};
use crate::capability::output::SharedOutput;
use crate::capability::scratch::{is_full, left_result};
use crate::capability::stdio::{Capture, GuestStdio};
use crate::capability::{Capabilities, Granted, Guest, Services};
use crate::data::results::Finished;

/// Lines of stderr that a fault carries.
const TAIL_LINES: usize = 20;

/// What an attempt is asked to do.
pub(crate) enum Assignment {
    /// Ask the chunker for the spans of each source.
    Cut(Box<dyn Supply<SourceHandle>>),
    /// Work on one chunk.
    Run(Box<ChunkHandle>),
    /// Make one output of many.
    Collect(Box<dyn Supply<Part>>),
}

/// What an attempt made.
pub(crate) enum Product {
    /// The result.
    Output(Finished),
    /// Spans of the sources, unchecked.
    Cuts(Vec<Slice>),
}

/// Everything that one attempt needs beside the task.
pub(crate) struct Order {
    pub(crate) assignment: Assignment,
    pub(crate) parameters: Arc<str>,
    pub(crate) limits: Limits,
    pub(crate) granted: Granted,
    /// The attempt's directories.
    pub(crate) files: Files,
    pub(crate) stop: Stop,
    pub(crate) services: Services,
    pub(crate) output: SharedOutput,
    pub(crate) talk: Capture,
}

/// Runs one attempt to its end. What it used is in `usage`, however it ended.
pub(crate) async fn run(
    sandbox: &Sandbox,
    task: &Task,
    order: Order,
    usage: &mut Usage,
) -> Result<Product, Fault> {
    let talk = order.talk.clone();
    let mut attempt = Attempt::new(sandbox, task, order)?;
    let _watched = sandbox.ticker().watch();
    let result = attempt.perform().await.map_err(|fault| attempt.explain(fault));
    attempt.account(usage);
    result.map_err(|mut fault| {
        fault.stderr_tail = talk.tail(TAIL_LINES);
        fault
    })
}

struct Attempt<'a> {
    task: &'a Task,
    store: Store<AttemptState>,
    assignment: Option<Assignment>,
    parameters: Arc<str>,
    deadline: tokio::time::Instant,
    started: std::time::Instant,
    stop: Stop,
    cpu: super::meter::CpuTime,
    output: SharedOutput,
    trapped: bool,
    command_chunk: Option<ChunkHandle>,
}

impl<'a> Attempt<'a> {
    fn new(sandbox: &Sandbox, task: &'a Task, order: Order) -> Result<Self, Fault> {
        let watch = Watch::new(order.limits, order.stop.clone());
        let (deadline, started, cpu) = (watch.deadline, watch.started, watch.cpu.clone());
        let command_chunk = match (&task.exports, &order.assignment) {
            (Exports::Command { .. }, Assignment::Run(chunk)) => Some(chunk.as_ref().clone()),
            _ => None,
        };
        let stdio = match &command_chunk {
            Some(chunk) => GuestStdio::command(chunk.clone(), order.output.clone(), &order.talk),
            None => GuestStdio::handler(&order.talk),
        };
        let parameters = command_chunk.is_some().then(|| Arc::clone(&order.parameters));
        let output = order.output.clone();
        let capabilities = Capabilities::new(
            order.granted,
            stdio,
            parameters,
            order.files,
            output,
            order.services,
        );
        let state = AttemptState::new(capabilities, watch);
        let store = store(sandbox, state).map_err(|error| bug(&error))?;
        Ok(Self {
            task,
            store,
            assignment: Some(order.assignment),
            parameters: order.parameters,
            deadline: deadline.into(),
            started,
            stop: order.stop,
            cpu,
            output: order.output,
            trapped: false,
            command_chunk,
        })
    }

    /// Does what was asked, under the deadline and the stop.
    async fn perform(&mut self) -> Result<Product, Fault> {
        let assignment = self.assignment.take().expect("an attempt performs once");
        match assignment {
            Assignment::Run(chunk) => {
                let task = self.task;
                let parameters = Arc::clone(&self.parameters);
                let call = call_run(&mut self.store, task, *chunk, &parameters);
                let ended = guard(&self.cpu, &self.stop, self.deadline, call).await;
                let status = self.settle(ended)?;
                self.check_status(status)?;
                self.finish_output().await
            }
            Assignment::Collect(parts) => self.collect(parts).await,
            Assignment::Cut(sources) => self.cut(sources).await,
        }
    }

    /// Calls the chunker for each source in turn.
    async fn cut(&mut self, sources: Box<dyn Supply<SourceHandle>>) -> Result<Product, Fault> {
        let task = self.task;
        let mut slices = Vec::new();
        let parameters = Arc::clone(&self.parameters);
        let call = call_cut(&mut self.store, task, sources, &parameters, &mut slices);
        let ended = guard(&self.cpu, &self.stop, self.deadline, call).await;
        let status = self.settle(ended)?;
        self.check_status(status)?;
        Ok(Product::Cuts(slices))
    }

    /// Merges in a tree, until few enough parts are left to finish.
    async fn collect(&mut self, mut parts: Box<dyn Supply<Part>>) -> Result<Product, Fault> {
        let Exports::Handler { collect: Some(collector), .. } = &self.task.exports else {
            return Err(Fault::new(Code::Bug).detail("asked a task without a collector to collect"));
        };
        let instance = self.instantiate().await?;
        let mut tree = MergeTree::default();
        for first in (0..parts.count()).step_by(FAN_IN) {
            tree.add(parts.open(first..parts.count().min(first + FAN_IN))?);
            while let Some(group) = tree.next_group(parts.count() - first > FAN_IN) {
                self.merge(&instance, &collector.combine, group.parts).await?;
                tree.put(group.level, self.output.finish_part()?);
            }
        }
        self.merge(&instance, &collector.finish, tree.rest()).await?;
        self.finish_output().await
    }

    async fn instantiate(&mut self) -> Result<Instance, Fault> {
        let call = self.task.instance.instantiate_async(&mut self.store);
        let ended = guard(&self.cpu, &self.stop, self.deadline, call).await;
        self.settle(ended)
    }

    async fn merge(
        &mut self,
        instance: &Instance,
        function: &ComponentExportIndex,
        parts: Vec<Part>,
    ) -> Result<(), Fault> {
        let parameters = Arc::clone(&self.parameters);
        let call = call_merge(&mut self.store, instance, function, parts, &parameters);
        let ended = guard(&self.cpu, &self.stop, self.deadline, call).await;
        let status = self.settle(ended)?;
        self.check_status(status)
    }

    /// Turns the end of a guarded call into its value or the fault that names the end.
    fn settle<T>(&mut self, ended: Guarded<T>) -> Result<T, Fault> {
        let error = match ended {
            Guarded::Returned(Ok(value)) => return Ok(value),
            Guarded::Returned(Err(error)) => error,
            Guarded::Stopped(fault) => return Err(fault),
            Guarded::PastDeadline => return Err(self.deadline_fault()),
        };
        let used = self.fuel_used();
        self.trapped = true;
        Err(ending::fault_of(&error, self.store.data_mut(), used))
    }

    fn deadline_fault(&self) -> Fault {
        self.store.data().watch.deadline_fault()
    }

    fn check_status(&mut self, status: Status) -> Result<(), Fault> {
        if let Some(fault) = self.store.data_mut().take_fault() {
            return Err(fault);
        }
        match status {
            Status::Ok => Ok(()),
            Status::Failed(failure) => Err(handler_fault(failure)),
            Status::CommandFailed(status) => Err(Fault::new(Code::Permanent)
                .detail(format!("the command ended with status {status}"))),
        }
    }

    /// What was written is the result; where nothing was, the file that was left for it.
    async fn finish_output(&mut self) -> Result<Product, Fault> {
        if let Some(file) = self.left_file()? {
            let copy = leaving::copy(&mut self.store, file, self.output.clone());
            let ended = guard(&self.cpu, &self.stop, self.deadline, copy).await;
            self.settle(ended)?;
        }
        self.output.finish().map(Product::Output)
    }

    fn left_file(&mut self) -> Result<Option<File>, Fault> {
        let is_written = self.output.written() > ByteSize::ZERO;
        match &self.store.data_mut().capabilities().files.scratch {
            Some(disk) if !is_written => left_result(disk),
            _ => Ok(None),
        }
    }

    /// A handler that fails while its disk is full failed because of that, whatever it says.
    fn explain(&mut self, fault: Fault) -> Fault {
        let is_its_own = matches!(
            fault.code,
            Code::Trap | Code::NoResult | Code::Invalid | Code::Transient | Code::Permanent
        );
        let limit = self.store.data().watch.limits.disk;
        let scratch = &self.store.data_mut().capabilities().files.scratch;
        if !is_its_own || !scratch.as_ref().is_some_and(is_full) {
            return fault;
        }
        let full = Fault::new(Code::Disk).hit("limits.disk", limit, "all of it");
        Fault { code: full.code, hit: full.hit, ..fault }
    }

    fn fuel_used(&self) -> Fuel {
        let budget = self.store.data().watch.limits.fuel.map_or(u64::MAX, |fuel| fuel.0);
        Fuel(budget.saturating_sub(self.store.get_fuel().unwrap_or(budget)))
    }

    fn account(&mut self, usage: &mut Usage) {
        usage.fuel = self.fuel_used();
        usage.fuel_at_least = self.trapped;
        usage.memory_peak = self.store.data().limiter.memory_peak();
        usage.wall = self.started.elapsed();
        usage.cpu = self.cpu.total();
        let commanded = self.command_chunk.as_ref().map_or(0, ChunkHandle::bytes_read);
        let capabilities = self.store.data_mut().capabilities();
        usage.input_bytes.0 = capabilities.input_bytes + commanded;
        usage.asked = capabilities.asked;
        usage.output_bytes = capabilities.output.written();
        usage.calls_denied = capabilities.calls_denied();
    }
}

/// How a guarded call ended.
enum Guarded<T> {
    Returned(wasmtime::Result<T>),
    Stopped(Fault),
    PastDeadline,
}

/// Waits for a call, but not past the deadline and not past a stop.
///
/// The call is polled first: a handler that never waits costs no timer.
async fn guard<T>(
    cpu: &super::meter::CpuTime,
    stop: &Stop,
    deadline: tokio::time::Instant,
    call: impl Future<Output = wasmtime::Result<T>>,
) -> Guarded<T> {
    let call = Metered::new(cpu.clone(), call);
    tokio::select! {
        biased;
        result = call => Guarded::Returned(result),
        fault = stop.wait() => Guarded::Stopped(fault),
        () = tokio::time::sleep_until(deadline) => Guarded::PastDeadline,
    }
}

/// What the guest's function said.
enum Status {
    Ok,
    Failed(Failure),
    CommandFailed(i32),
}

impl From<Result<(), Failure>> for Status {
    fn from(result: Result<(), Failure>) -> Self {
        match result {
            Ok(()) => Self::Ok,
            Err(failure) => Self::Failed(failure),
        }
    }
}

type RunFn<'a> = TypedFunc<(Resource<ChunkHandle>, &'a str), (Result<(), Failure>,)>;
type MergeFn<'a> = TypedFunc<(Resource<PartialsHandle>, &'a str), (Result<(), Failure>,)>;
type CutFn<'a> = TypedFunc<(Resource<SourceHandle>, &'a str), (Result<Vec<Span>, Failure>,)>;
type CommandFn = TypedFunc<(), (Result<(), ()>,)>;

/// The exported function, or the fault of a component that exports another one under its name.
fn typed<Parameters, Return>(
    store: &mut Store<AttemptState>,
    instance: &Instance,
    index: &ComponentExportIndex,
) -> wasmtime::Result<TypedFunc<Parameters, Return>>
where
    Parameters: ComponentNamedList + Lower,
    Return: ComponentNamedList + Lift,
{
    instance.get_typed_func(&mut *store, index).map_err(|error| {
        let text = GuestText::new(&format!("{error:#}"));
        let fault = Fault::new(Code::ExportMissing)
            .detail(format!("an exported function has another type than it must have: {text}"));
        store.data_mut().end(fault)
    })
}

async fn call_run(
    store: &mut Store<AttemptState>,
    task: &Task,
    chunk: ChunkHandle,
    parameters: &str,
) -> wasmtime::Result<Status> {
    let instance = task.instance.instantiate_async(&mut *store).await?;
    match &task.exports {
        Exports::Handler { run, .. } => {
            let function: RunFn<'_> = typed(store, &instance, run)?;
            store.data_mut().capabilities().speech.work_on(&chunk);
            let chunk = store.data_mut().capabilities().table.push(chunk)?;
            let handle = Resource::new_borrow(chunk.rep());
            let (result,) = function.call_async(&mut *store, (handle, parameters)).await?;
            Ok(result.into())
        }
        Exports::Command { run } => {
            let function: CommandFn = typed(store, &instance, run)?;
            command_status(function.call_async(&mut *store, ()).await)
        }
    }
}

/// `exit(0)` is how many languages' runtimes return from a command; any other status is a failure.
fn command_status(result: wasmtime::Result<(Result<(), ()>,)>) -> wasmtime::Result<Status> {
    match result {
        Ok((Ok(()),)) => Ok(Status::Ok),
        Ok((Err(()),)) => Ok(Status::CommandFailed(1)),
        Err(error) => match error.downcast_ref::<wasmtime_wasi::I32Exit>() {
            Some(wasmtime_wasi::I32Exit(0)) => Ok(Status::Ok),
            Some(wasmtime_wasi::I32Exit(status)) => Ok(Status::CommandFailed(*status)),
            None => Err(error),
        },
    }
}

async fn call_merge(
    store: &mut Store<AttemptState>,
    instance: &Instance,
    function: &ComponentExportIndex,
    parts: Vec<Part>,
    parameters: &str,
) -> wasmtime::Result<Status> {
    let function: MergeFn<'_> = typed(store, instance, function)?;
    let parts = store.data_mut().capabilities().table.push(PartialsHandle::new(parts))?;
    let handle = Resource::new_borrow(parts.rep());
    let (result,) = function.call_async(&mut *store, (handle, parameters)).await?;
    store.data_mut().capabilities().table.delete(parts)?;
    Ok(result.into())
}

async fn call_cut(
    store: &mut Store<AttemptState>,
    task: &Task,
    mut sources: Box<dyn Supply<SourceHandle>>,
    parameters: &str,
    slices: &mut Vec<Slice>,
) -> wasmtime::Result<Status> {
    let instance = task.instance.instantiate_async(&mut *store).await?;
    let Exports::Handler { cut: Some(cut), .. } = &task.exports else {
        let fault = Fault::new(Code::ExportMissing)
            .detail("`chunking: custom` needs an exported `pframe:task/chunker@0.1.0`");
        return Err(store.data_mut().end(fault));
    };
    let function: CutFn<'_> = typed(store, &instance, cut)?;
    for index in 0..sources.count() {
        let opened = sources.open(index..index + 1).map_err(|fault| store.data_mut().end(fault))?;
        let source = opened.into_iter().next().expect("one was asked for");
        let source = store.data_mut().capabilities().table.push(source)?;
        let handle = Resource::new_borrow(source.rep());
        let (result,) = function.call_async(&mut *store, (handle, parameters)).await?;
        store.data_mut().capabilities().table.delete(source)?;
        match result {
            Ok(spans) => append(store.data_mut(), slices, index, &spans)?,
            Err(failure) => return Ok(Status::Failed(failure)),
        }
    }
    Ok(Status::Ok)
}

fn append(
    state: &mut AttemptState,
    slices: &mut Vec<Slice>,
    source: usize,
    spans: &[Span],
) -> wasmtime::Result<()> {
    let source = u32::try_from(source).expect("the number of sources is bounded at acceptance");
    for (index, span) in spans.iter().enumerate() {
        if !matches!(span.unit, Unit::Bytes) || span.start > span.end {
            let fault = Fault::new(Code::BadCuts)
                .detail(format!("span {index} of source {source} is not a range of bytes"));
            return Err(state.end(fault));
        }
        slices.push(Slice { source, start: span.start, end: span.end });
    }
    Ok(())
}

/// The class comes from the variant, never from the text.
fn handler_fault(failure: Failure) -> Fault {
    let (code, message) = match failure {
        Failure::InvalidInput(message) => (Code::Invalid, message),
        Failure::Transient(message) => (Code::Transient, message),
        Failure::Permanent(message) => (Code::Permanent, message),
    };
    let mut fault = Fault::new(code);
    fault.guest_message = Some(pframe_core::fault::GuestText::new(&message));
    fault
}

fn bug(error: &wasmtime::Error) -> Fault {
    Fault::new(Code::Bug).detail(format!("{error:#}"))
}
