//! `pframe-host run FILE`
//!
//! Owns: a new run, or the rest of an unfinished one of the same jobs.
//! Never: runs a recorded chunk twice.

use std::collections::BTreeSet;
use std::process::ExitCode;

use pframe_core::ids::JobId;

use super::arguments::RunArguments;
use super::failure::Failure;
use super::porch::Porch;
use super::{jobs, session};
use crate::JobHandle;
use crate::engine::{Engine, Planned, Work};
use crate::reporter::told::say;

pub(super) fn run(porch: &Porch, arguments: &RunArguments) -> Result<ExitCode, Failure> {
    porch.check_scheduler(arguments.fallback)?;
    let jobs = jobs::read(&arguments.file)?;
    let builder = porch.engine().state_dir(&porch.state_dir).base_dir(&jobs.base_dir);
    let mut prepared = builder.prepare()?;
    let planned = jobs::plan(porch, &jobs, prepared.workbench())?;
    for reporter in session::reporters(&arguments.show, &porch.config) {
        prepared.reporter(reporter);
    }
    let file = std::path::absolute(&jobs.path).unwrap_or(jobs.path).display().to_string();
    let work = Work::Keyed { key: jobs::key(&planned), file };
    let engine = prepared.start(Some(&work))?;
    let handles = submit(&engine, planned)?;
    session::follow(porch, engine, handles, &arguments.show)
}

/// Submits what is not recorded yet, and follows what is.
fn submit(engine: &Engine, planned: Vec<Planned>) -> Result<Vec<JobHandle>, Failure> {
    let recorded: BTreeSet<JobId> =
        engine.jobs().into_iter().map(|report| report.spec.id.clone()).collect();
    if !recorded.is_empty() {
        say(&format!("continuing: {} of {} jobs were begun before", recorded.len(), planned.len()));
    }
    let mut handles = Vec::with_capacity(planned.len());
    for plan in planned {
        let id = plan.spec.id.clone();
        match recorded.contains(&id) {
            true => handles.extend(engine.handle(&id)),
            false => {
                let handle = engine.submit_planned(plan);
                handles.push(handle.map_err(Failure::at(format!("job {id}")))?);
            }
        }
    }
    Ok(handles)
}
