//! What earlier attempts taught about a component: how long it takes and how much memory it touches.
//!
//! Owns: the two estimates, as folds over ended attempts.
//! Never: overrides what a job states.

use std::time::Duration;

use crate::ids::{Digest, Step};
use crate::limits::Usage;
use crate::units::ByteSize;

/// A new attempt counts for an eighth of the moving average.
const MEAN_SHARE: u32 = 8;
/// What an attempt is charged at its start before any has ended.
const WALL_UNKNOWN: Duration = Duration::from_secs(1);

/// Experience with one component.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Component {
    pub(crate) digest: Digest,
    memory_peak: Option<ByteSize>,
    wall_mean: Option<Duration>,
}

impl Component {
    pub(crate) fn new(digest: Digest) -> Self {
        Self { digest, memory_peak: None, wall_mean: None }
    }

    /// Learns from an attempt that ended by its own doing; only `run` attempts say how long one takes.
    pub(crate) fn learn(&mut self, step: Step, usage: &Usage) {
        self.memory_peak = self.memory_peak.max(Some(usage.memory_peak));
        if let Step::Run(_) = step {
            self.wall_mean = Some(match self.wall_mean {
                Some(mean) => {
                    mean.saturating_mul(MEAN_SHARE - 1).saturating_add(usage.wall) / MEAN_SHARE
                }
                None => usage.wall,
            });
        }
    }

    /// The memory to reserve where none is stated: 1.25 times the highest peak, in whole MiB, up to `limit`.
    pub(crate) fn memory(&self, limit: ByteSize) -> ByteSize {
        let Some(peak) = self.memory_peak else { return limit };
        let generous = peak.0.saturating_add(peak.0 / 4).max(1);
        ByteSize(generous.div_ceil(1 << 20).saturating_mul(1 << 20)).min(limit)
    }

    /// How long an attempt probably takes; `None` before one has ended.
    pub(crate) fn wall_mean(&self) -> Option<Duration> {
        self.wall_mean
    }

    /// What an attempt is charged at its start.
    pub(crate) fn wall_estimate(&self) -> Duration {
        self.wall_mean.unwrap_or(WALL_UNKNOWN)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn usage(wall_ms: u64, memory_peak: ByteSize) -> Usage {
        Usage { wall: Duration::from_millis(wall_ms), memory_peak, ..Usage::default() }
    }

    #[test]
    fn memory_is_the_limit_before_and_the_rounded_peak_after() {
        let mut component = Component::new(Digest([0; 32]));
        assert_eq!(component.memory(ByteSize::mib(256)), ByteSize::mib(256));
        component.learn(Step::Run(0), &usage(1, ByteSize::mib(10)));
        component.learn(Step::Run(0), &usage(1, ByteSize::mib(3)));
        assert_eq!(component.memory(ByteSize::mib(256)), ByteSize::mib(13));
        assert_eq!(component.memory(ByteSize::mib(11)), ByteSize::mib(11));
    }

    #[test]
    fn the_mean_follows_slowly() {
        let mut component = Component::new(Digest([0; 32]));
        component.learn(Step::Run(0), &usage(8, ByteSize::ZERO));
        component.learn(Step::Run(0), &usage(16, ByteSize::ZERO));
        assert_eq!(component.wall_mean(), Some(Duration::from_millis(9)));
    }
}
