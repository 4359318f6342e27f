//! Coming back after the host died: replay the journal, then take stock.
//!
//! Owns: what a restart makes true.
//! Never: takes a running attempt of the last life for a running one of this life.
#![expect(clippy::result_large_err, reason = "once per life")]

use super::job::Job;
use super::message::{Command, Decision};
use super::mind::Scheduler;
use super::settings::Settings;
use super::slab::Key;
use crate::event::Record;
use crate::fault::{Code, Fault};
use crate::ids::AttemptId;
use crate::limits::Usage;
use crate::state::Ending;
use crate::units::Timestamp;

impl Scheduler {
    /// Folds the records of an earlier life, in their order. Call [`recover`](Self::recover) next.
    ///
    /// A record that cannot follow from those before it means a damaged journal: `PF405`.
    pub fn replay<R: std::borrow::Borrow<Record>>(
        settings: Settings,
        records: impl IntoIterator<Item = R>,
    ) -> Result<Self, Fault> {
        let mut scheduler = Self::new(settings);
        for record in records {
            let Record { seq, at, event } = record.borrow();
            scheduler.apply(*at, event).map_err(|misfit| {
                Fault::new(Code::StateUnusable)
                    .detail(format!("event {seq} of the journal does not fit: {misfit}"))
            })?;
        }
        Ok(scheduler)
    }

    /// Takes stock after a replay: attempts that ran are lost (and charged), results that were not
    /// published are ordered again, and whatever can start does.
    pub fn recover(&mut self, now: Timestamp) -> Decision {
        self.pass_to(now);
        for key in self.jobs_by_acceptance() {
            self.recover_job(key);
        }
        self.miss_deadlines();
        self.settle_dependents();
        self.start_what_fits();
        self.finish_turn()
    }

    fn jobs_by_acceptance(&self) -> Vec<Key<Job>> {
        let mut jobs: Vec<_> =
            self.jobs.iter().map(|(key, job)| (job.rank.sequence, key)).collect();
        jobs.sort_unstable();
        jobs.into_iter().map(|(_, key)| key).collect()
    }

    fn recover_job(&mut self, key: Key<Job>) {
        if self.jobs[key].ending == Some(Ending::Completed) {
            return self.publish_again(key);
        }
        let id = self.jobs[key].spec.id.clone();
        let running: Vec<_> = self.jobs[key].running_steps().collect();
        for (step, number) in running {
            self.lose(key, AttemptId { job: id.clone(), step, number });
        }
        if self.job_of.contains_key(&id) {
            self.settle_or_refuse(key);
        }
    }

    /// The machine may be smaller than in the last life.
    fn settle_or_refuse(&mut self, key: Key<Job>) {
        match self.too_big(key).filter(|_| self.jobs[key].is_open()) {
            Some(fault) => self.stop(key, fault, Code::JobStopped),
            // Who waits in vain is settled together with all others who do.
            None if self.jobs[key].is_blocked() => {}
            None => self.settle(key),
        }
    }

    fn lose(&mut self, key: Key<Job>, attempt: AttemptId) {
        let running = self.jobs[key].running(attempt.step, attempt.number);
        let batch = running.and_then(|running| running.batch);
        let fault = Fault::new(Code::WorkerLost).detail("the host ended while it ran");
        self.on_failed(key, attempt, Usage::default(), fault);
        if let Some(batch) = batch {
            self.leave_batch(batch);
        }
        self.settle(key);
    }

    fn publish_again(&mut self, key: Key<Job>) {
        let job = &self.jobs[key];
        let (job, output) = (std::sync::Arc::clone(&job.spec), job.output.clone());
        self.order(Command::Publish { job, output });
    }
}
