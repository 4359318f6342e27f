//! The same handler in several languages: each writes the same bytes.

use std::fs;
use std::sync::LazyLock;
use std::time::Duration;

use pframe_core::fault::Code;
use pframe_core::job::{Boundary, Chunking};
use pframe_core::units::ByteSize;
use pframe_host::Job;
use pframe_tests::guest;
use pframe_tests::house::{House, files_job, with_parameters};
use serde_json::json;

/// The handlers; the last is a program, whose outputs nobody collects.
const LANGUAGES: [&str; 5] =
    ["top_words", "top_words_python", "top_words_javascript", "top_words_c", "top_words_command"];

/// The handlers that cut their own chunks: paragraphs. Each writes where its chunk lies, and how many lines it has.
const CUTTERS: [&str; 4] =
    ["paragraphs", "paragraphs_python", "paragraphs_javascript", "paragraphs_c"];

static HOUSE: LazyLock<House> = LazyLock::new(|| {
    let house = House::with(|builder| builder);
    for name in LANGUAGES.into_iter().chain(CUTTERS) {
        let task = name.parse().unwrap();
        house.engine.register_task(&task, &guest(name)).expect("the guest is sound");
    }
    house
});

/// A text of many words and odd bytes.
fn text() -> Vec<u8> {
    let words = ["The", "the", "river", "and", "x\u{e4}y", "SUN", "sun", "a", "  ", "9", "don't"];
    let mut text = Vec::new();
    for number in 0..40_000_usize {
        text.extend(words[number * number % 89 % words.len()].as_bytes());
        text.push(if number % 11 == 0 { b'\n' } else { b' ' });
    }
    text.extend(b"\xff\xfe last\r\n");
    text
}

fn job(language: &str, path: &std::path::Path, chunking: Chunking) -> Job {
    let job = Job { chunking: Some(chunking), ..files_job(language, [path]) };
    with_parameters(job, json!({ "top": 7 }))
}

#[test]
fn one_job_has_the_same_result_in_every_language() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("text.txt");
    fs::write(&path, text()).unwrap();
    let results = LANGUAGES.map(|language| HOUSE.run(job(language, &path, Chunking::None)).text());
    assert_eq!(results[0].lines().count(), 7);
    assert!(results[0].lines().any(|line| line.ends_with(" the")), "{}", results[0]);
    for (result, language) in results.iter().zip(LANGUAGES) {
        assert_eq!(*result, results[0], "{language}");
    }
    // In a hundred chunks, collected in a tree.
    let chunking = Chunking::Size { size: ByteSize::kib(2), boundary: Boundary::Line };
    for language in &LANGUAGES[..4] {
        let cut = HOUSE.run(job(language, &path, chunking.clone())).text();
        assert_eq!(cut, results[0], "{language}, cut");
    }
}

#[test]
fn a_handler_of_any_language_starts_quickly_once_it_is_compiled() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("text.txt");
    fs::write(&path, "a b a").unwrap();
    for language in LANGUAGES {
        let runs = (0..5).map(|_| HOUSE.run(job(language, &path, Chunking::None)).took);
        let best = runs.min().expect("it ran");
        assert!(best < Duration::from_millis(500), "{language}: {best:?}");
    }
}

#[test]
fn a_handler_may_leave_its_collector_aside() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("text.txt");
    fs::write(&path, "a b a").unwrap();
    for language in &LANGUAGES[..4] {
        let collect = Some(pframe_core::job::Collect::Concat);
        let words = HOUSE.run(Job { collect, ..job(language, &path, Chunking::None) }).text();
        let mut lines: Vec<_> = words.lines().collect();
        lines.sort_unstable();
        assert_eq!(lines, ["1 b", "2 a"], "{language}");
    }
}

/// A text, and where its paragraphs lie.
fn paragraphs() -> (Vec<u8>, String) {
    let mut text = b"\n\r\n".to_vec();
    let mut places = String::new();
    for number in 0..40_usize {
        let start = text.len();
        let lines = 1 + number * number * 37 % 3001;
        for line in 0..lines {
            text.extend(
                [b"\xff\xfe tab\t", &b"a longer line than those before it"[..line % 35]].concat(),
            );
            text.extend(if line % 3 == 0 { "\r\n" } else { "\n" }.bytes());
        }
        places += &format!("{start}..{} {lines}\n", text.len());
        text.extend(["\n", "\r\n", "\n\r\n\n"][number % 3].bytes());
    }
    let start = text.len();
    text.extend(b"the last, without an end");
    places += &format!("{start}..{} 1\n", text.len());
    (text, places)
}

#[test]
fn a_chunker_of_any_language_cuts_the_same_chunks() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("text.txt");
    let (long, places) = paragraphs();
    assert!(long.len() > 1 << 20, "{} bytes fit into one block", long.len());
    for (text, expect) in [
        (&b"one"[..], "0..3 1\n"),
        (b"\n\none\ntwo\r\n\r\n\nthree\n\n", "2..11 2\n14..20 1\n"),
        (&long, &places),
    ] {
        fs::write(&path, text).unwrap();
        for cutter in CUTTERS {
            let job = files_job(cutter, [path.as_path()]);
            let end = HOUSE.run(Job { chunking: Some(Chunking::Custom), ..job });
            assert_eq!(end.text(), expect, "{cutter}");
        }
    }
}

#[test]
fn a_handler_without_a_chunker_exports_none() {
    let path = guest("top_words");
    for language in LANGUAGES {
        let refused = HOUSE.engine.submit(job(language, &path, Chunking::Custom)).unwrap_err();
        assert_eq!(refused.code, Code::ExportMissing, "{language}");
    }
}
