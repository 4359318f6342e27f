//! Word count on real megabytes: the sandbox against native code, one worker against two.
//!
//! Owns: throughput, speed-up, use of the processors, and the host's share of memory.

use std::path::Path;
use std::time::{Duration, Instant};

use pframe_host::core::job::{Boundary, Chunking, InputRequest};
use pframe_host::core::units::ByteSize;
use pframe_host::{Engine, Job};
use word_count::Counter;

use crate::setup::{cpu_time, engine, job, median, resident_bytes};
use crate::table::{Row, row};

const MIB: usize = 1 << 20;
const INPUT_MIB: usize = 128;
const ROUNDS: usize = 5;

pub(crate) fn throughput() -> Vec<Row> {
    let directory = tempfile::tempdir_in(crate::setup::target()).expect("a directory");
    let input = directory.path().join("words.txt");
    std::fs::write(&input, text(INPUT_MIB * MIB)).expect("room on disk");
    let before = resident_bytes();
    let one = engine(Engine::builder().workers(1), "word_count");
    let two = engine(Engine::builder().workers(2), "word_count");
    count(&one, &input);
    let (mut shares, mut speed_ups, mut uses) = (Vec::new(), Vec::new(), Vec::new());
    let (mut natives, mut ones) = (Vec::new(), Vec::new());
    for _ in 0..ROUNDS {
        let native = native(&input);
        let on_one = count(&one, &input);
        let cpu = cpu_time();
        let on_two = count(&two, &input);
        let used = cpu_time().saturating_sub(cpu).as_secs_f64() / on_two.as_secs_f64() / 2.0;
        shares.push(native.as_secs_f64() / on_one.as_secs_f64());
        speed_ups.push(on_one.as_secs_f64() / on_two.as_secs_f64());
        uses.push(used * 100.0);
        natives.push(native);
        ones.push(on_one);
    }
    let host = resident_bytes().saturating_sub(before);
    vec![
        row("word count, native, one thread", rate(&natives), ""),
        row("word count, sandbox, one worker", rate(&ones), ""),
        row("… share of native speed per core", format!("{:.2} ×", middle(shares)), "≥ 0.7 ×"),
        row("speed-up from one worker to two", format!("{:.2} ×", middle(speed_ups)), "≥ 1.9 ×"),
        row("processors in use at full load", format!("{:.0} %", middle(uses)), "> 80 %"),
        row(
            "host memory beside 128 MiB of work",
            format!("{} MiB", host >> 20),
            "< 10 % of what jobs use",
        ),
    ]
}

/// The same input counted, and taken from the cache of results.
pub(crate) fn taken_again() -> Vec<Row> {
    let directory = tempfile::tempdir_in(crate::setup::target()).expect("a directory");
    let input = directory.path().join("words.txt");
    std::fs::write(&input, text(INPUT_MIB * MIB)).expect("room on disk");
    let state = directory.path().join("state");
    let engine = engine(Engine::builder().workers(2).state_dir(state), "word_count");
    let counted = count(&engine, &input);
    let again = |kept: bool| run(&engine, Job { cache: Some(kept), ..on(&input) });
    again(true);
    let taken: Vec<_> = (0..ROUNDS).map(|_| again(true)).collect();
    let times = counted.as_secs_f64() / median(taken.clone()).as_secs_f64();
    vec![
        row("word count, taken from the cache, two workers", rate(&taken), ""),
        row("… as fast as counting, times", format!("{times:.1} ×"), ""),
    ]
}

/// Text of about `length` bytes with a vocabulary like that of a long novel, from a fixed seed.
fn text(length: usize) -> Vec<u8> {
    let mut state: u64 = 7;
    let mut next = move || {
        state =
            state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        state >> 33
    };
    let mut text = Vec::with_capacity(length + 64);
    while text.len() < length {
        // Zipf-like: small numbers are common.
        let rank = (next() % 150) * (next() % 150) * (next() % 2 + 1) / 4;
        let mut word = rank * 7919 + 26;
        while word > 0 {
            text.push(b'a' + u8::try_from(word % 26).expect("below 26"));
            word /= 26;
        }
        text.push(if next() % 12 == 0 { b'\n' } else { b' ' });
    }
    text
}

fn native(input: &Path) -> Duration {
    let started = Instant::now();
    let bytes = std::fs::read(input).expect("the input was written");
    let mut counter = Counter::new();
    for block in bytes.chunks(MIB) {
        counter.feed(block);
    }
    assert!(counter.finish().distinct() > 1000);
    started.elapsed()
}

fn count(engine: &Engine, input: &Path) -> Duration {
    run(engine, on(input))
}

fn on(input: &Path) -> Job {
    let mut job = job("words", "word_count");
    job.input = InputRequest::Files(vec![input.display().to_string().into()]);
    job.chunking = Some(Chunking::Size { size: ByteSize::mib(4), boundary: Boundary::Line });
    job
}

fn run(engine: &Engine, job: Job) -> Duration {
    let started = Instant::now();
    engine.submit(job).expect("a valid job").wait_blocking().expect("it completes");
    started.elapsed()
}

fn rate(times: &[Duration]) -> String {
    #[expect(clippy::cast_precision_loss, reason = "a small number")]
    let rate = INPUT_MIB as f64 / median(times.to_vec()).as_secs_f64();
    format!("{rate:.0} MiB/s")
}

fn middle(mut figures: Vec<f64>) -> f64 {
    figures.sort_by(f64::total_cmp);
    figures[figures.len() / 2]
}
