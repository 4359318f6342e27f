//! The same handler in every language, and as a WASI command: how long it is compiled, once, and how long it takes to start from then
//! on.
//!
//! Owns: the component of each language, a cache of its own for each run.

use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use pframe_host::Engine;

use crate::setup::{engine, guest, job, median, program, target};
use crate::table::{Row, row};

/// Runs of one measurement; the first warms up.
const RUNS: usize = 11;

/// What the second and the third row of each language are called.
const SECOND_PROCESS: &str = "… `run` of one job, a second process, warm cache";
const ATTEMPT: &str = "… one attempt, a fresh instance";

/// A language: its component, and what its first row is called.
struct Language {
    task: &'static str,
    compiled: &'static str,
}

/// The last is a program that knows nothing of pframe: stdin, stdout, and the same words.
const LANGUAGES: [Language; 5] = [
    Language { task: "top_words", compiled: "handler in Rust: compiled, once" },
    Language { task: "top_words_c", compiled: "handler in C: compiled, once" },
    Language { task: "top_words_javascript", compiled: "handler in JavaScript: compiled, once" },
    Language { task: "top_words_python", compiled: "handler in Python: compiled, once" },
    Language { task: "top_words_command", compiled: "WASI command in Rust: compiled, once" },
];

pub(crate) fn start() -> Vec<Row> {
    LANGUAGES.iter().flat_map(measure).collect()
}

fn measure(language: &Language) -> [Row; 3] {
    let folder = tempfile::tempdir_in(target()).expect("a directory");
    let component = guest(language.task).display().to_string();
    let job_file = folder.path().join("jobs.yaml");
    let text = format!(
        "version: 1\ntasks: {{ words: {{ component: {component} }} }}\n\
         jobs: [ {{ id: one, task_type: words, input_data: {{ text: to be or not to be }} }} ]\n"
    );
    std::fs::write(&job_file, text).expect("room on disk");
    let compiled = call(folder.path(), &["tasks", "compile", &component]);
    let file = job_file.display().to_string();
    let runs = (0..RUNS).map(|_| call(folder.path(), &["run", &file])).collect::<Vec<_>>();
    let engine = engine(Engine::builder().workers(1), language.task);
    let attempts = (0..RUNS).map(|_| attempt(&engine, language.task)).collect::<Vec<_>>();
    let ms = |time: Duration| format!("{:.1} ms", time.as_secs_f64() * 1e3);
    [
        row(language.compiled, ms(compiled), ""),
        row(SECOND_PROCESS, ms(median(runs[1..].to_vec())), ""),
        row(ATTEMPT, ms(median(attempts[1..].to_vec())), ""),
    ]
}

fn call(folder: &Path, arguments: &[&str]) -> Duration {
    let started = Instant::now();
    let status = Command::new(program())
        .args(arguments)
        .arg("--state-dir")
        .arg(folder.join("state"))
        .arg("--cache-dir")
        .arg(folder.join("cache"))
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status()
        .expect("the release build of pframe-host");
    assert!(status.success(), "{arguments:?}");
    started.elapsed()
}

/// From submission to the result.
fn attempt(engine: &Engine, task: &str) -> Duration {
    let started = Instant::now();
    let handle = engine.submit(job("one", task)).expect("an accepted job");
    handle.wait_blocking().expect("a result");
    started.elapsed()
}
