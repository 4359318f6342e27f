//! Finds scene cuts in Y4M video, with a luma histogram of each second.
//!
//! Owns: the task type `video-scenes`: its cuts into chunks, and the road from chunk to result.
//! Never: lets the result depend on how the video was cut, or holds more than one block of a frame.
//!
//! A handler sees nothing but its chunk, and only the first one has the stream header. So the chunker says what a
//! chunk needs by where it ends: at the end of the *luma* of its last frame. What is left after the last `FRAME` is then
//! the size of the luma, and the distance of two `FRAME`s the size of a frame; see [`layout`]. `finish` holds both
//! against the header.

mod bytes;
mod cuts;
mod frame;
mod heat_map;
mod json;
mod layout;
mod parameters;
mod plot;
mod record;
mod stream;
mod summary;
mod svg;

pub use parameters::{Parameters, ResultKind, Threshold};

use std::io::Write;

use pframe_guest::{Chunk, Chunker, Collector, Failure, Handler, Output, Partials, Source, Span};

use crate::layout::Layout;
use crate::record::Head;
use crate::stream::Stream;

/// The task type `video-scenes`.
pub struct VideoScenes;

impl Handler for VideoScenes {
    type Parameters = Parameters;

    /// Writes the histogram of each frame.
    fn run(chunk: &Chunk, _: Parameters, output: &mut Output) -> Result<(), Failure> {
        let source = chunk.source();
        let named = |failure| name(&source, failure);
        let stream = Stream::read(chunk).map_err(named)?;
        let layout = match &stream {
            Some(stream) => Layout::of_stream(chunk, stream),
            None => Layout::of_frames(chunk),
        };
        let layout = layout.map_err(named)?;
        let start = chunk.span().start;
        Head::new(&source, start, stream.as_ref(), &layout).write(output)?;
        layout.each_luma(chunk, |frame| Ok(output.write_all(&frame.to_bytes())?))
    }
}

impl Chunker for VideoScenes {
    type Parameters = Parameters;

    fn cut(source: &Source, parameters: Parameters) -> Result<Vec<Span>, Failure> {
        layout::cut(source, parameters.chunk_frames).map_err(|failure| name(source.name(), failure))
    }
}

impl Collector for VideoScenes {
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
        let summaries = summary::summaries(parts, &parameters)?;
        match parameters.result {
            ResultKind::Json => json::write(parts, &summaries, output),
            ResultKind::Svg => plot::write(parts, &summaries, parameters.threshold, output),
        }
    }
}

/// What is wrong with a video is said of its file.
fn name(source: &str, failure: Failure) -> Failure {
    failure.map_invalid(|what| format!("`{source}`: {what}"))
}

pframe_guest::export!(VideoScenes with chunker, collector);
