//! After every ending the house is as it was before: slots, threads, files and memory.
//!
//! One test in a binary of its own, because it counts what the whole process holds.

use std::time::Duration;

use pframe_core::job::LimitsRequest;
use pframe_core::units::{ByteSize, Fuel};
use pframe_host::Job;
use pframe_tests::house::{House, config, evil, evil_n, job, wait};
use pframe_tests::process::{file_descriptors, resident_bytes, threads};

/// How often each ending comes.
const TIMES: usize = 50;
/// What an allocator may keep after so many endings.
const KEPT_BYTES_MAX: u64 = 64 << 20;

fn limited(mut job: Job, limits: LimitsRequest) -> Job {
    job.limits = limits.or(job.limits);
    job
}

/// Every way to end that a guest has, each within milliseconds.
fn endings() -> Vec<(&'static str, Job)> {
    let none = LimitsRequest::default();
    let fuel = LimitsRequest { fuel: Some(Fuel(1_000_000)), ..none };
    let short = LimitsRequest { timeout: Some(Duration::from_millis(5)), ..none };
    let cpu = LimitsRequest { cpu: Some(Duration::from_millis(5)), ..none };
    let memory = LimitsRequest { memory: Some(ByteSize::mib(8)), ..none };
    let output = LimitsRequest { output: Some(ByteSize::kib(100)), ..none };
    vec![
        ("ok", evil("ok")),
        ("result in a file", evil_n("write-one", 100_000)),
        ("fuel", limited(evil("spin"), fuel)),
        ("deadline", limited(evil("spin"), short)),
        ("deadline asleep", limited(evil("sleep"), short)),
        ("cpu", limited(evil("spin"), cpu)),
        ("memory", limited(evil("alloc-abort"), memory)),
        ("stack", evil("recurse")),
        ("output", limited(evil("write-forever"), output)),
        ("trap", evil("panic")),
        ("exit", evil("exit1")),
        ("permanent", evil("permanent")),
        ("handles", evil("handles")),
        ("random", evil("random")),
        ("bad cuts", {
            let mut job = job("cutter", "abc");
            job.parameters = serde_json::json!({ "cut": "overlap" });
            job.chunking = Some(pframe_core::job::Chunking::Custom);
            job
        }),
    ]
}

fn cancelled(house: &House) {
    let handle = house.engine.submit(evil("spin")).unwrap();
    house.diary.wait_for_start(handle.id());
    handle.cancel();
    wait(&handle).unwrap_err();
}

fn round(house: &House) {
    for (_, job) in endings() {
        house.run(job);
    }
    cancelled(house);
}

#[test]
fn after_fifty_of_each_ending_nothing_is_held_that_was_not_held_before() {
    let scratch = tempfile::tempdir().unwrap();
    let settings =
        format!("parallel_processing: {{ temp_storage: '{}' }}", scratch.path().display());
    let house = House::with(|builder| builder.attempts(2).config(config(&settings)));
    round(&house);
    let (threads_before, files_before) = (threads(), file_descriptors());
    let memory_before = resident_bytes();
    for _ in 0..TIMES {
        round(&house);
    }
    assert_eq!(threads(), threads_before, "threads");
    assert_eq!(file_descriptors(), files_before, "file descriptors");
    let grown = resident_bytes().saturating_sub(memory_before);
    assert!(grown < KEPT_BYTES_MAX, "{grown} bytes more are held");
    for _ in 0..TIMES {
        assert_eq!(house.run(evil("echo")).text(), "abc", "both slots are free");
    }
    drop(house);
    let left: Vec<_> = std::fs::read_dir(scratch.path()).unwrap().flatten().collect();
    assert!(left.is_empty(), "the engine's own files go with it: {left:?}");
}
