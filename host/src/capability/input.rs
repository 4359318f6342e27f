//! `pframe:task/input`: bounded reads from a chunk, a source, or earlier outputs.
//!
//! Owns: that a guest reads its own slice and nothing else. Its limit: 1 MiB in one call.
//! It charges: fuel by the byte. Its escape test: `reading_past_the_chunk_is_out_of_range`.
//! Never: hands over a path or a file handle.

use std::ops::Range;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use pframe_core::fault::{Code, Fault};
use pframe_core::ids::{AttemptId, Step};
use pframe_core::job::{Chunking, Slice};
use pframe_core::limits::Asked;
use pframe_speech::BYTES_PER_MS;
use serde::{Deserialize, Serialize};
use wasmtime::component::Resource;

use super::Capabilities;
use super::bindings::pframe::task::input;
use super::bindings::pframe::task::types::{self, ReadError, Span, Unit};
use crate::data::source::{Bytes, ReadProblem, SourceReader};

/// Bytes that one call reads or writes at most.
pub(crate) const CALL_BYTES_MAX: u32 = 1 << 20;

/// Things that an attempt takes one after the other: a job may have more of them than a process may have open.
pub(crate) trait Supply<T>: Send {
    /// How many there are.
    fn count(&self) -> usize;
    /// Opens some of them, in order.
    fn open(&mut self, range: Range<usize>) -> Result<Vec<T>, Fault>;
}

/// Those that are open already.
impl<T: Clone + Send> Supply<T> for Vec<T> {
    fn count(&self) -> usize {
        self.len()
    }

    fn open(&mut self, range: Range<usize>) -> Result<Self, Fault> {
        Ok(self[range].to_vec())
    }
}

/// What the bytes of a source are.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Medium {
    /// Those of the source itself.
    Bytes,
    /// Samples, decoded from it: its spans are times.
    Samples,
}

impl Medium {
    /// What a job's handlers are handed.
    pub(crate) fn of(chunking: &Chunking) -> Self {
        match chunking {
            Chunking::Time { .. } => Self::Samples,
            Chunking::None
            | Chunking::Size { .. }
            | Chunking::Content { .. }
            | Chunking::Custom => Self::Bytes,
        }
    }

    fn span(self, slice: Slice) -> Span {
        match self {
            Self::Bytes => Span { start: slice.start, end: slice.end, unit: Unit::Bytes },
            Self::Samples => Span {
                start: slice.start / BYTES_PER_MS,
                end: slice.end / BYTES_PER_MS,
                unit: Unit::Milliseconds,
            },
        }
    }
}

/// One slice of one source, as a handler sees it. Clones share the reader and the count.
#[derive(Clone)]
#[expect(unreachable_pub, reason = "the generated bindings re-export it")]
pub struct ChunkHandle {
    attempt: AttemptId,
    count: u32,
    slice: Slice,
    medium: Medium,
    source: Arc<SourceReader>,
    read: Arc<AtomicU64>,
}

impl ChunkHandle {
    /// The slice that `attempt` works on, one of `count`.
    pub(crate) fn new(
        attempt: AttemptId,
        count: u32,
        slice: Slice,
        (medium, source): (Medium, Arc<SourceReader>),
    ) -> Self {
        Self { attempt, count, slice, medium, source, read: Arc::default() }
    }

    /// First byte of the slice in its source.
    pub(crate) fn start(&self) -> u64 {
        self.slice.start
    }

    /// True where the bytes are samples.
    pub(crate) fn is_recording(&self) -> bool {
        self.medium == Medium::Samples
    }

    /// Reads for the host itself: the guest is not charged.
    pub(crate) fn look(&self, offset: u64, length: u64) -> Result<Vec<u8>, ReadProblem> {
        let left = self.slice.len().checked_sub(offset).ok_or(ReadProblem::OutOfRange)?;
        self.source.read(self.slice.start + offset, length.min(left))
    }

    /// Bytes in the slice.
    pub(crate) fn size(&self) -> u64 {
        self.slice.len()
    }

    /// Reads from the slice; offsets count from its start.
    pub(crate) fn read(&self, offset: u64, length: u32) -> Result<Vec<u8>, ReadProblem> {
        let bytes = self.look(offset, u64::from(length))?;
        self.read.fetch_add(bytes.len() as u64, Ordering::Relaxed);
        Ok(bytes)
    }

    /// Bytes handed out so far.
    pub(crate) fn bytes_read(&self) -> u64 {
        self.read.load(Ordering::Relaxed)
    }
}

/// One whole source, as a chunker sees it.
#[derive(Clone)]
#[expect(unreachable_pub, reason = "the generated bindings re-export it")]
pub struct SourceHandle(pub(crate) Arc<SourceReader>);

/// One earlier output.
#[derive(Clone)]
pub(crate) struct Part(Bytes);

impl Part {
    pub(crate) fn bytes(&self) -> &Bytes {
        &self.0
    }
}

impl From<Bytes> for Part {
    fn from(bytes: Bytes) -> Self {
        Self(bytes)
    }
}

/// Earlier outputs, in order, as a collector sees them.
#[expect(unreachable_pub, reason = "the generated bindings re-export it")]
pub struct PartialsHandle(Vec<Part>);

impl PartialsHandle {
    pub(crate) fn new(parts: Vec<Part>) -> Self {
        Self(parts)
    }

    fn part(&self, index: u32) -> Option<&Bytes> {
        self.0.get(index as usize).map(|part| &part.0)
    }
}

type Read = Result<Vec<u8>, ReadError>;

impl Capabilities {
    /// Counts what was read, or ends the attempt where the input is no longer what was accepted.
    fn account(&mut self, read: Result<Vec<u8>, ReadProblem>) -> wasmtime::Result<Read> {
        match read {
            Ok(bytes) => {
                self.input_bytes += bytes.len() as u64;
                self.uncharged_bytes += bytes.len() as u64;
                Ok(Ok(bytes))
            }
            Err(ReadProblem::OutOfRange) => Ok(Err(ReadError::OutOfRange)),
            Err(ReadProblem::Changed(what)) => {
                Err(self.end(Fault::new(Code::InputChanged).detail(what)))
            }
            Err(ReadProblem::Io(what)) => Err(self.end(Fault::new(Code::InputOutput).detail(what))),
            Err(ReadProblem::Fetch(fault)) => Err(self.end(fault)),
        }
    }
}

impl types::Host for Capabilities {}
impl input::Host for Capabilities {}

impl input::HostChunk for Capabilities {
    fn job_id(&mut self, chunk: Resource<ChunkHandle>) -> wasmtime::Result<String> {
        self.asked = Asked::Job;
        Ok(self.table.get(&chunk)?.attempt.job.to_string())
    }

    fn index(&mut self, chunk: Resource<ChunkHandle>) -> wasmtime::Result<u32> {
        self.asked = self.asked.max(Asked::Place);
        match self.table.get(&chunk)?.attempt.step {
            Step::Run(index) => Ok(index),
            Step::Cut | Step::Collect => {
                Err(wasmtime::Error::msg("a chunk belongs to a `run` step"))
            }
        }
    }

    fn count(&mut self, chunk: Resource<ChunkHandle>) -> wasmtime::Result<u32> {
        self.asked = self.asked.max(Asked::Place);
        Ok(self.table.get(&chunk)?.count)
    }

    fn attempt(&mut self, chunk: Resource<ChunkHandle>) -> wasmtime::Result<u32> {
        self.asked = Asked::Job;
        Ok(self.table.get(&chunk)?.attempt.number)
    }

    fn source(&mut self, chunk: Resource<ChunkHandle>) -> wasmtime::Result<String> {
        Ok(self.table.get(&chunk)?.source.name().to_owned())
    }

    fn media_type(&mut self, chunk: Resource<ChunkHandle>) -> wasmtime::Result<Option<String>> {
        Ok(self.table.get(&chunk)?.source.media_type().map(str::to_owned))
    }

    fn size(&mut self, chunk: Resource<ChunkHandle>) -> wasmtime::Result<u64> {
        Ok(self.table.get(&chunk)?.slice.len())
    }

    fn span(&mut self, chunk: Resource<ChunkHandle>) -> wasmtime::Result<Span> {
        let chunk = self.table.get(&chunk)?;
        Ok(chunk.medium.span(chunk.slice))
    }

    fn read(
        &mut self,
        chunk: Resource<ChunkHandle>,
        offset: u64,
        length: u32,
    ) -> wasmtime::Result<Read> {
        if length > CALL_BYTES_MAX {
            return Ok(Err(ReadError::TooLong));
        }
        let read = self.table.get(&chunk)?.read(offset, length);
        self.account(read)
    }

    fn drop(&mut self, chunk: Resource<ChunkHandle>) -> wasmtime::Result<()> {
        self.table.delete(chunk)?;
        Ok(())
    }
}

impl input::HostSource for Capabilities {
    fn name(&mut self, source: Resource<SourceHandle>) -> wasmtime::Result<String> {
        Ok(self.table.get(&source)?.0.name().to_owned())
    }

    fn media_type(&mut self, source: Resource<SourceHandle>) -> wasmtime::Result<Option<String>> {
        Ok(self.table.get(&source)?.0.media_type().map(str::to_owned))
    }

    fn size(&mut self, source: Resource<SourceHandle>) -> wasmtime::Result<u64> {
        Ok(self.table.get(&source)?.0.size())
    }

    fn read(
        &mut self,
        source: Resource<SourceHandle>,
        offset: u64,
        length: u32,
    ) -> wasmtime::Result<Read> {
        if length > CALL_BYTES_MAX {
            return Ok(Err(ReadError::TooLong));
        }
        let reader = &self.table.get(&source)?.0;
        let read = match reader.size().checked_sub(offset) {
            Some(left) => reader.read(offset, u64::from(length).min(left)),
            None => Err(ReadProblem::OutOfRange),
        };
        self.account(read)
    }

    fn drop(&mut self, source: Resource<SourceHandle>) -> wasmtime::Result<()> {
        self.table.delete(source)?;
        Ok(())
    }
}

impl input::HostPartials for Capabilities {
    fn count(&mut self, parts: Resource<PartialsHandle>) -> wasmtime::Result<u32> {
        let count = self.table.get(&parts)?.0.len();
        Ok(u32::try_from(count).expect("parts are chunks, and those are counted in 32 bits"))
    }

    fn size(&mut self, parts: Resource<PartialsHandle>, index: u32) -> wasmtime::Result<u64> {
        Ok(self.table.get(&parts)?.part(index).map_or(0, Bytes::size))
    }

    fn read(
        &mut self,
        parts: Resource<PartialsHandle>,
        index: u32,
        offset: u64,
        length: u32,
    ) -> wasmtime::Result<Read> {
        if length > CALL_BYTES_MAX {
            return Ok(Err(ReadError::TooLong));
        }
        let read = match self.table.get(&parts)?.part(index) {
            Some(bytes) => bytes.read(offset, u64::from(length)),
            None => Err(ReadProblem::OutOfRange),
        };
        self.account(read)
    }

    fn drop(&mut self, parts: Resource<PartialsHandle>) -> wasmtime::Result<()> {
        self.table.delete(parts)?;
        Ok(())
    }
}
