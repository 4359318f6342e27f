//! Waiting work of equal shape: one look decides for all of it whether it fits.
//!
//! Owns: what makes two jobs equal to the scheduler.
//! Never: holds work that cannot start now.

use std::collections::BTreeSet;

use super::component::Component;
use super::job::{Job, Rank};
use super::slab::Key;
use super::tenant::Tenant;
use crate::job::Requirements;
use crate::units::{ByteSize, Timestamp};

/// What jobs of one class have in common.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Shape {
    pub(crate) tenant: Key<Tenant>,
    pub(crate) component: Key<Component>,
    pub(crate) requirements: Requirements,
    /// The most that an estimate of memory may reach; zero where memory is stated.
    pub(crate) memory_limit: ByteSize,
    /// What an attempt's private disk, which is memory, adds to the estimate; zero where memory is stated.
    pub(crate) disk: ByteSize,
    pub(crate) batch: Option<u32>,
}

/// The jobs of one shape that can start something.
#[derive(Debug, Clone)]
pub(crate) struct Class {
    pub(crate) shape: Shape,
    pub(crate) queue: BTreeSet<(Rank, Key<Job>)>,
    /// Chunks that were never started, over all jobs of the class.
    pub(crate) fresh: u64,
    /// Live jobs of the class, waiting or not.
    pub(crate) jobs: u64,
    /// When it last started something, or began to wait.
    pub(crate) waits_since: Timestamp,
}

impl Class {
    pub(crate) fn new(shape: Shape) -> Self {
        Self { shape, queue: BTreeSet::new(), fresh: 0, jobs: 0, waits_since: Timestamp::default() }
    }

    pub(crate) fn head(&self) -> Option<(Rank, Key<Job>)> {
        self.queue.first().copied()
    }
}
