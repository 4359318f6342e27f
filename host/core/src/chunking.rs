//! Where inputs are cut into chunks.
//!
//! Owns: [`plan`], which cuts by size and by content, [`overlap`], which lets chunks repeat the end of the one before them, and
//! [`check_cuts`], which judges a handler's own cuts.
//! Never: reads; the caller looks for separators, and only near the cuts.
#![expect(clippy::result_large_err, reason = "once per job, on no hot path")]

use std::sync::Arc;

use crate::fault::{Code, Fault};
use crate::job::{CHUNKS_MAX, Chunking, Slice};
use crate::units::ByteSize;

/// How far before the aimed-at end a separator is first looked for, in bytes. Each further look goes
/// back four times as far, so that a chunk costs a handful of short reads near its end.
const LOOK_BACK_FIRST: u64 = 256;

/// Where to look for a separator.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Search<'a> {
    /// Index of the source.
    pub source: usize,
    /// The separator begins here or later.
    pub from: u64,
    /// Not empty.
    pub separator: &'a [u8],
}

/// Cuts sources of these sizes, in bytes; `None` where the cuts are found elsewhere: by the handler's own chunker, or by
/// listening to a recording.
///
/// Every byte is in exactly one chunk, a chunk never spans two sources, and an empty source makes
/// one empty chunk, so that every file is seen. A chunk holds as many whole records as fit into the
/// size; a record longer than that makes a longer chunk of its own. A separator belongs to the
/// record it ends.
///
/// `find` answers with the first byte after the first separator that begins at or after
/// [`Search::from`], or with the size of the source if there is none.
pub fn plan(
    sizes: &[u64],
    chunking: &Chunking,
    mut find: impl FnMut(Search<'_>) -> Result<u64, Fault>,
) -> Result<Option<Arc<[Slice]>>, Fault> {
    let size = match chunking {
        Chunking::None => ByteSize(u64::MAX),
        Chunking::Size { size, .. } | Chunking::Content { size, .. } => *size,
        Chunking::Time { .. } | Chunking::Custom => return Ok(None),
    };
    let separator = separator_of(chunking);
    let mut chunks = Vec::new();
    for (source, &end) in sizes.iter().enumerate() {
        let mut cutter = Cutter { source, end, size: size.0.max(1), separator, find: &mut find };
        cutter.cut(&mut chunks)?;
    }
    Ok(Some(chunks.into()))
}

/// The bytes after which a chunk may end; `None` means any.
fn separator_of(chunking: &Chunking) -> Option<&[u8]> {
    let separator = match chunking {
        Chunking::Size { boundary, .. } => boundary.separator(),
        Chunking::Content { separator, .. } => Some(separator.as_bytes()),
        Chunking::None | Chunking::Time { .. } | Chunking::Custom => None,
    };
    separator.filter(|separator| !separator.is_empty())
}

/// Lets each chunk but the first of its source begin earlier: by as many whole records as fit into so many bytes, or by
/// exactly these where a chunk may end after any byte. `find` answers as for [`plan`].
pub fn overlap(
    slices: &mut [Slice],
    bytes: ByteSize,
    chunking: &Chunking,
    mut find: impl FnMut(Search<'_>) -> Result<u64, Fault>,
) -> Result<(), Fault> {
    let separator = separator_of(chunking);
    for slice in slices.iter_mut().filter(|slice| slice.start > 0) {
        let wanted = slice.start.saturating_sub(bytes.0);
        let start = match separator {
            Some(separator) if wanted > 0 => {
                // A record that begins right there is whole.
                let from = wanted.saturating_sub(separator.len() as u64);
                find(Search { source: slice.source as usize, from, separator })?.max(wanted)
            }
            _ => wanted,
        };
        slice.start = start.min(slice.start);
    }
    Ok(())
}

/// Cuts one source.
struct Cutter<'a, F> {
    source: usize,
    end: u64,
    size: u64,
    separator: Option<&'a [u8]>,
    find: &'a mut F,
}

impl<F: FnMut(Search<'_>) -> Result<u64, Fault>> Cutter<'_, F> {
    fn cut(&mut self, chunks: &mut Vec<Slice>) -> Result<(), Fault> {
        let mut start = 0;
        loop {
            let end = self.end_of_chunk(start)?;
            if chunks.len() == CHUNKS_MAX {
                return Err(too_many());
            }
            let source = u32::try_from(self.source).map_err(|_| too_many())?;
            chunks.push(Slice { source, start, end });
            if end == self.end {
                return Ok(());
            }
            start = end;
        }
    }

    fn end_of_chunk(&mut self, start: u64) -> Result<u64, Fault> {
        let aim = start.saturating_add(self.size);
        match self.separator {
            _ if aim >= self.end => Ok(self.end),
            None => Ok(aim),
            Some(separator) => self.end_near(start, aim, separator),
        }
    }

    /// The last end of a record in `(start, aim]`, else the first one after it.
    fn end_near(&mut self, start: u64, aim: u64, separator: &[u8]) -> Result<u64, Fault> {
        let mut back = LOOK_BACK_FIRST;
        loop {
            let from = aim.saturating_sub(back).max(start);
            let first = self.after_separator(from, separator)?;
            if first <= aim {
                return self.last_until(aim, first, separator);
            }
            if from == start {
                return Ok(first);
            }
            back = back.saturating_mul(4);
        }
    }

    /// Goes on from the end of one record to the last one that ends by `aim`.
    fn last_until(&mut self, aim: u64, first: u64, separator: &[u8]) -> Result<u64, Fault> {
        let mut last = first;
        while last < aim {
            match self.after_separator(last, separator)? {
                next if next <= aim => last = next,
                _ => break,
            }
        }
        Ok(last)
    }

    /// Keeps the answer inside the source and ahead of the question, should the input change meanwhile.
    fn after_separator(&mut self, from: u64, separator: &[u8]) -> Result<u64, Fault> {
        let found = (self.find)(Search { source: self.source, from, separator })?;
        Ok(found.max(from + 1).min(self.end))
    }
}

fn too_many() -> Fault {
    Fault::new(Code::TooManyChunks).detail(format!("at most {CHUNKS_MAX} in one job"))
}

/// Judges the spans that a handler's chunker returned for sources of these sizes.
///
/// They must be in order, inside their source, not empty and without overlap; a gap leaves data out
/// on purpose. The fault `PF316` names the first span that is not.
pub fn check_cuts(
    sizes: &[u64],
    spans: impl IntoIterator<Item = Slice>,
) -> Result<Arc<[Slice]>, Fault> {
    let mut checked: Vec<Slice> = Vec::new();
    for span in spans {
        if checked.len() == CHUNKS_MAX {
            return Err(too_many());
        }
        if let Some(problem) = problem_with(sizes, checked.last(), &span) {
            let place = format!("span {} ({}–{})", checked.len(), span.start, span.end);
            return Err(Fault::new(Code::BadCuts).detail(format!("{place} {problem}")));
        }
        checked.push(span);
    }
    Ok(checked.into())
}

fn problem_with(sizes: &[u64], before: Option<&Slice>, span: &Slice) -> Option<String> {
    let Some(&size) = sizes.get(span.source as usize) else {
        return Some(format!("is of source {}, there are {}", span.source, sizes.len()));
    };
    let before = before.filter(|before| before.source >= span.source);
    match before {
        _ if span.start > span.end => Some("ends before it starts".into()),
        _ if span.start == span.end => Some("is empty".into()),
        _ if span.end > size => Some(format!("goes past the end of its source, {size} bytes")),
        Some(before) if before.source > span.source => Some("is of an earlier source".into()),
        Some(before) if before.start > span.start => Some("starts before the one before it".into()),
        Some(before) if before.end > span.start => Some("overlaps the one before it".into()),
        _ => None,
    }
}

#[cfg(test)]
mod tests;
