//! Cuts as pictures, and laws that hold for every cut.
#![expect(clippy::needless_raw_string_hashes, reason = "expect-test writes them")]

use std::time::Duration;

use expect_test::{Expect, expect};
use proptest::prelude::*;

use super::*;
use crate::job::Boundary;

/// Plans real bytes the way the host does, and counts what it had to look for.
fn cut(sources: &[&[u8]], chunking: &Chunking) -> Result<Arc<[Slice]>, Fault> {
    let sizes: Vec<u64> = sources.iter().map(|source| source.len() as u64).collect();
    let find = |search: Search<'_>| {
        let source = sources[search.source];
        let from = usize::try_from(search.from).unwrap();
        let separator = search.separator;
        let found = source[from..].windows(separator.len()).position(|window| window == separator);
        Ok(found.map_or(source.len(), |place| from + place + separator.len()) as u64)
    };
    plan(&sizes, chunking, find).map(|chunks| chunks.expect("not custom"))
}

/// The same cut with an overlap.
fn cut_overlapping(text: &[u8], chunking: &Chunking, bytes: u64) -> Vec<Slice> {
    let mut chunks = cut(&[text], chunking).unwrap().to_vec();
    let find = |search: Search<'_>| {
        let from = place(search.from);
        let separator = search.separator;
        let found = text[from..].windows(separator.len()).position(|window| window == separator);
        Ok(found.map_or(text.len(), |at| from + at + separator.len()) as u64)
    };
    overlap(&mut chunks, ByteSize(bytes), chunking, find).unwrap();
    chunks
}

fn place(offset: u64) -> usize {
    usize::try_from(offset).expect("tests are small")
}

/// Shows the chunks with `|` between them and `·` for a line feed; sources stand on lines of their own.
fn show(sources: &[&str], chunks: &[Slice]) -> String {
    let mut lines = vec![Vec::new(); sources.len()];
    for chunk in chunks {
        let text = &sources[chunk.source as usize][place(chunk.start)..place(chunk.end)];
        lines[chunk.source as usize].push(text.replace('\n', "·"));
    }
    lines.iter().map(|chunks| chunks.join("|") + "\n").collect()
}

fn check(sources: &[&str], chunking: &Chunking, expect: &Expect) {
    let bytes: Vec<&[u8]> = sources.iter().map(|source| source.as_bytes()).collect();
    let shown = match cut(&bytes, chunking) {
        Ok(chunks) => show(sources, &chunks),
        Err(fault) => format!("{} {fault}\n", fault.code),
    };
    expect.assert_eq(&shown);
}

fn size(size: u64, boundary: Boundary) -> Chunking {
    Chunking::Size { size: ByteSize(size), boundary }
}

fn content(separator: &str, size: u64) -> Chunking {
    Chunking::Content { separator: separator.into(), size: ByteSize(size) }
}

#[test]
fn without_a_strategy_every_source_is_one_chunk() {
    check(
        &["one\ntwo\n", "", "three"],
        &Chunking::None,
        &expect![[r#"
            one·two·

            three
        "#]],
    );
}

#[test]
fn bytes_are_cut_anywhere() {
    check(
        &["abcdefgh", "ab"],
        &size(3, Boundary::Byte),
        &expect![[r#"
        abc|def|gh
        ab
    "#]],
    );
}

#[test]
fn a_chunk_repeats_the_end_of_the_one_before_it() {
    let shown = |text: &str, chunking: &Chunking, bytes| {
        show(&[text], &cut_overlapping(text.as_bytes(), chunking, bytes))
    };
    assert_eq!(shown("abcdefgh", &size(3, Boundary::Byte), 2), "abc|bcdef|efgh\n");
    assert_eq!(shown("a\nbb\nccc\nd\ne", &size(5, Boundary::Line), 3), "a·bb·|bb·ccc·|d·e\n");
    assert_eq!(shown("a\nbb\nccc\nd\ne", &size(5, Boundary::Line), 5), "a·bb·|a·bb·ccc·|ccc·d·e\n");
    assert_eq!(shown("a,b,c,d", &content(",", 4), 2), "a,b,|b,c,d\n");
    assert_eq!(shown("a\nb", &size(2, Boundary::Line), 0), "a·|b\n");
}

#[test]
fn a_chunk_has_as_many_lines_as_fit() {
    check(
        &["a\nbb\nccc\nd\ne"],
        &size(5, Boundary::Line),
        &expect![[r#"
        a·bb·|ccc·|d·e
    "#]],
    );
}

#[test]
fn a_line_longer_than_the_size_makes_a_longer_chunk() {
    check(
        &["a\nlonger than that\nb\nc\n"],
        &size(4, Boundary::Line),
        &expect![[r#"
        a·|longer than that·|b·c·
    "#]],
    );
}

#[test]
fn a_separator_across_the_aim_goes_whole_to_the_chunk_it_ends() {
    check(
        &["abc\n\ndef\n\nghi\n\n"],
        &size(4, Boundary::Record),
        &expect![[r#"
        abc··|def··|ghi··
    "#]],
    );
    check(
        &["abc\n\ndef\n\nghi\n\n"],
        &size(9, Boundary::Record),
        &expect![[r#"
        abc··|def··|ghi··
    "#]],
    );
    check(
        &["abc\n\ndef\n\nghi\n\n"],
        &size(10, Boundary::Record),
        &expect![[r#"
        abc··def··|ghi··
    "#]],
    );
}

#[test]
fn content_is_cut_at_the_separator_that_is_asked_for() {
    check(
        &["one--two--three--4"],
        &content("--", 11),
        &expect![[r#"
        one--two--|three--4
    "#]],
    );
    check(
        &["no separator at all"],
        &content("--", 4),
        &expect![[r#"
        no separator at all
    "#]],
    );
}

#[test]
fn some_cuts_are_found_elsewhere() {
    for chunking in [Chunking::Custom, Chunking::Time { length: Duration::from_secs(1) }] {
        assert_eq!(plan(&[1], &chunking, |_| unreachable!()), Ok(None));
    }
}

#[test]
fn a_million_chunks_and_one_are_too_many() {
    let plan = |bytes| plan(&[bytes], &size(1, Boundary::Byte), |_| unreachable!());
    assert_eq!(plan(CHUNKS_MAX as u64).unwrap().unwrap().len(), CHUNKS_MAX);
    assert_eq!(plan(CHUNKS_MAX as u64 + 1).unwrap_err().code, Code::TooManyChunks);
}

#[test]
fn only_the_bytes_near_the_cuts_are_looked_at() {
    let mut looks = 0;
    let find = |search: Search<'_>| {
        looks += 1;
        Ok(search.from / 100 * 100 + 100)
    };
    let chunks = plan(&[100_000_000], &size(1_000_000, Boundary::Line), find).unwrap().unwrap();
    assert_eq!(chunks.len(), 100);
    assert!(looks <= 400, "{looks} looks for 100 cuts");
}

#[test]
fn a_failed_read_ends_the_plan() {
    let fault = Fault::new(Code::InputChanged);
    let plan = plan(&[10], &size(2, Boundary::Line), |_| Err(fault.clone()));
    assert_eq!(plan, Err(fault));
}

fn check_spans(spans: &[(u32, u64, u64)], expect: &Expect) {
    let spans = spans.iter().map(|&(source, start, end)| Slice { source, start, end });
    let shown = match check_cuts(&[100, 50], spans) {
        Ok(chunks) => format!("{} chunks", chunks.len()),
        Err(fault) => format!("{} {}", fault.code, fault.detail),
    };
    expect.assert_eq(&shown);
}

#[test]
fn spans_of_a_chunker_are_judged_one_by_one() {
    check_spans(&[(0, 0, 10), (0, 20, 100), (1, 5, 50)], &expect!["3 chunks"]);
    check_spans(&[], &expect!["0 chunks"]);
    check_spans(
        &[(0, 0, 10), (0, 9, 20)],
        &expect!["PF316 span 1 (9–20) overlaps the one before it"],
    );
    check_spans(
        &[(0, 9, 10), (0, 0, 5)],
        &expect!["PF316 span 1 (0–5) starts before the one before it"],
    );
    check_spans(
        &[(0, 0, 101)],
        &expect!["PF316 span 0 (0–101) goes past the end of its source, 100 bytes"],
    );
    check_spans(&[(0, 5, 5)], &expect!["PF316 span 0 (5–5) is empty"]);
    check_spans(&[(0, 6, 5)], &expect!["PF316 span 0 (6–5) ends before it starts"]);
    check_spans(&[(1, 0, 5), (0, 6, 7)], &expect!["PF316 span 1 (6–7) is of an earlier source"]);
    check_spans(&[(2, 0, 5)], &expect!["PF316 span 0 (0–5) is of source 2, there are 2"]);
}

#[test]
fn a_chunker_cannot_return_more_spans_than_a_job_may_have() {
    let spans = (0..=CHUNKS_MAX as u64).map(|at| Slice { source: 0, start: at, end: at + 1 });
    assert_eq!(check_cuts(&[u64::MAX], spans).unwrap_err().code, Code::TooManyChunks);
}

fn any_text() -> impl Strategy<Value = String> {
    // Two letters and line feeds: separators of every kind are dense, and often overlap.
    "[ab\n]{0,60}"
}

fn any_chunking() -> impl Strategy<Value = Chunking> {
    prop_oneof![
        Just(Chunking::None),
        (1..20_u64, 0..3_usize).prop_map(|(bytes, boundary)| {
            size(bytes, [Boundary::Byte, Boundary::Line, Boundary::Record][boundary])
        }),
        (1..20_u64, "[ab\n]{1,3}").prop_map(|(bytes, separator)| content(&separator, bytes)),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn every_byte_is_in_exactly_one_chunk(texts in prop::collection::vec(any_text(), 0..4), chunking in any_chunking()) {
        let sources: Vec<&[u8]> = texts.iter().map(String::as_bytes).collect();
        let chunks = cut(&sources, &chunking).unwrap();
        for (index, source) in sources.iter().enumerate() {
            let own: Vec<_> = chunks.iter().filter(|chunk| chunk.source as usize == index).collect();
            prop_assert_eq!(own.first().unwrap().start, 0);
            prop_assert_eq!(own.last().unwrap().end, source.len() as u64);
            prop_assert!(own.windows(2).all(|pair| pair[0].end == pair[1].start));
            prop_assert!(source.is_empty() || own.iter().all(|chunk| !chunk.is_empty()));
        }
        prop_assert!(chunks.is_sorted_by_key(|chunk| chunk.source));
    }

    #[test]
    fn an_overlap_is_made_of_whole_records_and_no_longer_than_asked(text in any_text(), chunking in any_chunking(), bytes in 0..20_u64) {
        let plain = cut(&[text.as_bytes()], &chunking).unwrap();
        let chunks = cut_overlapping(text.as_bytes(), &chunking, bytes);
        prop_assert_eq!(plain.len(), chunks.len());
        for (plain, chunk) in plain.iter().zip(&chunks) {
            prop_assert_eq!(plain.end, chunk.end);
            prop_assert!(chunk.start <= plain.start && plain.start - chunk.start <= bytes);
            let before = &text.as_bytes()[..place(chunk.start)];
            let separator = separator_of(&chunking).unwrap_or_default();
            prop_assert!(before.is_empty() || before.ends_with(separator));
        }
    }

    #[test]
    fn inner_borders_come_right_after_a_separator(text in any_text(), chunking in any_chunking()) {
        let bytes = text.as_bytes();
        let chunks = cut(&[bytes], &chunking).unwrap();
        if let Some(separator) = separator_of(&chunking) {
            for chunk in &chunks[..chunks.len() - 1] {
                let chunk = &bytes[place(chunk.start)..place(chunk.end)];
                prop_assert!(chunk.ends_with(separator), "{:?}", chunk);
            }
        }
    }

    #[test]
    fn a_chunk_is_longer_than_the_size_only_if_it_is_one_record(text in any_text(), chunking in any_chunking()) {
        let bytes = text.as_bytes();
        let size = match &chunking {
            Chunking::Size { size, .. } | Chunking::Content { size, .. } => size.0,
            Chunking::None | Chunking::Time { .. } | Chunking::Custom => return Ok(()),
        };
        for chunk in cut(&[bytes], &chunking).unwrap().iter().filter(|chunk| chunk.len() > size) {
            let separator = separator_of(&chunking).expect("cutting by byte never makes a longer chunk");
            let inner = &bytes[place(chunk.start)..place(chunk.end) - 1];
            prop_assert!(!inner.windows(separator.len()).any(|window| window == separator));
        }
    }

    #[test]
    fn a_chunk_takes_every_record_that_fits(text in any_text(), chunking in any_chunking()) {
        let bytes = text.as_bytes();
        let Some(separator) = separator_of(&chunking) else { return Ok(()) };
        let (Chunking::Size { size, .. } | Chunking::Content { size, .. }) = &chunking else { return Ok(()) };
        for chunk in cut(&[bytes], &chunking).unwrap().iter() {
            let aim = place(chunk.start + size.0).clamp(place(chunk.end), bytes.len());
            let room = &bytes[place(chunk.end)..aim];
            prop_assert!(!room.windows(separator.len()).any(|window| window == separator));
        }
    }

    #[test]
    fn planned_chunks_pass_the_check_for_cuts(text in "[ab\n]{1,60}", chunking in any_chunking()) {
        let chunks = cut(&[text.as_bytes()], &chunking).unwrap();
        prop_assert!(check_cuts(&[text.len() as u64], chunks.iter().copied()).is_ok());
    }
}
