//! Why a job waits, in words.
//!
//! Owns: the reasons, how they are found and how they read.
//! Never: changes anything, and never grows with the job: the answer fits on a few lines.

mod find;
mod reason;

pub use reason::{Explanation, Reason};
