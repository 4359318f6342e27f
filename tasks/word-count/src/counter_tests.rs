//! The counter against a reference that is too simple to be wrong.

use std::collections::BTreeMap;

use proptest::prelude::*;

use super::Counter;

/// Words by the book: characters of the whole text at once, no fast road, no blocks.
fn reference(text: &[u8]) -> Vec<(Box<[u8]>, u64)> {
    let text = String::from_utf8_lossy(text).replace('\u{2019}', "'");
    let characters: Vec<char> = text.chars().collect();
    let is_letter = |place: Option<usize>| {
        place.and_then(|place| characters.get(place)).is_some_and(|c| c.is_alphanumeric())
    };
    let mut counts = BTreeMap::new();
    let mut word = String::new();
    for (place, character) in characters.iter().enumerate() {
        let is_inner =
            *character == '\'' && is_letter(place.checked_sub(1)) && is_letter(Some(place + 1));
        if character.is_alphanumeric() || is_inner {
            word.extend(character.to_lowercase());
        } else if !word.is_empty() {
            *counts.entry(std::mem::take(&mut word)).or_insert(0) += 1;
        }
    }
    if !word.is_empty() {
        *counts.entry(word).or_insert(0) += 1;
    }
    counts.into_iter().map(|(word, count)| (word.into_bytes().into(), count)).collect()
}

fn counted(text: &[u8], block_bytes: usize) -> Vec<(Box<[u8]>, u64)> {
    let mut counter = Counter::new();
    for block in text.chunks(block_bytes) {
        counter.feed(block);
    }
    counter.finish().into_sorted()
}

fn check(text: &[u8]) {
    let expect = reference(text);
    for block_bytes in [1, 2, 3, 7, 63, 64, 65, 1 << 20] {
        assert_eq!(counted(text, block_bytes), expect, "in blocks of {block_bytes}");
    }
}

#[test]
fn plain_text_is_counted_whatever_the_blocks() {
    check(b"");
    check(b"word");
    check(b"To be, or not to be: that is the question.\r\nWhether 'tis nobler\r\n");
    check("l'été d’Été, ÜBER über straße 日本語".as_bytes());
}

#[test]
fn words_of_every_length_are_counted() {
    let text: Vec<u8> =
        (1..200).flat_map(|length| [vec![b'W'; length], b" ".to_vec()].concat()).collect();
    check(&text);
}

#[test]
fn a_word_may_start_anywhere_in_a_group() {
    for space in 0..130 {
        check(&[vec![b' '; space], b"Hello WORLD it's caf\xc3\xa9".to_vec()].concat());
    }
}

#[test]
fn one_very_long_line_without_an_end_is_counted() {
    let text = "The quick brown fox ".repeat(100_000);
    assert_eq!(counted(text.trim_end().as_bytes(), 1 << 20)[3], (b"the"[..].into(), 100_000));
}

proptest! {
    #[test]
    fn any_bytes_are_counted_as_the_reference_counts_them(
        text in proptest::collection::vec(
            prop_oneof![
                4 => "[a-zA-Z0-9' ]{0,30}".prop_map(String::into_bytes),
                2 => "[éÜß’日\u{130} \n]{0,10}".prop_map(String::into_bytes),
                1 => proptest::collection::vec(any::<u8>(), 0..10),
            ],
            0..12,
        ),
        block_bytes in 1_usize..100,
    ) {
        let text = text.concat();
        prop_assert_eq!(counted(&text, block_bytes), reference(&text));
    }
}
