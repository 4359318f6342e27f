//! The worker's desk: what was ordered, who is to be stopped, and what is to be sent.
//!
//! Owns: everything that the worker's two threads share: one reads the line and beats, the other runs guests.
//! Never: waits for the host while it holds a lock that the reading thread needs to hear the host.

use std::collections::{BTreeMap, VecDeque};
use std::fs::File;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use pframe_core::fault::{Code, Fault};

use super::http::Listener;
use super::protocol::{FromWorker, Piece, RunOrder, ToWorker};
use crate::capability::speech::{self, KnownModel, SpeechError};
use crate::data::source::{Bytes, SourceReader};
use crate::keyvalue::{self, KeyValueError};
use crate::process::frame::{FrameError, Incoming, Outgoing};
use crate::sandbox::Stop;

/// How often a worker says that it is alive.
const BEAT_INTERVAL: Duration = Duration::from_millis(250);
/// Bytes that wait to be sent before they are, whatever else.
const HELD_BYTES_MAX: usize = 64 << 10;
/// How long the end of an order may wait for those of the orders after it.
const HOLD_TIME_MAX: Duration = Duration::from_micros(300);

/// An order with what came beside it.
pub(super) struct Ordered {
    pub(super) order: Box<RunOrder>,
    pub(super) descriptors: VecDeque<OwnedFd>,
    pub(super) stop: Stop,
}

/// What the host answered.
pub(super) enum Reply {
    /// What it sent for a merge or a cut.
    Pieces(Result<Vec<SourceReader>, Fault>),
    /// What was said in a recording.
    Transcribed(Result<speech::Answer, SpeechError>),
    /// Models.
    Models(Result<Vec<KnownModel>, SpeechError>),
    /// What came of a question to a key-value store.
    KeyValue(Result<keyvalue::Answer, KeyValueError>),
}

/// Shared by the worker's threads.
pub(super) struct Desk {
    line: OwnedFd,
    state: Mutex<State>,
    changed: Condvar,
    outgoing: Mutex<Held>,
    /// Requests over HTTP that are under way.
    calls: Mutex<BTreeMap<u32, Listener>>,
}

#[derive(Default)]
struct State {
    orders: VecDeque<Ordered>,
    working: Option<(u64, Stop)>,
    reply: Option<Reply>,
    is_closed: bool,
}

impl State {
    fn is_idle(&self) -> bool {
        self.orders.is_empty() && self.working.is_none()
    }
}

struct Held {
    outgoing: Outgoing,
    since: Instant,
}

impl Desk {
    pub(super) fn new(line: OwnedFd) -> Self {
        let held = Held { outgoing: Outgoing::default(), since: Instant::now() };
        let (state, outgoing) = (Mutex::default(), Mutex::new(held));
        Self { line, state, changed: Condvar::new(), outgoing, calls: Mutex::default() }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn held(&self) -> MutexGuard<'_, Held> {
        self.outgoing.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn calls(&self) -> MutexGuard<'_, BTreeMap<u32, Listener>> {
        self.calls.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// From now on somebody listens for this call.
    pub(super) fn begin_call(&self, call: u32, listener: Listener) {
        self.calls().insert(call, listener);
    }

    /// Nobody does any more.
    pub(super) fn end_call(&self, call: u32) {
        self.calls().remove(&call);
    }

    fn line(&self) -> BorrowedFd<'_> {
        self.line.as_fd()
    }

    /// Sends a message, with everything that was held back.
    pub(super) fn send(&self, message: &FromWorker) -> Result<(), FrameError> {
        let mut held = self.held();
        held.outgoing.push(message, Vec::new())?;
        held.outgoing.flush(self.line())
    }

    /// Sends a message soon, together with those that follow at once.
    pub(super) fn send_soon(&self, message: &FromWorker) -> Result<(), FrameError> {
        let mut held = self.held();
        if held.outgoing.is_empty() {
            held.since = Instant::now();
        }
        held.outgoing.push(message, Vec::new())?;
        if held.outgoing.len() >= HELD_BYTES_MAX || held.since.elapsed() >= HOLD_TIME_MAX {
            return held.outgoing.flush(self.line());
        }
        Ok(())
    }

    /// Sends what was held back.
    pub(super) fn flush(&self) -> Result<(), FrameError> {
        self.held().outgoing.flush(self.line())
    }

    /// The next order; `None` once the host is gone.
    pub(super) fn next_order(&self) -> Option<Ordered> {
        if self.state().orders.is_empty() {
            self.flush().ok()?;
        }
        let mut state = self.state();
        loop {
            if let Some(ordered) = state.orders.pop_front() {
                state.working = Some((ordered.order.order, ordered.stop.clone()));
                return Some(ordered);
            }
            if state.is_closed {
                return None;
            }
            state = self.changed.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
    }

    /// Nothing is worked on any more.
    pub(super) fn done(&self) {
        self.state().working = None;
    }

    /// Asks the host for bytes and waits for them.
    pub(super) fn ask(&self, question: &FromWorker) -> Result<Vec<SourceReader>, Fault> {
        match self.converse(question) {
            Some(Reply::Pieces(pieces)) => pieces,
            Some(Reply::Transcribed(_) | Reply::Models(_) | Reply::KeyValue(_)) => {
                Err(Fault::new(Code::Protocol).detail("the answer to another question"))
            }
            None => Err(Fault::new(Code::Drained).detail("the host is gone")),
        }
    }

    /// Asks the host and waits for its answer; none once it is gone.
    pub(super) fn converse(&self, question: &FromWorker) -> Option<Reply> {
        self.send(question).ok()?;
        let mut state = self.state();
        loop {
            if let Some(reply) = state.reply.take() {
                return Some(reply);
            }
            if state.is_closed {
                return None;
            }
            state = self.changed.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
    }

    /// Reads the line until the host closes it, and beats meanwhile.
    pub(super) fn listen(&self, mut incoming: Incoming) {
        let result = self.listen_until_error(&mut incoming);
        if let Err(FrameError::Malformed(what)) = result {
            let _ =
                self.send(&FromWorker::Refused((&Fault::new(Code::Protocol).detail(what)).into()));
        }
        self.calls().clear();
        let mut state = self.state();
        state.is_closed = true;
        if let Some((_, stop)) = &state.working {
            stop.request(Fault::new(Code::Drained));
        }
        self.changed.notify_all();
    }

    fn listen_until_error(&self, incoming: &mut Incoming) -> Result<(), FrameError> {
        use rustix::event::{PollFd, PollFlags, Timespec, poll};
        let patience = Timespec::try_from(BEAT_INTERVAL).expect("a quarter of a second");
        loop {
            while let Some(frame) = incoming.next()? {
                let message = frame.message()?;
                self.hear(message, frame.descriptors.into())?;
            }
            let mut wait = [PollFd::new(&self.line, PollFlags::IN)];
            // Who has nothing to do is not missed, and may sleep.
            let patience = (!self.state().is_idle()).then_some(&patience);
            match poll(&mut wait, patience) {
                Ok(0) => self.send(&FromWorker::Beat)?,
                Ok(_) => {
                    incoming.receive(self.line())?;
                }
                Err(rustix::io::Errno::INTR) => {}
                Err(error) => return Err(FrameError::Io(error.into())),
            }
        }
    }

    fn hear(
        &self,
        message: ToWorker,
        mut descriptors: VecDeque<OwnedFd>,
    ) -> Result<(), FrameError> {
        match message {
            ToWorker::Load { .. } => return Err(FrameError::Malformed("a second component")),
            ToWorker::Run(order) => {
                let stop = Stop::default();
                self.state().orders.push_back(Ordered { order, descriptors, stop });
            }
            ToWorker::Stop { order, fault } => self.stop(order, &fault.read()),
            ToWorker::Recall => {
                let forgotten: Vec<_> = self.state().orders.drain(..).collect();
                let orders = forgotten.iter().map(|ordered| ordered.order.order).collect();
                self.send(&FromWorker::Recalled(orders))?;
            }
            ToWorker::Pieces(pieces) => {
                let opened = pieces.into_iter().map(|piece| open(piece, &mut descriptors));
                let answer = opened.collect::<Option<Vec<_>>>();
                let answer = answer.ok_or(FrameError::Malformed("a piece without its bytes"))?;
                self.state().reply = Some(Reply::Pieces(Ok(answer)));
            }
            ToWorker::NoPieces(fault) => {
                self.state().reply = Some(Reply::Pieces(Err(fault.read())));
            }
            ToWorker::Transcribed(answer) => self.state().reply = Some(Reply::Transcribed(answer)),
            ToWorker::Models(models) => self.state().reply = Some(Reply::Models(models)),
            ToWorker::KeyValue(answer) => self.state().reply = Some(Reply::KeyValue(answer)),
            ToWorker::Http { call, told } => {
                // A call that has ended here is told nothing any more.
                if !self.calls().get(&call).is_none_or(|listener| listener.hear(told)) {
                    return Err(FrameError::Malformed("more of a response than was asked for"));
                }
            }
        }
        self.changed.notify_all();
        Ok(())
    }

    fn stop(&self, order: u64, fault: &Fault) {
        let state = self.state();
        let working = state.working.iter().filter(|(number, _)| *number == order);
        let waiting = state.orders.iter().filter(|ordered| ordered.order.order == order);
        for stop in working.map(|(_, stop)| stop).chain(waiting.map(|ordered| &ordered.stop)) {
            stop.request(fault.clone());
        }
    }
}

/// Bytes that came with a frame.
pub(super) fn open(piece: Piece, descriptors: &mut VecDeque<OwnedFd>) -> Option<SourceReader> {
    let bytes = if let Some(bytes) = piece.inline {
        Bytes::Inline(bytes.into())
    } else {
        let file = Arc::new(File::from(descriptors.pop_front()?));
        Bytes::File { file, size: piece.size }
    };
    Some(SourceReader::handed_over(piece.name, piece.media_type, bytes))
}
