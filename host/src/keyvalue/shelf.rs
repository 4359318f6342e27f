//! Who finds which stores.
//!
//! Owns: that a store belongs to one tenant, and that only what was granted is opened.
//! Never: holds more than one tenant's lock, or waits while it does.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use pframe_core::ids::TenantName;

use super::question::{Answer, KeyValueError, Question, StoreGrant};
use super::tenant::TenantStores;

/// All stores of this host. Clones share them: attempts of all threads and workers meet here.
#[derive(Debug, Clone, Default)]
pub(crate) struct Stores(Arc<Mutex<BTreeMap<TenantName, Shared>>>);

/// Each tenant has a lock of its own, so that none waits for another's batches.
type Shared = Arc<Mutex<TenantStores>>;

impl Stores {
    fn of(&self, tenant: &TenantName) -> Shared {
        Arc::clone(lock(&self.0).entry(tenant.clone()).or_default())
    }
}

/// What one attempt may use of them.
#[derive(Debug, Clone)]
pub(crate) struct Shelf {
    stores: Stores,
    tenant: TenantName,
    grant: StoreGrant,
}

impl Shelf {
    pub(crate) fn new(stores: &Stores, tenant: &TenantName, grant: StoreGrant) -> Self {
        Self { stores: stores.clone(), tenant: tenant.clone(), grant }
    }

    /// Does what is asked, if this attempt may and it is within the bounds.
    pub(crate) fn ask(&self, store: &str, question: Question) -> Result<Answer, KeyValueError> {
        self.grant.check(store)?;
        question.check()?;
        lock(&self.stores.of(&self.tenant)).answer(store, question)
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use std::thread;

    use super::*;
    use crate::process::frame::Bulk;

    fn shelf(stores: &Stores, tenant: &str, granted: &[&str]) -> Shelf {
        let grant = StoreGrant(granted.iter().map(|it| (*it).to_owned()).collect());
        Shelf::new(stores, &tenant.parse().unwrap(), grant)
    }

    #[test]
    fn a_store_belongs_to_one_tenant_and_one_name() {
        let stores = Stores::default();
        let set = Question::Set(vec![("k".into(), Bulk("v".into()))]);
        let exists = || Question::Exists("k".into());
        let acme = shelf(&stores, "acme", &["a", "b"]);
        assert_eq!(acme.ask("a", set), Ok(Answer::Done));
        assert_eq!(acme.ask("a", exists()), Ok(Answer::Exists(true)));
        assert_eq!(acme.ask("b", exists()), Ok(Answer::Exists(false)));
        let other = shelf(&stores, "other", &["a"]);
        assert_eq!(other.ask("a", exists()), Ok(Answer::Exists(false)));
        assert_eq!(other.ask("b", exists()), Err(KeyValueError::NoSuchStore));
        let nobody = shelf(&stores, "acme", &[]);
        assert_eq!(nobody.ask("a", exists()), Err(KeyValueError::Denied));
        let long = acme.ask("a", Question::Exists("k".repeat(2000)));
        assert!(matches!(long, Err(KeyValueError::Refused(_))), "a worker may not have looked");
    }

    #[test]
    fn no_increment_of_many_threads_is_lost() {
        let stores = Stores::default();
        let count = |by| {
            let asked =
                shelf(&stores, "acme", &["a"]).ask("a", Question::Increment("n".into(), by));
            asked.unwrap()
        };
        thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(|| (0..1000).for_each(|_| drop(count(1))));
            }
        });
        assert_eq!(count(0), Answer::Number(4000));
    }
}
