//! What one chunk came to, on its way to the collector: one line of JSON for each recording.
//!
//! Owns: that chunks of one recording are stitched, and those of two never are.

use std::io::{BufRead, Write};

use pframe_guest::speech::Transcript;
use pframe_guest::{Failure, Output, Partials};
use pframe_speech::{Part, Span, Word, stitch};
use serde::{Deserialize, Serialize};

/// What was heard in a stretch of a recording.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Heard {
    /// Name of the recording.
    pub recording: String,
    /// Which stretch.
    pub span: Span,
    /// Its words, with times that count from the start of the recording.
    pub words: Vec<Word>,
    /// Code of the language.
    pub language: Option<String>,
    /// The model that was used.
    pub model: String,
    /// The model that was asked for, where another one did its work.
    pub fallback_from: Option<String>,
    /// Audio that was listened to, and processor time that it took, in milliseconds.
    pub audio_ms: u64,
    /// See `audio_ms`.
    pub cpu_ms: u64,
}

impl Heard {
    /// Nothing yet.
    pub fn new(recording: impl Into<String>, span: Span) -> Self {
        Self {
            recording: recording.into(),
            span,
            words: Vec::new(),
            language: None,
            model: String::new(),
            fallback_from: None,
            audio_ms: 0,
            cpu_ms: 0,
        }
    }

    /// Takes in everything of a transcript but its words.
    pub(crate) fn add(&mut self, transcript: &Transcript) {
        self.language = self.language.take().or_else(|| transcript.language.clone());
        self.model.clone_from(&transcript.model);
        self.audio_ms += transcript.usage.audio;
        self.cpu_ms += transcript.usage.cpu;
    }

    /// As one line.
    pub(crate) fn write(&self, output: &mut Output) -> Result<(), Failure> {
        serde_json::to_writer(&mut *output, self)?;
        Ok(output.write_all(b"\n")?)
    }

    /// The same recording goes on.
    fn extend(&mut self, next: Self) {
        let words = std::mem::take(&mut self.words);
        let parts = [Part { span: self.span, words }, Part { span: next.span, words: next.words }];
        self.words = stitch(parts);
        self.span.end_ms = self.span.end_ms.max(next.span.end_ms);
        self.language = self.language.take().or(next.language);
        self.fallback_from = self.fallback_from.take().or(next.fallback_from);
        if self.model.is_empty() {
            self.model = next.model;
        }
        self.audio_ms += next.audio_ms;
        self.cpu_ms += next.cpu_ms;
    }
}

/// All parts, those of one recording stitched.
pub(crate) fn merged(parts: &Partials) -> Result<Vec<Heard>, Failure> {
    let mut all: Vec<Heard> = Vec::new();
    for part in parts.iter() {
        for line in std::io::BufReader::new(part.reader()).lines() {
            let next: Heard = serde_json::from_str(&line?)?;
            match all.last_mut() {
                // A chunk never begins before the one in front of it, but in another recording of the same name.
                Some(last)
                    if last.recording == next.recording
                        && last.span.start_ms < next.span.start_ms =>
                {
                    last.extend(next);
                }
                _ => all.push(next),
            }
        }
    }
    Ok(all)
}

#[cfg(test)]
mod tests {
    use pframe_guest::testing;

    use super::*;
    use crate::AudioTranscription;

    fn heard(recording: &str, (start_ms, end_ms): (u64, u64), words: &[(&str, u64)]) -> Vec<u8> {
        let word = |(text, at): &(&str, u64)| Word {
            text: (*text).to_owned(),
            start_ms: *at,
            end_ms: at + 200,
            confidence: 1.0,
        };
        let words = words.iter().map(word).collect();
        let heard = Heard { words, ..Heard::new(recording, Span::new(start_ms, end_ms)) };
        let mut line = serde_json::to_vec(&heard).unwrap();
        line.push(b'\n');
        line
    }

    #[test]
    fn chunks_of_one_recording_are_stitched_in_whatever_groups_they_come() {
        let parts = [
            heard("a", (0, 12_000), &[("one", 500), ("two", 9900)]),
            heard("a", (8000, 20_000), &[("two", 9910), ("three", 15_000)]),
            heard("a", (20_000, 30_000), &[("four", 21_000)]),
            heard("b", (0, 5000), &[("five", 100)]),
        ];
        let at_once = testing::finish::<AudioTranscription>(&parts, "{}").unwrap();
        let first = testing::combine::<AudioTranscription>(&parts[..2], "{}").unwrap();
        let second = testing::combine::<AudioTranscription>(&parts[2..], "{}").unwrap();
        let in_groups = testing::finish::<AudioTranscription>(&[first, second], "{}").unwrap();
        assert_eq!(at_once, in_groups);
        let text = String::from_utf8(at_once).unwrap();
        assert_eq!(text, "== a ==\none\ntwo\nthree\nfour\n\n== b ==\nfive\n");
    }

    #[test]
    fn two_recordings_of_one_name_stay_two() {
        let parts =
            [heard("a", (0, 5000), &[("one", 100)]), heard("a", (0, 5000), &[("two", 100)])];
        let text = testing::finish::<AudioTranscription>(&parts, "{}").unwrap();
        assert_eq!(String::from_utf8(text).unwrap(), "== a ==\none\n\n== a ==\ntwo\n");
    }
}
