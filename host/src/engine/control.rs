//! The loop. It is the only thread that touches scheduler, journal and executor.
//!
//! Owns: the order heard, decided, recorded, ordered, shown.
//! Never: goes on after the journal failed: what cannot be recorded must not happen.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use pframe_core::event::{Event, Record};
use pframe_core::fault::{Code, Fault};
use pframe_core::ids::{JobId, TenantName};
use pframe_core::job::{JobSpec, Slice};
use pframe_core::scheduler::{Decision, Message, Scheduler};
use pframe_core::units::Timestamp;

use super::Reporter;
use super::clock::Clock;
use super::ledger::Ledger;
use super::leftovers::Leftovers;
use crate::executor::{DeadLetterOffice, Executor};
use crate::inbox::{Inbox, Mail};
use crate::journal::Journal;

/// Everything the loop owns.
pub(super) struct Control {
    pub(super) clock: Clock,
    pub(super) inbox: Arc<Inbox>,
    pub(super) ledger: Arc<Ledger>,
    pub(super) scheduler: Scheduler,
    pub(super) journal: Box<dyn Journal>,
    pub(super) executor: Box<dyn Executor>,
    pub(super) leftovers: Leftovers,
    /// Keeps what failed for good, where anything is kept.
    pub(super) dead_letters: Option<DeadLetterOffice>,
    pub(super) reporters: Vec<Box<dyn Reporter>>,
    pub(super) last_seq: u64,
}

/// What was admitted in this turn, which the scheduler has not heard of yet.
#[derive(Default)]
struct Admitted {
    chunks: BTreeMap<TenantName, usize>,
    /// Jobs that others depend on.
    awaited: BTreeSet<JobId>,
}

/// Why the loop ends.
enum End {
    /// Somebody asked.
    Closed,
    /// The journal failed.
    Broken(Fault),
}

/// Ends every job that is open when the loop ends, be it by a panic: nobody else would.
struct LastWord {
    inbox: Arc<Inbox>,
    ledger: Arc<Ledger>,
    fault: Fault,
}

impl LastWord {
    fn of(control: &Control) -> Self {
        let (inbox, ledger) = (Arc::clone(&control.inbox), Arc::clone(&control.ledger));
        let fault = Fault::new(Code::Bug).detail("the engine's loop panicked");
        Self { inbox, ledger, fault }
    }
}

impl Drop for LastWord {
    fn drop(&mut self) {
        self.inbox.refuse_more();
        self.ledger.end_all(&self.fault);
    }
}

impl Control {
    /// Runs until the inbox is closed. `recovered` is the first decision of a resumed run.
    pub(super) fn run(mut self, recovered: Option<Decision>) {
        let mut last = LastWord::of(&self);
        let mut wake_at = None;
        let mut result = match recovered {
            Some(decision) => {
                wake_at = decision.wake_at;
                self.carry_out(self.clock.now(), decision)
            }
            None => Ok(()),
        };
        while result.is_ok() {
            let mail = self.inbox.turn(self.patience(wake_at));
            result = self.turn(mail).map(|next| wake_at = next);
        }
        last.fault = match result {
            Err(End::Broken(fault)) => {
                tracing::error!(%fault, "the journal failed, the engine stops");
                fault
            }
            _ => Fault::new(Code::Drained),
        };
    }

    fn patience(&self, wake_at: Option<Timestamp>) -> Option<Duration> {
        wake_at.map(|at| at.since(self.clock.now()))
    }

    /// One turn; the answer is when the next must come at the latest.
    fn turn(&mut self, mail: Vec<Mail>) -> Result<Option<Timestamp>, End> {
        let now = self.clock.now();
        let mut messages = Vec::with_capacity(mail.len().max(1));
        let mut is_closing = false;
        let mut admitted = Admitted::default();
        for piece in mail {
            match piece {
                Mail::Message(Message::Submit { job, chunks }) => {
                    messages.extend(self.admit(job, chunks, &mut admitted));
                }
                Mail::Message(message) => messages.push(message),
                Mail::PublishFailed(job, fault) => self.ledger.end_unpublished(&job, fault),
                Mail::Explain { job, answer } => {
                    let _ = answer.send(self.explain(now, &job));
                }
                Mail::StopAttempts => self.executor.stop_all(),
                Mail::FinishRun(answer) => {
                    // Nobody goes on with a run that has finished: what it leaves must be there.
                    self.dead_letters.iter().for_each(DeadLetterOffice::flush);
                    let finished = self.journal.finish_run();
                    let _ = answer.send(finished.clone());
                    finished.map_err(End::Broken)?;
                }
                Mail::Close => is_closing = true,
            }
        }
        if messages.is_empty() {
            messages.push(Message::Tick);
        }
        let decision = self.scheduler.handle(now, messages);
        let wake_at = decision.wake_at;
        self.carry_out(now, decision)?;
        match is_closing {
            true => Err(End::Closed),
            false => Ok(wake_at),
        }
    }

    /// Asks for room in the tenant's quota, and for those that the job depends on.
    fn admit(
        &self,
        job: Arc<JobSpec>,
        chunks: Option<Arc<[Slice]>>,
        admitted: &mut Admitted,
    ) -> Option<Message> {
        let count = chunks.as_ref().map_or(1, |chunks| chunks.len().max(1));
        let earlier = admitted.chunks.entry(job.tenant.clone()).or_default();
        let room = self.scheduler.admit(&job, earlier.saturating_add(count));
        let is_known =
            |needed: &&JobId| admitted.awaited.contains(*needed) || self.scheduler.knows(needed);
        let earlier_of_id = self.scheduler.state(&job.id).map_or(Ok(()), |_| {
            let why = "the result of an earlier job of this id waits to be put where it is wanted";
            let detail = format!("`{}`: {why}; take another id", job.id);
            Err(Fault::new(Code::JobFile).detail(detail))
        });
        let missing = job.after.iter().find(|needed| !is_known(needed));
        let missing = missing.map_or(Ok(()), |missing| {
            let detail = format!("job `{missing}` was not accepted");
            Err(Fault::new(Code::DependencyFailed).detail(detail))
        });
        match earlier_of_id.and(room).and(missing) {
            Ok(()) => {
                *earlier += count;
                if job.dependents > 0 {
                    admitted.awaited.insert(job.id.clone());
                }
                Some(Message::Submit { job, chunks })
            }
            Err(fault) => {
                self.ledger.end(&job.id, Err(fault));
                None
            }
        }
    }

    fn explain(&self, now: Timestamp, job: &JobId) -> Option<String> {
        self.scheduler.explain(now, job).map(|explanation| explanation.to_string())
    }

    fn carry_out(&mut self, now: Timestamp, decision: Decision) -> Result<(), End> {
        let records = self.number(now, decision.events);
        self.journal.append(&records).map_err(End::Broken)?;
        self.executor.recorded(&records);
        for command in decision.commands {
            self.executor.obey(command);
        }
        self.ledger.apply(&records);
        if let Some(office) = &mut self.dead_letters {
            office.see(&records);
        }
        self.leftovers.apply(&records);
        for reporter in &mut self.reporters {
            reporter.show(&records);
        }
        Ok(())
    }

    fn number(&mut self, at: Timestamp, events: Vec<Event>) -> Vec<Record> {
        let first = self.last_seq + 1;
        self.last_seq += events.len() as u64;
        (first..).zip(events).map(|(seq, event)| Record { seq, at, event }).collect()
    }
}
