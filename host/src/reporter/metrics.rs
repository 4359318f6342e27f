//! Metrics: the report's sums as Prometheus text, and in a few words.
//!
//! Owns: the names of metrics.
//! Never: counts by hand; every figure is a fold of events.

use std::path::Path;

use pframe_core::fault::{Code, Fault};
use pframe_core::report::Totals;
use pframe_core::state::JobState;
use pframe_core::units::show_duration;

use crate::engine::Engine;

/// The run's statistics in one line.
pub(crate) fn summary(totals: &Totals) -> String {
    let failed: u64 = totals.attempt_faults.values().sum();
    format!(
        "{} jobs, {} chunks, {} attempts ({failed} failed), cpu {}",
        totals.jobs(),
        totals.chunks,
        totals.attempts,
        show_duration(totals.cpu)
    )
}

/// Writes all metrics to a file, whole or not at all.
pub(crate) fn write(path: &Path, engine: &Engine) -> Result<(), Fault> {
    let text = encode(&engine.totals());
    std::fs::write(path, text).map_err(|error| {
        Fault::new(Code::DiskFull).detail(format!("`{}`: {error}", path.display()))
    })
}

fn encode(totals: &Totals) -> String {
    let mut text = String::new();
    for state in JobState::ALL {
        text.push_str(&format!("pframe_jobs{{state=\"{state}\"}} {}\n", totals.jobs_in(state)));
    }
    text
}
