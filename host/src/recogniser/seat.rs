//! The host's end of a recogniser process: its start, and one window at a time on each of its seats.
//!
//! Owns: the patience with it: who is cancelled and does not stop, or is silent for too long, is killed.
//! Never: believes what it says of its own time.

use std::os::fd::{AsFd, OwnedFd};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use pframe_core::fault::{Code, Fault, GuestText};
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::net::{AddressFamily, SocketFlags, SocketType, socketpair};

use super::engine::{Heard, Options, Problem};
use super::models::{Model, Models};
use super::protocol::{FromSeat, Load, Loaded, ToSeat};
use crate::data::source::Bytes;
use crate::process::child::ChildProcess;
use crate::process::errand::ErrandProgram;
use crate::process::frame::{FrameError, Incoming, Outgoing};
use crate::process::memory;

/// How long a model may take to load.
const LOAD_PATIENCE: Duration = Duration::from_mins(3);
/// How long a window of 30 s may take: the largest model on one slow core.
const WINDOW_PATIENCE: Duration = Duration::from_mins(30);
/// How long a recogniser may go on after it was told to stop; then it is killed.
const CANCEL_PATIENCE: Duration = Duration::from_millis(800);
/// The same where others listen in the same process: the longest pass of an encoder, and some.
const SHARED_CANCEL_PATIENCE: Duration = Duration::from_mins(2);
/// How often clocks and cancellations are looked at.
const LOOK_INTERVAL: Duration = Duration::from_millis(20);

/// A recogniser process. It dies with its last seat.
#[derive(Debug)]
pub(crate) struct RecogniserProcess {
    child: Mutex<ChildProcess>,
    /// Seats that listen at the moment: they share the process's time.
    busy: AtomicU32,
    /// It has more than one seat.
    is_shared: bool,
}

/// One place in a recogniser process, that listens to one window at a time.
#[derive(Debug)]
pub(crate) struct Seat {
    process: Arc<RecogniserProcess>,
    line: OwnedFd,
    incoming: Incoming,
}

/// Samples to listen to.
#[derive(Debug, Clone)]
pub(crate) struct Window {
    /// The recording that it lies in.
    pub(crate) bytes: Bytes,
    /// First byte.
    pub(crate) offset: u64,
    /// Length in bytes.
    pub(crate) length: u64,
}

/// Why nothing was heard.
#[derive(Debug)]
pub(crate) enum Unheard {
    /// The recogniser answered so.
    Problem(Problem),
    /// It is no more: it crashed, or was killed; why.
    Lost(Fault),
}

/// Whoever waits for a window.
pub(crate) trait Listening {
    /// True once nobody wants it any more.
    fn is_cancelled(&self) -> bool;
    /// Processor time that went into it since the last word.
    fn charge(&self, cpu: Duration);
}

impl RecogniserProcess {
    /// Starts a process, has it load a model, and gives its seats.
    pub(crate) fn start(
        program: &ErrandProgram,
        models: &Models,
        model: &Model,
        seats: u32,
    ) -> Result<Vec<Seat>, Fault> {
        let broken = |what: &dyn std::fmt::Display| {
            Fault::new(Code::RecogniserFailed).detail(format!("`{}`: {what}", model.name))
        };
        let mut lines = Vec::new();
        let mut descriptors = Vec::new();
        for _ in 0..seats {
            let flags = SocketFlags::CLOEXEC;
            let (ours, theirs) = socketpair(AddressFamily::UNIX, SocketType::STREAM, flags, None)
                .map_err(|error| broken(&std::io::Error::from(error)))?;
            lines.push(ours);
            descriptors.push(theirs);
        }
        if let Some(file) = models.open(model)? {
            descriptors.push(memory::for_reading(&file).map_err(|error| broken(&error))?);
        }
        let mut incoming = Incoming::without_descriptors();
        let mut child =
            ChildProcess::start(&program.path, &["recognise"], program.isolation, &mut incoming)?;
        let memory_max = model.family.memory_max(seats, model.size);
        child.hold_memory(memory_max);
        let demands_layers = program.demands_layers;
        let load = Load { family: model.family, seats, memory_max, demands_layers };
        match converse(&child, &mut incoming, &load, descriptors) {
            Ok(Loaded::Ready) => {}
            Ok(Loaded::Refused(why)) => return Err(broken(&GuestText::new(&why))),
            Err(FrameError::Malformed(what)) => return Err(broken(&what)),
            Err(FrameError::Closed | FrameError::Io(_)) => {
                return Err(broken(&child.end(false).fault()));
            }
        }
        let is_shared = seats > 1;
        let process = Self { child: Mutex::new(child), busy: AtomicU32::new(0), is_shared };
        let process = Arc::new(process);
        let seat = |line| Seat {
            process: Arc::clone(&process),
            line,
            incoming: Incoming::without_descriptors(),
        };
        Ok(lines.into_iter().map(seat).collect())
    }

    fn cpu(&self) -> Duration {
        self.child.lock().unwrap_or_else(PoisonError::into_inner).cpu()
    }

    fn end(&self, is_killed: bool) -> Fault {
        let death = self.child.lock().unwrap_or_else(PoisonError::into_inner).end(is_killed);
        death.fault()
    }
}

fn converse(
    child: &ChildProcess,
    incoming: &mut Incoming,
    load: &Load,
    descriptors: Vec<OwnedFd>,
) -> Result<Loaded, FrameError> {
    let mut outgoing = Outgoing::default();
    outgoing.push(load, descriptors)?;
    outgoing.flush(child.line())?;
    let started = Instant::now();
    while started.elapsed() < LOAD_PATIENCE {
        if let Some(frame) = incoming.next()? {
            return frame.message();
        }
        if wait(child.line()) {
            incoming.receive(child.line())?;
        }
    }
    Err(FrameError::Malformed("the model was not loaded in time"))
}

/// Waits until there is something to hear, or a short while; true where there is.
fn wait(line: impl AsFd) -> bool {
    let patience = Timespec::try_from(LOOK_INTERVAL).expect("20 ms");
    let mut line = [PollFd::from_borrowed_fd(line.as_fd(), PollFlags::IN)];
    poll(&mut line, Some(&patience)).is_ok_and(|ready| ready > 0)
}

impl Seat {
    /// True where somebody listens in the same process.
    pub(crate) fn is_in_use(&self) -> bool {
        self.process.busy.load(Ordering::Relaxed) > 0
    }

    /// True where both sit in one process.
    pub(crate) fn is_beside(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.process, &other.process)
    }

    /// Listens to a window. After [`Unheard::Lost`] neither this seat nor its neighbours are of any use.
    pub(crate) fn listen(
        &mut self,
        window: &Window,
        options: &Options,
        waiting: &dyn Listening,
    ) -> Result<Heard, Unheard> {
        self.process.busy.fetch_add(1, Ordering::Relaxed);
        let heard = self.listen_to(window, options, waiting);
        self.process.busy.fetch_sub(1, Ordering::Relaxed);
        heard
    }

    fn listen_to(
        &mut self,
        window: &Window,
        options: &Options,
        waiting: &dyn Listening,
    ) -> Result<Heard, Unheard> {
        let failed = |error: std::io::Error| {
            Unheard::Problem(Problem::Failed(format!("handing over a window: {error}")))
        };
        let file = memory::readable(&window.bytes);
        let options = options.clone();
        let question = ToSeat::Listen { offset: window.offset, length: window.length, options };
        let cpu = self.process.cpu();
        let sent = self.send(&question, vec![file.map_err(failed)?]);
        let answered = sent.and_then(|()| self.answer(cpu, waiting));
        match answered {
            Ok(answer) => answer.map_err(Unheard::Problem),
            Err(error) => Err(Unheard::Lost(self.loss(&error))),
        }
    }

    fn send(&self, question: &ToSeat, descriptors: Vec<OwnedFd>) -> Result<(), FrameError> {
        let mut outgoing = Outgoing::default();
        outgoing.push(question, descriptors)?;
        outgoing.flush(self.line.as_fd())
    }

    fn answer(&mut self, cpu: Duration, waiting: &dyn Listening) -> Result<FromSeat, FrameError> {
        let started = Instant::now();
        let mut told: Option<Instant> = None;
        let mut charged = cpu;
        loop {
            let has_some = wait(&self.line);
            let now = self.process.cpu();
            let sharers = self.process.busy.load(Ordering::Relaxed).max(1);
            waiting.charge(now.saturating_sub(charged) / sharers);
            charged = now;
            if has_some {
                self.incoming.receive(self.line.as_fd())?;
                if let Some(frame) = self.incoming.next()? {
                    return frame.message();
                }
            }
            if told.is_none() && waiting.is_cancelled() {
                self.send(&ToSeat::Cancel, Vec::new())?;
                told = Some(Instant::now());
            }
            // Neighbours in one process are not killed for one who was cancelled, unless it never comes to an end.
            let patience =
                if self.process.is_shared { SHARED_CANCEL_PATIENCE } else { CANCEL_PATIENCE };
            if told.is_some_and(|told| told.elapsed() > patience) {
                return Err(FrameError::Malformed("it does not stop"));
            }
            if started.elapsed() > WINDOW_PATIENCE {
                return Err(FrameError::Malformed("it does not answer"));
            }
        }
    }

    /// The fault of a process that broke off, or that is killed now.
    fn loss(&self, error: &FrameError) -> Fault {
        match error {
            FrameError::Malformed(what) => {
                let _ = self.process.end(true);
                Fault::new(Code::RecogniserFailed).detail(*what)
            }
            FrameError::Closed | FrameError::Io(_) => {
                let fault = self.process.end(false);
                let code = match fault.code {
                    Code::OutOfMemory => Code::OutOfMemory,
                    _ => Code::RecogniserFailed,
                };
                Fault::new(code).detail(fault.detail)
            }
        }
    }
}
