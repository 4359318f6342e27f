//! A chunk that failed for good is kept, and fails again in the same way wherever it is taken.

use std::fs;
use std::path::{Path, PathBuf};

use pframe_tests::program::{Ended, Place};
use pframe_tests::sound::{turns, wav};
use serde_json::{Value, json};

/// Every chunk but the first fails, and says everything that it saw.
const CONFESS: &str = r#"
version: 1
tasks:
  evil: { component: evil.wasm }
jobs:
  - id: first
    task_type: evil
    input_data: { text: "any" }
    parameters: { do: echo }
  - id: confess
    task_type: evil
    input_data: { files: [in.txt] }
    parameters: { do: confess, n: 1 }
    chunking: { strategy: size, size: 10B, boundary: line }
    on_failure: continue
    limits: { fuel: 100M, output: 1KiB }
"#;

fn place() -> Place {
    let place = Place::new();
    place.bring(["evil", "tiny", "command"]);
    place.write("in.txt", "the first\nthe second\nthe third\nthe last\n");
    place.write("jobs.yaml", CONFESS);
    place
}

/// The bundles of a job, in order.
fn kept(place: &Place, run: i64, job: &str) -> Vec<PathBuf> {
    let folder = place.state().join(format!("dead-letters/{run}/{job}"));
    let mut kept: Vec<_> =
        fs::read_dir(folder).into_iter().flatten().flatten().map(|it| it.path()).collect();
    kept.sort();
    kept
}

/// Runs that have bundles.
fn runs(place: &Place) -> usize {
    let folders = fs::read_dir(place.state().join("dead-letters")).unwrap().flatten();
    folders.filter(|it| it.file_name() != ".tmp").count()
}

fn description(bundle: &Path) -> Value {
    serde_json::from_slice(&fs::read(bundle.join("bundle.json")).unwrap()).unwrap()
}

#[track_caller]
fn replay(place: &Place, bundle: &Path, flags: &[&str]) -> Ended {
    let bundle = bundle.to_str().unwrap();
    let arguments: Vec<_> = ["replay", bundle].iter().chain(flags).copied().collect();
    place.run(&arguments)
}

/// Replays, and looks at the answer in JSON.
#[track_caller]
fn is_same(place: &Place, bundle: &Path) -> bool {
    let ended = replay(place, bundle, &["--json"]).expect_code(4);
    let answer: Value = serde_json::from_slice(&ended.stdout).unwrap();
    assert_eq!(answer["fault"]["guest_message"], answer["recorded"]["guest_message"]);
    answer["is_same"] == true
}

#[test]
fn every_chunk_that_failed_is_kept_and_sees_the_same_when_it_is_replayed() {
    let place = place();
    let ended = place.run(&["run", "jobs.yaml", "-q"]).expect_code(0);
    let bundles = kept(&place, 1, "confess");
    assert_eq!(bundles.len(), 3);
    let told =
        format!("job confess: 3 failed chunks kept; `pframe-host replay {}`", bundles[0].display());
    assert!(ended.stderr.contains(&told), "{}", ended.stderr);
    let second = description(&bundles[0]);
    assert_eq!(fs::read(bundles[0].join("chunk")).unwrap(), b"the second\n");
    let shown = ["attempt", "task", "tenant", "seed"].map(|key| second[key].as_str().unwrap());
    assert_eq!(shown, ["confess/1#1", "evil", "default", "confess/1"]);
    assert_eq!(second["parameters"], r#"{"do":"confess","n":1}"#);
    assert_eq!(second["limits"]["fuel"], 100_000_000);
    assert!(bundles.iter().all(|bundle| is_same(&place, bundle)));
    let ended = replay(&place, &bundles[0], &[]).expect_code(4);
    assert!(ended.stderr.contains("the same end as recorded: PF310"), "{}", ended.stderr);
    let explained = place.run(&["explain", "confess/1#1"]).expect_code(0);
    let explained = String::from_utf8(explained.stdout).unwrap();
    assert!(explained.contains("kept: `pframe-host replay"), "{explained}");
}

#[test]
fn a_bundle_is_all_that_is_needed_and_is_not_changed() {
    let place = place();
    place.run(&["run", "jobs.yaml", "-q"]).expect_code(0);
    let elsewhere = Place::new();
    let bundle = elsewhere.path("carried away");
    fs::create_dir(&bundle).unwrap();
    for file in fs::read_dir(&kept(&place, 1, "confess")[1]).unwrap().flatten() {
        fs::copy(file.path(), bundle.join(file.file_name())).unwrap();
    }
    let before = description(&bundle);
    drop(place);
    assert!(is_same(&elsewhere, &bundle));
    assert!(!elsewhere.state().exists(), "nothing is written");
    assert_eq!(description(&bundle), before);
    assert_eq!(fs::read_dir(&bundle).unwrap().count(), 3);
}

#[test]
fn limits_traps_and_commands_end_again_as_they_did() {
    let place = place();
    let check = |task: &str, parameters: Value, code: &str| {
        let job = json!({
            "version": 1,
            "tasks": { task: { "component": format!("{task}.wasm") } },
            "jobs": [{
                "id": "job", "task_type": task, "input_data": { "text": "one\ntwo\n" },
                "parameters": parameters,
                "limits": { "fuel": "1G", "memory": "64MiB", "output": "10KB" },
            }],
        });
        place.write("job.json", job.to_string());
        place.run(&["run", "job.json", "-q"]).expect_code(4);
        let bundle = kept(&place, i64::try_from(runs(&place)).unwrap(), "job");
        assert_eq!(description(&bundle[0])["fault"]["code"], code);
        let ended = replay(&place, &bundle[0], &[]).expect_code(4);
        assert!(ended.stderr.contains("the same end as recorded"), "{}", ended.stderr);
    };
    check("evil", json!({ "do": "spin" }), "PF302");
    check("evil", json!({ "do": "alloc-abort" }), "PF304");
    check("evil", json!({ "do": "panic" }), "PF301");
    check("evil", json!({ "do": "write-one", "n": 20_000 }), "PF306");
    check("evil", json!({ "do": "invalid" }), "PF308");
    check("command", json!({ "exit": 3, "say": "no more" }), "PF310");
}

#[test]
fn a_component_that_was_mended_is_tried_on_what_failed() {
    let place = place();
    place.run(&["run", "jobs.yaml", "-q"]).expect_code(0);
    let ended = replay(&place, &kept(&place, 1, "confess")[0], &["--component", "tiny.wasm"]);
    let ended = ended.expect_code(0);
    assert_eq!(ended.stdout, b"11");
    assert!(ended.stderr.contains("it ended well; recorded was PF310"), "{}", ended.stderr);
}

#[test]
fn what_worked_on_a_result_of_another_job_or_on_large_bytes_is_kept_too() {
    let place = place();
    place.write(
        "jobs.yaml",
        r#"
version: 1
tasks: { evil: { component: evil.wasm } }
jobs:
  - id: large
    task_type: evil
    input_data: { text: x }
    parameters: { do: write-one, n: 3000000 }
  - id: on-large
    task_type: evil
    input_data: { job: large }
    parameters: { do: confess }
    chunking: { strategy: size, size: 1000000B, boundary: byte }
    on_failure: continue
"#,
    );
    place.run(&["run", "jobs.yaml", "-q"]).expect_code(4);
    let bundles = kept(&place, 1, "on-large");
    assert_eq!(bundles.len(), 3);
    assert_eq!(fs::metadata(bundles[2].join("chunk")).unwrap().len(), 1_000_000);
    assert!(is_same(&place, &bundles[2]));
}

#[test]
fn a_piece_of_a_recording_is_heard_again_sample_for_sample() {
    let place = place();
    // What its name says of it is not what it is: the samples are what was kept.
    place.write("talk.mp3", wav(&turns(&[1500, 400, 1500, 400, 1500]), 16_000, 1));
    place.write(
        "jobs.yaml",
        r#"
version: 1
tasks: { evil: { component: evil.wasm } }
jobs:
  - id: talk
    task_type: evil
    input_data: { files: [talk.mp3] }
    parameters: { do: confess }
    chunking: { strategy: time, length: 2s }
    on_failure: continue
"#,
    );
    place.run(&["run", "jobs.yaml", "-q"]).expect_code(4);
    let bundles = kept(&place, 1, "talk");
    assert!(bundles.len() > 1, "{bundles:?}");
    for bundle in &bundles {
        assert!(is_same(&place, bundle), "{}", bundle.display());
    }
}

#[test]
fn what_ended_for_want_of_a_job_is_not_kept() {
    let place = place();
    let sleep = CONFESS.replace("{ do: confess, n: 1 }", "{ do: sleep }");
    place.write("jobs.yaml", sleep);
    let mut program = place.start(&["run", "jobs.yaml"]);
    program.wait_for("a sleeper", |event| event["attempt"] == "confess/0#1");
    place.run(&["cancel", "confess"]).expect_code(0);
    program.end().expect_code(4);
    assert_eq!(kept(&place, 1, "confess").len(), 0);
}

#[test]
fn what_a_killed_host_did_not_keep_is_kept_when_its_run_goes_on() {
    let place = place();
    let text = CONFESS.replace("{ do: echo }", "{ do: sleep-ms, n: 500 }");
    place.write("jobs.yaml", text);
    let mut program = place.start(&["run", "jobs.yaml"]);
    program.wait_for("a failure", |event| event["event"] == "attempt-failed");
    program.kill();
    let _ = fs::remove_dir_all(place.state().join("dead-letters"));
    place.run(&["resume", "-q"]).expect_code(0);
    let bundles = kept(&place, 1, "confess");
    assert_eq!(bundles.len(), 3);
    assert!(is_same(&place, &bundles[0]));
}

#[test]
fn what_an_earlier_life_kept_counts() {
    let place = place();
    let text = CONFESS.replace("{ do: echo }", "{ do: sleep-ms, n: 500 }");
    place.write("jobs.yaml", text);
    let mut program = place.start(&["run", "jobs.yaml", "--dead-letter-bytes-max", "21B"]);
    program.wait_for("the job's end", |event| event["event"] == "job-completed");
    program.kill();
    let before = kept(&place, 1, "confess").len();
    place.run(&["resume", "-q", "--dead-letter-bytes-max", "21B"]).expect_code(0);
    assert!(before <= 2 && kept(&place, 1, "confess").len() == 2);
}

#[test]
fn no_more_bytes_are_kept_than_the_operator_says_and_gc_takes_them() {
    let place = place();
    place.run(&["run", "jobs.yaml", "-q", "--dead-letter-bytes-max", "21B"]).expect_code(0);
    assert_eq!(kept(&place, 1, "confess").len(), 2);
    let told = place.run(&["gc", "--retention-age", "0s"]).expect_code(0).stdout;
    let told = String::from_utf8(told).unwrap();
    assert!(told.contains("chunks"), "{told}");
    assert_eq!(runs(&place), 0);
}

#[test]
fn a_bundle_gets_no_more_than_the_operator_allows_here() {
    let place = place();
    place.write("pframe.yaml", "tenants: { default: { grants: [clock] } }\n");
    place.write("jobs.yaml", CONFESS.replace("limits:", "grants: [clock]\n    limits:"));
    place.run(&["run", "jobs.yaml", "-q"]).expect_code(0);
    let bundle = &kept(&place, 1, "confess")[0];
    fs::remove_file(place.path("pframe.yaml")).unwrap();
    let ended = replay(&place, bundle, &[]).expect_code(3);
    assert!(ended.stderr.contains("is not allowed `clock`"), "{}", ended.stderr);
    let ended = replay(&place, bundle, &["--memory-per-job", "64MiB"]).expect_code(3);
    assert!(ended.stderr.contains("PF"), "{}", ended.stderr);
}

/// A pipe that nobody writes to.
fn instead(path: &Path) {
    use rustix::fs::{CWD, FileType, Mode, mknodat};
    fs::remove_file(path).unwrap();
    mknodat(CWD, path, FileType::Fifo, Mode::from(0o600), 0).unwrap();
}

#[test]
fn words_of_a_stranger_steer_no_terminal() {
    let place = place();
    place.run(&["run", "jobs.yaml", "-q"]).expect_code(0);
    let bundle = kept(&place, 1, "confess").remove(0);
    let mut changed = description(&bundle);
    changed["fault"]["guest_message"] = json!("\u{1b}]0;owned\u{7}\u{1b}[2J");
    changed["fault"]["detail"] = json!("\u{1b}[31m");
    changed["chunk"]["source"] = json!("\u{1b}[2Jin.txt");
    fs::write(bundle.join("bundle.json"), changed.to_string()).unwrap();
    let ended = replay(&place, &bundle, &[]).expect_code(4);
    assert!(ended.stderr.contains("in other words"), "{}", ended.stderr);
    assert!(!ended.stderr.contains('\u{1b}') && !ended.stderr.contains('\u{7}'));
}

#[test]
fn a_hole_in_a_chunk_takes_no_room() {
    let place = place();
    fs::File::create(place.path("in.txt")).unwrap().set_len(3 << 30).unwrap();
    let text =
        CONFESS.replace("{ strategy: size, size: 10B, boundary: line }", "{ strategy: none }");
    place.write("jobs.yaml", text.replace("do: confess, n: 1", "do: invalid"));
    place.run(&["run", "jobs.yaml", "-q", "--dead-letter-bytes-max", "1GiB"]).expect_code(4);
    assert_eq!(kept(&place, 1, "confess").len(), 0, "it is larger than what is kept");
}

#[test]
fn a_bundle_that_was_tampered_with_is_refused_with_the_place() {
    let place = place();
    place.run(&["run", "jobs.yaml", "-q"]).expect_code(0);
    let bundle = kept(&place, 1, "confess").remove(0);
    let whole = description(&bundle);
    let check = |change: &dyn Fn(), words: &str| {
        change();
        let ended = replay(&place, &bundle, &[]).expect_code(3);
        assert!(ended.stderr.contains(words), "{words}: {}", ended.stderr);
        for (name, content) in [("bundle.json", &*whole.to_string()), ("chunk", "the second\n")] {
            let _ = fs::remove_file(bundle.join(name));
            fs::write(bundle.join(name), content).unwrap();
        }
    };
    let with = |key: &str, value: Value| {
        let mut changed = whole.clone();
        *changed.pointer_mut(key).unwrap() = value;
        fs::write(bundle.join("bundle.json"), changed.to_string()).unwrap();
    };
    check(&|| with("/format", json!(99)), "it has format 99");
    check(&|| with("/seed", json!("other/1")), "`seed`");
    check(&|| with("/chunk/count", json!(1)), "there is no chunk 1 of 1");
    check(&|| with("/chunk/start", json!(4_000)), "it starts at 4000");
    check(&|| with("/limits/timeout/secs", json!(u64::MAX)), "`limits.timeout`");
    check(&|| with("/limits/memory", json!(u64::MAX)), "`limits.memory`");
    check(&|| with("/chunk/end", json!(u64::MAX)), "`chunk`");
    check(&|| with("/chunk/is_recording", json!("yes")), "bundle.json");
    check(&|| with("/attempt", json!("confess/collect#1")), "is not about a chunk");
    check(&|| with("/grants", json!(["nonsense"])), "`grants`");
    check(&|| with("/component", json!("00".repeat(32))), "PF208");
    check(
        &|| fs::write(bundle.join("chunk"), "the 2nd\n").unwrap(),
        "not the bytes that were kept",
    );
    check(
        &|| fs::write(bundle.join("chunk"), "the sec0nd\n").unwrap(),
        "not the bytes that were kept",
    );
    check(&|| fs::remove_file(bundle.join("chunk")).unwrap(), "chunk`:");
    check(&|| fs::write(bundle.join("bundle.json"), "{").unwrap(), "bundle.json");
    check(&|| instead(&bundle.join("chunk")), "no regular file");
    check(&|| instead(&bundle.join("bundle.json")), "no regular file");
    let ended = place.run(&["replay", "nowhere"]).expect_code(3);
    assert!(ended.stderr.contains("PF121") && ended.stderr.contains("advice"), "{}", ended.stderr);
    assert!(is_same(&place, &bundle), "put back, it is as it was");
}
