//! The result of a call, as a `std::io::Write`.
//!
//! Owns: the buffer that turns many small writes into few calls of at most 1 MiB.
//! Never: loses an error: one that was not seen by the task ends the call after it.

use std::io::{self, Write};

use crate::bindings::imports::pframe::task::output as host;
use crate::failure::Failure;
use crate::read::BLOCK_BYTES_MAX;

/// How much is collected before the host is called. Small enough to stay in the cache, large enough that the calls
/// do not count.
const BUFFER_BYTES: usize = 64 << 10;

/// Where the pieces go: to the host, or into memory in a test.
enum Sink {
    Host,
    Memory(Vec<u8>),
}

/// What the call writes. It counts only if the call returns `Ok`.
pub struct Output {
    sink: Sink,
    buffer: Vec<u8>,
    failure: Option<Failure>,
}

impl Output {
    pub(crate) fn to_host() -> Self {
        Self { sink: Sink::Host, buffer: Vec::new(), failure: None }
    }

    pub(crate) fn to_memory() -> Self {
        Self { sink: Sink::Memory(Vec::new()), buffer: Vec::new(), failure: None }
    }

    /// Hands over what is left in the buffer, and tells of the first error that any write had.
    pub(crate) fn finish(&mut self) -> Result<(), Failure> {
        self.hand_over_buffer()?;
        self.failure.clone().map_or(Ok(()), Err)
    }

    /// What a test wrote.
    pub(crate) fn into_memory(self) -> Vec<u8> {
        match self.sink {
            Sink::Host => Vec::new(),
            Sink::Memory(bytes) => bytes,
        }
    }

    fn hand_over_buffer(&mut self) -> Result<(), Failure> {
        let buffer = std::mem::take(&mut self.buffer);
        if !buffer.is_empty() {
            self.hand_over(&buffer)?;
        }
        self.buffer = buffer;
        self.buffer.clear();
        Ok(())
    }

    /// After a failure nothing more is handed over: a result with a hole is worse than none.
    fn hand_over(&mut self, bytes: &[u8]) -> Result<(), Failure> {
        if let Some(failure) = &self.failure {
            return Err(failure.clone());
        }
        for piece in bytes.chunks(BLOCK_BYTES_MAX as usize) {
            if let Err(message) = self.sink.write(piece) {
                let failure = Failure::permanent(format!("cannot write the output: {message}"));
                self.failure = Some(failure.clone());
                return Err(failure);
            }
        }
        Ok(())
    }
}

impl Sink {
    fn write(&mut self, piece: &[u8]) -> Result<(), String> {
        match self {
            Self::Host => host::write(piece),
            Self::Memory(bytes) => {
                bytes.extend_from_slice(piece);
                Ok(())
            }
        }
    }
}

impl Write for Output {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if self.buffer.len() + bytes.len() > BUFFER_BYTES {
            self.hand_over_buffer().map_err(io::Error::other)?;
        }
        if bytes.len() >= BUFFER_BYTES {
            self.hand_over(bytes).map_err(io::Error::other)?;
        } else {
            self.buffer.extend_from_slice(bytes);
        }
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        self.hand_over_buffer().map_err(io::Error::other)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn small_and_large_writes_keep_their_order() {
        let mut output = Output::to_memory();
        let mut expect = Vec::new();
        for length in [1, 100, BUFFER_BYTES - 1, BUFFER_BYTES, 3 << 20, 0, 7] {
            let bytes: Vec<u8> = (0..=255).cycle().take(length).collect();
            output.write_all(&bytes).expect("memory takes everything");
            expect.extend(bytes);
        }
        output.finish().expect("memory takes everything");
        assert_eq!(output.into_memory(), expect);
    }

    #[test]
    fn a_failed_write_is_remembered_even_if_the_task_ignores_it() {
        let mut output = Output::to_memory();
        output.failure = Some(Failure::permanent("full"));
        let ignored = output.write(&vec![0; BUFFER_BYTES]);
        assert!(ignored.is_err());
        assert_eq!(output.finish(), Err(Failure::permanent("full")));
    }
}
