//! `pframe-host machine`
//!
//! Owns: how what was found, and what jobs may use of it, looks.
//! Never: measures; `crate::machine` does.

use std::process::ExitCode;

use pframe_core::resources::Capacity;
use serde_json::json;

use super::arguments::JsonFlag;
use super::failure::Failure;
use super::porch::Porch;
use super::print::{print, print_json};
use crate::machine::Machine;
use crate::reporter::amounts::about;

/// What jobs may use, and of what.
struct Found<'a> {
    machine: &'a Machine,
    capacity: Capacity,
    workers: u32,
    /// As it is configured, such as `80%`.
    memory_limit: String,
}

pub(super) fn machine(porch: &Porch, flag: JsonFlag) -> Result<ExitCode, Failure> {
    let prepared = porch.engine().prepare()?;
    let workbench = prepared.workbench();
    let found = Found {
        machine: workbench.machine(),
        capacity: workbench.capacity(),
        workers: workbench.workers(),
        memory_limit: porch.config.memory_limit.to_string(),
    };
    if flag.json {
        print_json(&found.json())?;
    } else {
        print(&found.text())?;
    }
    Ok(ExitCode::SUCCESS)
}

impl Found<'_> {
    fn text(&self) -> String {
        let Self { machine, capacity, workers, memory_limit } = self;
        let group = machine.memory_limit.map_or_else(
            || "no control group limits it further".to_owned(),
            |limit| format!("the control group allows {}", about(limit)),
        );
        let mut lines = vec![
            format!("cores         {} for this process", machine.cores),
            format!("memory        {}; {group}", about(machine.memory)),
            format!("workers       {workers} threads that run guests"),
            format!("attempts      {} sandboxes alive at once", capacity.attempts),
            format!(
                "memory limit  {} for all attempts together ({memory_limit})",
                about(capacity.memory)
            ),
        ];
        lines.extend(
            machine
                .gpus
                .iter()
                .map(|gpu| format!("gpu           {}, {}", gpu.name, about(gpu.memory))),
        );
        if machine.gpus.is_empty() {
            lines.push("gpu           none; jobs run without their `gpu_memory`".into());
        }
        lines.join("\n")
    }

    fn json(&self) -> serde_json::Value {
        json!({
            "machine": self.machine,
            "usable_memory": self.machine.usable_memory(),
            "workers": self.workers,
            "attempts": self.capacity.attempts,
            "memory_limit": self.capacity.memory,
            "gpu_memory": self.capacity.gpu_memory,
        })
    }
}

#[cfg(test)]
mod tests {
    use pframe_core::units::{ByteSize, CpuCores};

    use super::*;

    #[test]
    fn a_machine_is_told_with_what_jobs_may_use_of_it() {
        let machine = Machine {
            cores: CpuCores::whole(4),
            memory: ByteSize::gib(16),
            memory_limit: Some(ByteSize::gib(8)),
            gpus: Vec::new(),
        };
        let capacity = Capacity {
            cpu: CpuCores::whole(4),
            memory: ByteSize::gib(6),
            gpu_memory: ByteSize::ZERO,
            attempts: 16,
        };
        let found = Found { machine: &machine, capacity, workers: 4, memory_limit: "75%".into() };
        let expect = expect_test::expect![[r#"
            cores         4 for this process
            memory        16.0 GiB; the control group allows 8.0 GiB
            workers       4 threads that run guests
            attempts      16 sandboxes alive at once
            memory limit  6.0 GiB for all attempts together (75%)
            gpu           none; jobs run without their `gpu_memory`"#]];
        expect.assert_eq(&found.text());
    }
}
