//! Why a task gave up, and how the errors of libraries become that.
//!
//! Owns: the three kinds of failure and the rules that sort an `io::Error` into them.
//! Never: retries anything; that is the host's decision, from the kind alone.

use std::fmt;
use std::io::{self, ErrorKind};

use crate::bindings::ReadError;
use crate::bindings::imports::pframe::task::types as wit;

/// Why a task gave up. Only [`Failure::Transient`] is worth another attempt.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Failure {
    /// The data or the parameters are wrong, and would be wrong again.
    Invalid(String),
    /// Something outside was in the way for now.
    Transient(String),
    /// The task cannot do this, and the input is not to blame.
    Permanent(String),
}

impl Failure {
    /// The data or the parameters are wrong: the job's author must act.
    pub fn invalid(message: impl Into<String>) -> Self {
        Self::Invalid(message.into())
    }

    /// Something was in the way for now: another attempt may succeed.
    pub fn transient(message: impl Into<String>) -> Self {
        Self::Transient(message.into())
    }

    /// The task cannot do this, now or later.
    pub fn permanent(message: impl Into<String>) -> Self {
        Self::Permanent(message.into())
    }

    /// The same failure; where the input is to blame, with another sentence, to say which file or line it was.
    ///
    /// ```
    /// # use pframe_guest::Failure;
    /// let failure = Failure::invalid("the header is cut short");
    /// let named = failure.map_invalid(|what| format!("`a.png`: {what}"));
    /// assert_eq!(named, Failure::invalid("`a.png`: the header is cut short"));
    /// ```
    #[must_use]
    pub fn map_invalid(self, name: impl FnOnce(&str) -> String) -> Self {
        match self {
            Self::Invalid(message) => Self::Invalid(name(&message)),
            other @ (Self::Transient(_) | Self::Permanent(_)) => other,
        }
    }

    /// The sentence for people.
    pub fn message(&self) -> &str {
        match self {
            Self::Invalid(message) | Self::Transient(message) | Self::Permanent(message) => message,
        }
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.message())
    }
}

impl std::error::Error for Failure {}

impl From<Failure> for wit::Failure {
    fn from(failure: Failure) -> Self {
        match failure {
            Failure::Invalid(message) => Self::InvalidInput(message),
            Failure::Transient(message) => Self::Transient(message),
            Failure::Permanent(message) => Self::Permanent(message),
        }
    }
}

/// Storage trouble is transient, everything else about a read stays as it is.
impl From<ReadError> for Failure {
    fn from(error: ReadError) -> Self {
        match error {
            ReadError::Io(message) => {
                Self::Transient(format!("the host cannot read the input: {message}"))
            }
            ReadError::InputChanged => {
                Self::Permanent("the input changed since the job was accepted".into())
            }
            ReadError::OutOfRange => Self::Permanent("a read beyond the end of the input".into()),
            ReadError::TooLong => Self::Permanent("a read of more than 1 MiB".into()),
        }
    }
}

/// A [`ReadError`] or [`Failure`] that travelled as an `io::Error` arrives as what it was; other errors go by their
/// kind: bad data is invalid, timeouts and broken connections are transient, the rest is permanent.
impl From<io::Error> for Failure {
    fn from(error: io::Error) -> Self {
        if let Some(failure) = error.get_ref().and_then(carried) {
            return failure;
        }
        match error.kind() {
            ErrorKind::InvalidData | ErrorKind::InvalidInput | ErrorKind::UnexpectedEof => {
                Self::Invalid(error.to_string())
            }
            ErrorKind::Interrupted
            | ErrorKind::TimedOut
            | ErrorKind::WouldBlock
            | ErrorKind::ConnectionAborted
            | ErrorKind::ConnectionRefused
            | ErrorKind::ConnectionReset => Self::Transient(error.to_string()),
            _ => Self::Permanent(error.to_string()),
        }
    }
}

/// JSON that does not parse is invalid; JSON that cannot be read or written fails as the stream below it did.
impl From<serde_json::Error> for Failure {
    fn from(error: serde_json::Error) -> Self {
        if error.is_io() { io::Error::from(error).into() } else { Self::Invalid(error.to_string()) }
    }
}

impl From<std::str::Utf8Error> for Failure {
    fn from(error: std::str::Utf8Error) -> Self {
        Self::Invalid(error.to_string())
    }
}

impl From<std::string::FromUtf8Error> for Failure {
    fn from(error: std::string::FromUtf8Error) -> Self {
        Self::Invalid(error.to_string())
    }
}

/// What an `io::Error` carries, if this crate put it there.
fn carried(error: &(dyn std::error::Error + Send + Sync + 'static)) -> Option<Failure> {
    if let Some(failure) = error.downcast_ref::<Failure>() {
        return Some(failure.clone());
    }
    error.downcast_ref::<ReadError>().map(|error| error.clone().into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_read_error_keeps_its_meaning_through_io() {
        let storage = io::Error::other(ReadError::Io("disk on fire".into()));
        let changed = io::Error::other(ReadError::InputChanged);
        assert!(
            matches!(Failure::from(storage), Failure::Transient(message) if message.contains("fire"))
        );
        assert!(matches!(Failure::from(changed), Failure::Permanent(_)));
    }

    #[test]
    fn a_failure_keeps_its_kind_through_io_and_json() {
        let failure = Failure::transient("the disk is full");
        let error = serde_json::Error::io(io::Error::other(failure.clone()));
        assert_eq!(Failure::from(error), failure);
    }

    #[test]
    fn only_the_sentence_about_the_input_is_another() {
        let name = |failure: Failure| failure.map_invalid(|what| format!("line 3 {what}"));
        assert_eq!(name(Failure::invalid("is odd")), Failure::invalid("line 3 is odd"));
        for failure in [Failure::transient("later"), Failure::permanent("never")] {
            assert_eq!(name(failure.clone()), failure);
        }
    }

    #[test]
    fn other_errors_are_sorted_by_kind() {
        let check = |kind, expect: fn(String) -> Failure| {
            assert_eq!(Failure::from(io::Error::new(kind, "x")), expect("x".into()));
        };
        check(ErrorKind::InvalidData, Failure::Invalid);
        check(ErrorKind::TimedOut, Failure::Transient);
        check(ErrorKind::PermissionDenied, Failure::Permanent);
    }

    #[test]
    fn text_that_is_not_json_is_invalid_input() {
        let error = serde_json::from_str::<u8>("{").expect_err("an open brace is no number");
        assert!(matches!(Failure::from(error), Failure::Invalid(_)));
    }
}
