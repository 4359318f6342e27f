//! Ctrl-C and SIGTERM: the first drains, the second stops at once.
//!
//! Owns: what a signal means to a command that runs jobs.
//! Never: works inside a signal handler; a thread reads the signals.

use std::sync::mpsc::Sender;

use signal_hook::consts::{SIGINT, SIGTERM};
use signal_hook::iterator::Signals;

use super::failure::{INTERRUPTED, TERMINATED};
use crate::reporter::told::say;

/// A request to end, with the exit code that will tell of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Interrupt {
    pub(super) exit_code: u8,
}

/// Sends the first signal as a message; the second ends the process on the spot.
pub(super) fn watch<T: From<Interrupt> + Send + 'static>(to: Sender<T>) -> std::io::Result<()> {
    let mut signals = Signals::new([SIGINT, SIGTERM])?;
    std::thread::Builder::new().name("pframe-signals".into()).spawn(move || {
        let mut is_draining = false;
        for signal in signals.forever() {
            let exit_code = if signal == SIGINT { INTERRUPTED } else { TERMINATED };
            if is_draining || to.send(Interrupt { exit_code }.into()).is_err() {
                say("stopped at once; `pframe-host resume` goes on where it stopped");
                std::process::exit(i32::from(exit_code));
            }
            is_draining = true;
        }
    })?;
    Ok(())
}
