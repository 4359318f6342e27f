//! Tiny jobs: what a job costs when the handler costs nothing.
//!
//! Owns: the ratio to the bare loop, in memory and durable.

use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use pframe_host::core::config::SchedulerKind;
use pframe_host::{Engine, EngineBuilder};

use crate::bare::Bare;
use crate::setup::{engine, guest, job, program};
use crate::table::{Row, row};

/// Rounds; each compares both sides, and the median of the ratios counts.
const ROUNDS: usize = 5;
const JOBS: u32 = 20_000;

/// Against the bare loop, with the journal in memory.
pub(crate) fn in_memory() -> Vec<Row> {
    let bare_loop = Bare::new(&guest("tiny"));
    let one = engine(Engine::builder().workers(1), "tiny");
    let two = engine(Engine::builder().workers(2), "tiny");
    let (mut ones, mut twos, mut ratios) = (Vec::new(), Vec::new(), Vec::new());
    let (mut bares, mut bares_on_two) = (Vec::new(), Vec::new());
    bare_loop.run(JOBS / 4);
    for _ in 0..ROUNDS {
        let bare = bare_loop.run(JOBS);
        let on_one = submit(&one, JOBS);
        ones.push(on_one);
        bares.push(bare);
        ratios.push(on_one.as_secs_f64() / bare.as_secs_f64());
        bares_on_two.push(bare_loop.run_on(2, JOBS));
        twos.push(submit(&two, JOBS));
    }
    ratios.sort_by(f64::total_cmp);
    vec![
        row("tiny job, bare wasmtime loop, one thread", per_job(&bares), ""),
        row("tiny job end to end, one worker, journal in memory", per_job(&ones), ""),
        row("… ratio to the bare loop", format!("{:.2} ×", ratios[ROUNDS / 2]), "≤ 1.5 ×"),
        row("bare wasmtime loop on two threads, calls a second", rate(&bares_on_two), ""),
        row("tiny jobs a second, two workers, journal in memory", rate(&twos), "≥ 40,000/s"),
    ]
}

/// With the journal on disk.
pub(crate) fn durable() -> Vec<Row> {
    let directory = tempfile::tempdir_in(crate::setup::target()).expect("a directory");
    let builder: EngineBuilder = Engine::builder().workers(2).state_dir(directory.path());
    let engine = engine(builder, "tiny");
    let times: Vec<_> = (0..3).map(|_| submit(&engine, JOBS)).collect();
    vec![row("durable tiny jobs a second, two workers", rate(&times), "≥ 15,000/s")]
}

/// In worker processes, in their jail, against threads.
pub(crate) fn in_processes() -> Vec<Row> {
    let on_threads = engine(Engine::builder().workers(1), "tiny");
    let in_workers = |workers| {
        let builder = Engine::builder().workers(workers).scheduler(SchedulerKind::Processes);
        engine(builder.worker_program(program()), "tiny")
    };
    let (one, two) = (in_workers(1), in_workers(2));
    let (mut ones, mut twos, mut added) = (Vec::new(), Vec::new(), Vec::new());
    for _ in 0..ROUNDS {
        let on_thread = submit(&on_threads, JOBS);
        let in_worker = submit(&one, JOBS);
        added.push(in_worker.as_secs_f64() - on_thread.as_secs_f64());
        ones.push(in_worker);
        twos.push(submit(&two, JOBS));
    }
    added.sort_by(f64::total_cmp);
    let added = added[ROUNDS / 2] * 1e6 / f64::from(JOBS);
    vec![
        row("tiny job in a worker process, one worker, journal in memory", per_job(&ones), ""),
        row("… more than on a thread", format!("{added:.1} µs"), "≤ 60 µs"),
        row("tiny jobs a second, two worker processes", rate(&twos), "≥ 8,000/s"),
    ]
}

fn submit(engine: &Engine, count: u32) -> Duration {
    static NEXT: AtomicU32 = AtomicU32::new(0);
    let first = NEXT.fetch_add(count, Ordering::Relaxed);
    let ids = first..first + count;
    let jobs = ids.map(|index| job(&format!("job-{index}"), "tiny")).collect();
    let started = Instant::now();
    let batch = engine.submit_batch(jobs).expect("valid jobs");
    for result in batch.wait_blocking() {
        result.expect("a tiny job completes");
    }
    started.elapsed()
}

fn per_job(times: &[Duration]) -> String {
    let median = crate::setup::median(times.to_vec());
    format!("{:.1} µs", median.as_secs_f64() * 1e6 / f64::from(JOBS))
}

fn rate(times: &[Duration]) -> String {
    let median = crate::setup::median(times.to_vec());
    format!("{:.0}/s", f64::from(JOBS) / median.as_secs_f64())
}
