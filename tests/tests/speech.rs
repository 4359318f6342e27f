//! Recognition of speech: who may ask, what comes back, what becomes of calls that end early, and of recognisers that
//! crash. The recogniser is the scripted one, which hears exactly what a test made; `tests/pocketsphinx.rs` hears words.

use std::path::Path;
use std::sync::LazyLock;
use std::time::{Duration, Instant};

use pframe_core::fault::Code;
use pframe_core::ids::TenantName;
use pframe_core::job::Grant;
use pframe_host::{Job, JobHandle};
use pframe_tests::house::{End, House, wait, with_parameters};
use pframe_tests::speech::{
    Spoken, Talk, counting, house, house_of, models, on, texts, transcription, wait_until, words_of,
};
use serde_json::{Value, json};
use tempfile::TempDir;

/// Models of a house that lives as long as the tests.
static MODELS: LazyLock<TempDir> = LazyLock::new(|| models(100));
static HOUSE: LazyLock<House> = LazyLock::new(|| house(MODELS.path(), |builder| builder));

/// What the listener says of a deed.
fn said(job: Job, parameters: Value) -> String {
    HOUSE.run(with_parameters(job, parameters)).text().trim_end().to_owned()
}

fn deed(talk: &Talk, deed: &str, n: u64) -> String {
    said(on("listener", &talk.path(), 3600), json!({ "do": deed, "n": n, "model": "script" }))
}

#[test]
fn a_recording_becomes_text_however_it_is_cut() {
    let spoken = counting(200);
    let talk = Talk::new(&spoken, 130_000);
    for length_s in [5, 12, 30, 3600] {
        let end = HOUSE.run(transcription(&talk, length_s, json!({ "model_size": "script" })));
        assert_eq!(words_of(&end.text()), texts(&spoken), "cut every {length_s} s");
    }
}

/// Nobody falls silent: every cut overlaps, and words of one kind stand side by side.
#[test]
fn no_word_is_lost_or_doubled_where_there_is_no_silence() {
    let spoken: Vec<Spoken> =
        (0..400).map(|at| (if at % 3 == 0 { "one" } else { "two" }, 300 + at * 250, 170)).collect();
    let talk = Talk::new(&spoken, 101_000);
    for length_s in [5, 11, 30] {
        let end = HOUSE.run(transcription(&talk, length_s, json!({ "model_size": "script" })));
        assert_eq!(words_of(&end.text()), texts(&spoken), "cut every {length_s} s");
    }
}

#[test]
fn every_form_says_the_same_at_the_same_times() {
    let talk = Talk::new(&[("one", 1000, 400), ("two", 1600, 500), ("three", 61_000, 400)], 62_000);
    let form = |format: &str| {
        let parameters = json!({ "model_size": "script", "format": format, "word_times": true });
        HOUSE.run(transcription(&talk, 30, parameters)).text()
    };
    assert_eq!(form("txt"), "one two\nthree\n");
    let srt =
        "1\n00:00:01,000 --> 00:00:02,100\none two\n\n2\n00:01:01,000 --> 00:01:01,400\nthree\n\n";
    assert_eq!(form("srt"), srt);
    assert!(form("vtt").starts_with("WEBVTT\n\n00:00:01.000 --> 00:00:02.100\none two\n"));
    let json: Value = serde_json::from_str(&form("json")).unwrap();
    assert_eq!(json["text"], "one two three");
    assert_eq!(json["duration"], 62.0);
    assert_eq!(json["model"], "script");
    assert_eq!(
        json["segments"][1]["words"][0],
        json!({ "word": "three", "start": 61.0, "end": 61.4, "confidence": 1.0 })
    );
}

#[test]
fn text_on_silence_is_not_even_looked_for() {
    let talk = Talk::new(&[], 40_000);
    let end = HOUSE.run(transcription(&talk, 10, json!({ "model_size": "script" })));
    assert_eq!(end.report.state().to_string(), "completed");
    assert_eq!(end.text(), "");
}

#[test]
fn an_empty_first_chunk_takes_nothing_from_the_second() {
    let talk = Talk::new(&[("one", 25_000, 400), ("two", 25_600, 400)], 40_000);
    let end = HOUSE.run(transcription(&talk, 20, json!({ "model_size": "script" })));
    assert_eq!(end.text(), "one two\n");
}

#[test]
fn speech_without_a_grant_is_denied() {
    let talk = Talk::new(&[("one", 500, 400)], 2000);
    for deed in ["hear", "look", "models", "own"] {
        let job = Job { grants: Vec::new(), ..on("listener", &talk.path(), 60) };
        let job = with_parameters(job, json!({ "do": deed, "n": 100, "model": "script" }));
        let end = HOUSE.run(job);
        assert_eq!(end.report.calls_denied, 1, "{deed}");
        assert_eq!(end.text(), "Error::Denied\n", "{deed}");
    }
}

#[test]
fn a_grant_for_one_model_opens_no_other() {
    let talk = Talk::new(&[("one", 500, 400)], 2000);
    let job = || {
        let grants = vec![Grant::Model("script".into())];
        Job { grants, ..on("listener", &talk.path(), 60) }
    };
    let hear = |model: &str| said(job(), json!({ "do": "hear", "model": model }));
    assert_eq!(hear("script"), "one@500");
    assert!(hear("slow").starts_with("Error::ModelNotAllowed"), "{}", hear("slow"));
    let seen = said(job(), json!({ "do": "models" }));
    assert!(seen.contains("script") && !seen.contains("slow"), "{seen}");
}

#[test]
fn a_tenant_without_the_grant_is_refused_before_anything_runs() {
    let talk = Talk::new(&[("one", 500, 400)], 2000);
    let mut job = transcription(&talk, 60, json!({ "model_size": "script" }));
    job.tenant = TenantName::new("stranger").unwrap();
    let fault = HOUSE.engine.submit(job).expect_err("it is refused");
    assert_eq!(fault.code, Code::GrantRefused);
}

#[test]
fn a_model_that_is_not_there_is_named_with_what_to_do() {
    let talk = Talk::new(&[("one", 500, 400)], 2000);
    let fault = HOUSE.run(transcription(&talk, 60, json!({ "model_size": "base" }))).fault();
    assert_eq!(fault.code, Code::Invalid);
    let message = fault.guest_message.expect("the handler says why").to_string();
    for word in ["`base`", "`script`", "pframe-host models add"] {
        assert!(message.contains(word), "{message}");
    }
}

#[test]
fn names_that_are_paths_open_nothing() {
    let talk = Talk::new(&[("one", 500, 400)], 2000);
    for model in ["../models.json", "/etc/passwd", "", "script\0", "\u{1b}[2J"] {
        let answer =
            said(on("listener", &talk.path(), 60), json!({ "do": "hear", "model": model }));
        assert!(answer.starts_with("Error::ModelNotFound"), "{answer}");
        assert!(!answer.contains('\u{1b}'), "{answer:?}");
    }
}

#[test]
fn audio_can_be_looked_at_without_its_samples() {
    let talk = Talk::new(&[("one", 1000, 2000), ("two", 9000, 1000)], 20_000);
    let seen = deed(&talk, "look", 6000);
    let wanted =
        "20000 ms, level -85, sounds 1000-3000,9000-10000, cuts 0-6000,6000-12500,12500-20000";
    assert_eq!(seen, wanted);
}

#[test]
fn a_slice_has_times_of_its_own_and_never_reaches_outside() {
    let talk = Talk::new(&[("one", 1000, 400), ("two", 4000, 400), ("three", 9000, 400)], 10_000);
    assert_eq!(deed(&talk, "hear-slice", 3000), "two@1000");
    for outside in ["slice-outside", "slice-backwards"] {
        assert!(deed(&talk, outside, 0).starts_with("Error::InvalidAudio"));
    }
    assert!(deed(&talk, "hear-slice", 9000).starts_with("Error::InvalidAudio"), "past the end");
}

/// The chunk is one of several: its times count from its own start, and what lies before it is out of reach.
#[test]
fn a_chunk_hears_itself_and_nothing_else() {
    let talk = Talk::new(&[("one", 1000, 400), ("two", 14_000, 400)], 20_000);
    let job = on("listener", &talk.path(), 10);
    let text = HOUSE.run(with_parameters(job, json!({ "do": "hear", "model": "script" }))).text();
    let lines: Vec<_> = text.lines().collect();
    assert_eq!(lines.len(), 2);
    assert_eq!(lines[0], "one@1000");
    assert!(lines[1].starts_with("two@") && lines[1] != "two@14000", "{text}");
}

#[test]
fn a_guests_own_samples_are_bounded() {
    let talk = Talk::new(&[("one", 500, 400)], 2000);
    assert_eq!(deed(&talk, "own", 16_000), "", "a second of something that is no word");
    assert_eq!(deed(&talk, "own", 0), "");
    let too_long = deed(&talk, "own", 16_000 * 121);
    assert!(too_long.starts_with("Error::InvalidAudio"), "{too_long}");
    let hoard = deed(&talk, "hoard", 0);
    assert!(hoard.contains("10 minutes"), "{hoard}");
}

#[test]
fn a_job_that_is_not_cut_by_time_has_no_audio() {
    let talk = Talk::new(&[("one", 500, 400)], 2000);
    let job = Job { chunking: None, ..on("listener", &talk.path(), 60) };
    let answer = said(job, json!({ "do": "look", "n": 1000 }));
    assert!(answer.contains("strategy: time"), "{answer}");
}

#[test]
fn a_device_that_is_not_there_is_said() {
    let talk = Talk::new(&[("one", 500, 400)], 2000);
    assert!(deed(&talk, "cuda", 0).starts_with("Error::DeviceUnavailable"));
}

#[test]
fn what_was_listened_to_is_charged() {
    let talk = Talk::new(&counting(60), 40_000);
    let end = HOUSE.run(transcription(&talk, 3600, json!({ "model_size": "slow" })));
    let speech = end.report.speech;
    assert!(speech.audio >= Duration::from_secs(38), "{speech:?}");
    assert!(speech.cpu > Duration::ZERO, "{speech:?}");
}

#[test]
fn a_recogniser_that_fails_is_told_and_the_next_call_is_not_hurt() {
    let talk = Talk::new(&[("fail", 500, 400)], 2000);
    let answer = deed(&talk, "hear", 0);
    assert_eq!(answer, "Error::EngineFailed(\"as the script says\")");
    let good = Talk::new(&[("one", 500, 400)], 2000);
    assert_eq!(deed(&good, "hear", 0), "one@500");
}

/// The window is tried once more in another process; then the call has failed, and nobody else noticed.
#[test]
fn a_recogniser_that_aborts_takes_nobody_along() {
    let bad = Talk::new(&[("abort", 500, 400)], 2000);
    let good = Talk::new(&counting(100), 65_000);
    let neighbour = HOUSE.engine.submit(transcription(&good, 10, json!({ "model_size": "slow" })));
    let answer = deed(&bad, "hear", 0);
    // The first process of a namespace does not die of its own `SIGABRT`; the C library then takes another way.
    assert!(answer.contains("EngineFailed") && answer.contains("it crashed"), "{answer}");
    let text = String::from_utf8(wait(&neighbour.unwrap()).unwrap()).unwrap();
    assert_eq!(words_of(&text), texts(&counting(100)));
}

#[test]
fn a_recogniser_that_takes_memory_without_end_is_ended() {
    let bad = Talk::new(&[("grow", 500, 400)], 2000);
    let answer = deed(&bad, "hear", 0);
    assert!(answer.contains("EngineFailed") || answer.contains("OutOfMemory"), "{answer}");
}

#[test]
fn a_deadline_ends_a_call_in_time() {
    let talk = Talk::new(&counting(100), 65_000);
    let started = Instant::now();
    let job = on("listener", &talk.path(), 3600);
    // A hundred milliseconds of work for each second: 3 s for a window, 6.5 s in all.
    let answer = said(job, json!({ "do": "deadline", "n": 500, "model": "slow" }));
    assert_eq!(answer, "Error::Deadline");
    assert!(started.elapsed() < Duration::from_secs(3), "{:?}", started.elapsed());
}

/// It neither ends nor listens: its process is killed, and the seat is free again.
#[test]
fn a_recogniser_that_hangs_is_killed_at_the_deadline() {
    // A window for each seat.
    let talk = Talk::new(&[("hang", 500, 400), ("hang", 40_000, 400)], 41_000);
    let started = Instant::now();
    let job = on("listener", &talk.path(), 3600);
    let answer = said(job, json!({ "do": "deadline", "n": 300, "model": "script" }));
    assert_eq!(answer, "Error::Deadline");
    assert!(started.elapsed() < Duration::from_secs(4), "{:?}", started.elapsed());
    let good = Talk::new(&[("one", 500, 400)], 2000);
    assert_eq!(deed(&good, "hear", 0), "one@500");
}

#[test]
fn a_job_that_is_cancelled_stops_its_recognisers() {
    let models = models(2000);
    let house = house(models.path(), |builder| builder);
    let talk = Talk::new(&counting(100), 65_000);
    let job = || transcription(&talk, 3600, json!({ "model_size": "slow" }));
    let handle = house.engine.submit(job()).unwrap();
    wait_until("a recogniser works", || house.engine.jobs().iter().any(|job| job.running() > 0));
    std::thread::sleep(Duration::from_millis(300));
    let started = Instant::now();
    handle.cancel();
    assert_eq!(wait(&handle).unwrap_err().code, Code::Cancelled);
    assert!(started.elapsed() < Duration::from_secs(2), "{:?}", started.elapsed());
    // Both seats are free at once: a quick model is heard in no time.
    let short = Talk::new(&[("one", 500, 400)], 2000);
    let quick = json!({ "do": "hear", "model": "script" });
    let end = house.run(with_parameters(on("listener", &short.path(), 60), quick));
    assert!(end.took < Duration::from_secs(3), "{:?}", end.took);
}

/// One tenant with a thousand windows, another with five: the small one ends within twice the time it takes alone.
#[test]
fn a_large_tenant_does_not_hold_up_a_small_one() {
    let models = models(4);
    let settings = "parallel_processing: { max_workers: 16 }\n";
    let house = house_of(models.path(), settings, |builder| builder.workers(16).attempts(16));
    let large = Talk::new(&counting(3000), 2_000_000);
    let small = Talk::new(&counting(150), 100_000);
    let job = |talk: &Talk, tenant: &str| {
        let mut job = transcription(talk, 3600, json!({ "model_size": "slow" }));
        job.tenant = TenantName::new(tenant).unwrap();
        job.limits.timeout = Some(Duration::from_secs(50));
        job
    };
    let alone = house.run(job(&small, "small"));
    assert!(alone.result.is_ok());
    // Each of them is some eighty windows.
    let big: Vec<_> =
        (0..13).map(|_| house.engine.submit(job(&large, "default")).unwrap()).collect();
    let running = || house.engine.jobs().iter().map(|job| job.running()).sum::<u32>();
    wait_until("the large one waits for its windows", || running() == 13);
    std::thread::sleep(Duration::from_secs(1));
    let beside: End = house.run(job(&small, "small"));
    assert!(beside.result.is_ok());
    assert!(big.iter().all(|job| !job.status().is_terminal()), "the large one is still at it");
    let (alone, beside) = (alone.took, beside.took);
    assert!(beside < alone * 2 + Duration::from_millis(300), "{beside:?} beside {alone:?} alone");
    big.iter().for_each(pframe_host::JobHandle::cancel);
    assert!(big.iter().all(|job| wait(job).is_err()));
}

#[test]
fn a_full_queue_is_busy_and_says_for_how_long() {
    let models = models(100);
    let house = narrow(models.path(), 8);
    let talk = Talk::new(&counting(200), 130_000);
    let hear = json!({ "do": "hear", "model": "slow" });
    let job = || with_parameters(on("listener", &talk.path(), 3600), hear.clone());
    let jobs: Vec<_> = (0..3).map(|_| house.engine.submit(job()).unwrap()).collect();
    let answers: Vec<_> = jobs.iter().map(|job| wait(job).unwrap()).collect();
    let busy = answers.iter().filter(|answer| answer.starts_with(b"Error::Busy(")).count();
    assert!((1..=2).contains(&busy), "{answers:?}");
    let house = narrow(models.path(), 3);
    let answer = house.run(job()).text();
    assert!(answer.contains("InvalidAudio") && answer.contains("speech.max_queued"), "{answer}");
}

/// A house in which few windows of a tenant may wait.
fn narrow(models: &Path, max_queued: u32) -> House {
    let text = format!(
        "speech: {{ recognisers: 2, max_queued: {max_queued} }}\n\
         tenants: {{ default: {{ grants: [speech] }} }}"
    );
    House::with(|builder| {
        let config = pframe_tests::house::config(&text);
        let isolation = pframe_tests::house::isolation();
        let program = pframe_tests::program::binary();
        builder
            .config(config)
            .worker_program(program)
            .isolation(isolation)
            .models_dir(models)
            .workers(4)
    })
}

/// Two jobs of one tenant, room for one: the second is put off until there is room. Neither may be retried even once.
#[test]
fn who_finds_no_room_waits_and_no_retry_is_charged() {
    let models = models(30);
    let house = narrow(models.path(), 8);
    let spoken = counting(250);
    let talk = Talk::new(&spoken, 160_000);
    let job = || transcription(&talk, 3600, json!({ "model_size": "slow" }));
    let jobs: Vec<_> = (0..3).map(|_| house.engine.submit(job()).unwrap()).collect();
    for job in &jobs {
        let text = String::from_utf8(wait(job).unwrap()).unwrap();
        assert_eq!(words_of(&text), texts(&spoken));
    }
    let reports: Vec<_> = jobs.iter().filter_map(JobHandle::report).collect();
    let busy =
        reports.iter().filter_map(|report| report.attempt_faults.get(&Code::Busy)).sum::<u64>();
    assert!(busy > 0, "nobody had to wait: {reports:#?}");
}

#[test]
fn processor_time_of_recognisers_counts_against_the_limit() {
    let talk = Talk::new(&counting(100), 65_000);
    let mut job = on("listener", &talk.path(), 3600);
    job.limits.cpu = Some(Duration::from_millis(1));
    job.limits.timeout = Some(Duration::from_secs(20));
    let job = with_parameters(job, json!({ "do": "hear", "model": "slow" }));
    match HOUSE.run(job).result {
        Ok(answer) => {
            assert!(answer.starts_with(b"Error::Quota"), "{}", String::from_utf8_lossy(&answer))
        }
        // The guest itself may be the one that uses the millisecond up.
        Err(fault) => assert_eq!(fault.code, Code::Cpu),
    }
}
