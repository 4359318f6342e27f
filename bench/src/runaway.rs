//! A guest that spins: from its deadline until its slot serves the next job.
//!
//! Owns: that time.

use std::time::{Duration, Instant};

use pframe_host::Engine;

use crate::setup::{engine, guest, job, median};
use crate::table::{Row, row};

const ROUNDS: u32 = 20;
const TIMEOUT: Duration = Duration::from_millis(100);

pub(crate) fn recovery() -> Vec<Row> {
    let engine = engine(Engine::builder().workers(1).attempts(1), "evil");
    engine.register_task(&"tiny".parse().expect("a name"), &guest("tiny")).expect("a handler");
    let times = (0..ROUNDS).map(|round| once(&engine, round)).collect::<Vec<_>>();
    let worst = times.iter().max().copied().unwrap_or_default();
    let ms = |time: Duration| format!("{:.1} ms", time.as_secs_f64() * 1e3);
    vec![
        row(
            "runaway guest, from its deadline to the next job's result, median",
            ms(median(times)),
            "≤ 5 ms",
        ),
        row("… worst of 20", ms(worst), ""),
    ]
}

fn once(engine: &Engine, round: u32) -> Duration {
    let mut spin = job(&format!("spin-{round}"), "evil");
    spin.parameters = serde_json::json!({ "do": "spin" });
    spin.limits.timeout = Some(TIMEOUT);
    let started = Instant::now();
    let spin = engine.submit(spin).expect("a valid job");
    let next = engine.submit(job(&format!("next-{round}"), "tiny")).expect("a valid job");
    next.wait_blocking().expect("it completes");
    let waited = started.elapsed();
    assert!(spin.wait_blocking().is_err(), "the spinning job runs into its deadline");
    waited.saturating_sub(TIMEOUT)
}
