#![expect(clippy::needless_raw_string_hashes, reason = "expect-test writes them when it updates")]

use std::fmt::Write as _;

use expect_test::{Expect, expect};
use proptest::prelude::*;

use super::*;
use crate::fault::Code;

fn tree(bytes: &[u8]) -> Result<Node, Problems> {
    let mut problems = Problems::new("file.yaml", Code::JobFile);
    let root = read(bytes, &mut problems);
    problems.unless_empty(root)
}

fn json(text: &str) -> serde_json::Value {
    match tree(text.as_bytes()) {
        Ok(node) => node.to_json().expect("the test's values have a JSON form"),
        Err(problems) => panic!("{problems}"),
    }
}

#[track_caller]
fn check(bytes: impl AsRef<[u8]>, expected: &Expect) {
    match tree(bytes.as_ref()) {
        Ok(node) => expected.assert_eq(&node.to_json().expect("has a JSON form").to_string()),
        Err(problems) => expected.assert_eq(&problems.to_string()),
    }
}

#[test]
fn every_node_and_every_key_knows_its_place() {
    let root = tree(b"a: 1\nlist:\n  - \"x\"\n  - { b: y }\n").unwrap();
    let Value::Map(entries) = &root.value else { panic!("a mapping") };
    let Value::List(items) = &entries[1].value.value else { panic!("a list") };
    let Value::Map(inner) = &items[1].value else { panic!("a mapping") };
    let places = [
        entries[0].place,
        entries[0].value.place,
        entries[1].place,
        items[0].place,
        inner[0].place,
        inner[0].value.place,
    ];
    let printed = places.map(|place| place.to_string());
    assert_eq!(printed, ["1:1", "1:4", "2:1", "3:5", "4:7", "4:10"]);
}

#[test]
fn columns_count_characters_and_tabs_and_windows_line_ends_do_not_shift_lines() {
    let root = tree("a: 1\r\nü: \"é\"\r\nb: [x]\r\n".as_bytes()).unwrap();
    let Value::Map(entries) = &root.value else { panic!("a mapping") };
    assert_eq!(entries[1].value.place.to_string(), "2:4");
    assert_eq!(entries[2].place.to_string(), "3:1");
    assert_eq!(json("a: \"x\"\r\nb: y\r\n"), serde_json::json!({"a": "x", "b": "y"}));
}

#[test]
fn j01_odd_encodings_are_accepted_alike_or_refused_by_name() {
    check("\u{feff}a: 1", &expect![[r#"{"a":1}"#]]);
    check("\u{feff}{\"a\": 1}", &expect![[r#"{"a":1}"#]]);
    check("", &expect!["file.yaml:1:1: error[PF101]: the file is empty"]);
    check(" \n\t\n# words\n", &expect!["file.yaml:1:1: error[PF101]: the file is empty"]);
    let utf16 = |text: &str| text.encode_utf16().flat_map(u16::to_le_bytes).collect::<Vec<u8>>();
    let refused = expect![[r"
        file.yaml:1:1: error[PF101]: the file is UTF-16 or UTF-32, not UTF-8
          advice: save the file as UTF-8"]];
    check(utf16("\u{feff}a: 1"), &refused);
    check(utf16("a: 1"), &refused);
    check(
        b"a: 1\nb: \"\xc3\xa9\xff\"",
        &expect![[r"
        file.yaml:2:6: error[PF101]: not valid UTF-8
          advice: save the file as UTF-8"]],
    );
    check(
        b"a: 1\nb: x\0y",
        &expect![[r#"
            file.yaml:2:5: error[PF101]: control character U+0000
              advice: delete it, or write it as an escape in double quotes"#]],
    );
    check(
        "a: \u{1b}[31m",
        &expect![[r#"
            file.yaml:1:4: error[PF101]: control character U+001B
              advice: delete it, or write it as an escape in double quotes"#]],
    );
}

#[test]
fn j02_a_file_over_16_mib_is_refused_before_it_is_parsed() {
    let text = " ".repeat(TEXT_BYTES_MAX + 1);
    check(
        text,
        &expect![[r#"
        file.yaml:1:1: error[PF101]: the file has 16777217 bytes, at most 16 MiB are read
          advice: split it into several files"#]],
    );
}

#[test]
fn j08_tags_merge_keys_and_directives_are_refused_with_their_places() {
    check(
        "a: !!python/object:os.system ls",
        &expect![[r#"
            file.yaml:1:4: error[PF101]: the tag `!!python/object:os.system` is not read
              advice: delete the tag, or put the value in quotes"#]],
    );
    check(
        "a: !include /etc/passwd",
        &expect![[r#"
            file.yaml:1:4: error[PF101]: the tag `!include` is not read
              advice: delete the tag, or put the value in quotes"#]],
    );
    check(
        "a: !!set {x: null}",
        &expect![[r#"
            file.yaml:1:4: error[PF101]: the tag `!!set` is not read
              advice: delete the tag, or put the value in quotes"#]],
    );
    check(
        "%YAML 1.1\n---\na: no",
        &expect![[r#"
        file.yaml:1:1: error[PF101]: directives such as `%YAML` are not read
          advice: delete the line; the file is read as YAML 1.2"#]],
    );
    check(
        "a: !!str 5\nb: !!int 7\nc: !!float 1\nd: !!map {}\ne: !!seq []",
        &expect![[r#"{"a":"5","b":7,"c":1,"d":{},"e":[]}"#]],
    );
    check(
        "a: !!int seven",
        &expect![[r#"
            file.yaml:1:4: error[PF101]: `seven` does not fit its tag `!!int`
              advice: delete the tag"#]],
    );
}

#[test]
fn j09_billion_laughs_is_refused() {
    let mut text = "a: &a [lol, lol]\n".to_owned();
    for letter in 'b'..='i' {
        let before = char::from(letter as u8 - 1);
        writeln!(text, "{letter}: &{letter} [*{before}, *{before}]").unwrap();
    }
    let problems = tree(text.as_bytes()).unwrap_err();
    assert_eq!(problems.total(), 16);
    check(
        "base: &b { x: 1 }\nc: { <<: *b, y: 2 }",
        &expect![[r#"
        file.yaml:2:6: error[PF101]: merge keys (`<<`) are not read
          advice: write the keys out, or put `<<` in quotes
        file.yaml:2:10: error[PF101]: aliases (`*name`) are not read
          advice: write the value out"#]],
    );
    check(
        "a: &a [*a]",
        &expect![[r#"
        file.yaml:1:8: error[PF101]: aliases (`*name`) are not read
          advice: write the value out"#]],
    );
    check(
        "a: *nobody",
        &expect![[r#"
        file.yaml:1:4: error[PF101]: aliases (`*name`) are not read
          advice: write the value out"#]],
    );
}

#[test]
fn j10_a_hundred_thousand_brackets_are_refused_and_64_are_not() {
    let deep = |depth| format!("{}{}", "[".repeat(depth), "]".repeat(depth));
    check(
        deep(100_000),
        &expect![[r#"
        file.yaml:1:65: error[PF101]: nested deeper than 64 levels
          advice: flatten the document"#]],
    );
    check(
        "{\"a\":".repeat(100_000),
        &expect![[r#"
        file.yaml:1:321: error[PF101]: nested deeper than 64 levels
          advice: flatten the document"#]],
    );
    check(
        "- ".repeat(100_000),
        &expect![[r#"
        file.yaml:1:129: error[PF101]: nested deeper than 64 levels
          advice: flatten the document"#]],
    );
    check(
        "? ".repeat(100_000),
        &expect![[r#"
        file.yaml:1:129: error[PF101]: nested deeper than 64 levels
          advice: flatten the document"#]],
    );
    assert!(tree(deep(DEPTH_MAX).as_bytes()).is_ok());
    assert!(tree(deep(DEPTH_MAX + 1).as_bytes()).is_err());
    let block = |depth: usize| {
        (0..depth).fold(String::new(), |text, level| format!("{text}{}a:\n", " ".repeat(level)))
    };
    assert!(tree(block(DEPTH_MAX).as_bytes()).is_ok());
    let mixed = format!("{}  x: {}", block(2), deep(DEPTH_MAX - 1));
    assert!(tree(mixed.as_bytes()).is_err());
}

#[test]
fn duplicate_keys_are_all_named_with_both_places() {
    check(
        "a: 1\nb: 2\na: 3\nb: 4\na: 5",
        &expect![[r#"
        file.yaml:3:1: error[PF101]: the key `a` stands here twice
          advice: keep one; the first is in line 1
        file.yaml:4:1: error[PF101]: the key `b` stands here twice
          advice: keep one; the first is in line 2
        file.yaml:5:1: error[PF101]: the key `a` stands here twice
          advice: keep one; the first is in line 1"#]],
    );
    check(
        "{\"a\": 1, \"a\": 2}",
        &expect![[r#"
        file.yaml:1:10: error[PF101]: the key `a` stands here twice
          advice: keep one; the first is in line 1"#]],
    );
}

#[test]
fn a_second_document_is_refused() {
    check(
        "a: 1\n---\nb: 2",
        &expect![[r#"
        file.yaml:2:1: error[PF101]: a second document begins here
          advice: keep one document per file, without `---` lines between"#]],
    );
    check("---\na: 1\n...\n", &expect![[r#"{"a":1}"#]]);
}

#[test]
fn syntax_errors_say_where_and_what_to_do() {
    check(
        "a: [1, 2",
        &expect![[r#"
        file.yaml:1:4: error[PF101]: `[` is opened and never closed
          advice: close the bracket; the file may be cut short"#]],
    );
    check(
        "{\"a\": 1",
        &expect![[r#"
        file.yaml:1:1: error[PF101]: `{` is opened and never closed
          advice: close the bracket; the file may be cut short"#]],
    );
    check(
        "a: \"x",
        &expect![[r#"
        file.yaml:1:4: error[PF101]: a quote is opened and never closed
          advice: close the quote"#]],
    );
    check(
        "a:\n\tb: 1",
        &expect![[r#"
        file.yaml:2:2: error[PF101]: a tab where only spaces may stand
          advice: indent with spaces"#]],
    );
    check(
        "a: b: c",
        &expect![[r#"
            file.yaml:1:5: error[PF101]: `:` is not expected here
              advice: check the indentation, and put text that contains `: ` in quotes"#]],
    );
    check(
        "a: 1\n  b: 2",
        &expect![[r#"
            file.yaml:2:4: error[PF101]: `:` is not expected here
              advice: check the indentation, and put text that contains `: ` in quotes"#]],
    );
    check(
        "a: [1 2}",
        &expect![[r#"
            file.yaml:1:4: error[PF101]: `[` is closed by `}`
              advice: match the brackets"#]],
    );
    check(
        "a: @x",
        &expect![[r#"
            file.yaml:1:4: error[PF101]: `@` cannot begin a value
              advice: put the value in quotes"#]],
    );
    check(
        "a\nb: 1",
        &expect![[r#"
            file.yaml:2:2: error[PF101]: `:` is not expected here
              advice: check the indentation, and put text that contains `: ` in quotes"#]],
    );
}

#[test]
fn keys_that_are_not_text_are_refused() {
    check(
        "? [a, b]\n: 1\nc: 2",
        &expect!["file.yaml:1:3: error[PF101]: a key is text, this one is a list"],
    );
    check(": 1", &expect!["file.yaml:1:1: error[PF101]: a key is missing before `:`"]);
    check("{1: a, true: b, \"\": c}", &expect![[r#"{"":"c","1":"a","true":"b"}"#]]);
}

#[test]
fn json_escapes_tabs_and_slashes_mean_what_json_says() {
    for text in [
        r#"{"a":"\ud834\udd1e \u00e9 \/ \b\f\n\r\t \" \\"}"#,
        "{\n\t\"a\"\t:\t[\t1,\n\t\t2\t]\n}",
        "{\r\n  \"a\": {},\r\n  \"b\": []\r\n}\r\n",
        "{\"a\"\n:\n1}",
        r#"{"a":-1,"b":1E+2,"c":0.1,"d":null,"e":true,"f":""}"#,
        "[{\"a\":1},{\"b\":[[],{}]}]",
        "{\"a\": \"# no comment\", \"b\": \"x: y\", \"c\": \"- z\", \"d\": \"a\u{85}b\u{2028}\"}",
        "\t{\"a\": 1}",
    ] {
        let expected: serde_json::Value = serde_json::from_str(text).unwrap();
        assert_eq!(json(text), expected, "{text}");
    }
    assert!(tree(br#"{"a": "\ud834"}"#).is_err());
}

#[test]
fn a_json_key_may_be_long_and_a_json_text_longer() {
    let text = format!("{{\"{}\": \"{}\"}}", "k".repeat(5_000), "v".repeat(1_000_000));
    assert_eq!(json(&text), serde_json::from_str::<serde_json::Value>(&text).unwrap());
}

#[test]
fn the_number_of_nodes_is_bounded() {
    let build = |text: &str| {
        let mut problems = Problems::new("file.yaml", Code::JobFile);
        let root = builder::build(text, 10, &mut problems);
        problems.unless_empty(root).map_err(|problems| problems.to_string())
    };
    assert!(build("[1, 2, 3, 4, 5, 6, 7, 8, 9]").is_ok());
    let told = build("[1, 2, 3, 4, 5, 6, 7, 8, 9, 10]").unwrap_err();
    assert!(told.starts_with("file.yaml:1:29: error[PF101]: more than 10 values"), "{told}");
}

#[test]
fn problems_past_the_bound_are_counted() {
    let many: String = (0..60).fold(String::new(), |text, index| format!("{text}k{index}: *x\n"));
    let problems = tree(many.as_bytes()).unwrap_err();
    assert_eq!((problems.told().len(), problems.total()), (PROBLEMS_MAX, 60));
    assert!(problems.to_string().ends_with("file.yaml: and 10 more problems"));
}

/// Text without the control characters that are refused.
fn printable(length_max: usize) -> impl Strategy<Value = String> {
    let character = any::<char>().prop_filter("printable", |character| {
        !character.is_control() && !matches!(character, '\u{feff}' | '\u{fffe}' | '\u{ffff}')
    });
    prop::collection::vec(character, 0..length_max)
        .prop_map(|characters| characters.into_iter().collect())
}

fn any_json() -> impl Strategy<Value = serde_json::Value> {
    let leaf = prop_oneof![
        Just(serde_json::Value::Null),
        any::<bool>().prop_map(serde_json::Value::from),
        any::<i64>().prop_map(serde_json::Value::from),
        (-1e9..1e9).prop_map(serde_json::Value::from),
        printable(20).prop_map(serde_json::Value::from),
        "[ -~\\n\\t\"\\\\]{0,20}".prop_map(serde_json::Value::from),
    ];
    leaf.prop_recursive(6, 64, 8, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..8).prop_map(serde_json::Value::from),
            prop::collection::btree_map(printable(8), inner, 0..8)
                .prop_map(|map| serde_json::Value::Object(map.into_iter().collect())),
        ]
    })
}

proptest! {
    #[test]
    fn whatever_serde_json_writes_is_read_back_the_same(value in any_json()) {
        let compact = value.to_string();
        let pretty = serde_json::to_string_pretty(&value).unwrap();
        let tabbed = pretty.replace("\n  ", "\n\t");
        for text in [compact, pretty, tabbed] {
            let read = tree(text.as_bytes()).map_err(|problems| TestCaseError::fail(format!("{problems}\n{text}")))?;
            prop_assert_eq!(read.to_json().unwrap(), value.clone(), "{}", text);
        }
    }

    #[test]
    fn no_bytes_make_the_reader_panic(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        let _ = tree(&bytes);
    }

    #[test]
    fn no_yaml_like_text_makes_the_reader_panic(text in "([-?:,\\[\\]{}#&*!|>'\"%@` \\n\\ta01]|<<|---|\\.\\.\\.){0,60}") {
        let _ = tree(text.as_bytes());
    }
}
