//! Attempts that need not run because their result is there already (`cache: true`), around any other executor.
//!
//! Owns: who answers for an attempt: the cache, or the other executor, whose results it keeps. [`keys`] has what makes two
//! attempts the same.
//! Never: looks on the engine's own thread, and never takes a result for one that an attempt did not finish.

mod keys;

use std::collections::HashMap;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, mpsc};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use pframe_core::event::{Event, Output, Record};
use pframe_core::fault::{Code, Fault};
use pframe_core::ids::{AttemptId, Digest, TenantName};
use pframe_core::job::{Caching, Slice};
use pframe_core::limits::{Asked, Usage};
use pframe_core::scheduler::{Batch, Command, Message, Outcome, Start, Work};
use pframe_core::units::ByteSize;
use tokio::runtime::Runtime;

use self::keys::{Keys, keys};
use super::assignment::writer;
use super::host_work::is_hosts;
use super::{Executor, Site};
use crate::data::cache::ResultCache;
use crate::data::results::{Finished, ResultStore};
use crate::data::source::Bytes;
use crate::sandbox::Stop;

/// Bytes of results in memory that wait to be kept. Where attempts end faster than the disk takes them, some are not.
const WAITING_BYTES_MAX: usize = 256 << 20;
/// What waits costs beside its bytes.
const WAITING_OVERHEAD_BYTES: usize = 512;
/// How long the end of the process waits for a look that is stuck in the operating system.
const SHUTDOWN_GRACE: Duration = Duration::from_millis(500);

/// Takes results that are there, and has another executor make the others.
pub(crate) struct CachingExecutor {
    desk: Arc<Desk>,
    /// For looking; the threads read sources.
    clerks: Option<Runtime>,
    keeper: Option<(mpsc::Sender<Made>, JoinHandle<()>)>,
    stops: HashMap<AttemptId, Stop>,
}

/// What the clerks share.
struct Desk {
    site: Arc<Site>,
    cache: ResultCache,
    inner: Mutex<Box<dyn Executor>>,
    /// Of attempts that run, because their result was not there; with whose they are.
    keys: Mutex<HashMap<AttemptId, (Keys, TenantName)>>,
    waiting_bytes: AtomicUsize,
}

/// A result to be kept.
struct Made {
    tenant: TenantName,
    key: Digest,
    output: Output,
}

impl Made {
    fn memory(&self) -> usize {
        let bytes = match &self.output {
            Output::Inline { bytes, .. } => bytes.len(),
            Output::Stored { .. } => 0,
        };
        bytes + WAITING_OVERHEAD_BYTES
    }
}

impl CachingExecutor {
    /// Puts the cache before `inner`.
    pub(crate) fn start(
        site: &Arc<Site>,
        cache: ResultCache,
        inner: Box<dyn Executor>,
        workers: usize,
    ) -> Result<Self, Fault> {
        let no_thread = |error| Fault::new(Code::StateUnusable).detail(format!("threads: {error}"));
        let clerks = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(1)
            .thread_name("pframe-lookup")
            .max_blocking_threads(workers.max(1))
            .build()
            .map_err(no_thread)?;
        let desk = Arc::new(Desk {
            site: Arc::clone(site),
            cache,
            inner: Mutex::new(inner),
            keys: Mutex::default(),
            waiting_bytes: AtomicUsize::new(0),
        });
        let (sender, made) = mpsc::channel();
        let of_thread = Arc::clone(&desk);
        let keeper = std::thread::Builder::new()
            .name("pframe-keeper".into())
            .spawn(move || made.iter().for_each(|made| of_thread.keep(&made)))
            .map_err(no_thread)?;
        let keeper = Some((sender, keeper));
        Ok(Self { desk, clerks: Some(clerks), keeper, stops: HashMap::new() })
    }

    fn start_batch(&mut self, batch: Batch) {
        let Batch { attempts, reservation } = batch;
        let (wanted, plain): (Vec<_>, Vec<_>) = attempts.into_iter().partition(is_kept);
        if !plain.is_empty() {
            self.desk.inner().obey(Command::Start(Batch { attempts: plain, reservation }));
        }
        if wanted.is_empty() {
            return;
        }
        let with_stop = |start: Start| {
            let stop = Stop::default();
            self.stops.insert(start.attempt.clone(), stop.clone());
            (start, stop)
        };
        let wanted: Vec<_> = wanted.into_iter().map(with_stop).collect();
        let desk = Arc::clone(&self.desk);
        let clerks = self.clerks.as_ref().expect("they live as long as the executor");
        clerks.spawn_blocking(move || {
            let missing = desk.look_for(wanted);
            desk.run(missing, |attempts| Batch { attempts, reservation });
        });
    }

    /// Keeps what an attempt made that had to run.
    fn keep(&mut self, keys: Keys, tenant: &TenantName, usage: &Usage, output: Output) {
        let key = match usage.asked {
            Asked::Nothing => keys.anywhere,
            Asked::Place => keys.in_place,
            Asked::Job => keys.in_job,
        };
        let made = Made { tenant: tenant.clone(), key, output };
        let waiting = &self.desk.waiting_bytes;
        if waiting.load(Ordering::Relaxed) + made.memory() > WAITING_BYTES_MAX {
            tracing::debug!(%key, "results are made faster than they can be kept; this one is not");
            return;
        }
        waiting.fetch_add(made.memory(), Ordering::Relaxed);
        if let Output::Stored { sha256, .. } = made.output {
            // Its job may end, and release it, before it is copied.
            self.desk.site.results.use_once_more(sha256);
        }
        let (sender, _) = self.keeper.as_ref().expect("it lives as long as the executor");
        // A thread that is gone has panicked; then nothing is kept.
        let _ = sender.send(made);
    }
}

/// True where the result may be there, or shall be kept: not for what the host does itself, which is copying.
fn is_kept(start: &Start) -> bool {
    start.job.cache != Caching::Off && !is_hosts(start)
}

impl Executor for CachingExecutor {
    fn obey(&mut self, command: Command) {
        match command {
            Command::Start(batch) => self.start_batch(batch),
            Command::Stop { attempt, fault } => {
                // Under the lock, in which an attempt passes from a clerk to the other executor.
                let mut inner = self.desk.inner();
                if let Some(stop) = self.stops.get(&attempt) {
                    stop.request(fault.clone());
                }
                inner.obey(Command::Stop { attempt, fault });
            }
            Command::Publish { .. } => self.desk.inner().obey(command),
        }
    }

    fn stop_all(&mut self) {
        let mut inner = self.desk.inner();
        for stop in self.stops.values() {
            stop.request(Fault::new(Code::Drained));
        }
        inner.stop_all();
    }

    fn recorded(&mut self, records: &[Record]) {
        self.desk.inner().recorded(records);
        for (at, record) in records.iter().enumerate() {
            let Some(attempt) = record.event.ended_attempt() else { continue };
            if self.stops.remove(attempt).is_none() {
                continue;
            }
            let Some((keys, tenant)) = self.desk.forget(attempt) else { continue };
            match &record.event {
                Event::AttemptSucceeded { usage, output, .. } => {
                    self.keep(keys, &tenant, usage, output.clone());
                }
                Event::CutSucceeded { usage, .. } => {
                    if let Some(Event::ChunksPlanned { chunks, .. }) =
                        records.get(at + 1).map(|record| &record.event)
                    {
                        self.keep(keys, &tenant, usage, written(chunks));
                    }
                }
                _ => {}
            }
        }
    }
}

impl Drop for CachingExecutor {
    /// What is made is kept, however long that takes; nobody looks any more.
    fn drop(&mut self) {
        self.stop_all();
        if let Some(clerks) = self.clerks.take() {
            clerks.shutdown_timeout(SHUTDOWN_GRACE);
        }
        if let Some((sender, keeper)) = self.keeper.take() {
            drop(sender);
            let _ = keeper.join();
        }
    }
}

impl Desk {
    fn inner(&self) -> MutexGuard<'_, Box<dyn Executor>> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Answers for every attempt whose result is there; the others come back.
    fn look_for(&self, attempts: Vec<(Start, Stop)>) -> Vec<(Start, Stop)> {
        let mut missing = Vec::new();
        for (start, stop) in attempts {
            let began = Instant::now();
            let look = AssertUnwindSafe(|| self.look(&start, &stop));
            // Whatever goes wrong here goes wrong again where the attempt runs, and is told there.
            match catch_unwind(look).ok().flatten() {
                Some(outcome) => {
                    let usage =
                        Usage { wall: began.elapsed(), is_cached: true, ..Usage::default() };
                    let attempt = start.attempt;
                    self.site.inbox.send(Message::AttemptEnded { attempt, usage, outcome });
                }
                None => missing.push((start, stop)),
            }
        }
        missing
    }

    /// The outcome that is there already.
    fn look(&self, start: &Start, stop: &Stop) -> Option<Outcome> {
        let keys = keys(&self.site, start, stop).ok()?;
        let found = match start.job.cache {
            Caching::Use => self.find(start, &keys),
            Caching::Renew | Caching::Off => None,
        };
        if found.is_none() {
            let mut all = self.keys.lock().unwrap_or_else(PoisonError::into_inner);
            all.insert(start.attempt.clone(), (keys, start.job.tenant.clone()));
        }
        found
    }

    fn find(&self, start: &Start, keys: &Keys) -> Option<Outcome> {
        let tenant = &start.job.tenant;
        let limit = match start.work {
            // Cuts are no output, and are checked by their number.
            Work::Cut => ByteSize(u64::MAX),
            Work::Run { .. } | Work::Collect { .. } => start.job.limits.output,
        };
        let take = |key| self.cache.take(tenant, key, limit, &mut writer(&self.site, start));
        let all = [&keys.in_job, &keys.in_place, &keys.anywhere];
        let finished = all.into_iter().find_map(take)?;
        match start.work {
            Work::Cut => read(&finished, &self.site.results).map(Outcome::Cuts),
            Work::Run { .. } | Work::Collect { .. } => Some(Outcome::Output(finished.into())),
        }
    }

    /// Passes attempts on, but for those that somebody wanted to end meanwhile.
    fn run(&self, attempts: Vec<(Start, Stop)>, batch: impl FnOnce(Vec<Start>) -> Batch) {
        let mut inner = self.inner();
        let mut wanted = Vec::with_capacity(attempts.len());
        for (start, stop) in attempts {
            let Some(fault) = stop.requested() else {
                wanted.push(start);
                continue;
            };
            let outcome = match fault.code {
                Code::Drained => Outcome::Returned,
                _ => Outcome::Failed(fault),
            };
            let (attempt, usage) = (start.attempt, Usage::default());
            self.site.inbox.send(Message::AttemptEnded { attempt, usage, outcome });
        }
        if !wanted.is_empty() {
            inner.obey(Command::Start(batch(wanted)));
        }
    }

    /// What an attempt is known by that ran.
    fn forget(&self, attempt: &AttemptId) -> Option<(Keys, TenantName)> {
        self.keys.lock().unwrap_or_else(PoisonError::into_inner).remove(attempt)
    }

    fn keep(&self, made: &Made) {
        let results = &self.site.results;
        let kept = Bytes::open(&made.output, results)
            .map_err(std::io::Error::other)
            .and_then(|bytes| self.cache.keep(&made.tenant, &made.key, &bytes));
        if let Err(error) = kept {
            tracing::warn!(key = %made.key, %error, "a result cannot be kept for the next time");
        }
        if let Output::Stored { sha256, .. } = &made.output {
            results.release(sha256);
        }
        self.waiting_bytes.fetch_sub(made.memory(), Ordering::Relaxed);
    }
}

/// Cuts, as they are kept.
fn written(chunks: &[Slice]) -> Output {
    Output::inline(serde_json::to_vec(chunks).expect("cuts are valid JSON"))
}

fn read(finished: &Finished, results: &ResultStore) -> Option<Arc<[Slice]>> {
    let output = Output::from(finished.clone());
    let chunks = serde_json::from_reader(Bytes::open(&output, results).ok()?.reader()).ok();
    if let Output::Stored { sha256, .. } = output {
        results.release(&sha256);
    }
    chunks
}
