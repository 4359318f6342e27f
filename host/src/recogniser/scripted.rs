//! A recogniser for tests: it hears words in sounds that a test made, exactly, and misbehaves where its model says so.
//!
//! Owns: the code. A word is a square wave whose height names it; a word that touches the edge of its window is not heard.
//! Never: is in a release.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::Read;
use std::time::Duration;

use pframe_speech::{SAMPLES_PER_MS, Word};
use serde::Deserialize;

use super::engine::{Heard, Options, Problem, Recogniser};

/// Height of the first word's wave, and how much higher the next one's is.
const HEIGHT: (i16, i16) = (2000, 100);

/// The model: a JSON file.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Scripted {
    /// Words in the order of their heights.
    words: Vec<String>,
    /// Milliseconds of work for each second of a window.
    #[serde(default)]
    slowness_ms: u64,
    /// What hearing a word does to the recogniser.
    #[serde(default)]
    deeds: BTreeMap<String, Deed>,
}

#[derive(Debug, Clone, Copy, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Deed {
    /// As a failed assertion in a library does.
    Abort,
    /// Neither ends nor listens to anybody.
    Hang,
    /// Takes memory until there is none.
    Grow,
    /// Says that it failed.
    Fail,
}

impl Scripted {
    pub(super) fn load(mut file: &File) -> Result<Self, String> {
        let mut text = String::new();
        file.read_to_string(&mut text).map_err(|error| error.to_string())?;
        serde_json::from_str(&text).map_err(|error| format!("the model is malformed: {error}"))
    }

    fn word(&self, height: i16) -> Option<&str> {
        let (first, step) = HEIGHT;
        let index = usize::try_from(height.checked_sub(first)? / step).ok()?;
        self.words.get(index).map(String::as_str)
    }

    fn words(&self, samples: &[i16]) -> Vec<Word> {
        let mut words = Vec::new();
        let mut at = 0;
        for run in samples.chunk_by(|one, other| one.unsigned_abs() == other.unsigned_abs()) {
            let (start, end) = (at, at + run.len());
            at = end;
            let height = i16::try_from(run[0].unsigned_abs()).unwrap_or(i16::MAX);
            let is_whole = start > 0 && end < samples.len();
            let Some(text) = self.word(height).filter(|_| is_whole) else { continue };
            let time_ms = |at: usize| at as u64 / SAMPLES_PER_MS;
            let (start_ms, end_ms) = (time_ms(start), time_ms(end));
            words.push(Word { text: text.into(), start_ms, end_ms, confidence: 1.0 });
        }
        words
    }
}

impl Recogniser for Scripted {
    fn recognise(
        &mut self,
        samples: &[i16],
        _: &Options,
        is_cancelled: &mut dyn FnMut() -> bool,
    ) -> Result<Heard, Problem> {
        let words = self.words(samples);
        let work_ms = samples.len() as u64 / SAMPLES_PER_MS * self.slowness_ms / 1000;
        for _ in 0..work_ms.div_ceil(10) {
            if is_cancelled() {
                return Err(Problem::Cancelled);
            }
            std::thread::sleep(Duration::from_millis(work_ms.min(10)));
        }
        match words.iter().find_map(|word| self.deeds.get(&word.text)) {
            None => Ok(Heard { words, language: None }),
            Some(Deed::Fail) => Err(Problem::Failed("as the script says".into())),
            Some(Deed::Abort) => std::process::abort(),
            Some(Deed::Hang) => loop {
                std::thread::sleep(Duration::from_millis(50));
            },
            Some(Deed::Grow) => {
                let mut hoard = Vec::new();
                loop {
                    hoard.push(vec![1_u8; 16 << 20]);
                }
            }
        }
    }
}
