//! What host and recogniser process say to each other.
//!
//! Owns: the messages. The first line is for loading; each seat has a line of its own from then on.

use pframe_core::units::ByteSize;
use serde::{Deserialize, Serialize};

use super::engine::{Heard, Options, Problem};
use super::models::Family;

/// The first word of the host. Beside it come the lines of the seats, then the model's file if it has one.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Load {
    pub(super) family: Family,
    /// How many windows it listens to at once.
    pub(super) seats: u32,
    /// Address space of all of it.
    pub(super) memory_max: ByteSize,
    /// A layer of the jail that does not hold ends it.
    pub(super) demands_layers: bool,
}

/// The process's only word on the first line.
#[derive(Debug, Serialize, Deserialize)]
pub(super) enum Loaded {
    /// All seats are taken.
    Ready,
    /// It cannot work; in words.
    Refused(String),
}

/// From the host to a seat.
#[derive(Debug, Serialize, Deserialize)]
pub(super) enum ToSeat {
    /// Recognise this window of the samples that come as a descriptor.
    Listen {
        /// First byte of the window.
        offset: u64,
        /// Its length in bytes.
        length: u64,
        options: Options,
    },
    /// Nobody wants the answer any more.
    Cancel,
}

/// From a seat to the host: the answer to [`ToSeat::Listen`].
pub(super) type FromSeat = Result<Heard, Problem>;
