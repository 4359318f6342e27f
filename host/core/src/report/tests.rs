//! The fold, shown on a few lives.
#![expect(clippy::needless_raw_string_hashes, reason = "expect-test writes them")]

use std::fmt::Write;
use std::sync::Arc;
use std::time::Duration;

use expect_test::{Expect, expect};

use super::*;
use crate::event::{AfterFailure, Event, Output, Record};
use crate::fault::{Code, Fault};
use crate::ids::{AttemptId, Digest, JobId, TaskName, TenantName};
use crate::job::{Caching, Chunking, JobSpec, Requirements, Slice, TaskRef};
use crate::limits::{Limits, Usage};
use crate::policy::{OnFailure, RetryPolicy};
use crate::state::JobState;
use crate::units::{ByteSize, Fuel, Timestamp};

fn spec(id: &str) -> Arc<JobSpec> {
    Arc::new(JobSpec {
        id: id.parse().unwrap(),
        tenant: TenantName::default_tenant(),
        task: TaskRef {
            name: TaskName::new("task").unwrap(),
            component: Digest([0; 32]),
            collects: false,
        },
        inputs: [].into(),
        parameters: "null".into(),
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
        accepted_at: Timestamp(0),
        deadline: None,
        output: None,
        is_printed: false,
    })
}

fn usage() -> Usage {
    Usage {
        fuel: Fuel(500),
        memory_peak: ByteSize::mib(3),
        wall: Duration::from_secs(1),
        cpu: Duration::from_millis(900),
        input_bytes: ByteSize(1000),
        output_bytes: ByteSize(10),
        ..Usage::default()
    }
}

fn accepted(job: &str) -> Event {
    Event::JobAccepted { job: spec(job) }
}

fn planned(job: &str, count: usize) -> Event {
    let slice = Slice { source: 0, start: 0, end: 1 };
    Event::ChunksPlanned { job: job.parse().unwrap(), chunks: vec![slice; count].into() }
}

fn started(attempt: &str) -> Event {
    Event::AttemptStarted { attempt: attempt.parse().unwrap(), memory: ByteSize::mib(4) }
}

fn succeeded(attempt: &str) -> Event {
    let attempt = attempt.parse().unwrap();
    Event::AttemptSucceeded { attempt, usage: usage(), output: Output::inline(*b"out") }
}

fn failed(attempt: &str, code: Code, then: AfterFailure) -> Event {
    let attempt: AttemptId = attempt.parse().unwrap();
    let usage = Usage { fuel_at_least: true, ..usage() };
    Event::AttemptFailed { attempt, usage, fault: Fault::new(code), then }
}

fn completed(job: &str) -> Event {
    Event::JobCompleted { job: job.parse().unwrap(), output: Some(Output::inline(*b"result")) }
}

/// One event a second.
fn fold(mut report: Report, events: Vec<Event>) -> Report {
    for (seq, event) in (1..).zip(events) {
        report.apply(&Record { seq, at: Timestamp(seq * 1_000_000), event });
    }
    report
}

fn show(report: &Report) -> String {
    let mut text = String::new();
    for job in report.jobs() {
        let (id, state) = (&job.spec.id, job.state());
        let JobReport { chunks, chunks_done, chunks_failed, chunks_stopped, .. } = job;
        let JobReport { attempts, retries, fuel, fuel_at_least, memory_peak, cpu, .. } = job;
        writeln!(
            text,
            "{id} {state}: {chunks} chunks, {chunks_done} done, {chunks_failed} failed, {chunks_stopped} stopped"
        )
        .unwrap();
        writeln!(text, "  {attempts} attempts, {retries} retries, {} running", job.running())
            .unwrap();
        let least = if *fuel_at_least { "at least " } else { "" };
        writeln!(text, "  {least}{fuel} fuel, {memory_peak}, {cpu:?} cpu").unwrap();
        let (wait, wall) = (job.queue_wait(), job.wall());
        writeln!(text, "  waited {wait:?}, ran {wall:?}, {:?}/s", job.throughput()).unwrap();
        for failed in &job.step_faults {
            writeln!(text, "  {} {}", failed.attempt, failed.fault.code).unwrap();
        }
    }
    let totals = report.totals();
    for state in JobState::ALL.into_iter().filter(|&state| totals.jobs_in(state) > 0) {
        writeln!(text, "{} {state}", totals.jobs_in(state)).unwrap();
    }
    writeln!(text, "faults {:?} of attempts {:?}", totals.job_faults, totals.attempt_faults)
        .unwrap();
    text
}

fn check(events: Vec<Event>, expect: &Expect) {
    expect.assert_eq(&show(&fold(Report::new(), events)));
}

const RETRY: AfterFailure = AfterFailure::Retry { at: Timestamp(0) };

#[test]
fn a_plain_job_adds_up() {
    let events =
        vec![accepted("a"), planned("a", 1), started("a/0#1"), succeeded("a/0#1"), completed("a")];
    check(
        events,
        &expect![[r#"
        a completed: 1 chunks, 1 done, 0 failed, 0 stopped
          1 attempts, 0 retries, 0 running
          500 fuel, 3 MiB, 900ms cpu
          waited Some(2s), ran Some(2s), Some(ByteSize(500))/s
        1 completed
        faults {} of attempts {}
    "#]],
    );
}

#[test]
fn an_attempt_that_was_taken_back_counts_neither_as_attempt_nor_as_retry() {
    let events = vec![
        accepted("a"),
        planned("a", 2),
        started("a/0#1"),
        failed("a/0#1", Code::Transient, RETRY),
        started("a/1#1"),
        succeeded("a/1#1"),
        started("a/0#2"),
        Event::AttemptReturned { attempt: "a/0#2".parse().unwrap() },
    ];
    check(
        events,
        &expect![[r#"
        a retrying: 2 chunks, 1 done, 0 failed, 0 stopped
          2 attempts, 0 retries, 0 running
          at least 1K fuel, 3 MiB, 1.8s cpu
          waited Some(2s), ran Some(5s), Some(ByteSize(400))/s
        1 retrying
        faults {} of attempts {Transient: 1}
    "#]],
    );
}

#[test]
fn chunks_that_were_stopped_are_not_counted_as_failed() {
    let job: JobId = "a".parse().unwrap();
    let fault = Fault::new(Code::Fuel);
    let events = vec![
        accepted("a"),
        planned("a", 3),
        started("a/0#1"),
        started("a/1#1"),
        failed("a/0#1", Code::Fuel, AfterFailure::GiveUp),
        Event::StopRequested { job: job.clone(), fault: fault.clone() },
        failed("a/1#1", Code::JobStopped, AfterFailure::GiveUp),
        Event::JobFailed { job, fault },
    ];
    check(
        events,
        &expect![[r#"
        a failed: 3 chunks, 0 done, 1 failed, 1 stopped
          2 attempts, 0 retries, 0 running
          at least 1K fuel, 3 MiB, 1.8s cpu
          waited Some(2s), ran Some(5s), Some(ByteSize(400))/s
          a/0#1 PF302
        1 failed
        faults {Fuel: 1} of attempts {Fuel: 1, JobStopped: 1}
    "#]],
    );
}

#[test]
fn faults_are_kept_up_to_a_number_and_counted_beyond() {
    let mut events = vec![accepted("a"), planned("a", 50)];
    for chunk in 0..50 {
        let attempt = format!("a/{chunk}#1");
        events.push(started(&attempt));
        events.push(failed(&attempt, Code::Trap, AfterFailure::GiveUp));
    }
    let report = fold(Report::new(), events);
    let job = report.job(&"a".parse().unwrap()).unwrap();
    assert_eq!((job.step_faults.len(), job.chunks_failed), (FAULTS_KEPT_MAX, 50));
    assert_eq!(job.attempt_faults[&Code::Trap], 50);
}

#[test]
fn jobs_that_were_dropped_stay_in_the_totals() {
    let ids = ["a", "b", "c"];
    let events = ids.iter().flat_map(|id| [accepted(id), planned(id, 1), completed(id)]);
    let report = fold(Report::keeping(1), events.collect());
    let kept: Vec<_> = report.jobs().iter().map(|job| job.spec.id.to_string()).collect();
    assert_eq!((kept, report.totals().jobs()), (vec!["c".into()], 3));
    assert_eq!(report.totals().jobs_in(JobState::Completed), 3);
}

#[test]
fn an_id_that_comes_back_shows_the_new_run() {
    let events = vec![accepted("a"), planned("a", 1), completed("a"), accepted("a")];
    let report = fold(Report::keeping(9), events);
    assert_eq!(report.jobs().len(), 1);
    assert_eq!(report.job(&"a".parse().unwrap()).unwrap().state(), JobState::Pending);
    assert_eq!(report.totals().jobs(), 2);
}
