//! `input_data`: exactly one of files, text, JSON, bytes and the results of other jobs.
//!
//! Owns: which keys name an input, which digests pin its files, and decoding base64.
//! Never: looks whether a file is there.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use super::dependencies::names;
use super::keys;
use crate::document::{Checker, Entry, Fields, Node, Value, shown};
use crate::hosts::url_shown;
use crate::ids::Digest;
use crate::job::{FileRequest, InputRequest};

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
    let pin = checker.optional(fields, "sha256", digest);
    let input = inputs.into_iter().next().flatten();
    match fields.get("sha256") {
        Some(node) => checker.at("sha256", |checker| pinned(checker, node, input, pin)),
        None => input,
    }
}

fn digest(checker: &mut Checker<'_>, node: &Node) -> Option<Digest> {
    checker.parsed(node, str::parse)
}

/// The input with the digest that stands beside it: it is that of the one file there is.
fn pinned(
    checker: &mut Checker<'_>,
    node: &Node,
    input: Option<InputRequest>,
    pin: Option<Digest>,
) -> Option<InputRequest> {
    let (message, advice) = match input {
        Some(InputRequest::Files(mut files)) => match files.as_mut_slice() {
            [FileRequest { sha256: free @ None, .. }] => {
                *free = pin;
                return Some(InputRequest::Files(files));
            }
            [_] => ("the file has a digest already", "delete one of the two"),
            _ => (
                "`sha256` beside `files` pins exactly one file",
                "write `files: [ { path: …, sha256: … } ]`",
            ),
        },
        Some(_) => ("`sha256` pins a file, and there is none", "delete it"),
        None => return None,
    };
    checker.problem(node.place, message, advice);
    None
}

const ONE_OF: &str = "write exactly one of `files`, `text`, `json`, `bytes` and `job`";

/// Entries that name an input, and those that do not.
fn sorted_out(fields: Fields<'_>) -> (Vec<&Entry>, Vec<&Entry>) {
    let is_stated = |entry: &&Entry| {
        (entry.value.value != Value::Null || entry.key == "json") && entry.key != "sha256"
    };
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

fn files(checker: &mut Checker<'_>, node: &Node) -> Option<Vec<FileRequest>> {
    let Value::List(items) = &node.value else {
        return file(checker, node).map(|file| vec![file]);
    };
    if items.is_empty() {
        checker.problem(
            node.place,
            "the list of files is empty",
            "name at least one file or pattern",
        );
        return None;
    }
    let read = |(index, item)| checker.at_index(index, |checker| file(checker, item));
    let files: Vec<_> = items.iter().enumerate().map(read).collect();
    files.into_iter().collect()
}

/// A path, a pattern or a URL; or a path with the digest that the file must have.
fn file(checker: &mut Checker<'_>, node: &Node) -> Option<FileRequest> {
    if !matches!(node.value, Value::Map(_)) {
        return place(checker, node).map(FileRequest::from);
    }
    let fields = checker.fields(node, &keys::PINNED)?;
    let path = checker.required(fields, "path", "name the file", path);
    let sha256 = checker.optional(fields, "sha256", digest);
    Some(FileRequest { path: path?, sha256 })
}

/// A path, or the URL of what can be fetched.
fn place(checker: &mut Checker<'_>, node: &Node) -> Option<String> {
    let place = checker.text(node)?;
    let is_web = ["http", "https", "s3"].iter().any(|scheme| {
        place.split_once("://").is_some_and(|(it, _)| it.eq_ignore_ascii_case(scheme))
    });
    if is_web { Some(place) } else { without_scheme(checker, node, place) }
}

/// Where a result goes: a path, or an object of S3.
pub(super) fn target(checker: &mut Checker<'_>, node: &Node) -> Option<String> {
    let target = checker.text(node)?;
    if target.starts_with("s3://") {
        return Some(target);
    }
    without_scheme(checker, node, target)
}

/// A path; a URL is refused: no component is fetched, and no result is sent anywhere.
pub(crate) fn path(checker: &mut Checker<'_>, node: &Node) -> Option<String> {
    let path = checker.text(node)?;
    without_scheme(checker, node, path)
}

fn without_scheme(checker: &mut Checker<'_>, node: &Node, path: String) -> Option<String> {
    if path.contains("://") {
        let message = format!("{} is a URL, not a path", shown(&url_shown(&path)));
        let advice = "inputs are fetched by `http://`, `https://` and `s3://`, results go to files and to `s3://`; name a file here";
        checker.problem(node.place, message, advice);
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
