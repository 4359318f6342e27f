//! What the machine has, what work needs, and who holds how much of it now.
//!
//! Owns: [`Ledger`], the only place where reservations are added and taken away.
//! Never: gives out more than there is.

use std::fmt;

use crate::units::{ByteSize, CpuCores};

/// Amounts of everything that is reserved: of a whole machine, or of one piece of work.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Capacity {
    /// Processor cores.
    pub cpu: CpuCores,
    /// Memory.
    pub memory: ByteSize,
    /// Memory of a graphics processor.
    pub gpu_memory: ByteSize,
    /// Live sandboxes at most; one for a piece of work.
    pub attempts: u32,
}

impl Capacity {
    /// True where each amount is at most that of `other`.
    pub fn fits(&self, other: &Self) -> bool {
        self.cpu <= other.cpu
            && self.memory <= other.memory
            && self.gpu_memory <= other.gpu_memory
            && self.attempts <= other.attempts
    }

    /// True where this can be taken from `free` without touching what is being kept for `held`.
    ///
    /// Of an amount that is short for `held`, nothing may be taken at all.
    pub fn fits_beside(&self, held: &Self, free: &Self) -> bool {
        let spares = |need: u64, held: u64, free: u64| {
            need == 0 || need.checked_add(held).is_some_and(|both| both <= free)
        };
        spares(self.cpu.0.into(), held.cpu.0.into(), free.cpu.0.into())
            && spares(self.memory.0, held.memory.0, free.memory.0)
            && spares(self.gpu_memory.0, held.gpu_memory.0, free.gpu_memory.0)
            && spares(self.attempts.into(), held.attempts.into(), free.attempts.into())
    }

    /// How many times this fits into `free`, at least 1 and at most `attempts` of `free`.
    pub fn times_in(&self, free: &Self) -> u32 {
        let times = |need: u64, free: u64| free.checked_div(need).unwrap_or(u64::MAX);
        let least = times(self.cpu.0.into(), free.cpu.0.into())
            .min(times(self.memory.0, free.memory.0))
            .min(times(self.gpu_memory.0, free.gpu_memory.0))
            .min(free.attempts.into());
        u32::try_from(least).unwrap_or(u32::MAX).max(1)
    }

    fn plus(self, other: Self) -> Option<Self> {
        Some(Self {
            cpu: CpuCores(self.cpu.0.checked_add(other.cpu.0)?),
            memory: ByteSize(self.memory.0.checked_add(other.memory.0)?),
            gpu_memory: ByteSize(self.gpu_memory.0.checked_add(other.gpu_memory.0)?),
            attempts: self.attempts.checked_add(other.attempts)?,
        })
    }

    fn minus(self, other: Self) -> Option<Self> {
        Some(Self {
            cpu: CpuCores(self.cpu.0.checked_sub(other.cpu.0)?),
            memory: ByteSize(self.memory.0.checked_sub(other.memory.0)?),
            gpu_memory: ByteSize(self.gpu_memory.0.checked_sub(other.gpu_memory.0)?),
            attempts: self.attempts.checked_sub(other.attempts)?,
        })
    }

    fn saturating_minus(self, other: Self) -> Self {
        Self {
            cpu: CpuCores(self.cpu.0.saturating_sub(other.cpu.0)),
            memory: ByteSize(self.memory.0.saturating_sub(other.memory.0)),
            gpu_memory: ByteSize(self.gpu_memory.0.saturating_sub(other.gpu_memory.0)),
            attempts: self.attempts.saturating_sub(other.attempts),
        }
    }
}

impl fmt::Display for Capacity {
    /// `2 cpu, 512 MiB memory`; graphics memory only where there is some.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} cpu, {} memory", self.cpu, self.memory)?;
        match self.gpu_memory {
            ByteSize::ZERO => Ok(()),
            gpu_memory => write!(f, ", {gpu_memory} gpu memory"),
        }
    }
}

/// The machine's capacity and what is held of it.
#[derive(Debug, Clone)]
pub struct Ledger {
    capacity: Capacity,
    held: Capacity,
}

impl Ledger {
    /// Everything is free.
    pub fn new(capacity: Capacity) -> Self {
        Self { capacity, held: Capacity::default() }
    }

    /// What the machine has.
    pub fn capacity(&self) -> &Capacity {
        &self.capacity
    }

    /// What is held now. It exceeds the capacity only after the capacity has shrunk.
    pub fn held(&self) -> &Capacity {
        &self.held
    }

    /// What can be taken now.
    pub fn free(&self) -> Capacity {
        self.capacity.saturating_minus(self.held)
    }

    /// The machine has more or less to give from now on; what is held stays held.
    pub fn resize(&mut self, capacity: Capacity) {
        self.capacity = capacity;
    }

    /// Takes `need`, of which the caller has made sure that it is free.
    pub fn take(&mut self, need: Capacity) {
        assert!(need.fits(&self.free()), "took {need}, only {} free", self.free());
        self.held = self.held.plus(need).expect("what fits into the capacity can be added");
    }

    /// Gives back what was taken.
    pub fn give(&mut self, need: Capacity) {
        self.held = self.held.minus(need).expect("only what was taken is given back");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn amount(cpu: u32, memory_mib: u64, attempts: u32) -> Capacity {
        Capacity {
            cpu: CpuCores::whole(cpu),
            memory: ByteSize::mib(memory_mib),
            gpu_memory: ByteSize::ZERO,
            attempts,
        }
    }

    fn panics(action: impl FnOnce() + std::panic::UnwindSafe) -> bool {
        std::panic::catch_unwind(action).is_err()
    }

    #[test]
    fn what_is_given_back_can_be_taken_again() {
        let mut ledger = Ledger::new(amount(4, 100, 8));
        ledger.take(amount(4, 60, 1));
        assert_eq!(ledger.free(), amount(0, 40, 7));
        ledger.give(amount(4, 60, 1));
        assert_eq!(ledger.free(), amount(4, 100, 8));
    }

    #[test]
    fn taking_too_much_and_giving_too_much_are_bugs() {
        assert!(panics(|| Ledger::new(amount(1, 100, 1)).take(amount(2, 1, 1))));
        assert!(panics(|| Ledger::new(amount(1, 100, 1)).give(amount(1, 1, 1))));
    }

    #[test]
    fn a_machine_that_shrinks_below_what_is_held_has_nothing_free() {
        let mut ledger = Ledger::new(amount(4, 100, 8));
        ledger.take(amount(3, 50, 1));
        ledger.resize(amount(2, 100, 8));
        assert_eq!(ledger.free(), amount(0, 50, 7));
        ledger.give(amount(3, 50, 1));
        assert_eq!(ledger.free(), amount(2, 100, 8));
    }

    #[test]
    fn work_beside_a_hold_takes_nothing_of_what_is_short() {
        let held = amount(2, 10, 1);
        assert!(!amount(1, 1, 1).fits_beside(&held, &amount(1, 100, 8)), "cpu is short");
        assert!(amount(0, 1, 1).fits_beside(&held, &amount(1, 100, 8)), "needs no cpu");
        assert!(amount(1, 1, 1).fits_beside(&held, &amount(3, 100, 8)), "both fit");
        assert!(!amount(1, 1, 1).fits_beside(&held, &amount(3, 100, 1)), "one sandbox left");
    }
}
