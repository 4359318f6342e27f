//! Where the frames lie in a video, and in a chunk of it.
//!
//! Owns: the cuts between frames, and how a chunk without the stream header tells the size of its frames.
//! Never: reads a frame in order to find the next one, but for the first of a chunk.
//!
//! A chunk of a video is
//!
//! ```text
//! FRAME⏎ luma chroma FRAME⏎ luma chroma … FRAME⏎ luma
//! ```
//!
//! The chroma of the last frame is left out: nobody needs it, and so the chunk says how large the luma is, whatever the
//! colour space and however odd the sides. The size of a frame is the least distance of two `FRAME`s that leads from
//! `FRAME` to `FRAME` to the end of the chunk. A picture might hold just that text at just the wrong places; `finish`
//! notices, because it knows the header.

use std::num::NonZeroU32;

use pframe_guest::{BLOCK_BYTES_MAX, Failure, Span, Unit, progress};

use crate::bytes::{self, Bytes};
use crate::frame::{Counter, Frame};
use crate::stream::Stream;

/// What every frame begins with.
const MARKER: &[u8] = b"FRAME";
/// The longest line of a frame; the MJPEG tools allow as much.
const LINE_BYTES_MAX: u32 = 256;
/// How often `FRAME` may stand in the first picture of a chunk before the search is given up.
const CANDIDATES_MAX: usize = 1000;
/// A frame is at most this many times as large as its luma: with full chroma and transparency.
const PLANES_MAX: u64 = 4;

/// Where the frames of a chunk lie.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Layout {
    /// How many frames there are.
    pub(crate) frames: u64,
    /// Bytes of a frame after its line; `None` where there is but one, which does not tell.
    pub(crate) frame_bytes: Option<u64>,
    /// Bytes of the luma of a frame.
    pub(crate) luma_bytes: u64,
    /// Where the luma of the last frame ends, from the start of the chunk.
    pub(crate) luma_end: u64,
    first: u64,
}

/// A frame: where its line begins, and where its luma does.
#[derive(Clone, Copy, Debug)]
struct Place {
    line: u64,
    luma: u64,
}

/// Cuts a video into chunks of so many frames.
pub(crate) fn cut(source: &impl Bytes, chunk_frames: NonZeroU32) -> Result<Vec<Span>, Failure> {
    let stream = Stream::read(source)?.ok_or_else(not_y4m)?;
    let mut spans: Vec<Span> = Vec::new();
    let layout = walk(source, &stream, Ending::Frame, |number, place| {
        if number.is_multiple_of(chunk_frames.get().into()) {
            let start = if number == 0 { 0 } else { place.line };
            spans.push(Span { start, end: 0, unit: Unit::Bytes });
        }
        if let Some(span) = spans.last_mut() {
            span.end = place.luma + stream.luma_bytes();
        }
    });
    layout.map(|_| spans)
}

/// Where a chunk may end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Ending {
    /// After a frame.
    Frame,
    /// After a frame or its luma.
    FrameOrLuma,
}

impl Layout {
    /// The frames after a stream header.
    pub(crate) fn of_stream(chunk: &impl Bytes, stream: &Stream) -> Result<Self, Failure> {
        walk(chunk, stream, Ending::FrameOrLuma, |_, _| {})
    }

    /// The frames of a chunk without one.
    pub(crate) fn of_frames(chunk: &impl Bytes) -> Result<Self, Failure> {
        let first = luma_start(chunk, 0)?.ok_or_else(not_y4m)?;
        let mut candidates = 0;
        let mut at = first;
        while let Some(found) = find_marker(chunk, at)? {
            if let Some(layout) = Self::with_frame_bytes(chunk, first, found - first)? {
                return Ok(layout);
            }
            candidates += 1;
            if candidates == CANDIDATES_MAX {
                let message = format!("the first picture says `FRAME` {CANDIDATES_MAX} times");
                return Err(Failure::invalid(format!("{message}: choose another `chunk_frames`")));
            }
            at = found + 1;
        }
        let luma_end = chunk.size();
        Ok(Self { frames: 1, frame_bytes: None, luma_bytes: luma_end - first, luma_end, first: 0 })
    }

    /// The layout, if frames of this size lead to the end.
    fn with_frame_bytes(
        chunk: &impl Bytes,
        first: u64,
        frame_bytes: u64,
    ) -> Result<Option<Self>, Failure> {
        let (mut luma, mut frames) = (first, 1);
        let size = chunk.size();
        while size - luma > frame_bytes {
            match luma_start(chunk, luma + frame_bytes)? {
                Some(next) => luma = next,
                None => return Ok(None),
            }
            frames += 1;
        }
        let luma_bytes = size - luma;
        let is_plausible = luma_bytes > 0 && frame_bytes <= PLANES_MAX * luma_bytes;
        let frame_bytes = Some(frame_bytes);
        let layout = Self { frames, frame_bytes, luma_bytes, luma_end: size, first: 0 };
        Ok(is_plausible.then_some(layout))
    }

    /// Counts and shows every frame; what lies between them is not read.
    pub(crate) fn each_luma(
        &self,
        chunk: &impl Bytes,
        mut show: impl FnMut(&Frame) -> Result<(), Failure>,
    ) -> Result<(), Failure> {
        let mut line = self.first;
        for _ in 0..self.frames {
            let luma = luma_start(chunk, line)?.ok_or_else(not_y4m)?;
            let mut counter = Counter::new();
            bytes::blocks(chunk, luma, self.luma_bytes, |block| counter.add(block))?;
            show(&counter.frame())?;
            progress(share(luma + self.luma_bytes, chunk.size()), None);
            line = luma + self.frame_bytes.unwrap_or(self.luma_bytes);
        }
        Ok(())
    }
}

/// Shows every frame of a stream, and refuses one that is not whole.
fn walk(
    bytes: &impl Bytes,
    stream: &Stream,
    ending: Ending,
    mut show: impl FnMut(u64, Place),
) -> Result<Layout, Failure> {
    let (frame_bytes, luma_bytes) = (stream.frame_bytes(), stream.luma_bytes());
    let first = stream.header_bytes();
    let (mut line, mut frames, mut luma_end) = (first, 0, first);
    while line < bytes.size() {
        let luma = luma_start(bytes, line)?.ok_or_else(|| no_marker(frames, line, bytes.size()))?;
        let left = bytes.size() - luma;
        let is_last_luma = ending == Ending::FrameOrLuma && left == luma_bytes;
        if left < frame_bytes && !is_last_luma {
            return Err(Failure::invalid(format!(
                "frame {frames} (counted from 0) is cut short: {left} of its {frame_bytes} bytes are there"
            )));
        }
        show(frames, Place { line, luma });
        luma_end = luma + luma_bytes;
        line = luma + left.min(frame_bytes);
        frames += 1;
    }
    if frames == 0 {
        return Err(Failure::invalid("the video has no frames"));
    }
    Ok(Layout { frames, frame_bytes: Some(frame_bytes), luma_bytes, luma_end, first })
}

/// Where the luma of the frame begins whose line begins at `offset`; `None` where none does.
fn luma_start(bytes: &impl Bytes, offset: u64) -> Result<Option<u64>, Failure> {
    let line = bytes::line(bytes, offset, LINE_BYTES_MAX)?;
    let is_frame = |line: &Vec<u8>| {
        let rest = line.strip_prefix(MARKER);
        rest.is_some_and(|rest| rest.is_empty() || rest.starts_with(b" "))
    };
    Ok(line.filter(is_frame).map(|line| offset + line.len() as u64 + 1))
}

/// Where `FRAME` stands next, from `offset` on.
fn find_marker(bytes: &impl Bytes, mut offset: u64) -> Result<Option<u64>, Failure> {
    loop {
        let block = bytes::piece(bytes, offset, BLOCK_BYTES_MAX)?;
        if let Some(found) = block.windows(MARKER.len()).position(|window| window == MARKER) {
            return Ok(Some(offset + found as u64));
        }
        // The marker may lie across the border of two blocks.
        offset += (block.len() + 1).saturating_sub(MARKER.len()) as u64;
        if block.len() < BLOCK_BYTES_MAX as usize {
            return Ok(None);
        }
    }
}

fn not_y4m() -> Failure {
    Failure::invalid(
        "not a Y4M video (`YUV4MPEG2`), or not cut by `chunking: { strategy: custom }`",
    )
}

fn no_marker(frame: u64, offset: u64, size: u64) -> Failure {
    let frame = format!("frame {frame} (counted from 0)");
    if size - offset <= MARKER.len() as u64 {
        return Failure::invalid(format!("{frame} is cut short within its first line"));
    }
    Failure::invalid(format!("{frame} does not begin with `FRAME` at byte {offset}"))
}

#[expect(clippy::cast_precision_loss, reason = "a progress bar needs no more than a few digits")]
fn share(done: u64, size: u64) -> f32 {
    done as f32 / size as f32
}
