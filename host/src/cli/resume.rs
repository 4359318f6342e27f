//! `pframe-host resume [RUN]`
//!
//! Owns: going on with unfinished runs from what is recorded; the job file is not read again.
//! Never: touches a finished run.

use std::process::ExitCode;

use super::arguments::ResumeArguments;
use super::failure::{Failure, INTERRUPTED, TERMINATED};
use super::porch::Porch;
use super::session::{self, Words};
use crate::engine::Work;
use crate::journal::{JournalReader, RunSummary};
use crate::reporter::told::say;

pub(super) fn resume(porch: &Porch, arguments: &ResumeArguments) -> Result<ExitCode, Failure> {
    let runs = unfinished(porch, arguments.run)?;
    if runs.is_empty() {
        say("nothing to resume: every run has finished");
        return Ok(ExitCode::SUCCESS);
    }
    let words = Words::listen();
    let mut code = ExitCode::SUCCESS;
    for run in runs {
        say(&format!("resuming run {} of {}", run.id, run.file));
        let ended = match resume_one(porch, &run, &words, arguments) {
            Ok(ended) => ended,
            // Others can still be gone on with.
            Err(failure) => {
                say(&format!("run {} could not be gone on with:", run.id));
                failure.report()
            }
        };
        if [INTERRUPTED, TERMINATED].map(ExitCode::from).contains(&ended) {
            return Ok(ended);
        }
        if ended != ExitCode::SUCCESS {
            code = ended;
        }
    }
    Ok(code)
}

fn unfinished(porch: &Porch, asked: Option<i64>) -> Result<Vec<RunSummary>, Failure> {
    let runs = match JournalReader::open(&porch.state_dir)? {
        Some(journal) => journal.runs()?,
        None => Vec::new(),
    };
    let mut open: Vec<_> = runs.into_iter().filter(|run| run.finished_at.is_none()).collect();
    if let Some(asked) = asked {
        open.retain(|run| run.id == asked);
        if open.is_empty() {
            return Err(Failure::Usage(format!(
                "there is no unfinished run {asked}; `pframe-host status` lists the runs"
            )));
        }
    }
    Ok(open)
}

fn resume_one(
    porch: &Porch,
    run: &RunSummary,
    words: &Words,
    arguments: &ResumeArguments,
) -> Result<ExitCode, Failure> {
    let mut prepared = porch.engine().state_dir(&porch.state_dir).prepare()?;
    let watched = session::Progress::Chunks;
    let show = session::Show::start(&arguments.show, &porch.config, &mut prepared, watched);
    let engine = prepared.start(Some(&Work::Run(run.id)))?;
    let missing = run.jobs.saturating_sub(engine.totals().jobs());
    if missing > 0 {
        say(&format!(
            "note: {missing} of its {} jobs were never accepted; `pframe-host run` of the same file runs them",
            run.jobs
        ));
    }
    let handles = engine.recovered();
    session::follow(porch, engine, handles, words, show)
}
