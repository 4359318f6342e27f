//! How the outputs of chunks become one result where the host collects them.

use std::fs;

use pframe_core::fault::Code;
use pframe_core::job::{Boundary, Chunking, Collect};
use pframe_core::units::ByteSize;
use pframe_host::Job;
use pframe_tests::house::{evil_n, house, job, with_parameters};
use pframe_tests::program::Place;
use serde_json::{Value, json};

/// The text again, line by line, collected like this.
fn echo(text: &str, collect: Collect) -> Job {
    let chunking = Chunking::Size { size: ByteSize(1), boundary: Boundary::Line };
    let job = with_parameters(job("evil", text), json!({ "do": "echo" }));
    Job { chunking: Some(chunking), collect: Some(collect), ..job }
}

#[test]
fn values_of_json_become_one_array_however_they_are_written() {
    let check = |text: &str, expect: &str| {
        let array = house().run(echo(text, Collect::JsonArray)).text();
        assert_eq!(array, expect);
        serde_json::from_str::<Value>(&array).expect("the result is JSON");
    };
    check("1\n\"a ]\"\n{\"b\": [2]} 3\n\n", "[1,\n\"a ]\",\n{\"b\": [2]},\n3]\n");
    check("  7", "[7]\n");
    check("", "[]\n");
    check("\n \n", "[]\n");
}

#[test]
fn a_value_that_is_not_json_names_its_chunk() {
    let deep = format!("1\n2\n{}{}\n", "[".repeat(200), "]".repeat(200));
    for text in ["1\n2\noops\n", "1\n2\n[1,\n", "1\n2\n1 \u{7f}\n", "1\n2\n\"\n", &deep] {
        let fault = house().run(echo(text, Collect::JsonArray)).fault();
        assert_eq!(fault.code, Code::BadOutput);
        assert!(fault.detail.starts_with("the output of chunk 2 is not JSON"), "{fault}");
    }
}

#[test]
fn a_large_value_passes_whole() {
    let job = evil_n("write-one", 300_000);
    let fault = house().run(Job { collect: Some(Collect::JsonArray), ..job }).fault();
    assert_eq!(fault.code, Code::BadOutput);
    let text = format!("\"{}\"", "ä".repeat(150_000));
    let array = house().run(echo(&text, Collect::JsonArray)).text();
    assert_eq!(array, format!("[{text}]\n"));
}

#[test]
fn a_job_that_is_not_collected_has_no_result() {
    assert_eq!(house().run(echo("a\nb\n", Collect::None)).text(), "");
    assert_eq!(house().run(echo("a", Collect::None)).text(), "");
}

#[test]
fn a_handler_without_a_collector_cannot_be_asked_to_collect() {
    let refused = house().engine.submit(echo("a", Collect::Handler)).unwrap_err();
    assert_eq!(refused.code, Code::ExportMissing);
    assert!(refused.detail.contains("collect: handler"), "{refused}");
}

#[test]
fn outputs_can_be_joined_although_the_handler_has_a_collector() {
    let job = Job { collect: Some(Collect::Concat), ..job("word_count", "b a b") };
    let joined = house().run(job).text();
    assert!(!joined.contains("total_words"), "{joined}");
}

const FILES: &str = r#"
version: 1
tasks:
  evil: { component: evil.wasm }
jobs:
  - id: a
    task_type: evil
    input_data: { files: ["in/*.txt", "in/deep/c.txt"] }
    parameters: { do: echo }
    chunking: { strategy: size, size: 4, boundary: byte }
    collect: files
    output: { path: out }
"#;

fn place() -> Place {
    let place = Place::new();
    place.bring(["evil"]);
    place.write("jobs.yaml", FILES.replace("size: 4,", "size: 4B,"));
    place.write("in/a.txt", "one");
    place.write("in/b.txt", "two three");
    place.write("in/deep/c.txt", "");
    place
}

#[test]
fn each_chunk_becomes_a_file_with_a_manifest_beside() {
    let place = place();
    for _ in 0..2 {
        place.run(&["run", "jobs.yaml", "-q"]).expect_code(0);
        let read = |name: &str| {
            place.read(&format!("out/in/{name}")).map(|it| String::from_utf8(it).unwrap())
        };
        let files = ["a.txt", "b.txt.00000", "b.txt.00001", "b.txt.00002", "deep/c.txt"];
        let expect = ["one", "two ", "thre", "e", ""].map(|text| Some(text.to_owned()));
        assert_eq!(files.map(read), expect);
        let manifest: Value =
            serde_json::from_slice(&place.read("out/manifest.json").unwrap()).unwrap();
        assert_eq!(manifest["files"].as_array().unwrap().len(), 5);
        let second = &manifest["files"][2];
        assert_eq!(
            (&second["path"], &second["source"]),
            (&json!("in/b.txt.00001"), &json!("in/b.txt"))
        );
        assert_eq!(
            (&second["start"], &second["end"], &second["chunk"]),
            (&json!(4), &json!(8), &json!(2))
        );
        assert_eq!(manifest["failed_chunks"], json!([]));
    }
    let beside: Vec<_> = fs::read_dir(place.path(".")).unwrap().flatten().collect();
    assert!(beside.iter().all(|it| !it.file_name().to_string_lossy().starts_with(".pframe")));
}

#[test]
fn files_of_somebody_else_are_never_replaced() {
    let place = place();
    place.write("out/mine.txt", "precious");
    let ended = place.run(&["run", "jobs.yaml", "-q"]).expect_code(3);
    assert!(
        ended.stderr.contains("this directory holds files of somebody else"),
        "{}",
        ended.stderr
    );
    assert_eq!(place.read("out/mine.txt").as_deref(), Some(b"precious".as_slice()));
    assert!(!place.state().join("journal.sqlite").exists());
}

#[test]
fn chunks_that_failed_are_missing_from_the_files_and_named() {
    let place = place();
    let text = FILES.replace("size: 4,", "size: 4B,").replace("do: echo", "do: invalid");
    place.write(
        "jobs.yaml",
        text.replace("collect: files", "collect: files\n    on_failure: continue"),
    );
    place.run(&["run", "jobs.yaml", "-q"]).expect_code(4);
    assert_eq!(place.read("out/manifest.json"), None);
}

#[test]
fn without_a_path_the_files_are_an_archive() {
    let place = place();
    let text = FILES.replace("size: 4,", "size: 4B,").replace("    output: { path: out }\n", "");
    place.write("jobs.yaml", text);
    let ended = place.run(&["run", "jobs.yaml", "-q"]).expect_code(0);
    let mut archive = tar::Archive::new(&ended.stdout[..]);
    let names: Vec<_> = archive
        .entries()
        .unwrap()
        .map(|entry| entry.unwrap().path().unwrap().display().to_string())
        .collect();
    let expect = [
        "manifest.json",
        "in/a.txt",
        "in/b.txt.00000",
        "in/b.txt.00001",
        "in/b.txt.00002",
        "in/deep/c.txt",
    ];
    assert_eq!(names, expect);
}

#[test]
fn a_job_without_a_result_cannot_say_where_it_goes() {
    let place = place();
    place.write(
        "jobs.yaml",
        FILES.replace("size: 4,", "size: 4B,").replace("collect: files", "collect: none"),
    );
    let ended = place.run(&["check", "jobs.yaml"]).expect_code(3);
    assert!(ended.stderr.contains("`collect: none` makes no result"), "{}", ended.stderr);
}
