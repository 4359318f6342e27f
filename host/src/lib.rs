//! Runs jobs in sandboxed WebAssembly components, with fuel, memory and time limits that hold.
//!
//! [`Engine`] is the front door. The words of jobs, limits and faults are those of [`core`].

pub(crate) mod capability;
pub mod cli;
pub(crate) mod data;
pub mod engine;
pub(crate) mod executor;
#[cfg(feature = "failpoints")]
#[doc(hidden)]
pub mod failpoint;
#[cfg(not(feature = "failpoints"))]
pub(crate) mod failpoint;
#[cfg(feature = "fuzzing")]
#[doc(hidden)]
pub mod fuzzing;
pub(crate) mod inbox;
pub(crate) mod inference;
pub(crate) mod journal;
pub(crate) mod keyvalue;
pub mod machine;
pub(crate) mod outside;
pub(crate) mod process;
pub(crate) mod recogniser;
pub(crate) mod recording;
pub(crate) mod registry;
pub(crate) mod reporter;
pub(crate) mod sandbox;
pub(crate) mod worker;

pub use engine::{
    BatchHandle, Engine, EngineBuilder, Job, JobEvents, JobHandle, JobOutput, Reporter,
};
pub use pframe_core as core;
pub use pframe_core::job::InputRequest as JobInput;
