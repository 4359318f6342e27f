//! Finding the reasons.
//!
//! Owns: which reasons hold for a job, and their order.
//! Never: differs from what the pick in `start.rs` does; it asks the same questions.

use super::reason::{Explanation, Reason};
use crate::ids::{AttemptId, JobId};
use crate::resources::Capacity;
use crate::scheduler::job::{Job, Phase};
use crate::scheduler::mind::Scheduler;
use crate::units::{ByteSize, CpuCores, Timestamp};

/// Attempts named in one reason.
const NAMES_MAX: usize = 3;

impl Scheduler {
    /// Says what a job is doing and why it waits; `None` for jobs that are unknown or forgotten.
    pub fn explain(&self, now: Timestamp, job: &JobId) -> Option<Explanation> {
        let &key = self.job_of.get(job)?;
        let job = &self.jobs[key];
        let mut reasons = Vec::new();
        reasons.extend(job.output_waits().then_some(Reason::Publishes));
        reasons.extend(runs(job));
        reasons.extend(job.stop.as_ref().map(|fault| Reason::Stops { code: fault.code }));
        reasons.extend(self.after(job));
        reasons.extend(retry(job, now));
        if job.next_ready().is_some() {
            reasons.extend(self.why_not_started(job));
        }
        let state = job.progress().state();
        Some(Explanation { job: job.spec.id.clone(), state, reasons })
    }

    fn after(&self, job: &Job) -> Option<Reason> {
        let state = |id: &JobId| self.state(id).map(|state| (id.clone(), state));
        let jobs: Vec<_> = job.waits_for.iter().take(NAMES_MAX).filter_map(state).collect();
        let more = u32::try_from(job.waits_for.len() - jobs.len()).unwrap_or(u32::MAX);
        (!jobs.is_empty()).then_some(Reason::After { jobs, more })
    }

    fn why_not_started(&self, job: &Job) -> Vec<Reason> {
        if self.is_draining {
            return vec![Reason::Drains];
        }
        let need = self.need(job.class);
        let blocked = self.blocked_by_tenant(job, &need).or_else(|| self.blocked_by_machine(&need));
        let mut reasons: Vec<_> = blocked.into_iter().collect();
        reasons.extend(self.held_for_other(job));
        reasons.extend(self.behind(job));
        reasons.extend(self.fair_share(job));
        reasons
    }

    fn blocked_by_tenant(&self, job: &Job, need: &Capacity) -> Option<Reason> {
        let owner = &self.queue.tenants[job.tenant];
        let tenant = owner.name.clone();
        if !owner.may_run_more() {
            return Some(Reason::TenantRuns { tenant, running: owner.running });
        }
        let most = owner.settings.memory_max.filter(|_| !owner.may_reserve(need.memory))?;
        let free = ByteSize(most.0.saturating_sub(owner.memory.0)).to_string();
        Some(Reason::TenantMemory { tenant, need: need.memory.to_string(), free })
    }

    fn blocked_by_machine(&self, need: &Capacity) -> Option<Reason> {
        let machine = *self.ledger.capacity();
        if !need.fits(&machine) {
            return Some(Reason::TooBigNow { need: *need, machine });
        }
        let free = self.ledger.free();
        let kind = KINDS.iter().find(|kind| (kind.amount)(need) > (kind.amount)(&free))?;
        let mut holders: Vec<_> = self.batches.iter().map(|(_, batch)| batch).collect();
        holders.retain(|batch| (kind.amount)(&batch.need) > 0);
        holders.sort_by_key(|batch| (std::cmp::Reverse((kind.amount)(&batch.need)), &batch.first));
        let more = holders.len().saturating_sub(NAMES_MAX);
        let show = |of: &Capacity| (kind.show)((kind.amount)(of));
        Some(Reason::Short {
            need: format!("{} {}", show(need), kind.name),
            free: show(&free),
            held: show(self.ledger.held()),
            holders: holders.iter().take(NAMES_MAX).map(|batch| batch.first.clone()).collect(),
            more: u32::try_from(more).unwrap_or(u32::MAX),
        })
    }

    fn held_for_other(&self, job: &Job) -> Option<Reason> {
        let held = self.look().held.map(|held| held.class).filter(|class| *class != job.class)?;
        let (_, first) = self.queue.classes[held].head()?;
        Some(Reason::HeldFor { job: self.jobs[first].spec.id.clone() })
    }

    fn behind(&self, job: &Job) -> Option<Reason> {
        let (rank, first) = self.queue.classes[job.class].head()?;
        (rank != job.rank).then(|| Reason::Behind { job: self.jobs[first].spec.id.clone() })
    }

    fn fair_share(&self, job: &Job) -> Option<Reason> {
        let &(_, first) = self.queue.seats.first()?;
        let tenant = || self.queue.tenants[first].name.clone();
        (first != job.tenant).then(|| Reason::FairShare { tenant: tenant() })
    }
}

/// One kind of thing that can be short.
struct Kind {
    name: &'static str,
    amount: fn(&Capacity) -> u64,
    show: fn(u64) -> String,
}

const KINDS: [Kind; 4] = [
    Kind { name: "cpu", amount: |of| of.cpu.0.into(), show: show_cores },
    Kind { name: "memory", amount: |of| of.memory.0, show: show_bytes },
    Kind { name: "gpu memory", amount: |of| of.gpu_memory.0, show: show_bytes },
    Kind { name: "sandbox", amount: |of| of.attempts.into(), show: |count| count.to_string() },
];

fn show_cores(thousandths: u64) -> String {
    CpuCores(u32::try_from(thousandths).unwrap_or(u32::MAX)).to_string()
}

fn show_bytes(bytes: u64) -> String {
    ByteSize(bytes).to_string()
}

fn runs(job: &Job) -> Option<Reason> {
    let id = || job.spec.id.clone();
    let first = job.running_steps().take(NAMES_MAX);
    let attempts: Vec<_> =
        first.map(|(step, number)| AttemptId { job: id(), step, number }).collect();
    let more = job.running - u32::try_from(attempts.len()).expect("at most NAMES_MAX");
    (!attempts.is_empty()).then_some(Reason::Runs { attempts, more })
}

/// The step that is tried again first.
fn retry(job: &Job, now: Timestamp) -> Option<Reason> {
    let waiting = || {
        job.steps().filter_map(|(step, state)| match state.phase {
            Phase::Waiting(at) if job.is_open() => Some((at, step, state.number)),
            _ => None,
        })
    };
    let (at, step, number) = waiting().min()?;
    let more = u32::try_from(waiting().count() - 1).unwrap_or(u32::MAX);
    let attempt = AttemptId { job: job.spec.id.clone(), step, number: number + 1 };
    Some(Reason::Retry { attempt, delay: at.since(now), more })
}
