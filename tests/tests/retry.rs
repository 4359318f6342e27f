//! What failed in a run that ended is taken up again; what succeeded is not run twice.

use std::collections::BTreeSet;
use std::fs;
use std::path::PathBuf;

use pframe_core::fault::Code;
use pframe_core::state::JobState;
use pframe_tests::history::History;
use pframe_tests::program::{Ended, Place};
use serde_json::Value;

/// One chunk of three is no JSON; a component that counts bytes minds nothing.
const STATS: &str = r#"
version: 1
tasks:
  json-stats: { component: json_stats.wasm }
  evil: { component: evil.wasm }
jobs:
  - id: stats
    task_type: json-stats
    input_data: { files: [a.json, b.json, c.json] }
    collect: concat
    on_failure: continue
    max_failed_chunks: 0
    output: { path: out/stats }
  - id: fine
    task_type: evil
    input_data: { text: fine }
    parameters: { do: echo }
    output: { path: out/fine }
  - id: copy
    task_type: evil
    input_data: { jobs: [fine, stats] }
    parameters: { do: echo }
    collect: concat
    output: { path: out/copy }
"#;

const STDIN: &str = r#"
version: 1
tasks: { json-stats: { component: json_stats.wasm } }
jobs:
  - id: piped
    task_type: json-stats
    input_data: { files: ["-"] }
    collect: concat
"#;

/// A large result with a file of its own, and a job on it of which the first chunk fails.
const PUBLISHED: &str = r#"
version: 1
tasks: { evil: { component: evil.wasm }, json-stats: { component: json_stats.wasm } }
jobs:
  - id: a
    task_type: evil
    input_data: { files: [a.json] }
    parameters: { do: echo }
    cache: true
    output: { path: out/a }
  - id: b
    task_type: json-stats
    input_data: { job: a }
    chunking: { strategy: size, size: 1000B, boundary: line }
    collect: concat
    cache: true
    on_failure: continue
    output: { path: out/b }
"#;

fn place() -> Place {
    let place = Place::new();
    place.bring(["json_stats", "evil", "tiny"]);
    place.write("a.json", "{\"a\": 1}\n");
    place.write("b.json", "no json at all\n");
    place.write("c.json", "{\"c\": 3}\n");
    place.write("jobs.yaml", STATS);
    place
}

fn text(place: &Place, name: &str) -> Option<String> {
    place.read(name).map(|bytes| String::from_utf8(bytes).unwrap())
}

fn events(ended: &Ended) -> Vec<Value> {
    let lines = ended.stdout.split(|byte| *byte == b'\n').filter(|line| !line.is_empty());
    lines.map(|line| serde_json::from_slice(line).unwrap()).collect()
}

/// Attempts that were ordered.
fn started(ended: &Ended) -> Vec<String> {
    let started = events(ended).into_iter().filter(|event| event["event"] == "attempt-started");
    started.map(|event| event["attempt"].as_str().unwrap().to_owned()).collect()
}

/// Steps of jobs, without the number of the attempt, that this is said of.
fn steps(ended: &Ended, word: &str) -> BTreeSet<String> {
    let said = events(ended).into_iter().filter(|event| event["event"] == word);
    let step = |event: Value| event["attempt"].as_str()?.split('#').next().map(str::to_owned);
    said.filter_map(step).collect()
}

/// Files of the results store.
fn stored(place: &Place) -> Vec<PathBuf> {
    let folders = fs::read_dir(place.state().join("results")).unwrap().flatten();
    let files = folders.filter(|it| it.file_name() != "tmp").flat_map(|it| fs::read_dir(it.path()));
    files.flatten().flatten().map(|it| it.path()).collect()
}

#[test]
fn only_what_failed_runs_again_and_who_waited_for_it() {
    let place = place();
    let first = place.run(&["run", "jobs.yaml", "--json"]).expect_code(4);
    assert_eq!((text(&place, "out/stats"), text(&place, "out/copy")), (None, None));
    let done = steps(&first, "attempt-succeeded");
    let again = place.run(&["retry", "--failed", "--with", "json-stats=tiny.wasm", "--json"]);
    let again = again.expect_code(0);
    let told = "taking up run 1 of";
    assert!(again.stderr.contains(told) && again.stderr.contains("2 jobs"), "{}", again.stderr);
    let ran = steps(&again, "attempt-started");
    assert!(ran.is_disjoint(&done), "{ran:?} {done:?}");
    for wanted in ["stats/1", "stats/collect", "copy/cut", "copy/0", "copy/1", "copy/collect"] {
        assert!(ran.contains(wanted), "{wanted}: {ran:?}");
    }
    let stats = text(&place, "out/stats").unwrap();
    assert!(stats.contains("15"), "the bytes of the second file: {stats}");
    assert_eq!(text(&place, "out/copy").unwrap(), format!("fine{stats}"));
    let history = History::read(&place.state());
    history.check_done();
    let status = place.run(&["status", "stats"]).expect_code(0);
    let status = String::from_utf8(status.stdout).unwrap();
    let kept = done.iter().filter(|step| step.starts_with("stats/")).count();
    let told = if kept > 0 { format!(", {kept} from the cache") } else { String::new() };
    assert!(status.contains(&format!("3 of 3 done{told}")), "{status}");
}

#[test]
fn what_fails_again_can_be_taken_up_again() {
    let place = place();
    place.run(&["run", "jobs.yaml", "-q"]).expect_code(4);
    for run in ["1", "2"] {
        let ended = place.run(&["retry", "--failed", "-q"]).expect_code(4);
        assert!(ended.stderr.contains(&format!("taking up run {run} ")), "{}", ended.stderr);
    }
    // An older run too.
    place.run(&["retry", "--failed", "1", "--with", "json-stats=tiny.wasm", "-q"]).expect_code(0);
    let ended = place.run(&["retry", "--failed"]).expect_code(0);
    assert!(ended.stderr.contains("nothing failed in run 4"), "{}", ended.stderr);
}

#[test]
fn a_job_that_tolerated_its_failures_is_completed() {
    let place = place();
    place.write("jobs.yaml", STATS.replace("max_failed_chunks: 0", "max_failed_chunks: 1"));
    place.run(&["run", "jobs.yaml", "-q"]).expect_code(0);
    let partial = text(&place, "out/stats").unwrap();
    place.run(&["retry", "--failed", "--with", "json-stats=tiny.wasm", "-q"]).expect_code(0);
    let whole = text(&place, "out/stats").unwrap();
    assert!(whole.len() > partial.len(), "{partial} {whole}");
    assert_eq!(text(&place, "out/copy").unwrap(), format!("fine{whole}"));
}

#[test]
fn large_results_of_a_failed_job_stay_until_they_are_collected_and_gc_takes_the_rest() {
    let place = place();
    let large = r#"
version: 1
tasks: { evil: { component: evil.wasm } }
jobs:
  - id: large
    task_type: evil
    input_data: { files: [a.json, b.json, c.json] }
    parameters: { do: echo }
    chunking: { strategy: none }
    collect: json-array
    output: { path: out/large }
"#;
    place.write("a.json", format!("\"{}\"", "a".repeat(100_000)));
    place.write("c.json", format!("\"{}\"", "c".repeat(100_000)));
    place.write("jobs.yaml", large);
    // Not JSON: what fails is the collecting, after every chunk succeeded.
    place.run(&["run", "jobs.yaml", "-q"]).expect_code(4);
    assert_eq!(stored(&place).len(), 2);
    let ended = place.run(&["retry", "--failed", "--json"]).expect_code(4);
    assert_eq!(started(&ended), ["large/collect#1"]);
    // Without the files they are made again.
    for file in stored(&place) {
        fs::remove_file(file).unwrap();
    }
    let ended = place.run(&["retry", "--failed", "--json"]).expect_code(4);
    assert!(started(&ended).contains(&"large/0#2".to_owned()), "{:?}", started(&ended));
    place.run(&["gc", "--retention-age", "0s"]).expect_code(0);
    assert_eq!(stored(&place).len(), 0);
}

#[test]
fn a_large_input_from_stdin_is_there_when_it_is_taken_up() {
    let place = place();
    place.write("jobs.yaml", STDIN);
    place.run_with(&["run", "jobs.yaml", "-q"], vec![b'x'; 300_000]).expect_code(4);
    let ended = place.run(&["retry", "--failed", "-q", "--with", "json-stats=tiny.wasm"]);
    assert_eq!(ended.expect_code(0).stdout, b"300000");
}

#[test]
fn neither_a_cache_nor_a_published_result_takes_away_what_is_needed_again() {
    let place = place();
    place.write("a.json", format!("{}\n{{\"c\": 3}}\n", "a".repeat(100_000)));
    place.write("jobs.yaml", PUBLISHED);
    place.run(&["run", "jobs.yaml", "-q"]).expect_code(0);
    let ended = place.run(&["retry", "--failed", "--json"]).expect_code(0);
    assert!(ended.stderr.contains("1 job with 1 chunk to run"), "{}", ended.stderr);
    let ran = steps(&ended, "attempt-started");
    assert!(ran.iter().all(|step| ["b/0", "b/1", "b/collect"].contains(&&**step)), "{ran:?}");
    assert_eq!(steps(&ended, "attempt-failed"), BTreeSet::from(["b/0".to_owned()]));
    // A file that is not what it was is made again.
    for file in stored(&place) {
        fs::OpenOptions::new().write(true).open(file).unwrap().set_len(1000).unwrap();
    }
    let ended = place.run(&["retry", "--failed", "1", "--json"]).expect_code(0);
    assert!(steps(&ended, "attempt-succeeded").contains("a/0"));
}

#[test]
fn what_is_no_longer_allowed_or_there_is_refused_and_nothing_is_begun() {
    let place = place();
    place.write("pframe.yaml", "tenants: { default: { grants: [clock] } }\n");
    place.write(
        "jobs.yaml",
        STATS.replace(
            "    collect: concat\n    on_failure",
            "    collect: concat\n    grants: [clock]\n    on_failure",
        ),
    );
    place.run(&["run", "jobs.yaml", "-q"]).expect_code(4);
    let runs = || String::from_utf8(place.run(&["status", "--all"]).stdout).unwrap();
    let before = runs().lines().filter(|line| line.contains("jobs.yaml")).count();
    fs::write(place.path("pframe.yaml"), "tenants: {}\n").unwrap();
    let refused = place.run(&["retry", "--failed"]).expect_code(3);
    assert!(refused.stderr.contains("is not allowed `clock`"), "{}", refused.stderr);
    place.write("pframe.yaml", "tenants: { default: { grants: [clock] } }\n");
    let components = place.state().join("components");
    for file in fs::read_dir(&components).unwrap().flatten() {
        fs::remove_file(file.path()).unwrap();
    }
    let refused = place.run(&["retry", "--failed"]).expect_code(3);
    assert!(refused.stderr.contains("PF201"), "{}", refused.stderr);
    assert_eq!(runs().lines().filter(|line| line.contains("jobs.yaml")).count(), before);
    let mended = ["--with", "json-stats=tiny.wasm", "--with", "evil=evil.wasm"];
    let arguments: Vec<_> = ["retry", "--failed", "-q"].iter().chain(&mended).copied().collect();
    place.run(&arguments).expect_code(0);
}

#[test]
fn a_job_that_was_cancelled_leaves_nothing_to_take_up() {
    let place = place();
    place.write(
        "jobs.yaml",
        STATS.replace("{ do: echo }\n    output: { path: out/fine }", "{ do: sleep }"),
    );
    let mut program = place.start(&["run", "jobs.yaml"]);
    program.wait_for("the sleeper", |event| event["attempt"] == "fine/0#1");
    place.run(&["cancel", "fine"]).expect_code(0);
    program.end().expect_code(4);
    let ended = place.run(&["retry", "--failed", "--json", "--with", "json-stats=tiny.wasm"]);
    let ended = ended.expect_code(0);
    assert!(started(&ended).iter().all(|attempt| attempt.starts_with("stats/")));
}

#[test]
fn a_kill_in_the_middle_of_it_is_gone_on_with() {
    let place = place();
    place.write(
        "jobs.yaml",
        STATS.replace(
            "fine }\n    parameters: { do: echo }",
            "fine }\n    parameters: { do: sleep-ms, n: 300 }",
        ),
    );
    place.run(&["run", "jobs.yaml", "-q"]).expect_code(4);
    let mut program = place.start(&["retry", "--failed", "--with", "json-stats=tiny.wasm"]);
    program.wait_for("the first chunk", |event| event["event"] == "attempt-started");
    program.kill();
    let refused = place.run(&["retry", "--failed"]).expect_code(2);
    assert!(
        refused.stderr.contains("run 2 has not ended; `pframe-host resume 2`"),
        "{}",
        refused.stderr
    );
    let refused = place.run(&["retry", "--failed", "1", "--with", "evil=tiny.wasm"]).expect_code(3);
    assert!(refused.stderr.contains("with other components"), "{}", refused.stderr);
    place.run(&["retry", "--failed", "1", "-q"]).expect_code(0);
    let history = History::read(&place.state());
    history.check_done();
    assert_eq!(history.endings()["copy"], (JobState::Completed, None::<Code>));
}

#[test]
fn wrong_words_are_answered_with_right_ones() {
    let place = place();
    let check = |arguments: &[&str], words: &str| {
        let ended = place.run(arguments).expect_code(2);
        assert!(ended.stderr.contains(words), "{}", ended.stderr);
    };
    check(&["retry", "--failed"], "there is no run that could be taken up again");
    place.run(&["run", "jobs.yaml", "-q"]).expect_code(4);
    check(&["retry"], "--failed");
    check(&["retry", "--failed", "7"], "there is no run 7");
    check(&["retry", "--failed", "--with", "tiny.wasm"], "write TASK=FILE");
    check(&["retry", "--failed", "--with", "nobody=tiny.wasm"], "is of task type `nobody`");
    place.run(&["retry", "--failed", "--with", "json-stats=none.wasm"]).expect_code(3);
    assert_eq!(History::read(&place.state()).endings().len(), 3, "nothing was begun");
}
