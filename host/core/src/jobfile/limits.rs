//! `limits` and `resource_requirements`, as job files and the configuration's job types write them.
//!
//! Owns: the range of each field.
//! Never: fills in defaults.

use std::time::Duration;

use super::{bounds, keys};
use crate::document::{Checker, Node};
use crate::job::{LimitsRequest, RequirementsRequest};
use crate::limits::Limits;
use crate::units::{ByteSize, CpuCores, Fuel};

/// Reads `limits`; `timeout` is not part of it.
pub(crate) fn limits(checker: &mut Checker<'_>, node: &Node) -> LimitsRequest {
    let Some(fields) = checker.fields(node, &keys::LIMITS) else {
        return LimitsRequest::default();
    };
    let time = Duration::from_millis(1)..=bounds::TIMEOUT_MAX;
    LimitsRequest {
        memory: checker.optional(fields, "memory", |checker, node| {
            checker.size(node, bounds::MEMORY_MIN..=bounds::MEMORY_MAX)
        }),
        fuel: checker.optional(fields, "fuel", |checker, node| {
            checker.fuel(node, Fuel(1)..=bounds::FUEL_MAX)
        }),
        timeout: None,
        cpu: checker.optional(fields, "cpu", |checker, node| checker.duration(node, time)),
        output: checker.optional(fields, "output", |checker, node| {
            checker.size(node, ByteSize::ZERO..=bounds::OUTPUT_MAX)
        }),
        disk: checker.optional(fields, "disk", |checker, node| {
            checker.size(node, ByteSize::ZERO..=bounds::DISK_MAX)
        }),
    }
}

/// The error of limits that no job file could state, wherever they come from.
pub fn check_limits(limits: &Limits) -> Result<(), String> {
    let time = |limit: Duration| limit <= bounds::TIMEOUT_MAX;
    let all = [
        ("memory", limits.memory <= bounds::MEMORY_MAX),
        ("timeout", time(limits.timeout)),
        ("cpu", limits.cpu.is_none_or(time)),
        ("output", limits.output <= bounds::OUTPUT_MAX),
        ("disk", limits.disk <= bounds::DISK_MAX),
    ];
    match all.into_iter().find(|(_, is_good)| !is_good) {
        Some((name, _)) => Err(format!("`limits.{name}` is more than any job may have")),
        None => Ok(()),
    }
}

/// Reads `resource_requirements`.
pub(crate) fn requirements(checker: &mut Checker<'_>, node: &Node) -> RequirementsRequest {
    let Some(fields) = checker.fields(node, &keys::REQUIREMENTS) else {
        return RequirementsRequest::default();
    };
    let memory = ByteSize::ZERO..=bounds::RESERVED_MEMORY_MAX;
    RequirementsRequest {
        cpu: checker.optional(fields, "cpu_cores", |checker, node| {
            checker.cores(node, CpuCores(1)..=bounds::CPU_CORES_MAX)
        }),
        memory: checker
            .optional(fields, "memory", |checker, node| checker.size(node, memory.clone())),
        gpu_memory: checker
            .optional(fields, "gpu_memory", |checker, node| checker.size(node, memory.clone())),
    }
}
