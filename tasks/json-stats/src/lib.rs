//! Describes the fields of JSON lines.
//!
//! Owns: the task type `json-stats`: its parameters, and the road from chunk to result.
//! Never: lets the result depend on how the input was cut.
//!
//! Each line is one JSON object; lines of white space alone are skipped. Every key of an object is a field, keys of
//! nested objects are dotted paths (`user.name`; a dot within a key is written `\.`). Arrays are counted and not
//! looked into. If a key comes twice in one object, the last one counts.

mod exact_sum;
mod field;
mod number;
mod report;
mod stats;

pub use exact_sum::ExactSum;
pub use number::Number;
pub use report::Report;
pub use stats::Stats;

use std::io::Write;

use pframe_guest::{Chunk, Collector, Failure, Handler, Output, Partials, Unit, progress};
use serde::Deserialize;

/// The task type `json-stats`.
pub struct JsonStats;

/// What happens when a line is not a JSON object.
#[derive(Clone, Copy, Debug, Default, Deserialize, PartialEq, Eq)]
#[serde(rename_all = "kebab-case")]
pub enum OnInvalid {
    /// The chunk fails as invalid input, and the message says which line.
    #[default]
    Fail,
    /// The line is counted as invalid and otherwise ignored.
    Skip,
}

/// What a job may set.
#[derive(Clone, Copy, Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Parameters {
    /// What happens when a line is not a JSON object.
    pub on_invalid: OnInvalid,
}

/// Progress is told every so many lines, so that the calls do not count.
const LINES_PER_PROGRESS: u64 = 8192;

impl Handler for JsonStats {
    type Parameters = Parameters;

    fn run(chunk: &Chunk, parameters: Parameters, output: &mut Output) -> Result<(), Failure> {
        let mut stats = Stats::default();
        let mut lines = chunk.lines();
        while let Some(line) = lines.next_line()? {
            let outcome = stats.add_line(line);
            match (outcome, parameters.on_invalid) {
                (Ok(()), _) => {}
                (Err(_), OnInvalid::Skip) => stats.skip_line(),
                (Err(reason), OnInvalid::Fail) => {
                    return Err(refused(chunk, lines.number(), lines.offset(), &reason));
                }
            }
            if lines.number() % LINES_PER_PROGRESS == 0 {
                progress(share(lines.offset(), chunk.size()), None);
            }
        }
        write(&stats, output)
    }
}

impl Collector for JsonStats {
    type Parameters = Parameters;

    fn combine(parts: &Partials, _: Parameters, output: &mut Output) -> Result<(), Failure> {
        write(&merged(parts)?, output)
    }

    fn finish(parts: &Partials, _: Parameters, output: &mut Output) -> Result<(), Failure> {
        serde_json::to_writer(&mut *output, &Report::new(&merged(parts)?))?;
        Ok(output.write_all(b"\n")?)
    }
}

fn write(stats: &Stats, output: &mut Output) -> Result<(), Failure> {
    Ok(serde_json::to_writer(output, stats)?)
}

fn merged(parts: &Partials) -> Result<Stats, Failure> {
    let mut merged = Stats::default();
    for part in parts.iter() {
        let stats =
            serde_json::from_reader(part.reader()).map_err(|error| damaged(part.index(), error))?;
        merged.merge(stats);
    }
    Ok(merged)
}

/// A part was written by this very code: if it does not parse, no input is to blame.
fn damaged(part: u32, error: serde_json::Error) -> Failure {
    if error.is_io() {
        return error.into();
    }
    Failure::permanent(format!("part {part} is damaged: {error}"))
}

fn refused(chunk: &Chunk, line: u64, offset: u64, reason: &str) -> Failure {
    let span = chunk.span();
    let offset = if span.unit == Unit::Bytes { span.start + offset } else { offset };
    let source = chunk.source();
    Failure::invalid(format!("line {line} of the chunk, byte {offset} of `{source}`: {reason}"))
}

#[expect(clippy::cast_precision_loss, reason = "a progress bar needs no more than a few digits")]
fn share(done: u64, size: u64) -> f32 {
    done as f32 / size as f32
}

pframe_guest::export!(JsonStats with collector);
