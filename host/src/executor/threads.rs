//! Attempts on threads of this process.
//!
//! Owns: the guests' own async runtime. Guests that spin share it with nobody.
//! Never: lets a guest near the engine's own thread.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use pframe_core::event::Record;
use pframe_core::fault::{Code, Fault};
use pframe_core::ids::AttemptId;
use pframe_core::scheduler::{Batch, Command, Start};
use tokio::runtime::Runtime;

use super::batch::run_batch;
use super::{Executor, Site, WAITERS_MAX, publishers};
use crate::sandbox::Stop;

/// How long the end of the process waits for a thread that is stuck in the operating system.
const SHUTDOWN_GRACE: Duration = Duration::from_millis(500);

/// Runs batches on a runtime of its own.
pub(crate) struct ThreadExecutor {
    site: Arc<Site>,
    runtime: Option<Runtime>,
    publishers: Option<Runtime>,
    stops: HashMap<AttemptId, Stop>,
}

impl ThreadExecutor {
    /// Starts `workers` guest threads.
    pub(crate) fn start(site: Arc<Site>, workers: usize) -> Result<Self, Fault> {
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(workers.max(1))
            .thread_name("pframe-guest")
            .max_blocking_threads(WAITERS_MAX)
            .enable_time()
            .build()
            .map_err(|error| Fault::new(Code::StateUnusable).detail(format!("threads: {error}")))?;
        let (runtime, publishers) = (Some(runtime), Some(publishers()?));
        Ok(Self { site, runtime, publishers, stops: HashMap::new() })
    }

    fn runtime(&self) -> &Runtime {
        self.runtime.as_ref().expect("the runtime lives as long as the executor")
    }

    fn start_batch(&mut self, batch: Batch) {
        let mut waiting: Vec<(Start, Stop)> = Vec::with_capacity(batch.attempts.len());
        for start in batch.attempts {
            let stop = Stop::default();
            self.stops.insert(start.attempt.clone(), stop.clone());
            waiting.push((start, stop));
        }
        self.runtime().spawn(run_batch(Arc::clone(&self.site), waiting));
    }
}

impl Executor for ThreadExecutor {
    fn obey(&mut self, command: Command) {
        match command {
            Command::Start(batch) => self.start_batch(batch),
            Command::Stop { attempt, fault } => {
                if let Some(stop) = self.stops.get(&attempt) {
                    stop.request(fault);
                }
            }
            Command::Publish { job, output } => {
                let site = Arc::clone(&self.site);
                let publishers = self.publishers.as_ref().expect("they live as long");
                publishers.spawn_blocking(move || site.publish(&job, output.as_ref()));
            }
        }
    }

    fn stop_all(&mut self) {
        for stop in self.stops.values() {
            stop.request(Fault::new(Code::Drained));
        }
    }

    fn recorded(&mut self, records: &[Record]) {
        for attempt in records.iter().filter_map(|record| record.event.ended_attempt()) {
            self.stops.remove(attempt);
        }
    }
}

impl Drop for ThreadExecutor {
    fn drop(&mut self) {
        self.stop_all();
        for runtime in [self.runtime.take(), self.publishers.take()].into_iter().flatten() {
            runtime.shutdown_timeout(SHUTDOWN_GRACE);
        }
    }
}
