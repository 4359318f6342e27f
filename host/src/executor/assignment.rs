//! From what the scheduler orders to what the sandbox runs, and back.
//!
//! Owns: opening sources and earlier outputs, and checking them once more at the end.
//! Never: talks to a guest.

use std::sync::Arc;

use pframe_core::chunking::check_cuts;
use pframe_core::event::Output;
use pframe_core::fault::{Code, Fault};
use pframe_core::job::{Grant, JobSpec};
use pframe_core::scheduler::{Outcome, Start, Work};

use super::threads::Site;
use crate::capability::Granted;
use crate::capability::input::{ChunkHandle, Part, SourceHandle};
use crate::data::publish::copy;
use crate::data::results::ResultWriter;
use crate::data::source::{Bytes, SourceReader};
use crate::sandbox::{Assignment, Product};

/// What an attempt runs on, and the sources to check again when it has ended.
pub(super) struct Prepared {
    pub(super) assignment: Assignment,
    pub(super) sources: Vec<Arc<SourceReader>>,
}

/// Opens what the attempt needs.
pub(super) fn prepare(site: &Site, start: &Start) -> Result<Prepared, Fault> {
    match &start.work {
        Work::Cut => {
            let readers = (0..start.job.inputs.len()).map(|index| open(&start.job, index));
            let sources: Vec<_> = readers.collect::<Result<_, _>>()?;
            let handles = sources.iter().cloned().map(SourceHandle).collect();
            Ok(Prepared { assignment: Assignment::Cut(handles), sources })
        }
        Work::Run { slice, count } => {
            let source = open(&start.job, slice.source as usize)?;
            let chunk = ChunkHandle::new(start.attempt.clone(), *count, *slice, source.clone());
            let assignment = Assignment::Run(Box::new(chunk));
            Ok(Prepared { assignment, sources: vec![source] })
        }
        Work::Collect { parts } => {
            let opened = parts.iter().map(|part| Bytes::open(part, &site.results).map(Part::from));
            let parts = opened.collect::<Result<_, _>>()?;
            Ok(Prepared { assignment: Assignment::Collect(parts), sources: Vec::new() })
        }
    }
}

fn open(job: &JobSpec, index: usize) -> Result<Arc<SourceReader>, Fault> {
    SourceReader::open(&job.inputs, index).map(Arc::new)
}

/// Joins outputs in chunk order, for handlers without a collector of their own.
pub(super) fn join(site: &Site, parts: &[Output]) -> Result<Output, Fault> {
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

/// What the scheduler hears about an attempt that made something.
pub(super) fn outcome(start: &Start, product: Product) -> Result<Outcome, Fault> {
    match product {
        Product::Output(finished) => Ok(Outcome::Output(finished.into())),
        Product::Cuts(slices) => {
            let sizes: Vec<u64> = start.job.inputs.iter().map(|source| source.size).collect();
            check_cuts(&sizes, slices).map(Outcome::Cuts)
        }
    }
}

/// What the job asked for and the operator allowed.
pub(super) fn granted(site: &Site, start: &Start) -> Result<Granted, Fault> {
    let mut granted = Granted {
        environment: Vec::new(),
        clock: false,
        random: false,
        accepted_at: start.job.accepted_at,
        seed: format!("{}/{}", start.job.id, start.attempt.step),
    };
    for grant in start.job.grants.iter() {
        match grant {
            Grant::Clock => granted.clock = true,
            Grant::Random => granted.random = true,
            Grant::Env(name) => granted.environment.push((name.clone(), variable(site, name)?)),
        }
    }
    Ok(granted)
}

fn variable(site: &Site, name: &str) -> Result<String, Fault> {
    site.environment.get(name).cloned().ok_or_else(|| {
        Fault::new(Code::GrantRefused)
            .detail(format!("`env: {name}`: the host has no such variable"))
    })
}
