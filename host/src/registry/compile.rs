//! Compilation in a child process, with limits on memory, processor time, wall time and output.
//!
//! Owns: both ends of it: what the host asks and waits for, and the life of the child.
//! Never: compiles in the host where there is a program to start a child from: what a compiler does with a hostile
//! component is outside wasmtime's own promises.

use std::fs::File;
use std::io::{self, Read};
use std::os::fd::AsFd;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::{Duration, Instant};

use pframe_core::config::Isolation;
use pframe_core::fault::{Code, Fault, GuestText};
use pframe_core::ids::Digest;
use pframe_core::units::{ByteSize, show_duration};
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::process::Resource;
use serde::{Deserialize, Serialize};

use super::artefacts::compatibility;
use crate::process::child::ChildProcess;
use crate::process::frame::{FrameError, Incoming, Outgoing, receive_frame};
use crate::process::jail::Jail;
use crate::process::memory;
use crate::process::syscalls::Phase;
use crate::sandbox::compiler;

/// Address space of the compiler.
const MEMORY_MAX: ByteSize = ByteSize::gib(2);
/// Processor time of the compiler.
const CPU_MAX: Duration = Duration::from_mins(1);
/// How long a compilation may take.
const WALL_MAX: Duration = Duration::from_secs(90);
/// The largest compiled component.
const OUTPUT_MAX: ByteSize = ByteSize::mib(256);
/// Bytes of compiled code in one frame.
const PIECE_BYTES: usize = 1 << 20;
/// How often the child's clocks are looked at.
const LOOK_INTERVAL: Duration = Duration::from_millis(20);

/// What compilers are started from.
#[derive(Debug, Clone)]
pub(crate) struct CompileProgram {
    /// This program, or another build of the same version.
    pub(crate) path: PathBuf,
    /// What the operating system adds.
    pub(crate) isolation: Isolation,
    /// True where a layer that does not hold ends the compilation; else it goes on with those that do.
    pub(crate) demands_layers: bool,
}

/// From the host: compile the component that comes as a descriptor.
#[derive(Debug, Serialize, Deserialize)]
struct Compile {
    demands_layers: bool,
}

/// From the child.
#[derive(Debug, Serialize, Deserialize)]
enum Answer {
    /// Some of the code.
    Code(Vec<u8>),
    /// That was all, and it fits engines of this compatibility.
    Done(Digest),
    /// There is none: a code's number and particulars.
    Failed(u16, String),
}

/// Compiles in a child; the answer is what `Component::deserialize` takes.
pub(crate) fn compile(
    program: &CompileProgram,
    component: &[u8],
    wanted: Digest,
) -> Result<Vec<u8>, Fault> {
    let mut incoming = Incoming::without_descriptors();
    let mut child =
        ChildProcess::start(&program.path, &["compile"], program.isolation, &mut incoming)?;
    child.hold_memory(MEMORY_MAX);
    match converse(program, &child, &mut incoming, component, wanted) {
        Ok(code) => Ok(code),
        Err(Broken::Fault(fault)) => Err(fault),
        Err(Broken::Line) => Err(of_death(&child.end(false))),
    }
}

/// Why there is no code.
enum Broken {
    Fault(Fault),
    /// The child is gone.
    Line,
}

impl From<FrameError> for Broken {
    fn from(error: FrameError) -> Self {
        match error {
            FrameError::Malformed(what) => Self::Fault(Fault::new(Code::Protocol).detail(what)),
            FrameError::Closed | FrameError::Io(_) => Self::Line,
        }
    }
}

fn converse(
    program: &CompileProgram,
    child: &ChildProcess,
    incoming: &mut Incoming,
    component: &[u8],
    wanted: Digest,
) -> Result<Vec<u8>, Broken> {
    let file = memory::sealed(component).and_then(memory::for_reading).map_err(FrameError::Io)?;
    let mut outgoing = Outgoing::default();
    outgoing.push(&Compile { demands_layers: program.demands_layers }, vec![file])?;
    outgoing.flush(child.line())?;
    let started = Instant::now();
    let mut code = Vec::new();
    loop {
        while let Some(frame) = incoming.next()? {
            match frame.message()? {
                Answer::Code(piece) => code.extend_from_slice(&piece),
                Answer::Done(made) if made == wanted => return Ok(code),
                Answer::Done(_) => {
                    let what = "the compiler has other settings than this host";
                    return Err(Broken::Fault(Fault::new(Code::Bug).detail(what)));
                }
                Answer::Failed(number, detail) => {
                    return Err(Broken::Fault(failed(number, &detail)));
                }
            }
            if code.len() as u64 > OUTPUT_MAX.bytes() {
                let used = ByteSize(code.len() as u64);
                return Err(limit("compiled code", OUTPUT_MAX, used));
            }
        }
        watch(child, started)?;
        let patience = Timespec::try_from(LOOK_INTERVAL).expect("20 ms");
        let mut line = [PollFd::from_borrowed_fd(child.line(), PollFlags::IN)];
        if poll(&mut line, Some(&patience)).is_ok_and(|ready| ready > 0) {
            incoming.receive(child.line())?;
        }
    }
}

/// The host's own clocks; the child's limits only stop it a little sooner.
fn watch(child: &ChildProcess, started: Instant) -> Result<(), Broken> {
    if started.elapsed() > WALL_MAX {
        let used = show_duration(started.elapsed());
        return Err(limit("compile time", show_duration(WALL_MAX), used));
    }
    let cpu = child.cpu();
    if cpu > CPU_MAX {
        return Err(limit("compile cpu", show_duration(CPU_MAX), show_duration(cpu)));
    }
    Ok(())
}

fn limit(name: &str, value: impl std::fmt::Display, used: impl std::fmt::Display) -> Broken {
    Broken::Fault(Fault::new(Code::CompileLimit).hit(name, value, used))
}

/// Only what is wrong with a component may come from a child that has seen it.
fn failed(number: u16, detail: &str) -> Fault {
    let code = Code::find(&format!("PF{number}"));
    let code =
        code.filter(|code| (200..300).contains(&code.number()) || *code == Code::WorkerUnusable);
    let code = code.or_else(|| (number == Code::Instances.number()).then_some(Code::Instances));
    Fault::new(code.unwrap_or(Code::CompileFailed)).detail(GuestText::new(detail).as_str())
}

fn of_death(death: &crate::process::child::Death) -> Fault {
    // Out of its address space, the compiler says so and aborts.
    let ran_out = death.ran_out_of_memory || death.words.contains("memory allocation");
    match death.fault().code {
        _ if ran_out => Fault::new(Code::CompileLimit).hit("compile memory", MEMORY_MAX, "more"),
        // Somebody else killed it: that says nothing about the component.
        Code::WorkerKilled => death.fault(),
        _ => {
            let fault = death.fault();
            Fault::new(Code::CompileFailed).detail(format!("the compiler: {}", fault.detail))
        }
    }
}

/// The child's life: into the jail, compile what comes, say how that went.
pub(crate) fn serve_compile(isolation: Isolation) -> ExitCode {
    match live(isolation) {
        Ok(()) | Err(FrameError::Closed) => ExitCode::SUCCESS,
        Err(error) => {
            let _ = rustix::io::write(io::stderr(), format!("compile: {error}\n").as_bytes());
            ExitCode::FAILURE
        }
    }
}

fn live(isolation: Isolation) -> Result<(), FrameError> {
    let mut jail = Jail::enter(isolation, io::stdin().as_fd())?;
    let line = io::stdin().as_fd().try_clone_to_owned()?;
    let mut incoming = Incoming::with_descriptors();
    let frame = receive_frame(&mut incoming, line.as_fd())?;
    let Compile { demands_layers } = frame.message()?;
    let component = frame.descriptors.into_iter().next();
    let component = component.ok_or(FrameError::Malformed("no component came along"))?;
    let engine = compiler().map_err(|error| {
        FrameError::Io(io::Error::other(format!("the compiler cannot start: {error:#}")))
    })?;
    jail.close(
        &[
            (Resource::As, MEMORY_MAX.bytes()),
            // A little more, so that the host, which knows why, comes first.
            (Resource::Cpu, CPU_MAX.as_secs() + 5),
            (Resource::Stack, 64 << 20),
        ],
        None,
    );
    jail.seal(Phase::Compile);
    let mut outgoing = Outgoing::default();
    if let Some(gap) = jail.gap().filter(|_| demands_layers) {
        let why = gap.missing.as_deref().unwrap_or_default();
        let what = format!("the layer `{}` does not hold: {why}", gap.layer.name());
        outgoing.push(&Answer::Failed(Code::WorkerUnusable.number(), what), Vec::new())?;
        return outgoing.flush(line.as_fd());
    }
    let mut bytes = Vec::new();
    File::from(component).read_to_end(&mut bytes)?;
    match engine.precompile_component(&bytes) {
        Ok(code) => {
            for piece in code.chunks(PIECE_BYTES) {
                outgoing.push(&Answer::Code(piece.to_vec()), Vec::new())?;
                outgoing.flush(line.as_fd())?;
            }
            outgoing.push(&Answer::Done(compatibility(&engine)), Vec::new())?;
        }
        Err(error) => {
            let fault = compile_fault(&error);
            outgoing.push(&Answer::Failed(fault.code.number(), fault.detail), Vec::new())?;
        }
    }
    outgoing.flush(line.as_fd())
}

/// How the validator says that a feature is switched off.
const SWITCHED_OFF: &[&str] = &[
    "not enabled",
    "must be enabled",
    "support is not",
    "feature is required",
    "not supported without",
    "types are disallowed",
    "to be enabled",
    "require the function-references",
    "function references required",
];

/// Features that are switched off and components too large for the pool are told from damage by the wording of
/// validator and pool, pinned by `tests/tests/hostile.rs`.
pub(super) fn compile_fault(error: &wasmtime::Error) -> Fault {
    let text = format!("{error:#}");
    let code = if SWITCHED_OFF.iter().any(|words| text.contains(words)) {
        Code::FeatureUnsupported
    } else if text.contains("exceeds the configured maximum")
        || text.contains("does not fit in pooling allocator")
        || text.contains("exceeds the per-instance limit")
    {
        Code::Instances
    } else if text.contains("at offset")
        || text.contains("unexpected end")
        || text.contains("failed to parse")
    {
        Code::ComponentMalformed
    } else {
        Code::CompileFailed
    };
    Fault::new(code).detail(GuestText::new(&text).as_str())
}
