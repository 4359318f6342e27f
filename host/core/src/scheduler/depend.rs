//! Jobs that wait for others, and what becomes of them when those end.
//!
//! Owns: who waits for whom, and how jobs ended that others will still ask for.
//! Never: ends a job itself; whoever waits in vain is settled like any other.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;

use super::fold::Misfit;
use super::job::Job;
use super::mind::Scheduler;
use super::slab::Key;
use crate::event::Output;
use crate::fault::{Code, Fault};
use crate::ids::JobId;
use crate::job::{JobSpec, SourcePlace};

/// How a job ended, as those see it who depend on it: with a result or none, or without success.
type End = Result<Option<Output>, Fault>;

/// The other side of `after`.
#[derive(Debug, Clone, Default)]
pub(super) struct Dependencies {
    /// Jobs that were accepted and wait, by what they wait for. A hash map because it is on the hot path; it is never
    /// iterated.
    waiting: HashMap<JobId, Vec<JobId>>,
    /// Jobs that ended before all their dependents were accepted, and how many are still to come.
    ended: BTreeMap<JobId, (End, u32)>,
    /// Jobs for which something changed, to be settled before the turn ends.
    moved: BTreeSet<JobId>,
}

impl Dependencies {
    /// A job of this id is new: those that come for the end of an earlier one mean this one.
    pub(super) fn forget(&mut self, job: &JobId) {
        self.ended.remove(job);
    }

    /// What survives a restart.
    pub(super) fn remembered(&self) -> String {
        format!("{:?}", self.ended)
    }
}

impl Scheduler {
    /// True where a job can depend on this one: it was accepted, and it or its end is remembered.
    pub fn knows(&self, job: &JobId) -> bool {
        self.job_of.contains_key(job) || self.dependencies.ended.contains_key(job)
    }

    /// Ties a new job to those that it depends on.
    pub(super) fn depend(&mut self, key: Key<Job>) -> Result<(), Misfit> {
        let spec = Arc::clone(&self.jobs[key].spec);
        for needed in spec.after.iter() {
            if let Some((end, left)) = self.dependencies.ended.get_mut(needed) {
                hear(&mut self.jobs[key], needed, end);
                *left -= 1;
                if *left == 0 {
                    self.dependencies.ended.remove(needed);
                }
            } else if self.job_of.contains_key(needed) && *needed != spec.id {
                self.jobs[key].waits_for.insert(needed.clone());
                let waiting = self.dependencies.waiting.entry(needed.clone()).or_default();
                waiting.push(spec.id.clone());
            } else {
                return Err(Misfit("its job depends on one that is not known"));
            }
        }
        Ok(())
    }

    /// Tells those that wait for this job how it ended, and keeps that for those still to come.
    pub(super) fn release_dependents(
        &mut self,
        key: Key<Job>,
        end: Result<Option<&Output>, &Fault>,
    ) {
        let spec = Arc::clone(&self.jobs[key].spec);
        let JobSpec { id, dependents, .. } = &*spec;
        if *dependents == 0 {
            return;
        }
        let end = end.map(Option::<&Output>::cloned).map_err(|fault| forsaken(id, fault));
        let waiting = self.dependencies.waiting.remove(id).unwrap_or_default();
        let left = dependents.saturating_sub(u32::try_from(waiting.len()).unwrap_or(u32::MAX));
        for job in waiting {
            let Some(&key) = self.job_of.get(&job) else { continue };
            if self.jobs[key].waits_for.contains(id) {
                self.change(key, |job| hear(job, id, &end));
                self.dependencies.moved.insert(job);
            }
        }
        if left > 0 {
            self.dependencies.ended.insert(id.clone(), (end, left));
        }
    }

    /// Ends those that wait in vain, those that wait for them, and so on.
    pub(super) fn settle_dependents(&mut self) {
        while let Some(job) = self.dependencies.moved.pop_first() {
            if let Some(&key) = self.job_of.get(&job) {
                self.settle(key);
            }
        }
    }
}

/// What a dependent is told of a job that did not complete.
fn forsaken(job: &JobId, fault: &Fault) -> Fault {
    let why = match fault.code {
        // Of a chain, the first that failed is what matters.
        Code::DependencyFailed => fault.detail.clone(),
        code => format!("job `{job}` ended with {code}, {}", code.title()),
    };
    Fault::new(Code::DependencyFailed).detail(why)
}

/// The job has one reason less to wait, or a reason to end.
fn hear(job: &mut Job, needed: &JobId, end: &End) {
    job.waits_for.remove(needed);
    match end {
        Ok(output) => job.spec = with_result(&job.spec, needed, output.as_ref()),
        Err(fault) => {
            job.forsaken.get_or_insert_with(|| Box::new(fault.clone()));
        }
    }
}

/// The same job with this result in place of the job that made it; where there was nothing to collect, it is empty.
pub(crate) fn with_result(
    spec: &Arc<JobSpec>,
    needed: &JobId,
    output: Option<&Output>,
) -> Arc<JobSpec> {
    let is_it = |place: &SourcePlace| matches!(place, SourcePlace::Job(job) if job == needed);
    if !spec.inputs.iter().any(|input| is_it(&input.place)) {
        return Arc::clone(spec);
    }
    let mut inputs = spec.inputs.to_vec();
    for input in inputs.iter_mut().filter(|input| is_it(&input.place)) {
        input.size = output.map_or(0, |output| output.size().bytes());
        input.place = match output {
            Some(Output::Stored { sha256, .. }) => SourcePlace::Stored { sha256: *sha256 },
            Some(Output::Inline { bytes, .. }) => SourcePlace::Inline(Arc::clone(bytes)),
            None => SourcePlace::Inline(Arc::default()),
        };
    }
    Arc::new(JobSpec { inputs: inputs.into(), ..JobSpec::clone(spec) })
}
