//! Cancellation as a value: handed to an attempt, checked at every wait.
//!
//! Owns: the word from outside that an attempt must end, and why.
//! Never: ends anything by itself.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use pframe_core::fault::{Code, Fault};
use tokio::sync::Notify;

/// A stop that somebody may request. Cloned handles share it: one for the attempt, one for whoever stops it.
#[derive(Clone, Default)]
pub(crate) struct Stop(Arc<Inner>);

#[derive(Default)]
struct Inner {
    requested: AtomicBool,
    fault: Mutex<Option<Fault>>,
    wake: Notify,
}

impl Stop {
    /// Asks the attempt to end with this fault. Only the first request counts.
    pub(crate) fn request(&self, fault: Fault) {
        let mut slot = self.0.fault.lock().unwrap_or_else(PoisonError::into_inner);
        if slot.is_none() {
            *slot = Some(fault);
        }
        drop(slot);
        self.0.requested.store(true, Ordering::Release);
        self.0.wake.notify_waiters();
    }

    /// The fault to end with, once somebody asked.
    pub(crate) fn requested(&self) -> Option<Fault> {
        if !self.0.requested.load(Ordering::Acquire) {
            return None;
        }
        let fault = self.0.fault.lock().unwrap_or_else(PoisonError::into_inner);
        Some(fault.clone().unwrap_or_else(|| Fault::new(Code::Cancelled)))
    }

    /// Waits until somebody asks.
    pub(crate) async fn wait(&self) -> Fault {
        loop {
            let woken = self.0.wake.notified();
            tokio::pin!(woken);
            woken.as_mut().enable();
            if let Some(fault) = self.requested() {
                return fault;
            }
            woken.await;
        }
    }
}
