//! From what the scheduler orders to what the sandbox runs, and back.
//!
//! Owns: opening sources and earlier outputs, and checking them once more at the end.
//! Never: talks to a guest.

use std::collections::BTreeMap;
use std::ops::Range;
use std::sync::Arc;

use pframe_core::chunking::check_cuts;
use pframe_core::event::Output;
use pframe_core::fault::{Code, Fault};
use pframe_core::job::{Grant, JobSpec, Slice, Source, SourcePlace};
use pframe_core::scheduler::{Outcome, Start, Work};
use pframe_core::units::ByteSize;

use super::Site;
use super::http::http_grant;
use super::keyvalue::store_grant;
use super::outboxes::written;
use super::speech::speech_grant;
use crate::capability::Granted;
use crate::capability::directories::Files;
use crate::capability::input::{ChunkHandle, Medium, Part, SourceHandle, Supply};
use crate::capability::scratch::lay_out;
use crate::data::results::{ResultStore, ResultWriter};
use crate::data::source::{Bytes, SourceReader, Stores, Wanted};
use crate::sandbox::{Assignment, Product, Stop};

/// Inputs that are fetched whole for a handler's own chunker: each is an open file.
const FETCHED_MAX: usize = 64;

/// What an attempt runs on, and what must not have changed when it has ended.
pub(super) struct Prepared {
    pub(super) assignment: Assignment,
    pub(super) unchanged: Unchanged,
}

/// The sources of an attempt, to be looked at once more when it has ended.
pub(super) enum Unchanged {
    /// The one that was open all the time.
    Source(Arc<SourceReader>),
    /// All of a job's.
    Sources(JobSources),
    /// Results of this host: nobody else touches them.
    Nothing,
}

impl Unchanged {
    /// The fault of a source that is no longer what was accepted.
    pub(super) fn check(&self) -> Result<(), Fault> {
        match self {
            Self::Source(source) => source.verify(),
            Self::Sources(sources) => {
                // What was fetched was fetched as it was accepted.
                let near = |index: &usize| !is_far(&sources.job.inputs[*index]);
                (0..sources.count())
                    .filter(near)
                    .try_for_each(|index| sources.open_one(index).map(drop))
            }
            Self::Nothing => Ok(()),
        }
    }
}

/// Where the attempt's result goes.
pub(super) fn writer(site: &Site, start: &Start) -> ResultWriter {
    match &start.work {
        Work::Run { count, .. } => site.results.writer_of_one_of(*count),
        Work::Cut | Work::Collect { .. } => site.results.writer(),
    }
}

/// Opens what the attempt needs.
pub(super) fn prepare(site: &Site, start: &Start, stop: &Stop) -> Result<Prepared, Fault> {
    let stores = site.stores(&start.job, stop);
    match &start.work {
        Work::Cut => {
            let mut sources = JobSources::of(site, start, stop);
            sources.fetch_all()?;
            let assignment = Assignment::Cut(Box::new(sources.clone()));
            Ok(Prepared { assignment, unchanged: Unchanged::Sources(sources) })
        }
        Work::Run { slice, count } => {
            let source = open_for(&start.job, *slice, &stores)?;
            let heard = bytes(site, &start.job, &source, slice.source as usize, &stores)?;
            let chunk = ChunkHandle::new(start.attempt.clone(), *count, *slice, heard);
            let assignment = Assignment::Run(Box::new(chunk));
            Ok(Prepared { assignment, unchanged: Unchanged::Source(source) })
        }
        Work::Collect { parts, .. } => {
            let parts = StoredParts { parts: Arc::clone(parts), results: site.results.clone() };
            let assignment = Assignment::Collect(Box::new(parts));
            Ok(Prepared { assignment, unchanged: Unchanged::Nothing })
        }
    }
}

/// A job's sources, opened when it is their turn.
#[derive(Clone)]
pub(super) struct JobSources {
    job: Arc<JobSpec>,
    stores: Stores,
    /// Those that had to be fetched, and were.
    fetched: BTreeMap<usize, Arc<SourceReader>>,
}

impl JobSources {
    pub(super) fn of(site: &Site, start: &Start, stop: &Stop) -> Self {
        let stores = site.stores(&start.job, stop);
        Self { job: Arc::clone(&start.job), stores, fetched: BTreeMap::new() }
    }

    fn open_one(&self, index: usize) -> Result<Arc<SourceReader>, Fault> {
        match self.fetched.get(&index) {
            Some(source) => Ok(Arc::clone(source)),
            None => open(&self.job, index, &self.stores, Wanted::All),
        }
    }

    /// Fetches what does not lie here, so that nobody waits for it who must not.
    fn fetch_all(&mut self) -> Result<(), Fault> {
        let far = (0..self.job.inputs.len()).filter(|index| is_far(&self.job.inputs[*index]));
        let far: Vec<_> = far.collect();
        if far.len() > FETCHED_MAX {
            let what = format!(
                "`strategy: custom` takes at most {FETCHED_MAX} inputs that have to be fetched"
            );
            return Err(Fault::new(Code::TooBig).detail(what));
        }
        for index in far {
            let source = self.open_one(index)?;
            self.fetched.insert(index, source);
        }
        Ok(())
    }
}

impl Supply<SourceHandle> for JobSources {
    fn count(&self) -> usize {
        self.job.inputs.len()
    }

    fn open(&mut self, range: Range<usize>) -> Result<Vec<SourceHandle>, Fault> {
        range.map(|index| self.open_one(index).map(SourceHandle)).collect()
    }
}

/// Earlier outputs, opened when it is their turn.
pub(super) struct StoredParts {
    pub(super) parts: Arc<[Output]>,
    pub(super) results: ResultStore,
}

impl Supply<Part> for StoredParts {
    fn count(&self) -> usize {
        self.parts.len()
    }

    fn open(&mut self, range: Range<usize>) -> Result<Vec<Part>, Fault> {
        let open = |part: &Output| Bytes::open(part, &self.results).map(Part::from);
        self.parts[range].iter().map(open).collect()
    }
}

pub(super) fn open(
    job: &JobSpec,
    index: usize,
    stores: &Stores,
    wanted: Wanted,
) -> Result<Arc<SourceReader>, Fault> {
    SourceReader::open(&job.inputs, index, stores, wanted).map(Arc::new)
}

/// The source of one chunk, whose own bytes are there; of a recording the samples are what is read.
pub(super) fn open_for(
    job: &JobSpec,
    slice: Slice,
    stores: &Stores,
) -> Result<Arc<SourceReader>, Fault> {
    let wanted = match Medium::of(&job.chunking) {
        Medium::Bytes => Wanted::Part(slice.start..slice.end),
        Medium::Samples => Wanted::Looks,
    };
    open(job, slice.source as usize, stores, wanted)
}

/// True for what has to be fetched before it can be read.
fn is_far(source: &Source) -> bool {
    matches!(source.place, SourcePlace::Web { .. })
}

/// True where an attempt waits for the network before it begins.
pub(super) fn is_fetched(start: &Start) -> bool {
    match &start.work {
        Work::Cut => start.job.inputs.iter().any(is_far),
        Work::Run { slice, .. } => is_far(&start.job.inputs[slice.source as usize]),
        Work::Collect { .. } => false,
    }
}

/// What a chunk's handler is handed: the source itself, or its samples where it is cut by time.
pub(super) fn bytes(
    site: &Site,
    job: &JobSpec,
    source: &Arc<SourceReader>,
    index: usize,
    stores: &Stores,
) -> Result<(Medium, Arc<SourceReader>), Fault> {
    let medium = Medium::of(&job.chunking);
    let source = match medium {
        Medium::Bytes => Arc::clone(source),
        Medium::Samples => {
            let samples = site.recordings.open(&job.inputs, index, stores)?.bytes();
            let media_type = source.media_type().map(str::to_owned);
            Arc::new(SourceReader::handed_over(source.name().to_owned(), media_type, samples))
        }
    };
    Ok((medium, source))
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
        seed: start.attempt.seed(),
        speech: speech_grant(&start.job.grants),
        http: http_grant(&start.job.grants),
        keyvalue: store_grant(&start.job.grants),
    };
    for grant in start.job.grants.iter() {
        match grant {
            Grant::Clock => granted.clock = true,
            Grant::Random => granted.random = true,
            Grant::Env(name) => granted.environment.push((name.clone(), variable(site, name)?)),
            Grant::Speech
            | Grant::Model(_)
            | Grant::Directory(_)
            | Grant::Http(_)
            | Grant::S3(_)
            | Grant::KeyValue(_)
            | Grant::Write(_) => {}
        }
    }
    Ok(granted)
}

/// True where an attempt of this job finds directories: what it runs in is made for it alone.
pub(super) fn has_files(job: &JobSpec) -> bool {
    let is_directory = |grant: &Grant| matches!(grant, Grant::Directory(_));
    job.limits.disk > ByteSize::ZERO || job.grants.iter().any(is_directory)
}

/// The directories that an attempt finds, its disk among them: new ones for each. Other processes make them, so that the
/// thread may have to wait.
pub(super) fn files(site: &Site, job: &JobSpec) -> Result<Files, Fault> {
    // Before the work, not after it.
    site.outboxes.check(&job.grants)?;
    let disk = job.limits.disk;
    let made = (disk > ByteSize::ZERO).then(|| site.scratch.make(disk)).transpose()?;
    let laid_out = made.map(|disk| lay_out(disk, &written(&job.grants))).transpose()?;
    let (scratch, outboxes) =
        laid_out.map_or_else(Default::default, |(it, boxes)| (Some(it), boxes));
    Ok(Files { scratch, directories: site.directories.open(&job.grants)?, outboxes })
}

/// The value of an environment variable that was granted.
pub(super) fn variable(site: &Site, name: &str) -> Result<String, Fault> {
    site.environment.get(name).cloned().ok_or_else(|| {
        Fault::new(Code::GrantRefused)
            .detail(format!("`env: {name}`: the host has no such variable"))
    })
}
