//! A worker: this program as a child process that runs guests and has nothing worth stealing.
//!
//! Owns: the protocol between host and worker, and the worker's end of it. It serves one tenant and one component, one
//! attempt at a time, with the same [`sandbox`](crate::sandbox) as threads have.
//! Never: opens anything by path, decides anything about a job, or goes on without its jail.

mod desk;
pub(crate) mod exchange;
mod http;
pub(crate) mod protocol;
mod remote;
mod serve;

pub(crate) use serve::serve;
