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

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn x09_a_wall_clock_that_was_set_back_does_not_set_time_back() {
        let now = Clock::start(Timestamp::default()).now();
        let in_ten_years = now.after(Duration::from_hours(10 * 365 * 24));
        let clock = Clock::start(in_ten_years);
        let first = clock.now();
        assert!(first >= in_ten_years && clock.now() >= first);
        assert!(first.since(in_ten_years) < Duration::from_mins(1), "and it does not run ahead");
    }
}
