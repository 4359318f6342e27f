//! stderr: talk, log and progress bars share it without tearing each other.
//!
//! Owns: the only place that writes to stderr.
//! Never: fails because stderr is closed.

use std::io::{IsTerminal, Write};
use std::sync::{Mutex, PoisonError};

use indicatif::MultiProgress;

/// The bars on the screen. stderr is one for the whole process, and so is this.
static BARS: Mutex<Option<MultiProgress>> = Mutex::new(None);

/// From now on these bars step aside while something is said.
pub(super) fn share_with(bars: Option<MultiProgress>) {
    *BARS.lock().unwrap_or_else(PoisonError::into_inner) = bars;
}

/// Writes bytes to stderr.
pub(super) fn write(bytes: &[u8]) {
    let write = || {
        let _ = std::io::stderr().lock().write_all(bytes);
    };
    match &*BARS.lock().unwrap_or_else(PoisonError::into_inner) {
        Some(bars) => bars.suspend(write),
        None => write(),
    }
}

/// True where bars can be drawn.
pub(super) fn is_terminal() -> bool {
    std::io::stderr().is_terminal() && std::env::var_os("TERM").is_none_or(|term| term != "dumb")
}

/// stderr for the log.
pub(super) struct Log;

impl Write for Log {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        write(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}
