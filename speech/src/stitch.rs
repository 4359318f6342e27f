//! From the words of the pieces to the words of the recording.
//!
//! Owns: what happens where two pieces overlap: which side a word is taken from, and that none is lost or doubled.
//! Never: changes a word's text; times only so that they never decrease.

use crate::span::Span;
use crate::transcript::Word;

/// A word is the same on both sides if its middles are this near to each other, and to the seam.
const SAME_MS: u64 = 250;
/// Words that may stand on both sides of a seam by mistake.
const REPEATED_WORDS_MAX: usize = 8;

/// What was heard in one piece; times count from the start of the recording.
#[derive(Debug, Clone, PartialEq)]
pub struct Part {
    /// The piece, as it was cut.
    pub span: Span,
    /// In order of time.
    pub words: Vec<Word>,
}

/// Joins the words of neighbouring pieces, in their order.
///
/// Where two pieces only touch, nothing is dropped. Where they overlap, the seam is the middle of the overlap, and each
/// side keeps the words whose middle lies on its own side. Both sides time a word a little differently; so where both
/// heard the same word near the seam, they are joined at that word. Words that both sides still have at the same time
/// are dropped once. In the end no word begins before the one in front of it.
pub fn stitch(parts: impl IntoIterator<Item = Part>) -> Vec<Word> {
    let mut joined: Vec<Word> = Vec::new();
    let mut end_ms = None;
    for part in parts {
        let seam = end_ms.filter(|end_ms| part.span.start_ms < *end_ms);
        match seam {
            Some(end_ms) => {
                join(&mut joined, part.words, u64::midpoint(part.span.start_ms, end_ms));
            }
            None => joined.extend(part.words),
        }
        end_ms = end_ms.max(Some(part.span.end_ms));
    }
    put_in_order(&mut joined);
    joined
}

/// Joins at a seam that somebody may have spoken over.
fn join(left: &mut Vec<Word>, mut right: Vec<Word>, seam_ms: u64) {
    if let Some((last, first)) = shared_word(left, &right, seam_ms) {
        left.truncate(last + 1);
        right.drain(..=first);
    } else {
        left.retain(|word| word.middle_ms() < seam_ms);
        right.retain(|word| word.middle_ms() >= seam_ms);
    }
    let repeated = repeated_words(left, &right);
    left.extend(right.into_iter().skip(repeated));
}

/// The places of the word near the seam that both sides have; where there are several, the one that they time most alike.
fn shared_word(left: &[Word], right: &[Word], seam_ms: u64) -> Option<(usize, usize)> {
    let is_near = |word: &Word| word.middle_ms().abs_diff(seam_ms) <= SAME_MS;
    let near_left = left.iter().enumerate().rev().take_while(|(_, word)| {
        // Words further to the left cannot come near again.
        word.middle_ms() + 10 * SAME_MS >= seam_ms
    });
    let mut best: Option<((u64, u64), (usize, usize))> = None;
    for (at_left, one) in near_left.filter(|(_, word)| is_near(word)) {
        for (at_right, other) in right.iter().enumerate().filter(|(_, word)| is_near(word)) {
            let apart_ms = one.middle_ms().abs_diff(other.middle_ms());
            if apart_ms > SAME_MS || one.normalised() != other.normalised() {
                continue;
            }
            let rank = (apart_ms, one.middle_ms().abs_diff(seam_ms));
            if best.is_none_or(|(other_rank, _)| rank < other_rank) {
                best = Some((rank, (at_left, at_right)));
            }
        }
    }
    best.map(|(_, places)| places)
}

/// How many words at the start of `right` are the last ones of `left` once more: the same words at the same time. A word
/// that is really said twice has another time.
fn repeated_words(left: &[Word], right: &[Word]) -> usize {
    let longest = REPEATED_WORDS_MAX.min(left.len()).min(right.len());
    let is_repeated = |count: &usize| {
        let tail = &left[left.len() - count..];
        tail.iter().zip(right).all(|(one, other)| {
            is_at_the_same_time(one, other) && one.normalised() == other.normalised()
        })
    };
    (1..=longest).rev().find(is_repeated).unwrap_or(0)
}

/// At least half of the shorter word lies in the other.
fn is_at_the_same_time(one: &Word, other: &Word) -> bool {
    let common = one.end_ms.min(other.end_ms).saturating_sub(one.start_ms.max(other.start_ms));
    let length = |word: &Word| word.end_ms.saturating_sub(word.start_ms);
    2 * common >= length(one).min(length(other)).max(1)
}

fn put_in_order(words: &mut [Word]) {
    let mut earliest_ms = 0;
    for word in words {
        word.start_ms = word.start_ms.max(earliest_ms);
        word.end_ms = word.end_ms.max(word.start_ms);
        earliest_ms = word.start_ms;
    }
}

#[cfg(test)]
mod tests;
