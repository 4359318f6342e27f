//! `pframe-host run FILE`
//!
//! Owns: a new run, or the rest of an unfinished one of the same jobs.
//! Never: runs a recorded chunk twice.

use std::collections::BTreeMap;
use std::path::Path;
use std::process::ExitCode;
use std::time::Duration;

use pframe_core::ids::JobId;
use pframe_core::job::STANDARD_STREAM;

use super::arguments::{RunArguments, ShowFlags};
use super::failure::Failure;
use super::jobs::Jobs;
use super::porch::{Porch, with_stdin};
use super::session::Words;
use super::{jobs, session};
use crate::JobHandle;
use crate::engine::{Engine, Planned, Work};
use crate::journal::NewRun;
use crate::reporter::told::say;

pub(super) fn run(porch: &Porch, arguments: &RunArguments) -> Result<ExitCode, Failure> {
    porch.check_scheduler(arguments.fallback)?;
    let jobs = jobs::read(&arguments.file)?;
    let kept = if arguments.no_cache { Kept::Renewed } else { Kept::Taken };
    go(porch, &jobs, &arguments.show, Watched::Chunks, kept)
}

/// What becomes of results that are kept from earlier runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kept {
    /// Jobs that want them take them.
    Taken,
    /// Nobody takes them, and newer ones take their place.
    Renewed,
}

/// Runs jobs to their end, wherever they came from.
pub(super) fn go(
    porch: &Porch,
    jobs: &Jobs,
    flags: &ShowFlags,
    watched: Watched,
    kept: Kept,
) -> Result<ExitCode, Failure> {
    let builder = with_stdin(porch.engine(), Some(&jobs.path))
        .state_dir(&porch.state_dir)
        .base_dir(&jobs.base_dir);
    let mut prepared = builder.prepare()?;
    let mut planned = jobs::plan(porch, jobs, prepared.workbench())?;
    if kept == Kept::Renewed {
        planned.iter_mut().for_each(Planned::renew);
    }
    let watched = match watched {
        Watched::Chunks => session::Progress::Chunks,
        Watched::Speech(length) => session::Progress::Speech(length(&planned)),
    };
    let show = session::Show::start(flags, &porch.config, &mut prepared, watched);
    let file = name_of(&jobs.path);
    let count = u32::try_from(planned.len()).unwrap_or(u32::MAX);
    let work = Work::Keyed(NewRun { key: jobs::key(&planned), file, jobs: count });
    let words = Words::listen();
    let engine = prepared.start(Some(&work))?;
    let handles = submit(&engine, planned)?;
    session::follow(porch, engine, handles, &words, show)
}

/// As `status` shows it from any folder.
fn name_of(path: &Path) -> String {
    match path == Path::new(STANDARD_STREAM) {
        true => STANDARD_STREAM.into(),
        false => std::path::absolute(path).unwrap_or_else(|_| path.into()).display().to_string(),
    }
}

/// What progress is told of.
#[derive(Clone, Copy)]
pub(super) enum Watched {
    /// Chunks of jobs.
    Chunks,
    /// Recordings, as long as this says.
    Speech(fn(&[Planned]) -> Duration),
}

/// Submits what is not recorded yet, and follows what is.
fn submit(engine: &Engine, planned: Vec<Planned>) -> Result<Vec<JobHandle>, Failure> {
    let recorded: BTreeMap<JobId, JobHandle> =
        engine.recovered().into_iter().map(|handle| (handle.id().clone(), handle)).collect();
    if !recorded.is_empty() {
        say(&format!("continuing: {} of {} jobs were begun before", recorded.len(), planned.len()));
    }
    let follow = |plan: Planned| {
        if let Some(handle) = recorded.get(&plan.spec.id) {
            return Ok(handle.clone());
        }
        let place = format!("job {}", plan.spec.id);
        engine.submit_planned(plan).map_err(Failure::at(place))
    };
    planned.into_iter().map(follow).collect()
}
