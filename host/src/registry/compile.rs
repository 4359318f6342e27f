//! Compilation in a child process, with limits on memory, processor time, wall time and output.
//!
//! Owns: what the host asks, what the child answers, and what of that is believed.
//! Never: compiles in the host where there is a program to start a child from: what a compiler does with a hostile
//! component is outside wasmtime's own promises.

use std::fs::File;
use std::io::{self, Read};
use std::os::fd::OwnedFd;
use std::process::ExitCode;
use std::time::Duration;

use pframe_core::config::Isolation;
use pframe_core::fault::{Code, Fault, GuestText};
use pframe_core::ids::Digest;
use pframe_core::units::ByteSize;
use serde::{Deserialize, Serialize};
use wasmtime::Engine;

use super::artefacts::compatibility;
use crate::process::errand::{self, Answers, Bounds, ErrandProgram};
use crate::process::frame::FrameError;
use crate::process::memory;
use crate::sandbox::compiler;

/// What the compiler may use.
const BOUNDS: Bounds =
    Bounds { memory: ByteSize::gib(2), cpu: Duration::from_mins(1), wall: Duration::from_secs(90) };
/// The largest compiled component.
const OUTPUT_MAX: ByteSize = ByteSize::mib(256);
/// Bytes of compiled code in one frame.
const PIECE_BYTES: usize = 1 << 20;

/// From the host: compile the component that comes as a descriptor.
#[derive(Debug, Serialize, Deserialize)]
struct Compile;

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
    program: &ErrandProgram,
    component: &[u8],
    wanted: Digest,
) -> Result<Vec<u8>, Fault> {
    let file = memory::sealed(component).and_then(memory::for_reading).map_err(|error| {
        Fault::new(Code::WorkerUnusable).detail(format!("handing over a component: {error}"))
    })?;
    let mut code = Vec::new();
    let hear = |answer| match answer {
        Answer::Code(piece) => {
            code.extend_from_slice(&piece);
            let used = ByteSize(code.len() as u64);
            match used > OUTPUT_MAX {
                true => Err(Fault::new(Code::CompileLimit).hit("compiled code", OUTPUT_MAX, used)),
                false => Ok(None),
            }
        }
        Answer::Done(made) if made == wanted => Ok(Some(())),
        Answer::Done(_) => {
            let what = "the compiler has other settings than this host";
            Err(Fault::new(Code::Bug).detail(what))
        }
        Answer::Failed(number, detail) => Err(failed(number, &detail)),
    };
    errand::run(program, "compile", &BOUNDS, (Compile, vec![file]), hear)
        .map_err(|broken| broken.fault("compile", Code::CompileLimit, Code::CompileFailed))?;
    Ok(code)
}

/// Only what is wrong with a component may come from a child that has seen it.
fn failed(number: u16, detail: &str) -> Fault {
    let code = Code::find(&format!("PF{number}"));
    let code = code.filter(|code| (200..300).contains(&code.number()) || *code == Code::Instances);
    Fault::new(code.unwrap_or(Code::CompileFailed)).detail(GuestText::new(detail).as_str())
}

/// The child's life: into the jail, compile what comes, say how that went.
pub(crate) fn serve_compile(isolation: Isolation) -> ExitCode {
    let prepare = || {
        compiler()
            .map_err(|error| io::Error::other(format!("the compiler cannot start: {error:#}")))
    };
    errand::serve("compile", (isolation, &BOUNDS), prepare, answer)
}

fn answer(
    engine: &Engine,
    _: &Compile,
    descriptors: Vec<OwnedFd>,
    answers: &mut Answers,
) -> Result<(), FrameError> {
    let component = descriptors.into_iter().next();
    let component = component.ok_or(FrameError::Malformed("no component came along"))?;
    let mut bytes = Vec::new();
    File::from(component).read_to_end(&mut bytes)?;
    match engine.precompile_component(&bytes) {
        Ok(code) => {
            for piece in code.chunks(PIECE_BYTES) {
                answers.say(Answer::Code(piece.to_vec()))?;
            }
            answers.say(Answer::Done(compatibility(engine)))
        }
        Err(error) => {
            let fault = compile_fault(&error);
            answers.say(Answer::Failed(fault.code.number(), fault.detail))
        }
    }
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
