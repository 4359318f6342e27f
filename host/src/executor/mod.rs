//! The hands: runs what the scheduler orders and reports how it ended.
//!
//! Owns: guest threads, and the one place where work is spawned.
//! Never: decides what runs, or when.

mod assignment;
mod batch;
mod logs;
mod threads;

pub(crate) use logs::LogStore;
pub(crate) use threads::{Site, ThreadExecutor};

use pframe_core::ids::AttemptId;
use pframe_core::scheduler::Command;

/// Whoever runs attempts. The engine does not know which one it has: threads of this process, worker
/// processes, or a script in a test.
pub(crate) trait Executor: Send {
    /// Carries out a command; the outcome comes back as a message.
    fn obey(&mut self, command: Command);

    /// Ends every attempt as soon as possible; they are reported as taken back.
    fn stop_all(&mut self);

    /// The scheduler has heard how this attempt ended.
    fn forget(&mut self, attempt: &AttemptId);
}
