//! One live job: its steps, how far each has come, and what can start next.
//!
//! Owns: the fence numbers and the counts over the steps.
//! Never: knows of other jobs, of time or of the machine.

use std::collections::BTreeSet;
use std::sync::Arc;

use super::class::Class;
use super::component::Component;
use super::slab::Key;
use super::start::{LiveBatch, Running};
use super::tenant::Tenant;
use crate::event::Output;
use crate::fault::{Fault, Retry};
use crate::ids::{JobId, Step};
use crate::job::{Collect, JobSpec, Slice};
use crate::state::{Ending, Progress};
use crate::units::Timestamp;

/// The place of a job among the waiting work of its tenant: lower goes first.
///
/// The key is the time of acceptance less `priority × age_interval`. It never changes, and yet
/// waiting work ages: whatever is accepted later than that has a higher key, whatever its priority.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Rank {
    pub(crate) key: i64,
    /// Order of acceptance; no two jobs share it.
    pub(crate) sequence: u64,
}

/// How far one step has come.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Phase {
    /// May start now.
    Ready,
    /// May start at this moment.
    Waiting(Timestamp),
    /// An attempt runs.
    Running(Running),
    /// Ended with a result; a `run` step's is kept until it is collected.
    Done(Output),
    /// Ended without one.
    Failed,
}

/// One step after its first attempt was ordered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct StepState {
    /// The number of the last attempt: the fence.
    pub(crate) number: u32,
    /// Attempts that failed by policy.
    pub(crate) failures: u32,
    /// Attempts lost with their worker.
    pub(crate) losses: u32,
    /// Attempts that came at a bad moment.
    pub(crate) put_offs: u32,
    pub(crate) phase: Phase,
}

impl StepState {
    pub(crate) const FRESH: Self =
        Self { number: 0, failures: 0, losses: 0, put_offs: 0, phase: Phase::Ready };

    /// Counts a failure of this class and says how many of the kind there were.
    pub(crate) fn count(&mut self, retry: Retry) {
        match retry {
            Retry::AfterLoss => self.losses += 1,
            Retry::WhenFree => self.put_offs += 1,
            Retry::ByPolicy | Retry::Never => self.failures += 1,
        }
    }

    pub(crate) fn is_retry(&self) -> bool {
        self.failures + self.losses + self.put_offs > 0
    }
}

/// A job from its acceptance until it has ended and, where wanted, was published.
#[derive(Debug, Clone)]
pub(crate) struct Job {
    pub(crate) spec: Arc<JobSpec>,
    pub(crate) rank: Rank,
    pub(crate) tenant: Key<Tenant>,
    pub(crate) class: Key<Class>,
    pub(crate) component: Key<Component>,
    pub(crate) chunks: Option<Arc<[Slice]>>,
    /// The chunks that were started once, from the first on; the others are fresh.
    pub(crate) runs: Vec<StepState>,
    /// Chunks, started before, that may start again.
    pub(crate) again: BTreeSet<u32>,
    pub(crate) cut: Option<Box<StepState>>,
    pub(crate) collect: Option<Box<StepState>>,
    pub(crate) running: u32,
    pub(crate) retrying: u32,
    pub(crate) done: u32,
    pub(crate) failed: u32,
    /// Jobs that must have completed before this one starts, and have not.
    pub(crate) waits_for: BTreeSet<JobId>,
    /// Why a job that it depends on did not complete.
    pub(crate) forsaken: Option<Box<Fault>>,
    /// Why the job will end, once that is certain.
    pub(crate) stop: Option<Box<Fault>>,
    /// The fault of the last step that failed for good: the one that tipped the scales.
    pub(crate) last_fault: Option<Box<Fault>>,
    pub(crate) ending: Option<Ending>,
    /// The result, from completion to publication.
    pub(crate) output: Option<Output>,
}

/// What a job adds to the sums of its class and tenant.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Tally {
    /// Steps that neither run nor have ended.
    pub(crate) waiting: u64,
    /// Chunks that were never started and may be.
    pub(crate) fresh: u64,
    /// True where a step can start now.
    pub(crate) is_ready: bool,
}

impl Job {
    pub(crate) fn progress(&self) -> Progress {
        Progress {
            is_planned: self.chunks.is_some(),
            running: self.running,
            retrying: self.retrying,
            ending: self.ending,
        }
    }

    /// True from completion to publication.
    pub(crate) fn output_waits(&self) -> bool {
        self.ending == Some(Ending::Completed)
    }

    pub(crate) fn is_open(&self) -> bool {
        self.stop.is_none() && self.ending.is_none()
    }

    /// True where it waits for another job, or waits in vain.
    pub(crate) fn is_blocked(&self) -> bool {
        !self.waits_for.is_empty() || self.forsaken.is_some()
    }

    /// How many chunks there are; none before they are known.
    pub(crate) fn chunk_count(&self) -> u32 {
        let count = self.chunks.as_ref().map_or(0, |chunks| chunks.len());
        u32::try_from(count).expect("bounded by CHUNKS_MAX")
    }

    /// Chunks that were never started.
    pub(crate) fn fresh_count(&self) -> u32 {
        self.chunk_count() - u32::try_from(self.runs.len()).expect("bounded by CHUNKS_MAX")
    }

    /// True once every chunk has ended.
    pub(crate) fn has_run(&self) -> bool {
        self.chunks.is_some() && self.done + self.failed == self.chunk_count()
    }

    /// True where a `collect` step makes the result.
    ///
    /// One output that would only be joined is the result as it is. A job without chunks is collected by whoever
    /// makes something of nothing; a job whose chunks all failed has nothing to collect.
    pub(crate) fn collects(&self) -> bool {
        let chunks = self.chunk_count();
        let has_something = self.done > 0 || chunks == 0;
        match self.spec.collector() {
            Collect::Handler | Collect::JsonArray | Collect::Files => has_something,
            Collect::Concat => has_something && chunks > 1,
            Collect::None => false,
        }
    }

    /// The result of a job without a `collect` step.
    pub(crate) fn uncollected(&self) -> Option<&Output> {
        self.parts().next().filter(|_| self.spec.collector() != Collect::None)
    }

    /// The step that starts next, if one can start now.
    pub(crate) fn next_ready(&self) -> Option<Step> {
        if !self.is_open() || self.is_blocked() {
            return None;
        }
        if self.chunks.is_none() {
            return is_ready(self.cut.as_deref()).then_some(Step::Cut);
        }
        if let Some(&again) = self.again.first() {
            return Some(Step::Run(again));
        }
        if self.fresh_count() > 0 {
            return Some(Step::Run(self.chunk_count() - self.fresh_count()));
        }
        (self.has_run() && self.collects() && is_ready(self.collect.as_deref()))
            .then_some(Step::Collect)
    }

    /// True where `step`, which was never started, is not waiting for another step. Which of
    /// several starts first is not asked, so that a later version may decide otherwise.
    pub(crate) fn may_begin(&self, step: Step) -> bool {
        match step {
            _ if self.is_blocked() => false,
            Step::Cut => self.chunks.is_none(),
            Step::Run(_) => self.fresh_count() > 0 && self.is_fresh(step),
            Step::Collect => self.has_run() && self.collects(),
        }
    }

    /// True where `step` has never been started.
    pub(crate) fn is_fresh(&self, step: Step) -> bool {
        matches!(step, Step::Run(chunk) if chunk as usize == self.runs.len())
    }

    pub(crate) fn tally(&self) -> Tally {
        if !self.is_open() {
            return Tally::default();
        }
        let chunks = self.chunk_count();
        let ended = self.done + self.failed;
        let waiting = match self.chunks {
            None => 1 - self.running,
            Some(_) if ended == chunks => u32::from(self.awaits_collect()),
            Some(_) => chunks - ended - self.running,
        };
        Tally {
            waiting: waiting.into(),
            fresh: if self.is_blocked() { 0 } else { self.fresh_count().into() },
            is_ready: self.next_ready().is_some(),
        }
    }

    fn awaits_collect(&self) -> bool {
        let phase = self.collect.as_ref().map(|collect| &collect.phase);
        self.collects() && matches!(phase, None | Some(Phase::Ready | Phase::Waiting(_)))
    }

    /// The state of a step that was started before.
    pub(crate) fn step(&self, step: Step) -> Option<&StepState> {
        match step {
            Step::Cut => self.cut.as_deref(),
            Step::Run(chunk) => self.runs.get(chunk as usize),
            Step::Collect => self.collect.as_deref(),
        }
    }

    pub(crate) fn step_mut(&mut self, step: Step) -> Option<&mut StepState> {
        match step {
            Step::Cut => self.cut.as_deref_mut(),
            Step::Run(chunk) => self.runs.get_mut(chunk as usize),
            Step::Collect => self.collect.as_deref_mut(),
        }
    }

    /// What the attempt of this number holds, if it is the one that runs.
    pub(crate) fn running(&self, step: Step, number: u32) -> Option<&Running> {
        let state = self.step(step)?;
        match &state.phase {
            Phase::Running(running) if state.number == number => Some(running),
            _ => None,
        }
    }

    /// Ties a running attempt to its reservation.
    pub(crate) fn hold_batch(&mut self, step: Step, batch: Key<LiveBatch>) {
        if let Some(StepState { phase: Phase::Running(running), .. }) = self.step_mut(step) {
            running.batch = Some(batch);
        }
    }

    pub(crate) fn forget_batches(&mut self) {
        let whole =
            [&mut self.cut, &mut self.collect].into_iter().flatten().map(|step| &mut **step);
        for step in self.runs.iter_mut().chain(whole) {
            if let Phase::Running(running) = &mut step.phase {
                running.batch = None;
            }
        }
    }

    /// Every step that was started, with its state.
    pub(crate) fn steps(&self) -> impl Iterator<Item = (Step, &StepState)> {
        let cut = self.cut.as_deref().map(|state| (Step::Cut, state));
        let collect = self.collect.as_deref().map(|state| (Step::Collect, state));
        let runs = (0..).map(Step::Run).zip(&self.runs);
        cut.into_iter().chain(runs).chain(collect)
    }

    /// Every attempt that runs: its step and number.
    pub(crate) fn running_steps(&self) -> impl Iterator<Item = (Step, u32)> {
        self.steps()
            .filter(|(_, state)| matches!(state.phase, Phase::Running(_)))
            .map(|(step, state)| (step, state.number))
    }

    /// The chunks that succeeded, in order.
    pub(crate) fn succeeded(&self) -> impl Iterator<Item = u32> {
        (0..)
            .zip(&self.runs)
            .filter(|(_, run)| matches!(run.phase, Phase::Done(_)))
            .map(|(at, _)| at)
    }

    /// The outputs of the chunks that succeeded, in chunk order.
    pub(crate) fn parts(&self) -> impl Iterator<Item = &Output> {
        self.runs.iter().filter_map(|run| match &run.phase {
            Phase::Done(output) => Some(output),
            Phase::Ready | Phase::Waiting(_) | Phase::Running(_) | Phase::Failed => None,
        })
    }
}

fn is_ready(state: Option<&StepState>) -> bool {
    state.is_none_or(|state| state.phase == Phase::Ready)
}
