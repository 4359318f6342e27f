//! Frames on their way to the result.
//!
//! Owns: the format: one line of JSON for each chunk, then 264 bytes for each of its frames. Records need nothing between
//! them, so two streams of records are joined by putting one behind the other. And the checks that nothing is missing.
//! Never: holds more than two frames.

use std::io::{BufRead, Read, Write};

use pframe_guest::{Failure, Output, Partials, Reader};
use serde::{Deserialize, Serialize};

use crate::frame::{FRAME_BYTES, Frame};
use crate::layout::Layout;
use crate::stream::Stream;

/// The longest line: a name and a stream header are the longest things in it.
const LINE_BYTES_MAX: u64 = 64 << 10;

/// The line before the frames of a chunk.
#[derive(Debug, Deserialize, Serialize)]
pub(crate) struct Head {
    source: String,
    /// Where the chunk begins in its source.
    start: u64,
    /// The stream header, which the first chunk of a video has.
    stream: Option<String>,
    frames: u64,
    frame_bytes: Option<u64>,
    luma_bytes: u64,
    /// Where the luma of the last frame ends in its source.
    luma_end: u64,
}

impl Head {
    /// Describes a chunk.
    pub(crate) fn new(source: &str, start: u64, stream: Option<&Stream>, layout: &Layout) -> Self {
        Self {
            source: source.to_owned(),
            start,
            stream: stream.map(|stream| stream.line.clone()),
            frames: layout.frames,
            frame_bytes: layout.frame_bytes,
            luma_bytes: layout.luma_bytes,
            luma_end: start + layout.luma_end,
        }
    }

    /// Writes the line; the frames follow.
    pub(crate) fn write(&self, output: &mut Output) -> Result<(), Failure> {
        serde_json::to_writer(&mut *output, self)?;
        Ok(output.write_all(b"\n")?)
    }
}

/// A video as its first chunk describes it.
#[derive(Clone, Debug)]
pub(crate) struct Video {
    pub(crate) source: String,
    pub(crate) stream: Stream,
}

/// What comes next when all parts are read in order.
pub(crate) enum Step<'a> {
    /// A video begins.
    Video(&'a Video),
    /// A frame of the video.
    Frame(Seen<'a>),
}

/// A frame beside the one before it.
#[derive(Clone, Copy)]
pub(crate) struct Seen<'a> {
    /// Its place in the video, from 0.
    pub(crate) number: u64,
    pub(crate) frame: &'a Frame,
    /// The pixels in which its histogram differs from that of the frame before; 0 for the first.
    pub(crate) difference: u32,
}

/// Shows every video and every frame of all parts, in order.
pub(crate) fn each(
    parts: &Partials,
    mut show: impl FnMut(Step<'_>) -> Result<(), Failure>,
) -> Result<(), Failure> {
    let mut walk = None;
    for part in parts.iter() {
        let mut reader = part.reader();
        while let Some(head) = read_head(&mut reader, part.index())? {
            let walk = Walk::enter(&mut walk, &head, &mut show)?;
            for _ in 0..head.frames {
                let mut bytes = [0; FRAME_BYTES];
                reader.read_exact(&mut bytes).map_err(|_| damaged(part.index()))?;
                show(Step::Frame(walk.next(Frame::from_bytes(&bytes))))?;
            }
        }
    }
    Ok(())
}

/// How far a video has been read.
struct Walk {
    video: Video,
    number: u64,
    difference: u32,
    frame: Option<Frame>,
    /// Where the next chunk must begin.
    next_start: u64,
}

impl Walk {
    /// Enters a chunk: the first of a video, or the one that follows.
    fn enter<'a>(
        walk: &'a mut Option<Self>,
        head: &Head,
        show: &mut impl FnMut(Step<'_>) -> Result<(), Failure>,
    ) -> Result<&'a mut Self, Failure> {
        if let Some(line) = &head.stream {
            let stream = Stream::parse(line).map_err(Failure::permanent)?;
            let video = Video { source: head.source.clone(), stream };
            show(Step::Video(&video))?;
            let begun = Self { video, number: 0, difference: 0, frame: None, next_start: 0 };
            *walk = Some(begun);
        }
        let walk = walk.as_mut().filter(|walk| walk.next_start == head.start);
        let walk = walk.ok_or_else(|| missing(head))?;
        walk.check(head)?;
        let stream = &walk.video.stream;
        walk.next_start = head.luma_end - stream.luma_bytes() + stream.frame_bytes();
        Ok(walk)
    }

    /// Holds what a chunk found out about its frames against the header.
    fn check(&self, head: &Head) -> Result<(), Failure> {
        let stream = &self.video.stream;
        let (frame_bytes, luma_bytes) = (stream.frame_bytes(), stream.luma_bytes());
        let is_same = head.frame_bytes.is_none_or(|bytes| bytes == frame_bytes);
        if is_same && head.luma_bytes == luma_bytes {
            return Ok(());
        }
        let (source, start) = (&head.source, head.start);
        Err(Failure::invalid(format!(
            "`{source}`: the pictures of the chunk at byte {start} hold the text `FRAME` where it misleads: choose another `chunk_frames`"
        )))
    }

    fn next(&mut self, frame: Frame) -> Seen<'_> {
        self.number = self.frame.as_ref().map_or(0, |_| self.number + 1);
        self.difference = self.frame.as_ref().map_or(0, |before| before.difference(&frame));
        let frame = self.frame.insert(frame);
        Seen { number: self.number, frame, difference: self.difference }
    }
}

fn read_head(reader: &mut Reader<'_>, part: u32) -> Result<Option<Head>, Failure> {
    let mut line = Vec::new();
    reader.by_ref().take(LINE_BYTES_MAX).read_until(b'\n', &mut line)?;
    if line.is_empty() {
        return Ok(None);
    }
    serde_json::from_slice(&line).map(Some).map_err(|_| damaged(part))
}

/// A part was written by this very code: if it does not parse, no input is to blame.
fn damaged(part: u32) -> Failure {
    Failure::permanent(format!("part {part} is damaged"))
}

/// Without a chunk, all frames after it would get another time.
fn missing(head: &Head) -> Failure {
    let (source, start) = (&head.source, head.start);
    Failure::permanent(format!("`{source}`: the chunk before byte {start} is missing"))
}
