//! Waiting for the network on a thread that has nothing else to do.
//!
//! Owns: that such a wait ends, at its deadline or when somebody says so.
//! Never: runs on a thread that guests or the engine need.

use std::fmt;
use std::future::Future;
use std::pin::pin;
use std::sync::Arc;
use std::task::{Context, Poll, Wake, Waker};
use std::thread::Thread;
use std::time::{Duration, Instant};

use super::client::Outside;
use super::error::HttpError;

/// How often a wait looks whether it shall go on.
const LOOK_INTERVAL: Duration = Duration::from_millis(50);

/// How long somebody waits.
#[derive(Clone)]
pub(crate) struct Patience {
    pub(crate) deadline: Instant,
    /// True once nobody wants it any more.
    is_over: Option<Arc<dyn Fn() -> bool + Send + Sync>>,
}

impl fmt::Debug for Patience {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Patience").field("deadline", &self.deadline).finish_non_exhaustive()
    }
}

impl Patience {
    /// For so long, whatever happens.
    pub(crate) fn of(time: Duration) -> Self {
        let now = Instant::now();
        Self { deadline: now.checked_add(time).unwrap_or(now), is_over: None }
    }

    /// For so long, or until somebody says that it is over.
    pub(crate) fn until(
        time: Duration,
        is_over: impl Fn() -> bool + Send + Sync + 'static,
    ) -> Self {
        Self { is_over: Some(Arc::new(is_over)), ..Self::of(time) }
    }
}

struct Unpark(Thread);

impl Wake for Unpark {
    fn wake(self: Arc<Self>) {
        self.0.unpark();
    }
}

impl Outside {
    /// Waits on this thread; whatever is waited for ends with the wait.
    pub(crate) fn wait<T>(
        &self,
        patience: &Patience,
        work: impl Future<Output = Result<T, HttpError>>,
    ) -> Result<T, HttpError> {
        let handle = self.handle()?;
        let _clock = handle.enter();
        let mut work = pin!(work);
        let waker = Waker::from(Arc::new(Unpark(std::thread::current())));
        let mut context = Context::from_waker(&waker);
        loop {
            if let Poll::Ready(done) = work.as_mut().poll(&mut context) {
                return done;
            }
            if patience.is_over.as_ref().is_some_and(|is_over| is_over()) {
                return Err(HttpError::Cancelled);
            }
            if patience.deadline <= Instant::now() {
                return Err(HttpError::ReadTimeout);
            }
            std::thread::park_timeout(LOOK_INTERVAL);
        }
    }
}
