//! Steps that the host does itself, where the handler has no say: collecting, and cutting the results of other jobs.
//!
//! Owns: which steps these are.
//! Never: runs on a thread that guests need: it reads and writes files.

use std::sync::Arc;

use pframe_core::fault::{Code, Fault};
use pframe_core::job::Collect;
use pframe_core::scheduler::{Outcome, Start, Work};

use super::Site;
use super::collecting;
use super::cutting::cut;

/// True where no guest has a part in this.
pub(super) fn is_hosts(start: &Start) -> bool {
    match &start.work {
        Work::Collect { .. } => start.job.collector() != Collect::Handler,
        Work::Cut => start.is_cut_by_host(),
        Work::Run { .. } => false,
    }
}

/// Does it; the thread may have to wait.
pub(super) fn perform(site: &Site, start: &Start) -> Result<Outcome, Fault> {
    let job = &start.job;
    match &start.work {
        Work::Collect { parts, succeeded, chunks } => {
            let collected = collecting::Collected { parts, succeeded, chunks };
            collecting::collect(&site.results, job, &collected).map(Outcome::Output)
        }
        Work::Cut => {
            let how = (&job.chunking, job.overlap);
            let stores = site.stores(job, None);
            let chunks = cut(&site.recordings, &job.inputs, how, &stores)?;
            Ok(Outcome::Cuts(chunks.unwrap_or_else(Arc::default)))
        }
        Work::Run { .. } => Err(Fault::new(Code::Bug).detail("the host runs no chunk itself")),
    }
}
