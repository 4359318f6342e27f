//! stdout: data, and nothing else.
//!
//! Owns: what happens when whoever reads stdout has gone (`… | head`): the rest is dropped, the work goes on.
//! Never: adds a word to the data.

use std::io::{ErrorKind, StdoutLock, Write};

use pframe_core::fault::{Code, Fault};
use serde_json::Value;

use super::failure::Failure;

/// stdout, for as long as somebody reads it.
pub(super) struct Stdout(Option<StdoutLock<'static>>);

impl Stdout {
    pub(super) fn open() -> Self {
        Self(Some(std::io::stdout().lock()))
    }

    fn attempt<T>(
        &mut self,
        unread: T,
        write: impl FnOnce(&mut StdoutLock<'static>) -> std::io::Result<T>,
    ) -> std::io::Result<T> {
        let Some(stdout) = &mut self.0 else { return Ok(unread) };
        match write(stdout) {
            Err(error) if error.kind() == ErrorKind::BrokenPipe => {
                self.0 = None;
                Ok(unread)
            }
            other => other,
        }
    }
}

impl Write for Stdout {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.attempt(bytes.len(), |stdout| stdout.write(bytes))
    }

    fn flush(&mut self) -> std::io::Result<()> {
        self.attempt((), Write::flush)
    }
}

/// Prints text; the line ends here if it has not ended yet.
pub(super) fn print(text: &str) -> Result<(), Failure> {
    let end = if text.is_empty() || text.ends_with('\n') { "" } else { "\n" };
    let mut stdout = Stdout::open();
    write!(stdout, "{text}{end}").and_then(|()| stdout.flush()).map_err(|error| unwritable(&error))
}

/// stdout is there and cannot be written, such as a file on a full disk.
pub(super) fn unwritable(error: &std::io::Error) -> Failure {
    Failure::at("stdout")(Fault::new(Code::InputOutput).detail(error.to_string()))
}

/// Prints a value as one line of JSON.
pub(super) fn print_json(value: &Value) -> Result<(), Failure> {
    print(&value.to_string())
}
