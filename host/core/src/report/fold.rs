//! The fold from records to figures.
//!
//! Owns: [`Report::apply`], cheap enough to follow every record of a busy host.
//! Never: fails; a record that does not fit is the scheduler's business.

use std::collections::{HashMap, VecDeque};
use std::sync::Arc;

use super::job::JobReport;
use super::totals::Totals;
use crate::event::{AfterFailure, Event, Record};
use crate::fault::Fault;
use crate::ids::{AttemptId, JobId, Step};
use crate::job::JobSpec;
use crate::limits::Usage;
use crate::scheduler::{Key, Slab};
use crate::state::{Ending, JobState};
use crate::units::Timestamp;

/// Everything that is shown about jobs.
#[derive(Debug, Clone, Default)]
pub struct Report {
    jobs: Slab<JobReport>,
    /// A hash map because it is on the hot path; it is never iterated.
    job_of: HashMap<JobId, Key<JobReport>>,
    ended: VecDeque<Key<JobReport>>,
    ended_max: Option<usize>,
    accepted: u64,
    totals: Totals,
}

impl Report {
    /// An empty report that keeps every job.
    pub fn new() -> Self {
        Self::default()
    }

    /// An empty report that keeps the last `ended_max` jobs that ended, and all that have not;
    /// the totals still count the others.
    pub fn keeping(ended_max: usize) -> Self {
        Self { ended_max: Some(ended_max), ..Self::default() }
    }

    /// What is known about one job.
    pub fn job(&self, id: &JobId) -> Option<&JobReport> {
        self.job_of.get(id).map(|&key| &self.jobs[key])
    }

    /// Every job that is kept, in the order of acceptance.
    pub fn jobs(&self) -> Vec<&JobReport> {
        let mut jobs: Vec<_> = self.jobs.iter().map(|(_, job)| job).collect();
        jobs.sort_unstable_by_key(|job| job.sequence);
        jobs
    }

    /// Figures over all jobs.
    pub fn totals(&self) -> &Totals {
        &self.totals
    }

    /// Adds one record.
    pub fn apply(&mut self, record: &Record) {
        let at = record.at;
        self.totals.first_at.get_or_insert(at);
        self.totals.last_at = self.totals.last_at.max(Some(at));
        if let Event::JobAccepted { job } = &record.event {
            return self.accept(job, at);
        }
        let Some(&key) = self.job_of.get(record.event.job()) else { return };
        let job = &mut self.jobs[key];
        let before = job.state();
        job.changed_at = at;
        fold(job, &mut self.totals, &record.event, at);
        let after = job.state();
        self.move_job(key, before, after);
    }

    fn accept(&mut self, spec: &Arc<JobSpec>, at: Timestamp) {
        self.accepted += 1;
        let job = JobReport::new(spec, at, self.accepted);
        self.totals.by_state[job.state() as usize] += 1;
        // An id comes back when finished work runs anew; the report then shows the new run.
        if let Some(old) = self.job_of.insert(spec.id.clone(), self.jobs.insert(job)) {
            self.ended.retain(|key| *key != old);
            self.jobs.remove(old);
        }
    }

    fn move_job(&mut self, key: Key<JobReport>, before: JobState, after: JobState) {
        if before == after {
            return;
        }
        self.totals.by_state[before as usize] -= 1;
        self.totals.by_state[after as usize] += 1;
        if after.is_terminal() && self.ended_max.is_some() {
            self.ended.push_back(key);
            self.drop_surplus();
        }
    }

    fn drop_surplus(&mut self) {
        while self.ended_max.is_some_and(|most| self.ended.len() > most) {
            let Some(key) = self.ended.pop_front() else { return };
            let job = self.jobs.remove(key);
            self.job_of.remove(&job.spec.id);
        }
    }
}

fn fold(job: &mut JobReport, totals: &mut Totals, event: &Event, at: Timestamp) {
    match event {
        Event::JobAccepted { .. } => {}
        Event::ChunksPlanned { chunks, .. } => {
            job.progress.is_planned = true;
            job.chunks = u32::try_from(chunks.len()).unwrap_or(u32::MAX);
            totals.chunks += u64::from(job.chunks);
        }
        Event::AttemptStarted { attempt, .. } => {
            job.start(attempt.step, at);
            totals.attempts += 1;
        }
        Event::AttemptSucceeded { attempt, usage, .. } => {
            use_up(job, totals, usage);
            job.succeed(attempt.step);
            let is_chunk = matches!(attempt.step, Step::Run(_));
            job.chunks_done += u32::from(is_chunk);
            job.chunks_cached += u32::from(is_chunk && usage.is_cached);
            totals.chunks_cached += u64::from(is_chunk && usage.is_cached);
            totals.chunks_done += u64::from(is_chunk);
        }
        Event::CutSucceeded { attempt, usage } => {
            use_up(job, totals, usage);
            job.succeed(attempt.step);
        }
        Event::AttemptFailed { attempt, usage, fault, then } => {
            use_up(job, totals, usage);
            fail(job, totals, attempt, fault, *then);
        }
        Event::AttemptReturned { attempt } => job.give_back(attempt.step),
        Event::StopRequested { .. } => job.is_stopping = true,
        Event::JobCompleted { output, .. } => {
            job.result_bytes = output.as_ref().map(crate::event::Output::size);
            end(job, Ending::Completed, at);
        }
        Event::JobFailed { fault, .. } => end_with(job, totals, Ending::Failed, fault, at),
        Event::JobCancelled { fault, .. } => end_with(job, totals, Ending::Cancelled, fault, at),
        Event::ResultPublished { .. } => job.is_published = true,
    }
}

fn use_up(job: &mut JobReport, totals: &mut Totals, usage: &Usage) {
    job.leave();
    job.add(usage);
    totals.attempts_ended += 1;
    totals.cpu = totals.cpu.saturating_add(usage.cpu);
    totals.busy = totals.busy.saturating_add(usage.wall);
    totals.fuel.0 = totals.fuel.0.saturating_add(usage.fuel.0);
    totals.input_bytes.0 = totals.input_bytes.0.saturating_add(usage.input_bytes.0);
    totals.output_bytes.0 = totals.output_bytes.0.saturating_add(usage.output_bytes.0);
}

fn fail(
    job: &mut JobReport,
    totals: &mut Totals,
    attempt: &AttemptId,
    fault: &Fault,
    then: AfterFailure,
) {
    *job.attempt_faults.entry(fault.code).or_default() += 1;
    *totals.attempt_faults.entry(fault.code).or_default() += 1;
    match then {
        AfterFailure::Retry { .. } => job.put_off(attempt.step),
        AfterFailure::GiveUp => {
            let failed = job.chunks_failed;
            job.give_up(attempt, fault);
            totals.chunks_failed += u64::from(job.chunks_failed - failed);
        }
    }
}

fn end_with(
    job: &mut JobReport,
    totals: &mut Totals,
    ending: Ending,
    fault: &Fault,
    at: Timestamp,
) {
    *totals.job_faults.entry(fault.code).or_default() += 1;
    job.fault = Some(fault.clone());
    end(job, ending, at);
}

fn end(job: &mut JobReport, ending: Ending, at: Timestamp) {
    job.ended_at = Some(at);
    job.progress.ending = Some(ending);
}
