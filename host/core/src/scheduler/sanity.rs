//! Counts everything anew and compares.
//!
//! Owns: the invariants of the scheduler, in one place.
//! Never: runs in production; tests call it after every step.

use std::fmt::Write;

use super::job::{Job, Phase};
use super::mind::Scheduler;
use super::slab::Key;
use crate::ids::Step;
use crate::resources::Capacity;
use crate::units::Timestamp;

impl Scheduler {
    /// Panics where a sum, an order or a derived count disagrees with what it is derived from.
    pub fn sanity_check(&self) {
        for (key, job) in self.jobs.iter() {
            check_counts(job);
            self.check_place(key, job);
        }
        self.check_reservations();
        self.check_tenants();
        self.check_alarms();
    }

    /// Everything that survives a restart, as text: a replay of the recorded events gives the same.
    pub fn remembered(&self, now: Timestamp) -> String {
        let mut then = self.clone();
        then.pass_to(now);
        then.remembered_text()
    }

    fn remembered_text(&self) -> String {
        let mut text = String::new();
        for (key, job) in self.jobs.iter() {
            let mut job = job.clone();
            job.forget_batches();
            writeln!(text, "{key:?} {job:?}").expect("a string takes all");
        }
        for (key, tenant) in self.queue.tenants.iter() {
            let times = (tenant.settled, tenant.expected, tenant.waiting);
            let (name, heads) = (&tenant.name, &tenant.heads);
            writeln!(text, "{key:?} {name} {times:?} {heads:?}").expect("a string takes all");
        }
        let classes = self.queue.classes.iter().map(|(key, class)| format!("{key:?} {class:?}\n"));
        text.extend(classes);
        let Self { queue, alarms, dependencies, .. } = self;
        format!("{text}{:?}\n{alarms:?}\n{}\n", queue.components, dependencies.remembered())
    }

    fn check_place(&self, key: Key<Job>, job: &Job) {
        let id = &job.spec.id;
        assert_eq!(self.job_of.get(id), Some(&key), "{id} is found by its id");
        let is_queued = self.queue.classes[job.class].queue.contains(&(job.rank, key));
        assert_eq!(is_queued, job.next_ready().is_some(), "{id} is queued while it can start");
        assert!(job.running == 0 || job.ending.is_none(), "{id} has ended and still runs");
        for needed in &job.waits_for {
            assert!(self.job_of.contains_key(needed), "{id} waits for {needed}, which lives");
        }
    }

    fn check_reservations(&self) {
        let held = self.ledger.held();
        let sum = |amount: fn(&Capacity) -> u64| {
            self.batches.iter().map(|(_, batch)| amount(&batch.need)).sum::<u64>()
        };
        assert_eq!(sum(|need| need.cpu.0.into()), u64::from(held.cpu.0), "cpu is conserved");
        assert_eq!(sum(|need| need.memory.0), held.memory.0, "memory is conserved");
        assert_eq!(sum(|need| need.gpu_memory.0), held.gpu_memory.0, "gpu memory is conserved");
        assert_eq!(self.batches.len(), held.attempts as usize, "one sandbox for each batch");
        for (key, batch) in self.batches.iter() {
            let attempts = self.jobs.iter().flat_map(|(_, job)| job.steps());
            let left = attempts.filter(|(_, state)| match &state.phase {
                Phase::Running(running) => running.batch == Some(key),
                Phase::Ready | Phase::Waiting(_) | Phase::Done(_) | Phase::Failed => false,
            });
            assert_eq!(left.count(), batch.left as usize, "{} counts its attempts", batch.first);
        }
    }

    fn check_tenants(&self) {
        for (key, tenant) in self.queue.tenants.iter() {
            let name = &tenant.name;
            let jobs = || self.jobs.iter().filter(|(_, job)| job.tenant == key);
            let batches = || self.batches.iter().filter(|(_, batch)| batch.tenant == key);
            let waiting: u64 = jobs().map(|(_, job)| job.tally().waiting).sum();
            assert_eq!(tenant.waiting, waiting, "{name} counts its waiting steps");
            assert_eq!(tenant.running as usize, batches().count(), "{name} counts its sandboxes");
            let memory: u64 = batches().map(|(_, batch)| batch.need.memory.0).sum();
            assert_eq!(tenant.memory.0, memory, "{name} counts its memory");
            assert_eq!(tenant.seat, tenant.wanted_seat(), "{name} sits where it belongs");
            let charges: u128 = jobs().map(|(_, job)| charges(job)).sum();
            assert_eq!(tenant.expected, charges, "{name} is charged for what runs");
        }
        let idle = self.queue.classes.iter().filter(|(_, class)| class.jobs == 0).count();
        assert_eq!(idle, self.queue.classes_idle, "idle classes are counted");
        for (key, class) in self.queue.classes.iter() {
            let jobs = || self.jobs.iter().filter(|(_, job)| job.class == key);
            assert_eq!(class.fresh, jobs().map(|(_, job)| job.tally().fresh).sum::<u64>());
            assert_eq!(class.jobs, jobs().count() as u64);
            let head = class.head().map(|(rank, _)| (rank, key));
            let tenant = &self.queue.tenants[class.shape.tenant];
            let seated: Vec<_> =
                tenant.heads.iter().filter(|head| head.1 == key).copied().collect();
            assert_eq!(seated, Vec::from_iter(head), "a class stands under its first job");
        }
    }

    fn check_alarms(&self) {
        for &(at, key, step) in self.alarms.retries() {
            let phase = self.jobs.get(key).and_then(|job| job.step(step)).map(|state| &state.phase);
            assert_eq!(phase, Some(&Phase::Waiting(at)), "a retry belongs to a step that waits");
        }
        for &(at, key) in self.alarms.deadlines() {
            let job = self.jobs.get(key).expect("a deadline belongs to a live job");
            assert!(job.is_open() && job.spec.deadline == Some(at));
        }
    }
}

fn charges(job: &Job) -> u128 {
    job.steps()
        .map(|(_, state)| match &state.phase {
            Phase::Running(running) => running.charge,
            Phase::Ready | Phase::Waiting(_) | Phase::Done(_) | Phase::Failed => 0,
        })
        .sum()
}

fn check_counts(job: &Job) {
    let id = &job.spec.id;
    let count = |is: fn(&Phase) -> bool| job.steps().filter(|(_, state)| is(&state.phase)).count();
    assert_eq!(count(|phase| matches!(phase, Phase::Running(_))), job.running as usize, "{id}");
    if job.ending.is_some() {
        return;
    }
    let chunks = |is: fn(&Phase) -> bool| job.runs.iter().filter(|run| is(&run.phase)).count();
    assert_eq!(chunks(|phase| matches!(phase, Phase::Done(_))), job.done as usize, "{id}");
    assert_eq!(chunks(|phase| *phase == Phase::Failed), job.failed as usize, "{id}");
    let retrying = job.steps().filter(|(_, state)| {
        state.is_retry() && matches!(state.phase, Phase::Ready | Phase::Waiting(_))
    });
    assert_eq!(retrying.count(), job.retrying as usize, "{id} counts its retries");
    for &chunk in &job.again {
        let state = job.step(Step::Run(chunk)).expect("it was started once");
        assert_eq!(state.phase, Phase::Ready, "{id}/{chunk} may start again");
    }
}
