//! Speech that the scripted recogniser hears exactly, and houses that have models.
//!
//! Owns: the code of that speech: a word is a square wave whose height names it (`host/src/recogniser/scripted.rs`).

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use pframe_core::job::{Chunking, Grant};
use pframe_host::{EngineBuilder, Job};
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::house::{House, config, files_job, isolation, with_parameters};
use crate::program::binary;
use crate::sound::{RATE, wav};

/// Words of the scripted model, in the order of their heights.
pub const WORDS: [&str; 12] = [
    "one", "two", "three", "four", "five", "six", "abort", "hang", "grow", "fail", "seven", "eight",
];

/// A word, when it begins, and how long it is, in milliseconds.
pub type Spoken = (&'static str, usize, usize);

/// A recording of these words, so many milliseconds long.
///
/// # Panics
///
/// Where a word is none of [`WORDS`], or begins before the one in front of it has ended.
pub fn recording(words: &[Spoken], length_ms: usize) -> Vec<u8> {
    let mut samples: Vec<i16> = Vec::new();
    for (text, start_ms, word_ms) in words {
        let index = WORDS.iter().position(|word| word == text).expect("a word of the script");
        let height = 2000 + 100 * i16::try_from(index).expect("few words");
        assert!(samples.len() <= start_ms * 16, "`{text}` begins too early");
        samples.resize(start_ms * 16, 0);
        let end = (start_ms + word_ms) * 16;
        samples.extend((start_ms * 16..end).map(|at| if at % 2 == 0 { height } else { -height }));
    }
    samples.resize(samples.len().max(length_ms * 16), 0);
    wav(&samples, RATE, 1)
}

/// Counts: a word each 600 ms, with a pause of 200 ms after each, and one of 400 ms after each tenth.
pub fn counting(words: usize) -> Vec<Spoken> {
    let names = ["one", "two", "three", "four", "five", "six"];
    let mut at = 300;
    (0..words)
        .map(|index| {
            let start = at;
            at += if index % 10 == 9 { 1000 } else { 600 };
            (names[index % names.len()], start, 400)
        })
        .collect()
}

/// A directory with the models `script` (quick) and `slow` (so many milliseconds of work for each second of speech).
pub fn models(slowness_ms: u64) -> TempDir {
    let folder = tempfile::tempdir().expect("a temporary directory");
    let deeds = json!({ "abort": "abort", "hang": "hang", "grow": "grow", "fail": "fail" });
    add(folder.path(), "script", &json!({ "words": WORDS, "deeds": deeds }));
    add(folder.path(), "slow", &json!({ "words": WORDS, "slowness_ms": slowness_ms }));
    folder
}

/// Adds a scripted model as an operator does.
///
/// # Panics
///
/// Where the program refuses it.
pub fn add(models: &Path, name: &str, model: &Value) {
    let file = tempfile::NamedTempFile::new().expect("a temporary file");
    fs::write(file.path(), model.to_string()).expect("the file can be written");
    add_file(models, name, file.path(), "scripted");
}

/// Adds a model's file as an operator does.
///
/// # Panics
///
/// Where the program refuses it.
pub fn add_file(models: &Path, name: &str, file: &Path, family: &str) {
    let ended = Command::new(binary())
        .args(["models", "add", name])
        .arg(file)
        .args(["--family", family, "--models-dir"])
        .arg(models)
        .output()
        .expect("the program starts");
    assert!(ended.status.success(), "{}", String::from_utf8_lossy(&ended.stderr));
}

/// A house that recognises speech, with two recognisers at once; every tenant that the tests use may.
pub fn house(models: &Path, with: impl FnOnce(EngineBuilder) -> EngineBuilder) -> House {
    house_of(models, "", with)
}

/// The same with more to its configuration.
pub fn house_of(
    models: &Path,
    settings: &str,
    with: impl FnOnce(EngineBuilder) -> EngineBuilder,
) -> House {
    let text = format!(
        "speech: {{ recognisers: 2 }}\n\
         tenants:\n  default: {{ grants: [speech, clock] }}\n  small: {{ grants: [speech] }}\n{settings}"
    );
    House::with(|builder| {
        let builder = builder.config(config(&text)).worker_program(binary()).isolation(isolation());
        with(builder.models_dir(models))
    })
}

/// A recording in a folder that lives as long as it.
pub struct Talk(TempDir);

impl Talk {
    /// A recording of these words.
    ///
    /// # Panics
    ///
    /// Where it cannot be written.
    pub fn new(words: &[Spoken], length_ms: usize) -> Self {
        let folder = tempfile::tempdir().expect("a folder for a recording");
        fs::write(folder.path().join("talk.wav"), recording(words, length_ms))
            .expect("a folder for a recording");
        Self(folder)
    }

    /// Its file.
    pub fn path(&self) -> PathBuf {
        self.0.path().join("talk.wav")
    }
}

/// A job that may use any model, on a recording that is cut into pieces of this length.
pub fn on(task: &str, path: &Path, length_s: u64) -> Job {
    let length = Duration::from_secs(length_s);
    let job = files_job(task, [path]);
    Job { chunking: Some(Chunking::Time { length }), grants: vec![Grant::Speech], ..job }
}

/// A transcription of it, cut into pieces of this length.
pub fn transcription(talk: &Talk, length_s: u64, parameters: Value) -> Job {
    with_parameters(on("audio_transcription", &talk.path(), length_s), parameters)
}

/// The texts of spoken words.
pub fn texts(words: &[Spoken]) -> Vec<&'static str> {
    words.iter().map(|(text, ..)| *text).collect()
}

/// The words of a text.
pub fn words_of(text: &str) -> Vec<&str> {
    text.split_whitespace().collect()
}

/// Waits until something is so.
///
/// # Panics
///
/// Where that takes longer than twenty seconds.
pub fn wait_until(what: &str, is_so: impl Fn() -> bool) {
    let started = Instant::now();
    while !is_so() {
        assert!(started.elapsed() < Duration::from_secs(20), "{what}");
        std::thread::sleep(Duration::from_millis(10));
    }
}
