//! The chunk that a handler works on, and the source that a chunker cuts.
//!
//! Owns: the pleasant face of the resources `chunk` and `source` of `wit/task.wit`.
//! Never: loads the whole of anything, unless [`Chunk::read_all`] is asked to.

use std::io::Read;

use crate::bindings::imports::pframe::task::input as host;
use crate::bindings::{ReadError, Span};
use crate::failure::Failure;
use crate::lines::Lines;
use crate::read::{Blocks, ReadAt, Reader};

/// What the two resources answer about themselves, asked once.
#[derive(Clone, Debug)]
pub(crate) struct Label {
    pub(crate) job_id: String,
    pub(crate) index: u32,
    pub(crate) count: u32,
    pub(crate) attempt: u32,
    pub(crate) source: String,
    pub(crate) media_type: Option<String>,
    pub(crate) span: Span,
}

/// Where a chunk comes from: the host, or a test.
enum Origin<'a> {
    Host(&'a host::Chunk),
    Memory(&'a dyn ReadAt, Label),
}

/// One slice of one input: what a handler works on.
pub struct Chunk<'a> {
    origin: Origin<'a>,
}

/// Asks the host, or the label that a test gave.
macro_rules! ask {
    ($self:ident, $method:ident, $label:ident => $value:expr) => {
        match &$self.origin {
            Origin::Host(chunk) => chunk.$method(),
            Origin::Memory(_, $label) => $value,
        }
    };
}

impl<'a> Chunk<'a> {
    pub(crate) fn from_host(chunk: &'a host::Chunk) -> Self {
        Self { origin: Origin::Host(chunk) }
    }

    pub(crate) fn from_memory(data: &'a dyn ReadAt, label: Label) -> Self {
        Self { origin: Origin::Memory(data, label) }
    }

    /// The job it belongs to.
    pub fn job_id(&self) -> String {
        ask!(self, job_id, label => label.job_id.clone())
    }

    /// Its place among the chunks of its job, from 0.
    pub fn index(&self) -> u32 {
        ask!(self, index, label => label.index)
    }

    /// How many chunks the job has.
    pub fn count(&self) -> u32 {
        ask!(self, count, label => label.count)
    }

    /// Which try this is, from 1.
    pub fn attempt(&self) -> u32 {
        ask!(self, attempt, label => label.attempt)
    }

    /// The name of the source it was cut from.
    pub fn source(&self) -> String {
        ask!(self, source, label => label.source.clone())
    }

    /// The media type of its source, if the host knows it.
    pub fn media_type(&self) -> Option<String> {
        ask!(self, media_type, label => label.media_type.clone())
    }

    /// Where it lies in its source.
    pub fn span(&self) -> Span {
        ask!(self, span, label => label.span)
    }

    /// Its size in bytes.
    pub fn size(&self) -> u64 {
        self.data().size()
    }

    /// Up to `length` bytes (at most 1 MiB) from `offset`, which counts from the start of the chunk.
    pub fn read_at(&self, offset: u64, length: u32) -> Result<Vec<u8>, ReadError> {
        self.data().read_at(offset, length)
    }

    /// Its lines, in order.
    pub fn lines(&self) -> Lines<'_> {
        Lines::new(self.data())
    }

    /// Its bytes in blocks of at most 1 MiB, in order, without ever holding more than one.
    pub fn blocks(&self) -> Blocks<'_> {
        Blocks::new(self.data())
    }

    /// A [`std::io::BufRead`] over it.
    pub fn reader(&self) -> Reader<'_> {
        Reader::new(self.data())
    }

    /// All of it in memory, for tasks whose chunks are known to be small.
    pub fn read_all(&self) -> Result<Vec<u8>, Failure> {
        let mut bytes = Vec::new();
        self.reader().read_to_end(&mut bytes)?;
        Ok(bytes)
    }

    fn data(&self) -> &dyn ReadAt {
        match &self.origin {
            Origin::Host(chunk) => *chunk,
            Origin::Memory(data, _) => *data,
        }
    }
}

/// One whole input: what a chunker cuts.
pub struct Source<'a> {
    data: &'a dyn ReadAt,
    name: String,
    media_type: Option<String>,
}

impl<'a> Source<'a> {
    pub(crate) fn from_host(source: &'a host::Source) -> Self {
        Self { data: source, name: source.name(), media_type: source.media_type() }
    }

    pub(crate) fn from_memory(data: &'a dyn ReadAt, name: &str) -> Self {
        Self { data, name: name.into(), media_type: None }
    }

    /// Its name for people; not a path to open.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Its media type, if the host knows it.
    pub fn media_type(&self) -> Option<&str> {
        self.media_type.as_deref()
    }

    /// Its size in bytes.
    pub fn size(&self) -> u64 {
        self.data.size()
    }

    /// Up to `length` bytes (at most 1 MiB) from `offset`.
    pub fn read_at(&self, offset: u64, length: u32) -> Result<Vec<u8>, ReadError> {
        self.data.read_at(offset, length)
    }

    /// Its lines, in order.
    pub fn lines(&self) -> Lines<'_> {
        Lines::new(self.data)
    }

    /// Its bytes in blocks of at most 1 MiB, in order.
    pub fn blocks(&self) -> Blocks<'_> {
        Blocks::new(self.data)
    }

    /// A [`std::io::BufRead`] over it.
    pub fn reader(&self) -> Reader<'_> {
        Reader::new(self.data)
    }
}

impl ReadAt for host::Chunk {
    fn size(&self) -> u64 {
        self.size()
    }

    fn read_at(&self, offset: u64, length: u32) -> Result<Vec<u8>, ReadError> {
        self.read(offset, length)
    }
}

impl ReadAt for host::Source {
    fn size(&self) -> u64 {
        self.size()
    }

    fn read_at(&self, offset: u64, length: u32) -> Result<Vec<u8>, ReadError> {
        self.read(offset, length)
    }
}
