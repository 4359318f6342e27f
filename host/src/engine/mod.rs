//! The engine: heard, decided, recorded, ordered, shown. In this order, always.
//!
//! Owns: the one loop that drives the scheduler, and the handles by which users follow their jobs.
//! Never: decides; the scheduler does. Never acts on or shows what is not recorded.

mod admission;
mod builder;
mod clock;
mod control;
mod events;
mod handle;
mod hands;
mod ledger;
mod leftovers;
mod recovery;
mod replay;
mod run;
mod workbench;

pub(crate) use admission::link;
pub use admission::{Job, Planned};
pub use builder::EngineBuilder;
pub use events::JobEvents;
pub use handle::{BatchHandle, JobHandle, JobOutput};
pub use run::Engine;
pub(crate) use run::Remote;
pub use workbench::TaskInfo;

pub(crate) use builder::Prepared;
pub(crate) use recovery::{Collecting, Retry, Work};
pub(crate) use replay::Replayed;
pub(crate) use workbench::{Workbench, need_of};

use pframe_core::event::Record;

/// Whoever wants to see what became true: a terminal, a file, a metric.
pub trait Reporter: Send {
    /// Sees, before anything else, what an earlier process recorded of the run that is continued.
    fn begin(&mut self, history: &[Record]) {
        let _ = history;
    }

    /// Sees the records of one turn, in order, after they are durable.
    fn show(&mut self, records: &[Record]);
}
