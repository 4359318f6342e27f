//! What people and machines see of a run: folds of records, each in its own form.
//!
//! Owns: progress on a terminal, JSON lines, the closing table, faults in words, metrics, the log.
//! Never: knows anything that is not in a record.

pub(crate) mod amounts;
mod board;
mod figures;
pub(crate) mod job;
pub(crate) mod json;
pub(crate) mod listening;
pub(crate) mod log;
pub(crate) mod metrics;
mod prometheus;
#[cfg(test)]
pub(crate) mod samples;
mod screen;
pub(crate) mod table;
pub(crate) mod terminal;
pub(crate) mod told;

pub(crate) use crate::engine::Reporter;
