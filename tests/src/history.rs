//! What a journal tells after any number of crashes, and the rules that it must keep.
//!
//! Owns: the one checker for recorded work (the invariants of HOSTILE §5.3).
//! Never: repairs, or looks away.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

use pframe_core::event::{AfterFailure, Event, Output, Record};
use pframe_core::fault::{Code, Retry};
use pframe_core::ids::{AttemptId, JobId, Step};
use pframe_core::policy::LOSSES_MAX;
use pframe_core::report::Report;
use pframe_core::resources::Capacity;
use pframe_core::scheduler::{Scheduler, Settings};
use pframe_core::state::JobState;
use pframe_core::units::{ByteSize, CpuCores, Timestamp};
use rusqlite::Connection;
use serde_json::Value;
use sha2::{Digest as _, Sha256};

/// Everything recorded in one state directory.
#[derive(Debug)]
pub struct History {
    state: PathBuf,
    runs: BTreeMap<i64, Vec<Record>>,
    finished: BTreeSet<i64>,
}

/// How each job ended: its state and the code of its fault.
pub type Endings = BTreeMap<String, (JobState, Option<Code>)>;

impl History {
    /// Reads a state directory that no host uses.
    ///
    /// # Panics
    ///
    /// Where there is no journal, or SQLite finds it damaged.
    pub fn read(state: &Path) -> Self {
        let journal = Connection::open(state.join("journal.sqlite")).expect("a journal");
        let verdict: String =
            journal.pragma_query_value(None, "integrity_check", |row| row.get(0)).expect("a check");
        assert_eq!(verdict, "ok");
        let tables: i64 = journal
            .query_row("SELECT count(*) FROM sqlite_master", [], |row| row.get(0))
            .expect("a list of tables");
        if tables == 0 {
            // The host died before it had made them.
            return Self {
                state: state.to_owned(),
                runs: BTreeMap::new(),
                finished: BTreeSet::new(),
            };
        }
        let mut query = journal
            .prepare("SELECT run, seq, at, body, bytes FROM events ORDER BY seq")
            .expect("the journal has events");
        let mut rows = query.query([]).expect("events can be read");
        let mut runs: BTreeMap<i64, Vec<Record>> = BTreeMap::new();
        while let Some(row) = rows.next().expect("events can be read") {
            let number = |index| u64::try_from(row.get_unwrap::<_, i64>(index)).expect("positive");
            let body: String = row.get_unwrap(3);
            let mut event: Event = serde_json::from_str(&body).expect("an event");
            if let Some(bytes) = row.get_unwrap::<_, Option<Vec<u8>>>(4) {
                event.attach(bytes.into());
            }
            let record = Record { seq: number(1), at: Timestamp(number(2)), event };
            runs.entry(row.get_unwrap(0)).or_default().push(record);
        }
        let mut query = journal
            .prepare("SELECT id FROM runs WHERE finished_at IS NOT NULL")
            .expect("the journal has runs");
        let finished = query.query_map([], |row| row.get(0)).expect("runs can be read");
        let finished = finished.collect::<Result<_, _>>().expect("runs can be read");
        Self { state: state.to_owned(), runs, finished }
    }

    /// Records of all runs, in order.
    pub fn records(&self) -> impl Iterator<Item = &Record> {
        self.runs.values().flatten()
    }

    /// How many runs there were.
    pub fn runs(&self) -> usize {
        self.runs.len()
    }

    /// True where the last run is over.
    pub fn is_finished(&self) -> bool {
        self.runs.keys().last().is_some_and(|run| self.finished.contains(run))
    }

    /// How the jobs of the last run ended.
    pub fn endings(&self) -> Endings {
        let records = self.runs.values().last().map_or(&[][..], Vec::as_slice);
        let endings = records.iter().filter_map(|record| match &record.event {
            Event::JobCompleted { job, .. } => Some((job, (JobState::Completed, None))),
            Event::JobFailed { job, fault } => Some((job, (JobState::Failed, Some(fault.code)))),
            Event::JobCancelled { job, fault } => {
                Some((job, (JobState::Cancelled, Some(fault.code))))
            }
            _ => None,
        });
        endings.map(|(job, ending)| (job.to_string(), ending)).collect()
    }

    /// Checks every rule that holds at any moment.
    ///
    /// # Panics
    ///
    /// Where one is broken.
    pub fn check(&self) {
        self.check_numbers();
        for records in self.runs.values() {
            check_attempts(records);
            check_endings(records);
            check_replay(records);
            self.check_results(records);
        }
    }

    /// Checks what holds when all work is done, besides: every job has ended, and nothing is left over.
    ///
    /// # Panics
    ///
    /// Where a rule is broken.
    pub fn check_done(&self) {
        self.check();
        self.check_published();
        assert!(self.is_finished(), "the last run is over");
        let records = self.runs.values().last().map_or(&[][..], Vec::as_slice);
        let endings = self.endings();
        for record in records {
            if let Event::JobAccepted { job } = &record.event {
                assert!(endings.contains_key(&job.id.to_string()), "{} has not ended", job.id);
            }
        }
        // What a dead host left in a cache goes when it is old, since another may be writing there.
        let folder = self.state.parent().expect("the state lies in a place");
        let mut left = leftovers(folder);
        left.retain(|path| !path.starts_with(folder.join("cache")));
        assert!(left.is_empty(), "left over: {left:?}");
    }

    /// Whoever wanted a result in a file of its own, and whose job completed, has it.
    fn check_published(&self) {
        let records = self.runs.values().last().map_or(&[][..], Vec::as_slice);
        let (mut wanted, mut completed) = (BTreeSet::new(), BTreeSet::new());
        for Record { event, .. } in records {
            match event {
                Event::JobAccepted { job } if job.output.is_some() => drop(wanted.insert(&job.id)),
                Event::JobCompleted { job, .. } => drop(completed.insert(job)),
                Event::ResultPublished { job } => drop(wanted.remove(job)),
                _ => {}
            }
        }
        let lacking: Vec<_> = wanted.intersection(&completed).collect();
        assert!(lacking.is_empty(), "results that were never published: {lacking:?}");
    }

    /// I1, I14: what somebody was shown is recorded, as it was shown.
    ///
    /// # Panics
    ///
    /// Where something shown is missing.
    pub fn check_shown(&self, shown: &[Value]) {
        let recorded: BTreeMap<u64, &Record> =
            self.records().map(|record| (record.seq, record)).collect();
        for event in shown {
            let seq = event["seq"].as_u64().expect("every event has its number");
            let record =
                recorded.get(&seq).unwrap_or_else(|| panic!("event {seq} was shown and is lost"));
            let kept = serde_json::to_value(&record.event).expect("an event is valid JSON");
            assert_eq!(kept["event"], event["event"], "event {seq}");
            assert_eq!(record.at.0, event["at"].as_u64().expect("a time"), "event {seq}");
        }
    }

    /// I12, I14, I15: numbers without gaps, times that do not go back.
    fn check_numbers(&self) {
        let numbers: BTreeSet<u64> = self.records().map(|record| record.seq).collect();
        let expect: BTreeSet<u64> = (1..=numbers.len() as u64).collect();
        assert_eq!(numbers, expect, "events are numbered from 1 without gaps");
        for records in self.runs.values() {
            assert!(records.is_sorted_by_key(|record| record.at), "time never goes back");
        }
    }

    /// I4: a result that is still needed is there, whole. Outputs of chunks go when their job has
    /// ended, and a result goes when it stands where the job wanted it.
    fn check_results(&self, records: &[Record]) {
        let (mut ended, mut delivered) = (BTreeSet::new(), BTreeSet::new());
        for Record { event, .. } in records {
            match event {
                Event::JobCompleted { job, .. } => drop(ended.insert(job)),
                Event::JobFailed { job, .. }
                | Event::JobCancelled { job, .. }
                | Event::ResultPublished { job } => {
                    ended.insert(job);
                    delivered.insert(job);
                }
                _ => {}
            }
        }
        for Record { event, .. } in records {
            let (output, is_needed) = match event {
                Event::AttemptSucceeded { attempt, output, .. } => {
                    (output, !ended.contains(&attempt.job))
                }
                Event::JobCompleted { job, output: Some(output) } => {
                    (output, !delivered.contains(job))
                }
                _ => continue,
            };
            self.check_output(output, is_needed);
        }
    }

    fn check_output(&self, output: &Output, is_needed: bool) {
        match output {
            Output::Inline { size, bytes } => assert_eq!(size.bytes(), bytes.len() as u64),
            Output::Stored { size, sha256 } => {
                let name = sha256.to_string();
                let path = self.state.join("results").join(&name[..2]).join(&name);
                match fs::read(&path) {
                    Ok(bytes) => {
                        assert_eq!(size.bytes(), bytes.len() as u64, "{name}");
                        assert_eq!(sha256.0, <[u8; 32]>::from(Sha256::digest(&bytes)), "{name}");
                    }
                    Err(error) => assert!(!is_needed, "result {name}: {error}"),
                }
            }
        }
    }
}

/// I5, I6, and that no step with a recorded success starts again: one step, told in order.
fn check_attempts(records: &[Record]) {
    #[derive(Default)]
    struct Told {
        last: u32,
        running: Option<u32>,
        failures: u32,
        losses: u32,
        returned: u32,
        is_over: bool,
    }
    let mut steps: BTreeMap<(JobId, Step), Told> = BTreeMap::new();
    let mut retries: BTreeMap<JobId, u32> = BTreeMap::new();
    let of = |attempt: &AttemptId| (attempt.job.clone(), attempt.step);
    for Record { seq, event, .. } in records {
        match event {
            Event::JobAccepted { job } => {
                retries.insert(job.id.clone(), job.retry.retries_max);
            }
            Event::AttemptStarted { attempt, .. } => {
                let told = steps.entry(of(attempt)).or_default();
                assert!(!told.is_over, "event {seq}: {attempt} starts after its step has ended");
                assert_eq!(told.running, None, "event {seq}: {attempt} starts beside another");
                assert!(attempt.number > told.last, "event {seq}: {attempt} comes late");
                (told.last, told.running) = (attempt.number, Some(attempt.number));
            }
            Event::AttemptSucceeded { attempt, .. } | Event::CutSucceeded { attempt, .. } => {
                let told = steps.get_mut(&of(attempt)).expect("it was started");
                assert_eq!(told.running.take(), Some(attempt.number), "event {seq}: {attempt}");
                told.is_over = true;
            }
            Event::AttemptFailed { attempt, fault, then, .. } => {
                let told = steps.get_mut(&of(attempt)).expect("it was started");
                assert_eq!(told.running.take(), Some(attempt.number), "event {seq}: {attempt}");
                match fault.code.retry() {
                    Retry::AfterLoss => told.losses += 1,
                    Retry::Never | Retry::ByPolicy => told.failures += 1,
                    Retry::WhenFree => {}
                }
                told.is_over = *then == AfterFailure::GiveUp;
                let most = retries[&attempt.job];
                assert!(told.failures <= most + 1 && told.losses <= LOSSES_MAX + 1, "{attempt}");
            }
            Event::AttemptReturned { attempt } => {
                let told = steps.get_mut(&of(attempt)).expect("it was started");
                assert_eq!(told.running.take(), Some(attempt.number), "event {seq}: {attempt}");
                told.returned += 1;
            }
            _ => {}
        }
    }
}

/// I2, I3: one ending each, and nothing after it but the publication of a result.
fn check_endings(records: &[Record]) {
    let mut ended = BTreeSet::new();
    let mut accepted = BTreeSet::new();
    for Record { seq, event, .. } in records {
        let job = event.job();
        let is_late = ended.contains(job);
        match event {
            Event::JobAccepted { .. } => assert!(accepted.insert(job.clone()), "{job} twice"),
            Event::ResultPublished { .. } => assert!(is_late, "event {seq}: published too early"),
            _ => assert!(!is_late, "event {seq} comes after the end of {job}: {event:?}"),
        }
        assert!(accepted.contains(job), "event {seq} comes before {job} was accepted");
        if matches!(
            event,
            Event::JobCompleted { .. } | Event::JobFailed { .. } | Event::JobCancelled { .. }
        ) {
            ended.insert(job.clone());
        }
    }
}

/// I13: the scheduler accepts the journal, and the folded report says what the events say.
fn check_replay(records: &[Record]) {
    let capacity = Capacity {
        cpu: CpuCores::whole(2),
        memory: ByteSize::gib(8),
        gpu_memory: ByteSize::ZERO,
        attempts: 8,
    };
    let replayed = Scheduler::replay(Settings::new(capacity), records);
    let scheduler = replayed.unwrap_or_else(|fault| panic!("the journal does not replay: {fault}"));
    let mut report = Report::new();
    for record in records {
        report.apply(record);
    }
    for job in report.jobs() {
        let id = &job.spec.id;
        let is_open = scheduler.state(id).is_some_and(|state| !state.is_terminal());
        assert_eq!(is_open, !job.state().is_terminal(), "{id} is {}", job.state());
    }
}

/// Temporary files anywhere below a folder.
fn leftovers(folder: &Path) -> Vec<PathBuf> {
    let mut left = Vec::new();
    let mut folders = vec![folder.to_owned()];
    while let Some(folder) = folders.pop() {
        let is_temporary = folder.file_name().is_some_and(|name| name == "tmp");
        for entry in fs::read_dir(&folder).expect("a folder can be read").flatten() {
            let name = entry.file_name().to_string_lossy().into_owned();
            let path = entry.path();
            if entry.file_type().is_ok_and(|kind| kind.is_dir()) {
                folders.push(path);
            } else if is_temporary || name.starts_with(".tmp") || name.starts_with(".pframe") {
                left.push(path);
            }
        }
    }
    left
}
