//! The parts that a collector brings together.
//!
//! Owns: the pleasant face of the resource `partials` of `wit/task.wit`.
//! Never: changes the order of the parts, or holds more than one block of one of them.

use std::io::{Read, Write};

use crate::bindings::ReadError;
use crate::bindings::imports::pframe::task::input as host;
use crate::failure::Failure;
use crate::lines::Lines;
use crate::output::Output;
use crate::read::{Blocks, ReadAt, Reader};
use crate::testing::Bytes;

/// Where the parts come from: the host, or a test.
enum Origin<'a> {
    Host(&'a host::Partials),
    Memory(&'a [Bytes]),
}

/// What earlier calls wrote, in the order of the chunks.
pub struct Partials<'a> {
    origin: Origin<'a>,
}

impl<'a> Partials<'a> {
    pub(crate) fn from_host(partials: &'a host::Partials) -> Self {
        Self { origin: Origin::Host(partials) }
    }

    pub(crate) fn from_memory(parts: &'a [Bytes]) -> Self {
        Self { origin: Origin::Memory(parts) }
    }

    /// How many parts there are.
    pub fn count(&self) -> u32 {
        match self.origin {
            Origin::Host(partials) => partials.count(),
            Origin::Memory(parts) => u32::try_from(parts.len()).unwrap_or(u32::MAX),
        }
    }

    /// The parts, in order.
    pub fn iter(&self) -> impl Iterator<Item = Partial<'_>> {
        (0..self.count()).map(|index| Partial { partials: self, index })
    }

    /// Writes the parts one behind the other, as they are: a `combine` that is associative whatever they hold.
    pub fn copy_to(&self, output: &mut Output) -> Result<(), Failure> {
        for part in self.iter() {
            for block in part.blocks() {
                output.write_all(&block?)?;
            }
        }
        Ok(())
    }

    fn size(&self, index: u32) -> u64 {
        match self.origin {
            Origin::Host(partials) => partials.size(index),
            Origin::Memory(parts) => parts.get(index as usize).map_or(0, ReadAt::size),
        }
    }

    fn read_at(&self, index: u32, offset: u64, length: u32) -> Result<Vec<u8>, ReadError> {
        match self.origin {
            Origin::Host(partials) => partials.read(index, offset, length),
            Origin::Memory(parts) => {
                let part = parts.get(index as usize).ok_or(ReadError::OutOfRange)?;
                part.read_at(offset, length)
            }
        }
    }
}

/// One part: what one earlier call wrote.
pub struct Partial<'a> {
    partials: &'a Partials<'a>,
    index: u32,
}

impl Partial<'_> {
    /// Its place among the parts, from 0.
    pub fn index(&self) -> u32 {
        self.index
    }

    /// Its size in bytes.
    pub fn size(&self) -> u64 {
        self.partials.size(self.index)
    }

    /// Its lines, in order.
    pub fn lines(&self) -> Lines<'_> {
        Lines::new(self)
    }

    /// Its bytes in blocks of at most 1 MiB, in order.
    pub fn blocks(&self) -> Blocks<'_> {
        Blocks::new(self)
    }

    /// A [`std::io::BufRead`] over it.
    pub fn reader(&self) -> Reader<'_> {
        Reader::new(self)
    }

    /// All of it in memory.
    pub fn read_all(&self) -> Result<Vec<u8>, Failure> {
        let mut bytes = Vec::new();
        self.reader().read_to_end(&mut bytes)?;
        Ok(bytes)
    }
}

impl ReadAt for Partial<'_> {
    fn size(&self) -> u64 {
        self.partials.size(self.index)
    }

    fn read_at(&self, offset: u64, length: u32) -> Result<Vec<u8>, ReadError> {
        self.partials.read_at(self.index, offset, length)
    }
}
