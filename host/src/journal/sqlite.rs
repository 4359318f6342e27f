//! The journal on disk: `SQLite`, write-ahead log, one transaction and one sync per turn.
//!
//! Owns: the only connection that writes.
//! Never: retries a failed write; a journal that failed once is not trusted again (the engine stops).

use std::path::Path;

use pframe_core::event::Record;
use pframe_core::fault::Fault;
use pframe_core::units::Timestamp;
use rusqlite::config::DbConfig;
use rusqlite::{Connection, OptionalExtension, params};

use super::Journal;
use super::reader::read_records;
use super::schema::{io, migrate, sql};
use crate::failpoint::{pass, pretends};

/// The name of the journal in the state directory.
pub(super) const FILE_NAME: &str = "journal.sqlite";
/// Pages of the write-ahead log before it is folded into the database (4 KiB each).
const CHECKPOINT_PAGES: i64 = 4000;

/// What a new run is about.
#[derive(Debug, Clone, Default)]
pub(crate) struct NewRun {
    /// Digest of the checked jobs and their components; the same jobs again have the same key.
    pub(crate) key: String,
    /// The job file, for people.
    pub(crate) file: String,
    /// How many jobs the file has.
    pub(crate) jobs: u32,
}

/// The journal of one run.
#[derive(Debug)]
pub(crate) struct SqliteJournal {
    connection: Connection,
    run: i64,
    /// A run that has no events yet.
    begun: Option<(NewRun, Timestamp)>,
    last_seq: u64,
}

impl SqliteJournal {
    /// Opens the journal of a state directory, making or migrating it as needed.
    pub(crate) fn open(state_dir: &Path) -> Result<Self, Fault> {
        pass("journal-open").map_err(|error| io(&error))?;
        let mut connection =
            Connection::open(state_dir.join(FILE_NAME)).map_err(|error| sql(&error))?;
        configure(&connection).map_err(|error| sql(&error))?;
        migrate(&mut connection)?;
        let last_seq: i64 = connection
            .query_row("SELECT coalesce(max(seq), 0) FROM events", [], |row| row.get(0))
            .map_err(|error| sql(&error))?;
        Ok(Self { connection, run: 0, begun: None, last_seq: u64::try_from(last_seq).unwrap_or(0) })
    }

    /// The number of the newest record; the next has one more.
    pub(crate) fn last_seq(&self) -> u64 {
        self.last_seq
    }

    /// Goes on with the unfinished run of this key, if there is one, and returns what is recorded of it.
    pub(crate) fn continue_run(&mut self, key: &str) -> Result<Option<Vec<Record>>, Fault> {
        let run: Option<i64> = self
            .connection
            .query_row(
                "SELECT id FROM runs WHERE key = ?1 AND finished_at IS NULL ORDER BY id LIMIT 1",
                [key],
                |row| row.get(0),
            )
            .optional()
            .map_err(|error| sql(&error))?;
        run.map(|run| self.continue_run_id(run)).transpose()
    }

    /// Goes on with a run by its number.
    pub(crate) fn continue_run_id(&mut self, run: i64) -> Result<Vec<Record>, Fault> {
        self.run = run;
        read_records(&self.connection, run)
    }

    /// Begins a new run. It is recorded together with its first events.
    pub(crate) fn begin_run(&mut self, new: NewRun, at: Timestamp) -> Result<(), Fault> {
        self.run = self
            .connection
            .query_row("SELECT coalesce(max(id), 0) + 1 FROM runs", [], |row| row.get(0))
            .map_err(|error| sql(&error))?;
        self.begun = Some((new, at));
        Ok(())
    }

    /// How many jobs the run being written is about.
    pub(crate) fn jobs_wanted(&self) -> Result<u64, Fault> {
        if let Some((new, _)) = &self.begun {
            return Ok(u64::from(new.jobs));
        }
        let query = "SELECT jobs FROM runs WHERE id = ?1";
        let jobs: i64 = self
            .connection
            .query_row(query, [self.run], |row| row.get(0))
            .map_err(|error| sql(&error))?;
        Ok(u64::try_from(jobs).unwrap_or(0))
    }

    /// The number of the run being written.
    pub(crate) fn run(&self) -> i64 {
        self.run
    }

    /// Removes these runs, where they are finished, with their events; returns how many were.
    pub(crate) fn forget(&mut self, runs: &[i64]) -> Result<usize, Fault> {
        let transaction = self.connection.transaction().map_err(|error| sql(&error))?;
        let mut forgotten = 0;
        for run in runs {
            let events = "DELETE FROM events WHERE run = \
                (SELECT id FROM runs WHERE id = ?1 AND finished_at IS NOT NULL)";
            transaction.execute(events, [run]).map_err(|error| sql(&error))?;
            let finished = "DELETE FROM runs WHERE id = ?1 AND finished_at IS NOT NULL";
            forgotten += transaction.execute(finished, [run]).map_err(|error| sql(&error))?;
        }
        pass("journal-forget-before").map_err(|error| io(&error))?;
        transaction.commit().map_err(|error| sql(&error))?;
        pass("journal-forget-after").map_err(|error| io(&error))?;
        Ok(forgotten)
    }

    /// Gives the space of what was removed back to the file system.
    pub(crate) fn shrink(&mut self) -> Result<(), Fault> {
        let steps = "VACUUM; PRAGMA wal_checkpoint(TRUNCATE);";
        pass("journal-shrink").map_err(|error| io(&error))?;
        self.connection.execute_batch(steps).map_err(|error| sql(&error))
    }
}

/// `SQLite`'s integers are signed; times and counts stay far below that border.
fn integer(value: u64) -> i64 {
    i64::try_from(value).unwrap_or(i64::MAX)
}

fn configure(connection: &Connection) -> rusqlite::Result<()> {
    connection.pragma_update(None, "journal_mode", "WAL")?;
    connection.pragma_update(None, "synchronous", "FULL")?;
    connection.pragma_update(None, "wal_autocheckpoint", CHECKPOINT_PAGES)?;
    // Folding the log into the database at the end would cost a short run more than all its events.
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, true)?;
    connection.busy_timeout(std::time::Duration::from_secs(5))
}

impl Journal for SqliteJournal {
    fn append(&mut self, records: &[Record]) -> Result<(), Fault> {
        if records.is_empty() {
            return Ok(());
        }
        let transaction = self.connection.transaction().map_err(|error| sql(&error))?;
        if let Some((new, at)) = &self.begun {
            let query =
                "INSERT INTO runs (id, key, file, jobs, started_at) VALUES (?1, ?2, ?3, ?4, ?5)";
            let values = params![self.run, new.key, new.file, new.jobs, integer(at.0)];
            transaction.execute(query, values).map_err(|error| sql(&error))?;
        }
        {
            let mut insert = transaction
                .prepare_cached(
                    "INSERT INTO events (seq, run, at, job, body, bytes) VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
                )
                .map_err(|error| sql(&error))?;
            for record in records {
                let body = serde_json::to_string(&record.event).expect("an event is valid JSON");
                let bytes = record.event.inline_bytes().map(|bytes| &bytes[..]);
                let (seq, at) = (integer(record.seq), integer(record.at.0));
                let job = record.event.job().as_str();
                insert
                    .execute(params![seq, self.run, at, job, body, bytes])
                    .map_err(|error| sql(&error))?;
            }
        }
        pass("journal-append-before").map_err(|error| io(&error))?;
        if !pretends("journal-append-pretended") {
            transaction.commit().map_err(|error| sql(&error))?;
        }
        pass("journal-append-after").map_err(|error| io(&error))?;
        self.begun = None;
        self.last_seq = records.last().map_or(self.last_seq, |record| record.seq);
        Ok(())
    }

    fn finish_run(&mut self) -> Result<(), Fault> {
        pass("journal-finish-before").map_err(|error| io(&error))?;
        let now = "SELECT coalesce(max(at), started_at) FROM events WHERE run = runs.id";
        self.connection
            .execute(&format!("UPDATE runs SET finished_at = ({now}) WHERE id = ?1"), [self.run])
            .map_err(|error| sql(&error))?;
        pass("journal-finish-after").map_err(|error| io(&error))
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use pframe_core::event::{Event, Output};
    use pframe_core::fault::Code;
    use pframe_core::ids::{AttemptId, Digest, Step};
    use pframe_core::limits::Usage;
    use pframe_core::units::ByteSize;

    use super::super::JournalReader;
    use super::*;

    fn new_run() -> NewRun {
        NewRun { key: "key".into(), file: "jobs.yaml".into(), jobs: 1 }
    }

    fn succeeded(seq: u64, bytes: &[u8]) -> Record {
        let attempt = AttemptId { job: "a".parse().unwrap(), step: Step::Run(0), number: 1 };
        let output = Output::inline(Arc::<[u8]>::from(bytes));
        let event = Event::AttemptSucceeded { attempt, usage: Usage::default(), output };
        Record { seq, at: Timestamp(seq), event }
    }

    #[test]
    fn what_was_appended_is_read_back_with_its_bytes() {
        let directory = tempfile::tempdir().unwrap();
        let records = vec![succeeded(1, b"one"), succeeded(2, &[0, 255])];
        let mut journal = SqliteJournal::open(directory.path()).unwrap();
        journal.begin_run(new_run(), Timestamp(0)).unwrap();
        journal.append(&records).unwrap();
        drop(journal);
        let mut again = SqliteJournal::open(directory.path()).unwrap();
        assert_eq!(again.last_seq(), 2);
        assert_eq!(again.continue_run("key").unwrap(), Some(records));
    }

    #[test]
    fn a_finished_run_is_not_continued() {
        let directory = tempfile::tempdir().unwrap();
        let mut journal = SqliteJournal::open(directory.path()).unwrap();
        journal.begin_run(new_run(), Timestamp(0)).unwrap();
        journal.append(&[succeeded(1, b"one")]).unwrap();
        journal.finish_run().unwrap();
        assert_eq!(journal.continue_run("key").unwrap(), None);
        assert_eq!(journal.forget(&[journal.run()]).unwrap(), 1);
    }

    #[test]
    fn what_another_run_stands_on_is_found() {
        let directory = tempfile::tempdir().unwrap();
        let mut journal = SqliteJournal::open(directory.path()).unwrap();
        journal.begin_run(new_run(), Timestamp(0)).unwrap();
        let sha256 = Digest([7; 32]);
        let mut record = succeeded(1, b"");
        if let Event::AttemptSucceeded { output, .. } = &mut record.event {
            *output = Output::Stored { size: ByteSize(1), sha256 };
        }
        journal.append(&[record]).unwrap();
        let reader = JournalReader::open(directory.path()).unwrap().unwrap();
        let run = journal.run();
        assert!(reader.stored_of_others(run).unwrap().is_empty());
        assert!(reader.stored_of_others(run + 1).unwrap().contains(&sha256));
        journal.finish_run().unwrap();
        assert!(reader.stored_of_others(run + 1).unwrap().is_empty());
    }

    #[test]
    fn what_a_job_made_that_failed_is_stood_on_after_the_run_has_finished() {
        let directory = tempfile::tempdir().unwrap();
        let mut journal = SqliteJournal::open(directory.path()).unwrap();
        journal.begin_run(new_run(), Timestamp(0)).unwrap();
        let sha256 = Digest([7; 32]);
        let mut made = succeeded(1, b"");
        if let Event::AttemptSucceeded { output, .. } = &mut made.event {
            *output = Output::Stored { size: ByteSize(1), sha256 };
        }
        let (job, fault) = ("a".parse().unwrap(), Fault::new(Code::Trap));
        let failed = Record { seq: 2, at: Timestamp(2), event: Event::JobFailed { job, fault } };
        journal.append(&[made, failed]).unwrap();
        journal.finish_run().unwrap();
        let reader = JournalReader::open(directory.path()).unwrap().unwrap();
        assert!(reader.stored_of_others(journal.run() + 1).unwrap().contains(&sha256));
    }

    #[test]
    fn a_journal_of_a_newer_program_is_refused() {
        let directory = tempfile::tempdir().unwrap();
        drop(SqliteJournal::open(directory.path()).unwrap());
        let connection = Connection::open(directory.path().join(FILE_NAME)).unwrap();
        connection.pragma_update(None, "user_version", 99).unwrap();
        drop(connection);
        let error = SqliteJournal::open(directory.path()).unwrap_err();
        assert!(error.detail.contains("version 99"), "{}", error.detail);
    }

    #[test]
    fn the_bundled_sqlite_is_one_that_does_not_corrupt_its_log() {
        assert!(rusqlite::version_number() >= 3_051_003, "{}", rusqlite::version());
    }
}
