//! The worker's life: into the jail, load one component, run what is ordered, end when the line closes.
//!
//! Owns: the order in which that happens.
//! Never: looks at anything of a tenant before the jail stands, except the compiled code that this host sealed itself.

use std::fs::File;
use std::future::{Future, poll_fn};
use std::io;
use std::os::fd::AsFd;
use std::pin::pin;
use std::process::ExitCode;
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

use pframe_core::config::Isolation;
use pframe_core::fault::{Code, Fault};
use pframe_core::limits::Usage;
use pframe_core::units::ByteSize;

use super::desk::{Desk, Ordered, open};
use super::http::RemoteHttp;
use super::protocol::{Ending, FromWorker, OrderedWork, RunOrder, ToWorker};
use super::remote::{RemoteKeyValue, RemoteOutput, RemoteProgress, RemoteSpeech, RemoteSupply};
use crate::capability::Services;
use crate::capability::directories::{Directory, Files};
use crate::capability::input::ChunkHandle;
use crate::capability::output::SharedOutput;
use crate::capability::stdio::Capture;
use crate::data::results::Finished;
use crate::process::child::exit_of;
use crate::process::frame::{Frame, FrameError, Incoming, receive_frame};
use crate::process::jail::Jail;
use crate::process::scratch::keeps_below;
use crate::process::syscalls::Phase;
use crate::registry::{compatibility, load_artefact_file};
use crate::sandbox::{Assignment, Order, Product, Sandbox, SandboxSettings, Stop, Task, run};

/// Sandboxes that a worker reserves room for: one runs, the one before may still be cleaned up.
const SANDBOXES: u32 = 4;

/// Memory that is given back once before the last layer: more than the C library keeps for a thread (128 KiB), in blocks
/// that it does not ask the kernel for one by one (which it does from 128 KiB on).
const GIVEN_BACK_BLOCKS: usize = 16;
const GIVEN_BACK_BYTES: usize = 64 << 10;

/// Longer than any worker lives: no thread can be started in the place of one that ended.
const FOR_EVER: Duration = Duration::from_hours(24 * 365);

/// Serves the line on stdin until it closes.
pub(crate) fn serve(isolation: Isolation) -> ExitCode {
    exit_of("worker", check_line().and_then(|()| live(isolation)))
}

fn check_line() -> Result<(), FrameError> {
    match rustix::net::sockopt::socket_type(io::stdin()) {
        Ok(rustix::net::SocketType::STREAM) => Ok(()),
        _ => Err(FrameError::Malformed("stdin is not a line to a host; hosts start workers")),
    }
}

fn live(isolation: Isolation) -> Result<(), FrameError> {
    let mut jail = Jail::enter(isolation, io::stdin().as_fd())?;
    jail.seal(Phase::Load);
    let line = io::stdin().as_fd().try_clone_to_owned()?;
    let mut incoming = Incoming::with_descriptors();
    let first = receive_frame(&mut incoming, line.as_fd())?;
    let desk = Arc::new(Desk::new(line));
    let (prepared, mut files) = match prepare(first) {
        Ok((sandbox, task, files)) => (Ok((sandbox, task)), files),
        Err(fault) => (Err(fault), Files::default()),
    };
    let roots: Vec<_> = files.directories.iter().map(|it| it.root.as_fd()).collect();
    let disk: Vec<_> = files.disk().map(AsFd::as_fd).collect();
    jail.close_around(&[], &disk, &roots);
    // All threads stand before the last layer, which holds for all of them.
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .max_blocking_threads(1)
        .thread_keep_alive(FOR_EVER)
        .build()?;
    if !files.is_empty() {
        // Streams of files read and write on a thread beside the guest's.
        let _ = runtime.block_on(runtime.spawn_blocking(|| ()));
    }
    let reader = Arc::clone(&desk);
    let (go, wait) = std::sync::mpsc::channel::<()>();
    std::thread::Builder::new().name("pframe-line".into()).spawn(move || {
        if wait.recv().is_ok() {
            reader.listen(incoming);
        }
    })?;
    if let Ok((sandbox, _)) = &prepared {
        sandbox.ticker().start();
    }
    settle_memory()?;
    jail.seal(phase(&files));
    let lacks_openat2 = {
        let mut roots = files.directories.iter().map(|it| &it.root).chain(files.disk());
        roots.any(|root| !keeps_below(root))
    };
    let prepared = if !files.is_empty() && jail.lacks_empty_root() {
        Err(Fault::new(Code::WorkerUnusable).detail(
            "a private disk (`limits.disk`) or a directory needs an empty root directory around it",
        ))
    } else if lacks_openat2 {
        Err(Fault::new(Code::WorkerUnusable).detail("the kernel has no `openat2`"))
    } else {
        prepared
    };
    let (sandbox, task) = match (prepared, jail.gap()) {
        (Err(fault), _) => return desk.send(&FromWorker::Refused((&fault).into())),
        (Ok(_), Some(gap)) => {
            let why = gap.missing.as_deref().unwrap_or_default();
            let fault = Fault::new(Code::WorkerUnusable)
                .detail(format!("the layer `{}` does not hold: {why}", gap.layer.name()));
            return desk.send(&FromWorker::Refused((&fault).into()));
        }
        (Ok(prepared), None) => prepared,
    };
    desk.send(&FromWorker::Ready(jail.states().to_vec()))?;
    let _ = go.send(());
    while let Some(ordered) = desk.next_order() {
        let files = std::mem::take(&mut files);
        runtime.block_on(work(&desk, &sandbox, &task, ordered, files))?;
    }
    Ok(())
}

/// What running guests with these directories takes.
fn phase(files: &Files) -> Phase {
    match (&files.scratch, files.is_empty()) {
        (Some(_), _) => Phase::RunWithDisk,
        (None, false) => Phase::RunWithDirectories,
        (None, true) => Phase::Run,
    }
}

/// The C library looks at a file the first time that it gives back memory which another thread than the first had asked
/// for, and never again. After the last layer that look would end the process.
fn settle_memory() -> io::Result<()> {
    let settle = || {
        let blocks: Vec<Vec<u8>> =
            (0..GIVEN_BACK_BLOCKS).map(|_| Vec::with_capacity(GIVEN_BACK_BYTES)).collect();
        drop(std::hint::black_box(blocks));
    };
    let thread = std::thread::Builder::new().name("pframe-settle".into()).spawn(settle)?;
    thread.join().map_err(|_| io::Error::other("settling memory"))
}

/// Loads the component that this worker serves.
fn prepare(first: Frame) -> Result<(Sandbox, Task, Files), Fault> {
    let protocol = |what: &str| Fault::new(Code::Protocol).detail(what);
    let Ok(first_word) = first.message() else {
        return Err(protocol("the first word is not a component"));
    };
    let ToWorker::Load { component, memory_max, engine, has_disk, directories, outboxes } =
        first_word
    else {
        return Err(protocol("the first word is not a component"));
    };
    let mut descriptors = first.descriptors.into_iter();
    let artefact = descriptors.next().ok_or_else(|| protocol("no compiled code came along"))?;
    if descriptors.len() != usize::from(has_disk) + directories.len() + outboxes.len() {
        return Err(protocol("not the descriptors that were named"));
    }
    let scratch = if has_disk { descriptors.next().map(File::from) } else { None };
    let read = directories.len();
    let named = directories.into_iter().chain(outboxes).zip(descriptors);
    let mut directories: Vec<_> =
        named.map(|(name, root)| Directory { name, root: File::from(root) }).collect();
    let outboxes = directories.split_off(read);
    let files = Files { scratch, directories, outboxes };
    let sandbox = Sandbox::new(SandboxSettings { attempts: SANDBOXES, memory_max })?;
    if compatibility(sandbox.engine()) != engine {
        return Err(Fault::new(Code::WorkerUnusable)
            .detail("the worker is another build: its engine cannot load what the host compiled"));
    }
    let loaded = load_artefact_file(sandbox.engine(), &File::from(artefact))
        .map_err(|error| Fault::new(Code::Bug).detail(format!("loading: {error:#}")))?;
    let task = Task::link(&sandbox, component, &loaded)?;
    Ok((sandbox, task, files))
}

/// One order, from its beginning to its last word.
async fn work(
    desk: &Arc<Desk>,
    sandbox: &Sandbox,
    task: &Task,
    ordered: Ordered,
    files: Files,
) -> Result<(), FrameError> {
    let number = ordered.order.order;
    let mut usage = Usage::default();
    let talk = Capture::default();
    let result = {
        let attempt = pin!(perform(desk, sandbox, task, ordered, files, talk.clone(), &mut usage));
        watch(desk, attempt).await?
    };
    desk.done();
    let ending = match result {
        Ok(Product::Output(Finished::Inline(rest))) => Ending::Output(rest),
        Ok(Product::Output(Finished::Stored { .. })) => {
            let fault = Fault::new(Code::Bug).detail("a worker stores nothing");
            Ending::Failed((&fault).into())
        }
        Ok(Product::Cuts(slices)) => Ending::Cuts(slices),
        Err(fault) => Ending::Failed((&fault).into()),
    };
    desk.send_soon(&FromWorker::Ended { order: number, usage, ending, talk: talk.text() })
}

/// An attempt that does not end at once holds back nothing that ended before it.
async fn watch<T>(
    desk: &Desk,
    mut attempt: std::pin::Pin<&mut impl Future<Output = T>>,
) -> Result<T, FrameError> {
    let first_look = poll_fn(|context| Poll::Ready(attempt.as_mut().poll(context))).await;
    match first_look {
        Poll::Ready(result) => Ok(result),
        Poll::Pending => {
            desk.flush()?;
            Ok(attempt.await)
        }
    }
}

async fn perform(
    desk: &Arc<Desk>,
    sandbox: &Sandbox,
    task: &Task,
    ordered: Ordered,
    files: Files,
    talk: Capture,
    usage: &mut Usage,
) -> Result<Product, Fault> {
    if let Some(fault) = ordered.stop.requested() {
        return Err(fault);
    }
    let stop = ordered.stop.clone();
    let order = sandbox_order(desk, ordered, files, stop, talk)?;
    run(sandbox, task, order, usage).await
}

fn sandbox_order(
    desk: &Arc<Desk>,
    ordered: Ordered,
    files: Files,
    stop: Stop,
    talk: Capture,
) -> Result<Order, Fault> {
    let mut descriptors = ordered.descriptors;
    let RunOrder { attempt, work, parameters, limits, granted, .. } = *ordered.order;
    let assignment = match work {
        OrderedWork::Cut { sources } => Assignment::Cut(Box::new(RemoteSupply::new(desk, sources))),
        OrderedWork::Collect { parts } => {
            Assignment::Collect(Box::new(RemoteSupply::new(desk, parts)))
        }
        OrderedWork::Run { slice, count, source, medium } => {
            let source = open(source, &mut descriptors)
                .ok_or_else(|| Fault::new(Code::Protocol).detail("a source without its bytes"))?;
            let chunk = ChunkHandle::new(attempt, count, slice, (medium, Arc::new(source)));
            Assignment::Run(Box::new(chunk))
        }
    };
    if files.scratch.is_some() != (limits.disk > ByteSize::ZERO) {
        return Err(Fault::new(Code::Protocol).detail("a disk that is not as its limit says"));
    }
    Ok(Order {
        assignment,
        parameters: parameters.into(),
        limits,
        granted,
        files,
        stop,
        services: Services {
            progress: Box::new(RemoteProgress::new(desk)),
            speech: Box::new(RemoteSpeech::new(desk)),
            http: Box::new(RemoteHttp::new(desk)),
            keyvalue: Box::new(RemoteKeyValue::new(desk)),
        },
        output: SharedOutput::new(RemoteOutput::new(desk), limits.output),
        talk,
    })
}
