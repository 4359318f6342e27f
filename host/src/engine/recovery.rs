//! What an earlier process left, and how its work is taken up again.
//!
//! Owns: the state directory of an engine, or what stands for it, and the way from records to a scheduler.
//! Never: decides what follows from the records; the scheduler does.

use std::collections::{BTreeMap, HashSet};
use std::path::Path;
use std::sync::Arc;

use pframe_core::event::{Event, Record};
use pframe_core::fault::{Code, Fault, Origin};
use pframe_core::ids::{Digest, TaskName};
use pframe_core::retry::taken_up;
use pframe_core::scheduler::{Decision, Scheduler, Settings};
use pframe_core::units::Timestamp;

use super::clock::Clock;
use super::ledger::Ledger;
use super::workbench::Workbench;
use crate::data::results::{Durability, ResultStore};
use crate::executor::LogStore;
use crate::journal::{HostLock, Journal, JournalReader, MemoryJournal, NewRun, SqliteJournal};

/// Which recorded work to go on with.
#[derive(Debug, Clone)]
pub(crate) enum Work {
    /// The unfinished run of this key, else a new run.
    Keyed(NewRun),
    /// This unfinished run.
    Run(i64),
    /// What failed in this finished run, as a new one; or the rest of that, if it was begun before.
    Retry(Retry),
}

/// A run to be taken up again.
#[derive(Debug, Clone)]
pub(crate) struct Retry {
    pub(crate) run: i64,
    /// The job file of that run, for people.
    pub(crate) file: String,
    /// Components that take the place of those that failed.
    pub(crate) components: BTreeMap<TaskName, (Digest, Collecting)>,
}

/// Whether a component brings its own collector.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Collecting {
    Own,
    Host,
}

/// What lies on disk, or stands for it.
pub(super) struct State {
    pub(super) lock: Option<HostLock>,
    pub(super) journal: Box<dyn Journal>,
    pub(super) records: Vec<Record>,
    /// True where the records are those with which a run begins: they are written once they are known to be good.
    pub(super) is_beginning: bool,
    pub(super) last_seq: u64,
    pub(super) newest: Timestamp,
    pub(super) run: Option<i64>,
    pub(super) jobs_wanted: u64,
    pub(super) results: ResultStore,
    pub(super) logs: Option<LogStore>,
}

impl State {
    pub(super) fn open(
        state_dir: Option<&Path>,
        scratch: &Path,
        work: Option<&Work>,
    ) -> Result<Self, Fault> {
        match state_dir {
            Some(state_dir) => Self::durable(state_dir, work),
            None => Self::volatile(scratch),
        }
    }

    fn durable(state_dir: &Path, work: Option<&Work>) -> Result<Self, Fault> {
        std::fs::create_dir_all(state_dir).map_err(|error| {
            Fault::new(Code::StateUnusable).detail(format!("`{}`: {error}", state_dir.display()))
        })?;
        let lock = HostLock::take(state_dir)?;
        let mut journal = SqliteJournal::open(state_dir)?;
        let now = Clock::start(Timestamp::default()).now();
        let results = ResultStore::open_at(&state_dir.join("results"), Durability::Synced)?;
        let mut is_beginning = false;
        let records = match work {
            Some(Work::Retry(retry)) => {
                let (records, state) = take_up(&mut journal, retry, &results, now)?;
                is_beginning = state == Taken::Now;
                records
            }
            Some(Work::Run(run)) => journal.continue_run_id(*run)?,
            Some(Work::Keyed(new)) => go_on(&mut journal, new, now)?,
            None => begin(&mut journal, NewRun::default(), now)?,
        };
        results.sweep();
        let (directory, run) = (state_dir.to_owned(), journal.run());
        results.shared_with(move || {
            let journal = JournalReader::open(&directory).ok()?;
            journal.map_or(Some(HashSet::new()), |journal| journal.stored_of_others(run).ok())
        });
        Ok(Self {
            lock: Some(lock),
            last_seq: records.last().map_or(0, |record| record.seq).max(journal.last_seq()),
            newest: records.last().map_or(Timestamp::default(), |record| record.at),
            run: Some(journal.run()),
            is_beginning,
            jobs_wanted: journal.jobs_wanted()?,
            logs: Some(LogStore::of_run(state_dir, journal.run())),
            journal: Box::new(journal),
            records,
            results,
        })
    }

    /// Large results still need files; they go with the last handle to a result.
    fn volatile(scratch: &Path) -> Result<Self, Fault> {
        Ok(Self {
            lock: None,
            journal: Box::new(MemoryJournal),
            records: Vec::new(),
            is_beginning: false,
            last_seq: 0,
            newest: Timestamp::default(),
            run: None,
            jobs_wanted: 0,
            results: ResultStore::passing_in(scratch)?,
            logs: None,
        })
    }
}

/// The rest of an unfinished run. Where every job has ended, and the machine was to blame for one that failed, there is no
/// rest: what is missing of the run is its last word, or a result in its place (the disk was full, say). The word is given, and
/// the work begins anew.
fn go_on(journal: &mut SqliteJournal, new: &NewRun, now: Timestamp) -> Result<Vec<Record>, Fault> {
    match journal.continue_run(&new.key)? {
        Some(records) if !failed_by_the_machine(&records, new.jobs) => Ok(records),
        Some(_) => {
            journal.finish_run()?;
            begin(journal, new.clone(), now)
        }
        None => begin(journal, new.clone(), now),
    }
}

/// When a run was taken up.
#[derive(PartialEq, Eq)]
enum Taken {
    Before,
    Now,
}

/// The rest of a run that took this one up before, else the beginning of one that does, which is not written yet.
fn take_up(
    journal: &mut SqliteJournal,
    retry: &Retry,
    results: &ResultStore,
    now: Timestamp,
) -> Result<(Vec<Record>, Taken), Fault> {
    let key = format!("retry of run {}", retry.run);
    match journal.continue_run(&key)? {
        Some(records) if retry.components.is_empty() => return Ok((records, Taken::Before)),
        Some(_) => {
            let (old, new) = (retry.run, journal.run());
            let detail = format!(
                "run {old} was taken up before, as run {new}, with other components; `pframe-host resume {new}` goes on with it"
            );
            return Err(Fault::new(Code::JobFile).detail(detail));
        }
        None => {}
    }
    let old = journal.continue_run_id(retry.run)?;
    let mut events = taken_up(&old, |digest, size| results.has(digest, size), now);
    let mut jobs = 0;
    for event in &mut events {
        if let Event::JobAccepted { job } = event {
            jobs += 1;
            if let Some((component, collecting)) = retry.components.get(&job.task.name) {
                let job = Arc::make_mut(job);
                job.task.component = *component;
                job.task.collects = *collecting == Collecting::Own;
            }
        }
    }
    journal.begin_run(NewRun { key, file: retry.file.clone(), jobs }, now)?;
    let first = journal.last_seq() + 1;
    let numbered = (first..).zip(events);
    let records = numbered.map(|(seq, event)| Record { seq, at: now, event }).collect();
    Ok((records, Taken::Now))
}

fn failed_by_the_machine(records: &[Record], jobs: u32) -> bool {
    let endings: Vec<_> = records.iter().filter_map(|record| record.event.ending()).collect();
    let is_machine = |fault: &Fault| fault.code.origin() == Origin::Machine;
    endings.len() == jobs as usize && endings.iter().any(|fault| fault.is_some_and(is_machine))
}

fn begin(journal: &mut SqliteJournal, new: NewRun, now: Timestamp) -> Result<Vec<Record>, Fault> {
    journal.begin_run(new, now)?;
    Ok(Vec::new())
}

/// Brings a scheduler to where an earlier process left it, and gets ready what its jobs need.
pub(super) fn recover(
    records: &[Record],
    settings: Settings,
    clock: Clock,
    workbench: &Workbench,
    ledger: &Ledger,
) -> Result<(Scheduler, Option<Decision>), Fault> {
    if records.is_empty() {
        return Ok((Scheduler::new(settings), None));
    }
    let mut scheduler = Scheduler::replay(settings, records)?;
    ledger.recover(records)?;
    let unfinished: Vec<_> = {
        let report = ledger.report();
        let open = report.jobs().into_iter().filter(|job| scheduler.state(&job.spec.id).is_some());
        open.map(|job| Arc::clone(&job.spec)).collect()
    };
    for spec in &unfinished {
        workbench.registry.restore(&spec.tenant, &spec.task.component)?;
    }
    let decision = scheduler.recover(clock.now());
    Ok((scheduler, Some(decision)))
}
