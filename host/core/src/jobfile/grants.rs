//! The written form of a grant: `clock`, `random`, `env: LANG`, `http: api.example.org`.
//!
//! Owns: parsing and printing [`Grant`]s.
//! Never: decides who may have what.

use std::fmt;
use std::str::FromStr;

use super::bounds::{
    DIRECTORY_NAME_BYTES_MAX, ENVIRONMENT_NAME_BYTES_MAX, MODEL_NAME_BYTES_MAX,
    STORE_NAME_BYTES_MAX,
};
use crate::buckets::BucketError;
use crate::document::{Checker, Node, Value, closest, shown};
use crate::hosts::HostError;
use crate::job::Grant;

const KINDS: &[&str] =
    &["env", "clock", "random", "speech", "dir", "http", "s3", "keyvalue", "write"];

/// Why a text is not a grant, and what to write instead.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GrantError {
    /// What is wrong.
    pub message: String,
    /// What to do; may be empty.
    pub advice: String,
}

impl GrantError {
    fn new(message: String, advice: &str) -> Self {
        Self { message, advice: advice.to_owned() }
    }
}

impl fmt::Display for GrantError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &*self.advice {
            "" => f.write_str(&self.message),
            advice => write!(f, "{}; {advice}", self.message),
        }
    }
}

impl std::error::Error for GrantError {}

impl fmt::Display for Grant {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Env(name) => write!(f, "env: {name}"),
            Self::Clock => f.write_str("clock"),
            Self::Random => f.write_str("random"),
            Self::Speech => f.write_str("speech"),
            Self::Model(name) => write!(f, "speech: {name}"),
            Self::Directory(name) => write!(f, "dir: {name}"),
            Self::Http(hosts) => write!(f, "http: {hosts}"),
            Self::S3(objects) => write!(f, "s3: {objects}"),
            Self::KeyValue(name) => write!(f, "keyvalue: {name}"),
            Self::Write(name) => write!(f, "write: {name}"),
        }
    }
}

impl FromStr for Grant {
    type Err = GrantError;

    fn from_str(text: &str) -> Result<Self, GrantError> {
        let (kind, of) = match text.split_once(':') {
            Some((kind, of)) => (kind.trim(), of.trim()),
            None => (text.trim(), ""),
        };
        match (kind, of) {
            ("env", name) => environment(name),
            ("clock", "") => Ok(Self::Clock),
            ("random", "") => Ok(Self::Random),
            ("speech", "") => Ok(Self::Speech),
            ("speech", name) => model(name),
            ("dir", name) => directory(kind, name).map(Self::Directory),
            ("http", hosts) => http(hosts),
            ("s3", objects) => s3(objects),
            ("keyvalue", name) => store(name),
            ("write", name) => directory(kind, name).map(Self::Write),
            ("clock" | "random", _) => Err(GrantError::new(
                format!("grant `{kind}` takes no value"),
                "delete what follows it",
            )),
            _ => Err(unknown(kind)),
        }
    }
}

fn unknown(kind: &str) -> GrantError {
    let advice = match closest(kind, KINDS.iter().copied()) {
        Some(known) => format!("did you mean `{known}`?"),
        None => {
            "grants are `env: NAME`, `clock`, `random`, `speech`, `speech: MODEL`, `dir: NAME`, `http: HOST`, `s3: BUCKET`, `keyvalue: NAME` and `write: NAME`"
                .to_owned()
        }
    };
    GrantError { message: format!("unknown grant {}", shown(kind)), advice }
}

/// A variable that a guest may see. What steers the dynamic loader is never among them.
fn environment(name: &str) -> Result<Grant, GrantError> {
    let problem = match name {
        "" => "grant `env` needs the name of a variable",
        _ if name.len() > ENVIRONMENT_NAME_BYTES_MAX => "the name of the variable is too long",
        _ if name.contains(['=', '\0']) || name.contains(char::is_whitespace) => {
            "the name of a variable holds no `=`, space or zero byte"
        }
        _ if name.to_ascii_uppercase().starts_with("LD_") => {
            "variables of the dynamic loader (`LD_…`) cannot be granted"
        }
        _ => return Ok(Grant::Env(name.to_owned())),
    };
    Err(GrantError::new(problem.to_owned(), "write for example `env: LANG`"))
}

/// True for what a model may be called: it is part of no path, and steers no terminal.
pub fn is_model_name(name: &str) -> bool {
    let is_plain = |it: char| it.is_ascii_alphanumeric() || matches!(it, '.' | '-' | '_');
    (1..=MODEL_NAME_BYTES_MAX).contains(&name.len()) && name.chars().all(is_plain)
}

/// True for what the operator may call a directory: guests find it as `/in/NAME` or `/out/NAME`.
pub(crate) fn is_directory_name(name: &str) -> bool {
    name.len() <= DIRECTORY_NAME_BYTES_MAX && is_plain_name(name)
}

fn is_plain_name(name: &str) -> bool {
    let is_plain = |it: char| it.is_ascii_alphanumeric() || matches!(it, '.' | '-' | '_');
    name.starts_with(|it: char| it.is_ascii_alphanumeric()) && name.chars().all(is_plain)
}

/// What a name of a directory consists of.
pub(crate) const DIRECTORY_NAME: &str = "the name of a directory has letters, digits, `.`, `-` and `_`, and begins with one of the first two";

/// A directory by the name that the operator gave it, never by its path.
fn directory(kind: &str, name: &str) -> Result<String, GrantError> {
    match is_directory_name(name) {
        true => Ok(name.to_owned()),
        false => Err(GrantError {
            message: DIRECTORY_NAME.to_owned(),
            advice: format!(
                "write for example `{kind}: corpus`; the configuration says under `directories` where that lies"
            ),
        }),
    }
}

/// A key-value store by its name, which handlers open it by.
fn store(name: &str) -> Result<Grant, GrantError> {
    match name.len() <= STORE_NAME_BYTES_MAX && is_plain_name(name) {
        true => Ok(Grant::KeyValue(name.to_owned())),
        false => Err(GrantError::new(
            "the name of a key-value store has letters, digits, `.`, `-` and `_`, and begins with one of the first two".to_owned(),
            "write for example `keyvalue: cache`",
        )),
    }
}

/// A model by its name.
fn model(name: &str) -> Result<Grant, GrantError> {
    if is_model_name(name) {
        return Ok(Grant::Model(name.to_owned()));
    }
    let message = "the name of a model has letters, digits, `.`, `-` and `_`".to_owned();
    Err(GrantError::new(message, "write for example `speech: base`, or `speech` for all models"))
}

/// Hosts that requests may go to.
fn http(hosts: &str) -> Result<Grant, GrantError> {
    let refuse = |error: &dyn fmt::Display| {
        let advice = "write for example `http: api.example.org` or `http: *.example.org:8443`";
        GrantError::new(format!("grant `http`: {error}"), advice)
    };
    hosts.parse().map(Grant::Http).map_err(|error: HostError| refuse(&error))
}

/// Objects that inputs may come from and results go to.
fn s3(objects: &str) -> Result<Grant, GrantError> {
    objects.parse().map(Grant::S3).map_err(|error: BucketError| {
        let advice = "write for example `s3: bucket` or `s3: bucket/folder`";
        GrantError::new(format!("grant `s3`: {error}"), advice)
    })
}

/// Reads a list of grants; `env: LANG` may also be written without quotes, as a mapping of one entry.
pub(crate) fn grants(checker: &mut Checker<'_>, node: &Node) -> Vec<Grant> {
    let items = checker.items(node, "a list of grants").unwrap_or_default();
    let read = |(index, item)| checker.at_index(index, |checker| grant(checker, item));
    items.iter().enumerate().filter_map(read).collect()
}

fn grant(checker: &mut Checker<'_>, node: &Node) -> Option<Grant> {
    let text = match &node.value {
        Value::Map(entries) => match entries.as_slice() {
            [only] => only.value.as_written().map(|of| format!("{}: {of}", only.key)),
            _ => None,
        },
        _ => node.as_written().map(str::to_owned),
    };
    let Some(text) = text else {
        return checker.wrong_kind(node, "a grant such as `env: LANG`");
    };
    match text.parse() {
        Ok(grant) => Some(grant),
        Err(GrantError { message, advice }) => {
            checker.problem(node.place, message, advice);
            None
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_grant_survives_printing() {
        for text in [
            "clock",
            "random",
            "env: LANG",
            "speech",
            "speech: base.en",
            "dir: corpus",
            "http: *.a.org:81",
            "s3: data/a",
            "keyvalue: cache",
            "write: results",
        ] {
            assert_eq!(text.parse::<Grant>().map(|grant| grant.to_string()), Ok(text.to_owned()));
        }
    }

    #[test]
    fn j18_names_that_are_no_variables_or_steer_the_loader_are_refused() {
        let long = format!("env: {}", "A".repeat(10_000_000));
        for text in [
            "env: A=B",
            "env: A\0B",
            "env: LD_PRELOAD",
            "env: ld_preload",
            "env:",
            "env: A B",
            &long,
        ] {
            assert!(text.parse::<Grant>().is_err(), "{}", &text[..text.len().min(40)]);
        }
    }

    #[test]
    fn f01_a_directory_is_granted_by_name_and_a_name_is_no_path() {
        for text in ["keyvalue", "keyvalue: a/b", "keyvalue: ..", "keyvalue: \u{e4}"] {
            assert!(text.parse::<Grant>().is_err(), "{text}");
        }
        for text in [
            "dir:",
            "dir: /etc",
            "dir: ..",
            "dir: .",
            "dir: a/b",
            "dir: -x",
            "dir: a\0b",
            "write: a/b",
        ] {
            assert!(text.parse::<Grant>().is_err(), "{text}");
        }
    }

    #[test]
    fn what_is_unknown_is_told_with_what_is_near() {
        let error = |text: &str| text.parse::<Grant>().unwrap_err().to_string();
        assert_eq!(error("keyvalu: a"), "unknown grant `keyvalu`; did you mean `keyvalue`?");
        assert!(error("http: https://a.org").starts_with("grant `http`: a host stands alone"));
        assert_eq!(error("clok"), "unknown grant `clok`; did you mean `clock`?");
        assert_eq!(
            error("root"),
            "unknown grant `root`; grants are `env: NAME`, `clock`, `random`, `speech`, `speech: MODEL`, `dir: NAME`, `http: HOST`, `s3: BUCKET`, `keyvalue: NAME` and `write: NAME`"
        );
    }
}
