//! Where a recording is cut: in silence where there is one, else with an overlap.
//!
//! Owns: [`cuts`] and the two rules for it: chunks of a job, and the windows that a recogniser takes.
//! Never: leaves a millisecond out.
//!
//! The figures are measured (ARCHITECTURE.md, "Speech"): at 10 s and more, a cut in silence costs less than half a
//! point of word error rate, a blind one four to six.

use std::time::Duration;

use crate::loudness::{GAP_MS_MIN, Loudness};
use crate::span::Span;

/// How far pieces reach over a cut on which somebody may be speaking, on each side.
const OVERLAP_MS: u64 = 2000;
/// A silence is not worth more than this for being longer.
const GAP_MS_ENOUGH: u64 = 1000;
/// How much longer a silence must be to be preferred at the edge of the search.
const DISTANCE_COST_MS: u64 = 300;
/// The longest piece: ten years are more than any recording has, and sums of them are far from the end of 64 bits.
const TARGET_MS_MAX: u64 = 10 * 366 * 24 * 3_600_000;
/// The longest stretch that a recogniser takes at once: Whisper's own length.
const WINDOW_MS_MAX: u64 = 30_000;
/// How far from its end a window is searched for a silence: shorter windows cost Whisper as much as long ones.
const WINDOW_SEARCH_MS: u64 = 8_000;
/// A search for silence looks at least this far, if the pieces are long enough.
const SEARCH_MS_MIN: u64 = 10_000;

/// How long pieces shall be, and how far from that end a silence is looked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rule {
    target_ms: u64,
    before_ms: u64,
    after_ms: u64,
    counts_from: CountsFrom,
}

/// What the length of a piece counts from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum CountsFrom {
    /// The last cut; a blind cut may lie as late as one in silence. Overlaps come on top.
    Cut,
    /// The start of the piece, its overlap included. A blind cut lies at the target at the latest, so that there is room for
    /// the overlap after it.
    Start,
}

impl Rule {
    /// Chunks of about this length: a silence is looked for within 10 s or a twentieth of it, whichever is more.
    pub fn chunks(length: Duration) -> Self {
        let target_ms = u64::try_from(length.as_millis()).unwrap_or(u64::MAX);
        let target_ms = target_ms.clamp(1, TARGET_MS_MAX);
        let search_ms = (target_ms / 20).max(SEARCH_MS_MIN).min(target_ms / 2);
        let counts_from = CountsFrom::Cut;
        Self { target_ms, before_ms: search_ms, after_ms: search_ms, counts_from }
    }

    /// Windows of at most 30 s, overlaps included.
    pub fn windows() -> Self {
        let target_ms = WINDOW_MS_MAX - OVERLAP_MS;
        let counts_from = CountsFrom::Start;
        Self { target_ms, before_ms: WINDOW_SEARCH_MS, after_ms: OVERLAP_MS, counts_from }
    }

    fn overlap_ms(self) -> u64 {
        OVERLAP_MS.min(self.target_ms / 4)
    }
}

/// Cuts a span of a recording.
///
/// The pieces are in order, cover all of it, and none is empty unless all of it is. Neighbours touch where they were cut
/// in silence, and overlap by 2 s on each side of the cut where no silence of 200 ms was near; [`stitch`](crate::stitch)
/// knows the cut as the middle of the overlap.
pub fn cuts(loudness: &Loudness, within: Span, rule: Rule) -> Vec<Span> {
    let mut pieces = Vec::new();
    let mut cut_ms = within.start_ms;
    let mut start_ms = within.start_ms;
    loop {
        let (from_ms, blind_after_ms) = match rule.counts_from {
            CountsFrom::Cut => (cut_ms, rule.after_ms),
            CountsFrom::Start => (start_ms, 0),
        };
        if within.end_ms - from_ms <= rule.target_ms + rule.after_ms {
            break;
        }
        let aim_ms = from_ms + rule.target_ms;
        // At least a millisecond further than the last cut.
        let first_ms = (aim_ms - rule.before_ms).max(cut_ms + 1);
        let search = Span::new(first_ms, aim_ms + rule.after_ms);
        let blind = Span::new(first_ms, aim_ms + blind_after_ms);
        let (next_ms, overlap_ms) = match best_silence(loudness, search, aim_ms) {
            Some(silence) => (middle(silence), 0),
            None => (middle(loudness.quietest(blind, GAP_MS_MIN)), rule.overlap_ms()),
        };
        let next_ms = next_ms.clamp(search.start_ms, search.end_ms);
        pieces.push(Span::new(start_ms, (next_ms + overlap_ms).min(within.end_ms)));
        start_ms = next_ms.saturating_sub(overlap_ms).max(start_ms);
        cut_ms = next_ms;
    }
    pieces.push(Span::new(start_ms, within.end_ms));
    pieces
}

fn middle(span: Span) -> u64 {
    span.start_ms + span.len_ms() / 2
}

/// The longest silence, where one that is nearer to the aim may be a little shorter.
fn best_silence(loudness: &Loudness, search: Span, aim_ms: u64) -> Option<Span> {
    let reach_ms = search.len_ms().max(1);
    let worth = |silence: &Span| {
        let length_ms = silence.len_ms().min(GAP_MS_ENOUGH);
        let distance_ms = middle(*silence).abs_diff(aim_ms);
        // Never below zero: a silence is at least 200 ms long, and a twentieth of its worth is enough to order them.
        (length_ms + DISTANCE_COST_MS) * reach_ms - DISTANCE_COST_MS * distance_ms.min(reach_ms)
    };
    loudness.silences(search, GAP_MS_MIN).into_iter().max_by_key(worth)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// A recording of sounds and silences by turns, each so many milliseconds long.
    pub(super) fn recording(turns_ms: &[u64]) -> Loudness {
        let mut samples = Vec::new();
        for (index, &turn_ms) in turns_ms.iter().enumerate() {
            let amplitude = if index % 2 == 0 { 6000 } else { 0 };
            let count = usize::try_from(turn_ms * 16).unwrap();
            samples.extend((0..count).map(|it| if it % 2 == 0 { amplitude } else { -amplitude }));
        }
        Loudness::of(&samples)
    }

    fn show(loudness: &Loudness, rule: Rule) -> Vec<(u64, u64)> {
        let all = Span::new(0, loudness.duration_ms());
        cuts(loudness, all, rule).iter().map(|span| (span.start_ms, span.end_ms)).collect()
    }

    const TEN_SECONDS: Duration = Duration::from_secs(10);

    #[test]
    fn a_short_recording_is_one_piece_and_so_is_an_empty_one() {
        assert_eq!(show(&recording(&[9000]), Rule::chunks(TEN_SECONDS)), [(0, 9000)]);
        assert_eq!(show(&recording(&[]), Rule::chunks(TEN_SECONDS)), [(0, 0)]);
    }

    #[test]
    fn a_cut_lies_in_the_middle_of_a_silence() {
        let talk = recording(&[8000, 400, 12_000]);
        assert_eq!(show(&talk, Rule::chunks(TEN_SECONDS)), [(0, 8200), (8200, 20_400)]);
    }

    #[test]
    fn of_two_silences_the_longer_wins_and_of_equals_the_nearer() {
        let longer = recording(&[6000, 900, 3000, 250, 10_000]);
        assert_eq!(show(&longer, Rule::chunks(TEN_SECONDS))[0], (0, 6450));
        let equal = recording(&[6000, 400, 3000, 400, 10_000]);
        assert_eq!(show(&equal, Rule::chunks(TEN_SECONDS))[0], (0, 9600));
    }

    #[test]
    fn without_a_silence_the_pieces_overlap() {
        let steady = recording(&[20_000]);
        assert_eq!(show(&steady, Rule::chunks(TEN_SECONDS)), [(0, 7100), (3100, 20_000)]);
    }

    #[test]
    fn a_window_is_as_long_as_a_recogniser_takes() {
        // Sentences of 4 s: the last pause within 30 s is taken.
        let talk = recording(&[4000, 400].repeat(20));
        let windows = show(&talk, Rule::windows());
        assert_eq!(windows, [(0, 26_200), (26_200, 52_600), (52_600, 79_000), (79_000, 88_000)]);
        // Without one there is room for the overlap on each side.
        let steady = show(&recording(&[70_000]), Rule::windows());
        assert!(steady.iter().all(|(start, end)| end - start <= WINDOW_MS_MAX), "{steady:?}");
        assert_eq!(steady.len(), 4);
    }

    #[test]
    fn no_length_is_too_long() {
        for ms in [17_568_327_689_247_192_016, u64::MAX, 0] {
            let rule = Rule::chunks(Duration::from_millis(ms));
            assert!(show(&recording(&[9000]), rule).len() <= 9000);
        }
    }

    proptest! {
        #[test]
        fn pieces_are_in_order_cover_everything_and_are_no_longer_than_the_rule_says(
            turns in prop::collection::vec(1_u64..4000, 0..30),
            target_ms in 1_u64..20_000,
            is_window: bool,
        ) {
            let loudness = recording(&turns);
            let rule = match is_window {
                true => Rule::windows(),
                false => Rule::chunks(Duration::from_millis(target_ms)),
            };
            let all = Span::new(0, loudness.duration_ms());
            let pieces = cuts(&loudness, all, rule);
            prop_assert_eq!(pieces[0].start_ms, 0);
            prop_assert_eq!(pieces.last().unwrap().end_ms, all.end_ms);
            let most_ms = match is_window {
                true => WINDOW_MS_MAX,
                false => rule.target_ms + rule.after_ms + 2 * rule.overlap_ms(),
            };
            for piece in &pieces {
                prop_assert!(piece.len_ms() <= most_ms);
                prop_assert!(!piece.is_empty() || all.is_empty());
            }
            for pair in pieces.windows(2) {
                prop_assert!(pair[0].start_ms < pair[1].start_ms || pair[1].start_ms == 0);
                prop_assert!(pair[0].end_ms <= pair[1].end_ms);
                prop_assert!(pair[1].start_ms <= pair[0].end_ms, "nothing is left out");
            }
        }
    }
}
