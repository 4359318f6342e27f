//! Which objects of S3 a grant names: `data`, `data/incoming`.
//!
//! Owns: the written form of a bucket with a prefix, and of an object's URL.
//! Never: knows where buckets are.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// The longest key of an object (S3's own limit).
const KEY_BYTES_MAX: usize = 1024;

/// Objects of one bucket below a prefix.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct BucketPrefix {
    bucket: String,
    /// Without slashes at its ends; empty for the whole bucket.
    prefix: String,
}

/// Why a text names no objects.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BucketError(&'static str);

impl fmt::Display for BucketError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0)
    }
}

impl std::error::Error for BucketError {}

impl BucketPrefix {
    /// True where it names this object, or everything that begins so.
    pub fn has(&self, bucket: &str, key: &str) -> bool {
        let rest = key.strip_prefix(&*self.prefix);
        let is_below = rest
            .is_some_and(|rest| self.prefix.is_empty() || rest.is_empty() || rest.starts_with('/'));
        self.bucket == bucket && is_below
    }

    /// True where all that `other` names is named here too.
    pub fn covers(&self, other: &Self) -> bool {
        self.has(&other.bucket, &other.prefix)
    }
}

/// True for what a bucket may be called (S3's own rule).
fn is_bucket(name: &str) -> bool {
    let is_plain = |it: u8| it.is_ascii_lowercase() || it.is_ascii_digit() || b"-.".contains(&it);
    (3..=63).contains(&name.len())
        && name.bytes().all(is_plain)
        && !name.starts_with(['-', '.'])
        && !name.contains("..")
}

/// Bucket and key of `s3://bucket/key`; the key may be a pattern.
pub fn object(url: &str) -> Result<(&str, &str), BucketError> {
    let rest = url.strip_prefix("s3://").ok_or(BucketError("it does not begin with `s3://`"))?;
    let (bucket, key) = rest.split_once('/').unwrap_or((rest, ""));
    if !is_bucket(bucket) {
        return Err(BucketError("a bucket has 3 to 63 small letters, digits, `-` and `.`"));
    }
    check_key(key)?;
    if key.is_empty() || key.ends_with('/') {
        return Err(BucketError(
            "it names no object; a pattern such as `s3://bucket/folder/*` names many",
        ));
    }
    Ok((bucket, key))
}

/// A key that could be mistaken for another is refused.
fn check_key(key: &str) -> Result<(), BucketError> {
    if key.len() > KEY_BYTES_MAX {
        return Err(BucketError("the key is longer than 1024 bytes"));
    }
    let is_bad = |part: &str| part.is_empty() || part == "." || part == "..";
    let body = key.strip_suffix('/').unwrap_or(key);
    if !body.is_empty() && body.split('/').any(is_bad) || key.contains(char::is_control) {
        return Err(BucketError("a key has no empty part, no `.` and no `..`"));
    }
    Ok(())
}

impl fmt::Display for BucketPrefix {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &*self.prefix {
            "" => f.write_str(&self.bucket),
            prefix => write!(f, "{}/{prefix}", self.bucket),
        }
    }
}

impl From<BucketPrefix> for String {
    fn from(prefix: BucketPrefix) -> Self {
        prefix.to_string()
    }
}

impl TryFrom<String> for BucketPrefix {
    type Error = BucketError;

    fn try_from(text: String) -> Result<Self, BucketError> {
        text.parse()
    }
}

impl FromStr for BucketPrefix {
    type Err = BucketError;

    fn from_str(text: &str) -> Result<Self, BucketError> {
        let (bucket, prefix) = text.split_once('/').unwrap_or((text, ""));
        if !is_bucket(bucket) {
            return Err(BucketError("a bucket has 3 to 63 small letters, digits, `-` and `.`"));
        }
        check_key(prefix)?;
        let prefix = prefix.strip_suffix('/').unwrap_or(prefix);
        Ok(Self { bucket: bucket.to_owned(), prefix: prefix.to_owned() })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn prefix(text: &str) -> BucketPrefix {
        text.parse().unwrap_or_else(|error| panic!("{text}: {error}"))
    }

    #[test]
    fn a_prefix_ends_where_a_part_of_a_key_ends() {
        for text in ["data", "data/incoming", "data/a/b"] {
            assert_eq!(prefix(text).to_string(), text);
        }
        let incoming = prefix("data/incoming/");
        assert!(incoming.has("data", "incoming/a.txt") && incoming.has("data", "incoming"));
        assert!(!incoming.has("data", "incoming-too/a") && !incoming.has("date", "incoming/a"));
        assert!(prefix("data").covers(&incoming) && !incoming.covers(&prefix("data")));
    }

    #[test]
    fn what_names_no_object_is_refused() {
        assert_eq!(object("s3://data/a/b.txt"), Ok(("data", "a/b.txt")));
        for url in [
            "s3://data",
            "s3://data/",
            "s3://data/a/",
            "s3://Data/a",
            "s3:///a",
            "s3://da/a",
            "s3://data//a",
            "s3://data/a/../b",
            "s3://data/./a",
            "s3://data/a\nb",
            "http://data/a",
            "s3://user@data/a",
        ] {
            assert!(object(url).is_err(), "{url}");
        }
        for text in ["", "a", "data/../x", "data//x", "-data"] {
            assert!(text.parse::<BucketPrefix>().is_err(), "{text}");
        }
    }
}
