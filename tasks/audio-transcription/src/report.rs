//! The result of a job, in the form that was asked for.

use std::io::Write;

use pframe_guest::{Failure, Output};
use pframe_speech::{Segment, Transcript, segments, srt, txt, vtt};
use serde::Serialize;

use crate::parameters::{Format, Parameters};
use crate::partial::Heard;

/// Writes the transcripts of all recordings.
pub fn write(all: Vec<Heard>, parameters: &Parameters, output: &mut Output) -> Result<(), Failure> {
    match parameters.format {
        Format::Txt => text(all, output),
        Format::Srt => subtitles(all, srt, output),
        Format::Vtt => subtitles(all, vtt, output),
        Format::Json => {
            let mut reports =
                all.into_iter().map(|heard| Report::new(heard, parameters.word_times));
            // One recording is an object; several are a list of them.
            match (reports.next(), reports.len()) {
                (Some(only), 0) => serde_json::to_writer(&mut *output, &only)?,
                (first, _) => {
                    let reports: Vec<_> = first.into_iter().chain(reports).collect();
                    serde_json::to_writer(&mut *output, &reports)?;
                }
            }
            Ok(output.write_all(b"\n")?)
        }
    }
}

fn transcript(heard: Heard) -> Transcript {
    Transcript { language: heard.language, segments: segments(heard.words) }
}

/// With a heading for each recording, where there are several.
fn text(all: Vec<Heard>, output: &mut Output) -> Result<(), Failure> {
    let has_headings = all.len() > 1;
    for (index, heard) in all.into_iter().enumerate() {
        if has_headings {
            let space = if index > 0 { "\n" } else { "" };
            writeln!(output, "{space}== {} ==", heard.recording)?;
        }
        output.write_all(txt(&transcript(heard)).as_bytes())?;
    }
    Ok(())
}

fn subtitles(
    all: Vec<Heard>,
    form: fn(&Transcript) -> String,
    output: &mut Output,
) -> Result<(), Failure> {
    match <[Heard; 1]>::try_from(all) {
        Ok([heard]) => Ok(output.write_all(form(&transcript(heard)).as_bytes())?),
        Err(several) => Err(Failure::invalid(format!(
            "subtitles are of one recording, and this job has {}: a job for each, or `format: json`",
            several.len()
        ))),
    }
}

/// Everything that is known of a recording; times are seconds from its start.
#[derive(Serialize)]
struct Report {
    recording: String,
    language: Option<String>,
    model: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    fallback_from: Option<String>,
    duration: f64,
    text: String,
    segments: Vec<SegmentReport>,
    usage: UsageReport,
}

#[derive(Serialize)]
struct SegmentReport {
    start: f64,
    end: f64,
    text: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    words: Option<Vec<WordReport>>,
}

#[derive(Serialize)]
struct WordReport {
    word: String,
    start: f64,
    end: f64,
    confidence: f32,
}

#[derive(Serialize)]
struct UsageReport {
    audio_seconds: f64,
    cpu_seconds: f64,
}

impl Report {
    fn new(heard: Heard, word_times: bool) -> Self {
        let Heard { recording, span, words, language, model, fallback_from, audio_ms, cpu_ms } =
            heard;
        let segments = segments(words);
        let texts: Vec<_> = segments.iter().map(|segment| segment.text.as_str()).collect();
        Self {
            recording,
            language,
            model,
            fallback_from,
            duration: seconds(span.end_ms),
            text: texts.join(" "),
            segments: segments.into_iter().map(|it| SegmentReport::new(it, word_times)).collect(),
            usage: UsageReport { audio_seconds: seconds(audio_ms), cpu_seconds: seconds(cpu_ms) },
        }
    }
}

impl SegmentReport {
    fn new(segment: Segment, word_times: bool) -> Self {
        let Segment { start_ms, end_ms, text, words } = segment;
        let word = |word: pframe_speech::Word| WordReport {
            word: word.text,
            start: seconds(word.start_ms),
            end: seconds(word.end_ms),
            confidence: word.confidence,
        };
        let words = word_times.then(|| words.into_iter().map(word).collect());
        Self { start: seconds(start_ms), end: seconds(end_ms), text, words }
    }
}

#[expect(clippy::cast_precision_loss, reason = "exact for recordings of up to 285,000 years")]
fn seconds(ms: u64) -> f64 {
    ms as f64 / 1000.0
}
