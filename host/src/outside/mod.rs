//! The network, as far as somebody was allowed to reach it.
//!
//! Owns: which addresses may be reached, and requests over HTTP to them: every connection that this program makes goes
//! through here. A name is resolved once, what comes back is checked, and the checked address itself is connected to.
//! Never: follows a redirect, reads a proxy from the environment, or lets anything wait past its deadline.

mod account;
mod address;
mod caller;
mod client;
mod error;
mod names;
mod reach;
mod tls;
mod wait;

pub(crate) use account::{Account, Caps};
pub(crate) use caller::{Caller, Received};
pub(crate) use client::{Outside, Task, Timeouts};
pub(crate) use error::HttpError;
pub(crate) use names::Names;
pub(crate) use reach::{Reach, Target};
pub(crate) use wait::Patience;
