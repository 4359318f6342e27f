//! Records written by hand, for the tests of whatever folds records.
//!
//! Owns: one story: a job that completes after a retry, one that fails, one that still waits.
//! Never: stands in the program.

use std::sync::Arc;
use std::time::Duration;

use pframe_core::event::{AfterFailure, Event, Output, Record};
use pframe_core::fault::{Code, Fault};
use pframe_core::ids::{Digest, JobId, TenantName};
use pframe_core::job::{
    Caching, Chunking, JobSpec, Requirements, Slice, Source, SourcePlace, TaskRef,
};
use pframe_core::limits::{Asked, HttpUsage, Limits, SpeechUsage, Usage};
use pframe_core::policy::{OnFailure, RetryPolicy};
use pframe_core::report::{JobReport, Report};
use pframe_core::units::{ByteSize, Fuel, Timestamp};

/// When the story begins: 2026-01-02T03:04:05Z.
const BEGIN: Timestamp = Timestamp(1_767_323_045_000_000);

/// A job as accepted.
pub(crate) fn spec(id: &str) -> Arc<JobSpec> {
    let place = SourcePlace::Inline(Arc::default());
    let source = Source { name: "novel.txt".into(), media_type: None, size: 300 << 20, place };
    Arc::new(JobSpec {
        id: id.parse().unwrap(),
        tenant: TenantName::default_tenant(),
        task: TaskRef {
            name: "word-count".parse().unwrap(),
            component: Digest([7; 32]),
            collects: true,
        },
        inputs: [source].into(),
        parameters: "{}".into(),
        chunking: Chunking::None,
        overlap: None,
        collect: None,
        cache: Caching::Off,
        batch: None,
        after: Arc::default(),
        dependents: 0,
        priority: 0,
        limits: Limits::default(),
        retry: RetryPolicy::default(),
        on_failure: OnFailure::Stop,
        requirements: Requirements::default(),
        grants: [].into(),
        accepted_at: BEGIN,
        deadline: None,
        output: Some("/data/results/top20.json".into()),
        is_printed: false,
    })
}

/// The story.
pub(crate) fn records() -> Vec<Record> {
    let events = [vec![accepted("count-novels"), accepted("count-letters"), accepted("waits")]]
        .into_iter()
        .flatten()
        .chain([planned("count-novels", 2), planned("count-letters", 1), planned("waits", 3)])
        .chain([started("count-novels/0#1"), started("count-novels/1#1")])
        .chain([succeeded("count-novels/0#1"), failed("count-novels/1#1", Code::Transient)])
        .chain([started("count-novels/1#2"), started("count-letters/0#1")])
        .chain([succeeded("count-novels/1#2"), failed("count-letters/0#1", Code::Fuel)])
        .chain([Event::JobCompleted {
            job: job("count-novels"),
            output: Some(Output::inline(*b"{}")),
        }])
        .chain([Event::ResultPublished { job: job("count-novels") }])
        .chain([Event::JobFailed { job: job("count-letters"), fault: fault(Code::Fuel) }]);
    let at = |seq: u64| BEGIN.after(Duration::from_secs(seq));
    (1..).zip(events).map(|(seq, event)| Record { seq, at: at(seq), event }).collect()
}

/// What became of the jobs.
pub(crate) fn reports() -> Vec<JobReport> {
    let mut report = Report::new();
    for record in records() {
        report.apply(&record);
    }
    report.jobs().into_iter().cloned().collect()
}

fn job(id: &str) -> JobId {
    id.parse().unwrap()
}

fn accepted(id: &str) -> Event {
    Event::JobAccepted { job: spec(id) }
}

fn planned(id: &str, chunks: u32) -> Event {
    let part = u64::from(300_u32 << 20) / u64::from(chunks);
    let slice = |index| Slice {
        source: 0,
        start: u64::from(index) * part,
        end: u64::from(index + 1) * part,
    };
    Event::ChunksPlanned { job: job(id), chunks: (0..chunks).map(slice).collect() }
}

fn started(attempt: &str) -> Event {
    Event::AttemptStarted { attempt: attempt.parse().unwrap(), memory: ByteSize::mib(256) }
}

fn usage() -> Usage {
    Usage {
        fuel: Fuel(1_500_000_000),
        fuel_at_least: false,
        memory_peak: ByteSize(50_500_000),
        wall: Duration::from_millis(1500),
        cpu: Duration::from_millis(1400),
        queued: Duration::from_millis(2),
        input_bytes: ByteSize::mib(150),
        output_bytes: ByteSize::kib(3),
        calls_denied: 0,
        is_cached: false,
        asked: Asked::Nothing,
        speech: SpeechUsage::default(),
        http: HttpUsage::default(),
    }
}

fn succeeded(attempt: &str) -> Event {
    let output = Output::inline(*b"{}");
    Event::AttemptSucceeded { attempt: attempt.parse().unwrap(), usage: usage(), output }
}

fn fault(code: Code) -> Fault {
    let fault = Fault::new(code);
    match code {
        Code::Fuel => fault.hit("limits.fuel", "500M", "at least 500M"),
        _ => fault,
    }
}

fn failed(attempt: &str, code: Code) -> Event {
    let then = match code {
        Code::Transient => AfterFailure::Retry { at: BEGIN.after(Duration::from_secs(9)) },
        _ => AfterFailure::GiveUp,
    };
    let usage = Usage { fuel_at_least: code == Code::Fuel, ..usage() };
    let attempt = attempt.parse().unwrap();
    Event::AttemptFailed { attempt, usage, fault: fault(code), then }
}
