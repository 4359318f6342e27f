//! Jobs that wait for others, and work on their results.

use std::fs;

use pframe_core::fault::Code;
use pframe_core::ids::JobId;
use pframe_core::job::{Boundary, Chunking};
use pframe_core::units::ByteSize;
use pframe_host::{Job, JobInput};
use pframe_tests::house::{House, config, evil_n, house, job, unique_id, wait, with_parameters};
use pframe_tests::program::Place;
use serde_json::json;

fn echo(input: JobInput) -> Job {
    with_parameters(Job { input, ..job("evil", "") }, json!({ "do": "echo" }))
}

fn of(jobs: &[&JobId]) -> JobInput {
    JobInput::Jobs(jobs.iter().map(|&id| id.clone()).collect())
}

#[test]
fn a_result_small_or_large_is_the_input_of_another_job() {
    for bytes in [0, 10, 1 << 16, 300_000] {
        let first = evil_n("write-one", bytes);
        let cut = Chunking::Size { size: ByteSize(70_000), boundary: Boundary::Byte };
        let second = Job { chunking: Some(cut), ..echo(of(&[&first.id])) };
        let third = echo(of(&[&second.id, &first.id]));
        // Whoever waits may be submitted first.
        let batch = house().engine.submit_batch(vec![third, second, first]).unwrap();
        let results: Vec<_> =
            batch.jobs.iter().map(|job| wait(job).expect("a result").len() as u64).collect();
        assert_eq!(results, [bytes, bytes, 2 * bytes]);
    }
}

#[test]
fn who_waits_for_a_job_that_fails_never_starts_and_says_why() {
    let first = evil_n("permanent", 0);
    let second = echo(of(&[&first.id]));
    let third = Job { after: vec![second.id.clone()], ..evil_n("ok", 0) };
    let id = first.id.clone();
    let batch = house().engine.submit_batch(vec![first, second, third]).unwrap();
    let ends: Vec<_> = batch.jobs.iter().map(|job| wait(job).unwrap_err()).collect();
    let codes: Vec<_> = ends.iter().map(|fault| fault.code).collect();
    assert_eq!(codes, [Code::Permanent, Code::DependencyFailed, Code::DependencyFailed]);
    let why = format!("job `{id}` ended with PF310, the handler failed");
    assert_eq!([&ends[1].detail, &ends[2].detail], [&why, &why]);
    let report = batch.jobs[1].report().unwrap();
    assert_eq!(report.state().to_string(), "cancelled");
    assert_eq!(report.attempts, 0);
}

#[test]
fn what_waits_for_nobody_or_for_itself_is_refused() {
    let refused = |jobs| house().engine.submit_batch(jobs).unwrap_err();
    let stranger = echo(of(&[&unique_id()]));
    assert_eq!(refused(vec![stranger.clone()]).code, Code::JobFile);
    assert_eq!(house().engine.submit(stranger).unwrap_err().code, Code::JobFile);
    let mut one = evil_n("ok", 0);
    let other = Job { after: vec![one.id.clone()], ..evil_n("ok", 0) };
    one.after = vec![other.id.clone()];
    let fault = refused(vec![one, other]);
    assert!(fault.detail.starts_with("these jobs wait for each other"), "{fault}");
}

/// The dependent of an earlier job of the same id, which never came, leaves nothing behind that a new one hears.
#[test]
fn an_id_that_is_used_again_means_the_new_job() {
    let house =
        House::with(|builder| builder.config(config("tenants: { default: { max_queued: 3 } }")));
    let first = evil_n("write-one", 10);
    let many = Chunking::Size { size: ByteSize(1), boundary: Boundary::Byte };
    let too_many = Job {
        after: vec![first.id.clone()],
        chunking: Some(many),
        ..echo(JobInput::Text("abcdefgh".into()))
    };
    let batch = house.engine.submit_batch(vec![first.clone(), too_many]).unwrap();
    let ends: Vec<_> = batch.jobs.iter().map(wait).collect();
    assert_eq!(ends[0].as_ref().unwrap().len(), 10);
    assert_eq!(ends[1].as_ref().unwrap_err().code, Code::QuotaExceeded);
    let again = Job { id: first.id.clone(), ..evil_n("permanent", 0) };
    let second = echo(of(&[&first.id]));
    let batch = house.engine.submit_batch(vec![again, second]).unwrap();
    let codes: Vec<_> = batch.jobs.iter().map(|job| wait(job).unwrap_err().code).collect();
    assert_eq!(codes, [Code::Permanent, Code::DependencyFailed]);
}

#[test]
fn an_id_whose_result_waits_for_its_place_is_refused_and_the_engine_goes_on() {
    let house = House::with(|builder| builder);
    let place = tempfile::tempdir().unwrap();
    let folder = place.path().join("folder");
    fs::create_dir(&folder).unwrap();
    let job = Job {
        output: Some(folder.join("result").display().to_string()),
        ..evil_n("write-one", 10)
    };
    let planned = house.engine.plan(&job).unwrap();
    // Nothing can lie in a folder that is a file.
    fs::remove_dir(&folder).unwrap();
    fs::write(&folder, "").unwrap();
    assert!(wait(&house.engine.submit_planned(planned).unwrap()).is_err());
    let again = Job { id: job.id.clone(), ..evil_n("write-one", 10) };
    let refused = wait(&house.engine.submit(again).unwrap()).unwrap_err();
    assert_eq!(refused.code, Code::JobFile, "{refused}");
    assert_eq!(wait(&house.engine.submit(evil_n("write-one", 10)).unwrap()).unwrap().len(), 10);
}

const PIPELINE: &str = r#"
version: 1
tasks:
  evil: { component: evil.wasm }
  word-count: { component: word_count.wasm }
jobs:
  - id: report
    task_type: word-count
    input_data: { jobs: [early, late] }
    chunking: { strategy: size, size: 40KiB }
    output: { path: report.json }
  - id: early
    task_type: evil
    input_data: { files: [text.txt] }
    parameters: { do: echo }
    output: { path: early.txt }
  - id: late
    task_type: evil
    input_data: { job: early }
    parameters: { do: echo }
  - id: last
    task_type: evil
    input_data: { text: the end }
    depends_on: report
    parameters: { do: echo }
"#;

fn pipeline() -> Place {
    let place = Place::new();
    place.bring(["evil", "word_count"]);
    place.write("jobs.yaml", PIPELINE);
    place.write("text.txt", "to be or not to be\n".repeat(20_000));
    place
}

/// Files in the store of results.
fn stored(place: &Place) -> usize {
    let folders = fs::read_dir(place.state().join("results")).unwrap().flatten();
    folders.map(|folder| fs::read_dir(folder.path()).unwrap().count()).sum()
}

#[test]
fn a_file_of_jobs_is_run_in_the_order_of_what_they_need() {
    let place = pipeline();
    let ended = place.run(&["run", "jobs.yaml", "-q"]).expect_code(0);
    // What other jobs work on is not printed, and not kept once they have ended.
    assert_eq!(String::from_utf8(ended.stdout).unwrap(), "the end");
    let report: serde_json::Value =
        serde_json::from_slice(&place.read("report.json").unwrap()).unwrap();
    assert_eq!(report["total_words"], 240_000);
    assert_eq!(place.read("early.txt").unwrap().len(), 380_000);
    // The one without a file of its own can still be asked for.
    assert_eq!(stored(&place), 1);
}

#[test]
fn the_plan_says_who_waits_for_whom() {
    let place = pipeline();
    let ended = place.run(&["plan", "jobs.yaml"]).expect_code(0);
    let plan = String::from_utf8(ended.stdout).unwrap();
    for line in [
        "  input      the results of early, late",
        "  chunks     found when the job runs; cut near every 40 KiB, after a line",
        "  after      early, late",
        "  result     kept for those that depend on it",
    ] {
        assert!(plan.lines().any(|it| it == line), "{line}: {plan}");
    }
    let graph = plan.split_once("what waits for what\n").unwrap().1;
    assert_eq!(graph, "  early\n  └─ late\n     └─ report  (and after early)\n        └─ last\n");
    assert!(!place.state().join("journal.sqlite").exists());
}

#[test]
fn a_chain_that_was_cut_off_goes_on_where_it_was() {
    let place = pipeline();
    let mut running = place.start(&["run", "jobs.yaml"]);
    running.wait_for("the first result", |event| {
        event["event"] == "job-completed" && event["job"] == "early"
    });
    running.kill();
    let ended = place.run(&["run", "jobs.yaml", "-q"]).expect_code(0);
    assert_eq!(String::from_utf8(ended.stdout).unwrap(), "the end");
    assert_eq!(place.read("early.txt").unwrap().len(), 380_000);
    assert_eq!(stored(&place), 1);
}
