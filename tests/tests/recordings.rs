//! Recordings: decoded once, by a child, and cut by time.

use std::fs;
use std::path::Path;
use std::sync::LazyLock;
use std::time::Duration;

use pframe_core::fault::Code;
use pframe_core::job::Chunking;
use pframe_host::{Job, JobInput};
use pframe_tests::house::{House, config, files_job, isolation, job, with_parameters};
use pframe_tests::program::binary;
use pframe_tests::sound::{RATE, pack, samples, turns, wav};
use serde_json::json;

/// Recordings are decoded in a child of the program.
static HOUSE: LazyLock<House> =
    LazyLock::new(|| House::with(|it| it.worker_program(binary()).isolation(isolation())));

fn by_time(job: Job, length: Duration) -> Job {
    Job { chunking: Some(Chunking::Time { length }), ..job }
}

/// A job on a file, cut by time.
fn on(path: &Path, length: Duration) -> Job {
    by_time(files_job("evil", [path]), length)
}

const HOUR: Duration = Duration::from_hours(1);

/// What a handler reads of a file that is one chunk.
fn heard(path: &Path) -> Vec<i16> {
    let job = with_parameters(on(path, HOUR), json!({ "do": "echo" }));
    samples(&HOUSE.run(job).bytes())
}

/// The spans that handlers are told.
fn spans(job: Job) -> Vec<String> {
    let text = HOUSE.run(with_parameters(job, json!({ "do": "describe" }))).text();
    text.lines().filter_map(|line| line.strip_prefix("span ")).map(str::to_owned).collect()
}

fn refusal(path: &Path) -> pframe_core::fault::Fault {
    HOUSE.engine.submit(on(path, HOUR)).expect_err("the recording is refused")
}

fn folder() -> tempfile::TempDir {
    tempfile::tempdir().unwrap()
}

/// A file in a folder.
fn file(folder: &tempfile::TempDir, name: &str, content: &[u8]) -> std::path::PathBuf {
    let path = folder.path().join(name);
    fs::write(&path, content).unwrap();
    path
}

#[test]
fn a_wav_file_is_read_sample_for_sample() {
    let folder = folder();
    let sound = turns(&[1500, 300, 700]);
    for channels in [1, 2, 6] {
        let path = file(&folder, "talk.wav", &wav(&sound, RATE, channels));
        assert_eq!(heard(&path), sound, "{channels} channels");
    }
}

#[test]
fn chunks_are_cut_in_silence_and_their_spans_are_times() {
    let folder = folder();
    let path = file(&folder, "talk.wav", &wav(&turns(&[9000, 400, 11_000, 600, 9000]), RATE, 1));
    let length = Duration::from_secs(10);
    let wanted = [
        "0..9200 Unit::Milliseconds",
        "9200..20700 Unit::Milliseconds",
        "20700..30000 Unit::Milliseconds",
    ];
    assert_eq!(spans(on(&path, length)), wanted);
}

#[test]
fn chunks_overlap_where_nobody_falls_silent() {
    let folder = folder();
    let path = file(&folder, "talk.wav", &wav(&turns(&[20_000]), RATE, 1));
    let spans = spans(on(&path, Duration::from_secs(10)));
    let ends: Vec<Vec<u64>> = spans
        .iter()
        .map(|span| {
            let times = span.trim_end_matches(" Unit::Milliseconds").split("..");
            times.map(|time| time.parse().unwrap()).collect()
        })
        .collect();
    assert_eq!(ends.len(), 2);
    assert_eq!((ends[0][0], ends[1][1]), (0, 20_000));
    assert_eq!(ends[0][1] - ends[1][0], 4000, "2 s on each side of the cut");
}

#[test]
fn an_inline_recording_and_several_files_are_cut_too() {
    let folder = folder();
    let bytes = wav(&turns(&[1000]), RATE, 1);
    let inline = Job { input: JobInput::Bytes(bytes.clone()), ..job("evil", "") };
    assert_eq!(spans(by_time(inline, HOUR)), ["0..1000 Unit::Milliseconds"]);
    let (one, two) = (file(&folder, "a.wav", &bytes), file(&folder, "b.wav", &bytes));
    let job = by_time(files_job("evil", [&one, &two]), HOUR);
    assert_eq!(spans(job).len(), 2);
}

/// How alike two recordings are where they are laid over each other with `shift`: 1 means the same form.
fn likeness(one: &[i16], other: &[i16], shift: isize) -> f64 {
    let pairs = (2000..one.len().min(other.len()) - 2000).step_by(7).filter_map(|at| {
        let there = at.checked_add_signed(shift)?;
        Some((f64::from(one[at]), f64::from(*other.get(there)?)))
    });
    let (mut product, mut left, mut right) = (0.0, 0.0, 0.0);
    for (one, other) in pairs {
        product += one * other;
        left += one * one;
        right += other * other;
    }
    product / (left * right).sqrt()
}

/// Lossless: the same samples. Else the same sound, at the same time within a few milliseconds.
fn check_container(name: &str, options: &[&str], delay_samples_max: isize) {
    let folder = folder();
    let sound = turns(&[1500, 300, 1200]);
    let original = file(&folder, "talk.wav", &wav(&sound, RATE, 1));
    let packed = folder.path().join(name);
    pack(&original, &packed, options);
    let heard = heard(&packed);
    if delay_samples_max == 0 {
        // The last millisecond is filled up with silence.
        assert_eq!(&heard[..sound.len()], sound, "{name}");
        return;
    }
    let length = heard.len().abs_diff(sound.len());
    assert!(length <= 3200, "{name} is {length} samples longer or shorter");
    let best = (-delay_samples_max..=delay_samples_max).max_by(|one, other| {
        likeness(&sound, &heard, *one).total_cmp(&likeness(&sound, &heard, *other))
    });
    let best = best.expect("at least one shift");
    let alike = likeness(&sound, &heard, best);
    assert!(alike > 0.97, "{name} is {alike} like the original, {best} samples late");
}

#[test]
fn flac_is_read_sample_for_sample() {
    check_container("talk.flac", &[], 0);
}

#[test]
fn wav_of_other_codes_is_read() {
    check_container("wide.wav", &["-c:a", "pcm_s24le"], 0);
    check_container("float.wav", &["-c:a", "pcm_f32le"], 0);
}

#[test]
fn ogg_vorbis_is_read() {
    check_container("talk.ogg", &["-c:a", "libvorbis", "-q:a", "6"], 16);
}

#[test]
fn opus_is_read() {
    check_container("talk.opus", &["-c:a", "libopus", "-b:a", "64k"], 16);
    check_container("talk.ogg", &["-c:a", "libopus", "-b:a", "64k"], 16);
}

#[test]
fn mp3_is_read() {
    check_container("talk.mp3", &["-b:a", "128k"], 32);
}

/// Its encoder's delay is not in the container as it is in MP3: the sound comes up to 70 ms late.
#[test]
fn m4a_and_mp4_are_read() {
    check_container("talk.m4a", &["-c:a", "aac", "-b:a", "128k"], 1300);
    check_container("talk.mp4", &["-c:a", "aac", "-b:a", "128k"], 1300);
}

#[test]
fn other_rates_and_channels_become_16_khz_mono() {
    check_container("cd.wav", &["-ar", "44100", "-ac", "2"], 2);
    check_container("studio.flac", &["-ar", "96000", "-ac", "2", "-sample_fmt", "s32"], 2);
    check_container("telephone.wav", &["-ar", "8000"], 2);
}

#[test]
fn what_is_no_recording_is_refused_with_its_name() {
    let folder = folder();
    let whole = wav(&turns(&[1000]), RATE, 1);
    let mut lying = whole.clone();
    // 65,535 channels.
    lying[22..24].copy_from_slice(&[0xff, 0xff]);
    let mut fast = whole.clone();
    // 4 GHz.
    fast[24..28].copy_from_slice(&[0xff, 0xff, 0xff, 0xee]);
    let cases: [(&str, &[u8]); 7] = [
        ("letter.txt", b"Dear reader, this is no recording at all. Yours, a writer."),
        ("nothing.mp3", b""),
        ("zeros.mp3", &[0; 100_000]),
        ("header.wav", &whole[..44]),
        ("half-a-header.wav", &whole[..20]),
        ("channels.wav", &lying),
        ("rate.wav", &fast),
    ];
    for (name, content) in cases {
        let fault = refusal(&file(&folder, name, content));
        assert_eq!(fault.code, Code::Recording, "{name}: {fault}");
        assert!(fault.detail.contains(name), "{fault}");
    }
}

#[test]
fn a_recording_that_was_cut_off_is_read_as_far_as_it_goes() {
    let folder = folder();
    let sound = turns(&[3000]);
    let whole = wav(&sound, RATE, 1);
    let heard_wav = heard(&file(&folder, "short.wav", &whole[..44 + 32_000]));
    assert_eq!(heard_wav, sound[..16_000]);
    let original = file(&folder, "talk.wav", &whole);
    let packed = folder.path().join("talk.mp3");
    pack(&original, &packed, &["-b:a", "128k"]);
    let bytes = fs::read(&packed).unwrap();
    let short = heard(&file(&folder, "short.mp3", &bytes[..bytes.len() / 2]));
    assert!((16_000..32_000).contains(&short.len()), "{} samples", short.len());
}

#[test]
fn damage_in_the_middle_costs_only_that_place() {
    let folder = folder();
    let original = file(&folder, "talk.wav", &wav(&turns(&[4000]), RATE, 1));
    let packed = folder.path().join("talk.mp3");
    pack(&original, &packed, &["-b:a", "128k"]);
    let mut bytes = fs::read(&packed).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle..middle + 2000].fill(0xa5);
    let heard = heard(&file(&folder, "damaged.mp3", &bytes));
    assert!(heard.len() > 48_000, "{} samples", heard.len());
}

/// Silence is nothing in a FLAC file; what counts is what comes out of it.
#[test]
fn a_bomb_is_bounded_by_what_comes_out_of_it() {
    let folder = folder();
    let silence = folder.path().join("bomb.flac");
    pack(Path::new("anullsrc=r=16000:cl=mono"), &silence, &["-t", "600"]);
    assert!(fs::metadata(&silence).unwrap().len() < 19_200_000 / 100);
    let house = House::with(|builder| {
        let config = config("speech: { recording_max: 9min }");
        builder.config(config).worker_program(binary()).isolation(isolation())
    });
    let fault = house.engine.submit(on(&silence, HOUR)).expect_err("it is refused");
    assert_eq!(fault.code, Code::RecordingLimit, "{fault}");
    let hit = fault.hit.expect("a limit was hit");
    assert_eq!((&*hit.limit, &*hit.value), ("speech.recording_max", "9m"));
}
