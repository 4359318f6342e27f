//! Reads something large in pieces of at most 1 MiB.
//!
//! Owns: the block size, and the two ways to walk through data in order: [`Reader`] and [`Blocks`].
//! Never: holds more than one block.

use std::io::{self, BufRead, ErrorKind, Read};

use crate::bindings::ReadError;

/// The most bytes that the host hands over, or takes, in one call: 1 MiB (`wit/task.wit`).
pub const BLOCK_BYTES_MAX: u32 = 1 << 20;

/// Something of a known size that can be read at any place: a chunk, a source, a part, or bytes in a test.
pub(crate) trait ReadAt {
    /// Its size in bytes.
    fn size(&self) -> u64;

    /// Up to `length` bytes from `offset`; fewer only where the end comes first.
    fn read_at(&self, offset: u64, length: u32) -> Result<Vec<u8>, ReadError>;
}

/// Reads from an offset to the end, in order: an iterator of blocks of at most 1 MiB, none of them empty.
///
/// The cheapest way through a chunk: each block arrives in memory once and is never copied again.
pub struct Blocks<'a> {
    data: &'a dyn ReadAt,
    offset: u64,
    size: u64,
}

impl<'a> Blocks<'a> {
    pub(crate) fn new(data: &'a dyn ReadAt) -> Self {
        Self { data, offset: 0, size: data.size() }
    }

    /// Where the next block starts, in bytes from the start.
    pub fn offset(&self) -> u64 {
        self.offset
    }

    fn block(&mut self) -> io::Result<Vec<u8>> {
        let length = u32::try_from(self.size - self.offset).unwrap_or(BLOCK_BYTES_MAX);
        let block = self
            .data
            .read_at(self.offset, length.min(BLOCK_BYTES_MAX))
            .map_err(io::Error::other)?;
        if block.is_empty() {
            return Err(io::Error::other(ReadError::InputChanged));
        }
        self.offset += block.len() as u64;
        Ok(block)
    }
}

impl Iterator for Blocks<'_> {
    type Item = io::Result<Vec<u8>>;

    /// The next block. After an error there is none: what could not be read is not skipped.
    fn next(&mut self) -> Option<Self::Item> {
        if self.offset >= self.size {
            return None;
        }
        let block = self.block();
        if block.is_err() {
            self.size = self.offset;
        }
        Some(block)
    }
}

/// Reads in order through [`std::io::Read`] and [`std::io::BufRead`], so that any parser can sit on top of it.
pub struct Reader<'a> {
    blocks: Blocks<'a>,
    block: Vec<u8>,
    position: usize,
}

impl<'a> Reader<'a> {
    pub(crate) fn new(data: &'a dyn ReadAt) -> Self {
        Self { blocks: Blocks::new(data), block: Vec::new(), position: 0 }
    }

    /// How many bytes were read so far.
    pub fn offset(&self) -> u64 {
        self.blocks.offset() - (self.block.len() - self.position) as u64
    }

    /// What is at hand without another call to the host.
    pub(crate) fn buffered(&self) -> &[u8] {
        &self.block[self.position..]
    }
}

impl BufRead for Reader<'_> {
    fn fill_buf(&mut self) -> io::Result<&[u8]> {
        if self.position == self.block.len() {
            self.block = Vec::new();
            self.position = 0;
            self.block = self.blocks.next().transpose()?.unwrap_or_default();
        }
        Ok(self.buffered())
    }

    fn consume(&mut self, amount: usize) {
        self.position = (self.position + amount).min(self.block.len());
    }
}

impl Read for Reader<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let length = self.fill_buf()?.read(buffer)?;
        self.consume(length);
        Ok(length)
    }

    /// Reads what is left into memory, having asked for the room once.
    fn read_to_end(&mut self, buffer: &mut Vec<u8>) -> io::Result<usize> {
        let left = self.blocks.size - self.offset();
        let room = usize::try_from(left).map_err(|_| ErrorKind::OutOfMemory)?;
        buffer.try_reserve(room).map_err(|_| ErrorKind::OutOfMemory)?;
        let before = buffer.len();
        while !self.fill_buf()?.is_empty() {
            buffer.extend_from_slice(self.buffered());
            self.consume(self.buffered().len());
        }
        Ok(buffer.len() - before)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::Bytes;

    fn read_all(reader: &mut Reader<'_>) -> Vec<u8> {
        let mut bytes = Vec::new();
        reader.read_to_end(&mut bytes).expect("bytes in memory can be read");
        bytes
    }

    #[test]
    fn blocks_are_whole_and_the_last_one_is_short() {
        let data = Bytes::new(vec![7; (BLOCK_BYTES_MAX as usize) * 2 + 5]);
        let lengths: Vec<_> = Blocks::new(&data).flatten().map(|block| block.len()).collect();
        assert_eq!(lengths, [1 << 20, 1 << 20, 5]);
    }

    #[test]
    fn nothing_to_read_is_no_block() {
        assert!(Blocks::new(&Bytes::new(Vec::new())).next().is_none());
    }

    #[test]
    fn an_error_ends_the_blocks() {
        let data = Bytes::new(vec![1; 100]).failing_at(50).in_blocks_of(50);
        let mut blocks = Blocks::new(&data);
        assert!(matches!(blocks.next(), Some(Ok(block)) if block.len() == 50));
        assert!(matches!(blocks.next(), Some(Err(_))));
        assert!(blocks.next().is_none());
    }

    #[test]
    fn a_reader_gives_every_byte_once_whatever_the_blocks() {
        let bytes: Vec<u8> = (0..=255).cycle().take(1000).collect();
        for block in [1, 3, 999, 1000, 4000] {
            let data = Bytes::new(bytes.clone()).in_blocks_of(block);
            assert_eq!(read_all(&mut Reader::new(&data)), bytes);
        }
    }

    #[test]
    fn a_reader_knows_how_far_it_is() {
        let data = Bytes::new(b"hello world".to_vec()).in_blocks_of(4);
        let mut reader = Reader::new(&data);
        let mut word = [0; 5];
        reader.read_exact(&mut word).expect("there are five bytes");
        assert_eq!((&word, reader.offset()), (b"hello", 5));
    }

    #[test]
    fn an_input_that_shrank_is_an_error_and_not_an_end() {
        let data = Bytes::new(b"abc".to_vec()).pretending_size(10);
        let mut bytes = Vec::new();
        assert!(Reader::new(&data).read_to_end(&mut bytes).is_err());
    }
}
