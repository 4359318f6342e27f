//! The diary: events, recorded before they are acted on or shown.
//!
//! Owns: that what was acknowledged survives a crash, in order and without gaps.
//! Never: decides; it stores what the scheduler found to be true.

mod lock;
mod reader;
mod schema;
mod sqlite;

pub(crate) use lock::HostLock;
pub(crate) use reader::{JournalReader, RunSummary};
pub(crate) use sqlite::{NewRun, SqliteJournal};

use pframe_core::event::Record;
use pframe_core::fault::Fault;

/// Where events go.
pub(crate) trait Journal: Send {
    /// Records a turn's events, all or none; they are durable when this returns.
    fn append(&mut self, records: &[Record]) -> Result<(), Fault>;

    /// Records that every job of the run has ended and every result stands where it was wanted.
    fn finish_run(&mut self) -> Result<(), Fault>;
}

/// A journal for work that need not survive the process: the scheduler's memory is all there is.
#[derive(Debug, Default)]
pub(crate) struct MemoryJournal;

impl Journal for MemoryJournal {
    fn append(&mut self, _: &[Record]) -> Result<(), Fault> {
        Ok(())
    }

    fn finish_run(&mut self) -> Result<(), Fault> {
        Ok(())
    }
}
