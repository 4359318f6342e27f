//! Names of things: each id is a type with one printed form, and parsing that form gives the id back.
//!
//! Owns: the alphabet and the length of every id.
//! Never: decides what an id refers to.

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// The longest id or name, in bytes.
pub const NAME_BYTES_MAX: usize = 128;

/// Why a text is not an id.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct IdError {
    /// The text as written, shortened.
    pub text: String,
    /// What is wrong with it.
    pub problem: &'static str,
}

impl IdError {
    fn new(text: &str, problem: &'static str) -> Self {
        Self { text: text.chars().take(80).flat_map(char::escape_debug).collect(), problem }
    }
}

impl fmt::Display for IdError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "`{}`: {}", self.text, self.problem)
    }
}

impl std::error::Error for IdError {}

fn check_name(text: &str) -> Result<(), IdError> {
    match text {
        "" => Err(IdError::new(text, "a name cannot be empty")),
        _ if text.len() > NAME_BYTES_MAX => {
            Err(IdError::new(text, "a name has at most 128 characters"))
        }
        _ if !text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"._-:@".contains(&byte)) => {
            Err(IdError::new(text, "a name has only letters, digits and `.` `_` `-` `:` `@`"))
        }
        _ if !text.starts_with(|first: char| first.is_ascii_alphanumeric()) => {
            Err(IdError::new(text, "a name starts with a letter or a digit"))
        }
        _ => Ok(()),
    }
}

/// Behind `@` the name of a task type may say `^` or `~`, as requirements on versions do.
fn check_task_name(text: &str) -> Result<(), IdError> {
    let bare = text
        .split_once('@')
        .and_then(|(name, version)| Some(format!("{name}@{}", version.strip_prefix(['^', '~'])?)));
    match bare {
        Some(bare) => check_name(&bare).map_err(|error| IdError::new(text, error.problem)),
        None => check_name(text),
    }
}

macro_rules! name_type {
    ($(#[$docs:meta])* $name:ident, $check:ident, $canonical:expr) => {
        $(#[$docs])*
        #[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(Arc<str>);

        impl $name {
            /// Checks `text` against the alphabet of names.
            pub fn new(text: &str) -> Result<Self, IdError> {
                $check(text)?;
                let canonical: fn(&str) -> String = $canonical;
                Ok(Self(canonical(text).into()))
            }

            /// The printed form.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }

        impl FromStr for $name {
            type Err = IdError;
            fn from_str(text: &str) -> Result<Self, IdError> {
                Self::new(text)
            }
        }

        impl Serialize for $name {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.serialize_str(&self.0)
            }
        }

        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                let text = String::deserialize(deserializer)?;
                Self::new(&text).map_err(serde::de::Error::custom)
            }
        }
    };
}

name_type!(
    /// A job, unique within its run.
    JobId,
    check_name,
    str::to_owned
);
name_type!(
    /// A task type. `-` and `_` are equal, `audio_transcription` is `audio-transcription`. It may name a version
    /// (`word-count@1.2.0`), a requirement on it (`word-count@^1.2`) or a digest (`sha256:…`).
    TaskName,
    check_task_name,
    |text| text.replace('_', "-")
);
name_type!(
    /// On whose account work runs.
    TenantName,
    check_name,
    str::to_owned
);

impl TenantName {
    /// The tenant of jobs that name none.
    pub fn default_tenant() -> Self {
        Self("default".into())
    }
}

/// A SHA-256, printed as 64 lower-case hex digits.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Digest(pub [u8; 32]);

impl fmt::Display for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl fmt::Debug for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Digest({self})")
    }
}

impl FromStr for Digest {
    type Err = IdError;

    /// Reads 64 hex digits of either case, with or without `sha256:` in front.
    fn from_str(text: &str) -> Result<Self, IdError> {
        let digits = text.strip_prefix("sha256:").unwrap_or(text);
        let error = || IdError::new(text, "a sha256 has 64 hex digits");
        if digits.len() != 64 || !digits.bytes().all(|byte| byte.is_ascii_hexdigit()) {
            return Err(error());
        }
        let mut bytes = [0; 32];
        for (index, byte) in bytes.iter_mut().enumerate() {
            *byte =
                u8::from_str_radix(&digits[2 * index..2 * index + 2], 16).map_err(|_| error())?;
        }
        Ok(Self(bytes))
    }
}

impl Serialize for Digest {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Digest {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        text.parse().map_err(serde::de::Error::custom)
    }
}

/// Part of a job: cutting its input, running one chunk, or collecting the results.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Step {
    /// The handler's own `chunker` decides the chunks.
    Cut,
    /// The work on the chunk of this index.
    Run(u32),
    /// Many outputs become one.
    Collect,
}

impl fmt::Display for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Cut => f.write_str("cut"),
            Self::Run(chunk) => write!(f, "{chunk}"),
            Self::Collect => f.write_str("collect"),
        }
    }
}

impl FromStr for Step {
    type Err = IdError;
    fn from_str(text: &str) -> Result<Self, IdError> {
        match text {
            "cut" => Ok(Self::Cut),
            "collect" => Ok(Self::Collect),
            _ => text
                .parse()
                .map(Self::Run)
                .map_err(|_| IdError::new(text, "not a chunk number, `cut` or `collect`")),
        }
    }
}

/// One try at a step: `job-7/3#2` is job-7, chunk 3, second attempt. The number, from 1, is the fence.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct AttemptId {
    /// The job.
    pub job: JobId,
    /// The step of the job.
    pub step: Step,
    /// Counts from 1 and never goes back.
    pub number: u32,
}

impl AttemptId {
    /// What randomness is seeded by where it is not granted: the job and the step, so that every try sees the same.
    pub fn seed(&self) -> String {
        format!("{}/{}", self.job, self.step)
    }
}

impl fmt::Display for AttemptId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}#{}", self.job, self.step, self.number)
    }
}

impl FromStr for AttemptId {
    type Err = IdError;
    fn from_str(text: &str) -> Result<Self, IdError> {
        let error = || IdError::new(text, "an attempt looks like `job-7/3#2`");
        let (job, rest) = text.split_once('/').ok_or_else(error)?;
        let (step, number) = rest.split_once('#').ok_or_else(error)?;
        Ok(Self {
            job: job.parse()?,
            step: step.parse()?,
            number: number.parse().map_err(|_| error())?,
        })
    }
}

impl Serialize for AttemptId {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for AttemptId {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        text.parse().map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn task_names_do_not_tell_dash_from_underscore() {
        assert_eq!(TaskName::new("word_count"), TaskName::new("word-count"));
    }

    #[test]
    fn a_task_name_may_ask_for_a_version() {
        for good in ["a@1.2.0", "a@^1", "a@~1.2", "acme:a@1.0.0-rc.1"] {
            assert_eq!(TaskName::new(good).map(|name| name.to_string()), Ok(good.to_owned()));
        }
        for bad in ["a^1", "a@^^1", "a@>1", "@^1", "^1", "a@^1/x"] {
            assert!(TaskName::new(bad).is_err(), "{bad}");
        }
        assert!(JobId::new("a@^1").is_err());
    }

    #[test]
    fn names_refuse_what_could_be_mistaken_for_syntax() {
        for bad in
            ["", "a/b", "a#1", "'; DROP TABLE jobs", "-rf", "../x", "a b", "ünï", &"x".repeat(129)]
        {
            assert!(JobId::new(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn a_digest_takes_either_case_and_refuses_other_lengths() {
        let text = "AB".repeat(32);
        assert_eq!(text.parse::<Digest>().map(|digest| digest.to_string()), Ok("ab".repeat(32)));
        assert!("ab".parse::<Digest>().is_err());
        assert!("é".repeat(32).parse::<Digest>().is_err());
    }

    proptest! {
        #[test]
        fn an_attempt_id_survives_printing(job in "[a-z0-9][a-zA-Z0-9._:-]{0,30}", kind in 0..3, chunk: u32, number: u32) {
            let step = match kind { 0 => Step::Cut, 1 => Step::Collect, _ => Step::Run(chunk) };
            let id = AttemptId { job: JobId::new(&job).unwrap(), step, number };
            prop_assert_eq!(id.to_string().parse::<AttemptId>(), Ok(id));
        }
    }
}
