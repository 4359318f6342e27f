//! Speech recognition as a service: calls of all tenants, cut into windows, on as many recognisers as there are cores.
//!
//! Owns: whose window is next ([`queue`]), which process listens to it ([`pool`]), and what becomes of a call ([`call`]).
//! Never: is needed by a job that recognises nothing: its threads start with the first call.

mod call;
mod pool;
mod queue;
mod service;

pub(crate) use call::Waiting;
pub(crate) use service::{Inference, InferenceSettings, Request};
