//! Jobs of every kind in one file: that end well and badly, at once and late, small and large, in one piece and in many.
//!
//! Owns: the jobs, and what users see of them at the end, whatever happened in between.

use std::collections::BTreeMap;
use std::fs;

use crate::history::{Endings, History};
use crate::program::Place;

/// Every result by the name of its file, and how every job ended.
pub type Outcome = (BTreeMap<String, Vec<u8>>, Endings);

const JOBS: &str = r#"
version: 1
tasks:
  evil: { component: evil.wasm }
  word-count: { component: word_count.wasm }
  cutter: { component: cutter.wasm }
  command: { component: command.wasm }
jobs:
  - id: plain
    task_type: evil
    input_data: { files: [text.txt] }
    parameters: { do: echo }
    output: { path: out/plain }
  - id: words
    task_type: word-count
    input_data: { files: [text.txt] }
    chunking: { strategy: size, size: 1KiB, boundary: line }
    output: { path: out/words }
  - id: slow
    task_type: evil
    input_data: { files: ["many/?.txt"] }
    parameters: { do: sleep-ms, n: 20 }
    output: { path: out/slow }
  - id: unsteady
    task_type: evil
    input_data: { text: abc }
    parameters: { do: transient-until, n: 3 }
    max_retries: 5
  - id: big
    task_type: evil
    input_data: { text: abc }
    parameters: { do: write-one, n: 500000 }
    output: { path: out/big }
  - id: failing
    task_type: evil
    input_data: { files: ["many/?.txt"] }
    parameters: { do: permanent }
    output: { path: out/failing }
  - id: trapping
    task_type: evil
    input_data: { text: abc }
    parameters: { do: panic }
  - id: endless
    task_type: evil
    input_data: { text: abc }
    parameters: { do: spin }
    timeout: 100ms
    max_retries: 0
  - id: cut
    task_type: cutter
    input_data: { files: [text.txt] }
    parameters: { cut: size, n: 300 }
    chunking: { strategy: custom }
    output: { path: out/cut }
  - id: joined
    task_type: command
    input_data: { files: ["many/*.txt"] }
    output: { path: out/joined }
  - id: of-big
    task_type: evil
    input_data: { job: big }
    parameters: { do: echo }
    chunking: { strategy: size, size: 64KiB, boundary: byte }
    output: { path: out/of-big }
  - id: of-two
    task_type: word-count
    input_data: { jobs: [plain, of-big] }
    depends_on: slow
    chunking: { strategy: size, size: 8KiB, boundary: byte }
    output: { path: out/of-two }
  - id: in-vain
    task_type: evil
    input_data: { job: failing }
    parameters: { do: echo }
"#;

/// A place with the jobs in `jobs.yaml`.
pub fn mixed() -> Place {
    let place = Place::new();
    place.bring(["evil", "word_count", "cutter", "command"]);
    place.write("jobs.yaml", JOBS);
    place.write("text.txt", "to be or not to be\nthat is the question\n".repeat(800));
    for number in 0..10 {
        place.write(&format!("many/{number}.txt"), "line\n".repeat(number));
    }
    place
}

/// Everything that users see at the end: every result, and how every job ended.
///
/// # Panics
///
/// Where there is no journal.
pub fn outcome(place: &Place) -> Outcome {
    let files = fs::read_dir(place.path("out")).into_iter().flatten().flatten();
    let results = files.map(|file| {
        let name = file.file_name().to_string_lossy().into_owned();
        (name, fs::read(file.path()).unwrap())
    });
    (results.collect(), History::read(&place.state()).endings())
}

/// The same of a run that nobody disturbs.
///
/// # Panics
///
/// Where that does not end as it should.
pub fn undisturbed() -> Outcome {
    let place = mixed();
    place.run(&["run", "jobs.yaml", "-q"]).expect_code(4);
    History::read(&place.state()).check_done();
    outcome(&place)
}
