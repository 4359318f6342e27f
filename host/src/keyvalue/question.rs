//! What may be asked of a store and what comes back: the same on a thread of the host and on a worker's line.
//!
//! Owns: the words of that conversation, and the bounds of one call.
//! Never: looks at what lies in a store.

use std::fmt;
use std::marker::PhantomData;

use serde::de::{Error as _, SeqAccess, Visitor};
use serde::{Deserialize, Deserializer, Serialize};

use crate::process::frame::Bulk;

/// The longest key: longer ones are values.
const KEY_BYTES_MAX: usize = 1 << 10;
/// The longest value: as much as crosses the border in any other call.
const VALUE_BYTES_MAX: usize = 1 << 20;
/// Keys of one batch: the tenant's other attempts wait while it is worked on.
const BATCH_KEYS_MAX: usize = 1000;
/// Bytes of one batch, asked or answered: far below a frame of a worker's line.
pub(super) const BATCH_BYTES_MAX: usize = 4 << 20;
/// What an element of a list costs to pass, beside its bytes.
const ELEMENT_BYTES: usize = 8;

/// Something to do with one store.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Question {
    Get(#[serde(deserialize_with = "few")] Vec<String>),
    Set(#[serde(deserialize_with = "few")] Vec<(String, Bulk)>),
    Delete(#[serde(deserialize_with = "few")] Vec<String>),
    Exists(String),
    /// The keys from this one on, counted as they were first set.
    List(u64),
    /// Add so much to the number that lies there.
    Increment(String, u64),
}

/// What it came to.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Answer {
    Done,
    /// One for each key that was asked for.
    Values(Vec<Option<Bulk>>),
    Exists(bool),
    Keys(Page),
    Number(u64),
}

/// Some of the keys of a store.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Page {
    pub(crate) keys: Vec<String>,
    /// Where the next page begins.
    pub(crate) next: Option<u64>,
}

/// Why nothing came of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum KeyValueError {
    /// No store at all was granted.
    Denied,
    /// This one was not.
    NoSuchStore,
    /// A bound, or a value of the wrong kind, in words.
    Refused(String),
}

/// Which stores an attempt may open.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct StoreGrant(pub(crate) Vec<String>);

impl StoreGrant {
    /// The error of a store that may not be opened.
    pub(crate) fn check(&self, store: &str) -> Result<(), KeyValueError> {
        match &*self.0 {
            [] => Err(KeyValueError::Denied),
            names if names.iter().any(|name| name == store) => Ok(()),
            _ => Err(KeyValueError::NoSuchStore),
        }
    }
}

impl Question {
    /// The error of a question beyond its bounds.
    pub(crate) fn check(&self) -> Result<(), KeyValueError> {
        if self.keys().any(|key| key.len() > KEY_BYTES_MAX) {
            return refuse(format!("a key has at most {KEY_BYTES_MAX} bytes"));
        }
        if self.values().any(|value| value.0.len() > VALUE_BYTES_MAX) {
            return refuse(format!("a value has at most {VALUE_BYTES_MAX} bytes"));
        }
        if self.keys().count() > BATCH_KEYS_MAX {
            return refuse(format!("a batch has at most {BATCH_KEYS_MAX} keys"));
        }
        if self.bytes() > BATCH_BYTES_MAX {
            return refuse(format!("a batch has at most {BATCH_BYTES_MAX} bytes"));
        }
        Ok(())
    }

    /// What it costs to pass.
    pub(crate) fn bytes(&self) -> usize {
        let keys = self.keys().map(|key| key.len() + ELEMENT_BYTES);
        let values = self.values().map(|value| value.0.len() + ELEMENT_BYTES);
        keys.chain(values).sum()
    }

    fn keys(&self) -> impl Iterator<Item = &String> {
        let (many, pairs, one): (&[String], &[(String, Bulk)], Option<&String>) = match self {
            Self::Get(keys) | Self::Delete(keys) => (keys, &[], None),
            Self::Set(pairs) => (&[], pairs, None),
            Self::Exists(key) | Self::Increment(key, _) => (&[], &[], Some(key)),
            Self::List(_) => (&[], &[], None),
        };
        many.iter().chain(pairs.iter().map(|(key, _)| key)).chain(one)
    }

    fn values(&self) -> impl Iterator<Item = &Bulk> {
        let pairs: &[(String, Bulk)] = match self {
            Self::Set(pairs) => pairs,
            Self::Get(_)
            | Self::Delete(_)
            | Self::Exists(_)
            | Self::List(_)
            | Self::Increment(..) => &[],
        };
        pairs.iter().map(|(_, value)| value)
    }
}

impl Answer {
    /// What it costs to pass.
    pub(crate) fn bytes(&self) -> usize {
        match self {
            Self::Done | Self::Exists(_) | Self::Number(_) => 0,
            Self::Values(values) => {
                values.iter().flatten().map(|value| value.0.len() + ELEMENT_BYTES).sum()
            }
            Self::Keys(page) => page.keys.iter().map(|key| key.len() + ELEMENT_BYTES).sum(),
        }
    }
}

/// Reads as many elements as a batch may have: a worker that was taken over can put millions of empty ones into one frame,
/// and each takes more memory than it has bytes there.
fn few<'de, D: Deserializer<'de>, T: Deserialize<'de>>(from: D) -> Result<Vec<T>, D::Error> {
    struct Few<T>(PhantomData<T>);
    impl<'de, T: Deserialize<'de>> Visitor<'de> for Few<T> {
        type Value = Vec<T>;

        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            write!(f, "at most {BATCH_KEYS_MAX} elements")
        }

        fn visit_seq<A: SeqAccess<'de>>(self, mut elements: A) -> Result<Vec<T>, A::Error> {
            let mut read = Vec::new();
            while let Some(element) = elements.next_element()? {
                if read.len() == BATCH_KEYS_MAX {
                    return Err(A::Error::invalid_length(read.len() + 1, &self));
                }
                read.push(element);
            }
            Ok(read)
        }
    }
    from.deserialize_seq(Few(PhantomData))
}

/// A refusal in words; no guest's text is in them.
pub(super) fn refuse<T>(why: impl Into<String>) -> Result<T, KeyValueError> {
    Err(KeyValueError::Refused(why.into()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(question: &Question, expect: &str) {
        let found = match question.check() {
            Ok(()) => "fine".to_owned(),
            Err(KeyValueError::Refused(why)) => why,
            Err(other) => format!("{other:?}"),
        };
        assert_eq!(found, expect);
    }

    fn value(bytes: usize) -> Bulk {
        Bulk(vec![0; bytes].into())
    }

    #[test]
    fn one_call_is_bounded_in_keys_and_bytes() {
        let key = |bytes: usize| "k".repeat(bytes);
        check(&Question::Exists(key(1024)), "fine");
        check(&Question::Exists(key(1025)), "a key has at most 1024 bytes");
        check(&Question::Increment(key(1025), 1), "a key has at most 1024 bytes");
        check(&Question::Set(vec![(key(1), value(1 << 20))]), "fine");
        let long = Question::Set(vec![(key(1), value((1 << 20) + 1))]);
        check(&long, "a value has at most 1048576 bytes");
        check(&Question::Get(vec![key(1); 1000]), "fine");
        check(&Question::Get(vec![key(1); 1001]), "a batch has at most 1000 keys");
        let large = Question::Set(vec![(key(1), value(1 << 20)); 4]);
        check(&large, "a batch has at most 4194304 bytes");
    }

    #[test]
    fn a_frame_with_more_keys_than_a_batch_may_have_is_no_question() {
        let reads = |question: &Question| {
            let frame = postcard::to_stdvec(question).unwrap();
            postcard::from_bytes::<Question>(&frame).is_ok_and(|read| read == *question)
        };
        let keys = |count| vec![String::new(); count];
        assert!(reads(&Question::Get(keys(1000))) && reads(&Question::Delete(keys(1000))));
        assert!(!reads(&Question::Get(keys(1001))) && !reads(&Question::Delete(keys(1001))));
        assert!(reads(&Question::Set(vec![(String::new(), value(3)); 1000])));
        assert!(!reads(&Question::Set(vec![(String::new(), value(0)); 1001])));
    }

    #[test]
    fn who_was_granted_nothing_is_told_so_and_who_was_granted_something_nothing_of_the_rest() {
        let grant = |names: &[&str]| StoreGrant(names.iter().map(|it| (*it).into()).collect());
        assert_eq!(grant(&[]).check("a"), Err(KeyValueError::Denied));
        assert_eq!(grant(&["a"]).check("a"), Ok(()));
        assert_eq!(grant(&["a"]).check("b"), Err(KeyValueError::NoSuchStore));
        assert_eq!(grant(&["a"]).check(""), Err(KeyValueError::NoSuchStore));
    }
}
