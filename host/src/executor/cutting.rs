//! Where a job's inputs are cut: by reading a little of them, or by listening.
//!
//! Owns: the way from sources to chunks, when a job is accepted or once the result that it works on is there.
//! Never: decides where; `chunking` and the speech package do.

use std::sync::Arc;
use std::time::Duration;

use pframe_core::chunking::{self, Search};
use pframe_core::fault::{Code, Fault};
use pframe_core::job::{CHUNKS_MAX, Chunking, Overlap, Slice, Source};
use pframe_speech::{BYTES_PER_MS, Rule, Span, cuts};

use crate::data::source::{ReadProblem, SourceReader, Stores, Wanted};
use crate::recording::Recordings;

/// Cuts these sources; `None` where the handler's own chunker does. What is no file is found in the stores.
pub(crate) fn cut(
    recordings: &Recordings,
    inputs: &Arc<[Source]>,
    (chunking, overlap): (&Chunking, Option<Overlap>),
    stores: &Stores,
) -> Result<Option<Arc<[Slice]>>, Fault> {
    match (chunking, overlap) {
        (Chunking::Time { length }, overlap) => {
            let overlap = match overlap {
                Some(Overlap::Time(overlap)) => overlap,
                Some(Overlap::Bytes(_)) | None => Duration::ZERO,
            };
            cut_by_time(recordings, inputs, (*length, overlap), stores).map(Some)
        }
        (_, Some(Overlap::Bytes(bytes))) => {
            let mut finder = Finder { inputs, stores, open: None };
            let plain = chunking::plan(&sizes(inputs), chunking, |search| finder.find(search))?;
            let mut chunks = plain.as_deref().unwrap_or_default().to_vec();
            chunking::overlap(&mut chunks, bytes, chunking, |search| finder.find(search))?;
            Ok(plain.map(|_| chunks.into()))
        }
        (_, Some(Overlap::Time(_)) | None) => {
            let mut finder = Finder { inputs, stores, open: None };
            chunking::plan(&sizes(inputs), chunking, |search| finder.find(search))
        }
    }
}

fn sizes(inputs: &[Source]) -> Vec<u64> {
    inputs.iter().map(|source| source.size).collect()
}

/// Looks for separators, and reads near the cuts only.
struct Finder<'a> {
    inputs: &'a Arc<[Source]>,
    stores: &'a Stores,
    /// The source that was looked at last.
    open: Option<(usize, SourceReader)>,
}

impl Finder<'_> {
    fn find(&mut self, search: Search<'_>) -> Result<u64, Fault> {
        let index = search.source;
        if self.open.as_ref().is_none_or(|(open, _)| *open != index) {
            let reader = SourceReader::open(self.inputs, index, self.stores, Wanted::Looks)?;
            self.open = Some((index, reader));
        }
        let (_, reader) = self.open.as_ref().expect("opened just now or before");
        reader.after_separator(search.from, search.separator).map_err(|problem| match problem {
            ReadProblem::Changed(what) => Fault::new(Code::InputChanged).detail(what),
            ReadProblem::OutOfRange => Fault::new(Code::Bug).detail("a cut outside its source"),
            ReadProblem::Io(what) => Fault::new(Code::InputOutput).detail(what),
            ReadProblem::Fetch(fault) => fault,
        })
    }
}

/// Cuts by listening: every source is a recording.
fn cut_by_time(
    recordings: &Recordings,
    inputs: &Arc<[Source]>,
    (length, overlap): (Duration, Duration),
    stores: &Stores,
) -> Result<Arc<[Slice]>, Fault> {
    let overlap_ms = u64::try_from(overlap.as_millis()).unwrap_or(u64::MAX);
    let mut chunks = Vec::new();
    for index in 0..inputs.len() {
        let recording = recordings.open(inputs, index, stores)?;
        let source = u32::try_from(index).expect("inputs are fewer than a million");
        let all = Span::new(0, recording.loudness().duration_ms());
        // Before anything is allocated for them: pieces are at least half as long as was asked.
        if u128::from(all.len_ms()) > 2 * length.as_millis().max(1) * CHUNKS_MAX as u128 {
            return Err(too_many());
        }
        let spans = cuts(recording.loudness(), all, Rule::chunks(length));
        let spans = overlapping(spans, overlap_ms);
        chunks.extend(spans.into_iter().map(|span| Slice {
            source,
            start: span.start_ms * BYTES_PER_MS,
            end: span.end_ms * BYTES_PER_MS,
        }));
        if chunks.len() > CHUNKS_MAX {
            return Err(too_many());
        }
    }
    Ok(chunks.into())
}

/// Spans that reach at least so far over each cut; where a cut may go through a word they may reach further already.
fn overlapping(mut spans: Vec<Span>, overlap_ms: u64) -> Vec<Span> {
    for next in 1..spans.len() {
        let (before, after) = (spans[next - 1], spans[next]);
        let cut_ms = u64::midpoint(before.end_ms, after.start_ms);
        let last_ms = spans[spans.len() - 1].end_ms;
        let end_ms = cut_ms.saturating_add(overlap_ms).min(last_ms);
        spans[next - 1].end_ms = before.end_ms.max(end_ms);
        spans[next].start_ms = after.start_ms.min(cut_ms.saturating_sub(overlap_ms));
    }
    spans
}

fn too_many() -> Fault {
    Fault::new(Code::TooManyChunks).detail(format!("at most {CHUNKS_MAX} in one job"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spans_reach_over_their_cuts_but_not_over_the_ends() {
        let spans = vec![Span::new(0, 1000), Span::new(1000, 2500), Span::new(2100, 3000)];
        let wider = overlapping(spans.clone(), 300);
        assert_eq!(wider, [Span::new(0, 1300), Span::new(700, 2600), Span::new(2000, 3000)]);
        assert_eq!(overlapping(spans.clone(), 0), spans);
        let widest = overlapping(spans, u64::MAX);
        assert_eq!(widest, [Span::new(0, 3000), Span::new(0, 3000), Span::new(0, 3000)]);
    }
}
