//! The whole task as a host runs it, natively, against a plain reference.

#![expect(clippy::unwrap_used, reason = "a test may")]

use json_stats::JsonStats;
use pframe_guest::testing::{job, run};
use proptest::prelude::*;
use serde_json::{Value, json};

fn result(chunks: &[&[u8]], parameters: &str) -> Value {
    serde_json::from_slice(&job::<JsonStats>(chunks, parameters).unwrap()).unwrap()
}

#[test]
fn every_kind_of_value_is_counted() {
    let text = concat!(
        r#"{"a": 1, "b": "x", "c": true, "d": null, "e": [1, 2]}"#,
        "\r\n",
        r#"{"a": 2.5, "b": "x", "c": false, "d": 3}"#,
        "\n\n",
        r#"{"a": 1.0, "b": "y"}"#,
    );
    let result = result(&[text.as_bytes()], "{}");
    assert_eq!((&result["lines"], &result["blank_lines"]), (&json!(4), &json!(1)));
    assert_eq!(
        result["fields"]["a"],
        json!({
            "count": 3, "numbers": 3, "strings": 0, "booleans": 0, "nulls": 0, "arrays": 0,
            "objects": 0, "distinct": 2, "min": 1, "max": 2.5, "mean": 1.5
        })
    );
    let field = |name: &str, key: &str| result["fields"][name][key].clone();
    assert_eq!((field("b", "strings"), field("b", "distinct")), (json!(3), json!(2)));
    assert_eq!((field("c", "booleans"), field("c", "distinct")), (json!(2), json!(2)));
    assert_eq!((field("d", "nulls"), field("d", "mean")), (json!(1), json!(3.0)));
    assert_eq!((field("e", "arrays"), field("e", "mean")), (json!(1), json!(null)));
}

#[test]
fn nested_objects_are_dotted_paths() {
    let result = result(&[br#"{"user": {"name": "x", "a.b": {"c": 1}}}"#], "{}");
    let paths: Vec<_> = result["fields"].as_object().unwrap().keys().cloned().collect();
    assert_eq!(paths, ["user", r"user.a\.b", r"user.a\.b.c", "user.name"]);
    assert_eq!(result["fields"]["user"]["objects"], json!(1));
}

#[test]
fn an_invalid_line_fails_the_chunk_and_is_named() {
    for (line, reason) in [("{\"a\":", "EOF"), ("[1]", "expected an object, found an array")] {
        let text = format!("{{}}\n{{\"a\": 1}}\n{line}\n");
        let failure = run::<JsonStats>(text, "{}").unwrap_err();
        let place = "line 3 of the chunk, byte 12 of `test`: ";
        assert!(failure.message().starts_with(&format!("{place}{reason}")), "{failure}");
    }
}

#[test]
fn invalid_lines_can_be_skipped_and_are_counted() {
    let result = result(&[b"{\"a\": 1}\nnonsense\n", b"{}\n\xff\n"], r#"{"on_invalid": "skip"}"#);
    assert_eq!((&result["lines"], &result["invalid_lines"]), (&json!(4), &json!(2)));
}

#[test]
fn another_choice_than_fail_or_skip_is_refused() {
    let failure = run::<JsonStats>("{}", r#"{"on_invalid": "ignore"}"#).unwrap_err();
    assert!(failure.message().starts_with("parameter `on_invalid`: unknown variant"), "{failure}");
}

#[test]
fn nothing_has_no_fields() {
    let nothing = json!({"lines": 0, "blank_lines": 0, "invalid_lines": 0, "fields": {}});
    assert_eq!(result(&[b""], "{}"), nothing);
}

#[test]
fn large_identifiers_keep_their_digits() {
    let text = b"{\"id\": 9007199254740993}\n{\"id\": 9007199254740992}\n";
    let field = &result(&[text], "{}")["fields"]["id"];
    assert_eq!((&field["distinct"], &field["max"]), (&json!(2), &json!(9_007_199_254_740_993_u64)));
}

/// The reference: all values of field `v` at once.
fn reference(values: &[i32]) -> (usize, Option<i32>, Option<i32>, Option<f64>) {
    let distinct: std::collections::HashSet<_> = values.iter().collect();
    let sum: i64 = values.iter().map(|value| i64::from(*value)).sum();
    #[expect(clippy::cast_precision_loss, reason = "far below 2^53")]
    let mean = (!values.is_empty()).then(|| sum as f64 / values.len() as f64);
    (distinct.len(), values.iter().min().copied(), values.iter().max().copied(), mean)
}

proptest! {
    #[test]
    fn the_result_depends_on_the_lines_and_not_on_the_cuts(
        values in proptest::collection::vec(-50_i32..50, 0..40),
        chunk_lines in 1_usize..10,
    ) {
        let lines: Vec<_> = values.iter().map(|value| format!("{{\"v\": {value}}}\n")).collect();
        let chunks: Vec<_> = lines.chunks(chunk_lines).map(<[String]>::concat).collect();
        let chunks: Vec<_> = chunks.iter().map(String::as_bytes).collect();
        let whole = result(&[lines.concat().as_bytes()], "{}");
        prop_assume!(!chunks.is_empty());
        prop_assert_eq!(&result(&chunks, "{}"), &whole);
        let (distinct, min, max, mean) = reference(&values);
        let field = &whole["fields"]["v"];
        prop_assert_eq!(&field["distinct"], &json!(distinct));
        prop_assert_eq!((&field["min"], &field["max"]), (&json!(min), &json!(max)));
        prop_assert_eq!(&field["mean"], &json!(mean));
    }
}
