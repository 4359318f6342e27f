//! What requests may take, and did take.
//!
//! Owns: the caps of an attempt, and counting against them.
//! Never: waits.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};

use pframe_core::limits::HttpUsage;
use pframe_core::units::ByteSize;
use tokio::sync::Semaphore;

use super::error::HttpError;

/// What may be asked for altogether.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Caps {
    /// Requests.
    pub(crate) requests: u32,
    /// Requests whose responses have not ended; further ones wait.
    pub(crate) at_once: usize,
    /// Bytes of the bodies of all requests.
    pub(crate) sent: u64,
    /// Bytes of the bodies of all responses.
    pub(crate) received: u64,
}

impl Caps {
    /// Of one attempt: enough for a handler that looks something up for each of its records, and far from what a
    /// machine's ports, descriptors and memory would notice.
    pub(crate) const ATTEMPT: Self =
        Self { requests: 10_000, at_once: 16, sent: 64 << 20, received: 256 << 20 };
}

/// What was taken so far.
#[derive(Debug)]
pub(crate) struct Account {
    caps: Caps,
    requests: AtomicU32,
    sent: AtomicU64,
    received: AtomicU64,
    pub(super) slots: Arc<Semaphore>,
}

impl Account {
    pub(crate) fn new(caps: Caps) -> Self {
        Self {
            caps,
            requests: AtomicU32::new(0),
            sent: AtomicU64::new(0),
            received: AtomicU64::new(0),
            slots: Arc::new(Semaphore::new(caps.at_once)),
        }
    }

    /// One more request.
    pub(super) fn begin(&self) -> Result<(), HttpError> {
        let more = |count: u32| (count < self.caps.requests).then_some(count + 1);
        let counted = self.requests.fetch_update(Ordering::Relaxed, Ordering::Relaxed, more);
        counted.map(drop).map_err(|_| HttpError::TooManyRequests)
    }

    /// So much more of a request's body.
    pub(super) fn send(&self, bytes: usize) -> Result<(), HttpError> {
        let sent = self.sent.fetch_add(bytes as u64, Ordering::Relaxed) + bytes as u64;
        match sent <= self.caps.sent {
            true => Ok(()),
            false => Err(HttpError::RequestTooLong(sent)),
        }
    }

    /// So much more of a response's body.
    pub(super) fn receive(&self, bytes: usize) -> Result<(), HttpError> {
        let received = self.received.fetch_add(bytes as u64, Ordering::Relaxed) + bytes as u64;
        match received <= self.caps.received {
            true => Ok(()),
            false => Err(HttpError::ResponseTooLong(received)),
        }
    }

    /// What it comes to.
    pub(crate) fn total(&self) -> HttpUsage {
        HttpUsage {
            requests: self.requests.load(Ordering::Relaxed),
            sent: ByteSize(self.sent.load(Ordering::Relaxed)),
            received: ByteSize(self.received.load(Ordering::Relaxed)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_cap_is_a_sum_over_all_requests() {
        let account = Account::new(Caps { requests: 2, at_once: 1, sent: 10, received: 10 });
        assert_eq!((account.begin(), account.begin()), (Ok(()), Ok(())));
        assert_eq!(account.begin(), Err(HttpError::TooManyRequests));
        assert_eq!(
            (account.send(6), account.send(6)),
            (Ok(()), Err(HttpError::RequestTooLong(12)))
        );
        assert_eq!(account.receive(10), Ok(()));
        assert_eq!(account.receive(1), Err(HttpError::ResponseTooLong(11)));
        assert_eq!(account.total().requests, 2, "what was refused is no request");
    }
}
