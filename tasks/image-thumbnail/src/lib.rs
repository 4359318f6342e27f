//! Makes thumbnails of JPEG, PNG and WebP images.
//!
//! Owns: the task type `image-thumbnail`: the road from one file to one record, and from all records to one result.
//! Never: enlarges, holds more than one image at a time, or lets the result depend on how the records were combined.
//!
//! One file is one chunk. Each run writes one [record](record::Record); `combine` puts records one behind the other;
//! `finish` makes a tar archive of them, or one contact sheet.

mod archive;
mod bounds;
mod chunk_file;
mod decode;
mod fit;
mod jpeg;
mod manifest;
mod names;
mod parameters;
mod picture;
mod record;
mod scale;
mod sheet;
mod thumbnail;
mod webp;

pub use parameters::{Colour, Fit, Format, Parameters, Quality, ResultKind, Side};

use std::io::Write;

use pframe_guest::{Chunk, Collector, Failure, Handler, Output, Partials};

use crate::chunk_file::ChunkFile;
use crate::record::Record;

/// The task type `image-thumbnail`.
pub struct ImageThumbnail;

impl Handler for ImageThumbnail {
    type Parameters = Parameters;

    fn run(chunk: &Chunk, parameters: Parameters, output: &mut Output) -> Result<(), Failure> {
        let source = chunk.source();
        let named = |failure| name(&source, chunk.span().start, failure);
        let image = decode::decode(ChunkFile::new(chunk), &parameters).map_err(named)?;
        let thumbnail = thumbnail::make(&image, &parameters)?;
        let (width, height) = image.upright_size();
        Record { source, width, height, thumbnail }.write(output)
    }
}

impl Collector for ImageThumbnail {
    type Parameters = Parameters;

    /// One behind the other, as they are: associative whatever they hold.
    fn combine(parts: &Partials, _: Parameters, output: &mut Output) -> Result<(), Failure> {
        parts.copy_to(output)
    }

    fn finish(
        parts: &Partials,
        parameters: Parameters,
        output: &mut Output,
    ) -> Result<(), Failure> {
        match parameters.result {
            ResultKind::Archive => archive::write(parts, &parameters, output),
            ResultKind::ContactSheet => {
                let sheet = sheet::single(parts, &parameters)?;
                Ok(output.write_all(&sheet)?)
            }
        }
    }
}

/// What is wrong with an image is said of its file. A piece of a file is not what is wrong with the file.
fn name(source: &str, start: u64, failure: Failure) -> Failure {
    failure.map_invalid(|what| match start {
        0 => format!("`{source}` {what}"),
        _ => format!(
            "`{source}` was cut into pieces: thumbnails need whole files, `chunking: {{ strategy: none }}`"
        ),
    })
}

pframe_guest::export!(ImageThumbnail with collector);
