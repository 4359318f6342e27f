//! What the journal tells about runs and their jobs, while a host writes it and afterwards.
//!
//! Owns: which run a job is looked for in: the newest that has it.
//! Never: writes, or waits for the host.

use pframe_core::ids::JobId;
use pframe_core::report::{JobReport, Report};
use pframe_core::state::JobState;
use pframe_core::units::Timestamp;

use super::control::{Answer, Request, ask};
use super::failure::Failure;
use super::porch::Porch;
use crate::journal::{HostLock, JournalReader, RunSummary};

/// Where a run stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum RunState {
    /// A host works on it now.
    Running,
    /// It is left to be resumed.
    Unfinished,
    /// Every job has ended.
    Finished,
}

impl RunState {
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Running => "running",
            Self::Unfinished => "unfinished",
            Self::Finished => "finished",
        }
    }
}

/// One run with what became of its jobs.
pub(super) struct Run {
    pub(super) id: i64,
    pub(super) file: String,
    pub(super) state: RunState,
    pub(super) started_at: Timestamp,
    pub(super) finished_at: Option<Timestamp>,
    pub(super) report: Report,
}

impl Run {
    /// `2 completed, 1 failed`.
    pub(super) fn jobs_by_state(&self) -> String {
        let totals = self.report.totals();
        let states = JobState::ALL.into_iter().filter(|state| totals.jobs_in(*state) > 0);
        let words: Vec<_> =
            states.map(|state| format!("{} {state}", totals.jobs_in(state))).collect();
        if words.is_empty() { "none yet".into() } else { words.join(", ") }
    }

    /// The jobs, in the order of acceptance.
    pub(super) fn jobs(&self) -> Vec<JobReport> {
        self.report.jobs().into_iter().cloned().collect()
    }
}

/// A job, with the run that it was found in.
pub(super) struct Found {
    pub(super) run: RunSummary,
    pub(super) state: RunState,
    pub(super) job: JobReport,
}

/// The journal, and which of its runs a host works on.
pub(super) struct History {
    pub(super) journal: JournalReader,
    running: Option<i64>,
}

impl History {
    /// Opens the journal; `None` where nothing has run yet.
    pub(super) fn open(porch: &Porch) -> Result<Option<Self>, Failure> {
        let Some(journal) = JournalReader::open(&porch.state_dir)? else { return Ok(None) };
        let is_held = HostLock::is_held(&porch.state_dir);
        let answer = is_held.then(|| ask(&porch.state_dir, &Request::Run)).flatten();
        let running = match answer {
            Some(Answer::Run(run)) => Some(run),
            _ => None,
        };
        Ok(Some(Self { journal, running }))
    }

    fn state_of(&self, run: &RunSummary) -> RunState {
        match run.finished_at {
            _ if self.running == Some(run.id) => RunState::Running,
            Some(_) => RunState::Finished,
            None => RunState::Unfinished,
        }
    }

    /// Folds a run.
    pub(super) fn fold(&self, run: RunSummary) -> Result<Run, Failure> {
        let mut report = Report::new();
        self.journal.each(run.id, |record| report.apply(record))?;
        let state = self.state_of(&run);
        let RunSummary { id, file, started_at, finished_at, jobs: _ } = run;
        Ok(Run { id, file, state, started_at, finished_at, report })
    }

    /// The job of the newest run that has it.
    pub(super) fn find(&self, id: &JobId) -> Result<Option<Found>, Failure> {
        let Some(run) = self.journal.newest_run_of(id)? else { return Ok(None) };
        let mut report = Report::new();
        self.journal.each_of_job(run, id, |record| report.apply(record))?;
        let summary = self.journal.runs()?.into_iter().find(|summary| summary.id == run);
        let job = report.job(id).cloned();
        Ok(summary.zip(job).map(|(run, job)| Found { state: self.state_of(&run), run, job }))
    }
}

/// Finds a job or says that there is none.
pub(super) fn find(porch: &Porch, id: &JobId) -> Result<Found, Failure> {
    let found = match History::open(porch)? {
        Some(history) => history.find(id)?,
        None => None,
    };
    found.ok_or_else(|| {
        let state_dir = porch.state_dir.display();
        Failure::Usage(format!(
            "there is no job `{id}` in `{state_dir}`; `pframe-host status` lists the runs, and \
             `pframe-host status --run N` the jobs of one"
        ))
    })
}

/// Reads a job's id as it was written on the command line.
pub(super) fn job_id(text: &str) -> Result<JobId, Failure> {
    text.parse().map_err(|error| Failure::Usage(format!("not a job's id: {error}")))
}
