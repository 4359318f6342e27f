//! What a chunker and a handler read alike.
//!
//! Owns: lines and pieces at any place of a source or a chunk.
//! Never: asks for more than 1 MiB at once.

use pframe_guest::{BLOCK_BYTES_MAX, Chunk, Failure, ReadError, Source};

/// Something that can be read at any place.
pub(crate) trait Bytes {
    /// Its size in bytes.
    fn size(&self) -> u64;

    /// Up to `length` bytes from `offset`; fewer only where the end comes first.
    fn read_at(&self, offset: u64, length: u32) -> Result<Vec<u8>, ReadError>;
}

impl Bytes for Chunk<'_> {
    fn size(&self) -> u64 {
        self.size()
    }

    fn read_at(&self, offset: u64, length: u32) -> Result<Vec<u8>, ReadError> {
        self.read_at(offset, length)
    }
}

impl Bytes for Source<'_> {
    fn size(&self) -> u64 {
        self.size()
    }

    fn read_at(&self, offset: u64, length: u32) -> Result<Vec<u8>, ReadError> {
        self.read_at(offset, length)
    }
}

/// The line at `offset` without its line feed; `None` where it does not end within `length_max` bytes.
pub(crate) fn line(
    bytes: &impl Bytes,
    offset: u64,
    length_max: u32,
) -> Result<Option<Vec<u8>>, Failure> {
    if offset >= bytes.size() {
        return Ok(None);
    }
    let mut line = piece(bytes, offset, length_max)?;
    let end = line.iter().position(|byte| *byte == b'\n');
    Ok(end.map(|end| {
        line.truncate(end);
        line
    }))
}

/// Shows `length` bytes from `offset` on, in blocks.
pub(crate) fn blocks(
    bytes: &impl Bytes,
    mut offset: u64,
    length: u64,
    mut show: impl FnMut(&[u8]),
) -> Result<(), Failure> {
    let end = offset + length;
    while offset < end {
        let left = u32::try_from(end - offset).unwrap_or(BLOCK_BYTES_MAX);
        let block = bytes.read_at(offset, left.min(BLOCK_BYTES_MAX))?;
        if block.is_empty() {
            return Err(ReadError::InputChanged.into());
        }
        show(&block);
        offset += block.len() as u64;
    }
    Ok(())
}

/// `length` bytes from `offset` on, or what is there of them.
pub(crate) fn piece(bytes: &impl Bytes, offset: u64, length: u32) -> Result<Vec<u8>, Failure> {
    let length = bytes.size().saturating_sub(offset).min(length.into());
    let mut piece = Vec::new();
    blocks(bytes, offset, length, |block| piece.extend_from_slice(block))?;
    Ok(piece)
}
