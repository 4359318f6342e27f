//! A thousand jobs at once that only wait: what they cost in memory.
//!
//! Owns: the resident memory of a thousand live sandboxes, each asleep in a host call.

use std::time::Duration;

use pframe_host::Engine;
use pframe_host::core::job::RequirementsRequest;
use pframe_host::core::report::JobReport;
use pframe_host::core::units::{ByteSize, CpuCores};

use crate::setup::{engine, job, resident_bytes};
use crate::table::{Row, row};

const JOBS: u32 = 1000;

pub(crate) fn memory() -> Vec<Row> {
    let engine = engine(Engine::builder().workers(2).attempts(JOBS), "evil");
    let before = resident_bytes();
    let jobs = (0..JOBS).map(|index| {
        let mut job = job(&format!("job-{index}"), "evil");
        job.parameters = serde_json::json!({ "do": "sleep" });
        job.requirements = RequirementsRequest {
            cpu: Some(CpuCores(1)),
            memory: Some(ByteSize::mib(2)),
            gpu_memory: None,
        };
        job
    });
    let batch = engine.submit_batch(jobs.collect()).expect("valid jobs");
    let is_running =
        |engine: &Engine| engine.jobs().iter().map(JobReport::running).sum::<u32>() == JOBS;
    while !is_running(&engine) {
        std::thread::sleep(Duration::from_millis(20));
    }
    std::thread::sleep(Duration::from_millis(500));
    let used = resident_bytes().saturating_sub(before);
    batch.jobs.iter().for_each(pframe_host::JobHandle::cancel);
    for result in batch.wait_blocking() {
        assert!(result.is_err(), "a sleeping job was cancelled");
    }
    let touched: u64 = engine.jobs().iter().map(|job| job.memory_peak.bytes()).sum();
    vec![
        row("1,000 jobs asleep at once, resident memory", mib(used), ""),
        row("… the guests' own memories, as they declare them", mib(touched), ""),
    ]
}

fn mib(bytes: u64) -> String {
    format!("{} MiB", bytes >> 20)
}
