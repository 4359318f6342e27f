//! `/scratch`: an attempt's private disk, where its job asked for one with `limits.disk`.
//!
//! Owns: its name, and when it is full. `directories.rs` hands it to the guest.
//! Its limit: the disk is a file system in memory of fixed size (`process/scratch.rs`). It charges: a call's fuel.
//! Its escape tests: `f01` to `f22` in `tests/tests/scratch.rs`.
//! Never: opens a path of the host.

use std::fs::File;

/// Where guests find it.
pub(super) const NAME: &str = "/scratch";

/// True where there is no room left for a byte, or for a file.
pub(crate) fn is_full(scratch: &File) -> bool {
    rustix::fs::fstatfs(scratch).is_ok_and(|disk| disk.f_bavail == 0 || disk.f_ffree == 0)
}
