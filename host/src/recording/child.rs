//! Decoding in a child process: a file of a user never meets a parser in the host.
//!
//! Owns: both ends of it, and the bounds: what counts is what was decoded, not what the file says of itself.
//! Never: lets the child write a file; samples come over the line and the host keeps them.

use std::fs::File;
use std::os::fd::OwnedFd;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::process::ExitCode;
use std::time::Duration;

use pframe_core::config::Isolation;
use pframe_core::fault::{Code, Fault, GuestText};
use pframe_core::units::{ByteSize, show_duration};
use pframe_speech::BYTES_PER_MS;
use serde::{Deserialize, Serialize};

use super::decode::{Input, Problem, decode};
use crate::process::errand::{self, Answers, Bounds, ErrandProgram};
use crate::process::frame::FrameError;

/// What a decoder may use: decoding takes a thousandth of the recording's length, and a few megabytes.
const BOUNDS: Bounds = Bounds {
    memory: ByteSize::mib(512),
    cpu: Duration::from_mins(10),
    wall: Duration::from_mins(20),
};
/// Bytes of samples in one frame: 8 seconds.
const PIECE_BYTES: usize = 256 << 10;
/// Of a file's name, so much may be its extension.
const EXTENSION_BYTES_MAX: usize = 8;

/// From the host: decode the file that comes as a descriptor.
#[derive(Debug, Serialize, Deserialize)]
struct Decode {
    size: u64,
    /// A hint, from its name.
    extension: String,
}

/// From the child.
#[derive(Debug, Serialize, Deserialize)]
enum Answer {
    /// Some samples, two bytes each, the lower one first.
    Samples(Vec<u8>),
    /// That was all.
    Done,
    /// There are none, or no more; why.
    Failed(String),
}

/// Where recordings are decoded, and how long one may be.
#[derive(Debug)]
pub(super) struct Decoder {
    pub(super) program: ErrandProgram,
    pub(super) length_max: Duration,
}

/// Decodes in a child. `sink` is handed whole samples, two bytes each, at 16 kHz.
pub(super) fn decode_in_child(
    decoder: &Decoder,
    (file, size): (OwnedFd, u64),
    name: &str,
    mut sink: impl FnMut(&[u8]) -> Result<(), Fault>,
) -> Result<(), Fault> {
    let length_max = decoder.length_max;
    let bytes_max = length_max.as_secs() * 1000 * BYTES_PER_MS;
    let mut bytes = 0;
    let hear = |answer| match answer {
        Answer::Samples(piece) if piece.len() % 2 == 0 => {
            bytes += piece.len() as u64;
            if bytes > bytes_max {
                return Err(Fault::new(Code::RecordingLimit).detail(format!("`{name}`")).hit(
                    "speech.recording_max",
                    show_duration(length_max),
                    "more",
                ));
            }
            sink(&piece).map(|()| None)
        }
        Answer::Samples(_) => Err(Fault::new(Code::Protocol).detail("half a sample")),
        Answer::Done => Ok(Some(())),
        Answer::Failed(why) => {
            let why = GuestText::new(&why);
            Err(Fault::new(Code::Recording).detail(format!("`{name}`: {why}")))
        }
    };
    let question = Decode { size, extension: extension(name) };
    errand::run(&decoder.program, "decode", &BOUNDS, (question, vec![file]), hear)
        .map_err(|broken| broken.fault("decode", Code::RecordingLimit, Code::Recording))
}

fn extension(name: &str) -> String {
    let extension = name.rsplit_once('.').map_or("", |(_, extension)| extension);
    let is_plain = extension.len() <= EXTENSION_BYTES_MAX
        && extension.chars().all(|it| it.is_ascii_alphanumeric());
    if is_plain { extension.to_ascii_lowercase() } else { String::new() }
}

/// The child's life: into the jail, decode what comes, say how that went.
pub(crate) fn serve_decode(isolation: Isolation) -> ExitCode {
    errand::serve("decode", (isolation, &BOUNDS), || Ok(Ready), answer)
}

/// There is nothing to prepare: every decoder is plain code of this program.
struct Ready;

fn answer(
    _: &Ready,
    question: &Decode,
    descriptors: Vec<OwnedFd>,
    answers: &mut Answers,
) -> Result<(), FrameError> {
    let file = descriptors.into_iter().next();
    let file = file.ok_or(FrameError::Malformed("no recording came along"))?;
    let input = Input { reader: File::from(file), size: question.size };
    let mut waiting: Vec<u8> = Vec::with_capacity(2 * PIECE_BYTES);
    let mut line = Ok(());
    // A decoder may stumble over what a file says; that is the file's doing and no news for stderr.
    std::panic::set_hook(Box::new(|_| ()));
    let sink = |samples: &[i16]| {
        waiting.extend(samples.iter().flat_map(|sample| sample.to_le_bytes()));
        while waiting.len() >= PIECE_BYTES && line.is_ok() {
            line = answers.say(Answer::Samples(waiting.drain(..PIECE_BYTES).collect()));
        }
        if line.is_ok() { Ok(()) } else { Err(Problem::Stopped) }
    };
    let decode = AssertUnwindSafe(|| decode(input, &question.extension, sink));
    let stumbled = || Problem::Unreadable("malformed: the decoder stumbled over it".into());
    let ended = catch_unwind(decode).unwrap_or_else(|_| Err(stumbled()));
    line?;
    match ended {
        Ok(()) => {
            answers.say(Answer::Samples(waiting))?;
            answers.say(Answer::Done)
        }
        Err(Problem::Unreadable(why)) => answers.say(Answer::Failed(why)),
        Err(Problem::Stopped) => Err(FrameError::Closed),
    }
}
