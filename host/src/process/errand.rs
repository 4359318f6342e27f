//! A child that does one thing for the host and ends: one question, any number of answers, the last of which is final.
//!
//! Owns: both ends of that, the jail around the child, and the clocks that the host looks at meanwhile.
//! Never: runs a question in the host itself.

use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::{Duration, Instant};

use pframe_core::config::Isolation;
use pframe_core::fault::{Code, Fault};
use pframe_core::units::{ByteSize, show_duration};
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::process::Resource;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use super::child::{ChildProcess, Death, exit_of};
use super::frame::{FrameError, Incoming, Outgoing, receive_frame};
use super::jail::Jail;
use super::syscalls::Phase;

/// How often the child's clocks are looked at.
const LOOK_INTERVAL: Duration = Duration::from_millis(20);
/// The child's own limit is so much later than the host's, which knows why and comes first.
const CPU_GRACE: Duration = Duration::from_secs(5);
/// Stack of a child, in bytes.
const STACK_BYTES: u64 = 64 << 20;

/// What children are started from.
#[derive(Debug, Clone)]
pub(crate) struct ErrandProgram {
    /// This program, or another build of the same version.
    pub(crate) path: PathBuf,
    /// What the operating system adds.
    pub(crate) isolation: Isolation,
    /// True where a layer that does not hold ends the errand; else it goes on with those that do.
    pub(crate) demands_layers: bool,
}

/// What an errand may use.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Bounds {
    /// Address space.
    pub(crate) memory: ByteSize,
    /// Processor time.
    pub(crate) cpu: Duration,
    /// Time on the wall.
    pub(crate) wall: Duration,
}

/// Why an errand brought nothing.
pub(crate) enum Broken {
    /// Of the host, of the child's start, or of what it answered.
    Fault(Fault),
    /// It used more than it may: `time`, `cpu` or `memory`, how much that is, and what it used.
    Over { what: &'static str, most: String, used: String },
    /// It died.
    Death(Death),
}

impl Broken {
    /// The fault of an errand: `limit` where it used more than it may, named after `errand`, and `died` where it crashed.
    pub(crate) fn fault(self, errand: &str, limit: Code, died: Code) -> Fault {
        match self {
            Self::Fault(fault) => fault,
            Self::Over { what, most, used } => {
                Fault::new(limit).hit(&format!("{errand} {what}"), most, used)
            }
            Self::Death(death) => match death.fault() {
                // Somebody else killed it: that says nothing about the question.
                fault if fault.code == Code::WorkerKilled => fault,
                fault => Fault::new(died).detail(format!("{errand}: {}", fault.detail)),
            },
        }
    }
}

/// The question on the line.
#[derive(Serialize, Deserialize)]
struct Question<Q> {
    demands_layers: bool,
    question: Q,
}

/// An answer on the line.
#[derive(Serialize, Deserialize)]
enum Answer<A> {
    /// The child's jail has a gap; in words.
    Unsafe(String),
    Said(A),
}

/// Starts a child in a role, asks it, and hears its answers until `hear` has what it wanted.
pub(crate) fn run<Q: Serialize, A: DeserializeOwned, T>(
    program: &ErrandProgram,
    role: &str,
    bounds: &Bounds,
    (question, descriptors): (Q, Vec<OwnedFd>),
    hear: impl FnMut(A) -> Result<Option<T>, Fault>,
) -> Result<T, Broken> {
    let mut incoming = Incoming::without_descriptors();
    let mut child = ChildProcess::start(&program.path, &[role], program.isolation, &mut incoming)
        .map_err(Broken::Fault)?;
    child.hold_memory(bounds.memory);
    let question = Question { demands_layers: program.demands_layers, question };
    let mut outgoing = Outgoing::default();
    let asked = outgoing.push(&question, descriptors).and_then(|()| outgoing.flush(child.line()));
    let answered = match asked {
        Ok(()) => converse(&child, &mut incoming, bounds, hear),
        Err(error) => Err(error.into()),
    };
    answered.map_err(|unheard| match unheard {
        Unheard::Broken(broken) => broken,
        Unheard::Line => {
            let death = child.end(false);
            // Out of its address space, the allocator says so and aborts.
            match death.ran_out_of_memory || death.words.contains("memory allocation") {
                true => over("memory", bounds.memory.to_string(), "more"),
                false => Broken::Death(death),
            }
        }
    })
}

/// Why there is no answer.
enum Unheard {
    Broken(Broken),
    /// The child is gone.
    Line,
}

impl From<FrameError> for Unheard {
    fn from(error: FrameError) -> Self {
        match error {
            FrameError::Malformed(what) => {
                Self::Broken(Broken::Fault(Fault::new(Code::Protocol).detail(what)))
            }
            FrameError::Closed | FrameError::Io(_) => Self::Line,
        }
    }
}

fn over(what: &'static str, most: impl Into<String>, used: impl Into<String>) -> Broken {
    Broken::Over { what, most: most.into(), used: used.into() }
}

fn converse<A: DeserializeOwned, T>(
    child: &ChildProcess,
    incoming: &mut Incoming,
    bounds: &Bounds,
    mut hear: impl FnMut(A) -> Result<Option<T>, Fault>,
) -> Result<T, Unheard> {
    let started = Instant::now();
    loop {
        while let Some(frame) = incoming.next()? {
            let heard = match frame.message()? {
                Answer::Said(answer) => hear(answer),
                Answer::Unsafe(why) => Err(Fault::new(Code::WorkerUnusable).detail(why)),
            };
            match heard {
                Ok(Some(wanted)) => return Ok(wanted),
                Ok(None) => {}
                Err(fault) => return Err(Unheard::Broken(Broken::Fault(fault))),
            }
        }
        watch(child, started, bounds).map_err(Unheard::Broken)?;
        let patience = Timespec::try_from(LOOK_INTERVAL).expect("20 ms");
        let mut line = [PollFd::from_borrowed_fd(child.line(), PollFlags::IN)];
        if poll(&mut line, Some(&patience)).is_ok_and(|ready| ready > 0) {
            incoming.receive(child.line())?;
        }
    }
}

/// The host's own clocks; the child's limits only stop it a little later.
fn watch(child: &ChildProcess, started: Instant, bounds: &Bounds) -> Result<(), Broken> {
    if started.elapsed() > bounds.wall {
        return Err(over("time", show_duration(bounds.wall), show_duration(started.elapsed())));
    }
    let cpu = child.cpu();
    if cpu > bounds.cpu {
        return Err(over("cpu", show_duration(bounds.cpu), show_duration(cpu)));
    }
    Ok(())
}

/// The child's end of the line.
pub(crate) struct Answers {
    line: OwnedFd,
    outgoing: Outgoing,
}

impl Answers {
    /// Says something to the host.
    pub(crate) fn say<A: Serialize>(&mut self, answer: A) -> Result<(), FrameError> {
        self.send(&Answer::Said(answer))
    }

    fn send<A: Serialize>(&mut self, answer: &Answer<A>) -> Result<(), FrameError> {
        self.outgoing.push(answer, Vec::new())?;
        self.outgoing.flush(self.line.as_fd())
    }
}

/// The child's life: get ready, into the jail, and answer. `prepare` runs before anything of a tenant was looked at.
pub(crate) fn serve<Q: DeserializeOwned, P>(
    role: &str,
    (isolation, bounds): (Isolation, &Bounds),
    prepare: impl FnOnce() -> io::Result<P>,
    answer: impl FnOnce(&P, &Q, Vec<OwnedFd>, &mut Answers) -> Result<(), FrameError>,
) -> ExitCode {
    exit_of(role, live(isolation, bounds, prepare, answer))
}

fn live<Q: DeserializeOwned, P>(
    isolation: Isolation,
    bounds: &Bounds,
    prepare: impl FnOnce() -> io::Result<P>,
    answer: impl FnOnce(&P, &Q, Vec<OwnedFd>, &mut Answers) -> Result<(), FrameError>,
) -> Result<(), FrameError> {
    let mut jail = Jail::enter(isolation, io::stdin().as_fd())?;
    let line = io::stdin().as_fd().try_clone_to_owned()?;
    let mut incoming = Incoming::with_descriptors();
    let frame = receive_frame(&mut incoming, line.as_fd())?;
    let Question { demands_layers, question } = frame.message()?;
    let prepared = prepare()?;
    let cpu = bounds.cpu + CPU_GRACE;
    let limits = [
        (Resource::As, bounds.memory.bytes()),
        (Resource::Cpu, cpu.as_secs()),
        (Resource::Stack, STACK_BYTES),
    ];
    jail.close(&limits);
    jail.seal(Phase::Errand);
    let mut answers = Answers { line, outgoing: Outgoing::default() };
    if let Some(gap) = jail.gap().filter(|_| demands_layers) {
        let why = gap.missing.as_deref().unwrap_or_default();
        let what = format!("the layer `{}` does not hold: {why}", gap.layer.name());
        return answers.send(&Answer::<()>::Unsafe(what));
    }
    answer(&prepared, &question, frame.descriptors, &mut answers)
}
