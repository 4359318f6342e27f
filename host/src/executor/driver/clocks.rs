//! What a worker uses: measured by the host, divided among attempts, and ended where it is too much.
//!
//! Owns: the clocks of a worker and of the order in front.
//! Never: believes the worker. What it says of time only divides what the host measured among attempts of one tenant.

use std::time::{Duration, Instant};

use pframe_core::fault::{Code, Fault};
use pframe_core::units::show_duration;

use super::{Done, Driver, KILL_GRACE, LOOK_INTERVAL, Loss, against, count};

/// How long a worker may be silent; it beats four times a second.
const SILENCE_MAX: Duration = Duration::from_secs(3);
/// How long a worker may take to load its component.
const LOAD_TIME_MAX: Duration = Duration::from_secs(30);

impl Driver {
    /// Divides what the host measured among what ended, by what the worker claims for each, and takes it down.
    pub(super) fn account(&mut self) {
        if self.done.is_empty() {
            return;
        }
        if self.sent.is_empty() && self.waiting.is_empty() {
            self.offer();
        }
        let now = Instant::now();
        let (wall, cpu) = match &mut self.worker {
            Some(worker) => {
                let cpu = worker.child.cpu().max(worker.cpu_charged);
                let used = cpu.saturating_sub(worker.cpu_charged);
                let measured = (now.saturating_duration_since(worker.since), used);
                (worker.since, worker.cpu_charged) = (now, cpu);
                measured
            }
            None => (Duration::ZERO, Duration::ZERO),
        };
        let add = Duration::saturating_add;
        let claimed_wall =
            self.done.iter().map(|it| it.usage.wall.min(wall)).fold(Duration::ZERO, add);
        let claimed_cpu =
            self.done.iter().map(|it| it.usage.cpu.min(cpu)).fold(Duration::ZERO, add);
        let count = count(self.done.len());
        while let Some(Done { mut sent, mut usage, ending }) = self.done.pop_front() {
            let queued = now.saturating_duration_since(sent.ordered);
            usage.wall = share(wall, usage.wall.min(wall), claimed_wall, count);
            usage.cpu = share(cpu, usage.cpu.min(cpu), claimed_cpu, count);
            usage.memory_peak = usage.memory_peak.min(sent.start.job.limits.memory);
            usage.queued = queued.saturating_sub(usage.wall);
            usage.is_cached = false;
            usage.speech = sent.speech.total();
            usage.http = sent.http.total();
            let stop = sent.stop.clone();
            let (start, outcome) = sent.outcome(ending);
            self.end_with_files((start, stop), usage, outcome);
        }
    }

    /// Ends a worker that does not keep its time, or its memory.
    pub(super) fn watch_clocks(&mut self) -> Result<(), Loss> {
        let Some(worker) = &mut self.worker else { return Ok(()) };
        if worker.looked.elapsed() < LOOK_INTERVAL {
            return Ok(());
        }
        worker.looked = Instant::now();
        let of_host = |fault| Err(Loss { fault, is_its_doing: false });
        let (memory, most) = (worker.child.memory(), worker.memory_max);
        if memory.is_some_and(|memory| memory > most) {
            let used = memory.unwrap_or_default();
            let fault = Fault::new(Code::OutOfMemory).hit("memory of the worker", most, used);
            return Err(Loss { fault, is_its_doing: true });
        }
        let cpu = worker.child.cpu().saturating_sub(worker.cpu_charged);
        if !worker.is_ready {
            return match worker.started.elapsed() > LOAD_TIME_MAX {
                true => of_host(Fault::new(Code::WorkerStuck).detail("it did not get ready")),
                false => Ok(()),
            };
        }
        let Some(front) = self.sent.front() else {
            // Nobody ordered anything, so there is nothing to compute.
            return match cpu > KILL_GRACE {
                true => Err(against("it works although nobody asked")),
                false => Ok(()),
            };
        };
        // A first look that finds it late may be this thread's own fault: the second comes after hearing once more.
        let is_second_look = worker.late_order.replace(front.order) == Some(front.order);
        if !is_second_look {
            return Ok(());
        }
        if worker.heard.elapsed() > SILENCE_MAX {
            let silence = format!("no word for {}", show_duration(worker.heard.elapsed()));
            return of_host(Fault::new(Code::WorkerStuck).detail(silence));
        }
        let limits = front.start.job.limits;
        if let Some((at, fault)) = &front.stopped
            && (*at).max(worker.since).elapsed() > KILL_GRACE
        {
            return of_host(fault.clone());
        }
        let ran = worker.since.elapsed();
        if ran > limits.timeout.saturating_add(KILL_GRACE) {
            let (limit, used) = (show_duration(limits.timeout), show_duration(ran));
            return of_host(Fault::new(Code::Deadline).hit("timeout", limit, used));
        }
        if let Some(limit) = limits.cpu
            && cpu > limit + KILL_GRACE
        {
            let (limit, used) = (show_duration(limit), show_duration(cpu));
            return of_host(Fault::new(Code::Cpu).hit("limits.cpu", limit, used));
        }
        Ok(())
    }
}

/// The part of `measured` that `claim` of `claimed` stands for.
fn share(measured: Duration, claim: Duration, claimed: Duration, count: u32) -> Duration {
    if claimed.is_zero() {
        return measured / count.max(1);
    }
    measured.mul_f64(claim.as_secs_f64() / claimed.as_secs_f64())
}
