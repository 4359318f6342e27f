//! One tenant: its rules, its fair share and what it holds.
//!
//! Owns: virtual time. A tenant's clock advances by the processor time it used over its weight;
//! whoever is furthest behind goes first.
//! Never: lets an idle tenant save up credit; see [`Tenant::catch_up`].

use std::collections::BTreeSet;

use super::class::Class;
use super::job::Rank;
use super::settings::TenantSettings;
use super::slab::Key;
use crate::ids::TenantName;
use crate::units::ByteSize;

/// A tenant that has or had work here.
#[derive(Debug, Clone)]
pub(crate) struct Tenant {
    pub(crate) name: TenantName,
    pub(crate) settings: TenantSettings,
    /// Virtual time of attempts that ended.
    pub(crate) settled: u128,
    /// Virtual time that running attempts are expected to take.
    pub(crate) expected: u128,
    /// Steps that neither run nor have ended.
    pub(crate) waiting: u64,
    /// Classes with work that can start, by their first job.
    pub(crate) heads: BTreeSet<(Rank, Key<Class>)>,
    /// Live sandboxes.
    pub(crate) running: u32,
    /// Memory reserved.
    pub(crate) memory: ByteSize,
    /// The virtual time under which it sits among those who may start something.
    pub(crate) seat: Option<u128>,
}

impl Tenant {
    pub(crate) fn new(name: TenantName, settings: TenantSettings) -> Self {
        Self {
            name,
            settings,
            settled: 0,
            expected: 0,
            waiting: 0,
            heads: BTreeSet::new(),
            running: 0,
            memory: ByteSize::ZERO,
            seat: None,
        }
    }

    /// Virtual time: lower goes first.
    pub(crate) fn virtual_time(&self) -> u128 {
        self.settled + self.expected
    }

    /// The virtual time of this much processor time.
    pub(crate) fn share(&self, core_time: u128) -> u128 {
        core_time.max(1) / u128::from(self.settings.weight.max(1))
    }

    /// Brings a tenant that had nothing to do up to those who had.
    pub(crate) fn catch_up(&mut self, floor: u128) {
        self.settled = self.settled.max(floor);
    }

    /// How many more sandboxes are allowed.
    pub(crate) fn sandboxes_left(&self) -> u32 {
        self.settings.running_max.map_or(u32::MAX, |most| most.saturating_sub(self.running))
    }

    /// True while another sandbox is allowed.
    pub(crate) fn may_run_more(&self) -> bool {
        self.sandboxes_left() > 0
    }

    /// True where this much more memory is allowed.
    pub(crate) fn may_reserve(&self, memory: ByteSize) -> bool {
        let total = self.memory.0.saturating_add(memory.0);
        self.settings.memory_max.is_none_or(|most| total <= most.0)
    }

    /// Where it sits: its virtual time while something of it may start.
    pub(crate) fn wanted_seat(&self) -> Option<u128> {
        (!self.heads.is_empty() && self.may_run_more()).then(|| self.virtual_time())
    }
}
