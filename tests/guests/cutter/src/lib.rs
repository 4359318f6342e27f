//! Cuts its own chunks, well or badly, and puts them together again.
//!
//! Owns: a chunker for the host's tests, with honest modes and hostile ones; see [`Mode`].
//! Never: is wrong by accident: each hostile mode breaks one rule of `wit/task.wit`.
//!
//! The handler copies its chunk, `combine` and `finish` concatenate, so that without gaps the result is the input.

use std::io::Write;

use pframe_guest::{
    Chunk, Chunker, Collector, Failure, Handler, Output, Partials, Source, Span, Unit,
};
use serde::Deserialize;

/// The task type.
pub struct Cutter;

/// How to cut: `{"cut": "size", "n": 100}`.
#[derive(Clone, Copy, Debug, Default, Deserialize, PartialEq, Eq)]
#[serde(rename_all = "kebab-case")]
pub enum Mode {
    /// After every blank line.
    #[default]
    BlankLines,
    /// Every `n` bytes.
    Size,
    /// Every `n` bytes, leaving out every second span: allowed.
    Gap,
    /// No spans at all.
    Nothing,
    /// The source twice.
    Overlap,
    /// Every `n` bytes, last first.
    Backwards,
    /// One span that ends a byte beyond the end.
    OutOfRange,
    /// One span that ends before it starts.
    Negative,
    /// Empty spans.
    Empty,
    /// One span in milliseconds.
    Milliseconds,
    /// A million spans of one byte, whatever the size.
    Million,
    /// Never returns.
    Spin,
    /// Panics.
    Panic,
    /// Fails as invalid input.
    Invalid,
}

/// What a job may set.
#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Parameters {
    /// How to cut.
    pub cut: Mode,
    /// The bytes of a span, where the mode needs one.
    pub n: u64,
    /// Whether each step leaves a file with its name in `/out/results`.
    pub leave: bool,
}

impl Default for Parameters {
    fn default() -> Self {
        Self { cut: Mode::BlankLines, n: 1024, leave: false }
    }
}

impl Handler for Cutter {
    type Parameters = Parameters;

    fn run(chunk: &Chunk, parameters: Parameters, output: &mut Output) -> Result<(), Failure> {
        leave(parameters, &format!("run-{}", chunk.index()))?;
        for block in chunk.blocks() {
            output.write_all(&block?)?;
        }
        Ok(())
    }
}

impl Chunker for Cutter {
    type Parameters = Parameters;

    fn cut(source: &Source, parameters: Parameters) -> Result<Vec<Span>, Failure> {
        leave(parameters, "cut")?;
        let size = source.size();
        let pieces = || pieces(size, parameters.n.max(1));
        Ok(match parameters.cut {
            Mode::BlankLines => return after_blank_lines(source),
            Mode::Size => pieces(),
            Mode::Gap => pieces().into_iter().step_by(2).collect(),
            Mode::Nothing => Vec::new(),
            Mode::Overlap => vec![span(0, size), span(0, size)],
            Mode::Backwards => pieces().into_iter().rev().collect(),
            Mode::OutOfRange => vec![span(0, size + 1)],
            Mode::Negative => vec![span(size, 0)],
            Mode::Empty => vec![span(0, 0), span(size, size)],
            Mode::Milliseconds => vec![Span { unit: Unit::Milliseconds, ..span(0, size) }],
            Mode::Million => (0..1_000_000).map(|start| span(start, start + 1)).collect(),
            Mode::Spin => loop {
                std::hint::spin_loop();
            },
            Mode::Panic => panic!("the cutter was asked to panic"),
            Mode::Invalid => return Err(Failure::invalid("the cutter was asked to refuse")),
        })
    }
}

impl Collector for Cutter {
    type Parameters = Parameters;

    fn combine(parts: &Partials, _: Parameters, output: &mut Output) -> Result<(), Failure> {
        parts.copy_to(output)
    }

    fn finish(
        parts: &Partials,
        parameters: Parameters,
        output: &mut Output,
    ) -> Result<(), Failure> {
        leave(parameters, "finish")?;
        Self::combine(parts, parameters, output)
    }
}

fn leave(parameters: Parameters, name: &str) -> Result<(), Failure> {
    match parameters.leave {
        true => Ok(std::fs::write(format!("/out/results/{name}"), name)?),
        false => Ok(()),
    }
}

fn span(start: u64, end: u64) -> Span {
    Span { start, end, unit: Unit::Bytes }
}

fn pieces(size: u64, length: u64) -> Vec<Span> {
    let starts = (0..size).step_by(usize::try_from(length).unwrap_or(usize::MAX));
    starts.map(|start| span(start, (start + length).min(size))).collect()
}

/// Each span ends with the last of its blank lines, so that the spans cover the source.
fn after_blank_lines(source: &Source) -> Result<Vec<Span>, Failure> {
    let mut spans = Vec::new();
    let mut start = 0;
    let mut was_blank = false;
    let mut lines = source.lines();
    while let Some(line) = lines.next_line()? {
        let is_blank = line.is_empty();
        let offset = lines.offset();
        if was_blank && !is_blank && offset > start {
            spans.push(span(start, offset));
            start = offset;
        }
        was_blank = is_blank;
    }
    if start < source.size() {
        spans.push(span(start, source.size()));
    }
    Ok(spans)
}

pframe_guest::export!(Cutter with chunker, collector);

#[cfg(test)]
mod tests {
    use super::*;
    use pframe_guest::testing::{Bytes, cut};

    fn check(text: &str, parameters: &str, expect: &[&str]) {
        let spans = cut::<Cutter>(&Bytes::new(text), parameters).expect("an honest mode");
        let place = |at: u64| usize::try_from(at).expect("a test's text is short");
        let pieces = spans.iter().map(|span| &text[place(span.start)..place(span.end)]);
        assert_eq!(pieces.collect::<Vec<_>>(), expect);
    }

    #[test]
    fn blank_lines_end_a_span() {
        check("a\nb\n\nc\n\n\nd", "{}", &["a\nb\n\n", "c\n\n\n", "d"]);
        check("\n\na\n\n", "{}", &["\n\n", "a\n\n"]);
        check("a\r\n\r\nb\r\n", "{}", &["a\r\n\r\n", "b\r\n"]);
        check("", "{}", &[]);
    }

    #[test]
    fn spans_of_one_size_cover_the_source() {
        check("abcdefg", r#"{"cut": "size", "n": 3}"#, &["abc", "def", "g"]);
        check("abcdefg", r#"{"cut": "gap", "n": 3}"#, &["abc", "g"]);
    }
}
