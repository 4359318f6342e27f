//! What was said, and when.

use serde::{Deserialize, Serialize};

/// A pause that ends a segment.
const PAUSE_MS: u64 = 700;
/// A segment this long ends at the next word: what a subtitle shows at once.
const SEGMENT_MS_MAX: u64 = 7000;
/// Characters of a segment: two lines of a subtitle.
const SEGMENT_CHARACTERS_MAX: usize = 84;

/// One word.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Word {
    /// As it is written, with its punctuation.
    pub text: String,
    /// Milliseconds from the start of the recording.
    pub start_ms: u64,
    /// Never before `start_ms`.
    pub end_ms: u64,
    /// The recogniser's own estimate that it is right, from 0 to 1.
    pub confidence: f32,
}

impl Word {
    /// The middle of its time.
    pub(crate) fn middle_ms(&self) -> u64 {
        self.start_ms + (self.end_ms.saturating_sub(self.start_ms)) / 2
    }

    /// Without case and punctuation, for comparing.
    pub(crate) fn normalised(&self) -> String {
        self.text.chars().filter(|it| it.is_alphanumeric()).flat_map(char::to_lowercase).collect()
    }
}

/// Words that belong together: what a subtitle shows at once.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Segment {
    /// Start of its first word, in milliseconds from the start of the recording.
    pub start_ms: u64,
    /// End of its last word.
    pub end_ms: u64,
    /// Its words, with a space between them.
    pub text: String,
    /// The words themselves.
    pub words: Vec<Word>,
}

/// What was said in a recording.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct Transcript {
    /// BCP 47 code of the language, where it is known.
    pub language: Option<String>,
    /// In order of time.
    pub segments: Vec<Segment>,
}

/// Groups words into segments, by pauses and by what a subtitle can show.
pub fn segments(words: Vec<Word>) -> Vec<Segment> {
    let mut segments: Vec<Segment> = Vec::new();
    for word in words {
        match segments.last_mut() {
            Some(segment) if segment.takes(&word) => segment.push(word),
            _ => segments.push(Segment::of(word)),
        }
    }
    segments
}

impl Segment {
    fn of(word: Word) -> Self {
        let (start_ms, end_ms, text) = (word.start_ms, word.end_ms, word.text.clone());
        Self { start_ms, end_ms, text, words: vec![word] }
    }

    fn takes(&self, word: &Word) -> bool {
        let ends_sentence = self.text.ends_with(['.', '?', '!', '…', '。', '？', '！']);
        word.start_ms.saturating_sub(self.end_ms) < PAUSE_MS
            && word.end_ms.saturating_sub(self.start_ms) <= SEGMENT_MS_MAX
            && self.text.chars().count() + 1 + word.text.chars().count() <= SEGMENT_CHARACTERS_MAX
            && !ends_sentence
    }

    fn push(&mut self, word: Word) {
        self.text.push(' ');
        self.text.push_str(&word.text);
        self.end_ms = self.end_ms.max(word.end_ms);
        self.words.push(word);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn word(text: &str, start_ms: u64, end_ms: u64) -> Word {
        Word { text: text.into(), start_ms, end_ms, confidence: 1.0 }
    }

    fn texts(words: Vec<Word>) -> Vec<String> {
        segments(words).into_iter().map(|segment| segment.text).collect()
    }

    #[test]
    fn a_pause_or_the_end_of_a_sentence_begins_a_new_segment() {
        let words = vec![
            word("good", 0, 300),
            word("morning", 320, 700),
            word("all", 1500, 1700),
            word("right.", 1720, 2000),
            word("Then", 2010, 2300),
        ];
        assert_eq!(texts(words), ["good morning", "all right.", "Then"]);
    }

    #[test]
    fn a_segment_is_no_longer_than_a_subtitle() {
        let words = (0..60).map(|it| word("word", it * 200, it * 200 + 190)).collect();
        for segment in segments(words) {
            assert!(segment.end_ms - segment.start_ms <= SEGMENT_MS_MAX);
            assert!(segment.text.chars().count() <= SEGMENT_CHARACTERS_MAX);
        }
    }
}
