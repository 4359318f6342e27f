//! What a decision costs, with 1 k, 100 k and 1 M chunks queued.
//!
//! `cargo bench -p pframe-core --bench scheduler` prints a table, and fails if an aim is missed by far.
#![expect(clippy::print_stdout, reason = "the table is what this program is for")]

#[path = "../tests/common/mod.rs"]
mod common;

use std::process::ExitCode;
use std::sync::Arc;
use std::time::{Duration, Instant};

use pframe_core::event::{Output, Record};
use pframe_core::ids::{AttemptId, TenantName};
use pframe_core::job::JobSpec;
use pframe_core::limits::Usage;
use pframe_core::report::Report;
use pframe_core::scheduler::{Command, Decision, Message, Outcome, Scheduler, Settings};
use pframe_core::units::{ByteSize, Timestamp};

/// A figure this many times its aim is no longer noise.
const FAR: f64 = 3.0;
const SIZES: [u32; 3] = [1_000, 100_000, 1_000_000];

struct Row {
    what: String,
    figure: Duration,
    aim: Duration,
}

fn main() -> ExitCode {
    let mut rows = Vec::new();
    for size in SIZES {
        rows.push(decision(&format!("a decision, one job of {size} chunks"), one_job(size)));
        rows.push(decision(&format!("a decision, {size} jobs of one chunk"), many_jobs(size, 1)));
        rows.push(decision(&format!("a decision, {size} jobs of 50 tenants"), many_jobs(size, 50)));
    }
    rows.push(decision("a decision, 10000 shapes that do not fit", many_shapes(10_000)));
    for turn in [1, 64, 1024] {
        rows.extend(tiny_jobs(turn));
    }
    println!("{:<44} {:>10} {:>10}", "what", "figure", "aim");
    for Row { what, figure, aim } in &rows {
        println!("{what:<44} {:>7.2} µs {:>7.2} µs", micros(*figure), micros(*aim));
    }
    let is_far_off = |row: &Row| micros(row.figure) > FAR * micros(row.aim);
    if rows.iter().any(is_far_off) { ExitCode::FAILURE } else { ExitCode::SUCCESS }
}

fn micros(duration: Duration) -> f64 {
    duration.as_secs_f64() * 1e6
}

/// A machine of two cores whose queue is as wanted; every turn one attempt ends and one starts.
fn decision(what: &str, submissions: Vec<Message>) -> Row {
    let mut scheduler = Scheduler::new(Settings::new(common::machine(2)));
    let first = scheduler.handle(Timestamp(1), submissions);
    let mut running = started(first);
    let turns = 100_000_u32.min(u32::try_from(scheduler.waiting_count()).unwrap_or(u32::MAX));
    let mut now = 1;
    let begin = Instant::now();
    for _ in 0..turns {
        now += 5_000;
        let attempt = running.pop().expect("something runs while something waits");
        let decision = scheduler.handle(Timestamp(now), [ended(attempt, 10)]);
        running.extend(started(decision));
    }
    Row { what: what.into(), figure: begin.elapsed() / turns, aim: Duration::from_micros(10) }
}

fn started(decision: Decision) -> Vec<AttemptId> {
    let starts = decision.commands.into_iter().filter_map(|command| match command {
        Command::Start(batch) => Some(batch.attempts),
        Command::Stop { .. } | Command::Publish { .. } => None,
    });
    starts.flatten().map(|start| start.attempt).collect()
}

fn ended(attempt: AttemptId, wall_ms: u64) -> Message {
    let usage = Usage {
        wall: Duration::from_millis(wall_ms),
        memory_peak: ByteSize::mib(1),
        ..Usage::default()
    };
    Message::AttemptEnded { attempt, usage, outcome: Outcome::Output(Output::inline(*b"out")) }
}

fn submit(job: JobSpec, chunks: u32) -> Message {
    Message::Submit { job: Arc::new(job), chunks: Some(common::chunks(chunks)) }
}

fn one_job(chunks: u32) -> Vec<Message> {
    vec![submit(common::job("job"), chunks)]
}

fn many_jobs(count: u32, tenants: u32) -> Vec<Message> {
    let tenant = |number| TenantName::new(&format!("tenant-{}", number % tenants));
    let job = |number| JobSpec {
        tenant: tenant(number).expect("a plain name"),
        ..common::job(&format!("job-{number}"))
    };
    (0..count).map(|number| submit(job(number), 1)).collect()
}

/// Small work behind large work of many shapes and tenants, which does not fit.
fn many_shapes(count: u32) -> Vec<Message> {
    let large = (0..count).map(|number| {
        let mut job = common::job(&format!("large-{number}"));
        job.tenant = TenantName::new(&format!("tenant-{}", number % 100)).expect("a plain name");
        job.requirements.memory = Some(ByteSize(ByteSize::gib(2).0 - u64::from(number)));
        submit(job, 1)
    });
    let mut small = common::job("small");
    small.priority = 1;
    std::iter::once(submit(small, 100_000)).chain(large).collect()
}

/// Jobs of 20 µs from submission to completion, so many in a turn; and their report.
fn tiny_jobs(turn: u32) -> [Row; 2] {
    let mut messages = many_jobs(200_000, 1);
    messages.reverse();
    let mut scheduler = Scheduler::new(Settings::new(common::machine(2)));
    let mut running = Vec::new();
    let mut events = Vec::new();
    let mut spent = Duration::ZERO;
    let mut now = 1;
    while !messages.is_empty() || !running.is_empty() {
        let fresh = messages.split_off(messages.len().saturating_sub(turn as usize));
        let ends = std::mem::take(&mut running).into_iter().map(|attempt| {
            let usage = Usage { wall: Duration::from_micros(20), ..Usage::default() };
            Message::AttemptEnded { attempt, usage, outcome: Outcome::Output(Output::inline([])) }
        });
        let heard: Vec<_> = ends.chain(fresh).collect();
        now += 1000;
        let begin = Instant::now();
        let decision = scheduler.handle(Timestamp(now), heard);
        spent += begin.elapsed();
        events.extend(decision.events.iter().cloned());
        running = started(decision);
    }
    let records: Vec<_> =
        (1..).zip(events).map(|(seq, event)| Record { seq, at: Timestamp(seq), event }).collect();
    let mut report = Report::new();
    let begin = Instant::now();
    for record in &records {
        report.apply(record);
    }
    let per_record = begin.elapsed() / u32::try_from(records.len()).unwrap_or(u32::MAX);
    [
        Row {
            what: format!("a tiny job, {turn} in a turn"),
            figure: spent / 200_000,
            aim: Duration::from_micros(3),
        },
        Row {
            what: "a record of it in the report".into(),
            figure: per_record,
            aim: Duration::from_nanos(500),
        },
    ]
}
