//! Steps that the host does itself, where the handler has no say: joining outputs, and cutting the results of other jobs.
//!
//! Owns: which steps these are.
//! Never: runs on a thread that guests need: it reads and writes files.

use std::sync::Arc;

use pframe_core::event::Output;
use pframe_core::fault::{Code, Fault};
use pframe_core::scheduler::{Outcome, Start, Work};

use super::Site;
use super::cutting::cut;
use crate::data::publish::copy;
use crate::data::results::ResultWriter;

/// True where no guest has a part in this.
pub(super) fn is_hosts(start: &Start) -> bool {
    match &start.work {
        Work::Collect { .. } => !start.job.task.collects,
        Work::Cut => start.is_cut_by_host(),
        Work::Run { .. } => false,
    }
}

/// Does it; the thread may have to wait.
pub(super) fn perform(site: &Site, start: &Start) -> Result<Outcome, Fault> {
    match &start.work {
        Work::Collect { parts } => join(site, parts).map(Outcome::Output),
        Work::Cut => {
            let (inputs, chunking) = (&start.job.inputs, &start.job.chunking);
            let chunks = cut(&site.recordings, inputs, chunking, Some(&site.results))?;
            Ok(Outcome::Cuts(chunks.unwrap_or_else(Arc::default)))
        }
        Work::Run { .. } => Err(Fault::new(Code::Bug).detail("the host runs no chunk itself")),
    }
}

/// Joins outputs in chunk order, for handlers without a collector of their own.
fn join(site: &Site, parts: &[Output]) -> Result<Output, Fault> {
    let mut writer = JoinWriter(site.results.writer());
    for part in parts {
        copy(part, &mut writer, &site.results)?;
    }
    writer.0.finish().map(Output::from)
}

/// Lets a result be written through `std::io::Write`.
struct JoinWriter(ResultWriter);

impl std::io::Write for JoinWriter {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.write(bytes).map_err(std::io::Error::other)?;
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}
