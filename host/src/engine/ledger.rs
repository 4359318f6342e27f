//! What users are told about their jobs: a fold of the records, with someone to wake.
//!
//! Owns: the join between recorded events and the handles that wait for them.
//! Never: knows more than was recorded, but for results that could not be published.

use std::collections::HashMap;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, OnceLock, PoisonError};

use pframe_core::event::{Event, Output, Record};
use pframe_core::fault::{Code, Fault};
use pframe_core::ids::JobId;
use pframe_core::job::JobSpec;
use pframe_core::report::Report;
use tokio::sync::Notify;

use super::events::Followers;

/// Jobs that have ended and are still reported in full; older ones are summed.
const ENDED_KEPT: usize = 10_000;

/// How a job ended.
pub(super) type Ending = Result<Option<Output>, Fault>;

/// One job, as its handles see it.
#[derive(Debug, Default)]
pub(super) struct Cell {
    state: Mutex<CellState>,
    blocked: Condvar,
    waiting: Notify,
}

#[derive(Debug, Default)]
struct CellState {
    is_recorded: bool,
    /// Only other jobs need the result, unless it has a file of its own.
    is_for_others: bool,
    /// The job completed, and its result could not be put where it was wanted.
    is_unpublished: bool,
    ending: Option<Ending>,
}

impl Cell {
    pub(super) fn ending(&self) -> Option<Ending> {
        self.lock().ending.clone()
    }

    /// Waits until the job's acceptance is recorded; the error is why it was refused.
    pub(super) fn wait_recorded_blocking(&self) -> Result<(), Fault> {
        let mut state = self.lock();
        loop {
            match (&*state, &state.ending) {
                (CellState { is_recorded: true, .. }, _) | (_, Some(Ok(_))) => return Ok(()),
                (_, Some(Err(fault))) => return Err(fault.clone()),
                (_, None) => {
                    state = self.blocked.wait(state).unwrap_or_else(PoisonError::into_inner);
                }
            }
        }
    }

    pub(super) async fn wait(&self) -> Ending {
        loop {
            let woken = self.waiting.notified();
            tokio::pin!(woken);
            woken.as_mut().enable();
            if let Some(ending) = self.ending() {
                return ending;
            }
            woken.await;
        }
    }

    pub(super) fn wait_blocking(&self) -> Ending {
        let mut state = self.lock();
        loop {
            match &state.ending {
                Some(ending) => return ending.clone(),
                None => state = self.blocked.wait(state).unwrap_or_else(PoisonError::into_inner),
            }
        }
    }

    /// True for a job without a file of its own that others work on, unless it was asked for here too.
    pub(super) fn is_for_others(&self) -> bool {
        self.lock().is_for_others
    }

    /// True where a result waits for its next chance to be put where it is wanted.
    pub(super) fn is_unpublished(&self) -> bool {
        self.lock().is_unpublished
    }

    fn record(&self, job: &JobSpec) {
        let mut state = self.lock();
        state.is_recorded = true;
        state.is_for_others = job.dependents > 0 && !job.is_printed;
        drop(state);
        self.blocked.notify_all();
    }

    pub(super) fn end(&self, ending: Ending) {
        let mut state = self.lock();
        state.ending.get_or_insert(ending);
        drop(state);
        self.blocked.notify_all();
        self.waiting.notify_waiters();
    }

    fn lock(&self) -> MutexGuard<'_, CellState> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// All jobs that have not ended, and the report on all.
#[derive(Debug)]
pub(super) struct Ledger {
    cells: Mutex<Cells>,
    /// Jobs of the continued run in the order of their acceptance, those that had ended among them.
    recovered: OnceLock<Vec<(JobId, Arc<Cell>)>>,
    report: Mutex<Report>,
    /// Whoever wants to see the records of a job.
    pub(super) followers: Followers,
}

/// The places that are open.
#[derive(Debug, Default)]
struct Cells {
    open: HashMap<JobId, Arc<Cell>>,
    /// Why none can be opened any more: nobody would ever end it.
    closed: Option<Fault>,
}

impl Ledger {
    pub(super) fn new() -> Self {
        let report = Mutex::new(Report::keeping(ENDED_KEPT));
        let followers = Followers::default();
        Self { cells: Mutex::default(), recovered: OnceLock::new(), report, followers }
    }

    /// Folds what an earlier process recorded; its jobs can be followed, even those that had ended.
    pub(super) fn recover(&self, records: &[Record]) -> Result<(), Fault> {
        let mut cells = Vec::new();
        for record in records {
            if let Event::JobAccepted { job } = &record.event {
                // The id may be that of an earlier job, which has ended by now.
                cells.push((job.id.clone(), self.open(&job.id)?));
            }
            self.apply(std::slice::from_ref(record));
        }
        self.recovered.set(cells).expect("an engine recovers once");
        Ok(())
    }

    /// The jobs of the continued run, in the order of their acceptance.
    pub(super) fn recovered(&self) -> &[(JobId, Arc<Cell>)] {
        self.recovered.get().map_or(&[], Vec::as_slice)
    }

    /// Opens a place for a job; an id that is in use is refused, and so is every job once the engine has stopped.
    pub(super) fn open(&self, job: &JobId) -> Result<Arc<Cell>, Fault> {
        let mut cells = self.cells();
        if let Some(fault) = &cells.closed {
            return Err(fault.clone());
        }
        if cells.open.contains_key(job) {
            return Err(Fault::new(Code::JobFile)
                .detail(format!("a job with the id `{job}` has not ended yet")));
        }
        let cell = Arc::new(Cell::default());
        cells.open.insert(job.clone(), Arc::clone(&cell));
        Ok(cell)
    }

    pub(super) fn cell(&self, job: &JobId) -> Option<Arc<Cell>> {
        self.cells().open.get(job).cloned()
    }

    /// Ends a job's place.
    pub(super) fn end(&self, job: &JobId, ending: Ending) {
        let cell = self.cells().open.remove(job);
        if let Some(cell) = cell {
            cell.end(ending);
        }
        self.followers.leave(job);
    }

    /// Ends the place of a job that completed, and whose result could not be put where it was wanted.
    pub(super) fn end_unpublished(&self, job: &JobId, fault: Fault) {
        if let Some(cell) = self.cell(job) {
            cell.lock().is_unpublished = true;
        }
        self.end(job, Err(fault));
    }

    /// Ends every place that is open, and opens no other: the engine stops.
    pub(super) fn end_all(&self, fault: &Fault) {
        let mut places = self.cells();
        places.closed.get_or_insert_with(|| fault.clone());
        let cells: Vec<_> = places.open.drain().map(|(_, cell)| cell).collect();
        drop(places);
        for cell in cells {
            cell.end(Err(fault.clone()));
        }
        self.followers.leave_all();
    }

    /// Folds what was recorded.
    pub(super) fn apply(&self, records: &[Record]) {
        self.followers.tell(records);
        let mut report = self.report();
        for record in records {
            report.apply(record);
        }
        for record in records {
            match &record.event {
                Event::JobCompleted { job, output } => {
                    let is_published_later =
                        report.job(job).is_some_and(|report| report.spec.output.is_some());
                    if !is_published_later {
                        self.end(job, Ok(output.clone()));
                    }
                }
                Event::ResultPublished { job } => self.end(job, Ok(None)),
                Event::JobFailed { job, fault } | Event::JobCancelled { job, fault } => {
                    self.end(job, Err(fault.clone()));
                }
                Event::JobAccepted { job } => {
                    if let Some(cell) = self.cell(&job.id) {
                        cell.record(job);
                    }
                }
                Event::ChunksPlanned { .. }
                | Event::AttemptStarted { .. }
                | Event::AttemptSucceeded { .. }
                | Event::CutSucceeded { .. }
                | Event::AttemptFailed { .. }
                | Event::AttemptReturned { .. }
                | Event::StopRequested { .. } => {}
            }
        }
    }

    pub(super) fn report(&self) -> MutexGuard<'_, Report> {
        self.report.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn cells(&self) -> MutexGuard<'_, Cells> {
        self.cells.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A job that comes after the journal has failed: nobody is left who could end it.
    #[test]
    fn a_job_that_comes_when_the_engine_has_stopped_hears_why_and_waits_for_nothing() {
        let ledger = Ledger::new();
        let (early, late) = ("early".parse().unwrap(), "late".parse().unwrap());
        let cell = ledger.open(&early).unwrap();
        ledger.end_all(&Fault::new(Code::DiskFull));
        assert_eq!(cell.wait_blocking().unwrap_err().code, Code::DiskFull);
        assert_eq!(ledger.open(&late).unwrap_err().code, Code::DiskFull);
    }
}
