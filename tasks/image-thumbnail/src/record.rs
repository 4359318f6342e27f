//! A thumbnail on its way to the result.
//!
//! Owns: the format: one line of JSON that ends with a line feed, then as many bytes as it says. Records need nothing
//! between them, so two streams of records are joined by putting one behind the other.
//! Never: holds more than one record.

use std::io::{BufRead, Read, Write};

use pframe_guest::{Failure, Output, Partials, Reader};
use serde::{Deserialize, Serialize};

use crate::parameters::Format;
use crate::thumbnail::Thumbnail;

/// The longest line: a name is the longest thing in it.
const LINE_BYTES_MAX: u64 = 64 << 10;

/// A thumbnail and what it was made of.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Record {
    pub(crate) source: String,
    /// The width of the original, upright.
    pub(crate) width: u32,
    /// The height of the original, upright.
    pub(crate) height: u32,
    pub(crate) thumbnail: Thumbnail,
}

/// The line before the bytes.
#[derive(Deserialize, Serialize)]
struct Head {
    source: String,
    width: u32,
    height: u32,
    thumbnail_width: u32,
    thumbnail_height: u32,
    format: Format,
    bytes: u32,
}

impl Record {
    /// Writes it.
    pub(crate) fn write(self, output: &mut Output) -> Result<(), Failure> {
        let Self { source, width, height, thumbnail } = self;
        let bytes = u32::try_from(thumbnail.bytes.len())
            .map_err(|_| Failure::permanent("a thumbnail of more than 4 GiB"))?;
        let head = Head {
            source,
            width,
            height,
            thumbnail_width: thumbnail.width,
            thumbnail_height: thumbnail.height,
            format: thumbnail.format,
            bytes,
        };
        serde_json::to_writer(&mut *output, &head)?;
        output.write_all(b"\n")?;
        Ok(output.write_all(&thumbnail.bytes)?)
    }
}

/// Shows every record of all parts, in order.
pub(crate) fn each(
    parts: &Partials,
    mut show: impl FnMut(Record) -> Result<(), Failure>,
) -> Result<(), Failure> {
    for part in parts.iter() {
        let mut reader = part.reader();
        while let Some(record) = next(&mut reader, part.index())? {
            show(record)?;
        }
    }
    Ok(())
}

/// How many records there are.
pub(crate) fn count(parts: &Partials) -> Result<usize, Failure> {
    let mut count = 0;
    each(parts, |_| {
        count += 1;
        Ok(())
    })?;
    Ok(count)
}

fn next(reader: &mut Reader<'_>, part: u32) -> Result<Option<Record>, Failure> {
    let start = reader.offset();
    // A part was written by this very code: if it does not parse, no input is to blame.
    let damaged = || Failure::permanent(format!("part {part} is damaged at byte {start}"));
    let mut line = Vec::new();
    reader.by_ref().take(LINE_BYTES_MAX).read_until(b'\n', &mut line)?;
    if line.is_empty() {
        return Ok(None);
    }
    let head: Head = serde_json::from_slice(&line).map_err(|_| damaged())?;
    let mut bytes = Vec::new();
    reader.by_ref().take(head.bytes.into()).read_to_end(&mut bytes)?;
    if bytes.len() != head.bytes as usize {
        return Err(damaged());
    }
    Ok(Some(head.with(bytes)))
}

impl Head {
    fn with(self, bytes: Vec<u8>) -> Record {
        let thumbnail = Thumbnail {
            width: self.thumbnail_width,
            height: self.thumbnail_height,
            format: self.format,
            bytes,
        };
        Record { source: self.source, width: self.width, height: self.height, thumbnail }
    }
}
