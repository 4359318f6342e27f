//! Results that are there already: taken where everything that a handler sees is the same, and by nobody else.

use std::fs;
use std::path::{Path, PathBuf};

use pframe_tests::program::Place;
use serde_json::Value;

/// Bytes that are random by job and chunk: two jobs write the same only where the second did not run.
const RANDOM: &str = r#"
version: 1
tasks:
  evil: { component: evil.wasm }
jobs:
  - id: first
    task_type: evil
    input_data: { files: ["in/*.txt"] }
    parameters: { do: random-hex }
    collect: concat
    cache: true
    output: { path: out }
"#;
/// The same by another job.
const AGAIN: &[(&str, &str)] = &[("id: first", "id: again")];

fn place() -> Place {
    let place = Place::new();
    place.bring(["evil", "cutter", "word_count"]);
    place.write("in/a.txt", "one");
    place.write("in/b.txt", "two");
    place
}

/// What a run made, and how many of its attempts made nothing because it was there.
#[derive(Debug, PartialEq)]
struct Made {
    result: String,
    attempts: usize,
    cached: usize,
}

/// Runs a job file that was changed a little.
#[track_caller]
fn run(place: &Place, text: &str, changes: &[(&str, &str)], flags: &[&str]) -> Made {
    let mut text = text.to_owned();
    for (from, to) in changes {
        assert!(text.contains(from), "{from}");
        text = text.replace(from, to);
    }
    place.write("jobs.yaml", text);
    let arguments: Vec<_> = ["run", "jobs.yaml", "--json"].iter().chain(flags).copied().collect();
    let ended = place.run(&arguments).expect_code(0);
    let events = ended.stdout.split(|byte| *byte == b'\n').filter(|line| !line.is_empty());
    let events: Vec<Value> = events.map(|line| serde_json::from_slice(line).unwrap()).collect();
    let succeeded = |event: &&Value| {
        matches!(event["event"].as_str(), Some("attempt-succeeded" | "cut-succeeded"))
    };
    let succeeded: Vec<_> = events.iter().filter(succeeded).collect();
    let cached = succeeded.iter().filter(|event| event["usage"]["is_cached"] == true).count();
    let result = String::from_utf8(place.read("out").unwrap()).unwrap();
    Made { result, attempts: succeeded.len(), cached }
}

/// The files of kept results.
fn kept(place: &Place) -> Vec<PathBuf> {
    fn below(folder: &Path, found: &mut Vec<PathBuf>) {
        for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
            match entry.file_type().unwrap().is_dir() {
                true => below(&entry.path(), found),
                false => found.push(entry.path()),
            }
        }
    }
    let mut found = Vec::new();
    below(&place.state().join("cache"), &mut found);
    found
}

#[test]
fn what_ran_before_is_not_run_again_by_any_job_of_the_tenant() {
    let place = place();
    let first = run(&place, RANDOM, &[], &[]);
    assert_eq!((first.attempts, first.cached), (3, 0), "two chunks, and the host's collecting");
    let again = run(&place, RANDOM, AGAIN, &[]);
    assert_eq!(again, Made { cached: 2, ..first });
    let status = place.run(&["status", "again"]).expect_code(0);
    let status = String::from_utf8(status.stdout).unwrap();
    assert!(status.contains("2 of 2 done, 2 from the cache"), "{status}");
}

#[test]
fn who_does_not_ask_neither_takes_nor_keeps() {
    let place = place();
    let first = run(&place, RANDOM, &[("cache: true", "cache: false")], &[]);
    assert_eq!(kept(&place).len(), 0);
    run(&place, RANDOM, &[], &[]);
    let other = run(&place, RANDOM, &[("id: first", "id: again"), ("    cache: true\n", "")], &[]);
    assert_eq!(other.cached, 0);
    assert_ne!(other.result, first.result);
}

#[test]
fn another_byte_name_parameter_component_grant_or_tenant_is_other_work() {
    let place = place();
    place.write(
        "pframe.yaml",
        "tenants: { default: { grants: ['env: WORD', clock] }, other: { grants: [] } }\n",
    );
    run(&place, RANDOM, &[], &[]);
    let same = |changes: &[(&str, &str)]| {
        let changes: Vec<_> = AGAIN.iter().chain(changes).copied().collect();
        run(&place, RANDOM, &changes, &[]).cached
    };
    assert_eq!(same(&[]), 2);
    assert_eq!(same(&[("random-hex", "random-hex, n: 2")]), 0);
    assert_eq!(same(&[("cache: true", "cache: true\n    tenant: other")]), 0);
    assert_eq!(same(&[("cache: true", "cache: true\n    grants: [clock]")]), 0);
    assert_eq!(
        same(&[(
            "cache: true",
            "cache: true\n    chunking: { strategy: size, size: 2B, boundary: byte }"
        )]),
        0
    );
    // The limits, the priority and the retries are not seen by a handler that ends well.
    assert_eq!(
        same(&[("cache: true", "cache: true\n    limits: { fuel: 5G }\n    priority: 3")]),
        2
    );
    // The same handler with a note at its end: not the same component.
    let note = b"\x00\x05\x04note";
    place.write("other.wasm", [&fs::read(place.path("evil.wasm")).unwrap(), &note[..]].concat());
    assert_eq!(same(&[("evil.wasm", "other.wasm")]), 0);
    place.write("in/a.txt", "One");
    assert_eq!(same(&[]), 1, "one file is another, the other is not");
    fs::rename(place.path("in/b.txt"), place.path("in/c.txt")).unwrap();
    assert_eq!(same(&[]), 1);
}

#[test]
fn the_value_of_a_granted_variable_is_part_of_what_a_handler_sees() {
    let place = place();
    place.write("pframe.yaml", "tenants: { default: { grants: ['env: WORD'] } }\n");
    let text = RANDOM.replace("cache: true", "cache: true\n    grants: ['env: WORD']");
    place.write("jobs.yaml", &text);
    let cached = |word: &str| {
        let ended = place.run_in(&["run", "jobs.yaml", "--json"], ("WORD", word)).expect_code(0);
        String::from_utf8(ended.stdout).unwrap().matches("\"is_cached\":true").count()
    };
    assert_eq!([cached("one"), cached("one"), cached("two"), cached("one")], [0, 2, 0, 2]);
}

#[test]
fn a_new_file_leaves_the_results_of_the_others_unless_the_handler_asks_for_its_place() {
    let place = place();
    // The second asks for its index.
    for (deed, cached) in [("random-hex", 2), ("confess, n: 99", 0)] {
        let text = RANDOM.replace("random-hex", deed);
        let _ = fs::remove_file(place.path("in/0.txt"));
        run(&place, &text, &[], &[]);
        assert_eq!(run(&place, &text, AGAIN, &[]).cached, 2, "{deed}");
        place.write("in/0.txt", "new, and before the others");
        assert_eq!(run(&place, &text, &[], &[]).cached, cached, "{deed}");
    }
}

#[test]
fn a_handler_that_asks_for_its_job_is_told_its_own() {
    let place = place();
    let text = RANDOM.replace("random-hex", "describe");
    let first = run(&place, &text, &[], &[]);
    let other = run(&place, &text, AGAIN, &[]);
    assert_eq!(other.cached, 0);
    assert!(first.result.contains("job first") && other.result.contains("job again"));
    assert_eq!(run(&place, &text, &[], &[]), Made { cached: 2, ..first });
}

#[test]
fn no_cache_runs_everything_and_what_it_makes_is_the_newer_result() {
    let place = place();
    let first = run(&place, RANDOM, &[], &[]);
    let renewed = run(&place, RANDOM, AGAIN, &["--no-cache"]);
    assert_eq!(renewed.cached, 0);
    assert_ne!(renewed.result, first.result);
    let taken = run(&place, RANDOM, &[], &[]);
    assert_eq!((taken.cached, taken.result), (2, renewed.result));
}

#[test]
fn cleared_results_run_again() {
    let place = place();
    run(&place, RANDOM, &[], &[]);
    let shown = place.run(&["cache", "show"]).expect_code(0);
    let shown = String::from_utf8(shown.stdout).unwrap();
    assert!(shown.contains("default") && shown.contains('2'), "{shown}");
    let told = place.run(&["cache", "clear", "--tenant", "other"]).expect_code(0).stderr;
    assert!(told.contains("removed 0 results"), "{told}");
    assert_eq!(kept(&place).len(), 2);
    let told = place.run(&["cache", "clear"]).expect_code(0).stderr;
    assert!(told.contains("removed 2 results"), "{told}");
    assert_eq!(kept(&place).len(), 0);
    assert_eq!(run(&place, RANDOM, AGAIN, &[]).cached, 0);
}

#[test]
fn a_damaged_or_empty_file_is_run_again_and_replaced() {
    let place = place();
    let first = run(&place, RANDOM, &[], &[]);
    let files = kept(&place);
    fs::write(&files[0], "").unwrap();
    let mut bytes = fs::read(&files[1]).unwrap();
    *bytes.last_mut().unwrap() ^= 1;
    fs::write(&files[1], bytes).unwrap();
    let again = run(&place, RANDOM, AGAIN, &[]);
    assert_eq!(again.cached, 0);
    assert_ne!(again.result, first.result);
    assert_eq!(run(&place, RANDOM, &[], &[]).cached, 2);
}

#[test]
fn what_failed_or_was_stopped_is_not_kept() {
    let place = place();
    for deed in ["invalid", "spin"] {
        let text = RANDOM.replace("random-hex", deed);
        let text = text.replace("cache: true", "cache: true\n    limits: { fuel: 1M }");
        place.write("jobs.yaml", text);
        for _ in 0..2 {
            place.run(&["run", "jobs.yaml", "-q"]).expect_code(4);
        }
        assert_eq!(kept(&place).len(), 0, "{deed}");
    }
}

#[test]
fn a_result_that_is_larger_than_the_job_may_write_is_not_taken() {
    let place = place();
    run(&place, RANDOM, &[], &[]);
    let small = RANDOM.replace("cache: true", "cache: true\n    limits: { output: 10B }");
    place.write("jobs.yaml", small);
    let ended = place.run(&["run", "jobs.yaml", "-q"]).expect_code(4);
    assert!(ended.stderr.contains("PF306"), "{}", ended.stderr);
}

#[test]
fn a_large_result_a_chunker_and_a_collector_are_taken_too() {
    let place = place();
    let large = RANDOM.replace("do: random-hex", "do: write-one, n: 300000");
    let first = run(&place, &large, &[], &[]);
    assert_eq!(run(&place, &large, AGAIN, &[]), Made { cached: 2, ..first });
    let count = RANDOM
        .replace("evil: { component: evil.wasm }", "word-count: { component: word_count.wasm }")
        .replace("task_type: evil", "task_type: word-count")
        .replace("{ do: random-hex }", "{}")
        .replace("    collect: concat\n", "");
    let first = run(&place, &count, &[], &[]);
    assert_eq!(run(&place, &count, AGAIN, &[]), Made { cached: 3, ..first });
    let cut = RANDOM
        .replace("evil: { component: evil.wasm }", "cutter: { component: cutter.wasm }")
        .replace("task_type: evil", "task_type: cutter")
        .replace("{ do: random-hex }", "{}")
        .replace("collect: concat", "collect: concat\n    chunking: { strategy: custom }");
    let first = run(&place, &cut, &[], &[]);
    let again = run(&place, &cut, AGAIN, &[]);
    assert_eq!(again.cached, again.attempts - 1, "all but the host's joining: {again:?}");
    assert_eq!(again.result, first.result);
    // Both stand on every file: where the last changed, they are asked anew.
    place.write("in/b.txt", "three words more");
    let changed = run(&place, &count, AGAIN, &[]);
    assert_eq!(changed.cached, 1, "the other file's chunk: {changed:?}");
    assert_eq!(changed.result, run(&place, &count, AGAIN, &["--no-cache"]).result);
    let changed = run(&place, &cut, AGAIN, &[]);
    assert_eq!(changed.result, run(&place, &cut, AGAIN, &["--no-cache"]).result);
    assert_ne!(changed.result, first.result);
    // No file of the results store is left that nobody stands on.
    let results = fs::read_dir(place.state().join("results")).unwrap().flatten();
    let stored = results
        .filter(|it| it.file_name() != "tmp")
        .flat_map(|it| fs::read_dir(it.path()).unwrap());
    assert_eq!(stored.count(), 0);
}

#[test]
fn a_kill_leaves_whole_results_or_none() {
    let place = place();
    let text = RANDOM.replace("do: random-hex", "do: echo");
    let names: Vec<_> = (10..40).map(|number| format!("in/{number}.txt")).collect();
    names.iter().for_each(|name| place.write(name, name));
    let expected = format!("{}onetwo", names.concat());
    place.write("jobs.yaml", &text);
    let mut program = place.start(&["run", "jobs.yaml"]);
    program.wait_for("a chunk", |event| event["event"] == "attempt-succeeded");
    program.kill();
    place.run(&["resume", "-q"]).expect_code(0);
    assert_eq!(run(&place, &text, AGAIN, &[]).result, expected);
    let last = run(&place, &text, &[], &[]);
    assert_eq!((last.cached, last.result), (32, expected));
}

#[test]
fn an_engine_without_a_state_directory_says_that_it_cannot_keep_results() {
    use pframe_tests::house::{house, job};
    let job = pframe_host::Job { cache: Some(true), ..job("tiny", "input") };
    let fault = house().engine.submit(job).unwrap_err();
    assert!(fault.detail.contains("needs a state directory"), "{fault}");
}

#[test]
fn a_plan_says_what_is_not_looked_at_before_a_result_is_taken() {
    let place = place();
    place.write("pframe.yaml", "tenants: { default: { grants: [clock] } }\n");
    place.write("jobs.yaml", RANDOM.replace("cache: true", "cache: true\n    grants: [clock]"));
    let plan = place.run(&["plan", "jobs.yaml"]).expect_code(0);
    let plan = String::from_utf8(plan.stdout).unwrap();
    assert!(plan.contains("an earlier result is taken whatever `clock` would say now"), "{plan}");
}
