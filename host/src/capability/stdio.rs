//! Standard streams of a guest: bounded capture for what it says, the chunk and the result for a command.
//!
//! Owns: how much of a guest's talk is kept: its head and its tail, the middle is counted.
//! Its limit: 1 MiB kept. It charges: a call's fuel. Its escape test: `endless_talk_is_kept_short`.
//! Never: the host's own stdout or stderr; a full pipe there would block the runtime.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use bytes::Bytes;
use pframe_core::fault::GuestText;
use tokio::io::{AsyncRead, AsyncWrite};
use wasmtime_wasi::cli::{IsTerminal, StdinStream, StdoutStream};
use wasmtime_wasi::p2::{InputStream, OutputStream, Pollable, StreamError, StreamResult};

use super::input::ChunkHandle;
use super::output::SharedOutput;

/// Bytes of talk kept from the start.
const HEAD_BYTES: usize = 512 << 10;
/// Bytes of talk kept from the end.
const TAIL_BYTES: usize = 512 << 10;
/// Bytes that a stream takes or gives in one call.
const STREAM_BYTES_MAX: usize = 64 << 10;

/// What a guest said. The streams and whoever reads it later share it.
#[derive(Clone, Default)]
pub(crate) struct Capture(Arc<Mutex<Kept>>);

#[derive(Default)]
struct Kept {
    head: Vec<u8>,
    tail: VecDeque<u8>,
    dropped: u64,
}

impl Capture {
    fn kept(&self) -> MutexGuard<'_, Kept> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn push(&self, bytes: &[u8]) {
        let mut kept = self.kept();
        let to_head = bytes.len().min(HEAD_BYTES - kept.head.len());
        kept.head.extend_from_slice(&bytes[..to_head]);
        kept.tail.extend(&bytes[to_head..]);
        let excess = kept.tail.len().saturating_sub(TAIL_BYTES);
        kept.tail.drain(..excess);
        kept.dropped += excess as u64;
    }

    /// All that was kept, with a word where the middle is missing; `None` where nothing was said.
    pub(crate) fn text(&self) -> Option<Vec<u8>> {
        let kept = self.kept();
        if kept.head.is_empty() {
            return None;
        }
        let mut text = kept.head.clone();
        if kept.dropped > 0 {
            text.extend_from_slice(format!("\n… {} bytes left out …\n", kept.dropped).as_bytes());
        }
        text.extend(&kept.tail);
        Some(text)
    }

    /// The last lines, escaped.
    pub(crate) fn tail(&self, lines: usize) -> Vec<GuestText> {
        let Some(text) = self.text() else { return Vec::new() };
        let mut last: Vec<GuestText> = text
            .trim_ascii_end()
            .rsplit(|&byte| byte == b'\n')
            .take(lines)
            .map(GuestText::from_bytes)
            .collect();
        last.reverse();
        last
    }
}

/// The three streams of one guest.
pub(crate) struct GuestStdio {
    pub(super) stdin: Stdin,
    pub(super) stdout: Stdout,
    pub(super) stderr: Stdout,
}

impl GuestStdio {
    /// For a handler: nothing to read, and both outputs are talk.
    pub(crate) fn handler(talk: &Capture) -> Self {
        Self {
            stdin: Stdin(None),
            stdout: Stdout::Talk(talk.clone()),
            stderr: Stdout::Talk(talk.clone()),
        }
    }

    /// For a command: the chunk in, the result out.
    pub(crate) fn command(chunk: ChunkHandle, output: SharedOutput, talk: &Capture) -> Self {
        Self {
            stdin: Stdin(Some(chunk)),
            stdout: Stdout::Result(output),
            stderr: Stdout::Talk(talk.clone()),
        }
    }
}

/// Where a guest reads.
#[derive(Clone)]
pub(super) struct Stdin(Option<ChunkHandle>);

impl IsTerminal for Stdin {
    fn is_terminal(&self) -> bool {
        false
    }
}

impl StdinStream for Stdin {
    /// Only WASI 0.3 asks for this, which is not linked.
    fn async_stream(&self) -> Box<dyn AsyncRead + Send + Sync> {
        Box::new(tokio::io::empty())
    }

    fn p2_stream(&self) -> Box<dyn InputStream> {
        Box::new(ChunkStream { chunk: self.0.clone(), offset: 0 })
    }
}

struct ChunkStream {
    chunk: Option<ChunkHandle>,
    offset: u64,
}

#[wasmtime_wasi::async_trait]
impl Pollable for ChunkStream {
    async fn ready(&mut self) {}
}

impl InputStream for ChunkStream {
    fn read(&mut self, size: usize) -> StreamResult<Bytes> {
        let Some(chunk) = &self.chunk else { return Err(StreamError::Closed) };
        if self.offset >= chunk.size() {
            return Err(StreamError::Closed);
        }
        let length = u32::try_from(size.min(STREAM_BYTES_MAX)).expect("bounded above");
        match chunk.read(self.offset, length) {
            Ok(bytes) => {
                self.offset += bytes.len() as u64;
                Ok(bytes.into())
            }
            Err(problem) => {
                Err(StreamError::LastOperationFailed(wasmtime::Error::msg(problem.to_string())))
            }
        }
    }
}

/// Where a guest writes.
#[derive(Clone)]
pub(super) enum Stdout {
    Talk(Capture),
    Result(SharedOutput),
}

impl IsTerminal for Stdout {
    fn is_terminal(&self) -> bool {
        false
    }
}

impl StdoutStream for Stdout {
    /// Only WASI 0.3 asks for this, which is not linked.
    fn async_stream(&self) -> Box<dyn AsyncWrite + Send + Sync> {
        Box::new(tokio::io::sink())
    }

    fn p2_stream(&self) -> Box<dyn OutputStream> {
        Box::new(self.clone())
    }
}

#[wasmtime_wasi::async_trait]
impl Pollable for Stdout {
    async fn ready(&mut self) {}
}

impl OutputStream for Stdout {
    fn write(&mut self, bytes: Bytes) -> StreamResult<()> {
        if bytes.len() > STREAM_BYTES_MAX {
            return Err(StreamError::trap("more was written than the stream said it takes"));
        }
        match self {
            Self::Talk(capture) => {
                capture.push(&bytes);
                Ok(())
            }
            Self::Result(output) => {
                output.write(&bytes).map_err(|()| StreamError::trap("the result cannot be written"))
            }
        }
    }

    fn flush(&mut self) -> StreamResult<()> {
        Ok(())
    }

    fn check_write(&mut self) -> StreamResult<usize> {
        Ok(STREAM_BYTES_MAX)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn head_and_tail_are_kept_and_the_middle_is_counted() {
        let capture = Capture::default();
        capture.push(b"first\n");
        capture.push(&vec![b'x'; 3 << 20]);
        capture.push(b"\nlast\n");
        let text = capture.text().unwrap();
        assert!(text.starts_with(b"first\n") && text.ends_with(b"\nlast\n"));
        assert!(text.len() < HEAD_BYTES + TAIL_BYTES + 100);
        assert!(String::from_utf8_lossy(&text).contains("bytes left out"));
        assert_eq!(capture.tail(1)[0].as_str(), "last");
    }

    #[test]
    fn silence_leaves_nothing() {
        assert_eq!(Capture::default().text(), None);
        assert_eq!(Capture::default().tail(20), Vec::new());
    }
}
