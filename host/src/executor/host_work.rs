//! Steps that the host does itself, where the handler has no say: collecting, and cutting the results of other jobs.
//!
//! Owns: which steps these are.
//! Never: runs on a thread that guests need: it reads and writes files.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::time::{Duration, Instant};

use pframe_core::fault::{Code, Fault};
use pframe_core::job::Collect;
use pframe_core::scheduler::{Outcome, Start, Work};
use pframe_core::units::show_duration;

use super::Site;
use super::collecting;
use super::cutting::cut;
use crate::sandbox::Stop;

/// True where no guest has a part in this.
pub(super) fn is_hosts(start: &Start) -> bool {
    match &start.work {
        Work::Collect { .. } => start.job.collector() != Collect::Handler,
        Work::Cut => start.is_cut_by_host(),
        Work::Run { .. } => false,
    }
}

/// The time that the host's own work has, as any attempt.
pub(super) struct Watch {
    stop: Stop,
    started: Instant,
    timeout: Duration,
}

impl Watch {
    fn new(stop: Stop, timeout: Duration) -> Self {
        Self::since(Instant::now(), stop, timeout)
    }

    /// The same for what belongs to an attempt that began earlier.
    pub(super) fn since(started: Instant, stop: Stop, timeout: Duration) -> Self {
        Self { stop, started, timeout }
    }

    /// The fault of work that has to end.
    pub(super) fn check(&self) -> Result<(), Fault> {
        if let Some(fault) = self.stop.requested() {
            return Err(fault);
        }
        let used = self.started.elapsed();
        if used > self.timeout {
            let (timeout, used) = (show_duration(self.timeout), show_duration(used));
            return Err(Fault::new(Code::Deadline).hit("timeout", timeout, used));
        }
        Ok(())
    }
}

/// Does it; the thread may have to wait. Where nobody waits for it any more, it stops at the next block.
pub(super) fn perform(site: &Site, start: &Start, stop: &Stop) -> Result<Outcome, Fault> {
    let work = AssertUnwindSafe(|| perform_within(site, start, stop));
    let panicked =
        |_| Err(Fault::new(Code::Bug).detail("the host panicked while it did its own work"));
    catch_unwind(work).unwrap_or_else(panicked)
}

fn perform_within(site: &Site, start: &Start, stop: &Stop) -> Result<Outcome, Fault> {
    let job = &start.job;
    let watch = Watch::new(stop.clone(), job.limits.timeout);
    match &start.work {
        Work::Collect { parts, succeeded, chunks } => {
            let collected = collecting::Collected { parts, succeeded, chunks, watch: &watch };
            collecting::collect(&site.results, job, &collected).map(Outcome::Output)
        }
        Work::Cut => {
            let how = (&job.chunking, job.overlap);
            let stores = site.stores(job, stop);
            let chunks = cut(&site.recordings, &job.inputs, how, &stores)?;
            Ok(Outcome::Cuts(chunks.unwrap_or_else(Arc::default)))
        }
        Work::Run { .. } => Err(Fault::new(Code::Bug).detail("the host runs no chunk itself")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_hosts_own_work_ends_in_time_and_when_it_is_told() {
        let watch = |timeout| Watch::new(Stop::default(), timeout);
        assert!(watch(Duration::from_hours(1)).check().is_ok());
        let late = watch(Duration::ZERO);
        std::thread::sleep(Duration::from_millis(1));
        assert_eq!(late.check().unwrap_err().code, Code::Deadline);
        let told = watch(Duration::from_hours(1));
        told.stop.request(Fault::new(Code::Cancelled));
        assert_eq!(told.check().unwrap_err().code, Code::Cancelled);
    }
}
