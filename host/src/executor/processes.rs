//! Attempts in worker processes.
//!
//! Owns: who works where: a worker serves one tenant and one component, idle ones are kept warm, and a component that
//! took two workers down is quarantined.
//! Never: lets two tenants, or two components, meet in one worker.

use std::collections::{HashMap, VecDeque};
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, mpsc};
use std::thread::JoinHandle;
use std::time::Duration;

use pframe_core::config::Isolation;
use pframe_core::event::Record;
use pframe_core::fault::{Code, Fault};
use pframe_core::ids::{AttemptId, Digest, TenantName};
use pframe_core::scheduler::{Batch, Command, Message, Outcome, Start};
use pframe_core::units::ByteSize;
use tokio::runtime::{Handle, Runtime};

use super::driver::{Bell, Driver};
use super::host_work;
use super::{Executor, Site, WAITERS_MAX, publishers};
use crate::process::group;
use crate::sandbox::Stop;

/// How long the end of the process waits for whoever still copies a result.
const SHUTDOWN_GRACE: Duration = Duration::from_millis(500);
/// Workers that a component may take down before it is quarantined.
const DEATHS_MAX: u32 = 2;

/// What a worker process is started from.
#[derive(Debug, Clone)]
pub(crate) struct WorkerProgram {
    /// This program, or another build of the same version.
    pub(crate) path: PathBuf,
    /// What the operating system adds.
    pub(crate) isolation: Isolation,
    /// The most memory that an attempt can be granted.
    pub(crate) memory_max: ByteSize,
}

/// Whom a worker serves.
pub(super) type Served = (TenantName, Digest);

/// A batch for a worker, each attempt with its stop, and the way back to the driver for when it has ended.
pub(super) struct Assigned {
    pub(super) attempts: Vec<(Start, Stop)>,
    pub(super) post: Post,
}

/// What all drivers share.
pub(super) struct Floor {
    pub(super) site: Arc<Site>,
    pub(super) program: WorkerProgram,
    /// Where files that guests left are put in their places: nobody who watches a worker waits for that.
    pub(super) clerks: Handle,
    /// Workers that wait, the one that waits longest first.
    idle: Mutex<VecDeque<Post>>,
    deaths: Mutex<HashMap<Served, u32>>,
    is_closing: AtomicBool,
}

/// How to reach a driver.
pub(super) struct Post {
    pub(super) served: Served,
    pub(super) batches: mpsc::Sender<Assigned>,
    pub(super) bell: Bell,
}

impl Floor {
    fn idle(&self) -> MutexGuard<'_, VecDeque<Post>> {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A driver waits for its next batch.
    pub(super) fn wait(&self, post: Post) {
        self.idle().push_back(post);
    }

    /// A driver ends: nobody shall reach it any more.
    pub(super) fn leave(&self, bell: &Bell) {
        self.idle().retain(|post| !post.bell.is(bell));
    }

    pub(super) fn is_closing(&self) -> bool {
        self.is_closing.load(Ordering::Acquire)
    }

    /// A component took its worker down. Other tenants' work with it goes on: it is their input that it sees there.
    pub(super) fn count_death(&self, served: &Served) {
        let mut deaths = self.deaths.lock().unwrap_or_else(PoisonError::into_inner);
        *deaths.entry(served.clone()).or_default() += 1;
    }

    /// The fault of a component that has done so too often.
    pub(super) fn quarantine(&self, served: &Served) -> Option<Fault> {
        let deaths = self.deaths.lock().unwrap_or_else(PoisonError::into_inner);
        let is_quarantined = deaths.get(served).is_some_and(|count| *count >= DEATHS_MAX);
        let (tenant, component) = served;
        is_quarantined.then(|| {
            let detail = format!("tenant `{tenant}`, sha256 {component}");
            Fault::new(Code::Quarantined).detail(detail)
        })
    }
}

/// Runs batches in worker processes, each driven by a thread.
pub(crate) struct ProcessExecutor {
    floor: Arc<Floor>,
    /// For the host's own steps.
    clerks: Option<Runtime>,
    publishers: Option<Runtime>,
    drivers: Vec<(Bell, JoinHandle<()>)>,
    /// With the bell of the driver, where a worker has it.
    stops: HashMap<AttemptId, (Stop, Option<Bell>)>,
    /// Workers kept warm while nobody needs them.
    warm_max: usize,
}

impl ProcessExecutor {
    /// Workers start when they are needed; `warm_max` of them stay when they are not.
    pub(crate) fn start(
        site: Arc<Site>,
        program: WorkerProgram,
        warm_max: usize,
    ) -> Result<Self, Fault> {
        let clerks = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(1)
            .thread_name("pframe-clerk")
            .max_blocking_threads(WAITERS_MAX)
            .build()
            .map_err(|error| Fault::new(Code::StateUnusable).detail(format!("threads: {error}")))?;
        group::sweep();
        let (idle, deaths) = (Mutex::default(), Mutex::default());
        let (clerk, is_closing) = (clerks.handle().clone(), AtomicBool::new(false));
        let floor = Floor { site, program, clerks: clerk, idle, deaths, is_closing };
        let (drivers, stops) = (Vec::new(), HashMap::new());
        let (clerks, publishers) = (Some(clerks), Some(publishers()?));
        Ok(Self { floor: Arc::new(floor), clerks, publishers, drivers, stops, warm_max })
    }

    fn clerks(&self) -> &Runtime {
        self.clerks.as_ref().expect("they live as long as the executor")
    }

    fn start_batch(&mut self, batch: Batch) {
        let Some(first) = batch.attempts.first() else { return };
        if host_work::is_hosts(first) {
            return batch.attempts.into_iter().for_each(|start| self.work_for(start));
        }
        let served = (first.job.tenant.clone(), first.job.task.component);
        let post = match self.take_post(&served) {
            Ok(post) => post,
            Err(fault) => return self.refuse(batch, &fault),
        };
        let with_stop = |start: Start| {
            let stop = Stop::default();
            self.stops.insert(start.attempt.clone(), (stop.clone(), Some(post.bell.clone())));
            (start, stop)
        };
        let attempts = batch.attempts.into_iter().map(with_stop).collect();
        let (batches, bell) = (post.batches.clone(), post.bell.clone());
        // A driver that has ended takes nothing any more.
        if let Err(mpsc::SendError(assigned)) = batches.send(Assigned { attempts, post }) {
            self.give_back(assigned.attempts);
        }
        bell.ring();
    }

    /// The worker that serves these already, else a new one in the place of the one that waits longest.
    fn take_post(&mut self, served: &Served) -> Result<Post, Fault> {
        self.drivers.retain(|(_, thread)| !thread.is_finished());
        let mut idle = self.floor.idle();
        if let Some(at) = idle.iter().rposition(|post| post.served == *served) {
            return Ok(idle.remove(at).expect("it was found there"));
        }
        while idle.len() >= self.warm_max.max(1) {
            // Its driver ends with it.
            let oldest = idle.pop_front().expect("at least one waits");
            let Post { batches, bell, .. } = oldest;
            drop(batches);
            bell.ring();
        }
        drop(idle);
        let (post, thread) = Driver::start(&self.floor, served.clone())?;
        self.drivers.push((post.bell.clone(), thread));
        Ok(post)
    }

    fn refuse(&self, batch: Batch, fault: &Fault) {
        let told = batch.attempts.into_iter().map(|start| Message::AttemptEnded {
            attempt: start.attempt,
            usage: pframe_core::limits::Usage::default(),
            outcome: Outcome::Failed(fault.clone()),
        });
        self.floor.site.inbox.send_all(told);
    }

    fn give_back(&self, attempts: Vec<(Start, Stop)>) {
        let told = attempts.into_iter().map(|(start, _)| Message::AttemptEnded {
            attempt: start.attempt,
            usage: pframe_core::limits::Usage::default(),
            outcome: Outcome::Returned,
        });
        self.floor.site.inbox.send_all(told);
    }

    /// The host's own work.
    fn work_for(&mut self, start: Start) {
        let stop = Stop::default();
        self.stops.insert(start.attempt.clone(), (stop.clone(), None));
        let floor = Arc::clone(&self.floor);
        self.clerks().spawn_blocking(move || {
            let outcome =
                host_work::perform(&floor.site, &start, &stop).unwrap_or_else(Outcome::Failed);
            let usage = pframe_core::limits::Usage::default();
            let ended = Message::AttemptEnded { attempt: start.attempt, usage, outcome };
            floor.site.inbox.send(ended);
        });
    }
}

impl Executor for ProcessExecutor {
    fn obey(&mut self, command: Command) {
        match command {
            Command::Start(batch) => self.start_batch(batch),
            Command::Stop { attempt, fault } => {
                if let Some((stop, bell)) = self.stops.get(&attempt) {
                    stop.request(fault);
                    bell.iter().for_each(Bell::ring);
                }
            }
            Command::Publish { job, output } => {
                let floor = Arc::clone(&self.floor);
                let publishers = self.publishers.as_ref().expect("they live as long");
                publishers.spawn_blocking(move || floor.site.publish(&job, output.as_ref()));
            }
        }
    }

    fn stop_all(&mut self) {
        for (stop, bell) in self.stops.values() {
            stop.request(Fault::new(Code::Drained));
            bell.iter().for_each(Bell::ring);
        }
    }

    fn recorded(&mut self, records: &[Record]) {
        for attempt in records.iter().filter_map(|record| record.event.ended_attempt()) {
            self.stops.remove(attempt);
        }
    }
}

impl Drop for ProcessExecutor {
    fn drop(&mut self) {
        self.stop_all();
        self.floor.is_closing.store(true, Ordering::Release);
        self.floor.idle().clear();
        for (bell, thread) in self.drivers.drain(..) {
            bell.ring();
            let _ = thread.join();
        }
        for runtime in [self.clerks.take(), self.publishers.take()].into_iter().flatten() {
            runtime.shutdown_timeout(SHUTDOWN_GRACE);
        }
    }
}
