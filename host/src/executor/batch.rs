//! One batch: attempts of one tenant and one component, one after the other on one reservation.
//!
//! Owns: that the scheduler hears of every attempt of the batch exactly once, whatever happens.
//! Never: wakes the engine for each of many tiny attempts: their outcomes are told together.

use std::future::{Future, poll_fn};
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::Poll;
use std::time::{Duration, Instant};

use pframe_core::fault::{Code, Fault};
use pframe_core::ids::AttemptId;
use pframe_core::limits::Usage;
use pframe_core::scheduler::{Message, Outcome, Start, Work};

use super::Site;
use super::assignment::{
    Prepared, files, granted, has_files, is_fetched, outcome, prepare, writer,
};
use super::host_work;
use super::http::LocalHttp;
use super::keyvalue::shelf;
use super::outboxes::hold;
use super::speech::{Caller, LocalSpeech, put_off};
use crate::capability::Services;
use crate::capability::directories::{Directory, Files};
use crate::capability::input::Medium;
use crate::capability::output::SharedOutput;
use crate::capability::progress::ProgressSink;
use crate::capability::stdio::Capture;
use crate::sandbox::{Order, Stop, forget_last_poll, run};

/// How long a batch may take before what it has not begun is given back: behind an attempt that is
/// slower than its kind used to be, quick ones would wait although another thread is free.
const BATCH_PATIENCE: Duration = Duration::from_millis(20);
/// How long an outcome may wait for those of the attempts after it. A turn of the engine costs about
/// as much as ten tiny attempts, so a few hundred microseconds of them share one.
const TELL_INTERVAL: Duration = Duration::from_micros(300);

/// Runs a batch to its end.
pub(super) async fn run_batch(site: Arc<Site>, attempts: Vec<(Start, Stop)>) {
    let mut batch = BatchRun::new(&site, attempts);
    forget_last_poll();
    while let Some((start, stop)) = batch.next() {
        let mut usage = Usage { queued: batch.ordered.elapsed(), ..Usage::default() };
        let result = batch.watch(pin!(perform(&site, &start, stop, &mut usage))).await;
        let outcome = match result {
            Ok(outcome) => outcome,
            // The host stops: the attempt had not its full chance and is not charged.
            Err(fault) if fault.code == Code::Drained => Outcome::Returned,
            Err(fault) => Outcome::Failed(fault),
        };
        batch.ended(usage, outcome);
    }
}

async fn perform(
    site: &Arc<Site>,
    start: &Start,
    stop: Stop,
    usage: &mut Usage,
) -> Result<Outcome, Fault> {
    if let Some(fault) = stop.requested() {
        return Err(fault);
    }
    if host_work::is_hosts(start) {
        return work_for(site, start, &stop).await;
    }
    let task = site.registry.get(&start.job.task.component).ok_or_else(|| {
        Fault::new(Code::Bug).detail("the component of an accepted job is not ready")
    })?;
    stage(site, start, &stop).await?;
    let prepared = match is_fetched(start) {
        false => prepare(site, start, &stop)?,
        true => fetch(site, start, &stop).await?,
    };
    let files = match has_files(&start.job) {
        false => Files::default(),
        // Another process makes them: nobody else on this thread waits for that.
        true => make_files(site, start, &stop).await?,
    };
    let outboxes = files.outboxes.iter().map(hold).collect::<Result<Vec<_>, _>>()?;
    let talk = Capture::default();
    let caller = Caller::new(site, start);
    let speech = caller.account.clone();
    let http = LocalHttp::new(site, start);
    let requests = http.account();
    let order = Order {
        assignment: prepared.assignment,
        parameters: Arc::clone(&start.job.parameters),
        limits: start.job.limits,
        granted: granted(site, start)?,
        files,
        stop: stop.clone(),
        services: Services {
            progress: Box::new(ProgressSink::new(&site.progress, start.attempt.clone())),
            speech: Box::new(LocalSpeech(caller)),
            http: Box::new(http),
            keyvalue: Box::new(shelf(site, start)),
        },
        output: SharedOutput::new(writer(site, start), start.job.limits.output),
        talk: talk.clone(),
    };
    let result = run(&site.sandbox, &task, order, usage).await;
    usage.speech = speech.total();
    usage.http = requests.total();
    if let Err(fault) = &result
        && let Some(after) = speech.put_off(fault)
    {
        return Ok(put_off(fault, after));
    }
    keep_talk(site, &start.attempt, &talk);
    // An input that changed explains every other outcome.
    prepared.unchanged.check()?;
    let outcome = outcome(start, result?)?;
    if !outboxes.is_empty() {
        deliver(site, start, stop, outboxes, usage).await?;
    }
    Ok(outcome)
}

/// Puts what the attempt left for other directories there. It ends by itself when it is late or told to: whoever hears that
/// an attempt failed knows that nothing of it appears any more.
async fn deliver(
    site: &Arc<Site>,
    start: &Start,
    stop: Stop,
    outboxes: Vec<Directory>,
    usage: &mut Usage,
) -> Result<(), Fault> {
    let (site, start, mut used) = (Arc::clone(site), start.clone(), *usage);
    let delivering = tokio::task::spawn_blocking(move || {
        let delivered = site.outboxes.deliver(&start, &stop, outboxes, &mut used);
        (delivered, used)
    });
    let lost = |_| Fault::new(Code::Bug).detail("the host's own work");
    let (delivered, used) = delivering.await.map_err(lost)?;
    *usage = used;
    delivered
}

/// What the host does itself, on a thread that may wait.
async fn work_for(site: &Arc<Site>, start: &Start, stop: &Stop) -> Result<Outcome, Fault> {
    let (site, start, of_thread) = (Arc::clone(site), start.clone(), stop.clone());
    let working =
        tokio::task::spawn_blocking(move || host_work::perform(&site, &start, &of_thread));
    tokio::select! {
        done = working => done.unwrap_or_else(|_| Err(Fault::new(Code::Bug).detail("the host's own work"))),
        fault = stop.wait() => Err(fault),
    }
}

/// Decodes the recording that a chunk is cut from, where that is not done yet (after a restart): in another process, and
/// nobody else on this thread waits for it.
async fn stage(site: &Site, start: &Start, stop: &Stop) -> Result<(), Fault> {
    let Work::Run { slice, .. } = &start.work else { return Ok(()) };
    let index = slice.source as usize;
    if Medium::of(&start.job.chunking) == Medium::Bytes
        || site.recordings.has(&start.job.inputs[index])
    {
        return Ok(());
    }
    let (recordings, job) = (Arc::clone(&site.recordings), Arc::clone(&start.job));
    let stores = site.stores(&start.job, stop);
    let staging = tokio::task::spawn_blocking(move || recordings.open(&job.inputs, index, &stores));
    tokio::select! {
        staged = staging => staged.map_or_else(|_| Err(Fault::new(Code::Bug).detail("staging")), |staged| staged.map(drop)),
        fault = stop.wait() => Err(fault),
    }
}

/// Opens what the attempt needs, where that has to be fetched: nobody else on this thread waits for it.
async fn fetch(site: &Arc<Site>, start: &Start, stop: &Stop) -> Result<Prepared, Fault> {
    let (site, start, of_thread) = (Arc::clone(site), start.clone(), stop.clone());
    let fetching = tokio::task::spawn_blocking(move || prepare(&site, &start, &of_thread));
    tokio::select! {
        prepared = fetching => prepared.unwrap_or_else(|_| Err(Fault::new(Code::Bug).detail("fetching"))),
        fault = stop.wait() => Err(fault),
    }
}

async fn make_files(site: &Arc<Site>, start: &Start, stop: &Stop) -> Result<Files, Fault> {
    let (site, job) = (Arc::clone(site), Arc::clone(&start.job));
    let making = tokio::task::spawn_blocking(move || files(&site, &job));
    tokio::select! {
        made = making => made.unwrap_or_else(|_| Err(Fault::new(Code::Bug).detail("making directories"))),
        fault = stop.wait() => Err(fault),
    }
}

fn keep_talk(site: &Site, attempt: &AttemptId, talk: &Capture) {
    if let (Some(logs), Some(text)) = (&site.logs, talk.text()) {
        logs.keep(attempt, &text);
    }
}

/// What is left of a batch, and what is to be told of it. When it falls, everything is told.
struct BatchRun<'a> {
    site: &'a Site,
    ordered: Instant,
    told: Instant,
    /// The next one last.
    waiting: Vec<(Start, Stop)>,
    running: Option<AttemptId>,
    outcomes: Vec<Message>,
}

impl<'a> BatchRun<'a> {
    fn new(site: &'a Site, mut attempts: Vec<(Start, Stop)>) -> Self {
        attempts.reverse();
        let now = Instant::now();
        let outcomes = Vec::new();
        Self { site, ordered: now, told: now, waiting: attempts, running: None, outcomes }
    }

    /// The next attempt.
    fn next(&mut self) -> Option<(Start, Stop)> {
        self.give_back_when_late();
        let next = self.waiting.pop()?;
        self.running = Some(next.0.attempt.clone());
        Some(next)
    }

    /// Waits for the running attempt. One that does not end at once holds up nobody: what ended before it
    /// is told, and what stands behind it is given back when the batch has taken too long.
    async fn watch<T>(&mut self, mut attempt: Pin<&mut impl Future<Output = T>>) -> T {
        let first_look = poll_fn(|context| Poll::Ready(attempt.as_mut().poll(context))).await;
        if let Poll::Ready(result) = first_look {
            return result;
        }
        self.tell();
        let late = tokio::time::sleep_until((self.ordered + BATCH_PATIENCE).into());
        tokio::select! {
            biased;
            result = attempt.as_mut() => return result,
            () = late, if !self.waiting.is_empty() => {}
        }
        self.give_back_when_late();
        self.tell();
        attempt.await
    }

    /// Gives back what has not begun, unless the job asked for the batch.
    fn give_back_when_late(&mut self) {
        let is_asked_for = self.waiting.last().is_some_and(|(next, _)| next.job.batch.is_some());
        if !is_asked_for && self.ordered.elapsed() >= BATCH_PATIENCE {
            self.give_back();
        }
    }

    fn give_back(&mut self) {
        let left = self.waiting.drain(..).rev().map(|(start, _)| Message::AttemptEnded {
            attempt: start.attempt,
            usage: Usage::default(),
            outcome: Outcome::Returned,
        });
        self.outcomes.extend(left);
    }

    /// Takes down how the running attempt ended, and tells it unless the next will end at once.
    fn ended(&mut self, usage: Usage, outcome: Outcome) {
        self.note(usage, outcome);
        if self.told.elapsed() >= TELL_INTERVAL {
            self.tell();
        }
    }

    fn note(&mut self, usage: Usage, outcome: Outcome) {
        if let Some(attempt) = self.running.take() {
            self.outcomes.push(Message::AttemptEnded { attempt, usage, outcome });
        }
    }

    fn tell(&mut self) {
        self.site.inbox.send_all(self.outcomes.drain(..));
        self.told = Instant::now();
    }
}

impl Drop for BatchRun<'_> {
    /// Reached at the end of the batch, when the host ends, and when an attempt panics.
    fn drop(&mut self) {
        let outcome = match std::thread::panicking() {
            true => Outcome::Failed(
                Fault::new(Code::Bug).detail("the host panicked while it ran this attempt"),
            ),
            false => Outcome::Returned,
        };
        self.note(Usage::default(), outcome);
        self.give_back();
        self.tell();
    }
}
