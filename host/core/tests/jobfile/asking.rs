//! What the tests of job files share: files of one job, and their problems as text.

#![allow(dead_code, reason = "each test file uses its part")]

use std::fmt::Write as _;

use expect_test::Expect;
use pframe_core::document::Problems;
use pframe_core::job::{JobFile, JobRequest};
use pframe_core::jobfile;

/// The example of the design, with the two places filled in that it leaves to the reader.
pub(crate) const EXAMPLE: &str = include_str!("example.yaml");
/// One of everything that can be wrong.
pub(crate) const MISTAKES: &str = include_str!("mistakes.yaml");

pub(crate) fn parse(text: impl AsRef<[u8]>) -> Result<JobFile, Problems> {
    jobfile::parse(text.as_ref(), "jobs.yaml")
}

/// The only job of a file with these lines added to what every job needs.
pub(crate) fn job(lines: &str) -> JobRequest {
    let file = parse(with(lines)).unwrap_or_else(|problems| panic!("{problems}"));
    file.jobs.into_iter().next().expect("the file has one job")
}

pub(crate) fn with(lines: &str) -> String {
    let mut text = "version: 1\njobs:\n  - id: a\n    task_type: t\n".to_owned();
    if !lines.contains("input_data") {
        text.push_str("    input_data: { text: x }\n");
    }
    for line in lines.lines() {
        writeln!(text, "    {line}").expect("a String takes all");
    }
    text
}

#[track_caller]
pub(crate) fn check_file(text: impl AsRef<[u8]>, expected: &Expect) {
    expected.assert_eq(&parse(text).expect_err("the file is wrong").to_string());
}

/// The problems of a job with these lines.
#[track_caller]
pub(crate) fn check(lines: &str, expected: &Expect) {
    check_file(with(lines), expected);
}
