//! Whisper's own path, on models that the tests write: random weights in the right shapes. What they hear is nonsense; what
//! is looked at is that it loads, keeps time, stops, and that a bad file hurts nobody.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::LazyLock;
use std::time::{Duration, Instant};

use pframe_core::fault::Code;
use pframe_core::job::{Chunking, Grant};
use pframe_host::Job;
use pframe_tests::ggml::{BASE, HEAVY, Numbers, Says, Sizes, TINY, model, saying};
use pframe_tests::house::{
    House, config, files_job, isolation, wait, with_parameters, with_timeout,
};
use pframe_tests::program::binary;
use pframe_tests::sound::{RATE, turns, wav};
use pframe_tests::speech::{add_file, house};
use serde_json::{Value, json};
use tempfile::TempDir;

/// Models and a recording, made once.
struct Stage {
    folder: TempDir,
    house: House,
}

static STAGE: LazyLock<Stage> = LazyLock::new(|| {
    let folder = tempfile::tempdir().unwrap();
    let models = folder.path().join("models");
    let whole = model(TINY, Numbers::F16);
    let files: [(&str, Vec<u8>); 6] = [
        ("tiny", whole.clone()),
        ("heavy", model(HEAVY, Numbers::F16)),
        ("truncated", whole[..whole.len() / 2].to_vec()),
        ("singles", model(TINY, Numbers::F32)),
        // A model of two layers is taken for a distilled one, which knows no times.
        ("little", saying(Sizes { text_layers: 3, ..TINY }, Numbers::F16, Says::Little)),
        ("noise", [&whole[..4], &[0xa5; 100_000]].concat()),
    ];
    for (name, bytes) in files {
        let file = folder.path().join(name);
        fs::write(&file, bytes).unwrap();
        add_file(&models, name, &file, "whisper");
    }
    fs::write(folder.path().join("talk.wav"), wav(&turns(&[25_000, 400, 24_000]), RATE, 1))
        .unwrap();
    let house = house(&models, |builder| builder);
    Stage { folder, house }
});

fn talk() -> PathBuf {
    STAGE.folder.path().join("talk.wav")
}

fn on(task: &str, path: &Path) -> Job {
    let job = files_job(task, [path]);
    let length = Duration::from_hours(1);
    let job = Job { chunking: Some(Chunking::Time { length }), grants: vec![Grant::Speech], ..job };
    with_timeout(job, Duration::from_secs(50))
}

fn transcription(model: &str, language: Option<&str>) -> Job {
    let parameters =
        json!({ "model_size": model, "format": "json", "word_times": true, "language": language });
    with_parameters(on("audio_transcription", &talk()), parameters)
}

fn listener(deed: &str, n: u64, model: &str, word: &str) -> String {
    let parameters = json!({ "do": deed, "n": n, "model": model, "word": word });
    STAGE.house.run(with_parameters(on("listener", &talk()), parameters)).text()
}

#[test]
fn a_model_loads_and_its_words_have_times_in_order() {
    let bytes = STAGE.house.run(transcription("tiny", Some("de"))).bytes();
    let report: Value = serde_json::from_slice(&bytes).unwrap();
    assert_eq!((&report["model"], &report["language"]), (&json!("tiny"), &json!("de")));
    let duration = report["duration"].as_f64().unwrap();
    let segments = report["segments"].as_array().unwrap();
    let words: Vec<_> =
        segments.iter().flat_map(|segment| segment["words"].as_array().unwrap()).collect();
    assert!(!words.is_empty(), "{report:#}");
    let time = |word: &Value, key: &str| word[key].as_f64().unwrap();
    assert!(words.iter().all(|word| time(word, "start") <= time(word, "end")));
    assert!(words.iter().all(|word| time(word, "end") <= duration));
    assert!(words.windows(2).all(|pair| time(pair[0], "start") <= time(pair[1], "start")));
    assert!(words.iter().all(|word| word["word"].as_str().unwrap().starts_with('w')), "{words:?}");
}

#[test]
fn it_says_which_language_it_took_it_for() {
    let bytes = STAGE.house.run(transcription("tiny", None)).bytes();
    let report: Value = serde_json::from_slice(&bytes).unwrap();
    let language = report["language"].as_str().unwrap();
    assert!((2..=3).contains(&language.len()), "{language}");
}

#[test]
fn a_language_that_nobody_speaks_is_refused() {
    for language in ["klingon", "e\0n", "\u{1b}[2J"] {
        let answer = listener("language", 0, "tiny", language);
        assert!(answer.starts_with("Error::InvalidOption"), "{answer}");
        assert!(!answer.contains('\u{1b}'), "{answer:?}");
    }
}

#[test]
fn calls_side_by_side_share_one_model() {
    let parameters = json!({ "do": "exact", "model": "tiny" });
    let job = || with_parameters(on("listener", &talk()), parameters.clone());
    let jobs: Vec<_> = (0..4).map(|_| STAGE.house.engine.submit(job()).unwrap()).collect();
    let texts: Vec<_> = jobs.iter().map(|job| wait(job).unwrap()).collect();
    assert!(texts[0].starts_with(b"w"), "{}", String::from_utf8_lossy(&texts[0]));
    assert!(texts.windows(2).all(|pair| pair[0] == pair[1]), "one model, one text");
}

/// Its encoder takes seconds for a window: it stops at its next look, or its process is killed.
#[test]
fn a_call_that_is_cancelled_in_the_middle_ends_soon() {
    let handle = STAGE.house.engine.submit(transcription("heavy", Some("en"))).unwrap();
    std::thread::sleep(Duration::from_millis(1500));
    let started = Instant::now();
    handle.cancel();
    assert_eq!(wait(&handle).unwrap_err().code, Code::Cancelled);
    assert!(started.elapsed() < Duration::from_secs(2), "{:?}", started.elapsed());
}

#[test]
fn a_deadline_ends_a_call_that_computes() {
    LazyLock::force(&STAGE);
    let started = Instant::now();
    let answer = listener("deadline", 1000, "heavy", "");
    assert_eq!(answer, "Error::Deadline\n");
    assert!(started.elapsed() < Duration::from_secs(3), "{:?}", started.elapsed());
}

#[test]
fn a_file_that_is_no_whole_model_hurts_only_its_own_process() {
    for (name, why) in [
        ("truncated", "no whole ggml model"),
        // The library aborts over these: it takes the process along, and nobody else.
        ("noise", "it crashed"),
        ("singles", "it crashed"),
    ] {
        let answer = listener("hear", 0, name, "");
        assert!(
            answer.starts_with("Error::EngineFailed") && answer.contains(why),
            "{name}: {answer}"
        );
    }
    assert!(!listener("hear", 0, "tiny", "").starts_with("Error"), "the next model is fine");
}

#[test]
fn a_model_that_begins_again_and_again_is_stopped() {
    let fault = STAGE.house.run(transcription("little", Some("en"))).fault();
    let message = fault.guest_message.expect("the handler says why");
    assert!(message.as_str().contains("begins again and again: 16 times"), "{}", message.as_str());
}

/// Each seat has buffers of its own: a limit that is right for one size of model, or for one seat, is not for another.
#[test]
fn a_model_of_the_size_of_base_has_room_for_four_seats() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("base");
    fs::write(&file, saying(BASE, Numbers::F16, Says::Nothing)).unwrap();
    let models = folder.path().join("models");
    add_file(&models, "base", &file, "whisper");
    let settings = "speech: { recognisers: 4 }\ntenants: { default: { grants: [speech] } }";
    let house = House::with(|builder| {
        let builder = builder.config(config(settings)).worker_program(binary());
        builder.isolation(isolation()).models_dir(&models)
    });
    let jobs = (0..4).map(|_| house.engine.submit(transcription("base", Some("en"))).unwrap());
    let jobs: Vec<_> = jobs.collect();
    for job in jobs {
        wait(&job).unwrap();
    }
}
