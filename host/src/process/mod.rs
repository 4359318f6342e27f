//! Child processes: this program again, in another role, jailed by the operating system.
//!
//! Owns: the line between host and child ([`frame`]), a child's start and end ([`child`]),
//! one that does a single thing ([`errand`]), the kernel's hold on its memory
//! ([`group`]), and the layers around it
//! ([`jail`], [`syscalls`]), with the proof that they hold ([`probe`]); private disks for attempts ([`scratch`]).
//! Never: knows what a child does; roles are `registry/compile.rs`, `recording/child.rs` and `worker/`.

pub(crate) mod child;
pub(crate) mod errand;
pub(crate) mod frame;
pub(crate) mod group;
pub(crate) mod jail;
pub(crate) mod memory;
pub(crate) mod probe;
pub(crate) mod scratch;
pub(crate) mod syscalls;
