//! What a worker says, and what follows.
//!
//! Owns: the worker's turn to speak, and how much it may ask for.
//! Never: takes a word for more than it is: an order that ended is accounted for elsewhere, by the host's own clocks.

use std::os::fd::OwnedFd;
use std::sync::Arc;
use std::time::Instant;

use pframe_core::fault::{Code, Fault};
use pframe_core::limits::Usage;
use pframe_core::scheduler::{Outcome, Work};

use super::{Done, Driver, KILL_GRACE, Loss, against};
use crate::capability::input::Supply;
use crate::capability::progress::Progress;
use crate::capability::speech::{Answer, Question, SpeechError};
use crate::executor::assignment::{JobSources, StoredParts};
use crate::executor::handover::Found;
use crate::worker::protocol::{FromWorker, ToWorker};

/// Bytes of what guests said that are kept of an attempt; the worker sends no more.
const TALK_BYTES_MAX: usize = (1 << 20) + 256;
/// Bytes of a transcript that a worker is handed: some ten hours of speech.
const TRANSCRIPT_BYTES_MAX: usize = 12 << 20;
/// Bytes that may wait for a worker that asks for more.
const OUTGOING_BYTES_MAX: usize = 8 << 20;
/// Sources or parts that a worker may ask for at once.
const ASKED_MAX: u32 = 64;

/// A transcript that fits into a frame.
fn fitting(answer: Answer) -> Result<Answer, SpeechError> {
    let words = answer.transcript.segments.iter().flat_map(|segment| &segment.words);
    // Each word's text is there twice, with its times.
    let bytes: usize = words.map(|word| 2 * word.text.len() + 32).sum();
    match bytes <= TRANSCRIPT_BYTES_MAX {
        true => Ok(answer),
        false => {
            Err(SpeechError::InvalidAudio("too much is said in it; hand over less at once".into()))
        }
    }
}

impl Driver {
    pub(super) fn understand_each(&mut self) -> Result<(), Loss> {
        loop {
            let worker = self.worker.as_mut().expect("it is dropped when it is lost");
            let frame = match worker.incoming.next() {
                Ok(Some(frame)) => frame,
                Ok(None) => return Ok(()),
                Err(error) => return Err(self.loss_of(&error)),
            };
            match frame.message() {
                Ok(message) => self.understand(message)?,
                Err(error) => return Err(self.loss_of(&error)),
            }
        }
    }

    fn understand(&mut self, message: FromWorker) -> Result<(), Loss> {
        let worker = self.worker.as_mut().expect("it spoke");
        let is_first = matches!(message, FromWorker::Ready(_) | FromWorker::Refused(_));
        if is_first == worker.is_ready {
            return Err(against("it spoke out of turn"));
        }
        match message {
            FromWorker::Beat => {}
            FromWorker::Ready(_) => {
                worker.is_ready = true;
                worker.since = Instant::now();
                worker.cpu_charged = worker.child.cpu();
            }
            FromWorker::Refused(fault) => {
                return Err(Loss { fault: fault.read(), is_its_doing: false });
            }
            FromWorker::Ended { order, usage, ending, talk } => {
                if self.sent.front().is_none_or(|front| front.order != order) {
                    return Err(against("it ended an order that it does not work on"));
                }
                let sent = self.sent.pop_front().expect("there is a front");
                if let (Some(logs), Some(mut talk)) = (&self.floor.site.logs, talk) {
                    talk.truncate(TALK_BYTES_MAX);
                    logs.keep(&sent.start.attempt, &talk);
                }
                self.done.push_back(Done { sent, usage, ending });
            }
            FromWorker::Recalled(orders) => self.take_back(&orders)?,
            FromWorker::Output(bytes) => {
                let front = self.sent.front_mut();
                let front = front.ok_or_else(|| against("a result without an order"))?;
                front.write(&bytes).map_err(|fault| {
                    let is_its_doing = fault.code == Code::Output;
                    Loss { fault, is_its_doing }
                })?;
            }
            FromWorker::PartEnd => {
                let front = self.sent.front_mut();
                let front = front.ok_or_else(|| against("a part without an order"))?;
                let Work::Collect { parts, .. } = &front.start.work else {
                    return Err(against("a part of what is not collected"));
                };
                front.parts_made += 1;
                if front.parts_made > parts.len() {
                    return Err(against("more parts than there are results"));
                }
                front.written = 0;
                let part = front.writer.finish_scratch();
                self.answer(Ok(vec![Found::from(part)]))?;
            }
            FromWorker::Fetch { from, count } => self.fetch(from, count)?,
            FromWorker::Transcribe(question) => self.transcribe(*question)?,
            FromWorker::Http { call, said } => {
                let (bell, began) = (self.bell.clone(), worker.since);
                // What ended took its requests along; the worker may hear of that later than it speaks of one.
                if let Some(front) = self.sent.front_mut() {
                    front.http.hear(call, said, began, move || bell.ring()).map_err(against)?;
                }
                self.pass_http()?;
            }
            FromWorker::Models => {
                let front = self.sent.front();
                let front = front.ok_or_else(|| against("a question without an order"))?;
                let models = ToWorker::Models(front.speech.models());
                self.reply(&models, Vec::new())?;
            }
            FromWorker::KeyValue { store, question } => {
                let front = self.sent.front();
                let front = front.ok_or_else(|| against("a question without an order"))?;
                let answer = ToWorker::KeyValue(front.shelf.ask(&store, question));
                self.reply(&answer, Vec::new())?;
            }
            FromWorker::Progress(share) => {
                let front = self.sent.front_mut();
                let front = front.ok_or_else(|| against("progress without an order"))?;
                if share.is_finite() {
                    front.progress.say(share.clamp(0.0, 1.0));
                }
            }
        }
        Ok(())
    }

    fn take_back(&mut self, orders: &[u64]) -> Result<(), Loss> {
        if !std::mem::take(&mut self.is_recalled) {
            return Err(against("it gave back what nobody recalled"));
        }
        // What is in front may come back only if it has not begun: just after the one before it ended.
        let is_fresh =
            self.worker.as_ref().is_some_and(|worker| worker.since.elapsed() < KILL_GRACE);
        let front = self.sent.front().map(|sent| sent.order);
        if !is_fresh && front.is_some_and(|front| orders.contains(&front)) {
            return Err(against("it gave back what it had begun"));
        }
        for order in orders {
            let at = self.sent.iter().position(|sent| sent.order == *order);
            let at = at.ok_or_else(|| against("it gave back what it never had"))?;
            let sent = self.sent.remove(at).expect("it was found there");
            self.note(sent.start, Usage::default(), Outcome::Returned);
        }
        Ok(())
    }

    /// Opens sources or parts that the worker asks for; each is asked for once.
    fn fetch(&mut self, from: u32, count: u32) -> Result<(), Loss> {
        let front = self.sent.front_mut().ok_or_else(|| against("a question without an order"))?;
        let range = from as usize..(from as usize).saturating_add(count as usize);
        front.pieces_fetched += range.len();
        let there_are = match &front.start.work {
            Work::Cut => front.start.job.inputs.len(),
            Work::Collect { parts, .. } => parts.len(),
            Work::Run { .. } => 0,
        };
        if range.end.max(front.pieces_fetched) > there_are || count > ASKED_MAX {
            return Err(against("it asked for more than there is"));
        }
        let found = match &front.start.work {
            Work::Cut => JobSources::of(&self.floor.site, &front.start, &front.stop)
                .open(range)
                .map(|sources| sources.iter().map(|source| Found::from(&*source.0)).collect()),
            Work::Collect { parts, .. } => {
                let results = self.floor.site.results.clone();
                StoredParts { parts: Arc::clone(parts), results }.open(range).map(|parts| {
                    parts.iter().map(|part| Found::from(part.bytes().clone())).collect()
                })
            }
            Work::Run { .. } => Ok(Vec::new()),
        };
        self.answer(found)
    }

    fn answer(&mut self, found: Result<Vec<Found>, Fault>) -> Result<(), Loss> {
        let mut descriptors = Vec::new();
        let pieces = found.and_then(|found| {
            found.into_iter().map(|found| found.piece(&mut descriptors)).collect()
        });
        let answer = match pieces {
            Ok(pieces) => ToWorker::Pieces(pieces),
            Err(fault) => {
                descriptors.clear();
                ToWorker::NoPieces((&fault).into())
            }
        };
        self.reply(&answer, descriptors)
    }

    /// Begins a call of the inference service: one at a time, because who asked waits.
    fn transcribe(&mut self, question: Question) -> Result<(), Loss> {
        let bell = self.bell.clone();
        let front = self.sent.front_mut().ok_or_else(|| against("a question without an order"))?;
        if front.speech.is_busy() {
            return Err(against("it asked again before it was answered"));
        }
        let began = self.worker.as_ref().map_or_else(Instant::now, |worker| worker.since);
        front.speech.ask(question, began, move || bell.ring());
        self.pass_transcripts()
    }

    /// Answers what was recognised meanwhile.
    pub(super) fn pass_transcripts(&mut self) -> Result<(), Loss> {
        let answer = self.sent.front_mut().and_then(|front| front.speech.answer());
        match answer {
            Some(answer) if self.worker.is_some() => {
                self.reply(&ToWorker::Transcribed(answer.and_then(fitting)), Vec::new())
            }
            _ => Ok(()),
        }
    }

    /// Tells the worker how its requests go on.
    pub(super) fn pass_http(&mut self) -> Result<(), Loss> {
        while self.worker.is_some() {
            let told = self.sent.front_mut().and_then(|front| front.http.told());
            let Some((call, told)) = told else { return Ok(()) };
            self.reply(&ToWorker::Http { call, told }, Vec::new())?;
        }
        Ok(())
    }

    fn reply(&mut self, answer: &ToWorker, descriptors: Vec<OwnedFd>) -> Result<(), Loss> {
        let worker = self.worker.as_mut().expect("it asked");
        if worker.outgoing.len() > OUTGOING_BYTES_MAX {
            return Err(against("it asks and does not listen"));
        }
        let pushed = worker.outgoing.push(answer, descriptors);
        let pushed = pushed.and_then(|()| worker.outgoing.flush(worker.child.line()));
        pushed.map_err(|error| self.loss_of(&error))
    }
}
