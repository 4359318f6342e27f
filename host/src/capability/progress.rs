//! `pframe:task/progress`: how far a handler is.
//!
//! Owns: the newest word of one attempt. Its limit: one number and 256 bytes are kept, the last ones win.
//! It charges: a call's fuel. Its escape test: `a_flood_of_progress_costs_the_host_nothing`.
//! Never: queues anything.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use super::Capabilities;
use super::bindings::pframe::task::progress;

/// Thousandths done, of one attempt. The attempt writes it, the reporter reads it.
#[derive(Clone, Default)]
pub(crate) struct ProgressSink(Arc<AtomicU32>);

impl ProgressSink {
    /// Between 0 and 1000.
    pub(crate) fn thousandths(&self) -> u32 {
        self.0.load(Ordering::Relaxed)
    }
}

impl progress::Host for Capabilities {
    fn report(&mut self, done: f32, _message: Option<String>) -> wasmtime::Result<()> {
        if done.is_finite() {
            #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "clamped")]
            let thousandths = (done.clamp(0.0, 1.0) * 1000.0) as u32;
            self.progress.0.store(thousandths, Ordering::Relaxed);
        }
        Ok(())
    }
}
