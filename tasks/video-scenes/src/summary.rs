//! What must be known of each video before its result can be written: how long it is, and its cuts.
//!
//! Owns: the first of the two walks through the parts.
//! Never: keeps a frame.

use pframe_guest::{Failure, Partials};

use crate::cuts::{Cut, CutFinder};
use crate::parameters::Parameters;
use crate::record::{self, Step, Video};

/// A video in a few numbers.
#[derive(Debug)]
pub(crate) struct Summary {
    pub(crate) video: Video,
    pub(crate) frames: u64,
    pub(crate) cuts: Vec<Cut>,
}

impl Summary {
    /// Pixels of a frame; a stream's sides are bounded so that they fit.
    pub(crate) fn pixels(&self) -> u32 {
        pixels(&self.video)
    }

    /// In seconds.
    pub(crate) fn duration(&self) -> f64 {
        self.video.stream.rate.time(self.frames)
    }
}

/// The summaries of all videos, in order.
pub(crate) fn summaries(
    parts: &Partials,
    parameters: &Parameters,
) -> Result<Vec<Summary>, Failure> {
    let mut summaries: Vec<(Summary, CutFinder)> = Vec::new();
    record::each(parts, |step| {
        match step {
            Step::Video(video) => {
                let summary = Summary { video: video.clone(), frames: 0, cuts: Vec::new() };
                summaries.push((summary, CutFinder::new(parameters, pixels(video))));
            }
            Step::Frame(seen) => {
                let (summary, finder) =
                    summaries.last_mut().expect("a video comes before its frames");
                summary.frames += 1;
                summary.cuts.extend(finder.next(seen));
            }
        }
        Ok(())
    })?;
    Ok(summaries.into_iter().map(|(summary, _)| summary).collect())
}

fn pixels(video: &Video) -> u32 {
    u32::try_from(video.stream.luma_bytes()).unwrap_or(u32::MAX)
}
