//! Whether a job ends now, and how.
//!
//! Owns: the rules for the end of a job.
//! Never: ends a job while an attempt of it runs.
//!
//! A chunk that failed for good ends the job unless `on_failure` tolerates it. When every chunk has
//! ended, the successes are collected; a job whose chunks *all* failed fails with the last fault
//! even where that was tolerated, because there is nothing to collect. A job with no chunks at all
//! completes without a result, unless its handler exports a collector, which then gets no parts.

use std::sync::Arc;

use super::job::{Job, Phase};
use super::message::Command;
use super::mind::Scheduler;
use super::slab::Key;
use crate::event::{Event, Output};
use crate::fault::{Code, Fault};
use crate::ids::AttemptId;
use crate::resources::Capacity;

/// What a job's steps say about its end.
enum Outlook {
    /// There is more to do, or something still runs.
    Open,
    /// It has its result.
    Complete(Option<Output>),
    /// It will not have one.
    Fail(Fault),
}

impl Scheduler {
    /// Ends the job if its steps say so.
    pub(super) fn settle(&mut self, key: Key<Job>) {
        match outlook(&self.jobs[key]) {
            Outlook::Open => {}
            Outlook::Complete(output) => self.complete(key, output),
            Outlook::Fail(fault) => self.stop(key, fault, Code::JobStopped),
        }
    }

    /// Ends the job with this fault: at once if nothing of it runs, else when all that runs has
    /// ended, which hears `word`.
    pub(super) fn stop(&mut self, key: Key<Job>, fault: Fault, word: Code) {
        let job = &self.jobs[key];
        let id = job.spec.id.clone();
        if job.running == 0 {
            return self.record(key, end(id, fault));
        }
        let running: Vec<_> = job.running_steps().collect();
        for (step, number) in running {
            let attempt = AttemptId { job: id.clone(), step, number };
            self.order(Command::Stop { attempt, fault: Fault::new(word) });
        }
        self.record(key, Event::StopRequested { job: id, fault });
    }

    fn complete(&mut self, key: Key<Job>, output: Option<Output>) {
        let spec = Arc::clone(&self.jobs[key].spec);
        self.record(key, Event::JobCompleted { job: spec.id.clone(), output: output.clone() });
        if spec.output.is_some() {
            self.order(Command::Publish { job: spec, output });
        }
    }

    /// Why the job can never run here, if it cannot.
    pub(super) fn too_big(&self, key: Key<Job>) -> Option<Fault> {
        let job = &self.jobs[key];
        let need = self.estimated_need(job.class);
        let machine = self.ledger.capacity();
        let memory_max = self.queue.tenants[job.tenant].settings.memory_max;
        if !need.fits(machine) {
            return Some(too_big(&need, &format!("the machine has {machine}")));
        }
        let most = memory_max.filter(|most| need.memory > *most)?;
        Some(too_big(&need, &format!("tenant `{}` may use {most} memory", job.spec.tenant)))
    }
}

fn too_big(need: &Capacity, have: &str) -> Fault {
    Fault::new(Code::TooBig).detail(format!("an attempt needs {need}; {have}"))
}

fn end(job: crate::ids::JobId, fault: Fault) -> Event {
    match fault.code {
        Code::Cancelled | Code::JobStopped | Code::Drained | Code::DependencyFailed => {
            Event::JobCancelled { job, fault }
        }
        _ => Event::JobFailed { job, fault },
    }
}

fn outlook(job: &Job) -> Outlook {
    match &job.stop {
        _ if job.ending.is_some() => Outlook::Open,
        Some(_) if job.running > 0 => Outlook::Open,
        Some(fault) => Outlook::Fail((**fault).clone()),
        None if job.is_blocked() => match &job.forsaken {
            Some(fault) => Outlook::Fail((**fault).clone()),
            None => Outlook::Open,
        },
        None => outlook_of_steps(job),
    }
}

fn outlook_of_steps(job: &Job) -> Outlook {
    let whole = [&job.cut, &job.collect];
    let is_lost = whole.into_iter().flatten().any(|step| step.phase == Phase::Failed)
        || !job.spec.on_failure.tolerates(job.failed, job.chunk_count())
        || (job.has_run() && job.failed > 0 && job.done == 0);
    match (&job.last_fault, &job.collect) {
        (Some(fault), _) if is_lost => Outlook::Fail((**fault).clone()),
        _ if !job.has_run() => Outlook::Open,
        _ if !job.collects() => Outlook::Complete(job.uncollected().cloned()),
        (_, Some(collect)) => match &collect.phase {
            Phase::Done(output) => Outlook::Complete(Some(output.clone())),
            Phase::Ready | Phase::Waiting(_) | Phase::Running(_) | Phase::Failed => Outlook::Open,
        },
        (_, None) => Outlook::Open,
    }
}
