//! Laws that hold for every cut, and the failures known from elsewhere, by name.

use proptest::prelude::*;

use super::*;

fn word(text: &str, start_ms: u64, end_ms: u64) -> Word {
    Word { text: text.into(), start_ms, end_ms, confidence: 1.0 }
}

fn part(start_ms: u64, end_ms: u64, words: Vec<Word>) -> Part {
    Part { span: Span::new(start_ms, end_ms), words }
}

fn text(words: &[Word]) -> String {
    words.iter().map(|word| &*word.text).collect::<Vec<_>>().join(" ")
}

/// What a perfect recogniser hears in a piece: the words that lie wholly in it, each a little early or late.
fn heard(spoken: &[Word], span: Span, jitter_ms: &mut impl FnMut() -> i64) -> Part {
    let inside = |word: &&Word| word.start_ms >= span.start_ms && word.end_ms <= span.end_ms;
    let words = spoken.iter().filter(inside).map(|word| {
        let by_ms = jitter_ms();
        let moved = |ms: u64| ms.saturating_add_signed(by_ms);
        Word { start_ms: moved(word.start_ms), end_ms: moved(word.end_ms), ..word.clone() }
    });
    Part { span, words: words.collect() }
}

/// Speech: words of 100 to 600 ms with pauses of 0 to 900 ms between them, from a small vocabulary, so that many are
/// said twice in a row.
fn speech() -> impl Strategy<Value = Vec<Word>> {
    let one = (0_usize..4, 100_u64..600, 0_u64..900);
    prop::collection::vec(one, 0..120).prop_map(|turns| {
        let mut now_ms = 300;
        let mut words = Vec::new();
        for (which, length_ms, pause_ms) in turns {
            let name = ["no", "never", "the", "sea"][which];
            words.push(word(name, now_ms, now_ms + length_ms));
            now_ms += length_ms + pause_ms;
        }
        words
    })
}

/// Any plan with cuts at least 5 s apart: in a pause between two words, or with an overlap of 2 s on each side.
fn plan(spoken: &[Word], steps: &[(u64, bool)]) -> Vec<Span> {
    let end_ms = spoken.last().map_or(0, |word| word.end_ms) + 300;
    let mut pieces = Vec::new();
    let (mut start_ms, mut cut_ms) = (0, 0);
    for (step_ms, in_pause) in steps {
        let mut next_ms = cut_ms + step_ms;
        let mut overlap_ms = 2000;
        if *in_pause {
            let after = spoken.iter().find(|word| word.end_ms >= next_ms);
            next_ms = after.map_or(next_ms, |word| word.end_ms);
            overlap_ms = 0;
        }
        if next_ms + overlap_ms >= end_ms {
            break;
        }
        pieces.push(Span::new(start_ms, next_ms + overlap_ms));
        (start_ms, cut_ms) = (next_ms - overlap_ms, next_ms);
    }
    pieces.push(Span::new(start_ms, end_ms));
    pieces
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]

    #[test]
    fn no_word_is_lost_or_doubled_whatever_the_cuts(
        spoken in speech(),
        steps in prop::collection::vec((5000_u64..15_000, any::<bool>()), 0..12),
        jitters in prop::collection::vec(-40_i64..=40, 1..60),
    ) {
        let mut jitters = jitters.into_iter().cycle();
        let mut jitter_ms = || jitters.next().expect("a cycle has no end");
        let pieces = plan(&spoken, &steps);
        let parts: Vec<Part> =
            pieces.into_iter().map(|span| heard(&spoken, span, &mut jitter_ms)).collect();
        prop_assert_eq!(text(&stitch(parts)), text(&spoken));
    }

    #[test]
    fn times_never_decrease_whatever_the_recogniser_says(
        parts in prop::collection::vec(
            (0_u64..20_000, 0_u64..20_000, prop::collection::vec((0_u64..20_000, 0_u64..20_000), 0..20)),
            0..8,
        ),
    ) {
        let parts = parts.into_iter().map(|(start_ms, end_ms, words)| {
            part(start_ms, end_ms, words.into_iter().map(|(from, to)| word("x", from, to)).collect())
        });
        let joined = stitch(parts);
        prop_assert!(joined.windows(2).all(|pair| pair[0].start_ms <= pair[1].start_ms));
        prop_assert!(joined.iter().all(|word| word.start_ms <= word.end_ms));
    }
}

#[test]
fn a_word_that_is_really_said_twice_at_the_seam_stays_twice() {
    let left = part(0, 12_000, vec![word("no", 9600, 9800), word("no", 10_200, 10_400)]);
    let right = part(8000, 20_000, vec![word("no", 9610, 9810), word("no", 10_210, 10_410)]);
    assert_eq!(text(&stitch([left, right])), "no no");
}

#[test]
fn a_word_on_the_seam_that_each_side_puts_on_the_other_is_not_lost() {
    let left = part(0, 12_000, vec![word("sea", 9900, 10_120)]);
    let right = part(8000, 20_000, vec![word("sea", 9880, 10_090)]);
    assert_eq!(text(&stitch([left, right])), "sea");
}

#[test]
fn a_tail_is_not_dropped_where_the_next_piece_heard_nothing() {
    let left = part(0, 12_000, vec![word("the", 9000, 9200), word("end", 9300, 9800)]);
    assert_eq!(text(&stitch([left, part(8000, 20_000, vec![])])), "the end");
}

#[test]
fn an_empty_first_piece_takes_nothing_away() {
    let right = part(8000, 20_000, vec![word("hello", 10_100, 10_400)]);
    assert_eq!(text(&stitch([part(0, 12_000, vec![]), right])), "hello");
}

#[test]
fn a_phrase_that_both_sides_heard_late_is_there_once() {
    // The left side heard the phrase too early, by more than the seam's tolerance.
    let phrase =
        |by: u64| vec![word("once", 9600 + by, 9900 + by), word("more", 9950 + by, 10_200 + by)];
    let joined = stitch([part(0, 12_000, phrase(0)), part(8000, 20_000, phrase(120))]);
    assert_eq!(text(&joined), "once more");
}

#[test]
fn pieces_that_only_touch_keep_every_word() {
    let left = part(0, 10_000, vec![word("no", 9700, 10_000)]);
    let right = part(10_000, 20_000, vec![word("no", 10_000, 10_300)]);
    assert_eq!(text(&stitch([left, right])), "no no");
}
