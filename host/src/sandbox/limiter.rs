//! Counts every linear memory and table of an attempt together.
//!
//! Owns: the memory limit. wasmtime's own `StoreLimits` counts each memory by itself, and a
//! component may bring many.
//! Never: says no softly: past the limit the attempt ends, so that the report can name the limit.

use pframe_core::fault::{Code, Fault};
use pframe_core::units::ByteSize;
use wasmtime::ResourceLimiter;

/// Table elements of one attempt, all tables together.
const TABLE_ELEMENTS_MAX: usize = 1_000_000;
/// Core instances of one attempt.
const INSTANCES_MAX: usize = 100;
/// Linear memories of one attempt.
const MEMORIES_MAX: usize = 10;
/// Tables of one attempt.
const TABLES_MAX: usize = 100;

/// The running totals of one attempt.
pub(crate) struct Limiter {
    memory_max: ByteSize,
    memory_now: usize,
    memory_peak: usize,
    table_elements: usize,
    fault: Option<Fault>,
}

impl Limiter {
    pub(crate) fn new(memory_max: ByteSize) -> Self {
        Self { memory_max, memory_now: 0, memory_peak: 0, table_elements: 0, fault: None }
    }

    /// The most memory held at once.
    pub(crate) fn memory_peak(&self) -> ByteSize {
        ByteSize(self.memory_peak as u64)
    }

    /// Why growth was denied, if it was.
    pub(crate) fn take_fault(&mut self) -> Option<Fault> {
        self.fault.take()
    }
}

impl ResourceLimiter for Limiter {
    fn memory_growing(
        &mut self,
        current: usize,
        desired: usize,
        maximum: Option<usize>,
    ) -> wasmtime::Result<bool> {
        if maximum.is_some_and(|maximum| desired > maximum) {
            return Ok(false);
        }
        let wanted = self.memory_now.saturating_add(desired.saturating_sub(current));
        if wanted as u64 > self.memory_max.bytes() {
            let used = ByteSize(wanted as u64);
            self.fault = Some(Fault::new(Code::Memory).hit("limits.memory", self.memory_max, used));
            return Err(wasmtime::Error::msg("ended by the host"));
        }
        self.memory_now = wanted;
        self.memory_peak = self.memory_peak.max(wanted);
        Ok(true)
    }

    fn table_growing(
        &mut self,
        current: usize,
        desired: usize,
        maximum: Option<usize>,
    ) -> wasmtime::Result<bool> {
        if maximum.is_some_and(|maximum| desired > maximum) {
            return Ok(false);
        }
        let wanted = self.table_elements.saturating_add(desired.saturating_sub(current));
        if wanted > TABLE_ELEMENTS_MAX {
            self.fault =
                Some(Fault::new(Code::Tables).hit("table elements", TABLE_ELEMENTS_MAX, wanted));
            return Err(wasmtime::Error::msg("ended by the host"));
        }
        self.table_elements = wanted;
        Ok(true)
    }

    fn instances(&self) -> usize {
        INSTANCES_MAX
    }

    fn tables(&self) -> usize {
        TABLES_MAX
    }

    fn memories(&self) -> usize {
        MEMORIES_MAX
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn many_memories_count_together() {
        let mut limiter = Limiter::new(ByteSize::mib(1));
        assert!(limiter.memory_growing(0, 512 << 10, None).unwrap());
        assert!(limiter.memory_growing(0, 512 << 10, None).unwrap());
        assert!(limiter.memory_growing(0, 1, None).is_err());
        assert_eq!(limiter.take_fault().map(|fault| fault.code), Some(Code::Memory));
        assert_eq!(limiter.memory_peak(), ByteSize::mib(1));
    }

    #[test]
    fn growth_past_the_memorys_own_maximum_is_refused_softly() {
        let mut limiter = Limiter::new(ByteSize::mib(1));
        assert!(!limiter.memory_growing(0, 2 << 20, Some(1 << 20)).unwrap());
        assert_eq!(limiter.take_fault(), None);
    }
}
