//! Attempts on threads of this process.
//!
//! Owns: the guests' own async runtime. Guests that spin share it with nobody.
//! Never: reports an attempt twice, or not at all: what panics is reported by the guard that falls.

use std::collections::{BTreeMap, HashMap};
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use pframe_core::fault::{Code, Fault};
use pframe_core::ids::AttemptId;
use pframe_core::limits::Usage;
use pframe_core::scheduler::{Batch, Command, Message, Outcome, Start, Work};
use tokio::runtime::Runtime;

use super::Executor;
use super::assignment::{granted, join, outcome, prepare};
use super::logs::LogStore;
use crate::capability::output::SharedOutput;
use crate::capability::progress::ProgressSink;
use crate::capability::stdio::Capture;
use crate::data::publish::publish;
use crate::data::results::ResultStore;
use crate::inbox::Inbox;
use crate::registry::Registry;
use crate::sandbox::{Order, Sandbox, Stop, run};

/// How long the end of the process waits for a thread that is stuck in the operating system.
const SHUTDOWN_GRACE: Duration = Duration::from_millis(500);

/// How long a batch may take before what it has not begun is given back: behind an attempt that is
/// slower than its kind used to be, quick ones would wait although another thread is free.
const BATCH_PATIENCE: Duration = Duration::from_millis(20);

/// Everything that attempts share.
pub(crate) struct Site {
    pub(crate) sandbox: Sandbox,
    pub(crate) registry: Arc<Registry>,
    pub(crate) results: ResultStore,
    pub(crate) logs: Option<LogStore>,
    /// Values of the environment variables that some tenant may be granted.
    pub(crate) environment: BTreeMap<String, String>,
    pub(crate) inbox: Arc<Inbox>,
}

/// Runs batches on a runtime of its own.
pub(crate) struct ThreadExecutor {
    site: Arc<Site>,
    runtime: Option<Runtime>,
    stops: HashMap<AttemptId, Stop>,
}

impl ThreadExecutor {
    /// Starts `workers` guest threads.
    pub(crate) fn start(site: Site, workers: usize) -> Result<Self, Fault> {
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(workers.max(1))
            .thread_name("pframe-guest")
            .max_blocking_threads(8)
            .enable_time()
            .build()
            .map_err(|error| Fault::new(Code::StateUnusable).detail(format!("threads: {error}")))?;
        Ok(Self { site: Arc::new(site), runtime: Some(runtime), stops: HashMap::new() })
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
                self.runtime().spawn_blocking(move || {
                    let target = job.output.as_deref().map(Path::new);
                    let result = match (target, &output) {
                        (Some(path), Some(output)) => publish(output, path, &site.results),
                        _ => Ok(()),
                    };
                    site.inbox.published(job.id.clone(), result);
                });
            }
        }
    }

    fn stop_all(&mut self) {
        for stop in self.stops.values() {
            stop.request(Fault::new(Code::Drained));
        }
    }

    fn forget(&mut self, attempt: &AttemptId) {
        self.stops.remove(attempt);
    }
}

impl Drop for ThreadExecutor {
    fn drop(&mut self) {
        self.stop_all();
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_timeout(SHUTDOWN_GRACE);
        }
    }
}

async fn run_batch(site: Arc<Site>, waiting: Vec<(Start, Stop)>) {
    let ordered = Instant::now();
    let mut rest =
        Rest { site: &site, waiting: waiting.into_iter().rev().collect(), is_first: true };
    while let Some((start, stop)) = rest.next(ordered) {
        let mut report = Report { inbox: &site.inbox, attempt: Some(start.attempt.clone()) };
        let mut usage = Usage { queued: ordered.elapsed(), ..Usage::default() };
        let outcome = match perform(&site, &start, stop, &mut usage).await {
            Ok(outcome) => outcome,
            // The host stops: the attempt had not its full chance and is not charged.
            Err(fault) if fault.code == Code::Drained => Outcome::Returned,
            Err(fault) => Outcome::Failed(fault),
        };
        report.tell(usage, outcome);
    }
}

async fn perform(
    site: &Site,
    start: &Start,
    stop: Stop,
    usage: &mut Usage,
) -> Result<Outcome, Fault> {
    if let Some(fault) = stop.requested() {
        return Err(fault);
    }
    if let Work::Collect { parts } = &start.work
        && !start.job.task.collects
    {
        return join(site, parts).map(Outcome::Output);
    }
    let task = site.registry.get(&start.job.task.component).ok_or_else(|| {
        Fault::new(Code::Bug).detail("the component of an accepted job is not ready")
    })?;
    let prepared = prepare(site, start)?;
    let talk = Capture::default();
    let order = Order {
        assignment: prepared.assignment,
        parameters: Arc::clone(&start.job.parameters),
        limits: start.job.limits,
        granted: granted(site, start)?,
        stop,
        progress: ProgressSink::default(),
        output: SharedOutput::new(site.results.writer(), start.job.limits.output),
        talk: talk.clone(),
    };
    let result = run(&site.sandbox, &task, order, usage).await;
    keep_talk(site, &start.attempt, &talk);
    // An input that changed explains every other outcome.
    prepared.sources.iter().try_for_each(|source| source.verify())?;
    outcome(start, result?)
}

fn keep_talk(site: &Site, attempt: &AttemptId, talk: &Capture) {
    if let (Some(logs), Some(text)) = (&site.logs, talk.text()) {
        logs.keep(attempt, &text);
    }
}

/// Attempts of a batch that have not begun. What is left when the batch falls is given back.
struct Rest<'a> {
    site: &'a Site,
    /// The next one last.
    waiting: Vec<(Start, Stop)>,
    is_first: bool,
}

impl Rest<'_> {
    /// The next attempt; none where the batch has taken too long, unless its job asked for the batch.
    fn next(&mut self, ordered: Instant) -> Option<(Start, Stop)> {
        let next = self.waiting.pop()?;
        let is_first = self.is_first;
        self.is_first = false;
        if is_first || next.0.job.batch.is_some() || ordered.elapsed() < BATCH_PATIENCE {
            return Some(next);
        }
        self.waiting.push(next);
        None
    }
}

impl Drop for Rest<'_> {
    fn drop(&mut self) {
        for (start, _) in self.waiting.drain(..) {
            self.site.inbox.send(Message::AttemptEnded {
                attempt: start.attempt,
                usage: Usage::default(),
                outcome: Outcome::Returned,
            });
        }
    }
}

/// Makes sure that the scheduler hears of an attempt exactly once.
struct Report<'a> {
    inbox: &'a Inbox,
    attempt: Option<AttemptId>,
}

impl Report<'_> {
    fn tell(&mut self, usage: Usage, outcome: Outcome) {
        if let Some(attempt) = self.attempt.take() {
            self.inbox.send(Message::AttemptEnded { attempt, usage, outcome });
        }
    }
}

impl Drop for Report<'_> {
    fn drop(&mut self) {
        let outcome = match std::thread::panicking() {
            true => Outcome::Failed(
                Fault::new(Code::Bug).detail("the host panicked while it ran this attempt"),
            ),
            false => Outcome::Returned,
        };
        self.tell(Usage::default(), outcome);
    }
}
