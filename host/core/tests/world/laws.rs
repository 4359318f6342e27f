//! What must hold over the events of every life.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use pframe_core::event::{AfterFailure, Event, Record};
use pframe_core::fault::Retry;
use pframe_core::ids::{AttemptId, JobId, Step};
use pframe_core::policy::LOSSES_MAX;
use pframe_core::report::Report;
use pframe_core::resources::Capacity;
use pframe_core::scheduler::Scheduler;
use pframe_core::state::JobState;

/// Everything the events said so far.
#[derive(Default)]
pub(crate) struct Laws {
    report: Report,
    states: BTreeMap<JobId, JobState>,
    stopping: BTreeSet<JobId>,
    numbers: BTreeMap<(JobId, Step), u32>,
    charged: BTreeMap<(JobId, Step), u32>,
    running: BTreeSet<AttemptId>,
    succeeded: BTreeSet<(JobId, Step)>,
    after: BTreeMap<JobId, Arc<[JobId]>>,
    completed: BTreeSet<JobId>,
    /// Where it differs from the settings.
    pub(crate) capacity: Option<Capacity>,
}

impl Laws {
    pub(crate) fn hear(&mut self, record: &Record) {
        self.report.apply(record);
        self.check_transition(record.event.job());
        match &record.event {
            Event::AttemptStarted { attempt, .. } => self.start(attempt),
            Event::AttemptSucceeded { attempt, .. } => {
                self.end(attempt);
                let is_first = self.succeeded.insert((attempt.job.clone(), attempt.step));
                assert!(is_first, "{attempt} is the second success of its step");
            }
            Event::CutSucceeded { attempt, .. } => self.end(attempt),
            Event::AttemptFailed { attempt, fault, then, .. } => {
                self.end(attempt);
                let is_never = fault.code.retry() == Retry::Never;
                let is_stopping = self.stopping.contains(&attempt.job);
                assert!(!is_stopping || *then == AfterFailure::GiveUp, "{attempt} is not retried");
                assert!(!is_never || *then == AfterFailure::GiveUp, "{attempt} cannot be retried");
            }
            Event::AttemptReturned { attempt } => {
                self.end(attempt);
                *self.charged.get_mut(&(attempt.job.clone(), attempt.step)).unwrap() -= 1;
            }
            Event::StopRequested { job, .. } => {
                assert!(self.stopping.insert(job.clone()), "{job} is stopped once");
            }
            Event::JobCompleted { job, .. }
            | Event::JobFailed { job, .. }
            | Event::JobCancelled { job, .. } => {
                let runs = self.running.iter().find(|attempt| attempt.job == *job);
                assert_eq!(runs, None, "{job} has ended");
                if let Event::JobCompleted { .. } = &record.event {
                    self.completed.insert(job.clone());
                }
            }
            Event::JobAccepted { job } => {
                self.after.insert(job.id.clone(), Arc::clone(&job.after));
            }
            Event::ChunksPlanned { .. } | Event::ResultPublished { .. } => {}
        }
    }

    fn start(&mut self, attempt: &AttemptId) {
        let step = (attempt.job.clone(), attempt.step);
        let last = self.numbers.insert(step.clone(), attempt.number).unwrap_or(0);
        assert_eq!(attempt.number, last + 1, "{attempt}: the fence only goes forward");
        assert!(!self.stopping.contains(&attempt.job), "{attempt}: its job is stopping");
        assert!(!self.succeeded.contains(&step), "{attempt}: its step is done");
        let charged = self.charged.entry(step).or_default();
        *charged += 1;
        assert!(*charged <= 1 + 2 + LOSSES_MAX, "{attempt}: too many attempts");
        let missing = self.after[&attempt.job].iter().find(|job| !self.completed.contains(*job));
        assert_eq!(missing, None, "{attempt}: what it depends on has completed");
        self.running.insert(attempt.clone());
    }

    fn end(&mut self, attempt: &AttemptId) {
        assert!(self.running.remove(attempt), "{attempt} ran");
    }

    fn check_transition(&mut self, job: &JobId) {
        let state = self.report.job(job).expect("reported").state();
        let before = self.states.insert(job.clone(), state);
        let is_allowed = before.is_none_or(|before| before == state || before.may_become(state));
        assert!(is_allowed, "{job} went from {before:?} to {state}");
    }

    pub(crate) fn check_running(&self, running: &[AttemptId]) {
        assert_eq!(
            self.running,
            running.iter().cloned().collect(),
            "the executor runs what the events say"
        );
    }

    /// The report's fold and the scheduler's agree on every job.
    pub(crate) fn check_states(&self, scheduler: &Scheduler) {
        for (job, &state) in &self.states {
            let known = scheduler.state(job);
            assert!(known.is_none_or(|known| known == state), "{job}: {known:?}, not {state}");
            assert!(known.is_some() || state.is_terminal(), "{job} was forgotten");
        }
    }

    pub(crate) fn check_all_ended(&self, jobs: &[JobId]) {
        assert_eq!(self.states.len(), jobs.len());
        assert!(self.states.values().all(|state| state.is_terminal()), "every job ends");
        let totals = self.report.totals();
        assert_eq!(totals.jobs(), jobs.len() as u64);
        assert_eq!(self.report.jobs().len(), jobs.len());
    }
}
