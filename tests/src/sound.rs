//! Recordings for tests: made of numbers, spoken by flite, packed by ffmpeg.
//!
//! Owns: the sentences that are spoken, and their voices.
//! Never: keeps a recording in the repository.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use crate::root;

/// Samples in a second of what the host decodes to.
pub const RATE: u32 = 16_000;

/// Sounds and silences by turns, each so many milliseconds long, at 16 kHz.
pub fn turns(turns_ms: &[usize]) -> Vec<i16> {
    let mut samples = Vec::new();
    for (index, &turn_ms) in turns_ms.iter().enumerate() {
        let from = samples.len();
        samples
            .extend((from..from + turn_ms * 16).map(|at| if index % 2 == 0 { hum(at) } else { 0 }));
    }
    samples
}

/// A sound that is nowhere the same, so that a shift would show.
#[expect(clippy::cast_precision_loss, clippy::cast_possible_truncation, reason = "a test sound")]
fn hum(at: usize) -> i16 {
    let time = at as f64 / f64::from(RATE);
    let pitch = 180.0 + 40.0 * (time * 0.7).sin();
    let phase = time * pitch * std::f64::consts::TAU;
    (6000.0 * phase.sin() + 2500.0 * (2.1 * phase).sin()) as i16
}

/// A WAV file of 16-bit samples, all channels alike.
pub fn wav(samples: &[i16], rate: u32, channels: u16) -> Vec<u8> {
    let block = 2 * u32::from(channels);
    let data: Vec<u8> = samples
        .iter()
        .flat_map(|sample| sample.to_le_bytes().repeat(usize::from(channels)))
        .collect();
    let size = u32::try_from(data.len()).expect("a short recording");
    let mut file = Vec::from(*b"RIFF");
    file.extend((36 + size).to_le_bytes());
    file.extend(b"WAVEfmt \x10\0\0\0\x01\0");
    file.extend(channels.to_le_bytes());
    file.extend(rate.to_le_bytes());
    file.extend((rate * block).to_le_bytes());
    file.extend(u16::try_from(block).expect("few channels").to_le_bytes());
    file.extend(b"\x10\0data");
    file.extend(size.to_le_bytes());
    file.extend(data);
    file
}

/// The samples in these bytes.
pub fn samples(bytes: &[u8]) -> Vec<i16> {
    bytes.chunks_exact(2).map(|pair| i16::from_le_bytes([pair[0], pair[1]])).collect()
}

/// The same recording as ffmpeg packs it, by the ending of `to`.
///
/// # Panics
///
/// Where ffmpeg is missing or fails: `cargo xtask test` installs it.
pub fn pack(from: &Path, to: &Path, options: &[&str]) {
    let mut command = Command::new("ffmpeg");
    let source: &[&str] = if from.is_file() { &[] } else { &["-f", "lavfi"] };
    command
        .args(["-nostdin", "-loglevel", "error", "-y"])
        .args(source)
        .arg("-i")
        .arg(from)
        .args(options)
        .arg(to);
    let status = command.stdin(Stdio::null()).status();
    let status = status.expect("ffmpeg is installed: `cargo xtask test` sees to it");
    assert!(status.success(), "{command:?}");
}

/// A sentence as a voice of flite speaks it, made once: a WAV file at 16 kHz.
///
/// # Panics
///
/// Where flite is missing or fails: `cargo xtask test` installs it.
pub fn spoken(voice: &str, sentence: &str) -> PathBuf {
    let folder = root().join("target/test-speech");
    fs::create_dir_all(&folder).expect("the target folder can be written");
    let words: String = sentence.chars().filter(|it| it.is_alphanumeric()).take(60).collect();
    let path = folder.join(format!("{voice}-{}-{words}.wav", sentence.len()));
    if !path.exists() {
        let made = tempfile::Builder::new().suffix(".wav").tempfile_in(&folder);
        let made = made.expect("the target folder can be written");
        let mut command = Command::new("flite");
        command.args(["-voice", voice, "-t", sentence, "-o"]).arg(made.path());
        let status = command.status();
        let status = status.expect("flite is installed: `cargo xtask test` sees to it");
        assert!(status.success(), "{command:?}");
        made.persist(&path).expect("within one folder");
    }
    path
}
