//! The scheduler itself and its front door.
//!
//! Owns: the state, and the order of work within one turn: hear, miss deadlines, start.
//! Never: changes what must survive a restart except through `record`.
#![expect(clippy::result_large_err, reason = "a refused job is rare")]

use std::collections::HashMap;

use super::alarms::Alarms;
use super::depend::Dependencies;
use super::job::Job;
use super::message::{Command, Decision, Message};
use super::queue::{Home, Queue};
use super::settings::Settings;
use super::slab::{Key, Slab};
use super::start::LiveBatch;
use crate::event::Event;
use crate::fault::{Code, Fault};
use crate::ids::{AttemptId, JobId};
use crate::job::JobSpec;
use crate::resources::Ledger;
use crate::state::JobState;
use crate::units::Timestamp;

/// Decides what runs when. Pure: the same messages at the same times give the same decisions.
#[derive(Debug, Clone)]
pub struct Scheduler {
    pub(super) settings: Settings,
    /// The latest moment heard of; it never goes back, whatever the caller's clock does.
    pub(super) now: Timestamp,
    pub(super) jobs: Slab<Job>,
    /// A hash map because it is on the hot path; it is never iterated. The standard hasher,
    /// because tenants choose the ids.
    pub(super) job_of: HashMap<JobId, Key<Job>>,
    pub(super) accepted: u64,
    pub(super) queue: Queue,
    pub(super) alarms: Alarms,
    pub(super) dependencies: Dependencies,
    pub(super) ledger: Ledger,
    pub(super) batches: Slab<LiveBatch>,
    pub(super) is_draining: bool,
    /// Grows during a turn.
    pub(super) decision: Decision,
}

impl Scheduler {
    /// A scheduler that has heard nothing yet.
    pub fn new(settings: Settings) -> Self {
        Self {
            ledger: Ledger::new(settings.capacity),
            settings,
            now: Timestamp::default(),
            jobs: Slab::default(),
            job_of: HashMap::new(),
            accepted: 0,
            queue: Queue::default(),
            alarms: Alarms::default(),
            dependencies: Dependencies::default(),
            batches: Slab::default(),
            is_draining: false,
            decision: Decision::default(),
        }
    }

    /// Hears a turn's messages and decides what follows.
    ///
    /// The events must be recorded with `now` as their time, then the commands obeyed.
    pub fn handle(
        &mut self,
        now: Timestamp,
        messages: impl IntoIterator<Item = Message>,
    ) -> Decision {
        self.pass_to(now);
        for message in messages {
            self.hear(message);
        }
        self.miss_deadlines();
        self.settle_dependents();
        self.start_what_fits();
        self.finish_turn()
    }

    /// Whether a job of this many chunks may be submitted now, by its tenant's quota.
    pub fn admit(&self, job: &JobSpec, chunk_count: usize) -> Result<(), Fault> {
        if self.is_draining {
            return Err(Fault::new(Code::Drained));
        }
        let Some(most) = self.settings.tenant(&job.tenant).queued_max else { return Ok(()) };
        let waiting = self.queue.tenant(&job.tenant).map_or(0, |tenant| tenant.waiting);
        let wanted = waiting.saturating_add(chunk_count.max(1) as u64);
        if wanted <= most {
            return Ok(());
        }
        Err(Fault::new(Code::QuotaExceeded)
            .detail(format!("tenant `{}` has {waiting} chunks queued", job.tenant))
            .hit("max_queued", most, wanted))
    }

    /// The state of a job; `None` for jobs that are unknown or forgotten.
    ///
    /// A job is forgotten once it has ended and its result, where wanted, was published.
    pub fn state(&self, job: &JobId) -> Option<JobState> {
        self.job_of.get(job).map(|&key| self.jobs[key].progress().state())
    }

    /// How many jobs have not ended, or are not published yet.
    pub fn job_count(&self) -> usize {
        self.jobs.len()
    }

    /// How many attempts run or stand in a running batch.
    pub fn running_count(&self) -> usize {
        self.batches.iter().map(|(_, batch)| batch.left as usize).sum()
    }

    /// How many steps neither run nor have ended.
    pub fn waiting_count(&self) -> u64 {
        self.queue.tenants.iter().map(|(_, tenant)| tenant.waiting).sum()
    }

    pub(super) fn finish_turn(&mut self) -> Decision {
        let mut decision = std::mem::take(&mut self.decision);
        // What was to be stopped may have ended later in the same turn.
        decision.commands.retain(|command| match command {
            Command::Stop { attempt, .. } => self.is_running(attempt),
            Command::Start(_) | Command::Publish { .. } => true,
        });
        decision.wake_at = self.alarms.next();
        decision
    }

    fn is_running(&self, attempt: &AttemptId) -> bool {
        let job = self.job_of.get(&attempt.job).map(|&key| &self.jobs[key]);
        job.is_some_and(|job| job.running(attempt.step, attempt.number).is_some())
    }

    /// Makes an event true, the way a replay will, and keeps it for the journal.
    pub(super) fn record(&mut self, job: Key<Job>, event: Event) {
        self.fold(job, &event).expect("the scheduler records only what follows");
        self.decision.events.push(event);
    }

    pub(super) fn order(&mut self, command: Command) {
        self.decision.commands.push(command);
    }

    /// Changes a job and brings everything that is summed or ordered in line with it.
    pub(super) fn change<R>(&mut self, key: Key<Job>, change: impl FnOnce(&mut Job) -> R) -> R {
        let job = &mut self.jobs[key];
        let home = Home { tenant: job.tenant, class: job.class, component: job.component };
        let before = job.tally();
        let result = change(job);
        let after = job.tally();
        if before != after {
            self.queue.rebalance((job.rank, key), home, before, after, self.now);
        }
        result
    }
}
