//! What wakes a driver, which waits for its worker's line and for this.
//!
//! Owns: the event descriptor behind it.
//! Never: says why it rang.

use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::sync::Arc;

use pframe_core::fault::{Code, Fault};
use rustix::event::{EventfdFlags, eventfd};

/// Wakes a driver.
#[derive(Clone)]
pub(in crate::executor) struct Bell(Arc<OwnedFd>);

impl Bell {
    pub(super) fn new() -> Result<Self, Fault> {
        eventfd(0, EventfdFlags::CLOEXEC | EventfdFlags::NONBLOCK)
            .map(|bell| Self(Arc::new(bell)))
            .map_err(|error| Fault::new(Code::WorkerUnusable).detail(error.to_string()))
    }

    pub(in crate::executor) fn ring(&self) {
        let _ = rustix::io::write(&self.0, &1_u64.to_ne_bytes());
    }

    pub(super) fn hush(&self) {
        let _ = rustix::io::read(&self.0, &mut [0; 8]);
    }

    pub(in crate::executor) fn is(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }
}

impl AsFd for Bell {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }
}
