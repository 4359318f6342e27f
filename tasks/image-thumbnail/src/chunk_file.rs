//! A chunk as a file that can be read at any place.
//!
//! Owns: `Seek` over a chunk, which decoders ask for, with one block of it in memory.
//! Never: reads what was not asked for, beyond the end of a block.

use std::io::{self, BufRead, ErrorKind, Read, Seek, SeekFrom};

use pframe_guest::{BLOCK_BYTES_MAX, Chunk, ReadError};

/// A chunk as a file.
pub(crate) struct ChunkFile<'a> {
    chunk: &'a Chunk<'a>,
    size: u64,
    block: Vec<u8>,
    block_start: u64,
    position: u64,
}

impl<'a> ChunkFile<'a> {
    /// The file, at its start.
    pub(crate) fn new(chunk: &'a Chunk<'a>) -> Self {
        Self { chunk, size: chunk.size(), block: Vec::new(), block_start: 0, position: 0 }
    }

    /// Its size in bytes.
    pub(crate) fn size(&self) -> u64 {
        self.size
    }

    /// The first bytes, at most `length` of them; the place stays where it is.
    pub(crate) fn head(&self, length: u32) -> io::Result<Vec<u8>> {
        self.chunk.read_at(0, length).map_err(io::Error::other)
    }

    /// What is left of the block at hand; `None` where the place lies outside.
    fn rest(&self) -> Option<&[u8]> {
        let start = usize::try_from(self.position.checked_sub(self.block_start)?).ok()?;
        self.block.get(start..).filter(|rest| !rest.is_empty())
    }

    fn load(&mut self) -> io::Result<()> {
        self.block = Vec::new();
        let block = self.chunk.read_at(self.position, BLOCK_BYTES_MAX).map_err(io::Error::other)?;
        if block.is_empty() {
            return Err(io::Error::other(ReadError::InputChanged));
        }
        self.block = block;
        self.block_start = self.position;
        Ok(())
    }
}

impl BufRead for ChunkFile<'_> {
    fn fill_buf(&mut self) -> io::Result<&[u8]> {
        if self.position < self.size && self.rest().is_none() {
            self.load()?;
        }
        Ok(self.rest().unwrap_or_default())
    }

    fn consume(&mut self, amount: usize) {
        self.position += amount as u64;
    }
}

impl Read for ChunkFile<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let length = self.fill_buf()?.read(buffer)?;
        self.consume(length);
        Ok(length)
    }

    /// Asks for the room once: a vector that doubles holds a large file twice.
    fn read_to_end(&mut self, buffer: &mut Vec<u8>) -> io::Result<usize> {
        let left = usize::try_from(self.size.saturating_sub(self.position));
        let left = left.map_err(|_| ErrorKind::OutOfMemory)?;
        buffer.try_reserve_exact(left).map_err(|_| ErrorKind::OutOfMemory)?;
        let before = buffer.len();
        while !self.fill_buf()?.is_empty() {
            let rest = self.fill_buf()?;
            buffer.extend_from_slice(rest);
            let length = rest.len();
            self.consume(length);
        }
        Ok(buffer.len() - before)
    }
}

impl Seek for ChunkFile<'_> {
    fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
        let position = match to {
            SeekFrom::Start(offset) => Some(offset),
            SeekFrom::End(offset) => self.size.checked_add_signed(offset),
            SeekFrom::Current(offset) => self.position.checked_add_signed(offset),
        };
        self.position = position.ok_or(ErrorKind::InvalidInput)?;
        Ok(self.position)
    }
}
