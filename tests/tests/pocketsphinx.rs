//! Real words: sentences that flite spoke, heard by PocketSphinx, through every door a user has.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::LazyLock;
use std::time::Duration;

use pframe_core::job::{Chunking, Grant};
use pframe_host::Job;
use pframe_tests::house::{House, files_job, with_parameters, with_timeout};
use pframe_tests::process::children_of;
use pframe_tests::program::Place;
use pframe_tests::sound::{RATE, samples, spoken, wav};
use pframe_tests::speech::house;
use serde_json::{Value, json};

/// Voice and sentence, one a line.
const SENTENCES: &str = include_str!("../src/sentences.txt");
/// Silence between two sentences.
const PAUSE_MS: usize = 300;

static HOUSE: LazyLock<House> =
    LazyLock::new(|| house(Path::new("/nonexistent"), |builder| builder));

/// A recording, and what is said in it.
struct Talk {
    folder: tempfile::TempDir,
    text: String,
}

impl Talk {
    /// At least so many seconds of the sentences, from the first on, and over again.
    fn of(seconds: usize) -> Self {
        let mut sound = Vec::new();
        let mut text = Vec::new();
        for line in SENTENCES.lines().cycle() {
            if sound.len() >= seconds * RATE as usize {
                break;
            }
            let (voice, sentence) = line.split_once('\t').expect("a voice and a sentence");
            let bytes = fs::read(spoken(voice, sentence)).unwrap();
            sound.extend(samples(&bytes[44..]));
            sound.extend(vec![0; PAUSE_MS * 16]);
            text.push(sentence);
        }
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("talk.wav"), wav(&sound, RATE, 1)).unwrap();
        Self { folder, text: text.join(" ") }
    }

    fn path(&self) -> PathBuf {
        self.folder.path().join("talk.wav")
    }
}

fn job(talk: &Talk, length: Duration, format: &str) -> Job {
    let job = files_job("audio_transcription", [&talk.path()]);
    let job = Job { chunking: Some(Chunking::Time { length }), grants: vec![Grant::Speech], ..job };
    let job = with_timeout(job, Duration::from_mins(30));
    with_parameters(
        job,
        json!({ "model_size": "pocketsphinx", "format": format, "word_times": true }),
    )
}

/// Word error rate in percent: words that must be changed, added or taken out, of those that were said.
#[expect(clippy::cast_precision_loss, reason = "a few thousand words")]
fn error_rate(said: &str, heard: &str) -> f64 {
    let (said, heard): (Vec<&str>, Vec<&str>) =
        (said.split_whitespace().collect(), heard.split_whitespace().collect());
    let mut row: Vec<usize> = (0..=heard.len()).collect();
    for (above, one) in said.iter().enumerate() {
        let mut diagonal = std::mem::replace(&mut row[0], above + 1);
        for (left, other) in heard.iter().enumerate() {
            let change = diagonal + usize::from(one != other);
            diagonal = row[left + 1];
            row[left + 1] = change.min(row[left] + 1).min(diagonal + 1);
        }
    }
    100.0 * *row.last().expect("one at least") as f64 / said.len().max(1) as f64
}

#[test]
fn the_error_rate_counts_what_was_changed_added_or_left_out() {
    let rate = |heard| error_rate("a b c d", heard);
    assert_eq!(
        [rate("a b c d"), rate("a x c d"), rate("a b d"), rate("a b c c d")],
        [0.0, 25.0, 25.0, 25.0]
    );
    assert_eq!(error_rate("a b", ""), 100.0);
}

/// Three minutes in a normal run, half an hour in a slow one. The recogniser's own program comes to 10 % on these voices.
#[test]
fn words_are_heard_as_well_in_pieces_as_in_one() {
    let is_slow = std::env::var_os("PFRAME_SLOW").is_some();
    let talk = Talk::of(if is_slow { 1800 } else { 180 });
    let rate = |length| {
        let end = HOUSE.engine.submit(job(&talk, length, "txt")).unwrap().wait_blocking();
        let text = String::from_utf8(end.unwrap().bytes().unwrap()).unwrap();
        error_rate(&talk.text, &text)
    };
    let whole = rate(Duration::from_hours(1));
    let (long, short) = (rate(Duration::from_mins(10)), rate(Duration::from_secs(30)));
    println!("word error rate: {whole:.2} % in one, {long:.2} % by 10 min, {short:.2} % by 30 s");
    assert!(whole < 14.0, "{whole:.2} % of words are wrong");
    assert!(long <= whole + 0.5, "{long:.2} % by 10 min, {whole:.2} % in one");
    assert!(short <= whole + 1.5, "{short:.2} % by 30 s, {whole:.2} % in one");
}

#[test]
fn times_are_where_the_words_are() {
    let talk = Talk::of(12);
    let bytes = HOUSE.run(job(&talk, Duration::from_hours(1), "json")).bytes();
    let report: Value = serde_json::from_slice(&bytes).unwrap();
    assert_eq!(report["language"], "en");
    let words: Vec<(f64, f64)> = report["segments"]
        .as_array()
        .unwrap()
        .iter()
        .flat_map(|segment| segment["words"].as_array().unwrap())
        .map(|word| (word["start"].as_f64().unwrap(), word["end"].as_f64().unwrap()))
        .collect();
    assert!(words.len() > 20, "{report:#}");
    let duration = report["duration"].as_f64().unwrap();
    assert!(words.iter().all(|(start, end)| start <= end && *end <= duration));
    assert!(words.windows(2).all(|pair| pair[0].0 <= pair[1].0), "{words:?}");
    // The last sentence is followed by a pause.
    let last = words.last().unwrap().1;
    assert!(
        (duration - 1.0..duration).contains(&last),
        "the last word ends at {last} of {duration}"
    );
}

#[test]
fn the_same_recording_is_heard_the_same_every_time() {
    let talk = Talk::of(20);
    let text = || HOUSE.run(job(&talk, Duration::from_secs(8), "json")).bytes();
    let without_times = |bytes: Vec<u8>| {
        let mut report: Value = serde_json::from_slice(&bytes).unwrap();
        report["usage"] = Value::Null;
        report
    };
    assert_eq!(without_times(text()), without_times(text()));
}

/// `kill -9` on every recogniser in the middle of a window: what they had in front is heard by others.
#[test]
fn recognisers_that_are_killed_lose_no_word() {
    let talk = Talk::of(40);
    let place = Place::new();
    fs::copy(talk.path(), place.path("talk.wav")).unwrap();
    let transcribe = |output| {
        ["transcribe", "talk.wav", "-o", output, "--model", "pocketsphinx", "--max-retries", "0"]
    };
    place.run(&transcribe("calm.txt")).expect_code(0);
    let running = place.start(&transcribe("storm.txt"));
    let host = i32::try_from(running.id()).unwrap();
    let started = std::time::Instant::now();
    let recognisers = || children_of(host, "recognise");
    while recognisers().is_empty() {
        assert!(started.elapsed() < Duration::from_secs(20), "no recogniser was started");
        std::thread::sleep(Duration::from_millis(10));
    }
    // They have loaded their model and listen.
    std::thread::sleep(Duration::from_millis(1500));
    let killed = recognisers();
    assert!(!killed.is_empty(), "it is over already");
    for process in killed {
        let process = rustix::process::Pid::from_raw(process).unwrap();
        let _ = rustix::process::kill_process(process, rustix::process::Signal::KILL);
    }
    assert_eq!(running.end().expect_code(0).code, Some(0));
    assert_eq!(place.read("storm.txt"), place.read("calm.txt"), "every word is there");
}

/// What the command line writes where, and what it says where it cannot.
#[test]
fn one_line_transcribes_a_folder() {
    let talk = Talk::of(8);
    let program = Place::new();
    fs::create_dir(program.path("talks")).unwrap();
    for name in ["talks/a.wav", "talks/b.wav"] {
        fs::copy(talk.path(), program.path(name)).unwrap();
    }
    fs::write(program.path("talks/notes.txt"), "not a recording").unwrap();
    let arguments =
        ["transcribe", "talks", "-o", "out", "--model", "pocketsphinx", "--format", "srt"];
    program.run(&arguments).expect_code(0);
    for name in ["out/a.srt", "out/b.srt"] {
        let text = String::from_utf8(program.read(name).unwrap()).unwrap();
        assert!(text.starts_with("1\n00:00:0"), "{text}");
    }
    let ended =
        program.run(&["transcribe", "talks/a.wav", "--model", "pocketsphinx"]).expect_code(0);
    let heard = String::from_utf8(ended.stdout).unwrap();
    assert!(error_rate(&talk.text, &heard) < 40.0, "{heard}");
}

#[test]
fn a_missing_model_is_an_error_unless_another_may_do_its_work() {
    let talk = Talk::of(8);
    let program = Place::new();
    fs::copy(talk.path(), program.path("talk.wav")).unwrap();
    let arguments = ["transcribe", "talk.wav", "-o", "out.json", "--model", "base"];
    let refused = program.run(&arguments).expect_code(4);
    for word in ["`base`", "pframe-host models add"] {
        assert!(refused.stderr.contains(word), "{}", refused.stderr);
    }
    assert!(program.read("out.json").is_none(), "nothing half done");
    program.run(&[&arguments[..], &["--fallback"]].concat()).expect_code(0);
    let report: Value = serde_json::from_slice(&program.read("out.json").unwrap()).unwrap();
    assert_eq!(
        (&report["model"], &report["fallback_from"]),
        (&json!("pocketsphinx"), &json!("base"))
    );
}
