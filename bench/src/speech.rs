//! Recognition of speech: the host against the ways that people had before.
//!
//! Owns: the recording (spoken by flite), the contenders, and what is compared.
//! Never: compares recognisers: each ratio is between two ways of using the same one.

use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use pframe_speech::{BYTES_PER_MS, Loudness, Rule, Span, cuts, samples};

use crate::setup::{program, target};
use crate::table::{Row, row};
use crate::whisper;

/// Voice and sentence, one a line.
const SENTENCES: &str = include_str!("../../tests/src/sentences.txt");
/// The old way: a thread pool over PocketSphinx's own Python module, which Debian builds from the same library.
const THREAD_POOL: &str = include_str!("thread_pool.py");
/// How long the recording is.
const TALK: Duration = Duration::from_mins(4);
/// Calls at once where memory is compared.
const AT_ONCE: usize = 4;
/// Silence between two sentences.
const PAUSE_MS: u64 = 300;
/// Of a WAV file as they are written here.
const HEADER_BYTES: usize = 44;
/// How often memory is looked at.
const LOOK_INTERVAL: Duration = Duration::from_millis(50);

/// PocketSphinx: the host, GNU parallel, a Python thread pool.
pub(crate) fn pocketsphinx() -> Vec<Row> {
    let folder = tempfile::tempdir_in(target()).expect("a directory");
    let talk = record(folder.path(), TALK);
    let pieces = cut(folder.path(), &talk);
    let host = timed(&mut transcribe(folder.path(), &[&talk], "pocketsphinx", 2));
    let mut parallel = Command::new("parallel");
    parallel.args(["-j2", "pocketsphinx_continuous", "-infile", "{}", ":::"]).args(&pieces);
    let parallel = timed(&mut parallel);
    let mut pool = Command::new("/usr/bin/python3");
    pool.args(["-c", THREAD_POOL, "4"]).args(&pieces);
    let pool = timed(&mut pool);
    vec![
        row("PocketSphinx, two at once, hours of speech an hour", speed(TALK, host), ""),
        row(
            "… ratio to GNU parallel, a process a piece, same cuts",
            ratio(parallel, host),
            "≥ 0.95 ×",
        ),
        row("… ratio to a Python thread pool, same library and cuts", ratio(pool, host), "≥ 2 ×"),
    ]
}

/// Whisper in the shape of `base`: the host, and the library alone.
pub(crate) fn whisper() -> Vec<Row> {
    let folder = tempfile::tempdir_in(target()).expect("a directory");
    let talk = record(folder.path(), TALK);
    let model = folder.path().join("model.bin");
    whisper::write_model(&model);
    let models = folder.path().join("models");
    let mut add = Command::new(program());
    add.args(["models", "add", "base"]).arg(&model).arg("--models-dir").arg(&models);
    timed(&mut add);
    let host = timed(&mut transcribe(folder.path(), &[&talk], "base", 2));
    let alone = timed(&mut whisper::alone(&model, &talk, 2));
    let talks: Vec<PathBuf> = (0..AT_ONCE).map(|number| copy(&talk, number)).collect();
    let named: Vec<&Path> = talks.iter().map(PathBuf::as_path).collect();
    let together = peak(vec![transcribe(folder.path(), &named, "base", 2)]);
    let apart = peak(talks.iter().map(|talk| whisper::alone(&model, talk, 1)).collect());
    #[expect(clippy::cast_precision_loss, reason = "a ratio of sizes")]
    let share = together as f64 / apart as f64;
    vec![
        row("Whisper `base`, two at once, hours of speech an hour", speed(TALK, host), ""),
        row("… ratio to whisper.cpp alone on two threads, same file", ratio(alone, host), ""),
        row("Whisper `base`, four calls at once, memory of all processes", mib(together), ""),
        row(
            "… share of what four processes of the library take",
            format!("{share:.2} ×"),
            "≤ 0.5 ×",
        ),
    ]
}

/// A recording of at least this length, the same each time.
fn record(folder: &Path, length: Duration) -> PathBuf {
    let mut sound: Vec<u8> = Vec::new();
    let wanted = bytes_of(u64::try_from(length.as_millis()).expect("minutes"));
    let sentence = folder.join("sentence.wav");
    for line in SENTENCES.lines().cycle() {
        if sound.len() >= wanted {
            break;
        }
        let (voice, text) = line.split_once('\t').expect("a voice and a sentence");
        let mut flite = Command::new("flite");
        timed(flite.args(["-voice", voice, "-t", text, "-o"]).arg(&sentence));
        let mut decode = Command::new("ffmpeg");
        decode.args(["-loglevel", "error", "-i"]).arg(&sentence);
        let decoded = decode.args(["-ar", "16000", "-ac", "1", "-f", "s16le", "-"]).output();
        sound.extend(decoded.expect("ffmpeg").stdout);
        sound.extend(vec![0; bytes_of(PAUSE_MS)]);
    }
    sound.truncate(wanted);
    let talk = folder.join("talk.wav");
    std::fs::write(&talk, wav(&sound)).expect("room on disk");
    talk
}

/// The pieces into which the host would cut it, as files.
fn cut(folder: &Path, talk: &Path) -> Vec<PathBuf> {
    let bytes = std::fs::read(talk).expect("it was written");
    let loudness = Loudness::of(&samples(&bytes[HEADER_BYTES..]));
    let whole = Span::new(0, loudness.duration_ms());
    let spans = cuts(&loudness, whole, Rule::windows());
    let pieces = spans.iter().enumerate().map(|(number, span)| {
        let at = |ms| (HEADER_BYTES + bytes_of(ms)).min(bytes.len());
        let piece = folder.join(format!("piece-{number}.wav"));
        std::fs::write(&piece, wav(&bytes[at(span.start_ms)..at(span.end_ms)]))
            .expect("room on disk");
        piece
    });
    pieces.collect()
}

fn copy(talk: &Path, number: usize) -> PathBuf {
    let copied = talk.with_file_name(format!("talk-{number}.wav"));
    std::fs::copy(talk, &copied).expect("room on disk");
    copied
}

fn bytes_of(ms: u64) -> usize {
    usize::try_from(ms * BYTES_PER_MS).expect("a short recording")
}

/// 16 kHz, mono, 16 bits.
fn wav(samples: &[u8]) -> Vec<u8> {
    let size = u32::try_from(samples.len()).expect("minutes");
    let mut file = Vec::from(*b"RIFF");
    file.extend((36 + size).to_le_bytes());
    file.extend(b"WAVEfmt \x10\0\0\0\x01\0\x01\0\x80\x3e\0\0\0\x7d\0\0\x02\0\x10\0data");
    file.extend(size.to_le_bytes());
    file.extend(samples);
    file
}

fn transcribe(folder: &Path, talks: &[&Path], model: &str, at_once: usize) -> Command {
    let mut command = Command::new(program());
    command.arg("transcribe").args(talks).args(["--quiet", "--model", model, "--output"]);
    command.arg(folder.join("texts/")).args(["--num-threads", &at_once.to_string()]);
    command.args(["--language", "en", "--chunk-size", "10min"]);
    for (flag, place) in
        [("--state-dir", "state"), ("--cache-dir", "cache"), ("--models-dir", "models")]
    {
        command.arg(flag).arg(folder.join(place));
    }
    command
}

/// How long a program takes.
fn timed(command: &mut Command) -> Duration {
    let started = Instant::now();
    let ended = command.stdout(Stdio::null()).stderr(Stdio::null()).status();
    assert!(ended.is_ok_and(|status| status.success()), "{command:?} failed");
    started.elapsed()
}

/// The most memory that these programs and all that they start hold together, bytes.
fn peak(commands: Vec<Command>) -> u64 {
    let start = |mut command: Command| {
        command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().expect("it starts")
    };
    let mut running: Vec<Child> = commands.into_iter().map(start).collect();
    let mut peak = 0;
    while !running.is_empty() {
        let held = running.iter().map(|child| resident(child.id())).sum();
        peak = peak.max(held);
        running.retain_mut(|child| match child.try_wait().expect("it is ours") {
            None => true,
            Some(status) => {
                assert!(status.success(), "{status}");
                false
            }
        });
        std::thread::sleep(LOOK_INTERVAL);
    }
    peak
}

/// Memory of a process and of all below it, bytes.
fn resident(process: u32) -> u64 {
    let read =
        |name: &str| std::fs::read_to_string(format!("/proc/{process}/{name}")).unwrap_or_default();
    let pages = read("statm").split(' ').nth(1).and_then(|text| text.parse().ok()).unwrap_or(0u64);
    let mut bytes = pages * 4096;
    let threads = std::fs::read_dir(format!("/proc/{process}/task")).into_iter().flatten();
    for thread in threads.flatten() {
        let children = read(&format!("task/{}/children", thread.file_name().display()));
        let children = children.split_whitespace().filter_map(|child| child.parse().ok());
        bytes += children.map(resident).sum::<u64>();
    }
    bytes
}

fn speed(heard: Duration, took: Duration) -> String {
    format!("{:.1} h", heard.as_secs_f64() / took.as_secs_f64())
}

fn ratio(other: Duration, host: Duration) -> String {
    format!("{:.2} ×", other.as_secs_f64() / host.as_secs_f64())
}

fn mib(bytes: u64) -> String {
    format!("{} MiB", bytes >> 20)
}
