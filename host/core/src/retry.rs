//! A run that has ended, taken up again where chunks failed for good.
//!
//! Owns: [`taken_up`]: which of its jobs begin again, and what of them need not be done twice, as the events with which a new run
//! begins. From there on it is a run like any other that was interrupted.
//! Never: changes the old run.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use crate::event::{AfterFailure, Event, Output, Record};
use crate::fault::Code;
use crate::ids::{AttemptId, Digest, JobId, Step};
use crate::job::{JobSpec, Slice, SourcePlace};
use crate::limits::Usage;
use crate::scheduler::with_result;
use crate::units::{ByteSize, Timestamp};

/// The first events of a run that takes up what failed in the run of these records; none where nothing failed.
///
/// A job begins again if it failed, or if it completed without chunks that failed; with it whoever depends on it, from its first
/// chunk on. What succeeded of it is taken over, as long as `has` the files of the results. A job that was cancelled is left alone.
pub fn taken_up(records: &[Record], has: impl Fn(&Digest) -> bool, now: Timestamp) -> Vec<Event> {
    let (order, lives) = lives(records);
    let mut again: BTreeMap<&JobId, Again> = BTreeMap::new();
    // Whoever is depended on was accepted before.
    for id in &order {
        let (life, begun) = (&lives[*id], |needed: &JobId| again.contains_key(needed));
        let is_fresh = life.spec.after.iter().any(begun);
        let is_wanted = match &life.end {
            Some(End::Completed(_)) => life.has_failures || is_fresh,
            Some(End::Failed) => true,
            Some(End::Forsaken) => life.spec.after.iter().all(|needed| {
                begun(needed) || matches!(lives[needed].end, Some(End::Completed(_)))
            }),
            Some(End::Cancelled) | None => false,
        };
        if is_wanted {
            again.insert(id, if is_fresh { Again::Fresh } else { Again::Rest });
        }
    }
    bring_back_lost_results(&order, &lives, &mut again, &has);
    let mut dependents: BTreeMap<&JobId, u32> = BTreeMap::new();
    for needed in again.keys().flat_map(|id| lives[*id].spec.after.iter()) {
        *dependents.entry(needed).or_default() += 1;
    }
    let mut events = Vec::new();
    for id in &order {
        if let Some(how) = again.get(id) {
            let mut job = spec_again(&lives, &again, lives[*id].spec);
            job.dependents = dependents.get(id).copied().unwrap_or(0);
            job.deadline = job.deadline.map(|deadline| now.after(deadline.since(job.accepted_at)));
            begin(&mut events, Arc::new(job), &lives[*id], *how, &has);
        }
    }
    events
}

/// How a job begins again.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Again {
    /// What succeeded is taken over.
    Rest,
    /// Everything runs: what it works on will be another.
    Fresh,
}

/// How a job ended.
enum End {
    Completed(Option<Output>),
    Failed,
    /// A job that it depends on did not complete.
    Forsaken,
    Cancelled,
}

/// A job from its acceptance to its end.
struct Life<'a> {
    spec: &'a Arc<JobSpec>,
    chunks: Option<&'a Arc<[Slice]>>,
    succeeded: BTreeMap<u32, &'a Output>,
    has_failures: bool,
    end: Option<End>,
}

/// All jobs of a run, in the order of their acceptance. Of an id that came twice the newer job counts.
fn lives(records: &[Record]) -> (Vec<&JobId>, BTreeMap<&JobId, Life<'_>>) {
    let mut order = Vec::new();
    let mut lives: BTreeMap<&JobId, Life<'_>> = BTreeMap::new();
    for record in records {
        if let Event::JobAccepted { job: spec } = &record.event {
            if lives.contains_key(&spec.id) {
                order.retain(|id| *id != &spec.id);
            }
            order.push(&spec.id);
            let succeeded = BTreeMap::new();
            let life = Life { spec, chunks: None, succeeded, has_failures: false, end: None };
            lives.insert(&spec.id, life);
        }
        let Some(life) = lives.get_mut(record.event.job()) else { continue };
        live(life, &record.event);
    }
    (order, lives)
}

fn live<'a>(life: &mut Life<'a>, event: &'a Event) {
    match event {
        Event::ChunksPlanned { chunks, .. } => life.chunks = Some(chunks),
        Event::AttemptSucceeded { attempt, output, .. } => {
            if let Step::Run(chunk) = attempt.step {
                life.succeeded.insert(chunk, output);
            }
        }
        Event::AttemptFailed { then: AfterFailure::GiveUp, .. } => life.has_failures = true,
        Event::JobCompleted { output, .. } => life.end = Some(End::Completed(output.clone())),
        Event::JobFailed { .. } => life.end = Some(End::Failed),
        Event::JobCancelled { fault, .. } => {
            let is_forsaken = fault.code == Code::DependencyFailed;
            life.end = Some(if is_forsaken { End::Forsaken } else { End::Cancelled });
        }
        Event::JobAccepted { .. }
        | Event::AttemptStarted { .. }
        | Event::CutSucceeded { .. }
        | Event::AttemptFailed { .. }
        | Event::AttemptReturned { .. }
        | Event::StopRequested { .. }
        | Event::ResultPublished { .. } => {}
    }
}

/// Jobs that completed begin again too where somebody needs their result and it is no longer there.
fn bring_back_lost_results<'a>(
    order: &[&'a JobId],
    lives: &BTreeMap<&JobId, Life<'a>>,
    again: &mut BTreeMap<&'a JobId, Again>,
    has: impl Fn(&Digest) -> bool,
) {
    let mut needed: BTreeSet<&JobId> = BTreeSet::new();
    for id in order.iter().rev() {
        let life = &lives[*id];
        let is_lost = match &life.end {
            Some(End::Completed(Some(output))) => !is_there(output, &has),
            _ => false,
        };
        if is_lost && needed.contains(*id) && !again.contains_key(id) {
            again.insert(*id, Again::Fresh);
        }
        if again.contains_key(id) {
            needed.extend(life.spec.inputs.iter().filter_map(|input| match &input.place {
                SourcePlace::Job(job) => Some(job),
                _ => None,
            }));
        }
    }
    for id in order {
        let is_fresh = lives[*id].spec.after.iter().any(|needed| again.contains_key(needed));
        if is_fresh && let Some(how) = again.get_mut(id) {
            *how = Again::Fresh;
        }
    }
}

fn is_there(output: &Output, has: impl Fn(&Digest) -> bool) -> bool {
    match output {
        Output::Inline { .. } => true,
        Output::Stored { sha256, .. } => has(sha256),
    }
}

/// The same job in the new run: it waits for those that begin again, and has the results of the others.
fn spec_again(
    lives: &BTreeMap<&JobId, Life<'_>>,
    again: &BTreeMap<&JobId, Again>,
    spec: &Arc<JobSpec>,
) -> JobSpec {
    let mut spec = Arc::clone(spec);
    let after: Vec<_> = spec.after.iter().filter(|id| again.contains_key(*id)).cloned().collect();
    for needed in Arc::clone(&spec.after).iter().filter(|id| !again.contains_key(*id)) {
        if let Some(End::Completed(output)) = lives.get(needed).and_then(|life| life.end.as_ref()) {
            spec = with_result(&spec, needed, output.as_ref());
        }
    }
    JobSpec { after: after.into(), ..JobSpec::clone(&spec) }
}

/// The job, its chunks, and what succeeded of them. A chunk that ran and is to run again was started and taken back: chunks are
/// started in their order.
fn begin(
    events: &mut Vec<Event>,
    spec: Arc<JobSpec>,
    life: &Life<'_>,
    how: Again,
    has: impl Fn(&Digest) -> bool,
) {
    let id = spec.id.clone();
    // What works on the result of another job is cut when that is there.
    let is_whole = |input: &crate::job::Source| !matches!(input.place, SourcePlace::Job(_));
    let is_cut = life.spec.inputs.iter().all(is_whole);
    events.push(Event::JobAccepted { job: spec });
    let Some(chunks) = life.chunks.filter(|_| how == Again::Rest || is_cut) else { return };
    events.push(Event::ChunksPlanned { job: id.clone(), chunks: Arc::clone(chunks) });
    if how == Again::Fresh {
        return;
    }
    let kept = |(chunk, output): (&u32, &&Output)| is_there(output, &has).then_some(*chunk);
    let Some(last) = life.succeeded.iter().rev().find_map(kept) else { return };
    for chunk in 0..=last {
        let attempt = AttemptId { job: id.clone(), step: Step::Run(chunk), number: 1 };
        events.push(Event::AttemptStarted { attempt: attempt.clone(), memory: ByteSize::ZERO });
        let output = life.succeeded.get(&chunk).filter(|output| is_there(output, &has));
        events.push(match output {
            Some(output) => {
                let usage = Usage { is_cached: true, ..Usage::default() };
                Event::AttemptSucceeded { attempt, usage, output: Output::clone(output) }
            }
            None => Event::AttemptReturned { attempt },
        });
    }
}
