//! Components from OCI registries: one manifest, one layer, both held against their digests and their bounds.
//!
//! Owns: everything that this program says to a registry, and what it believes of the answers.
//! Never: speaks without encryption with another machine, reads an answer without a bound, or looks for a login itself.
//!
//! Not the crate `oci-client`: it reads manifests and answers of failure whole, however long they are, and follows
//! redirects anywhere. What is needed of the protocol is three kinds of GET, and a POST where a login is a token.

mod challenge;
mod client;
mod manifest;
mod pull;
mod visitor;

pub(crate) use pull::{Pulled, pull};
