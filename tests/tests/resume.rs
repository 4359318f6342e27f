//! The program dies at any moment, and goes on where it stopped: nothing lost, nothing done twice.

use std::collections::BTreeMap;
use std::fs;
use std::time::Duration;

use pframe_core::fault::Code;
use pframe_core::state::JobState;
use pframe_tests::history::History;
use pframe_tests::program::{Ended, Place};
use pframe_tests::random::Random;
use rustix::process::Signal;
use serde_json::Value;

const SLOW: &str = r#"
version: 1
tasks:
  evil: { component: evil.wasm }
jobs:
  - id: first
    task_type: evil
    input_data: { files: [a.txt] }
    parameters: { do: echo }
    output: { path: out/first }
  - id: second
    task_type: evil
    input_data: { files: [a.txt, b.txt, c.txt, d.txt, e.txt, f.txt] }
    parameters: { do: sleep-ms, n: 300 }
    chunking: { strategy: none }
"#;

fn slow() -> Place {
    let place = Place::new();
    place.bring(["evil"]);
    place.write("jobs.yaml", SLOW);
    for name in ["a.txt", "b.txt", "c.txt", "d.txt", "e.txt", "f.txt"] {
        place.write(name, name);
    }
    place
}

fn is_start_of(job: &'static str) -> impl Fn(&Value) -> bool {
    move |event| {
        let attempt = event["attempt"].as_str().unwrap_or_default();
        event["event"] == "attempt-started" && attempt.starts_with(&format!("{job}/"))
    }
}

/// Kills the program in the middle of the second job.
fn half_done(place: &Place) {
    half_done_of(place, "jobs.yaml");
}

fn half_done_of(place: &Place, file: &str) {
    let mut program = place.start(&["run", file]);
    program.wait_for("the second job", is_start_of("second"));
    program.kill();
}

#[test]
fn j24_an_input_that_changed_between_two_lives_fails_its_job_alone() {
    let place = slow();
    half_done(&place);
    place.write("f.txt", "changed in the meantime");
    let ended = place.run(&["resume", "-q"]).expect_code(4);
    assert!(ended.stderr.contains("PF103"), "{}", ended.stderr);
    let history = History::read(&place.state());
    history.check_done();
    let endings = history.endings();
    assert_eq!(endings["second"], (JobState::Failed, Some(Code::InputChanged)));
    assert_eq!(endings["first"], (JobState::Completed, None));
}

#[test]
fn j24_a_component_that_was_changed_or_deleted_is_still_there_for_resume() {
    for replacement in [None, Some("not a component any more")] {
        let place = slow();
        half_done(&place);
        match replacement {
            None => fs::remove_file(place.path("evil.wasm")).unwrap(),
            Some(text) => place.write("evil.wasm", text),
        }
        place.run(&["resume", "-q"]).expect_code(0);
        History::read(&place.state()).check_done();
        assert_eq!(place.read("out/first").as_deref(), Some(b"a.txt".as_slice()));
    }
}

#[test]
fn resume_of_nothing_says_so() {
    let place = slow();
    let ended = place.run(&["resume"]).expect_code(0);
    assert!(ended.stderr.contains("nothing to resume"), "{}", ended.stderr);
    place.run(&["run", "jobs.yaml", "-q"]).expect_code(0);
    let ended = place.run(&["resume"]).expect_code(0);
    assert!(ended.stderr.contains("nothing to resume"), "{}", ended.stderr);
    place.run(&["resume", "7"]).expect_code(2);
}

#[test]
fn j23_finished_work_runs_anew_as_a_new_run() {
    let place = slow();
    place.run(&["run", "jobs.yaml", "-q"]).expect_code(0);
    place.run(&["run", "jobs.yaml", "-q"]).expect_code(0);
    let history = History::read(&place.state());
    history.check_done();
    assert_eq!(history.runs(), 2);
}

#[test]
fn x08_a_second_host_on_the_same_state_is_refused_and_told_who_is_there() {
    let place = slow();
    let mut first = place.start(&["run", "jobs.yaml"]);
    first.wait_for("the second job", is_start_of("second"));
    let ended = place.run(&["run", "jobs.yaml", "-q"]).expect_code(5);
    assert!(ended.stderr.contains(&first.id().to_string()), "{}", ended.stderr);
    first.end().expect_code(0);
    History::read(&place.state()).check_done();
}

fn interrupted(signal: Signal, code: i32) {
    let place = slow();
    let mut program = place.start(&["run", "jobs.yaml"]);
    program.wait_for("the second job", is_start_of("second"));
    program.signal(signal);
    let ended = program.end().expect_code(code);
    assert!(ended.stderr.contains("pframe-host resume"), "{}", ended.stderr);
    let history = History::read(&place.state());
    history.check();
    assert!(!history.is_finished());
    let lost = history.records().filter(|record| format!("{record:?}").contains("WorkerLost"));
    assert_eq!(lost.count(), 0, "what ran when the host drained is not lost");
    place.run(&["resume", "-q"]).expect_code(0);
    History::read(&place.state()).check_done();
}

#[test]
fn x04_an_interrupt_drains_and_says_how_to_go_on() {
    interrupted(Signal::INT, 130);
    interrupted(Signal::TERM, 143);
}

#[test]
fn x04_an_interrupt_ends_a_resume_of_many_runs_and_not_only_of_one() {
    let place = slow();
    place.write("other.yaml", SLOW.replace("do: sleep-ms, n: 300", "do: sleep-ms, n: 301"));
    half_done_of(&place, "jobs.yaml");
    half_done_of(&place, "other.yaml");
    let mut program = place.start(&["resume"]);
    program.wait_for("the second job", is_start_of("second"));
    program.signal(Signal::INT);
    let ended = program.end().expect_code(130);
    assert_eq!(ended.stderr.matches("resuming run").count(), 1, "{}", ended.stderr);
    place.run(&["resume", "-q"]).expect_code(0);
    History::read(&place.state()).check_done();
}

#[test]
fn x04_a_second_interrupt_stops_at_once() {
    let place = slow();
    let text = SLOW.replace("n: 300", "n: 60000").replace("version: 1", "version: 1 ");
    place.write("jobs.yaml", text);
    for (signal, code) in [(Signal::INT, 130), (Signal::TERM, 143)] {
        let mut program = place.start(&["run", "jobs.yaml"]);
        program.wait_for("the second job", is_start_of("second"));
        program.signal(Signal::INT);
        program.wait_for_talk("draining");
        let asked = std::time::Instant::now();
        program.signal(signal);
        program.end().expect_code(code);
        assert!(asked.elapsed() < Duration::from_secs(3), "{:?}", asked.elapsed());
        History::read(&place.state()).check();
    }
}

#[test]
fn b27_a_damaged_artefact_is_compiled_again() {
    let place = slow().with_own_cache();
    place.run(&["run", "jobs.yaml", "-q"]).expect_code(0);
    let artefacts = || -> Vec<_> {
        let folders = fs::read_dir(place.cache()).unwrap().flatten();
        let files = folders.flat_map(|folder| fs::read_dir(folder.path()).into_iter().flatten());
        files.flatten().map(|file| file.path()).collect()
    };
    assert_eq!(artefacts().len(), 1);
    let path = artefacts().remove(0);
    let sound = fs::read(&path).unwrap();
    let damages: [fn(&mut Vec<u8>); 3] =
        [|bytes| bytes[5000] ^= 1, |bytes| bytes.truncate(100), |bytes| bytes.fill(0)];
    for damage in damages {
        let mut bytes = sound.clone();
        damage(&mut bytes);
        fs::write(&path, &bytes).unwrap();
        place.run(&["run", "jobs.yaml", "-q"]).expect_code(0);
        assert_ne!(fs::read(&path).unwrap(), bytes, "it was written anew");
    }
}

fn refused(ended: Ended, words: &str) {
    let ended = ended.expect_code(5);
    assert!(ended.stderr.contains("PF405") && ended.stderr.contains(words), "{}", ended.stderr);
}

#[test]
fn a_journal_that_is_none_refuses_clearly() {
    let place = slow();
    place.write("state/journal.sqlite", "this is not a database, whatever it is called");
    refused(place.run(&["run", "jobs.yaml", "-q"]), "not a database");
    refused(place.run(&["resume", "-q"]), "not a database");
    assert_eq!(place.read("state/journal.sqlite").unwrap()[..7], *b"this is");
}

#[test]
fn a_damaged_journal_works_or_refuses_but_never_lies() {
    let place = slow();
    half_done(&place);
    let sound: BTreeMap<&str, Vec<u8>> = ["journal.sqlite", "journal.sqlite-wal"]
        .into_iter()
        .filter_map(|name| Some((name, place.read(&format!("state/{name}"))?)))
        .collect();
    let mut random = Random::seeded(5);
    for turn in 0..12 {
        for (name, bytes) in &sound {
            let mut bytes = bytes.clone();
            for _ in 0..=turn {
                let at = random.below(bytes.len() as u64);
                bytes[usize::try_from(at).unwrap()] ^= 1 << random.below(8);
            }
            place.write(&format!("state/{name}"), bytes);
        }
        let _ = fs::remove_file(place.path("state/journal.sqlite-shm"));
        let ended = place.run(&["resume", "-q"]);
        assert!(
            matches!(ended.code, Some(0 | 5)),
            "turn {turn}: {:?} {}",
            ended.code,
            ended.stderr
        );
        if let Some(result) = place.read("out/first") {
            assert_eq!(result, b"a.txt");
        }
    }
}

#[test]
fn x06_a_state_directory_that_cannot_be_written_is_refused() {
    let place = slow();
    place.write("state", "a file where the directory should be");
    refused(place.run(&["run", "jobs.yaml", "-q"]), "state");
    assert_eq!(place.read("out/first"), None, "nothing has run");
}
