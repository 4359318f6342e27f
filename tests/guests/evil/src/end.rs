//! Attacks on how an attempt ends.
//!
//! Owns: failures that come and go, and messages that no terminal should see as they are.
//! Never: succeeds where it says that it fails.

use std::io::Write;

use pframe_guest::{Chunk, Failure, Output};

use crate::{host, outside};

pub(crate) fn transient_until(
    chunk: &Chunk,
    output: &mut Output,
    attempt: u64,
) -> Result<(), Failure> {
    let present = chunk.attempt();
    if u64::from(present) < attempt {
        let message = format!("attempt {present} of a guest that succeeds at {attempt}");
        return Err(Failure::transient(message));
    }
    Ok(writeln!(output, "{present}")?)
}

/// Fails for all chunks but the first `n`, and says everything that it saw.
pub(crate) fn confess(chunk: &Chunk, n: u64) -> Result<(), Failure> {
    if u64::from(chunk.index()) < n {
        return Ok(());
    }
    let mut seen = Vec::new();
    host::describe(chunk, &mut seen)?;
    outside::random_hex(&mut seen)?;
    outside::clock(&mut seen)?;
    for block in chunk.blocks() {
        let block = block?;
        let sum = block.iter().fold(0_u64, |sum, byte| sum.wrapping_mul(31) + u64::from(*byte));
        writeln!(seen, "{} bytes, {sum:016x}", block.len())?;
    }
    Err(Failure::permanent(String::from_utf8_lossy(&seen)))
}

pub(crate) fn huge_message() -> Result<(), Failure> {
    Err(Failure::permanent("huge ".repeat((8 << 20) / 5)))
}

/// Colours, a window title, a cleared screen, a carriage return over an invented verdict, a text turned around, a
/// line separator and a zero byte.
pub(crate) fn ansi_message() -> Result<(), Failure> {
    Err(Failure::permanent(
        "\x1b[31mred\x1b[0m \x1b]0;owned\x07\x1b[2J\rjob completed\n\u{202e}drow\u{202c}\u{2028}\0end",
    ))
}
