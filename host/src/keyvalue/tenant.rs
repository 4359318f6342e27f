//! The stores of one tenant.
//!
//! Owns: the bounds of what lies in them: keys of a store, stores and bytes of a tenant.
//! Never: forgets anything by itself; and a store without a key is none.

use std::collections::BTreeMap;
use std::sync::Arc;

use bytes::Bytes;
use pframe_core::units::ByteSize;

use super::question::{Answer, BATCH_BYTES_MAX, KeyValueError, Page, Question, refuse};
use crate::process::frame::Bulk;

/// Memory of the host that a tenant's stores may take together; it is nobody's reservation.
const TENANT_BYTES_MAX: usize = 16 << 20;
/// What a key takes beside its bytes and its value's: places in two trees that may be half empty, and two allocations.
const KEY_OVERHEAD_BYTES: usize = 256;
/// Stores of a tenant that hold something.
const STORES_MAX: usize = 16;
/// Keys of one store: whoever lists them all turns fifty pages.
const KEYS_MAX: usize = 50_000;
/// Keys on one page: at most 1 MiB of them.
const PAGE_KEYS_MAX: usize = 1000;

/// All stores of one tenant.
#[derive(Debug, Default)]
pub(super) struct TenantStores {
    /// Those that hold something, by name.
    stores: BTreeMap<String, Store>,
    /// What all of them take.
    bytes: usize,
    /// Keys that were ever set: the number of the next one.
    numbered: u64,
}

/// Keys with their values, and in the order in which they came, so that a page begins where the one before ended,
/// whatever came and went meanwhile.
#[derive(Debug, Default)]
struct Store {
    entries: BTreeMap<Arc<str>, Entry>,
    order: BTreeMap<u64, Arc<str>>,
}

#[derive(Debug)]
struct Entry {
    number: u64,
    value: Bytes,
}

impl TenantStores {
    /// Does what is asked of one store.
    pub(super) fn answer(
        &mut self,
        store: &str,
        question: Question,
    ) -> Result<Answer, KeyValueError> {
        match question {
            Question::Get(keys) => self.get(store, &keys),
            Question::Set(pairs) => {
                pairs.into_iter().try_for_each(|(key, value)| self.set(store, &key, value.0))?;
                Ok(Answer::Done)
            }
            Question::Delete(keys) => {
                for key in &keys {
                    self.delete(store, key);
                }
                Ok(Answer::Done)
            }
            Question::Exists(key) => Ok(Answer::Exists(self.value(store, &key).is_some())),
            Question::List(from) => Ok(Answer::Keys(self.page(store, from))),
            Question::Increment(key, by) => self.increment(store, &key, by).map(Answer::Number),
        }
    }

    fn value(&self, store: &str, key: &str) -> Option<&Bytes> {
        self.stores.get(store)?.entries.get(key).map(|entry| &entry.value)
    }

    fn get(&self, store: &str, keys: &[String]) -> Result<Answer, KeyValueError> {
        let values = keys.iter().map(|key| self.value(store, key).cloned().map(Bulk));
        let answer = Answer::Values(values.collect());
        if keys.len() > 1 && answer.bytes() > BATCH_BYTES_MAX {
            return refuse(format!(
                "their values have more than {BATCH_BYTES_MAX} bytes; ask for fewer"
            ));
        }
        Ok(answer)
    }

    fn set(&mut self, store: &str, key: &str, value: Bytes) -> Result<(), KeyValueError> {
        let before = self.value(store, key).map_or(0, |value| taken(key, value));
        let bytes = self.bytes - before + taken(key, &value);
        if bytes > TENANT_BYTES_MAX && bytes > self.bytes {
            let most = ByteSize(TENANT_BYTES_MAX as u64);
            return refuse(format!("the stores of this tenant are full ({most}); delete keys"));
        }
        if !self.stores.contains_key(store) && self.stores.len() >= STORES_MAX {
            return refuse(format!("a tenant has at most {STORES_MAX} stores that hold something"));
        }
        self.stores.entry(store.to_owned()).or_default().set(key, value, &mut self.numbered)?;
        self.bytes = bytes;
        Ok(())
    }

    fn delete(&mut self, store: &str, key: &str) {
        let Some(found) = self.stores.get_mut(store) else { return };
        if let Some(value) = found.delete(key) {
            self.bytes -= taken(key, &value);
        }
        if found.entries.is_empty() {
            self.stores.remove(store);
        }
    }

    fn page(&self, store: &str, from: u64) -> Page {
        self.stores.get(store).map_or(Page { keys: Vec::new(), next: None }, |it| it.page(from))
    }

    /// Numbers are decimal digits as text, as wasmtime's own provider has them.
    fn increment(&mut self, store: &str, key: &str, by: u64) -> Result<u64, KeyValueError> {
        let number = match self.value(store, key) {
            None => 0,
            Some(value) => match std::str::from_utf8(value).map(str::parse::<u64>) {
                Ok(Ok(number)) => number,
                Ok(Err(_)) | Err(_) => {
                    return refuse("the value is not a number in decimal digits");
                }
            },
        };
        let Some(sum) = number.checked_add(by) else {
            return refuse("the sum does not fit into 64 bits");
        };
        self.set(store, key, sum.to_string().into_bytes().into())?;
        Ok(sum)
    }
}

impl Store {
    fn set(&mut self, key: &str, value: Bytes, numbered: &mut u64) -> Result<(), KeyValueError> {
        if let Some(entry) = self.entries.get_mut(key) {
            entry.value = value;
            return Ok(());
        }
        if self.entries.len() >= KEYS_MAX {
            return refuse(format!("a store has at most {KEYS_MAX} keys"));
        }
        let (key, number): (Arc<str>, _) = (key.into(), *numbered);
        *numbered += 1;
        self.order.insert(number, Arc::clone(&key));
        self.entries.insert(key, Entry { number, value });
        Ok(())
    }

    fn delete(&mut self, key: &str) -> Option<Bytes> {
        let Entry { number, value } = self.entries.remove(key)?;
        self.order.remove(&number);
        Some(value)
    }

    fn page(&self, from: u64) -> Page {
        let mut rest = self.order.range(from..);
        let keys = rest.by_ref().take(PAGE_KEYS_MAX).map(|(_, key)| String::from(&**key));
        let keys = keys.collect();
        Page { keys, next: rest.next().map(|(number, _)| *number) }
    }
}

/// What a key and its value take.
fn taken(key: &str, value: &Bytes) -> usize {
    KEY_OVERHEAD_BYTES + key.len() + value.len()
}

#[cfg(test)]
mod tests;
