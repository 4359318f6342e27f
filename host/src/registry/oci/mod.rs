//! Components from OCI registries: one manifest, one layer, both held against their digests and their bounds.
//!
//! Owns: everything that this program says to a registry, and what it believes of the answers.
//! Never: sends credentials, speaks without encryption with another machine, or reads an answer without a bound.
//!
//! Not the crate `oci-client`: it reads manifests and answers of failure whole, however long they are, and follows
//! redirects anywhere. What is needed of the protocol is three kinds of GET.

mod challenge;
mod client;
mod manifest;
mod pull;

pub(crate) use pull::{Pulled, pull};
