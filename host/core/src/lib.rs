//! The pure half of pframe-host: words, rules, job files, the scheduler and the report.
//!
//! Nothing in here reads a file, a clock or a random number, waits, or starts a thread. Time is an
//! argument, randomness comes from ids, and the same messages always lead to the same decisions.

pub mod buckets;
pub mod chunking;
pub mod config;
pub mod dead_letters;
pub mod dependencies;
pub mod document;
pub mod event;
pub mod fault;
pub mod hosts;
pub mod ids;
pub mod job;
pub mod jobfile;
pub mod limits;
pub mod logins;
pub mod naming;
pub mod oci;
pub mod policy;
pub mod profiles;
pub mod report;
pub mod resources;
pub mod retry;
pub mod scheduler;
pub mod schema;
pub mod state;
pub mod tasktype;
pub mod units;
