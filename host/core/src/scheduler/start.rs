//! What starts next, and how many attempts share one reservation.
//!
//! Owns: the pick (fair share, rank, fit, hold) and the size of batches.
//! Never: overcommits, and never lets work that does not fit now starve: once it has waited for
//! `hold_after`, whatever comes after it in the order may only take what it leaves over.

use std::sync::Arc;
use std::time::Duration;

use super::class::Class;
use super::job::{Job, StepState};
use super::message::{Batch, Command, Reservation, Start, Work};
use super::mind::Scheduler;
use super::slab::Key;
use super::tenant::Tenant;
use crate::event::Event;
use crate::ids::{AttemptId, Step};
use crate::resources::Capacity;
use crate::units::ByteSize;

/// Classes looked at in one pick. What stands behind them waits until something in front starts,
/// which the hold makes sure of.
const LOOKS_MAX: usize = 512;
/// Classes of one tenant looked at in one pick, so that no tenant uses up all the looks.
const LOOKS_PER_TENANT_MAX: usize = 32;
/// Attempts in a batch whose size the job states.
const BATCH_STATED_MAX: u32 = 10_000;

/// What an attempt that runs holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Running {
    /// The virtual time its tenant was charged.
    pub(crate) charge: u128,
    /// Its reservation; none for attempts that a replay found running.
    pub(crate) batch: Option<Key<LiveBatch>>,
}

/// A batch that holds its reservation.
#[derive(Debug, Clone)]
pub(crate) struct LiveBatch {
    pub(crate) tenant: Key<Tenant>,
    pub(crate) need: Capacity,
    /// Attempts that have not ended.
    pub(crate) left: u32,
    /// Stands for the batch where people ask who holds what.
    pub(crate) first: AttemptId,
}

/// What one look at the waiting work finds.
pub(super) struct Look {
    free: Capacity,
    /// May start now.
    found: Option<Key<Class>>,
    /// The first that has waited too long to be passed by.
    pub(super) held: Option<Held>,
    /// Classes that may still be looked at.
    left: usize,
}

/// Work that capacity is held for.
#[derive(Clone, Copy)]
pub(super) struct Held {
    pub(super) class: Key<Class>,
    need: Capacity,
}

impl Look {
    fn allows(&self, need: &Capacity) -> bool {
        need.fits(&self.free)
            && self.held.is_none_or(|held| need.fits_beside(&held.need, &self.free))
    }
}

impl Scheduler {
    pub(super) fn start_what_fits(&mut self) {
        while let Some(class) = self.pick() {
            self.start_batch(class);
        }
    }

    /// The class whose first job starts something next.
    fn pick(&self) -> Option<Key<Class>> {
        let is_full = self.is_draining || self.ledger.free().attempts == 0;
        if is_full { None } else { self.look().found }
    }

    /// Goes through waiting work in its order: by tenant, then by rank.
    pub(super) fn look(&self) -> Look {
        let mut look = Look { free: self.ledger.free(), found: None, held: None, left: LOOKS_MAX };
        for &(_, tenant) in &self.queue.seats {
            self.look_at(&self.queue.tenants[tenant], &mut look);
            if look.found.is_some() || look.left == 0 {
                break;
            }
        }
        look
    }

    fn look_at(&self, tenant: &Tenant, look: &mut Look) {
        for &(_, class) in tenant.heads.iter().take(look.left.min(LOOKS_PER_TENANT_MAX)) {
            look.left -= 1;
            let need = self.need(class);
            let may_reserve = tenant.may_reserve(need.memory);
            if may_reserve && look.allows(&need) {
                look.found = Some(class);
                return;
            }
            if !self.deserves_hold(class, &need) {
                continue;
            }
            if !may_reserve {
                // Its own tenant's memory is held for it, so nothing behind it may take that.
                return;
            }
            look.held.get_or_insert(Held { class, need });
        }
    }

    /// True for work that has waited long enough and could run if the machine were empty.
    fn deserves_hold(&self, class: Key<Class>, need: &Capacity) -> bool {
        let waited = self.now.since(self.queue.classes[class].waits_since);
        waited >= self.settings.hold_after && need.fits(self.ledger.capacity())
    }

    /// What an attempt of this class reserves now. An estimate never exceeds the machine.
    pub(super) fn need(&self, class: Key<Class>) -> Capacity {
        let mut need = self.estimated_need(class);
        if self.queue.classes[class].shape.requirements.memory.is_none() {
            need.memory = need.memory.min(self.ledger.capacity().memory);
        }
        need
    }

    pub(super) fn estimated_need(&self, class: Key<Class>) -> Capacity {
        let shape = &self.queue.classes[class].shape;
        let component = &self.queue.components[shape.component];
        Capacity {
            cpu: shape.requirements.cpu,
            memory: shape.requirements.memory.unwrap_or_else(|| {
                let guest = component.memory(shape.memory_limit);
                ByteSize(guest.bytes().saturating_add(shape.disk.bytes()))
            }),
            gpu_memory: shape.requirements.gpu_memory,
            attempts: 1,
        }
    }

    fn start_batch(&mut self, class: Key<Class>) {
        let need = self.need(class);
        let size = self.batch_size(class, &need);
        let (tenant, batch) = self.open_batch(class, need);
        let mut attempts = Vec::with_capacity(size as usize);
        while let Some((key, step)) = self.next_of(class, attempts.is_empty()) {
            attempts.push(self.start_attempt(key, step, batch, &need));
            if attempts.len() >= size as usize {
                break;
            }
        }
        self.batches[batch].left = u32::try_from(attempts.len()).expect("bounded by size");
        self.queue.reseat(tenant);
        let Capacity { cpu, memory, gpu_memory, .. } = need;
        let reservation = Reservation { cpu, memory, gpu_memory };
        self.order(Command::Start(Batch { attempts, reservation }));
    }

    /// Takes the reservation.
    fn open_batch(&mut self, class: Key<Class>, need: Capacity) -> (Key<Tenant>, Key<LiveBatch>) {
        self.ledger.take(need);
        let (key, step) = self.next_of(class, true).expect("a picked class has a ready job");
        let first = self.next_attempt(key, step);
        let tenant = self.queue.classes[class].shape.tenant;
        let owner = &mut self.queue.tenants[tenant];
        owner.running += 1;
        owner.memory.0 += need.memory.0;
        (tenant, self.batches.insert(LiveBatch { tenant, need, left: 0, first }))
    }

    /// An attempt of the batch has ended; the last one gives the reservation back.
    pub(super) fn leave_batch(&mut self, key: Key<LiveBatch>) {
        let batch = &mut self.batches[key];
        batch.left -= 1;
        if batch.left > 0 {
            return;
        }
        let batch = self.batches.remove(key);
        self.ledger.give(batch.need);
        let tenant = &mut self.queue.tenants[batch.tenant];
        tenant.running -= 1;
        tenant.memory.0 -= batch.need.memory.0;
        self.queue.reseat(batch.tenant);
    }

    /// The step that follows in this class; any step may lead a batch, only fresh chunks follow.
    fn next_of(&self, class: Key<Class>, leads: bool) -> Option<(Key<Job>, Step)> {
        let (_, key) = self.queue.classes[class].head()?;
        let job = &self.jobs[key];
        let step = job.next_ready().expect("queued jobs are ready");
        (leads || job.is_fresh(step)).then_some((key, step))
    }

    fn next_attempt(&self, key: Key<Job>, step: Step) -> AttemptId {
        let job = &self.jobs[key];
        let number = job.step(step).map_or(0, |state: &StepState| state.number) + 1;
        AttemptId { job: job.spec.id.clone(), step, number }
    }

    fn start_attempt(
        &mut self,
        key: Key<Job>,
        step: Step,
        batch: Key<LiveBatch>,
        need: &Capacity,
    ) -> Start {
        let attempt = self.next_attempt(key, step);
        let work = work(&self.jobs[key], step);
        self.record(key, Event::AttemptStarted { attempt: attempt.clone(), memory: need.memory });
        let job = &mut self.jobs[key];
        job.hold_batch(step, batch);
        Start { attempt, job: Arc::clone(&job.spec), work }
    }

    /// How many attempts go together: as the job states, else as many as probably take `time_max`,
    /// after the waiting chunks were spread over all free slots. A chunk that was started before
    /// runs alone, and so do `cut` and `collect`.
    fn batch_size(&self, class: Key<Class>, need: &Capacity) -> u32 {
        let (key, step) = self.next_of(class, true).expect("a picked class has a ready job");
        if !self.jobs[key].is_fresh(step) {
            return 1;
        }
        let class = &self.queue.classes[class];
        if let Some(stated) = class.shape.batch {
            return stated.clamp(1, BATCH_STATED_MAX);
        }
        let tenant = &self.queue.tenants[class.shape.tenant];
        let slots = need.times_in(&self.ledger.free()).min(tenant.sandboxes_left()).max(1);
        let spread = u32::try_from(class.fresh.div_ceil(slots.into())).unwrap_or(u32::MAX);
        let mean = self.queue.components[class.shape.component].wall_mean();
        let rules = &self.settings.batch;
        let timely = mean.map_or(1, |mean| times(rules.time_max, mean));
        spread.min(timely).min(rules.attempts_max).max(1)
    }
}

/// How often `part` goes into `whole`.
fn times(whole: Duration, part: Duration) -> u32 {
    let times = whole.as_nanos() / part.as_nanos().max(1);
    u32::try_from(times).unwrap_or(u32::MAX)
}

fn work(job: &Job, step: Step) -> Work {
    match step {
        Step::Cut => Work::Cut,
        Step::Collect => Work::Collect {
            parts: job.parts().cloned().collect(),
            succeeded: job.succeeded().collect(),
            chunks: job.chunks.clone().expect("what is collected was planned"),
        },
        Step::Run(chunk) => {
            let chunks = job.chunks.as_ref().expect("a chunk runs after it was planned");
            Work::Run { slice: chunks[chunk as usize], count: job.chunk_count() }
        }
    }
}
