//! What becomes of attempts: how each ended, and what is told of those whose worker is no more.
//!
//! Owns: that every attempt is told once, with the words of whoever asked for its end.
//! Never: tries anything again; the scheduler does.

use std::sync::Arc;
use std::time::Duration;

use pframe_core::fault::{Code, Fault, Retry};
use pframe_core::limits::Usage;
use pframe_core::scheduler::{Message, Outcome, Start};

use super::{Driver, Loss, against};
use crate::process::frame::FrameError;
use crate::sandbox::Stop;

impl Driver {
    /// Why the line broke.
    pub(super) fn loss_of(&mut self, error: &FrameError) -> Loss {
        match error {
            FrameError::Malformed(what) => against(what),
            FrameError::Closed | FrameError::Io(_) => {
                let Some(worker) = &mut self.worker else { return against("no worker") };
                let death = worker.child.end(false);
                let fault = death.fault();
                let is_its_doing =
                    worker.is_ready && matches!(fault.code, Code::NativeCrash | Code::OutOfMemory);
                Loss { fault, is_its_doing }
            }
        }
    }

    /// The worker is no more: the attempt in front was under way, the others had not begun.
    pub(super) fn lose(&mut self, loss: Loss) {
        let worker = self.worker.take();
        let was_ready = worker.as_ref().is_some_and(|worker| worker.is_ready);
        let cpu = worker
            .as_ref()
            .map_or(Duration::ZERO, |worker| worker.child.cpu().saturating_sub(worker.cpu_charged));
        let wall = worker.as_ref().map_or(Duration::ZERO, |worker| worker.since.elapsed());
        drop(worker);
        self.is_recalled = false;
        if loss.is_its_doing {
            self.floor.count_death(&self.served);
        }
        if self.sent.is_empty() && self.waiting.is_empty() {
            return;
        }
        if !was_ready && loss.fault.code.retry() == Retry::Never {
            // Nothing can run here: everybody hears why.
            let sent = std::mem::take(&mut self.sent).into_iter().map(|sent| sent.start);
            let waiting = std::mem::take(&mut self.waiting).into_iter().map(|(start, _)| start);
            for start in sent.chain(waiting).collect::<Vec<_>>() {
                self.end(start, Usage::default(), Err(loss.fault.clone()));
            }
            return;
        }
        if let Some(mut front) = self.sent.pop_front() {
            let (speech, http) = (front.speech.total(), front.http.total());
            let usage = Usage { wall, cpu, fuel_at_least: true, speech, http, ..Usage::default() };
            // Whoever asked for the end is answered with his own words.
            let fault = front.stopped.map_or(loss.fault, |(_, fault)| fault);
            self.end(front.start, usage, Err(fault));
        }
        for sent in std::mem::take(&mut self.sent).into_iter().rev() {
            self.waiting.push_front((sent.start, sent.stop));
        }
    }

    /// The end of an attempt that its worker told. If that left files for other directories, a clerk puts them there before
    /// anybody hears that it ended well, and after the worker is gone: nobody changes them any more.
    pub(super) fn end_with_files(
        &mut self,
        (start, stop): (Start, Stop),
        mut usage: Usage,
        outcome: Result<Outcome, Fault>,
    ) {
        let is_good = matches!(&outcome, Ok(Outcome::Output(_) | Outcome::Cuts(_)));
        let outboxes = match &mut self.worker {
            Some(worker) if is_good => std::mem::take(&mut worker.outboxes),
            Some(_) | None => Vec::new(),
        };
        if outboxes.is_empty() {
            return self.end(start, usage, outcome);
        }
        self.worker = None;
        let floor = Arc::clone(&self.floor);
        self.floor.clerks.spawn_blocking(move || {
            let delivered = floor.site.outboxes.deliver(&start, &stop, outboxes, &mut usage);
            let outcome = as_told(outcome.and_then(|outcome| delivered.map(|()| outcome)));
            floor.site.inbox.send(Message::AttemptEnded { attempt: start.attempt, usage, outcome });
        });
    }

    pub(super) fn end(&mut self, start: Start, usage: Usage, outcome: Result<Outcome, Fault>) {
        self.note(start, usage, as_told(outcome));
    }

    pub(super) fn note(&mut self, start: Start, usage: Usage, outcome: Outcome) {
        self.told.push(Message::AttemptEnded { attempt: start.attempt, usage, outcome });
    }

    /// Everything that was not told yet is.
    pub(super) fn end_all(&mut self, outcome: &Outcome) {
        while let Ok(assigned) = self.batches.try_recv() {
            self.waiting.extend(assigned.attempts);
        }
        let done = std::mem::take(&mut self.done).into_iter().map(|done| done.sent.start);
        let sent = std::mem::take(&mut self.sent).into_iter().map(|sent| sent.start);
        let waiting = std::mem::take(&mut self.waiting).into_iter().map(|(start, _)| start);
        for start in done.chain(sent).chain(waiting).collect::<Vec<_>>() {
            self.note(start, Usage::default(), outcome.clone());
        }
    }

    pub(super) fn tell(&mut self) {
        if self.told.is_empty() {
            return;
        }
        self.floor.site.inbox.send_all(self.told.drain(..));
    }
}

/// What the scheduler hears of it.
fn as_told(outcome: Result<Outcome, Fault>) -> Outcome {
    match outcome {
        Ok(outcome) => outcome,
        // The host stops: the attempt had not its full chance and is not charged.
        Err(fault) if fault.code == Code::Drained => Outcome::Returned,
        Err(fault) => Outcome::Failed(fault),
    }
}
