//! How inputs become chunks, and outputs one result.

use std::path::Path;
use std::time::Duration;

use expect_test::{Expect, expect};
use pframe_core::fault::Code;
use pframe_core::job::{Boundary, Chunking};
use pframe_core::units::ByteSize;
use pframe_host::{Job, JobInput};
use pframe_tests::house::{House, evil, files_job, house, job, with_parameters, with_timeout};
use serde_json::json;
use tempfile::TempDir;

fn size(size: u64, boundary: Boundary) -> Chunking {
    Chunking::Size { size: ByteSize(size), boundary }
}

fn cut(job: Job, chunking: Chunking) -> Job {
    Job { chunking: Some(chunking), ..job }
}

/// Files of these contents, named a, b, c, …
fn folder(contents: &[&str]) -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    for (name, content) in ('a'..).zip(contents) {
        std::fs::write(folder.path().join(format!("{name}.txt")), content).unwrap();
    }
    folder
}

fn on(name: &str, folder: &Path) -> Job {
    let pattern = folder.join("*.txt");
    files_job(name, [&pattern])
}

fn echo(job: Job) -> Job {
    with_parameters(job, json!({ "do": "echo" }))
}

/// Source and span of every chunk, one a line.
fn spans(job: Job) -> String {
    let text = house().run(with_parameters(job, json!({ "do": "describe" }))).text();
    let mut spans = String::new();
    for line in text.lines() {
        if let Some(path) = line.strip_prefix("source ") {
            spans += path.rsplit('/').next().unwrap();
        }
        if let Some(span) = line.strip_prefix("span ") {
            spans += &format!(" {}\n", span.trim_end_matches(" Unit::Bytes"));
        }
    }
    spans
}

fn check(contents: &[&str], chunking: Chunking, expect: &Expect) {
    let folder = folder(contents);
    let job = || cut(on("evil", folder.path()), chunking.clone());
    expect.assert_eq(&spans(job()));
    assert_eq!(house().run(echo(job())).text(), contents.concat(), "no byte is lost or doubled");
}

#[test]
fn without_chunking_each_file_is_a_chunk() {
    check(
        &["one", "", "three"],
        Chunking::None,
        &expect![[r#"
        a.txt 0..3
        b.txt 0..0
        c.txt 0..5
    "#]],
    );
}

#[test]
fn chunks_by_size_end_after_any_byte_a_line_or_a_record() {
    let text = "aaa\nbb\n\nccccccccc\nd";
    check(
        &[text, "", "x"],
        size(5, Boundary::Byte),
        &expect![[r#"
        a.txt 0..5
        a.txt 5..10
        a.txt 10..15
        a.txt 15..19
        b.txt 0..0
        c.txt 0..1
    "#]],
    );
    check(
        &[text, "\n"],
        size(5, Boundary::Line),
        &expect![[r#"
        a.txt 0..4
        a.txt 4..8
        a.txt 8..18
        a.txt 18..19
        b.txt 0..1
    "#]],
    );
    check(
        &[text],
        size(5, Boundary::Record),
        &expect![[r#"
        a.txt 0..8
        a.txt 8..19
    "#]],
    );
}

#[test]
fn chunks_by_content_are_whole_records() {
    let content = |separator: &str, size| Chunking::Content {
        separator: separator.into(),
        size: ByteSize(size),
    };
    check(
        &["a;bb;ccc;d"],
        content(";", 1),
        &expect![[r#"
        a.txt 0..2
        a.txt 2..5
        a.txt 5..9
        a.txt 9..10
    "#]],
    );
    check(
        &["a;bb;ccc;d"],
        content(";", 6),
        &expect![[r#"
        a.txt 0..5
        a.txt 5..10
    "#]],
    );
    check(
        &["a--b--", "--"],
        content("--", 1),
        &expect![[r#"
        a.txt 0..3
        a.txt 3..6
        b.txt 0..2
    "#]],
    );
}

#[test]
fn a_chunker_decides_for_itself() {
    let folder = folder(&["a\n\nb\n", "", "c\n\n\nd\n\n"]);
    let job = |parameters| {
        with_parameters(cut(on("cutter", folder.path()), Chunking::Custom), parameters)
    };
    let end = house().run(job(json!({ "cut": "blank-lines" })));
    assert_eq!(end.report.chunks, 4);
    assert_eq!(end.text(), "a\n\nb\nc\n\n\nd\n\n");
    let end = house().run(job(json!({ "cut": "gap", "n": 1 })));
    assert_eq!(end.text(), "a\n\nc\nd\n", "a chunker may leave data out");
}

#[test]
fn a_chunker_that_finds_nothing_leaves_an_empty_result() {
    let job =
        with_parameters(cut(job("cutter", "abc"), Chunking::Custom), json!({ "cut": "nothing" }));
    let end = house().run(job);
    assert_eq!((end.report.chunks, end.text()), (0, String::new()));
}

#[test]
fn bad_cuts_are_refused_each_with_its_reason() {
    let mut shown = String::new();
    for mode in ["overlap", "backwards", "out-of-range", "negative", "empty", "milliseconds"] {
        let job = cut(job("cutter", "some text"), Chunking::Custom);
        let fault = house().run(with_parameters(job, json!({ "cut": mode, "n": 4 }))).fault();
        assert_eq!(fault.code, Code::BadCuts, "{mode}: {fault}");
        shown += &format!("{mode}: {}\n", fault.detail);
    }
    expect![[r#"
        overlap: span 1 (0–9) overlaps the one before it
        backwards: span 1 (4–8) starts before the one before it
        out-of-range: span 0 (0–10) goes past the end of its source, 9 bytes
        negative: span 0 of source 0 is not a range of bytes
        empty: span 0 (0–0) is empty
        milliseconds: span 0 of source 0 is not a range of bytes
    "#]]
    .assert_eq(&shown);
}

#[test]
fn a_million_spans_are_more_than_one_call_may_return() {
    let job = cut(job("cutter", "some text"), Chunking::Custom);
    let fault = house().run(with_parameters(job, json!({ "cut": "million" }))).fault();
    assert_eq!(fault.code, Code::HostcallData, "{fault}");
}

#[test]
fn c07_a_chunker_ends_like_a_handler() {
    for (mode, code) in
        [("spin", Code::Deadline), ("panic", Code::Trap), ("invalid", Code::Invalid)]
    {
        let job = cut(job("cutter", "abc"), Chunking::Custom);
        let job = with_timeout(job, Duration::from_millis(300));
        let fault = house().run(with_parameters(job, json!({ "cut": mode }))).fault();
        assert_eq!(fault.code, code, "{mode}: {fault}");
    }
}

#[test]
fn custom_chunking_needs_a_chunker() {
    let refused = house().engine.submit(cut(evil("ok"), Chunking::Custom)).unwrap_err();
    assert_eq!(refused.code, Code::ExportMissing);
    assert!(refused.detail.contains("pframe:task/chunker"), "{refused}");
}

#[test]
fn inline_inputs_say_what_they_are() {
    let inputs = [
        JobInput::Text("grüße".into()),
        JobInput::Json(json!({ "a": [1, 2.5, "x"] })),
        JobInput::Bytes(vec![0, 255, 10]),
        JobInput::Text(String::new()),
    ];
    let mut shown = String::new();
    for input in inputs {
        let job = |deed| Job { input: input.clone(), ..evil(deed) };
        let text = house().run(job("describe")).text();
        let said = text.lines().filter(|it| it.starts_with("media") || it.starts_with("size"));
        shown += &format!("{}: ", said.collect::<Vec<_>>().join(", "));
        shown += &format!("{:?}\n", String::from_utf8_lossy(&house().run(job("echo")).bytes()));
    }
    expect![[r#"
        media-type text/plain, size 7: "grüße"
        media-type application/json, size 17: "{\"a\":[1,2.5,\"x\"]}"
        media-type application/octet-stream, size 3: "\0�\n"
        media-type text/plain, size 0: ""
    "#]]
    .assert_eq(&shown);
}

#[test]
fn patterns_find_their_files_in_order_and_paths_count_from_the_base() {
    let folder = folder(&["1", "2", "3"]);
    std::fs::create_dir(folder.path().join("deep")).unwrap();
    std::fs::write(folder.path().join("deep/d.txt"), "4").unwrap();
    std::fs::write(folder.path().join("no.csv"), "5").unwrap();
    let house = House::with(|builder| builder.base_dir(folder.path()));
    let run = |patterns: &[&str]| {
        let patterns = patterns.iter().map(|&pattern| pattern.into()).collect();
        house.run(echo(Job { input: JobInput::Files(patterns), ..evil("echo") })).text()
    };
    assert_eq!(run(&["*.txt"]), "123");
    assert_eq!(run(&["**/*.txt"]), "1234");
    assert_eq!(run(&["c.txt", "a.txt", "c.txt"]), "313", "as often as it is named");
    assert_eq!(run(&["[ab].txt", "*.csv"]), "125");
}

#[test]
fn outputs_without_a_collector_are_joined_in_the_order_of_their_chunks() {
    let text: String = (0..2000).map(|number| format!("line {number}\n")).collect();
    let folder = folder(&[&text]);
    for bytes in [100, 1000, 30_000] {
        let job = cut(echo(on("evil", folder.path())), size(bytes, Boundary::Byte));
        assert_eq!(house().run(job).text(), text);
    }
}

#[test]
fn large_outputs_are_joined_too() {
    let folder = folder(&["a", "b", "c"]);
    let job =
        with_parameters(on("evil", folder.path()), json!({ "do": "write-one", "n": 3_000_000 }));
    assert_eq!(house().run(job).bytes(), vec![b'x'; 9_000_000]);
}

#[test]
fn any_number_of_chunks_is_collected_in_a_tree() {
    let text: String = (0..4200).map(|number| char::from(b'a' + (number % 23) as u8)).collect();
    for chunks in [1, 2, 63, 64, 65, 128, 129, 4096, 4097] {
        let text = &text[..chunks];
        let job = cut(job("cutter", text), size(1, Boundary::Byte));
        let end = house().run(job);
        assert_eq!(end.report.chunks as usize, chunks);
        assert_eq!(end.text(), text, "{chunks} chunks");
    }
}

#[test]
fn many_tiny_files_are_one_job_and_may_share_a_reservation() {
    const FILES: usize = 20_000;
    let folder = tempfile::tempdir().unwrap();
    for number in 0..FILES {
        std::fs::write(folder.path().join(format!("{number:05}.txt")), "x").unwrap();
    }
    for batch in [None, Some(100)] {
        let job = Job { batch, ..on("tiny", folder.path()) };
        let end = house().run(job);
        // An attempt that a long batch gave back was ordered twice.
        assert_eq!((end.report.chunks_done as usize, end.report.retries), (FILES, 0));
        assert_eq!(end.text(), "1".repeat(FILES), "{batch:?}");
    }
}
