//! Attacks on the data interface.
//!
//! Owns: reads that the host must refuse, and a report of what the chunk says about itself.
//! Never: treats a refusal as a failure: what the host said is the output.

use std::io::Write;

use pframe_guest::{Chunk, Failure, Output, ReadError};

pub(crate) fn read_beyond(chunk: &Chunk, output: &mut Output) -> Result<(), Failure> {
    let size = chunk.size();
    writeln!(output, "at the end: {}", shown(chunk.read_at(size, 1)))?;
    writeln!(output, "beyond the end: {}", shown(chunk.read_at(size + 1, 1)))?;
    Ok(writeln!(output, "far beyond: {}", shown(chunk.read_at(u64::MAX, 1)))?)
}

pub(crate) fn read_huge(chunk: &Chunk, output: &mut Output) -> Result<(), Failure> {
    writeln!(output, "4 GiB: {}", shown(chunk.read_at(0, u32::MAX)))?;
    Ok(writeln!(output, "1 MiB and a byte: {}", shown(chunk.read_at(0, (1 << 20) + 1)))?)
}

pub(crate) fn describe(chunk: &Chunk, output: &mut impl Write) -> Result<(), Failure> {
    let span = chunk.span();
    writeln!(output, "job {}", chunk.job_id())?;
    writeln!(output, "chunk {} of {}", chunk.index(), chunk.count())?;
    writeln!(output, "attempt {}", chunk.attempt())?;
    writeln!(output, "source {}", chunk.source())?;
    writeln!(output, "media-type {}", chunk.media_type().as_deref().unwrap_or("-"))?;
    writeln!(output, "size {}", chunk.size())?;
    Ok(writeln!(output, "span {}..{} {:?}", span.start, span.end, span.unit)?)
}

fn shown(outcome: Result<Vec<u8>, ReadError>) -> String {
    match outcome {
        Ok(bytes) => format!("{} bytes", bytes.len()),
        Err(ReadError::OutOfRange) => "out-of-range".into(),
        Err(ReadError::TooLong) => "too-long".into(),
        Err(ReadError::InputChanged) => "input-changed".into(),
        Err(ReadError::Io(message)) => format!("io: {message}"),
    }
}
