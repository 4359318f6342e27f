//! The result as a tar archive.
//!
//! Owns: what is in it, in which order, and that the same input makes the same bytes: no times, no owners.
//! Never: holds more than one thumbnail or one contact sheet; the parts are read once for each kind of file.

use std::io::{self, Write};

use pframe_guest::{Failure, Output, Partials};
use tar::Header;

use crate::manifest;
use crate::names::Names;
use crate::parameters::Parameters;
use crate::record;
use crate::sheet;

/// Files in a tar archive begin at multiples of this, and two empty blocks end it.
const BLOCK_BYTES: usize = 512;

/// Writes thumbnails, contact sheets and the manifest.
pub(crate) fn write(
    parts: &Partials,
    parameters: &Parameters,
    output: &mut Output,
) -> Result<(), Failure> {
    let count = thumbnails(parts, output)?;
    sheet::pages(parts, count, parameters, |name, sheet| file(name, sheet, output))?;
    let mut bytes = ByteCount(0);
    manifest::write(parts, count, &mut bytes)?;
    begin("manifest.json", bytes.0, output)?;
    manifest::write(parts, count, output)?;
    end(bytes.0, output)?;
    Ok(output.write_all(&[0; 2 * BLOCK_BYTES])?)
}

/// Where a thumbnail lies.
pub(crate) fn path(name: &str) -> String {
    format!("thumbnails/{name}")
}

fn thumbnails(parts: &Partials, output: &mut Output) -> Result<usize, Failure> {
    let mut names = Names::default();
    let mut count = 0;
    record::each(parts, |record| {
        count += 1;
        let name = names.name(&record.source, record.thumbnail.format);
        file(&path(&name), &record.thumbnail.bytes, output)
    })?;
    Ok(count)
}

fn file(path: &str, bytes: &[u8], output: &mut Output) -> Result<(), Failure> {
    let size = bytes.len() as u64;
    begin(path, size, output)?;
    output.write_all(bytes)?;
    end(size, output)
}

fn begin(path: &str, size: u64, output: &mut Output) -> Result<(), Failure> {
    let mut header = Header::new_ustar();
    header.set_path(path)?;
    header.set_size(size);
    header.set_mode(0o644);
    header.set_mtime(0);
    header.set_uid(0);
    header.set_gid(0);
    header.set_cksum();
    Ok(output.write_all(header.as_bytes())?)
}

/// Fills the last block up.
fn end(size: u64, output: &mut Output) -> Result<(), Failure> {
    let used = usize::try_from(size % BLOCK_BYTES as u64).unwrap_or(0);
    Ok(output.write_all(&[0; BLOCK_BYTES][..(BLOCK_BYTES - used) % BLOCK_BYTES])?)
}

/// Counts what is written: a tar archive says how long a file is before it comes.
struct ByteCount(u64);

impl Write for ByteCount {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0 += bytes.len() as u64;
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
