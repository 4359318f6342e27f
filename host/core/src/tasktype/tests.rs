use expect_test::{Expect, expect};
use semver::Version;
use serde_json::{Value as Json, json};

use super::*;
use crate::ids::TaskName;
use crate::job::Grant;
use crate::units::ByteSize;

fn description(text: &str) -> TaskType {
    parse(text.as_bytes(), "task.yaml").unwrap_or_else(|problems| panic!("{problems}"))
}

#[track_caller]
fn check(text: &str, expected: &Expect) {
    let problems = parse(text.as_bytes(), "task.yaml").expect_err("the text is wrong");
    expected.assert_eq(&problems.to_string());
}

#[test]
fn a_description_says_everything_that_a_job_may_leave_out() {
    let described = description(
        "version: 1\ntask_version: 1.2.0\ndescription: Counts words.\ncomponent: other.wasm\ntimeout: 5min\n\
         limits: { memory: 64MiB }\nchunking: { strategy: size, size: 1MiB, batch: { files: 7 } }\ngrants: [ clock ]\n",
    );
    assert_eq!(described.version, Some(Version::new(1, 2, 0)));
    assert_eq!(described.component.as_deref(), Some("other.wasm"));
    assert_eq!(described.limits.memory, Some(ByteSize::mib(64)));
    assert_eq!(described.limits.timeout, Some(std::time::Duration::from_mins(5)));
    assert_eq!((described.batch, described.grants), (Some(7), vec![Grant::Clock]));
}

#[test]
fn every_problem_is_told_at_once_with_its_place() {
    check(
        "version: 1.2.0\ntask_version: 1.2\ncomponnent: x\nsha256: 12\nlimits: { memroy: 1MiB }\nparameters:\n  type: objekt\n  properties: { a: { minimum: x, $ref: y }, b: { pattern: '(?=a)' } }\n  anyOf: []\n",
        &expect![[r#"
            task.yaml:1:10: error[PF220]: expected the number 1, found `1.2.0`
              in: version
              advice: `version` is that of the format; the task type's own is `task_version`
            task.yaml:2:15: error[PF220]: `1.2` is no version
              in: task_version
              advice: write three numbers, such as `1.2.0`
            task.yaml:3:1: error[PF220]: unknown key `componnent`
              advice: did you mean `component`?
            task.yaml:4:9: error[PF220]: `12`: a sha256 has 64 hex digits
              in: sha256
            task.yaml:5:11: error[PF220]: unknown key `memroy`
              in: limits
              advice: did you mean `memory`?
            task.yaml:7:9: error[PF220]: `objekt` is not known here
              in: parameters.type
              advice: did you mean `object`?
            task.yaml:8:31: error[PF220]: expected a number, found text `x`
              in: parameters.properties.a.minimum
            task.yaml:8:34: error[PF220]: unknown key `$ref`
              in: parameters.properties.a
              advice: a schema stands here as a whole; write out what it refers to
            task.yaml:8:59: error[PF220]: `(?=a)` is no pattern
              in: parameters.properties.b.pattern
              advice: look-around, including look-ahead and look-behind, is not supported
            task.yaml:9:10: error[PF220]: 0 alternatives
              in: parameters.anyOf
              advice: write 1 to 16"#]],
    );
}

#[test]
fn a_later_format_and_a_description_without_end_are_refused_as_a_whole() {
    check(
        "version: 2\nwhatever: 1\n",
        &expect![[r#"
            task.yaml:1:10: error[PF220]: version 2 is newer than this host reads
              in: version
              advice: use a newer pframe-host, or write `version: 1`"#]],
    );
    let long = format!("version: 1\n#{}", " ".repeat(DESCRIPTION_BYTES_MAX));
    check(&long, &expect!["task.yaml:1:1: error[PF220]: the description is larger than 64 KiB"]);
}

const SCHEMA: &str = "version: 1
parameters:
  type: object
  required: [ language, top ]
  additionalProperties: false
  properties:
    language: { enum: [ de, en ] }
    top: { type: integer, minimum: 1, maximum: 100 }
    ratio: { type: number, exclusiveMinimum: 0, exclusiveMaximum: 1 }
    tag: { type: string, minLength: 1, maxLength: 3, pattern: '^[a-z]+$' }
    parts: { type: array, maxItems: 2, items: { type: [ string, 'null' ] } }
    size: { anyOf: [ { type: integer, minimum: 1 }, { const: auto } ] }
    extra: { type: object, additionalProperties: { type: boolean } }
";

#[track_caller]
fn violations(parameters: &Json, expected: &[&str]) {
    let schema = description(SCHEMA).parameters.expect("there is a schema");
    let found: Vec<_> = schema.violations(parameters).iter().map(ToString::to_string).collect();
    assert_eq!(found, expected, "{parameters}");
}

#[test]
fn what_fits_has_no_violations() {
    violations(&json!({ "language": "de", "top": 1 }), &[]);
    violations(
        &json!({ "language": "en", "top": 100.0, "ratio": 0.5, "tag": "äb".replace('ä', "a"), "parts": ["x", null], "size": "auto", "extra": { "y": true } }),
        &[],
    );
}

#[test]
fn every_violation_has_its_path() {
    violations(&json!([]), &["parameters: expected a mapping, found a list"]);
    violations(
        &json!({ "languages": 1, "top": 0, "ratio": 1, "tag": "ABCD", "parts": [1, "x", {}], "size": 0, "extra": { "y": 1 } }),
        &[
            "parameters: `language` is missing",
            "parameters.extra.y: expected `true` or `false`, found `1`",
            "parameters.languages: no such parameter; did you mean `language`?",
            "parameters.parts: expected a list with a number of items up to 2, found 3",
            "parameters.parts[0]: expected text or nothing, found `1`",
            "parameters.parts[2]: expected text or nothing, found a mapping",
            "parameters.ratio: expected a number below 1, found 1",
            "parameters.size: fits none of 2 alternatives; the nearest says:",
            "parameters.size: expected a number from 1, found 0",
            "parameters.tag: expected text with a number of characters up to 3, found 4",
            "parameters.tag: `ABCD` does not match `^[a-z]+$`",
            "parameters.top: expected a number from 1, found 0",
        ],
    );
}

#[test]
fn violations_are_bounded() {
    let schema = description("version: 1\nparameters: { items: { type: string } }\n");
    let found = schema.parameters.unwrap().violations(&json!(vec![1; 10_000]));
    assert_eq!(found.len(), crate::document::PROBLEMS_MAX);
}

#[test]
fn what_is_not_told_is_not_looked_for() {
    let known: Vec<_> = (0..1000).map(|n| format!("    known_parameter_{n}: {{}}\n")).collect();
    let known = known.concat();
    let text =
        format!("version: 1\nparameters:\n  additionalProperties: false\n  properties:\n{known}");
    let schema = description(&text).parameters.unwrap();
    let unknown = (0..200_000).map(|n| (format!("unknown_parameter_{n}"), Json::Null)).collect();
    // This would take minutes, if each of them were compared with everything known.
    let found = schema.violations(&Json::Object(unknown));
    assert_eq!(found.len(), crate::document::PROBLEMS_MAX);
}

#[test]
fn a_violation_is_found_again_in_the_job_file() {
    let file = "version: 1\njobs:\n- id: a\n  parameters:\n    top: 0\n    parts:\n    - x\n    - 1\n- id: b\n";
    let places = Places::of(file.as_bytes());
    let place = |job, path: &[Step]| places.of_parameter(job, path).map(|it| it.to_string());
    let key = |name: &str| Step::Key(name.into());
    assert_eq!(place(0, &[key("top")]).as_deref(), Some("5:10"));
    assert_eq!(place(0, &[key("parts"), Step::Index(1)]).as_deref(), Some("8:7"));
    assert_eq!(place(0, &[key("missing")]).as_deref(), Some("5:5"));
    assert_eq!(place(1, &[key("top")]).as_deref(), Some("9:3"));
    assert_eq!(place(2, &[]), None);
}

fn reference(text: &str) -> Result<Reference, ReferenceError> {
    Reference::of(&TaskName::new(text).unwrap())
}

#[track_caller]
fn takes(text: &str, version: &str, expect: bool) {
    let Ok(Reference::Named { name, wanted }) = reference(text) else { panic!("{text}") };
    assert_eq!(name.as_str(), "word-count");
    assert_eq!(wanted.takes(Some(&Version::parse(version).unwrap())), expect, "{text} {version}");
}

#[test]
fn three_numbers_are_that_version_and_fewer_are_a_requirement() {
    takes("word-count", "0.0.1", true);
    takes("word_count@1.2.0", "1.2.0", true);
    takes("word_count@1.2.0", "1.2.1", false);
    takes("word-count@1", "1.9.9", true);
    takes("word-count@1", "2.0.0", false);
    takes("word-count@1.2", "1.1.0", false);
    takes("word-count@^1.2", "1.3.0", true);
    takes("word-count@~1.2", "1.3.0", false);
    takes("word-count@1", "1.3.0-rc.1", false);
}

#[test]
fn what_is_no_version_says_what_to_write() {
    assert!(reference("word-count@latest").unwrap_err().to_string().contains("`latest`"));
    assert!(reference("sha256:12").is_err());
    let digest = format!("sha256:{}", "ab".repeat(32));
    assert_eq!(reference(&digest), Ok(Reference::Digest(digest.parse().unwrap())));
}
