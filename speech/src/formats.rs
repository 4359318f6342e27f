//! The written forms of a transcript: plain text, SubRip (`srt`) and WebVTT (`vtt`).
//!
//! Owns: that a word never changes the form: no line, no mark of a subtitle file can come out of a recogniser's text.
//!
//! WebVTT: <https://www.w3.org/TR/webvtt1/>. SubRip has no standard; this is what players agree on.

use std::fmt::Write;

use crate::transcript::{Segment, Transcript};

/// One line for each segment.
pub fn txt(transcript: &Transcript) -> String {
    let lines = transcript.segments.iter().map(|segment| line(&segment.text) + "\n");
    lines.collect()
}

/// SubRip subtitles.
pub fn srt(transcript: &Transcript) -> String {
    let mut text = String::new();
    for (index, segment) in transcript.segments.iter().enumerate() {
        let (start, end) = (time(segment.start_ms, ','), time(shown_until(segment), ','));
        let words = line(&segment.text).replace("-->", "->");
        writeln!(text, "{}\n{start} --> {end}\n{words}\n", index + 1).expect("text grows");
    }
    text
}

/// WebVTT subtitles.
pub fn vtt(transcript: &Transcript) -> String {
    let mut text = String::from("WEBVTT\n\n");
    for segment in &transcript.segments {
        let (start, end) = (time(segment.start_ms, '.'), time(shown_until(segment), '.'));
        let words = line(&segment.text);
        let words = words.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;");
        writeln!(text, "{start} --> {end}\n{words}\n").expect("text grows");
    }
    text
}

/// A subtitle must end after it has begun.
fn shown_until(segment: &Segment) -> u64 {
    segment.end_ms.max(segment.start_ms + 1)
}

/// Text without anything that ends a line.
fn line(text: &str) -> String {
    let spaced =
        text.replace(|it: char| it.is_control() || matches!(it, '\u{2028}' | '\u{2029}'), " ");
    spaced.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// `hh:mm:ss` and milliseconds.
fn time(ms: u64, separator: char) -> String {
    let (seconds, millis) = (ms / 1000, ms % 1000);
    let (hours, minutes, seconds) = (seconds / 3600, seconds / 60 % 60, seconds % 60);
    format!("{hours:02}:{minutes:02}:{seconds:02}{separator}{millis:03}")
}

#[cfg(test)]
mod tests {
    use expect_test::{Expect, expect};

    use super::*;
    use crate::transcript::{Word, segments};

    fn check(write: fn(&Transcript) -> String, expect: &Expect) {
        let word = |text: &str, start_ms| Word {
            text: text.into(),
            start_ms,
            end_ms: start_ms + 400,
            confidence: 0.9,
        };
        let words = vec![
            word("Tea", 0),
            word("&\n\ncake", 500),
            word("-->", 3_600_000),
            word("<b>", 3_600_500),
        ];
        expect.assert_eq(&write(&Transcript { language: None, segments: segments(words) }));
    }

    #[test]
    fn plain_text_has_a_line_for_each_segment() {
        check(
            txt,
            &expect![[r"
            Tea & cake
            --> <b>
        "]],
        );
    }

    #[test]
    fn subrip_counts_its_segments() {
        check(
            srt,
            &expect![[r"
            1
            00:00:00,000 --> 00:00:00,900
            Tea & cake

            2
            01:00:00,000 --> 01:00:00,900
            -> <b>

        "]],
        );
    }

    #[test]
    fn webvtt_escapes_what_would_be_markup() {
        check(
            vtt,
            &expect![[r"
            WEBVTT

            00:00:00.000 --> 00:00:00.900
            Tea &amp; cake

            01:00:00.000 --> 01:00:00.900
            --&gt; &lt;b&gt;

        "]],
        );
    }

    #[test]
    fn an_empty_transcript_is_a_valid_file() {
        let nothing = Transcript::default();
        assert_eq!((txt(&nothing), srt(&nothing)), (String::new(), String::new()));
        assert_eq!(vtt(&nothing), "WEBVTT\n\n");
    }
}
