//! `wasi:keyvalue`: stores that a tenant's handlers share, linked and denied but for those that were granted by name.
//!
//! Owns: what a handle to a store is, and the first look at each call. Its limits: those of one call and of a tenant's
//! stores ([`keyvalue`](crate::keyvalue)), and handles like any other resource. It charges: a call's fuel, and that of the
//! bytes of keys and values, either way. Its escape tests: `tests/tests/keyvalue.rs`.
//! Never: holds a value; that is a [`KeyValueService`], here or behind the worker's line.

use std::sync::Arc;

use wasmtime::component::Resource;

use super::Capabilities;
use super::bindings::keyvalue::wasi::keyvalue::store::{Error, Host, HostBucket, KeyResponse};
use super::bindings::keyvalue::wasi::keyvalue::{atomics, batch};
use crate::keyvalue::{Answer, KeyValueError, Question, StoreGrant};
use crate::process::frame::Bulk;

/// Who keeps values for an attempt.
pub(crate) trait KeyValueService: Send {
    /// Does what is asked of a store.
    fn ask(&mut self, store: &str, question: Question) -> Result<Answer, KeyValueError>;
}

/// The host's side of stores for one guest.
pub(crate) struct KeyValue {
    grant: StoreGrant,
    service: Box<dyn KeyValueService>,
    pub(crate) calls_denied: u32,
}

/// A store that was opened, by its name.
#[derive(Clone)]
#[expect(unreachable_pub, reason = "the generated bindings re-export it")]
pub struct BucketHandle(Arc<str>);

impl KeyValue {
    /// Of an attempt with this grant.
    pub(crate) fn new(grant: StoreGrant, service: Box<dyn KeyValueService>) -> Self {
        Self { grant, service, calls_denied: 0 }
    }

    fn open(&mut self, name: &str) -> Result<BucketHandle, KeyValueError> {
        self.grant.check(name).inspect_err(|_| {
            self.calls_denied = self.calls_denied.saturating_add(1);
        })?;
        Ok(BucketHandle(name.into()))
    }
}

impl From<KeyValueError> for Error {
    fn from(error: KeyValueError) -> Self {
        match error {
            KeyValueError::Denied => Self::AccessDenied,
            KeyValueError::NoSuchStore => Self::NoSuchStore,
            KeyValueError::Refused(why) => Self::Other(why),
        }
    }
}

/// What a guest is told, or what ends it.
type Told<T> = wasmtime::Result<Result<T, Error>>;

impl Capabilities {
    /// Asks, charges for it, and takes from the answer what that kind of question is answered with.
    fn ask<T>(
        &mut self,
        bucket: &Resource<BucketHandle>,
        question: Question,
        read: impl FnOnce(Answer) -> Option<T>,
    ) -> Told<T> {
        let BucketHandle(store) = self.table.get(bucket)?.clone();
        self.uncharged_bytes += question.bytes() as u64;
        let asked = question.check().and_then(|()| self.keyvalue.service.ask(&store, question));
        let answer = match asked {
            Ok(answer) => answer,
            Err(error) => return Ok(Err(error.into())),
        };
        self.uncharged_bytes += answer.bytes() as u64;
        let read = read(answer);
        Ok(read.ok_or_else(|| Error::Other("the host answered something else".into())))
    }

    fn get_all(
        &mut self,
        bucket: &Resource<BucketHandle>,
        keys: Vec<String>,
    ) -> Told<Vec<Option<Vec<u8>>>> {
        let count = keys.len();
        let plain = |value: Option<Bulk>| value.map(|value| Vec::from(value.0));
        self.ask(bucket, Question::Get(keys), |answer| match answer {
            Answer::Values(values) if values.len() == count => {
                Some(values.into_iter().map(plain).collect())
            }
            _ => None,
        })
    }

    fn change(&mut self, bucket: &Resource<BucketHandle>, question: Question) -> Told<()> {
        self.ask(bucket, question, |answer| (answer == Answer::Done).then_some(()))
    }
}

fn bulk(value: Vec<u8>) -> Bulk {
    // What is kept is what is counted: no more than its bytes.
    Bulk(value.into_boxed_slice().into())
}

impl Host for Capabilities {
    fn open(&mut self, identifier: String) -> Told<Resource<BucketHandle>> {
        self.uncharged_bytes += identifier.len() as u64;
        match self.keyvalue.open(&identifier) {
            Ok(bucket) => Ok(Ok(self.table.push(bucket)?)),
            Err(error) => Ok(Err(error.into())),
        }
    }
}

impl HostBucket for Capabilities {
    fn get(&mut self, bucket: Resource<BucketHandle>, key: String) -> Told<Option<Vec<u8>>> {
        let values = self.get_all(&bucket, vec![key])?;
        Ok(values.map(|values| values.into_iter().flatten().next()))
    }

    fn set(&mut self, bucket: Resource<BucketHandle>, key: String, value: Vec<u8>) -> Told<()> {
        self.change(&bucket, Question::Set(vec![(key, bulk(value))]))
    }

    fn delete(&mut self, bucket: Resource<BucketHandle>, key: String) -> Told<()> {
        self.change(&bucket, Question::Delete(vec![key]))
    }

    fn exists(&mut self, bucket: Resource<BucketHandle>, key: String) -> Told<bool> {
        self.ask(&bucket, Question::Exists(key), |answer| match answer {
            Answer::Exists(is_there) => Some(is_there),
            _ => None,
        })
    }

    fn list_keys(
        &mut self,
        bucket: Resource<BucketHandle>,
        cursor: Option<u64>,
    ) -> Told<KeyResponse> {
        self.ask(&bucket, Question::List(cursor.unwrap_or(0)), |answer| match answer {
            Answer::Keys(page) => Some(KeyResponse { keys: page.keys, cursor: page.next }),
            _ => None,
        })
    }

    fn drop(&mut self, bucket: Resource<BucketHandle>) -> wasmtime::Result<()> {
        self.table.delete(bucket)?;
        Ok(())
    }
}

impl atomics::Host for Capabilities {
    fn increment(&mut self, bucket: Resource<BucketHandle>, key: String, delta: u64) -> Told<u64> {
        self.ask(&bucket, Question::Increment(key, delta), |answer| match answer {
            Answer::Number(number) => Some(number),
            _ => None,
        })
    }
}

impl batch::Host for Capabilities {
    fn get_many(
        &mut self,
        bucket: Resource<BucketHandle>,
        keys: Vec<String>,
    ) -> Told<Vec<Option<(String, Vec<u8>)>>> {
        let values = self.get_all(&bucket, keys.clone())?;
        let pair = |(key, value): (String, Option<Vec<u8>>)| value.map(|value| (key, value));
        Ok(values.map(|values| keys.into_iter().zip(values).map(pair).collect()))
    }

    fn set_many(
        &mut self,
        bucket: Resource<BucketHandle>,
        key_values: Vec<(String, Vec<u8>)>,
    ) -> Told<()> {
        let pairs = key_values.into_iter().map(|(key, value)| (key, bulk(value)));
        self.change(&bucket, Question::Set(pairs.collect()))
    }

    fn delete_many(&mut self, bucket: Resource<BucketHandle>, keys: Vec<String>) -> Told<()> {
        self.change(&bucket, Question::Delete(keys))
    }
}
