//! The engine's clock: the wall clock at start, the monotonic clock from there.
//!
//! Owns: time as the scheduler sees it. A jump of the wall clock does not time anything out.
//! Never: goes back.

use std::time::{Instant, SystemTime, UNIX_EPOCH};

use pframe_core::units::Timestamp;

/// Reads time. Copies agree.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Clock {
    started: Instant,
    started_at: Timestamp,
}

impl Clock {
    /// A clock that is never before `earliest`, the newest time recorded by an earlier process.
    pub(crate) fn start(earliest: Timestamp) -> Self {
        let since_epoch = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        let wall = Timestamp::default().after(since_epoch);
        Self { started: Instant::now(), started_at: wall.max(earliest) }
    }

    pub(crate) fn now(&self) -> Timestamp {
        self.started_at.after(self.started.elapsed())
    }
}
