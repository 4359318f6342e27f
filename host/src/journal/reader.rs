//! Reads a journal that a running host may be writing.
//!
//! Owns: what `status`, `explain` and `logs` see.
//! Never: writes, and never waits for the writer.

use std::collections::{BTreeMap, HashSet};
use std::path::Path;
use std::sync::Arc;

use pframe_core::event::{AfterFailure, Event, Record};
use pframe_core::fault::{Code, Fault};
use pframe_core::ids::{Digest, JobId};
use pframe_core::units::Timestamp;
use rusqlite::{Connection, OpenFlags, OptionalExtension, Row, params};

use super::schema::{sql, version};
use super::sqlite::FILE_NAME;

/// One run, in a line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct RunSummary {
    /// Its number.
    pub(crate) id: i64,
    /// The job file it came from.
    pub(crate) file: String,
    /// How many jobs the file had.
    pub(crate) jobs: u64,
    /// When it began.
    pub(crate) started_at: Timestamp,
    /// When its last job ended; `None` while there is work left.
    pub(crate) finished_at: Option<Timestamp>,
}

/// A connection that only reads.
#[derive(Debug)]
pub(crate) struct JournalReader {
    connection: Connection,
}

impl JournalReader {
    /// Opens the journal of a state directory; `None` where there is none yet.
    pub(crate) fn open(state_dir: &Path) -> Result<Option<Self>, Fault> {
        let path = state_dir.join(FILE_NAME);
        if !path.exists() {
            return Ok(None);
        }
        let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let connection = Connection::open_with_flags(path, flags).map_err(|error| sql(&error))?;
        match version(&connection)? {
            0 => Ok(None),
            _ => Ok(Some(Self { connection })),
        }
    }

    /// All runs, oldest first.
    pub(crate) fn runs(&self) -> Result<Vec<RunSummary>, Fault> {
        let query = "SELECT id, file, jobs, started_at, finished_at FROM runs ORDER BY id";
        let mut statement = self.connection.prepare(query).map_err(|error| sql(&error))?;
        let rows = statement.query_map([], summary).map_err(|error| sql(&error))?;
        rows.collect::<Result<_, _>>().map_err(|error| sql(&error))
    }

    /// Hands over everything recorded of a run, without the bytes of results.
    pub(crate) fn each(&self, run: i64, see: impl FnMut(&Record)) -> Result<(), Fault> {
        let query = "SELECT seq, at, body, NULL FROM events WHERE run = ?1 ORDER BY seq";
        self.each_row(query, params![run], see)
    }

    /// The same for one job of the run.
    pub(crate) fn each_of_job(
        &self,
        run: i64,
        job: &JobId,
        see: impl FnMut(&Record),
    ) -> Result<(), Fault> {
        let query =
            "SELECT seq, at, body, NULL FROM events WHERE run = ?1 AND job = ?2 ORDER BY seq";
        self.each_row(query, params![run, job.as_str()], see)
    }

    fn each_row(
        &self,
        query: &str,
        parameters: &[&dyn rusqlite::ToSql],
        mut see: impl FnMut(&Record),
    ) -> Result<(), Fault> {
        let mut statement = self.connection.prepare(query).map_err(|error| sql(&error))?;
        let mut rows = statement.query(parameters).map_err(|error| sql(&error))?;
        while let Some(row) = rows.next().map_err(|error| sql(&error))? {
            see(&record(row)?);
        }
        Ok(())
    }

    /// Files of the store that any other run stands on: of a finished one the results of its jobs, and everything of those that
    /// are worth another try.
    pub(crate) fn stored_of_others(&self, run: i64) -> Result<HashSet<Digest>, Fault> {
        let mut stored = HashSet::new();
        for other in self.runs()?.into_iter().filter(|other| other.id != run) {
            let (mut made, mut failed) = (Vec::new(), HashSet::new());
            self.each(other.id, |record| {
                let is_result = matches!(record.event, Event::JobCompleted { .. });
                for (digest, _) in record.event.stored() {
                    made.push((record.event.job().clone(), digest, is_result));
                }
                if is_failure(&record.event) {
                    failed.insert(record.event.job().clone());
                }
            })?;
            let is_open = other.finished_at.is_none();
            let needed = made
                .into_iter()
                .filter(|(job, _, is_result)| is_open || *is_result || failed.contains(job));
            stored.extend(needed.map(|(_, digest, _)| digest));
        }
        Ok(stored)
    }

    /// The newest run that has this job.
    pub(crate) fn newest_run_of(&self, job: &JobId) -> Result<Option<i64>, Fault> {
        let query = "SELECT run FROM events WHERE job = ?1 ORDER BY seq DESC LIMIT 1";
        let run = self.connection.query_row(query, [job.as_str()], |row| row.get(0));
        run.optional().map_err(|error| sql(&error))
    }

    /// Bytes that each run takes in the journal.
    pub(crate) fn bytes_by_run(&self) -> Result<BTreeMap<i64, u64>, Fault> {
        let query =
            "SELECT run, sum(length(body) + coalesce(length(bytes), 0)) FROM events GROUP BY run";
        let mut statement = self.connection.prepare(query).map_err(|error| sql(&error))?;
        let rows = statement.query_map([], |row| {
            Ok((row.get(0)?, u64::try_from(row.get::<_, i64>(1)?).unwrap_or(0)))
        });
        rows.map_err(|error| sql(&error))?.collect::<Result<_, _>>().map_err(|error| sql(&error))
    }
}

/// True where `retry` takes a job up again.
fn is_failure(event: &Event) -> bool {
    matches!(
        event,
        Event::JobFailed { .. } | Event::AttemptFailed { then: AfterFailure::GiveUp, .. }
    )
}

fn summary(row: &Row<'_>) -> rusqlite::Result<RunSummary> {
    let time = |value: i64| Timestamp(u64::try_from(value).unwrap_or(0));
    Ok(RunSummary {
        id: row.get(0)?,
        file: row.get(1)?,
        jobs: u64::try_from(row.get::<_, i64>(2)?).unwrap_or(0),
        started_at: time(row.get(3)?),
        finished_at: row.get::<_, Option<i64>>(4)?.map(time),
    })
}

pub(super) fn read_records(connection: &Connection, run: i64) -> Result<Vec<Record>, Fault> {
    let mut statement = connection
        .prepare("SELECT seq, at, body, bytes FROM events WHERE run = ?1 ORDER BY seq")
        .map_err(|error| sql(&error))?;
    let mut rows = statement.query([run]).map_err(|error| sql(&error))?;
    let mut records = Vec::new();
    while let Some(row) = rows.next().map_err(|error| sql(&error))? {
        records.push(record(row)?);
    }
    Ok(records)
}

fn record(row: &Row<'_>) -> Result<Record, Fault> {
    let column = |error: rusqlite::Error| sql(&error);
    let number = |value: i64| u64::try_from(value).unwrap_or(0);
    let seq = number(row.get(0).map_err(column)?);
    let at = Timestamp(number(row.get(1).map_err(column)?));
    let body: String = row.get(2).map_err(column)?;
    let mut event: Event = serde_json::from_str(&body).map_err(|error| {
        Fault::new(Code::StateUnusable).detail(format!("journal: event {seq}: {error}"))
    })?;
    if let Some(bytes) = row.get::<_, Option<Vec<u8>>>(3).map_err(column)? {
        event.attach(Arc::from(bytes));
    }
    Ok(Record { seq, at, event })
}
