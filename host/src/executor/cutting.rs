//! Where a job's inputs are cut: by reading a little of them, or by listening.
//!
//! Owns: the way from sources to chunks, when a job is accepted or once the result that it works on is there.
//! Never: decides where; `chunking` and the speech package do.

use std::sync::Arc;
use std::time::Duration;

use pframe_core::chunking;
use pframe_core::fault::{Code, Fault};
use pframe_core::job::{CHUNKS_MAX, Chunking, Slice, Source};
use pframe_speech::{BYTES_PER_MS, Rule, Span, cuts};

use crate::data::results::ResultStore;
use crate::data::source::{ReadProblem, SourceReader};
use crate::recording::Recordings;

/// Cuts these sources; `None` where the handler's own chunker does. Results of other jobs are found in the store.
pub(crate) fn cut(
    recordings: &Recordings,
    inputs: &Arc<[Source]>,
    chunking: &Chunking,
    results: Option<&ResultStore>,
) -> Result<Option<Arc<[Slice]>>, Fault> {
    match chunking {
        Chunking::Time { length } => cut_by_time(recordings, inputs, *length, results).map(Some),
        _ => cut_by_reading(inputs, chunking, results),
    }
}

/// Reads near the cuts only.
fn cut_by_reading(
    inputs: &Arc<[Source]>,
    chunking: &Chunking,
    results: Option<&ResultStore>,
) -> Result<Option<Arc<[Slice]>>, Fault> {
    let sizes: Vec<u64> = inputs.iter().map(|source| source.size).collect();
    let mut open: Option<(usize, SourceReader)> = None;
    chunking::plan(&sizes, chunking, |search| {
        let reader = match &open {
            Some((index, reader)) if *index == search.source => reader,
            _ => &open.insert((search.source, SourceReader::open(inputs, search.source, results)?)).1,
        };
        reader.after_separator(search.from, search.separator).map_err(|problem| match problem {
            ReadProblem::Changed(what) => Fault::new(Code::InputChanged).detail(what),
            ReadProblem::OutOfRange => Fault::new(Code::Bug).detail("a cut outside its source"),
            ReadProblem::Io(what) => Fault::new(Code::InputOutput).detail(what),
        })
    })
}

/// Cuts by listening: every source is a recording.
fn cut_by_time(
    recordings: &Recordings,
    inputs: &Arc<[Source]>,
    length: Duration,
    results: Option<&ResultStore>,
) -> Result<Arc<[Slice]>, Fault> {
    let mut chunks = Vec::new();
    for index in 0..inputs.len() {
        let recording = recordings.open(inputs, index, results)?;
        let source = u32::try_from(index).expect("inputs are fewer than a million");
        let all = Span::new(0, recording.loudness().duration_ms());
        // Before anything is allocated for them: pieces are at least half as long as was asked.
        if u128::from(all.len_ms()) > 2 * length.as_millis().max(1) * CHUNKS_MAX as u128 {
            return Err(too_many());
        }
        chunks.extend(cuts(recording.loudness(), all, Rule::chunks(length)).into_iter().map(
            |span| Slice {
                source,
                start: span.start_ms * BYTES_PER_MS,
                end: span.end_ms * BYTES_PER_MS,
            },
        ));
        if chunks.len() > CHUNKS_MAX {
            return Err(too_many());
        }
    }
    Ok(chunks.into())
}

fn too_many() -> Fault {
    Fault::new(Code::TooManyChunks).detail(format!("at most {CHUNKS_MAX} in one job"))
}
