//! What this machine has: cores, memory, graphics processors, and how much of them is ours.
//!
//! Owns: asking the operating system, at start and while running.
//! Never: decides what to do about it.

use pframe_core::units::{ByteSize, CpuCores};
use serde::Serialize;
use sysinfo::{MemoryRefreshKind, RefreshKind, System};

/// Memory left alone when the machine runs short: this share of all, as a divisor.
const MARGIN_DIVISOR: u64 = 20;

/// What was found.
#[derive(Debug, Clone, Serialize)]
pub struct Machine {
    /// Cores that this process may use (affinity and CPU quota respected).
    pub cores: CpuCores,
    /// Memory of the machine.
    pub memory: ByteSize,
    /// The control group's limit, where there is one below the machine's memory.
    pub memory_limit: Option<ByteSize>,
    /// Graphics processors, where a driver answers.
    pub gpus: Vec<Gpu>,
}

/// One graphics processor.
#[derive(Debug, Clone, Serialize)]
pub struct Gpu {
    /// As the driver calls it.
    pub name: String,
    /// All of its memory.
    pub memory: ByteSize,
}

impl Machine {
    /// Asks the operating system, and NVIDIA's driver library if there is one.
    pub fn detect() -> Self {
        let cores = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
        let system = memory_system();
        let memory = ByteSize(system.total_memory());
        let limit = system.cgroup_limits().map(|limits| ByteSize(limits.total_memory));
        Self {
            cores: CpuCores::whole(u32::try_from(cores).unwrap_or(u32::MAX)),
            memory,
            memory_limit: limit.filter(|limit| limit.bytes() > 0 && *limit < memory),
            gpus: gpus(),
        }
    }

    /// The smaller of memory and limit.
    pub fn usable_memory(&self) -> ByteSize {
        self.memory_limit.map_or(self.memory, |limit| limit.min(self.memory))
    }
}

/// Memory that jobs may hold now, seen from the operating system: what this process has, and what
/// is free beyond a margin.
pub(crate) fn memory_within_reach() -> ByteSize {
    let system = memory_system();
    let (total, available) = match system.cgroup_limits() {
        Some(limits) if limits.total_memory > 0 => (limits.total_memory, limits.free_memory),
        _ => (system.total_memory(), system.available_memory()),
    };
    let available = available.min(system.available_memory());
    let free = available.saturating_sub(total / MARGIN_DIVISOR);
    ByteSize(own_resident_bytes().saturating_add(free))
}

/// Memory is short where less than a tenth of it is free.
pub(crate) fn memory_is_short() -> bool {
    let system = memory_system();
    system.available_memory() < system.total_memory() / 10
}

fn memory_system() -> System {
    let memory = MemoryRefreshKind::nothing().with_ram();
    System::new_with_specifics(RefreshKind::nothing().with_memory(memory))
        .expect("Linux tells its memory to everybody")
}

/// The second field of `/proc/self/statm`: resident pages.
pub(crate) fn own_resident_bytes() -> u64 {
    let statm = std::fs::read_to_string("/proc/self/statm").unwrap_or_default();
    let pages: u64 = statm.split(' ').nth(1).and_then(|text| text.parse().ok()).unwrap_or(0);
    pages * rustix::param::page_size() as u64
}

/// NVIDIA's library is looked for at run time; without it there are no graphics processors.
fn gpus() -> Vec<Gpu> {
    let Ok(nvml) = nvml_wrapper::Nvml::init() else { return Vec::new() };
    let count = nvml.device_count().unwrap_or(0);
    let devices = (0..count).filter_map(|index| nvml.device_by_index(index).ok());
    devices
        .filter_map(|device| {
            let memory = ByteSize(device.memory_info().ok()?.total);
            Some(Gpu { name: device.name().ok()?, memory })
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_machine_has_cores_and_memory() {
        let machine = Machine::detect();
        assert!(machine.cores >= CpuCores::ONE);
        assert!(machine.usable_memory() > ByteSize::mib(64));
        assert!(memory_within_reach() > ByteSize::mib(16));
    }
}
