//! Every record as a line of JSON on stdout.
//!
//! Owns: `--json`. A thread of its own writes, so that a slow reader slows the run down and does not tear it.
//! Never: drops a line while anybody reads; a reader that went away is forgotten.

use std::io::{BufWriter, ErrorKind, Write};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread::JoinHandle;

use pframe_core::event::Record;

use super::Reporter;

/// Turns that may wait for the reader before the run waits with them.
const TURNS_WAITING_MAX: usize = 1024;

/// Writes lines until it is dropped.
pub(crate) struct JsonLines {
    sender: Option<SyncSender<Vec<Record>>>,
    writer: Option<JoinHandle<()>>,
}

impl JsonLines {
    pub(crate) fn start() -> Self {
        let (sender, receiver) = sync_channel(TURNS_WAITING_MAX);
        let writer = std::thread::spawn(move || write_all(&receiver));
        Self { sender: Some(sender), writer: Some(writer) }
    }
}

impl Reporter for JsonLines {
    fn show(&mut self, records: &[Record]) {
        let is_gone = self.sender.as_ref().is_some_and(|to| to.send(records.to_vec()).is_err());
        if is_gone {
            self.sender = None;
        }
    }
}

impl Drop for JsonLines {
    fn drop(&mut self) {
        self.sender = None;
        if let Some(writer) = self.writer.take() {
            let _ = writer.join();
        }
    }
}

fn write_all(turns: &Receiver<Vec<Record>>) {
    let mut stdout = BufWriter::new(std::io::stdout().lock());
    for records in turns {
        for record in records {
            let written = serde_json::to_writer(&mut stdout, &record).map_err(Into::into);
            if let Err(error) = written.and_then(|()| writeln!(stdout)) {
                return mourn(&error);
            }
        }
        if let Err(error) = stdout.flush() {
            return mourn(&error);
        }
    }
}

/// A reader that went away is no reason for a word; a full disk is.
fn mourn(error: &std::io::Error) {
    if error.kind() != ErrorKind::BrokenPipe {
        tracing::warn!(%error, "events cannot be written to stdout any more");
    }
}
