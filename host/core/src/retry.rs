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
/// chunk on. What succeeded of it is taken over, as long as `has` the files of the results, by digest and size. A job that was
/// cancelled is left alone, and so is one whose id came again later in the run: the newer job is what was wanted.
pub fn taken_up(
    records: &[Record],
    has: impl Fn(&Digest, ByteSize) -> bool,
    now: Timestamp,
) -> Vec<Event> {
    let lives = lives(records);
    let mut again: BTreeMap<usize, Again> = BTreeMap::new();
    // Whoever is depended on was accepted before.
    for (at, life) in lives.iter().enumerate() {
        let is_fresh = life.needs.iter().any(|needed| again.contains_key(needed));
        let is_wanted = match &life.end {
            Some(End::Completed(_)) => life.has_failures || is_fresh,
            Some(End::Failed) => true,
            Some(End::Forsaken) => life.needs.iter().all(|needed| {
                let is_completed = matches!(lives[*needed].end, Some(End::Completed(_)));
                again.contains_key(needed) || is_completed
            }),
            Some(End::Cancelled) | None => false,
        };
        if is_wanted && !life.is_superseded {
            again.insert(at, if is_fresh { Again::Fresh } else { Again::Rest });
        }
    }
    bring_back_lost_results(&lives, &mut again, &has);
    let mut dependents: BTreeMap<usize, u32> = BTreeMap::new();
    for needed in again.keys().flat_map(|at| &lives[*at].needs) {
        *dependents.entry(*needed).or_default() += 1;
    }
    let mut events = Vec::new();
    for (at, how) in &again {
        let life = &lives[*at];
        let mut job = spec_again(&lives, &again, life);
        job.dependents = dependents.get(at).copied().unwrap_or(0);
        job.deadline = job.deadline.map(|deadline| now.after(deadline.since(life.accepted_at)));
        begin(&mut events, Arc::new(job), life, *how, &has);
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
    /// When that was recorded; an earlier retry kept what the spec says.
    accepted_at: Timestamp,
    /// Those that it depends on, by their places among all.
    needs: Vec<usize>,
    /// Its id came again.
    is_superseded: bool,
    chunks: Option<&'a Arc<[Slice]>>,
    succeeded: BTreeMap<u32, &'a Output>,
    has_failures: bool,
    end: Option<End>,
}

/// All jobs of a run, in the order of their acceptance.
fn lives(records: &[Record]) -> Vec<Life<'_>> {
    let mut lives: Vec<Life<'_>> = Vec::new();
    let mut newest: BTreeMap<&JobId, usize> = BTreeMap::new();
    for record in records {
        if let Event::JobAccepted { job: spec } = &record.event {
            let needs = spec.after.iter().filter_map(|needed| newest.get(needed).copied());
            let needs = needs.collect();
            if let Some(older) = newest.insert(&spec.id, lives.len()) {
                lives[older].is_superseded = true;
            }
            lives.push(Life {
                spec,
                accepted_at: record.at,
                needs,
                is_superseded: false,
                chunks: None,
                succeeded: BTreeMap::new(),
                has_failures: false,
                end: None,
            });
        }
        if let Some(at) = newest.get(record.event.job()) {
            live(&mut lives[*at], &record.event);
        }
    }
    lives
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

/// Jobs that completed begin again too where somebody needs their result and it is no longer there. Where that cannot be made
/// again, who needs it is left alone.
fn bring_back_lost_results(
    lives: &[Life<'_>],
    again: &mut BTreeMap<usize, Again>,
    has: impl Fn(&Digest, ByteSize) -> bool,
) {
    let mut needed: BTreeSet<usize> = BTreeSet::new();
    let mut hopeless: BTreeSet<usize> = BTreeSet::new();
    for (at, life) in lives.iter().enumerate().rev() {
        let is_lost = match &life.end {
            Some(End::Completed(Some(output))) => !is_there(output, &has),
            _ => false,
        };
        if is_lost && needed.contains(&at) && !again.contains_key(&at) {
            match life.is_superseded {
                true => drop(hopeless.insert(at)),
                false => drop(again.insert(at, Again::Fresh)),
            }
        }
        if again.contains_key(&at) {
            needed.extend(life.needs.iter().filter(|needed| works_on(life, lives, **needed)));
        }
    }
    for (at, life) in lives.iter().enumerate() {
        if life.needs.iter().any(|needed| hopeless.contains(needed)) && again.remove(&at).is_some()
        {
            hopeless.insert(at);
        }
        let is_fresh = life.needs.iter().any(|needed| again.contains_key(needed));
        if is_fresh && let Some(how) = again.get_mut(&at) {
            *how = Again::Fresh;
        }
    }
}

/// True where the result of that job is among the inputs.
fn works_on(life: &Life<'_>, lives: &[Life<'_>], needed: usize) -> bool {
    let id = &lives[needed].spec.id;
    life.spec.inputs.iter().any(|it| matches!(&it.place, SourcePlace::Job(job) if job == id))
}

fn is_there(output: &Output, has: impl Fn(&Digest, ByteSize) -> bool) -> bool {
    match output {
        Output::Inline { .. } => true,
        Output::Stored { sha256, size } => has(sha256, *size),
    }
}

/// The same job in the new run: it waits for those that begin again, and has the results of the others.
fn spec_again(lives: &[Life<'_>], again: &BTreeMap<usize, Again>, life: &Life<'_>) -> JobSpec {
    let mut spec = Arc::clone(life.spec);
    let mut after = Vec::new();
    for needed in &life.needs {
        let other = &lives[*needed];
        match (&other.end, again.contains_key(needed)) {
            (_, true) => after.push(other.spec.id.clone()),
            (Some(End::Completed(output)), false) => {
                spec = with_result(&spec, &other.spec.id, output.as_ref());
            }
            (_, false) => {}
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
    has: impl Fn(&Digest, ByteSize) -> bool,
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
