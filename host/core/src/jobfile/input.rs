//! `input_data`: exactly one of files, text, JSON, bytes and the results of other jobs.
//!
//! Owns: which keys name an input, and decoding base64.
//! Never: looks whether a file is there.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use super::dependencies::names;
use super::keys;
use crate::document::{Checker, Entry, Fields, Node, Value, shown};
use crate::job::InputRequest;

/// Reads `input_data`.
pub(super) fn input(checker: &mut Checker<'_>, node: &Node) -> Option<InputRequest> {
    if let Value::Text(_) = node.value {
        checker.problem(
            node.place,
            "`input_data` is a mapping",
            "write `input_data: { files: [\"…\"] }`, or `text`, `json` or `bytes`",
        );
        return None;
    }
    let fields = checker.mapping(node, keys::INPUT.what)?;
    let (stated, unknown) = sorted_out(fields);
    for entry in &unknown {
        checker.unknown_key(entry, &keys::INPUT);
    }
    // Every stated input is read, so that a second one does not hide what is wrong in the first.
    let inputs: Vec<_> = stated
        .iter()
        .map(|entry| checker.at_name(&entry.key, |checker| one_input(checker, entry)))
        .collect();
    match (stated.as_slice(), unknown.as_slice()) {
        ([], []) => checker.problem(node.place, "there is no input", ONE_OF),
        ([_] | [], _) => {}
        ([first, second, ..], _) => {
            let message = format!("{} stands beside {}", shown(&second.key), shown(&first.key));
            checker.problem(second.place, message, ONE_OF);
        }
    }
    inputs.into_iter().next().flatten()
}

const ONE_OF: &str = "write exactly one of `files`, `text`, `json`, `bytes` and `job`";

/// Entries that name an input, and those that do not.
fn sorted_out(fields: Fields<'_>) -> (Vec<&Entry>, Vec<&Entry>) {
    let is_stated = |entry: &&Entry| entry.value.value != Value::Null || entry.key == "json";
    fields
        .entries()
        .iter()
        .filter(is_stated)
        .partition(|entry| keys::INPUT.keys.contains(&entry.key.as_str()) || is_own_key(&entry.key))
}

/// A task type's own name for its files, such as `audio_file`.
fn is_own_key(key: &str) -> bool {
    key.ends_with("_file") || key.ends_with("_files")
}

fn one_input(checker: &mut Checker<'_>, entry: &Entry) -> Option<InputRequest> {
    let node = &entry.value;
    match entry.key.as_str() {
        "text" => match node.as_written() {
            Some(text) => Some(InputRequest::Text(text.to_owned())),
            None => checker.wrong_kind(node, "text"),
        },
        "json" => json(checker, node).map(InputRequest::Json),
        "bytes" => bytes(checker, node).map(InputRequest::Bytes),
        "job" | "jobs" => names(checker, node).map(InputRequest::Jobs),
        _ => files(checker, node).map(InputRequest::Files),
    }
}

fn files(checker: &mut Checker<'_>, node: &Node) -> Option<Vec<String>> {
    let Value::List(items) = &node.value else {
        return path(checker, node).map(|path| vec![path]);
    };
    if items.is_empty() {
        checker.problem(
            node.place,
            "the list of files is empty",
            "name at least one file or pattern",
        );
        return None;
    }
    let read = |(index, item)| checker.at_index(index, |checker| path(checker, item));
    let paths: Vec<_> = items.iter().enumerate().map(read).collect();
    paths.into_iter().collect()
}

/// A path; a URL is refused, since nothing is fetched for a job.
pub(crate) fn path(checker: &mut Checker<'_>, node: &Node) -> Option<String> {
    let path = checker.text(node)?;
    if path.contains("://") {
        let message = format!("{} is a URL, not a path", shown(&path));
        checker.problem(node.place, message, "fetch it first and name the file");
        return None;
    }
    Some(path)
}

/// Any value that has a JSON form.
pub(super) fn json(checker: &mut Checker<'_>, node: &Node) -> Option<serde_json::Value> {
    match node.to_json() {
        Ok(value) => Some(value),
        Err(at) => {
            let message =
                format!("{} has no JSON form", shown(at.as_written().unwrap_or_default()));
            checker.problem(at.place, message, "put it in quotes");
            None
        }
    }
}

fn bytes(checker: &mut Checker<'_>, node: &Node) -> Option<Vec<u8>> {
    let Some(text) = node.as_written() else {
        return checker.wrong_kind(node, "base64 text");
    };
    let compact: String =
        text.chars().filter(|character| !character.is_ascii_whitespace()).collect();
    let decoded = STANDARD.decode(compact).ok();
    if decoded.is_none() {
        let message = format!("{} is not base64", shown(text));
        checker.problem(node.place, message, "encode the bytes with the standard alphabet");
    }
    decoded
}
