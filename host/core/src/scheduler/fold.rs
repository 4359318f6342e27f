//! What an event changes: the one road by which anything that survives a restart comes about.
//!
//! Owns: [`Scheduler::apply`], used by live turns and by replay alike.
//! Never: decides, orders, or looks at anything but the event and the state before it.

use std::fmt;
use std::sync::Arc;

use super::job::{Job, Phase, Rank, StepState};
use super::mind::Scheduler;
use super::queue::Home;
use super::slab::Key;
use super::start::Running;
use crate::event::{AfterFailure, Event, Output};
use crate::fault::{Fault, Retry};
use crate::ids::{AttemptId, Step};
use crate::job::{JobSpec, Slice};
use crate::limits::Usage;
use crate::state::Ending;
use crate::units::Timestamp;

/// An event that cannot follow from those before it: the journal is damaged, or this program is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Misfit(pub(super) &'static str);

impl fmt::Display for Misfit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0)
    }
}

impl std::error::Error for Misfit {}

impl Scheduler {
    /// Makes an event true that was recorded at `at`.
    pub fn apply(&mut self, at: Timestamp, event: &Event) -> Result<(), Misfit> {
        self.pass_to(at);
        if let Event::JobAccepted { job } = event {
            return self.accept(job).map(drop);
        }
        let key = self.job_of.get(event.job()).copied();
        self.fold(key.ok_or(Misfit("it is about a job that is not known"))?, event)
    }

    /// Time passes: retries come due, each at its own moment, whenever that is noticed.
    pub(super) fn pass_to(&mut self, now: Timestamp) {
        while let Some((at, key, step)) = self.alarms.next_due_retry(now) {
            self.now = self.now.max(at);
            self.change(key, |job| make_ready(job, step));
        }
        self.now = self.now.max(now);
    }

    /// Takes a job on.
    pub(super) fn accept(&mut self, spec: &Arc<JobSpec>) -> Result<Key<Job>, Misfit> {
        if self.job_of.contains_key(&spec.id) {
            return Err(Misfit("its job is known already"));
        }
        self.dependencies.forget(&spec.id);
        let home = self.queue.admit(spec, &self.settings);
        let rank = self.next_rank(spec.priority);
        let key = self.jobs.insert(new_job(spec, rank, home));
        self.job_of.insert(spec.id.clone(), key);
        if let Some(deadline) = spec.deadline {
            self.alarms.set_deadline(deadline, key);
        }
        self.depend(key)?;
        let after = self.jobs[key].tally();
        self.queue.rebalance((rank, key), home, super::job::Tally::default(), after, self.now);
        Ok(key)
    }

    fn next_rank(&mut self, priority: i32) -> Rank {
        self.accepted += 1;
        let age = i128::try_from(self.settings.age_interval.as_micros()).unwrap_or(i128::MAX);
        let key = i128::from(self.now.0) - age.saturating_mul(priority.into());
        let key = key.clamp(i64::MIN.into(), i64::MAX.into());
        Rank { key: i64::try_from(key).expect("clamped above"), sequence: self.accepted }
    }

    /// Makes an event about this job true.
    pub(super) fn fold(&mut self, key: Key<Job>, event: &Event) -> Result<(), Misfit> {
        match event {
            Event::JobAccepted { .. } => Err(Misfit("its job is known already")),
            Event::ChunksPlanned { chunks, .. } => self.planned(key, chunks),
            Event::AttemptStarted { attempt, .. } => self.started(key, attempt),
            Event::AttemptSucceeded { attempt, usage, output } => {
                self.succeeded(key, attempt, usage, output)
            }
            Event::CutSucceeded { attempt, usage } => self.cut_succeeded(key, attempt, usage),
            Event::AttemptFailed { attempt, usage, fault, then } => {
                self.failed(key, attempt, usage, fault, *then)
            }
            Event::AttemptReturned { attempt } => self.returned(key, attempt),
            Event::StopRequested { fault, .. } => self.stopping(key, fault),
            Event::JobCompleted { output, .. } => self.completed(key, output.as_ref()),
            Event::JobFailed { fault, .. } => self.ended(key, Ending::Failed, fault),
            Event::JobCancelled { fault, .. } => self.ended(key, Ending::Cancelled, fault),
            Event::ResultPublished { .. } => self.published(key),
        }
    }

    fn planned(&mut self, key: Key<Job>, chunks: &Arc<[Slice]>) -> Result<(), Misfit> {
        let job = &self.jobs[key];
        if job.chunks.is_some() || job.running > 0 || !job.is_open() {
            return Err(Misfit("the chunks of its job are planned already"));
        }
        self.change(key, |job| job.chunks = Some(Arc::clone(chunks)));
        Ok(())
    }

    fn started(&mut self, key: Key<Job>, attempt: &AttemptId) -> Result<(), Misfit> {
        let job = &self.jobs[key];
        let is_due = match job.step(attempt.step) {
            Some(state) => state.phase == Phase::Ready && state.number + 1 == attempt.number,
            None => attempt.number == 1 && job.may_begin(attempt.step),
        };
        if !is_due || !job.is_open() {
            return Err(Misfit("its attempt could not start then"));
        }
        let charge = self.queue.charge(home(job), self.now);
        self.change(key, |job| start(job, attempt, charge));
        Ok(())
    }

    fn succeeded(
        &mut self,
        key: Key<Job>,
        attempt: &AttemptId,
        usage: &Usage,
        output: &Output,
    ) -> Result<(), Misfit> {
        if attempt.step == Step::Cut {
            return Err(Misfit("a cut has no result"));
        }
        let running = self.running_of(key, attempt)?;
        self.learn(key, attempt.step, &running, usage);
        self.change(key, |job| {
            job.running -= 1;
            job.done += u32::from(matches!(attempt.step, Step::Run(_)));
            set_phase(job, attempt.step, Phase::Done(output.clone()));
        });
        Ok(())
    }

    /// The step stays ready until the chunks are planned: without them it must run again.
    fn cut_succeeded(
        &mut self,
        key: Key<Job>,
        attempt: &AttemptId,
        usage: &Usage,
    ) -> Result<(), Misfit> {
        if attempt.step != Step::Cut {
            return Err(Misfit("its attempt was not a cut"));
        }
        let running = self.running_of(key, attempt)?;
        self.learn(key, attempt.step, &running, usage);
        self.change(key, |job| {
            job.running -= 1;
            let state = job.step_mut(attempt.step).expect("checked by running_of");
            *state = StepState { number: state.number, ..StepState::FRESH };
        });
        Ok(())
    }

    fn failed(
        &mut self,
        key: Key<Job>,
        attempt: &AttemptId,
        usage: &Usage,
        fault: &Fault,
        then: AfterFailure,
    ) -> Result<(), Misfit> {
        let running = self.running_of(key, attempt)?;
        // What was lost on the way says nothing about how long such work takes.
        match fault.code.retry() {
            Retry::AfterLoss | Retry::WhenFree => {
                self.queue.settle(home(&self.jobs[key]), running.charge, usage.wall);
            }
            Retry::Never | Retry::ByPolicy => self.learn(key, attempt.step, &running, usage),
        }
        match then {
            AfterFailure::Retry { at } => {
                self.alarms.set_retry(at, key, attempt.step);
                self.change(key, |job| put_off(job, attempt.step, fault, at));
            }
            AfterFailure::GiveUp => self.change(key, |job| give_up(job, attempt.step, fault)),
        }
        Ok(())
    }

    fn returned(&mut self, key: Key<Job>, attempt: &AttemptId) -> Result<(), Misfit> {
        let running = self.running_of(key, attempt)?;
        let home = home(&self.jobs[key]);
        self.queue.settle(home, running.charge, std::time::Duration::ZERO);
        self.change(key, |job| {
            job.running -= 1;
            let state = job.step_mut(attempt.step).expect("checked by running_of");
            job.retrying += u32::from(state.is_retry());
            make_ready(job, attempt.step);
        });
        Ok(())
    }

    fn stopping(&mut self, key: Key<Job>, fault: &Fault) -> Result<(), Misfit> {
        if !self.jobs[key].is_open() {
            return Err(Misfit("its job is stopping or has ended already"));
        }
        self.forget_moments(key);
        self.change(key, |job| job.stop = Some(Box::new(fault.clone())));
        Ok(())
    }

    fn completed(&mut self, key: Key<Job>, output: Option<&Output>) -> Result<(), Misfit> {
        self.check_end(key)?;
        self.forget_moments(key);
        self.change(key, |job| job.ending = Some(Ending::Completed));
        self.release_dependents(key, Ok(output));
        let job = &mut self.jobs[key];
        if job.spec.output.is_none() {
            self.forget(key);
            return Ok(());
        }
        job.output = output.cloned();
        job.runs = Vec::new();
        job.collect = None;
        Ok(())
    }

    fn ended(&mut self, key: Key<Job>, ending: Ending, fault: &Fault) -> Result<(), Misfit> {
        self.check_end(key)?;
        self.forget_moments(key);
        self.change(key, |job| job.ending = Some(ending));
        self.release_dependents(key, Err(fault));
        self.forget(key);
        Ok(())
    }

    fn published(&mut self, key: Key<Job>) -> Result<(), Misfit> {
        if self.jobs[key].ending != Some(Ending::Completed) {
            return Err(Misfit("its job has not completed"));
        }
        self.forget(key);
        Ok(())
    }

    fn check_end(&self, key: Key<Job>) -> Result<(), Misfit> {
        let job = &self.jobs[key];
        match (job.running, job.ending) {
            (0, None) => Ok(()),
            (0, Some(_)) => Err(Misfit("its job has ended already")),
            _ => Err(Misfit("attempts of its job still run")),
        }
    }

    /// Nothing of this job comes due any more.
    fn forget_moments(&mut self, key: Key<Job>) {
        let job = &self.jobs[key];
        if let Some(deadline) = job.spec.deadline {
            self.alarms.clear_deadline(deadline, key);
        }
        if job.retrying == 0 {
            return;
        }
        for (step, state) in job.steps() {
            if let Phase::Waiting(at) = state.phase {
                self.alarms.clear_retry(at, key, step);
            }
        }
    }

    fn forget(&mut self, key: Key<Job>) {
        let job = self.jobs.remove(key);
        self.job_of.remove(&job.spec.id);
        self.queue.dismiss(job.class);
    }

    fn running_of(&self, key: Key<Job>, attempt: &AttemptId) -> Result<Running, Misfit> {
        let running = self.jobs[key].running(attempt.step, attempt.number);
        running.copied().ok_or(Misfit("its attempt did not run then"))
    }

    fn learn(&mut self, key: Key<Job>, step: Step, running: &Running, usage: &Usage) {
        let home = home(&self.jobs[key]);
        self.queue.settle(home, running.charge, usage.wall);
        // What did not run says nothing about how long such work takes, or how much memory.
        if !usage.is_cached {
            self.queue.components[home.component].learn(step, usage);
        }
    }
}

fn home(job: &Job) -> Home {
    Home { tenant: job.tenant, class: job.class, component: job.component }
}

fn new_job(spec: &Arc<JobSpec>, rank: Rank, home: Home) -> Job {
    Job {
        spec: Arc::clone(spec),
        rank,
        tenant: home.tenant,
        class: home.class,
        component: home.component,
        chunks: None,
        runs: Vec::new(),
        again: std::collections::BTreeSet::new(),
        cut: None,
        collect: None,
        running: 0,
        retrying: 0,
        done: 0,
        failed: 0,
        waits_for: std::collections::BTreeSet::new(),
        forsaken: None,
        stop: None,
        last_fault: None,
        ending: None,
        output: None,
    }
}

fn start(job: &mut Job, attempt: &AttemptId, charge: u128) {
    job.running += 1;
    match attempt.step {
        Step::Cut => drop(job.cut.get_or_insert_with(|| Box::new(StepState::FRESH))),
        Step::Collect => drop(job.collect.get_or_insert_with(|| Box::new(StepState::FRESH))),
        Step::Run(chunk) if chunk as usize == job.runs.len() => {
            if job.runs.is_empty() && job.chunk_count() == 1 {
                job.runs.reserve_exact(1);
            }
            job.runs.push(StepState::FRESH);
        }
        Step::Run(chunk) => {
            job.again.remove(&chunk);
        }
    }
    let state = job.step_mut(attempt.step).expect("made above");
    state.number = attempt.number;
    state.phase = Phase::Running(Running { charge, batch: None });
    let is_retry = state.is_retry();
    job.retrying -= u32::from(is_retry);
}

fn set_phase(job: &mut Job, step: Step, phase: Phase) {
    job.step_mut(step).expect("checked by running_of").phase = phase;
}

fn make_ready(job: &mut Job, step: Step) {
    set_phase(job, step, Phase::Ready);
    if let Step::Run(chunk) = step {
        job.again.insert(chunk);
    }
}

fn put_off(job: &mut Job, step: Step, fault: &Fault, at: Timestamp) {
    job.running -= 1;
    job.retrying += 1;
    let state = job.step_mut(step).expect("checked by running_of");
    state.count(fault.code.retry());
    state.phase = Phase::Waiting(at);
}

fn give_up(job: &mut Job, step: Step, fault: &Fault) {
    job.running -= 1;
    job.failed += u32::from(matches!(step, Step::Run(_)));
    let state = job.step_mut(step).expect("checked by running_of");
    state.count(fault.code.retry());
    state.phase = Phase::Failed;
    if job.is_open() {
        job.last_fault = Some(Box::new(fault.clone()));
    }
}
