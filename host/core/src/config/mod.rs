//! The configuration: layers in, values out, and every value remembers where it came from.
//!
//! Owns: the keys of the configuration, their meaning, their defaults, and what follows for a job.
//! Never: looks for files, reads the environment or measures the machine; the porch hands all of it in.

mod directories;
mod job_types;
mod keys;
mod knobs;
mod layers;
mod load;
mod resolve;
mod tenants;
mod values;

pub use knobs::{KNOBS, Knob};
pub use layers::{Layers, Origin};
pub use load::load;
pub use resolve::Resolved;
pub use values::{
    COMPONENT_BYTES_MAX, Config, Count, Directory, Entry, Isolation, JobType, LogLevel,
    MemoryLimit, Monitoring, Retention, SchedulerKind, Storage, Tenant,
};
