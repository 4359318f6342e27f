//! The journal's tables and their versions.
//!
//! Owns: migration forward, one step a version; a journal from a newer program is refused.
//! Never: changes what is recorded.

use pframe_core::fault::{Code, Fault};
use rusqlite::Connection;

/// The version that this program writes.
const VERSION: i64 = 1;

/// Each entry leads from its index to the next version.
const MIGRATIONS: &[&str] = &["
    CREATE TABLE runs (
        id          INTEGER PRIMARY KEY,
        key         TEXT NOT NULL,    -- digest of the checked jobs and their components
        file        TEXT NOT NULL,    -- the job file, for people
        jobs        INTEGER NOT NULL, -- how many the file has; fewer are recorded if the host died early
        started_at  INTEGER NOT NULL, -- microseconds since the Unix epoch, as all times here
        finished_at INTEGER
    );
    CREATE INDEX runs_by_key ON runs (key);
    CREATE TABLE events (
        seq   INTEGER PRIMARY KEY,    -- counts from 1 without gaps
        run   INTEGER NOT NULL REFERENCES runs (id),
        at    INTEGER NOT NULL,
        job   TEXT NOT NULL,
        body  TEXT NOT NULL,          -- the event as JSON
        bytes BLOB                    -- a small result, which the JSON leaves out
    );
    CREATE INDEX events_by_run ON events (run);
"];

pub(super) fn sql(error: &rusqlite::Error) -> Fault {
    let code = match error.sqlite_error_code() {
        Some(rusqlite::ErrorCode::DiskFull | rusqlite::ErrorCode::SystemIoFailure) => {
            Code::DiskFull
        }
        _ => Code::StateUnusable,
    };
    Fault::new(code).detail(format!("journal: {error}"))
}

pub(super) fn io(error: &std::io::Error) -> Fault {
    Fault::new(Code::DiskFull).detail(format!("journal: {error}"))
}

/// Brings a journal to this program's version.
pub(super) fn migrate(connection: &mut Connection) -> Result<(), Fault> {
    let found = version(connection)?;
    if found == VERSION {
        return Ok(());
    }
    let transaction = connection.transaction().map_err(|error| sql(&error))?;
    let done = usize::try_from(found).unwrap_or(0);
    for step in &MIGRATIONS[done..] {
        transaction.execute_batch(step).map_err(|error| sql(&error))?;
    }
    transaction.pragma_update(None, "user_version", VERSION).map_err(|error| sql(&error))?;
    transaction.commit().map_err(|error| sql(&error))
}

/// The version of a journal; an error where it is newer than this program.
pub(super) fn version(connection: &Connection) -> Result<i64, Fault> {
    let found: i64 = connection
        .pragma_query_value(None, "user_version", |row| row.get(0))
        .map_err(|error| sql(&error))?;
    if found > VERSION {
        return Err(Fault::new(Code::StateUnusable).detail(format!(
            "the journal has version {found}, this program knows up to {VERSION}; use a newer pframe-host"
        )));
    }
    Ok(found)
}
