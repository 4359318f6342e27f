//! Key-value stores: what handlers of a tenant keep between attempts, in this process's memory.
//!
//! Owns: every value, and the bounds of all of them.
//! Never: knows a guest or a worker; whoever asks on their behalf holds a [`Shelf`], with a tenant and its grants in it.

mod question;
mod shelf;
mod tenant;

pub(crate) use question::{Answer, KeyValueError, Question, StoreGrant};
pub(crate) use shelf::{Shelf, Stores};
