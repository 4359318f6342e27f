//! Recognisers of speech, each in a process of its own that can be killed.
//!
//! Owns: the recognisers themselves ([`engine`] says what one must do), their models ([`models`]), and the process around
//! them ([`child`], [`seat`]).
//! Never: decides whose window comes first; `inference/` does.

mod child;
mod engine;
pub(crate) mod models;
mod pocketsphinx;
mod protocol;
#[cfg(feature = "scripted")]
mod scripted;
mod seat;
#[cfg(feature = "whisper")]
mod whisper;

pub(crate) use child::serve_recognise;
pub(crate) use engine::{Heard, Options, Problem};
pub(crate) use models::{Family, Model, Models, POCKETSPHINX};
pub(crate) use pocketsphinx::INSTALL as INSTALL_POCKETSPHINX;
pub(crate) use seat::{Listening, RecogniserProcess, Seat, Unheard, Window};
