//! What happens after a failure: whether, when and how often a step is tried again.
//!
//! Owns: retry delays with their jitter, and the tolerance for failed chunks.
//! Never: looks at a handler's words; the fault's code alone decides.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::ids::{AttemptId, Step};

/// How often a worker may be lost under a step before the step fails.
pub const LOSSES_MAX: u32 = 2;

/// How the delay grows with each failure.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Backoff {
    /// The base delay each time.
    Fixed,
    /// The base delay times the number of failures.
    Linear,
    /// The base delay, doubled with each failure.
    Exponential,
}

/// How often and how late a failed step is tried again.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct RetryPolicy {
    /// Further attempts after the first, for transient failures and the machine's faults.
    pub retries_max: u32,
    /// How the delay grows.
    pub backoff: Backoff,
    /// The delay after the first failure.
    pub base_delay: Duration,
    /// No delay is longer.
    pub delay_max: Duration,
}

impl Default for RetryPolicy {
    /// Three retries after 1 s, 2 s and 4 s, capped at 5 minutes.
    fn default() -> Self {
        Self {
            retries_max: 3,
            backoff: Backoff::Exponential,
            base_delay: Duration::from_secs(1),
            delay_max: Duration::from_mins(5),
        }
    }
}

impl RetryPolicy {
    /// The delay after the failure of `attempt`: grown, capped, then shortened by up to a quarter.
    ///
    /// The jitter is a hash of the attempt's id, so that a replay waits exactly as long and
    /// neighbours that failed together do not come back together.
    pub fn delay_after(&self, attempt: &AttemptId, failures: u32) -> Duration {
        let factor = match self.backoff {
            Backoff::Fixed => 1,
            Backoff::Linear => failures.max(1),
            Backoff::Exponential => {
                1_u32.checked_shl(failures.saturating_sub(1)).unwrap_or(u32::MAX)
            }
        };
        let grown = self.base_delay.saturating_mul(factor).min(self.delay_max);
        let jitter = u32::try_from(hash(attempt) % 256).expect("a remainder below 256 fits");
        grown.saturating_sub(grown / 4 * jitter / 256)
    }
}

/// FNV-1a over the id's parts: stable across versions and platforms, unlike the standard library's hashers.
fn hash(attempt: &AttemptId) -> u64 {
    let step = match attempt.step {
        Step::Cut => u64::MAX,
        Step::Collect => u64::MAX - 1,
        Step::Run(chunk) => u64::from(chunk),
    };
    let bytes =
        attempt.job.as_str().bytes().chain(step.to_le_bytes()).chain(attempt.number.to_le_bytes());
    let hash = bytes.fold(0xcbf2_9ce4_8422_2325, |hash: u64, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
    });
    hash ^ (hash >> 32)
}

/// How often an attempt that came at a bad moment is put off. With waits of seconds that is hours.
pub const PUT_OFFS_MAX: u32 = 10_000;

/// What a chunk that failed for good means for its job.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum OnFailure {
    /// The job fails; what runs is stopped.
    #[default]
    Stop,
    /// The job goes on while the number of failed chunks stays within the tolerance.
    Continue(Tolerance),
}

/// How many failed chunks a job survives.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Tolerance {
    /// Any number.
    All,
    /// At most this many.
    Chunks(u32),
    /// At most this share of all chunks, in hundredths of a percent (1 % is 100).
    Share(u32),
}

impl OnFailure {
    /// True while `failed` of `chunks` lost chunks do not end the job.
    pub fn tolerates(self, failed: u32, chunks: u32) -> bool {
        match self {
            Self::Stop => failed == 0,
            Self::Continue(Tolerance::All) => true,
            Self::Continue(Tolerance::Chunks(most)) => failed <= most,
            Self::Continue(Tolerance::Share(share)) => {
                u64::from(failed) * 10_000 <= u64::from(share) * u64::from(chunks)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn attempt(number: u32) -> AttemptId {
        AttemptId { job: "job-7".parse().unwrap(), step: Step::Run(3), number }
    }

    #[test]
    fn exponential_delays_double_and_stop_at_the_cap() {
        let policy = RetryPolicy { delay_max: Duration::from_secs(5), ..RetryPolicy::default() };
        for (failures, seconds) in [(1, 1), (2, 2), (3, 4), (4, 5), (400, 5)] {
            let delay = policy.delay_after(&attempt(failures), failures);
            let full = Duration::from_secs(seconds);
            assert!(delay <= full && delay >= full * 3 / 4, "{failures}: {delay:?}");
        }
    }

    #[test]
    fn jitter_is_the_same_for_the_same_attempt_and_differs_between_attempts() {
        let policy = RetryPolicy::default();
        assert_eq!(policy.delay_after(&attempt(1), 1), policy.delay_after(&attempt(1), 1));
        assert_ne!(policy.delay_after(&attempt(1), 1), policy.delay_after(&attempt(2), 1));
    }

    #[test]
    fn a_share_of_one_percent_tolerates_one_in_a_hundred() {
        let policy = OnFailure::Continue(Tolerance::Share(100));
        assert!(policy.tolerates(1, 100) && !policy.tolerates(2, 100));
        assert!(!OnFailure::Stop.tolerates(1, 1000));
    }
}
