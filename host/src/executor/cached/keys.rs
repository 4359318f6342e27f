//! What an attempt is known by: a hash over everything that its handler is handed.
//!
//! Owns: what makes two attempts the same: tenant, component, grants, parameters, and every byte and word of the input. The
//! job's id, the number of the attempt, the moment of acceptance and the limits are not part of it.
//! Never: trusts a size or a date; the bytes are read.

use pframe_core::event::Output;
use pframe_core::fault::{Code, Fault};
use pframe_core::ids::{Digest, Step};
use pframe_core::job::{Grant, JobSpec};
use pframe_core::scheduler::{Start, Work};
use sha2::{Digest as _, Sha256};

use crate::capability::input::{Medium, Supply};
use crate::data::source::SourceReader;
use crate::executor::Site;
use crate::executor::assignment::{JobSources, bytes, open_for, variable};
use crate::sandbox::Stop;

/// Part of every key: what was kept under another meaning of keys is not found.
const KEYS: &[u8] = b"pframe-host result 1";
/// Bytes that are hashed before a stop is looked for.
const BLOCK_BYTES: u64 = 1 << 20;

/// What an attempt is known by.
#[derive(Debug, Clone, Copy)]
pub(super) struct Keys {
    /// For a handler that does not ask where its chunk stands among the others.
    pub(super) anywhere: Digest,
    /// For one that does.
    pub(super) in_place: Digest,
    /// For one that asks of which job that is, or which try.
    pub(super) in_job: Digest,
}

/// A hash over fields that cannot run into each other.
struct Fields(Sha256);

impl Fields {
    fn add(&mut self, field: &[u8]) {
        self.0.update((field.len() as u64).to_le_bytes());
        self.0.update(field);
    }

    fn add_number(&mut self, number: u64) {
        self.0.update(number.to_le_bytes());
    }

    /// A source as handlers see it, with the bytes of this range.
    fn add_source(
        &mut self,
        source: &SourceReader,
        (start, end): (u64, u64),
        stop: &Stop,
    ) -> Result<(), Fault> {
        self.add(source.name().as_bytes());
        self.add(source.media_type().unwrap_or_default().as_bytes());
        self.add_number(start);
        self.add_number(end);
        let mut offset = start;
        while offset < end {
            if let Some(fault) = stop.requested() {
                return Err(fault);
            }
            let block = source
                .read(offset, BLOCK_BYTES.min(end - offset))
                .map_err(|problem| Fault::new(Code::InputOutput).detail(problem.to_string()))?;
            self.0.update(&block);
            offset += block.len() as u64;
        }
        Ok(())
    }

    fn add_part(&mut self, part: &Output) {
        match part {
            Output::Inline { bytes, .. } => self.add(&Sha256::digest(bytes)),
            Output::Stored { sha256, .. } => self.add(&sha256.0),
        }
    }

    fn digest(self) -> Digest {
        Digest(self.0.finalize().into())
    }
}

/// Reads what the attempt would be handed.
pub(super) fn keys(site: &Site, start: &Start, stop: &Stop) -> Result<Keys, Fault> {
    let job = &start.job;
    let mut fields = of_job(site, job)?;
    let mut place = Vec::new();
    match &start.work {
        Work::Run { slice, count } => {
            let stores = site.stores(job, stop);
            let source = open_for(job, *slice, &stores)?;
            let (medium, heard) = bytes(site, job, &source, slice.source as usize, &stores)?;
            fields.add(if medium == Medium::Samples { b"samples" } else { b"chunk" });
            fields.add_source(&heard, (slice.start, slice.end), stop)?;
            if let Step::Run(index) = start.attempt.step {
                place.extend([index, *count]);
            }
        }
        Work::Cut => {
            fields.add(b"cut");
            let mut sources = JobSources::of(site, start, stop);
            for index in 0..sources.count() {
                for source in sources.open(index..index + 1)? {
                    let size = source.0.size();
                    fields.add_source(&source.0, (0, size), stop)?;
                }
            }
        }
        Work::Collect { parts, .. } => {
            fields.add(b"collect");
            for part in parts.iter() {
                fields.add_part(part);
            }
        }
    }
    let mut in_place = Fields(fields.0.clone());
    for number in place {
        in_place.add_number(u64::from(number));
    }
    let mut in_job = Fields(in_place.0.clone());
    in_job.add(start.attempt.to_string().as_bytes());
    let (anywhere, in_place) = (fields.digest(), in_place.digest());
    Ok(Keys { anywhere, in_place, in_job: in_job.digest() })
}

/// What is the same for all attempts of a job.
fn of_job(site: &Site, job: &JobSpec) -> Result<Fields, Fault> {
    let mut fields = Fields(Sha256::new());
    fields.add(KEYS);
    fields.add(job.tenant.as_str().as_bytes());
    fields.add(&job.task.component.0);
    fields.add(job.parameters.as_bytes());
    for grant in job.grants.iter() {
        fields.add(grant.to_string().as_bytes());
        match grant {
            Grant::Env(name) => fields.add(variable(site, name)?.as_bytes()),
            Grant::Speech | Grant::Model(_) => {
                for model in site.inference.models().list()? {
                    fields.add(model.name.as_bytes());
                    fields.add(&model.sha256.0);
                }
            }
            Grant::Clock
            | Grant::Random
            | Grant::Directory(_)
            | Grant::KeyValue(_)
            | Grant::Write(_)
            | Grant::Http(_)
            | Grant::S3(_) => {}
        }
    }
    Ok(fields)
}
