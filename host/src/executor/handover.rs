//! Bytes on their way to a worker: sources, earlier outputs, intermediate results.
//!
//! Owns: how they travel: small ones in the frame, others as a descriptor that can only be read.
//! Never: hands over a path, or a file that the worker could change.

use std::os::fd::OwnedFd;

use pframe_core::fault::{Code, Fault};

use crate::data::source::{Bytes, SourceReader};
use crate::process::memory;
use crate::worker::protocol::Piece;

/// Bytes that go inside a frame; more go as a file in memory.
const INLINE_BYTES_MAX: usize = 64 << 10;

/// Bytes for a worker, with what the guest is told of them.
pub(super) struct Found {
    name: String,
    media_type: Option<String>,
    bytes: Bytes,
}

impl From<&SourceReader> for Found {
    fn from(source: &SourceReader) -> Self {
        let (name, media_type) = (source.name().to_owned(), source.media_type());
        Self { name, media_type: media_type.map(str::to_owned), bytes: source.bytes().clone() }
    }
}

impl From<Bytes> for Found {
    fn from(bytes: Bytes) -> Self {
        Self { name: String::new(), media_type: None, bytes }
    }
}

impl Found {
    /// Small bytes go in the frame, others as a descriptor that can only be read.
    pub(super) fn piece(self, descriptors: &mut Vec<OwnedFd>) -> Result<Piece, Fault> {
        let Self { name, media_type, bytes } = self;
        let size = bytes.size();
        if let Bytes::Inline(bytes) = &bytes
            && bytes.len() <= INLINE_BYTES_MAX
        {
            return Ok(Piece { name, media_type, size, inline: Some(bytes.to_vec()) });
        }
        let file = memory::readable(&bytes).map_err(|error| {
            Fault::new(Code::InputOutput).detail(format!("handing over `{name}`: {error}"))
        })?;
        descriptors.push(file);
        Ok(Piece { name, media_type, size, inline: None })
    }
}
