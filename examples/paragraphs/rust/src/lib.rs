//! Where the paragraphs of a text lie, and how many lines each has: every paragraph is a chunk, the blank lines between are in none.

use std::io::Write;

use pframe_guest::{Chunk, Chunker, Failure, Handler, NoParameters, Output, Source, Span, Unit};

/// The task type `paragraphs`.
struct Paragraphs;

impl Handler for Paragraphs {
    type Parameters = NoParameters;

    fn run(chunk: &Chunk, _: NoParameters, output: &mut Output) -> Result<(), Failure> {
        let Span { start, end, .. } = chunk.span();
        let mut lines = chunk.lines();
        while lines.next_line()?.is_some() {}
        writeln!(output, "{start}..{end} {}", lines.number())?;
        Ok(())
    }
}

impl Chunker for Paragraphs {
    type Parameters = NoParameters;

    fn cut(source: &Source, _: NoParameters) -> Result<Vec<Span>, Failure> {
        let mut spans = Vec::new();
        let mut begun = None;
        let mut lines = source.lines();
        while let Some(line) = lines.next_line()? {
            let is_blank = line.is_empty();
            let offset = lines.offset();
            if is_blank {
                spans.extend(begun.take().map(|start| span(start, offset)));
            } else {
                begun.get_or_insert(offset);
            }
        }
        spans.extend(begun.map(|start| span(start, source.size())));
        Ok(spans)
    }
}

fn span(start: u64, end: u64) -> Span {
    Span { start, end, unit: Unit::Bytes }
}

pframe_guest::export!(Paragraphs with chunker);
