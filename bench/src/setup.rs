//! What measurements share: handlers, engines, jobs, clocks.
//!
//! Owns: the paths of built handlers and of the built program.

use std::path::PathBuf;
use std::time::Duration;

use pframe_host::core::job::{InputRequest, JobRequest};
use pframe_host::{Engine, EngineBuilder};

/// A component built by `cargo xtask guests`.
pub(crate) fn guest(name: &str) -> PathBuf {
    target().join("handlers").join(format!("{name}.wasm"))
}

/// The release build of the program.
pub(crate) fn program() -> PathBuf {
    target().join("release/pframe-host")
}

/// The target folder of this checkout.
pub(crate) fn target() -> PathBuf {
    let root = PathBuf::from(env!("CARGO_MANIFEST_DIR"));
    root.parent().expect("this package lies in the repository").join("target")
}

/// An engine with one task type.
pub(crate) fn engine(builder: EngineBuilder, task: &str) -> Engine {
    let engine = builder.cache_dir(target().join("bench-cache")).build().expect("an engine");
    let name = task.parse().expect("a name");
    engine.register_task(&name, &guest(task)).expect("a built handler");
    engine
}

/// A job of a task type on a short text.
pub(crate) fn job(id: &str, task: &str) -> JobRequest {
    let input = InputRequest::Text("to be or not to be".into());
    JobRequest::new(id.parse().expect("an id"), task.parse().expect("a name"), input)
}

/// Processor time of this process so far.
pub(crate) fn cpu_time() -> Duration {
    let time = rustix::time::clock_gettime(rustix::time::ClockId::ProcessCPUTime);
    Duration::new(u64::try_from(time.tv_sec).unwrap_or(0), u32::try_from(time.tv_nsec).unwrap_or(0))
}

/// Resident memory of this process, bytes.
pub(crate) fn resident_bytes() -> u64 {
    let statm = std::fs::read_to_string("/proc/self/statm").unwrap_or_default();
    let pages: u64 = statm.split(' ').nth(1).and_then(|text| text.parse().ok()).unwrap_or(0);
    pages * 4096
}

/// Median of some durations.
pub(crate) fn median(mut times: Vec<Duration>) -> Duration {
    times.sort();
    times[times.len() / 2]
}
