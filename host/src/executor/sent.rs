//! An order that a worker has, and the judgement on what comes back.
//!
//! Owns: what a worker may say of an attempt: it may blame the handler or the data, and write a result within the limit.
//! Never: lets it say what only the host can know.

use std::time::Instant;

use pframe_core::chunking::check_cuts;
use pframe_core::fault::{Code, Fault, Origin};
use pframe_core::scheduler::{Outcome, Start, Work};
use pframe_core::units::ByteSize;

use super::assignment::Unchanged;
use super::http::HttpLine;
use super::speech::SpeechLine;
use crate::capability::progress::ProgressSink;
use crate::data::results::ResultWriter;
use crate::keyvalue::Shelf;
use crate::sandbox::Stop;
use crate::worker::protocol::Ending;

/// An order that the worker has.
pub(super) struct Sent {
    pub(super) order: u64,
    pub(super) start: Start,
    pub(super) stop: Stop,
    pub(super) ordered: Instant,
    /// When the worker was told to stop it.
    pub(super) stopped: Option<(Instant, Fault)>,
    pub(super) unchanged: Unchanged,
    pub(super) writer: ResultWriter,
    pub(super) written: u64,
    /// Intermediate results, and sources or parts that were handed over: each is asked for once.
    pub(super) parts_made: usize,
    pub(super) pieces_fetched: usize,
    pub(super) progress: ProgressSink,
    pub(super) speech: SpeechLine,
    pub(super) http: HttpLine,
    pub(super) shelf: Shelf,
}

impl Sent {
    /// Adds to the result; the worker counts too, but is not believed.
    pub(super) fn write(&mut self, bytes: &[u8]) -> Result<(), Fault> {
        let limit = self.start.job.limits.output;
        self.written += bytes.len() as u64;
        if self.written > limit.bytes() {
            let used = ByteSize(self.written);
            return Err(Fault::new(Code::Output).hit("limits.output", limit, used));
        }
        self.writer.write(bytes)
    }

    pub(super) fn outcome(mut self, ending: Ending) -> (Start, Result<Outcome, Fault>) {
        let outcome = self.judge(ending).or_else(|fault| match self.speech.put_off(&fault) {
            Some(put_off) => Ok(put_off),
            None => Err(fault),
        });
        (self.start, outcome)
    }

    fn judge(&mut self, ending: Ending) -> Result<Outcome, Fault> {
        // An input that changed explains every other outcome.
        self.unchanged.check()?;
        match ending {
            Ending::Output(rest) => {
                if matches!(self.start.work, Work::Cut) {
                    return Err(Fault::new(Code::Protocol).detail("a result instead of cuts"));
                }
                self.write(&rest)?;
                self.writer.finish().map(|finished| Outcome::Output(finished.into()))
            }
            Ending::Cuts(slices) => {
                if !matches!(self.start.work, Work::Cut) {
                    return Err(Fault::new(Code::Protocol).detail("cuts instead of a result"));
                }
                let inputs = self.start.job.inputs.iter();
                let sizes: Vec<u64> = inputs.map(|source| source.size).collect();
                check_cuts(&sizes, slices).map(Outcome::Cuts)
            }
            Ending::Failed(fault) => Err(self.believable(fault.read())),
        }
    }

    /// A worker may blame the handler or the data; what only the host can know it hears from the host.
    fn believable(&self, fault: Fault) -> Fault {
        let was_asked = self.stopped.as_ref().is_some_and(|(_, asked)| asked.code == fault.code);
        let may_say = fault.code.origin() == Origin::Task && fault.code != Code::Quarantined
            || matches!(
                fault.code,
                Code::ExportMissing
                    | Code::InputChanged
                    | Code::InputOutput
                    | Code::PoolExhausted
                    | Code::Protocol
                    | Code::Bug
            );
        if was_asked || may_say {
            return fault;
        }
        Fault::new(Code::Protocol).detail(format!("it said what a worker cannot know: {fault}"))
    }
}
