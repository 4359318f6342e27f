//! Attacks on everything that takes bytes.
//!
//! Owns: floods of output, stdout, stderr and progress.
//! Never: stops on its own, where the name says so.

use std::io::Write;

use pframe_guest::bindings::imports::pframe::task::output as host;
use pframe_guest::{Chunk, Failure, Output, progress};

const PIECE_BYTES: usize = 64 << 10;

pub(crate) fn echo(chunk: &Chunk, output: &mut Output) -> Result<(), Failure> {
    for block in chunk.blocks() {
        output.write_all(&block?)?;
    }
    Ok(())
}

pub(crate) fn forever(output: &mut Output) -> Result<(), Failure> {
    flood(output)
}

pub(crate) fn bytes(output: &mut Output, mut count: u64) -> Result<(), Failure> {
    let piece = vec![b'x'; PIECE_BYTES];
    while count > 0 {
        let length = usize::try_from(count).unwrap_or(PIECE_BYTES).min(PIECE_BYTES);
        output.write_all(&piece[..length])?;
        count -= length as u64;
    }
    Ok(())
}

/// Past the SDK, which would cut the piece.
pub(crate) fn too_long(output: &mut Output) -> Result<(), Failure> {
    match host::write(&vec![b'x'; (1 << 20) + 1]) {
        Ok(()) => Ok(writeln!(output, "taken")?),
        Err(message) => Ok(writeln!(output, "refused: {message}")?),
    }
}

/// Writes until that fails; ends with the error.
pub(crate) fn flood(stream: &mut dyn Write) -> Result<(), Failure> {
    let mut piece = vec![b'x'; PIECE_BYTES];
    piece[PIECE_BYTES - 1] = b'\n';
    loop {
        stream.write_all(&piece)?;
    }
}

pub(crate) fn stderr_lines(count: u64) -> Result<(), Failure> {
    let mut stderr = std::io::stderr().lock();
    for line in 1..=count {
        writeln!(stderr, "line {line} of {count}")?;
    }
    Err(Failure::permanent(format!("evil wrote {count} lines to stderr and gave up")))
}

pub(crate) fn progress_flood(count: u64) {
    let message = "a message that is far longer than anybody wants to read ".repeat(100);
    let count = if count == 0 { u64::MAX } else { count };
    for turn in 0..count {
        let done = [0.0, 0.5, 1.0, -1.0, 7.0, f32::NAN, f32::INFINITY, f32::NEG_INFINITY];
        progress(done[usize::try_from(turn % 8).unwrap_or(0)], message.as_str());
    }
}
