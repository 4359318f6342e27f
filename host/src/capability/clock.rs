//! Time for a guest without the grant `clock`: a wall clock that stands still, a monotonic one that counts.
//!
//! Owns: what an ungranted guest sees of time. Its limit: nothing to limit. It charges: a call's fuel.
//! Its escape test: `an_ungranted_guest_is_reproducible` in the tests package.
//! Never: lets the guest wait for real time to find out more than its own deadline.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use pframe_core::units::Timestamp;
use wasmtime_wasi::{HostMonotonicClock, HostWallClock};

/// The step of the monotonic clock, in nanoseconds.
const STEP_NS: u64 = 1_000_000;

/// Shows one moment for ever.
pub(crate) struct StoppedClock(Duration);

impl StoppedClock {
    pub(crate) fn at(moment: Timestamp) -> Self {
        Self(Duration::from_micros(moment.0))
    }
}

impl HostWallClock for StoppedClock {
    fn resolution(&self) -> Duration {
        Duration::from_millis(1)
    }

    fn now(&self) -> Duration {
        self.0
    }
}

/// Counts from 0 in steps of 1 ms, one step each time it is asked.
#[derive(Default)]
pub(crate) struct CountingClock(AtomicU64);

impl HostMonotonicClock for CountingClock {
    fn resolution(&self) -> u64 {
        STEP_NS
    }

    fn now(&self) -> u64 {
        self.0.fetch_add(STEP_NS, Ordering::Relaxed)
    }
}
