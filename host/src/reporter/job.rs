//! One job's figures as JSON, for whoever reads them with a program.
//!
//! Owns: the names of these figures; durations are milliseconds, sizes bytes.
//! Never: leaves one out that the table shows.

use std::time::Duration;

use pframe_core::report::JobReport;
use serde_json::{Value, json};

/// All figures of a job.
pub(crate) fn job_json(job: &JobReport) -> Value {
    json!({
        "job": job.spec.id,
        "task": job.spec.task.name,
        "tenant": job.spec.tenant,
        "state": job.state(),
        "chunks": job.chunks,
        "chunks_done": job.chunks_done,
        "chunks_cached": job.chunks_cached,
        "chunks_failed": job.chunks_failed,
        "attempts": job.attempts,
        "attempts_running": job.running(),
        "retries": job.retries,
        "queue_wait_ms": job.queue_wait().map(milliseconds),
        "wall_ms": job.wall().map(milliseconds),
        "busy_ms": milliseconds(job.busy),
        "cpu_ms": milliseconds(job.cpu),
        "memory_peak": job.memory_peak,
        "fuel": job.fuel,
        "fuel_at_least": job.fuel_at_least,
        "input_bytes": job.input_bytes,
        "output_bytes": job.output_bytes,
        "calls_denied": job.calls_denied,
        "speech_audio_ms": milliseconds(job.speech.audio),
        "speech_cpu_ms": milliseconds(job.speech.cpu),
        "http_requests": job.http.requests,
        "http_sent": job.http.sent,
        "http_received": job.http.received,
        "result_bytes": job.result_bytes,
        "output": job.spec.output,
        "is_published": job.is_published,
        "fault": job.fault,
        "failed_steps": job.step_faults.iter().map(|failed| {
            json!({ "attempt": failed.attempt, "fault": failed.fault })
        }).collect::<Vec<_>>(),
        "attempt_faults": job.attempt_faults.iter().map(|(code, count)| {
            (code.to_string(), json!(count))
        }).collect::<serde_json::Map<_, _>>(),
    })
}

/// Milliseconds, exact to the microsecond.
pub(crate) fn milliseconds(duration: Duration) -> f64 {
    #[expect(clippy::cast_precision_loss, reason = "exact below 285 years")]
    let micros = duration.as_micros() as f64;
    micros / 1e3
}
