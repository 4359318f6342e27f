//! From what a job was granted to the stores that its attempts find.
//!
//! Owns: which stores an attempt may use; for a worker's attempt the same is looked at here, whatever the worker says.
//! Never: keeps a value.

use pframe_core::job::Grant;
use pframe_core::scheduler::Start;

use super::Site;
use crate::capability::keyvalue::KeyValueService;
use crate::keyvalue::{Answer, KeyValueError, Question, Shelf, StoreGrant};

/// Which stores a job may open.
pub(super) fn store_grant(grants: &[Grant]) -> StoreGrant {
    StoreGrant(grants.iter().filter_map(Grant::store).map(str::to_owned).collect())
}

/// What an attempt may use.
pub(super) fn shelf(site: &Site, start: &Start) -> Shelf {
    Shelf::new(&site.keyvalue, &start.job.tenant, store_grant(&start.job.grants))
}

/// For attempts on threads of this process; those in workers come through their driver.
impl KeyValueService for Shelf {
    fn ask(&mut self, store: &str, question: Question) -> Result<Answer, KeyValueError> {
        Self::ask(self, store, question)
    }
}
