//! What the operator decides about scheduling.
//!
//! Owns: the numbers and their defaults.
//! Never: reads a configuration file; the host fills this in.

use std::collections::BTreeMap;
use std::time::Duration;

use crate::ids::TenantName;
use crate::resources::Capacity;
use crate::units::ByteSize;

/// Everything a scheduler is told at its start.
#[derive(Debug, Clone)]
pub struct Settings {
    /// What the machine has.
    pub capacity: Capacity,
    /// Rules for tenants known by name.
    pub tenants: BTreeMap<TenantName, TenantSettings>,
    /// Rules for all other tenants.
    pub tenant_default: TenantSettings,
    /// One level of priority is worth this much waiting.
    pub age_interval: Duration,
    /// Smaller work may pass waiting work that does not fit for this long; then capacity is held for it.
    pub hold_after: Duration,
    /// How attempts are put together.
    pub batch: BatchRules,
}

impl Settings {
    /// Defaults for a machine of this capacity: a minute per priority level, holds after 30 s.
    pub fn new(capacity: Capacity) -> Self {
        Self {
            capacity,
            tenants: BTreeMap::new(),
            tenant_default: TenantSettings::default(),
            age_interval: Duration::from_mins(1),
            hold_after: Duration::from_secs(30),
            batch: BatchRules::default(),
        }
    }

    pub(super) fn tenant(&self, name: &TenantName) -> TenantSettings {
        self.tenants.get(name).copied().unwrap_or(self.tenant_default)
    }
}

/// Rules for one tenant.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TenantSettings {
    /// Share of the machine relative to other tenants; zero counts as one.
    pub weight: u32,
    /// Chunks that wait at most; `None` is no limit.
    pub queued_max: Option<u64>,
    /// Live sandboxes at most; `None` is no limit. A batch has one sandbox at a time.
    pub running_max: Option<u32>,
    /// Memory reserved at most; `None` is no limit.
    pub memory_max: Option<ByteSize>,
}

impl Default for TenantSettings {
    /// Weight 1, no limits.
    fn default() -> Self {
        Self { weight: 1, queued_max: None, running_max: None, memory_max: None }
    }
}

/// How many attempts share a reservation, run back to back.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BatchRules {
    /// The expected time of a batch stays within this.
    pub time_max: Duration,
    /// Attempts in a batch that the scheduler sizes itself.
    pub attempts_max: u32,
}

impl Default for BatchRules {
    /// 4 ms, so that a batch delays nobody noticeably, and 128 attempts.
    fn default() -> Self {
        Self { time_max: Duration::from_millis(4), attempts_max: 128 }
    }
}
