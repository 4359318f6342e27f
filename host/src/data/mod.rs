//! Bytes at rest: inputs read in place, results kept by digest, the result put where the job wants it, and files that guests
//! leave for a directory of the operator.
//!
//! Owns: every path that leads to user data.
//! Never: copies an input, shows a half-written file, or takes a path from a guest but below a directory that was
//! granted, without following a link.

pub(crate) mod bundle;
pub(crate) mod cache;
pub(crate) mod folder;
pub(crate) mod inputs;
pub(crate) mod outbox;
pub(crate) mod publish;
pub(crate) mod results;
pub(crate) mod source;
pub(crate) mod stdin;
pub(crate) mod web;
