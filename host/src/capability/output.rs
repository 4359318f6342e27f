//! `pframe:task/output`: the one way for a result to leave the sandbox.
//!
//! Owns: the limit on its size. Its limit: `limits.output` in all, 1 MiB in one call.
//! It charges: fuel by the byte. Its escape test: `writing_for_ever_ends_at_the_output_limit`.
//! Never: cuts a result short; past the limit the attempt fails.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use pframe_core::fault::{Code, Fault};
use pframe_core::units::ByteSize;

use super::Capabilities;
use super::bindings::pframe::task::output;
use super::input::{CALL_BYTES_MAX, Part};
use crate::data::results::{Finished, ResultWriter};

/// Where a result goes: into the store, or over the line to whoever keeps it.
pub(crate) trait Sink: Send {
    /// Appends bytes.
    fn write(&mut self, bytes: &[u8]) -> Result<(), Fault>;
    /// Ends the result; the sink is empty again.
    fn finish(&mut self) -> Result<Finished, Fault>;
    /// Ends an intermediate result of a merge; the sink is empty again.
    fn finish_part(&mut self) -> Result<Part, Fault>;
}

impl Sink for ResultWriter {
    fn write(&mut self, bytes: &[u8]) -> Result<(), Fault> {
        Self::write(self, bytes)
    }

    fn finish(&mut self) -> Result<Finished, Fault> {
        Self::finish(self)
    }

    fn finish_part(&mut self) -> Result<Part, Fault> {
        Ok(Part::from(self.finish_scratch()))
    }
}

/// The result being written. Two handles share it where stdout is the result: the stream and the attempt.
#[derive(Clone)]
pub(crate) struct SharedOutput(Arc<Mutex<Writing>>);

struct Writing {
    sink: Box<dyn Sink>,
    limit: ByteSize,
    written: u64,
    fault: Option<Fault>,
}

impl SharedOutput {
    pub(crate) fn new(sink: impl Sink + 'static, limit: ByteSize) -> Self {
        let sink = Box::new(sink);
        Self(Arc::new(Mutex::new(Writing { sink, limit, written: 0, fault: None })))
    }

    /// Adds bytes, or records why they cannot be added.
    pub(crate) fn write(&self, bytes: &[u8]) -> Result<(), ()> {
        let mut writing = self.writing();
        if writing.fault.is_some() {
            return Err(());
        }
        let total = writing.written + bytes.len() as u64;
        let result = if total > writing.limit.bytes() {
            let limit = writing.limit;
            Err(Fault::new(Code::Output).hit("limits.output", limit, ByteSize(total)))
        } else {
            writing.written = total;
            writing.sink.write(bytes)
        };
        result.map_err(|fault| writing.fault = Some(fault))
    }

    /// Ends the result.
    pub(crate) fn finish(&self) -> Result<Finished, Fault> {
        let mut writing = self.writing();
        match writing.fault.take() {
            Some(fault) => Err(fault),
            None => writing.sink.finish(),
        }
    }

    /// Ends an intermediate result of a merge; the limit starts anew.
    pub(crate) fn finish_part(&self) -> Result<Part, Fault> {
        let mut writing = self.writing();
        writing.written = 0;
        match writing.fault.take() {
            Some(fault) => Err(fault),
            None => writing.sink.finish_part(),
        }
    }

    /// Bytes written so far.
    pub(crate) fn written(&self) -> ByteSize {
        ByteSize(self.writing().written)
    }

    /// Why writing failed, if it did.
    pub(crate) fn take_fault(&self) -> Option<Fault> {
        self.writing().fault.take()
    }

    fn writing(&self) -> MutexGuard<'_, Writing> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl output::Host for Capabilities {
    fn write(&mut self, bytes: Vec<u8>) -> wasmtime::Result<Result<(), String>> {
        if bytes.len() > CALL_BYTES_MAX as usize {
            return Ok(Err(format!("one call takes at most {CALL_BYTES_MAX} bytes")));
        }
        self.uncharged_bytes += bytes.len() as u64;
        match self.output.write(&bytes) {
            Ok(()) => Ok(Ok(())),
            Err(()) => Err(wasmtime::Error::msg("the result cannot be written")),
        }
    }
}
