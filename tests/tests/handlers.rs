//! The handlers that ship say the same as a plain reference, however the input is cut and whoever works on it.

use std::fmt::Write;
use std::fs::File;
use std::io::{BufWriter, Write as _};
use std::path::Path;

use pframe_core::fault::Code;
use pframe_core::job::{Boundary, Chunking};
use pframe_core::units::ByteSize;
use pframe_host::Job;
use pframe_tests::house::{House, files_job, house, job, with_parameters};
use pframe_tests::random::Random;
use pframe_tests::reference::{json_report, sum, word_report, words};
use serde_json::{Value, json};
use tempfile::TempDir;

const KIB: u64 = 1 << 10;
const SIZES: [u64; 5] = [KIB, 3 * KIB + 1, 64 * KIB, 1 << 20, 8 << 20];

fn file(bytes: &[u8]) -> (TempDir, std::path::PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("input.txt");
    std::fs::write(&path, bytes).unwrap();
    (folder, path)
}

fn by_size(job: Job, size: u64, boundary: Boundary) -> Job {
    Job { chunking: Some(Chunking::Size { size: ByteSize(size), boundary }), ..job }
}

fn word_count(path: &Path) -> Job {
    with_parameters(files_job("word_count", [path]), json!({ "top": 0 }))
}

fn json_stats(path: &Path) -> Job {
    with_parameters(files_job("json_stats", [path]), json!({ "on_invalid": "skip" }))
}

fn value(text: &str) -> Value {
    serde_json::from_str(text).unwrap()
}

/// About `bytes` of text in paragraphs, with words of every width in UTF-8 and every kind of apostrophe.
fn prose(bytes: usize, line_end: &str) -> String {
    let vocabulary = [
        "the",
        "The",
        "Don't",
        "don’t",
        "naïve",
        "straße",
        "日本語",
        "𝔘𝔫𝔦",
        "42",
        "rock''n''roll",
        "'tis",
        "dogs'",
        "Å",
        "İstanbul",
        "—",
        "a-b",
        "ὈΔΥΣΣΕΎΣ",
        "e\u{301}",
        "\u{feff}x",
        "\0",
    ];
    let mut random = Random::seeded(7);
    let mut text = String::new();
    while text.len() < bytes {
        for _ in 0..random.below(12) {
            text.push_str(random.one_of::<&str>(&vocabulary));
            text.push(' ');
        }
        text.push_str(line_end);
        if random.below(8) == 0 {
            text.push_str(line_end);
        }
    }
    text
}

/// JSON lines with awkward fields; all numbers have exact sums.
fn records(count: u64, line_end: &str) -> String {
    let mut random = Random::seeded(11);
    let mut text = String::new();
    for number in 0..count {
        match random.below(9) {
            0 => {
                write!(text, r#"{{"id":{number},"user":{{"name":"ü{}","a.b":null}}}}"#, number % 7)
            }
            1 => write!(text, r#"  {{"id":{number},"x":-{}.25,"x":{}.5}}"#, number, number % 50),
            2 => write!(
                text,
                r#"{{"id":"{number}","t":[1,2,{{"deep":1}}],"flag":{}}}"#,
                number % 2 == 0
            ),
            3 => write!(text, "   "),
            4 => write!(text, "[1, 2]"),
            5 => write!(text, r#"{{"id":{number}, "#),
            6 => write!(text, "not json ÿ"),
            7 => write!(text, r#"{{"":{{"":{number}}},"big":{}}}"#, number * 1_000_000_007),
            _ => write!(text, r#"{{"id":{number},"text":"{}","e":1e2}}"#, "日本".repeat(9)),
        }
        .unwrap();
        text.push_str(line_end);
    }
    text
}

fn awkward_texts() -> Vec<(&'static str, Vec<u8>)> {
    let mut broken = prose(5000, "\n").into_bytes();
    for at in (100..broken.len()).step_by(97) {
        broken[at] = 0xff;
    }
    vec![
        ("empty", Vec::new()),
        ("one newline", b"\n".to_vec()),
        ("newlines alone", vec![b'\n'; 5000]),
        ("one word", b"word".to_vec()),
        ("an apostrophe at the end", b"it'".to_vec()),
        ("without a last newline", prose(200_000, "\n").trim_end().as_bytes().to_vec()),
        ("with newlines", prose(200_000, "\n").into_bytes()),
        ("with carriage returns", prose(100_000, "\r\n").into_bytes()),
        ("not UTF-8", broken),
        ("characters across the border of a read", "日é ".repeat(300_000).into_bytes()),
    ]
}

#[test]
fn word_count_equals_the_reference_at_every_chunk_size() {
    for (name, text) in awkward_texts() {
        let (_folder, path) = file(&text);
        let expect = word_report(&words(&text), 0);
        assert_eq!(house().run(word_count(&path)).text(), expect, "{name}, whole");
        for size in SIZES {
            for boundary in [Boundary::Line, Boundary::Record] {
                let end = house().run(by_size(word_count(&path), size, boundary));
                assert_eq!(end.text(), expect, "{name}, {size} to a {boundary:?}");
            }
        }
    }
}

#[test]
fn word_count_cut_at_bytes_counts_each_chunk_by_itself() {
    let text = prose(100_000, "\n").into_bytes();
    let (_folder, path) = file(&text);
    for size in [KIB, 3 * KIB + 1, 64 * KIB] {
        let pieces = text.chunks(usize::try_from(size).unwrap());
        let expect = word_report(&sum(pieces.map(words)), 0);
        let end = house().run(by_size(word_count(&path), size, Boundary::Byte));
        assert_eq!(end.text(), expect, "{size}");
    }
}

#[test]
fn word_count_lists_the_top_and_ties_in_the_order_of_their_bytes() {
    let job = with_parameters(job("word_count", "b a c a b ä"), json!({ "top": 3 }));
    let expect = r#"{"total_words":6,"distinct_words":4,"top":[{"word":"a","count":2},{"word":"b","count":2},{"word":"c","count":1}]}"#;
    assert_eq!(house().run(job).text().trim_end(), expect);
}

#[test]
fn json_stats_equals_the_reference_at_every_chunk_size() {
    let texts = [
        ("empty", String::new()),
        ("one newline", "\n".into()),
        ("one record", r#"{"a":1}"#.into()),
        ("records", records(3000, "\n")),
        ("carriage returns", records(1000, "\r\n")),
        ("without a last newline", records(500, "\n").trim_end().into()),
        (
            "a line longer than a read",
            format!("{{\"a\":\"{}\"}}\n{{\"a\":1}}", "é".repeat(1_000_000)),
        ),
    ];
    for (name, text) in texts {
        let (_folder, path) = file(text.as_bytes());
        // Read back from its text, because reading may be a last digit off, for both alike.
        let expect = value(&json_report(text.as_bytes()).to_string());
        assert_eq!(value(&house().run(json_stats(&path)).text()), expect, "{name}, whole");
        for size in SIZES {
            let end = house().run(by_size(json_stats(&path), size, Boundary::Line));
            assert_eq!(value(&end.text()), expect, "{name}, {size}");
        }
    }
}

#[test]
fn json_stats_has_one_mean_however_awkward_the_numbers_and_the_cuts() {
    let mut random = Random::seeded(3);
    let mut text = String::new();
    for _ in 0..5000 {
        let exponent = random.below(600).cast_signed() - 300;
        let mantissa = random.number();
        writeln!(text, r#"{{"x":0.{mantissa}e{exponent}}}"#).unwrap();
    }
    let (_folder, path) = file(text.as_bytes());
    let whole = house().run(json_stats(&path)).text();
    for size in [KIB, 5 * KIB, 64 * KIB] {
        assert_eq!(house().run(by_size(json_stats(&path), size, Boundary::Line)).text(), whole);
    }
}

#[test]
fn json_stats_names_the_line_that_it_refuses() {
    let (_folder, path) = file(b"{\"a\":1}\n{\"a\":2}\n{a:3}\n");
    let fault = house().run(files_job("json_stats", [&path])).fault();
    assert_eq!(fault.code, Code::Invalid);
    let message = fault.guest_message.unwrap().to_string();
    assert!(message.starts_with("line 3 of the chunk, byte 16 of "), "{message}");
}

#[test]
fn any_number_of_workers_gives_the_same_bytes() {
    let text = prose(300_000, "\n");
    let (_folder, path) = file(text.as_bytes());
    let expect = word_report(&words(text.as_bytes()), 0);
    for workers in [1, 2, 7] {
        let house = House::with(|builder| builder.workers(workers));
        let end = house.run(by_size(word_count(&path), 4 * KIB, Boundary::Line));
        assert!(end.report.chunks > 64, "{} chunks", end.report.chunks);
        assert_eq!(end.text(), expect, "{workers} workers");
    }
}

#[test]
fn a_line_of_100_mb_is_one_chunk_and_is_counted_exactly() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("line.txt");
    let block = "to be or not to be, that's it; ".repeat(1000);
    let times = 100_000_000 / block.len() as u64 + 1;
    let mut writer = BufWriter::new(File::create(&path).unwrap());
    for _ in 0..times {
        writer.write_all(block.as_bytes()).unwrap();
    }
    writer.flush().unwrap();
    let one = words(block.as_bytes());
    let expect = one.into_iter().map(|(word, count)| (word, count * times)).collect();
    let end = house().run(by_size(word_count(&path), 8 << 20, Boundary::Line));
    assert_eq!(end.report.chunks, 1);
    assert!(end.report.input_bytes >= ByteSize(block.len() as u64 * times));
    assert!(end.report.memory_peak < ByteSize::mib(16), "{}", end.report.memory_peak);
    assert_eq!(end.text(), word_report(&expect, 0));
}

#[test]
fn a_command_is_a_task_type_and_its_outputs_are_joined_in_order() {
    let text = prose(100_000, "\n");
    let (_folder, path) = file(text.as_bytes());
    let command = || files_job("command", [&path]);
    let lines = text.matches('\n').count();
    assert_eq!(house().run(command()).text(), format!("{lines}\n"));
    let end = house().run(by_size(command(), KIB, Boundary::Line));
    let chunks = end.report.chunks as usize;
    let counts: Vec<usize> = end.text().lines().map(|line| line.parse().unwrap()).collect();
    assert_eq!((counts.len(), counts.iter().sum::<usize>()), (chunks, lines));
}

#[test]
fn a_command_reads_every_byte_of_a_large_chunk() {
    let (_folder, path) = file(&b"line\n".repeat(2_000_000));
    let end = house().run(files_job("command", [&path]));
    assert_eq!(end.report.input_bytes, ByteSize(10_000_000));
    assert_eq!(end.text(), "2000000\n");
}
