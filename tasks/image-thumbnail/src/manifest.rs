//! What is in the archive, for programs.
//!
//! Owns: the JSON: one line for each thumbnail, in the order of the inputs.
//! Never: holds more than one line.

use std::io::Write;

use pframe_guest::{Failure, Partials};
use serde::Serialize;

use crate::archive::path;
use crate::names::Names;
use crate::record::{self, Record};
use crate::sheet;

/// One thumbnail.
#[derive(Serialize)]
struct Entry<'a> {
    file: String,
    width: u32,
    height: u32,
    source: &'a str,
    source_width: u32,
    source_height: u32,
    sheet: String,
    row: usize,
    column: usize,
}

/// Writes the manifest of `count` thumbnails.
pub(crate) fn write(
    parts: &Partials,
    count: usize,
    output: &mut impl Write,
) -> Result<(), Failure> {
    let mut names = Names::default();
    let mut index = 0;
    write!(output, "{{\"thumbnails\":[")?;
    record::each(parts, |record| {
        let separator = if index == 0 { "\n" } else { ",\n" };
        output.write_all(separator.as_bytes())?;
        serde_json::to_writer(&mut *output, &entry(&record, index, count, &mut names))?;
        index += 1;
        Ok(())
    })?;
    Ok(output.write_all(b"\n]}\n")?)
}

fn entry<'a>(record: &'a Record, index: usize, count: usize, names: &mut Names) -> Entry<'a> {
    let place = sheet::place(index, count);
    Entry {
        file: path(&names.name(&record.source, record.thumbnail.format)),
        width: record.thumbnail.width,
        height: record.thumbnail.height,
        source: &record.source,
        source_width: record.width,
        source_height: record.height,
        sheet: place.sheet,
        row: place.row,
        column: place.column,
    }
}
