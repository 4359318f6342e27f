//! The result as JSON: one line for each video.
//!
//! Owns: its fields, and the sums of each second.
//! Never: holds more than one second.

use std::io::Write;
use std::slice::Iter;

use pframe_guest::{Failure, Output, Partials};
use serde::Serialize;

use crate::frame::{BINS, Frame};
use crate::record::{self, Seen, Step};
use crate::stream::Rate;
use crate::summary::Summary;

/// Everything about a video but its seconds.
#[derive(Serialize)]
struct Head<'a> {
    source: &'a str,
    width: u32,
    height: u32,
    colour_space: &'a str,
    interlacing: &'a str,
    frame_rate: String,
    frames: u64,
    duration_seconds: f64,
    cuts: Vec<CutEntry>,
}

#[derive(Serialize)]
struct CutEntry {
    frame: u64,
    time_seconds: f64,
    difference: f64,
}

/// The frames that begin within one second.
#[derive(Serialize)]
struct Second {
    #[serde(rename = "second")]
    number: u64,
    frames: u64,
    mean_luma: f64,
    #[serde(serialize_with = "as_list")]
    histogram: [u64; BINS],
    #[serde(skip)]
    luma_sum: u64,
}

/// Writes one line for each video.
pub(crate) fn write(
    parts: &Partials,
    summaries: &[Summary],
    output: &mut Output,
) -> Result<(), Failure> {
    let mut writer = Writer { output, summaries: summaries.iter(), open: None };
    record::each(parts, |step| match step {
        Step::Video(_) => writer.begin(),
        Step::Frame(seen) => writer.add(seen),
    })?;
    writer.end()
}

struct Writer<'a> {
    output: &'a mut Output,
    summaries: Iter<'a, Summary>,
    open: Option<Open>,
}

/// A video whose line is not ended.
struct Open {
    rate: Rate,
    pixels: u32,
    second: Option<Second>,
}

impl Writer<'_> {
    fn begin(&mut self) -> Result<(), Failure> {
        self.end()?;
        if let Some(summary) = self.summaries.next() {
            // The seconds come one by one, so the object is left open behind what is known by now.
            let head = serde_json::to_string(&Head::of(summary))?;
            write!(self.output, "{},\"seconds\":[", head.trim_end_matches('}'))?;
            let rate = summary.video.stream.rate;
            self.open = Some(Open { rate, pixels: summary.pixels(), second: None });
        }
        Ok(())
    }

    fn add(&mut self, seen: Seen<'_>) -> Result<(), Failure> {
        let Some(open) = &mut self.open else { return Ok(()) };
        let number = open.rate.second(seen.number);
        if let Some(second) = open.second.take_if(|second| second.number != number) {
            serde_json::to_writer(&mut *self.output, &second.with_mean(open.pixels))?;
            self.output.write_all(b",")?;
        }
        open.second.get_or_insert_with(|| Second::new(number)).add(seen.frame);
        Ok(())
    }

    fn end(&mut self) -> Result<(), Failure> {
        let Some(open) = self.open.take() else { return Ok(()) };
        if let Some(second) = open.second {
            serde_json::to_writer(&mut *self.output, &second.with_mean(open.pixels))?;
        }
        Ok(self.output.write_all(b"]}\n")?)
    }
}

impl<'a> Head<'a> {
    fn of(summary: &'a Summary) -> Self {
        let stream = &summary.video.stream;
        let pixels = f64::from(summary.pixels());
        let cut = |cut: &crate::cuts::Cut| CutEntry {
            frame: cut.frame,
            time_seconds: rounded(stream.rate.time(cut.frame), 1e6),
            difference: rounded(f64::from(cut.difference) / pixels, 1e6),
        };
        Self {
            source: &summary.video.source,
            width: stream.width,
            height: stream.height,
            colour_space: &stream.colour_space,
            interlacing: stream.interlacing,
            frame_rate: format!("{}/{}", stream.rate.frames, stream.rate.seconds),
            frames: summary.frames,
            duration_seconds: rounded(summary.duration(), 1e6),
            cuts: summary.cuts.iter().map(cut).collect(),
        }
    }
}

impl Second {
    fn new(number: u64) -> Self {
        Self { number, frames: 0, mean_luma: 0.0, histogram: [0; BINS], luma_sum: 0 }
    }

    fn add(&mut self, frame: &Frame) {
        self.frames += 1;
        self.luma_sum += frame.luma_sum;
        for (sum, bin) in self.histogram.iter_mut().zip(frame.bins) {
            *sum += u64::from(bin);
        }
    }

    #[expect(clippy::cast_precision_loss, reason = "a mean is shown with six decimals")]
    fn with_mean(self, pixels: u32) -> Self {
        let all = self.frames as f64 * f64::from(pixels);
        Self { mean_luma: rounded(self.luma_sum as f64 / all, 1e6), ..self }
    }
}

/// serde knows arrays of up to 32 elements.
fn as_list<S: serde::Serializer>(list: &[u64; BINS], serializer: S) -> Result<S::Ok, S::Error> {
    list[..].serialize(serializer)
}

fn rounded(number: f64, unit: f64) -> f64 {
    (number * unit).round() / unit
}
