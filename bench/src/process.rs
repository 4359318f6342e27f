//! `pframe-host run` of one tiny job as a fresh process with a warm cache.
//!
//! Owns: the time from `exec` to exit.

use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use crate::setup::{guest, median, program, target};
use crate::table::{Row, row};

const RUNS: usize = 21;

pub(crate) fn fresh() -> Vec<Row> {
    let directory = tempfile::tempdir_in(target()).expect("a directory");
    let job_file = directory.path().join("jobs.yaml");
    let component = guest("tiny").display().to_string();
    let text = format!(
        "version: 1\ntasks: {{ tiny: {{ component: {component} }} }}\n\
         jobs: [ {{ id: one, task_type: tiny, input_data: {{ text: hello }} }} ]\n"
    );
    std::fs::write(&job_file, text).expect("room on disk");
    let times: Vec<Duration> = (0..RUNS).map(|_| run(&job_file, directory.path())).collect();
    let figure = format!("{:.1} ms", median(times[1..].to_vec()).as_secs_f64() * 1e3);
    vec![row("`run` of one tiny job, fresh process, warm cache", figure, "≤ 20 ms")]
}

fn run(job_file: &std::path::Path, state: &std::path::Path) -> Duration {
    let started = Instant::now();
    let status = Command::new(program())
        .arg("run")
        .arg(job_file)
        .arg("--state-dir")
        .arg(state.join("state"))
        .arg("--cache-dir")
        .arg(state.join("cache"))
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status()
        .expect("the release build of pframe-host");
    assert!(status.success(), "the tiny job completes");
    started.elapsed()
}
