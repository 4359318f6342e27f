//! One job at a time on an idle engine: from `submit` to the result.
//!
//! Owns: the distribution of that time.

use std::time::Instant;

use pframe_host::Engine;

use crate::setup::{engine, job};
use crate::table::{Row, row};

const JOBS: usize = 2000;

pub(crate) fn latency() -> Vec<Row> {
    let engine = engine(Engine::builder().workers(2), "tiny");
    let mut times = Vec::with_capacity(JOBS);
    for index in 0..JOBS {
        let job = job(&format!("job-{index}"), "tiny");
        let started = Instant::now();
        let result = engine.submit(job).expect("a valid job").wait_blocking();
        times.push(started.elapsed());
        result.expect("a tiny job completes");
    }
    times.sort();
    let at = |share: usize| format!("{:.0} µs", times[JOBS * share / 100].as_secs_f64() * 1e6);
    vec![
        row("submit → result on an idle engine, p50", at(50), ""),
        row("submit → result on an idle engine, p99", at(99), "< 1000 µs"),
    ]
}
