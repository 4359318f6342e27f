//! Files that guests leave below `/out/NAME`, put into a directory of the operator.
//!
//! Owns: the road from one to the other, for all directories of an attempt at once: what was left is looked at (`left.rs`),
//! copied beside and synced (`staging.rs`), counted with what lies there already (`counting.rs`), and only then put in its
//! place, file by file (`placing.rs`). [`deliver`] is that road.
//! Never: follows a link on either side, waits for a pipe, or puts half a file anywhere. Whoever changes the guest's disk
//! meanwhile, a worker that was taken over, can only make the delivery fail.

mod counting;
mod delivery;
mod left;
mod placing;
mod staging;
#[cfg(test)]
mod tests;

pub(crate) use counting::Ledger;
pub(crate) use delivery::{Delivery, Parcel, Target, deliver};

use pframe_core::fault::Fault;

/// Asked again and again: the fault of work that has to end, because it is late or nobody wants it any more.
pub(crate) type Check<'a> = &'a dyn Fn() -> Result<(), Fault>;
