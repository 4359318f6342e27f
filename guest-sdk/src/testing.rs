//! Runs a task natively, on bytes in memory.
//!
//! Owns: the stand-ins for what the host hands over, so that a task's own tests need no host.
//! Never: is gentler than the host: the same limits, the same parameters, the same order.

use crate::bindings::{ReadError, Span, Unit};
use crate::chunk::{Chunk, Label, Source};
use crate::failure::Failure;
use crate::output::Output;
use crate::parameters::parse_parameters;
use crate::partials::Partials;
use crate::read::{BLOCK_BYTES_MAX, ReadAt};
use crate::task::{Chunker, Collector, Handler};

/// Bytes in memory that read like an input of the host.
#[derive(Clone, Debug)]
pub struct Bytes {
    data: Vec<u8>,
    size: u64,
    block_size: usize,
    fails_at: u64,
}

impl Bytes {
    /// An input of these bytes.
    pub fn new(bytes: impl Into<Vec<u8>>) -> Self {
        let data = bytes.into();
        let size = data.len() as u64;
        Self { data, size, block_size: BLOCK_BYTES_MAX as usize, fails_at: u64::MAX }
    }

    /// Hands over at most `block_size` at a time, to put the borders of blocks where a test wants them.
    pub fn in_blocks_of(self, block_size: usize) -> Self {
        Self { block_size: block_size.max(1), ..self }
    }

    /// Fails to read at `offset` and beyond, as storage in trouble does.
    pub fn failing_at(self, offset: u64) -> Self {
        Self { fails_at: offset, ..self }
    }

    /// Claims to have another size than it has, as a file that was cut short does.
    pub fn pretending_size(self, size: u64) -> Self {
        Self { size, ..self }
    }
}

impl ReadAt for Bytes {
    fn size(&self) -> u64 {
        self.size
    }

    fn read_at(&self, offset: u64, length: u32) -> Result<Vec<u8>, ReadError> {
        if length > BLOCK_BYTES_MAX {
            return Err(ReadError::TooLong);
        }
        if offset > self.size {
            return Err(ReadError::OutOfRange);
        }
        if offset >= self.fails_at {
            return Err(ReadError::Io("the storage of this test fails here".into()));
        }
        let start = usize::try_from(offset).map_or(self.data.len(), |at| at.min(self.data.len()));
        let length = (length as usize).min(self.block_size).min(self.data.len() - start);
        Ok(self.data[start..start + length].to_vec())
    }
}

/// Runs a handler on one chunk and returns what it wrote.
pub fn run<T: Handler>(input: impl Into<Vec<u8>>, parameters: &str) -> Result<Vec<u8>, Failure> {
    run_on::<T>(&Bytes::new(input), parameters)
}

/// Runs a handler on one chunk that reads as `input` says.
pub fn run_on<T: Handler>(input: &Bytes, parameters: &str) -> Result<Vec<u8>, Failure> {
    let label = Label {
        job_id: "test".into(),
        index: 0,
        count: 1,
        attempt: 1,
        source: "test".into(),
        media_type: None,
        span: Span { start: 0, end: input.size, unit: Unit::Bytes },
    };
    let chunk = Chunk::from_memory(input, label);
    written(|output| T::run(&chunk, parse_parameters(parameters)?, output))
}

/// Cuts one source.
pub fn cut<T: Chunker>(source: &Bytes, parameters: &str) -> Result<Vec<Span>, Failure> {
    T::cut(&Source::from_memory(source, "test"), parse_parameters(parameters)?)
}

/// Combines several parts into one.
pub fn combine<T: Collector>(parts: &[Vec<u8>], parameters: &str) -> Result<Vec<u8>, Failure> {
    let parts = bytes_of(parts);
    let parts = Partials::from_memory(&parts);
    written(|output| T::combine(&parts, parse_parameters(parameters)?, output))
}

/// Turns parts into the result.
pub fn finish<T: Collector>(parts: &[Vec<u8>], parameters: &str) -> Result<Vec<u8>, Failure> {
    let parts = bytes_of(parts);
    let parts = Partials::from_memory(&parts);
    written(|output| T::finish(&parts, parse_parameters(parameters)?, output))
}

/// Runs every chunk, combines the results in a tree of pairs, and finishes: all that a job does.
pub fn job<T: Handler + Collector>(chunks: &[&[u8]], parameters: &str) -> Result<Vec<u8>, Failure> {
    let mut parts = Vec::new();
    for chunk in chunks {
        parts.push(run::<T>(*chunk, parameters)?);
    }
    while parts.len() > 2 {
        parts = parts
            .chunks(2)
            .map(|pair| combine::<T>(pair, parameters))
            .collect::<Result<Vec<_>, _>>()?;
    }
    finish::<T>(&parts, parameters)
}

fn bytes_of(parts: &[Vec<u8>]) -> Vec<Bytes> {
    parts.iter().map(|part| Bytes::new(part.as_slice())).collect()
}

fn written(work: impl FnOnce(&mut Output) -> Result<(), Failure>) -> Result<Vec<u8>, Failure> {
    let mut output = Output::to_memory();
    work(&mut output)?;
    output.finish()?;
    Ok(output.into_memory())
}
