//! The one mind: which attempt runs when, and what follows when it ends.
//!
//! Owns: the order of all work. [`Scheduler::handle`] hears messages and answers with a [`Decision`].
//! Never: does anything; the engine records the events, then obeys the commands.
//!
//! Everything the scheduler must remember over a restart is changed in one place, `fold.rs`, by
//! events alone; live running and recovery go through the same function. What it may forget
//! (reservations, batches, draining) ends with the attempts that run.
//!
//! | file | question |
//! |---|---|
//! | `hear.rs` | what does this message make true? |
//! | `fold.rs` | what does this event change? |
//! | `settle.rs` | does the job end now? |
//! | `start.rs` | what starts next, and how many at once? |
//! | `queue.rs`, `class.rs`, `tenant.rs` | who waits, in which order? |
//! | `recover.rs` | what was lost when the host died? |
//! | `depend.rs` | who waits for this job, and what becomes of them when it ends? |
//! | `explain.rs` | why does this job wait? |

mod alarms;
mod class;
mod component;
mod depend;
mod explain;
mod fold;
mod hear;
mod job;
mod message;
mod mind;
mod queue;
mod recover;
mod sanity;
mod settings;
mod settle;
mod slab;
mod start;
mod tenant;

pub(crate) use depend::with_result;
pub use explain::{Explanation, Reason};
pub use fold::Misfit;
pub use message::{Batch, Command, Decision, Message, Outcome, Reservation, Start, Work};
pub use mind::Scheduler;
pub use settings::{BatchRules, Settings, TenantSettings};
pub(crate) use slab::{Key, Slab};
