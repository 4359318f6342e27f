//! Measures the processor time of an attempt: what its thread used while it polled the attempt.
//!
//! Owns: the CPU clock of an attempt. Fuel is lost on a trap and says nothing about host calls, so
//! accounts are kept in CPU time (DESIGN §6).
//! Never: believes anything the guest says.

use std::cell::Cell;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::{Context, Poll};
use std::time::Duration;

use rustix::time::{ClockId, clock_gettime};

/// Processor time used so far. The future that measures and the callback that judges share it.
#[derive(Clone, Default)]
pub(crate) struct CpuTime(Arc<CpuTimeInner>);

#[derive(Default)]
struct CpuTimeInner {
    /// Nanoseconds of all finished polls.
    finished_ns: AtomicU64,
    /// The thread's clock at the start of the running poll.
    poll_started_ns: AtomicU64,
}

impl CpuTime {
    /// All finished polls.
    pub(crate) fn total(&self) -> Duration {
        Duration::from_nanos(self.0.finished_ns.load(Ordering::Relaxed))
    }

    /// All finished polls and the running one; to be asked from inside a poll.
    pub(crate) fn now(&self) -> Duration {
        let running = thread_ns().saturating_sub(self.0.poll_started_ns.load(Ordering::Relaxed));
        self.total() + Duration::from_nanos(running)
    }
}

/// An attempt that took less leaves next to nothing to do before the next one.
const TINY_NS: u64 = 1_000_000;

thread_local! {
    /// The thread's clock at the end of the poll before, if nothing but the next attempt of the same batch came since.
    static LAST_POLL_ENDED_NS: Cell<Option<u64>> = const { Cell::new(None) };
}

/// What this thread does next is not the next attempt of the batch that it just worked on. Within a batch, whose attempts are of
/// one tenant and one component, one attempt's clock starts where the clock of the one before ended: asking the
/// kernel twice would cost a tiny attempt a twentieth of its time.
pub(crate) fn forget_last_poll() {
    LAST_POLL_ENDED_NS.set(None);
}

fn thread_ns() -> u64 {
    let time = clock_gettime(ClockId::ThreadCPUTime);
    let seconds = u64::try_from(time.tv_sec).unwrap_or(0);
    seconds * 1_000_000_000 + u64::try_from(time.tv_nsec).unwrap_or(0)
}

/// A future whose polls are measured.
pub(crate) struct Metered<F> {
    future: Pin<Box<F>>,
    cpu: CpuTime,
}

impl<F: Future> Metered<F> {
    pub(crate) fn new(cpu: CpuTime, future: F) -> Self {
        Self { future: Box::pin(future), cpu }
    }
}

impl<F: Future> Future for Metered<F> {
    type Output = F::Output;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<F::Output> {
        let started = LAST_POLL_ENDED_NS.take().unwrap_or_else(thread_ns);
        self.cpu.0.poll_started_ns.store(started, Ordering::Relaxed);
        let poll = self.future.as_mut().poll(context);
        let ended = thread_ns();
        let used = ended.saturating_sub(started);
        self.cpu.0.finished_ns.fetch_add(used, Ordering::Relaxed);
        // After a poll that waits, anybody may come; and what was not tiny may leave the host much to tidy up.
        let is_tiny = poll.is_ready() && used < TINY_NS;
        LAST_POLL_ENDED_NS.set(is_tiny.then_some(ended));
        poll
    }
}
