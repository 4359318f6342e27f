//! How far the work is.
//!
//! Owns: the call that tells the host.
//! Never: matters to the result.

use crate::bindings::imports::pframe::task::progress as host;

/// Tells the host how much of this call is done, from 0 to 1, with a short word for people if there is one.
///
/// Does nothing outside a component, so that a task can be tested natively.
pub fn progress<'a>(done: f32, message: impl Into<Option<&'a str>>) {
    if cfg!(target_family = "wasm") {
        host::report(done, message.into());
    }
}
