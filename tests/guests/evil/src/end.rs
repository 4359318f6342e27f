//! Attacks on how an attempt ends.
//!
//! Owns: failures that come and go, and messages that no terminal should see as they are.
//! Never: succeeds where it says that it fails.

use std::io::Write;

use pframe_guest::{Chunk, Failure, Output};

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
