//! `pframe-host retry --failed [RUN]`
//!
//! Owns: which run is taken up again, and with which components.
//! Never: changes that run: what is done again is a run of its own.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::process::ExitCode;

use pframe_core::event::Event;
use pframe_core::ids::{TaskName, TenantName};
use pframe_core::report::JobReport;
use pframe_core::retry::taken_up;
use pframe_core::units::Timestamp;

use super::arguments::RetryArguments;
use super::check::counted;
use super::failure::Failure;
use super::porch::Porch;
use super::session::{self, Words};
use crate::engine::{Collecting, Retry, Work, Workbench};
use crate::journal::{JournalReader, RunSummary};
use crate::reporter::told::say;

pub(super) fn retry(porch: &Porch, arguments: &RetryArguments) -> Result<ExitCode, Failure> {
    let Some(journal) = JournalReader::open(&porch.state_dir)? else {
        return Err(Failure::Usage("there is no run that could be taken up again".into()));
    };
    let run = chosen(journal.runs()?, arguments.run)?;
    let tasks = tasks_of(&journal, &run)?;
    if tasks.is_empty() {
        say(&format!("nothing failed in run {}; there is nothing to take up", run.id));
        return Ok(ExitCode::SUCCESS);
    }
    drop(journal);
    let mut prepared = porch.engine().state_dir(&porch.state_dir).prepare()?;
    let components = components(&arguments.components, &tasks, prepared.workbench())?;
    let watched = session::Progress::Chunks;
    let show = session::Show::start(&arguments.show, &porch.config, &mut prepared, watched);
    let words = Words::listen();
    let work = Work::Retry(Retry { run: run.id, file: run.file.clone(), components });
    let engine = prepared.start(Some(&work))?;
    let of = if run.file.is_empty() { String::new() } else { format!(" of {}", run.file) };
    say(&format!("taking up run {}{of}: {}", run.id, to_run(&engine.jobs())));
    let handles = engine.recovered();
    session::follow(porch, engine, handles, &words, show)
}

/// The run that was asked for, else the newest; one that has not ended is gone on with by another command.
fn chosen(runs: Vec<RunSummary>, asked: Option<i64>) -> Result<RunSummary, Failure> {
    let is_it = |run: &RunSummary| asked.is_none_or(|asked| asked == run.id);
    let run = runs.into_iter().filter(is_it).max_by_key(|run| run.id).ok_or_else(|| {
        let asked =
            asked.map_or_else(|| "there is no run".into(), |id| format!("there is no run {id}"));
        Failure::Usage(format!("{asked}; `pframe-host status --all` lists the runs"))
    })?;
    match run.finished_at {
        Some(_) => Ok(run),
        None => Err(Failure::Usage(format!(
            "run {} has not ended; `pframe-host resume {}` goes on with it",
            run.id, run.id
        ))),
    }
}

/// The task types of what is taken up; none where nothing failed. Whether the files of results are there is seen when the
/// run begins.
fn tasks_of(journal: &JournalReader, run: &RunSummary) -> Result<BTreeSet<TaskName>, Failure> {
    let mut records = Vec::new();
    journal.each(run.id, |record| records.push(record.clone()))?;
    let events = taken_up(&records, |_, _| true, Timestamp::default());
    let task = |event: &Event| match event {
        Event::JobAccepted { job } => Some(job.task.name.clone()),
        _ => None,
    };
    Ok(events.iter().filter_map(task).collect())
}

/// What is not taken over, in words.
fn to_run(jobs: &[JobReport]) -> String {
    let chunks = jobs.iter().map(|job| job.chunks.saturating_sub(job.chunks_cached) as usize);
    let (chunks, jobs) = (counted(chunks.sum(), "chunk"), counted(jobs.len(), "job"));
    format!("{jobs} with {chunks} to run")
}

/// Makes the components ready that take the place of others.
fn components(
    asked: &[String],
    tasks: &BTreeSet<TaskName>,
    workbench: &Workbench,
) -> Result<BTreeMap<TaskName, (pframe_core::ids::Digest, Collecting)>, Failure> {
    let mut components = BTreeMap::new();
    for asked in asked {
        let (name, path) = asked.split_once('=').ok_or_else(|| {
            Failure::Usage(format!(
                "`--with {asked}`: write TASK=FILE, such as `word-count=fixed.wasm`"
            ))
        })?;
        let name = TaskName::new(name)
            .map_err(|error| Failure::Usage(format!("`--with {asked}`: {error}")))?;
        if !tasks.contains(&name) {
            return Err(Failure::Usage(format!(
                "`--with {asked}`: no job that is taken up is of task type `{name}`"
            )));
        }
        let tenant = TenantName::default_tenant();
        let info = workbench
            .register_task(&tenant, &name, Path::new(path), None)
            .map_err(Failure::at(format!("task {name}")))?;
        let collecting = if info.collects { Collecting::Own } else { Collecting::Host };
        components.insert(name, (info.digest, collecting));
    }
    Ok(components)
}
