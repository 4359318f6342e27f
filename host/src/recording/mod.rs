//! Recordings: any audio file, decoded once to 16 kHz mono, and cut by time.
//!
//! Owns: the way from a source to samples that the host keeps ([`Recordings`]), and the child that decodes ([`serve_decode`]).
//! Never: parses a file of a user in the host's own process.

mod child;
mod decode;
mod resample;
mod staging;

pub(crate) use child::serve_decode;
pub(crate) use staging::Recordings;
