//! The whole task as a host runs it, natively.

#![expect(clippy::unwrap_used, reason = "a test may")]

use pframe_guest::testing::{Bytes, finish, job, run, run_on};
use word_count::WordCount;

fn result(chunks: &[&[u8]], parameters: &str) -> String {
    String::from_utf8(job::<WordCount>(chunks, parameters).unwrap()).unwrap()
}

#[test]
fn the_result_lists_the_most_frequent_words_first_and_equal_ones_by_name() {
    let text: &[u8] = b"b a c\nB c d\r\n";
    assert_eq!(
        result(&[text], r#"{"top": 3}"#),
        concat!(
            r#"{"total_words":6,"distinct_words":4,"#,
            r#""top":[{"word":"b","count":2},{"word":"c","count":2},{"word":"a","count":1}]}"#,
            "\n"
        )
    );
}

#[test]
fn the_result_does_not_depend_on_the_cuts() {
    let lines: Vec<&[u8]> = vec![b"the cat\n", b"THE dog\n", b"the bird's song\n", b"a cat\n"];
    let whole = result(&[&lines.concat()], "{}");
    assert_eq!(result(&lines, "{}"), whole);
    assert_eq!(result(&[&lines[..3].concat(), lines[3]], "{}"), whole);
}

#[test]
fn zero_lists_all_words_and_ten_is_the_default() {
    let text = (100..150).map(|number| number.to_string()).collect::<Vec<_>>().join(" ");
    let count = |parameters| result(&[text.as_bytes()], parameters).matches("\"word\"").count();
    assert_eq!((count(r#"{"top": 0}"#), count("{}")), (50, 10));
}

#[test]
fn nothing_has_no_words() {
    let nothing = "{\"total_words\":0,\"distinct_words\":0,\"top\":[]}\n";
    assert_eq!(result(&[b""], "{}"), nothing);
}

#[test]
fn a_part_is_sorted_lines() {
    let part = run::<WordCount>("Zeta alpha zeta", "{}").unwrap();
    assert_eq!(part, b"1 alpha\n2 zeta\n");
}

#[test]
fn a_damaged_part_is_a_permanent_failure_that_names_the_line() {
    let failure = finish::<WordCount>(&[b"1 a\nx\n".to_vec()], "{}").unwrap_err();
    assert_eq!(failure.message(), "line 2 of part 0 is not `COUNT WORD`");
}

#[test]
fn a_parameter_that_does_not_fit_is_named() {
    let failure = run::<WordCount>("", r#"{"top": "ten"}"#).unwrap_err();
    assert!(failure.message().starts_with("parameter `top`"), "{failure}");
}

#[test]
fn storage_in_trouble_is_transient() {
    let input = Bytes::new("some words").failing_at(0);
    let failure = run_on::<WordCount>(&input, "{}").unwrap_err();
    assert!(matches!(failure, pframe_guest::Failure::Transient(_)), "{failure:?}");
}
