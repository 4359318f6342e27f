//! What an attempt may use, and what it did use.
//!
//! Owns: [`Limits`], [`Usage`] and the defaults of both.
//! Never: enforces; the sandbox does.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::units::{ByteSize, Fuel};

/// What one attempt may use. Every field is enforced by the sandbox under its own fault code.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Limits {
    /// All linear memories of the attempt together.
    pub memory: ByteSize,
    /// Units of work; `None` counts without a limit.
    pub fuel: Option<Fuel>,
    /// Wall-clock time from the start of the attempt, waits included.
    pub timeout: Duration,
    /// Processor time of the thread that runs the guest, host calls included; `None` leaves it to `timeout`.
    pub cpu: Option<Duration>,
    /// Bytes of result.
    pub output: ByteSize,
    /// Bytes of the private disk `/scratch`, which is memory; zero gives none.
    pub disk: ByteSize,
}

impl Limits {
    /// Memory of the guest and of its private disk together.
    pub fn memory_with_disk(&self) -> ByteSize {
        ByteSize(self.memory.bytes().saturating_add(self.disk.bytes()))
    }
}

impl Default for Limits {
    /// 256 MiB of memory, an hour, 1 GiB of output, no disk; fuel is counted and unlimited.
    fn default() -> Self {
        Self {
            memory: ByteSize::mib(256),
            fuel: None,
            timeout: Duration::from_hours(1),
            cpu: None,
            output: ByteSize::gib(1),
            disk: ByteSize::ZERO,
        }
    }
}

/// What one attempt did use.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Usage {
    /// Units of work. After a trap it is a lower bound, see [`Usage::fuel_at_least`].
    pub fuel: Fuel,
    /// True where `fuel` is a lower bound: the engine loses what the last function had burnt when it traps.
    pub fuel_at_least: bool,
    /// The most memory the guest held at once, all memories together.
    pub memory_peak: ByteSize,
    /// From the start of the attempt to its end.
    pub wall: Duration,
    /// Processor time of the thread while it ran the attempt.
    pub cpu: Duration,
    /// From the order to run until the attempt began.
    pub queued: Duration,
    /// Bytes of input handed to the guest.
    pub input_bytes: ByteSize,
    /// Bytes of result written by the guest.
    pub output_bytes: ByteSize,
    /// Calls out of the sandbox that were denied for want of a grant.
    pub calls_denied: u32,
    /// True where nothing ran: the result is that of an earlier attempt.
    #[serde(default)]
    pub is_cached: bool,
    /// What the handler asked about itself: its result may depend on that.
    #[serde(default)]
    pub asked: Asked,
    /// What recognition of speech took, beside everything above.
    #[serde(default)]
    pub speech: SpeechUsage,
    /// What requests over HTTP took.
    #[serde(default)]
    pub http: HttpUsage,
}

/// What a handler asked beside its input and parameters.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default, Hash, Serialize, Deserialize,
)]
#[serde(rename_all = "kebab-case")]
pub enum Asked {
    /// Nothing.
    #[default]
    Nothing,
    /// Which chunk of how many it works on.
    Place,
    /// Of which job that is, or which try.
    Job,
}

/// What recognition of speech took.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct SpeechUsage {
    /// Audio that was listened to.
    pub audio: Duration,
    /// Processor time of the recognisers.
    pub cpu: Duration,
}

/// What requests over HTTP took: bodies alone, as they went over the line.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct HttpUsage {
    /// Requests that were sent, or tried.
    pub requests: u32,
    /// Bytes of their bodies.
    pub sent: ByteSize,
    /// Bytes of the bodies of responses.
    pub received: ByteSize,
}

impl HttpUsage {
    /// Adds what another attempt took.
    pub fn add(&mut self, other: Self) {
        self.requests = self.requests.saturating_add(other.requests);
        self.sent = ByteSize(self.sent.bytes().saturating_add(other.sent.bytes()));
        self.received = ByteSize(self.received.bytes().saturating_add(other.received.bytes()));
    }
}
