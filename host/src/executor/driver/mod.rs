//! One worker process and the thread that drives it: orders out, outcomes in, clocks watched.
//!
//! Owns: that the scheduler hears of every attempt exactly once, however the worker behaves. [`hear`] has what the worker
//! says, [`clocks`] what it uses.
//! Never: believes the worker.

mod clocks;
mod hear;

use std::collections::VecDeque;
use std::os::fd::OwnedFd;
use std::sync::{Arc, mpsc};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use pframe_core::fault::{Code, Fault, Retry};
use pframe_core::job::JobSpec;
use pframe_core::limits::Usage;
use pframe_core::scheduler::{Message, Outcome, Start, Work};
use pframe_core::units::ByteSize;
use rustix::event::{EventfdFlags, PollFd, PollFlags, Timespec, eventfd, poll};

use super::assignment::{
    JobSources, Unchanged, bytes, files, granted, has_files, open_for, writer,
};
use super::handover::Found;
use super::http::HttpLine;
use super::keyvalue::shelf;
use super::outboxes::hold;
use super::processes::{Assigned, Floor, Post, Served};
use super::sent::Sent;
use super::speech::SpeechLine;
use crate::capability::directories::Directory;
use crate::capability::progress::ProgressSink;
use crate::process::child::ChildProcess;
use crate::process::frame::{FrameError, Incoming, Outgoing};
use crate::registry::compatibility;
use crate::sandbox::Stop;
use crate::worker::protocol::{Ending, OrderedWork, RunOrder, ToWorker};

/// Orders that a worker may have before it at once.
const SENT_MAX: usize = 64;
/// How long a batch may take before what it has not begun is given back (as on threads).
const BATCH_PATIENCE: Duration = Duration::from_millis(20);
/// How much later than its deadline, or than a stop, a worker is killed.
const KILL_GRACE: Duration = Duration::from_secs(1);
/// How often clocks and memory are looked at while something runs.
const LOOK_INTERVAL: Duration = Duration::from_millis(20);
const IDLE_LOOK_INTERVAL: Duration = Duration::from_secs(1);
/// Memory of a worker beside its guest: the engine, stacks, frames.
const OVERHEAD: ByteSize = ByteSize::mib(64);

/// What the kernel needs to keep a disk's files, beside their bytes.
const DISK_OVERHEAD: ByteSize = ByteSize::mib(64);

/// Wakes a driver.
#[derive(Clone)]
pub(super) struct Bell(Arc<OwnedFd>);

impl Bell {
    fn new() -> Result<Self, Fault> {
        eventfd(0, EventfdFlags::CLOEXEC | EventfdFlags::NONBLOCK)
            .map(|bell| Self(Arc::new(bell)))
            .map_err(|error| Fault::new(Code::WorkerUnusable).detail(error.to_string()))
    }

    pub(super) fn ring(&self) {
        let _ = rustix::io::write(&self.0, &1_u64.to_ne_bytes());
    }

    fn hush(&self) {
        let _ = rustix::io::read(&self.0, &mut [0; 8]);
    }

    pub(super) fn is(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }
}

/// A worker process that was started.
struct Worker {
    child: ChildProcess,
    incoming: Incoming,
    outgoing: Outgoing,
    /// It stands in its jail with its component loaded.
    is_ready: bool,
    /// It was made for one attempt, with that attempt's directories.
    has_files: bool,
    /// The host's own hold on what that attempt leaves for other directories.
    outboxes: Vec<Directory>,
    started: Instant,
    heard: Instant,
    /// When its clocks were looked at.
    looked: Instant,
    /// Since when time counts for the order in front.
    since: Instant,
    /// Processor time that was charged already.
    cpu_charged: Duration,
    /// What it may have, with its guest.
    memory_max: ByteSize,
    /// The order that the last look at the clocks found in front.
    late_order: Option<u64>,
}

/// An order that ended, before it is told.
struct Done {
    sent: Sent,
    usage: Usage,
    ending: Ending,
}

/// Why a worker is no more.
struct Loss {
    fault: Fault,
    /// The component did it, not the host or somebody outside.
    is_its_doing: bool,
}

/// Drives one worker.
pub(super) struct Driver {
    floor: Arc<Floor>,
    served: Served,
    batches: mpsc::Receiver<Assigned>,
    /// How this driver is reached; it comes with a batch and is offered again when that has ended.
    post: Option<Post>,
    bell: Bell,
    worker: Option<Worker>,
    /// With its first word, more may have come than that.
    has_unread: bool,
    next_order: u64,
    /// When the batch was ordered.
    ordered: Instant,
    waiting: VecDeque<(Start, Stop)>,
    sent: VecDeque<Sent>,
    is_recalled: bool,
    /// What ended and was not accounted for yet.
    done: VecDeque<Done>,
    told: Vec<Message>,
}

impl Driver {
    /// Starts the thread; the process starts with the first batch.
    pub(super) fn start(
        floor: &Arc<Floor>,
        served: Served,
    ) -> Result<(Post, JoinHandle<()>), Fault> {
        let (sender, batches) = mpsc::channel();
        let bell = Bell::new()?;
        let driver = Self {
            floor: Arc::clone(floor),
            served: served.clone(),
            batches,
            post: None,
            bell: bell.clone(),
            worker: None,
            has_unread: false,
            next_order: 0,
            ordered: Instant::now(),
            waiting: VecDeque::new(),
            sent: VecDeque::new(),
            is_recalled: false,
            done: VecDeque::new(),
            told: Vec::new(),
        };
        let thread = std::thread::Builder::new()
            .name("pframe-driver".into())
            .spawn(move || driver.drive())
            .map_err(|error| Fault::new(Code::WorkerUnusable).detail(error.to_string()))?;
        Ok((Post { served, batches: sender, bell }, thread))
    }

    fn drive(mut self) {
        loop {
            // In this order: the bell that rings for the end must not be hushed after the look.
            if !self.take_batches() || self.floor.is_closing() {
                break;
            }
            let result = self.turn();
            if let Err(loss) = result {
                self.lose(loss);
            }
            self.tell();
        }
    }

    /// Takes in what was ordered; false where nobody can order anything any more.
    fn take_batches(&mut self) -> bool {
        self.bell.hush();
        loop {
            match self.batches.try_recv() {
                Ok(assigned) => {
                    self.ordered = Instant::now();
                    self.waiting.extend(assigned.attempts);
                    self.post = Some(assigned.post);
                }
                Err(mpsc::TryRecvError::Empty) => return true,
                Err(mpsc::TryRecvError::Disconnected) => return self.is_busy(),
            }
        }
    }

    fn is_busy(&self) -> bool {
        !self.waiting.is_empty() || !self.sent.is_empty()
    }

    fn turn(&mut self) -> Result<(), Loss> {
        self.pass_stops();
        self.pass_transcripts()?;
        self.pass_http()?;
        self.fill()?;
        self.recall_when_late();
        self.wait_and_hear()?;
        self.watch_clocks()
    }

    /// Orders what the worker has room for. An attempt with directories has a worker of its own, that no other comes near:
    /// it is made with them and ends with the attempt.
    fn fill(&mut self) -> Result<(), Loss> {
        while self.sent.len() < SENT_MAX {
            let next = self.waiting.front().is_some_and(|(start, _)| has_files(&start.job));
            if next || self.worker.as_ref().is_some_and(|worker| worker.has_files) {
                if !self.sent.is_empty() {
                    break;
                }
                self.worker = None;
            }
            let Some((start, stop)) = self.waiting.pop_front() else { break };
            let refused = stop.requested().or_else(|| self.floor.quarantine(&self.served));
            let sent = match refused {
                Some(fault) => Err(fault),
                // Whoever asked for the end meanwhile is answered with his own words.
                None => self.send(&start, &stop).map_err(|fault| stop.requested().unwrap_or(fault)),
            };
            if let Err(fault) = sent {
                self.end(start, Usage::default(), Err(fault));
            }
        }
        let Some(worker) = &mut self.worker else { return Ok(()) };
        worker.outgoing.flush(worker.child.line()).map_err(|error| self.loss_of(&error))
    }

    fn send(&mut self, start: &Start, stop: &Stop) -> Result<(), Fault> {
        let site = &self.floor.site;
        let mut descriptors = Vec::new();
        let (work, unchanged) = match &start.work {
            Work::Cut => {
                let sources = count(start.job.inputs.len());
                (
                    OrderedWork::Cut { sources },
                    Unchanged::Sources(JobSources::of(site, start, stop)),
                )
            }
            Work::Run { slice, count } => {
                let stores = site.stores(&start.job, Some(stop));
                let source = open_for(&start.job, *slice, &stores)?;
                let index = slice.source as usize;
                let (medium, heard) = bytes(site, &start.job, &source, index, &stores)?;
                let piece = Found::from(&*heard).piece(&mut descriptors)?;
                let work = OrderedWork::Run { slice: *slice, count: *count, source: piece, medium };
                (work, Unchanged::Source(source))
            }
            Work::Collect { parts, .. } => {
                (OrderedWork::Collect { parts: count(parts.len()) }, Unchanged::Nothing)
            }
        };
        let order = RunOrder {
            order: self.next_order,
            attempt: start.attempt.clone(),
            work,
            parameters: start.job.parameters.to_string(),
            limits: start.job.limits,
            granted: granted(site, start)?,
        };
        let sent = Sent {
            order: self.next_order,
            start: start.clone(),
            stop: stop.clone(),
            ordered: self.ordered,
            stopped: None,
            unchanged,
            writer: writer(site, start),
            written: 0,
            parts_made: 0,
            pieces_fetched: 0,
            progress: ProgressSink::new(&site.progress, start.attempt.clone()),
            speech: SpeechLine::new(site, start),
            http: HttpLine::new(site, start),
            shelf: shelf(site, start),
        };
        let is_first = self.sent.is_empty();
        // All attempts in one worker are of one job's shape, but perhaps of two jobs with other limits: the larger counts.
        let others = self.sent.iter().map(|sent| sent.start.job.limits.memory);
        let memory = others.fold(start.job.limits.memory, ByteSize::max);
        let disk = start.job.limits.disk;
        let worker = self.worker(&start.job)?;
        worker.memory_max = ByteSize(memory.bytes() + OVERHEAD.bytes());
        // The kernel counts a disk's pages as the worker's; what is polled does not contain them.
        let disk_bytes =
            if disk > ByteSize::ZERO { disk.bytes() + DISK_OVERHEAD.bytes() } else { 0 };
        let held = ByteSize(worker.memory_max.bytes() + disk_bytes);
        worker.child.hold_memory(held);
        worker.outgoing.push(&ToWorker::Run(Box::new(order)), descriptors).map_err(|error| {
            Fault::new(Code::TooBig).detail(format!("an order for a worker: {error}"))
        })?;
        if is_first && worker.is_ready {
            worker.since = Instant::now();
            worker.heard = worker.since;
            worker.cpu_charged = worker.child.cpu();
        }
        self.next_order += 1;
        self.sent.push_back(sent);
        Ok(())
    }

    /// The worker, started if there is none.
    fn worker(&mut self, job: &JobSpec) -> Result<&mut Worker, Fault> {
        if self.worker.is_none() {
            self.worker = Some(self.start_worker(job)?);
            self.has_unread = true;
        }
        Ok(self.worker.as_mut().expect("it was started just now"))
    }

    fn start_worker(&self, job: &JobSpec) -> Result<Worker, Fault> {
        let Floor { program, site, .. } = &*self.floor;
        let component = self.served.1;
        let mut descriptors = vec![site.registry.artefact(&component)?];
        let files = files(site, job)?;
        let (has_files, has_disk) = (!files.is_empty(), files.scratch.is_some());
        descriptors.extend(files.scratch.map(OwnedFd::from));
        let outboxes = files.outboxes.iter().map(hold).collect::<Result<_, _>>()?;
        let mut name_of = |Directory { name, root }| {
            descriptors.push(root.into());
            name
        };
        let directories = files.directories.into_iter().map(&mut name_of).collect();
        let outbox_names = files.outboxes.into_iter().map(&mut name_of).collect();
        let mut incoming = Incoming::without_descriptors();
        let child =
            ChildProcess::start(&program.path, &["worker"], program.isolation, &mut incoming)?;
        rustix::io::ioctl_fionbio(child.line(), true)
            .map_err(|error| Fault::new(Code::WorkerUnusable).detail(error.to_string()))?;
        let mut outgoing = Outgoing::default();
        let engine = compatibility(site.sandbox.engine());
        let memory_max = program.memory_max;
        let load = ToWorker::Load {
            component,
            memory_max,
            engine,
            has_disk,
            directories,
            outboxes: outbox_names,
        };
        outgoing
            .push(&load, descriptors)
            .map_err(|error| Fault::new(Code::WorkerUnusable).detail(error.to_string()))?;
        let now = Instant::now();
        Ok(Worker {
            child,
            incoming,
            outgoing,
            is_ready: false,
            has_files,
            outboxes,
            started: now,
            heard: now,
            looked: now,
            since: now,
            cpu_charged: Duration::ZERO,
            memory_max: OVERHEAD,
            late_order: None,
        })
    }

    /// Tells the worker of stops, once each.
    fn pass_stops(&mut self) {
        let Some(worker) = &mut self.worker else { return };
        for sent in self.sent.iter_mut().filter(|sent| sent.stopped.is_none()) {
            let Some(fault) = sent.stop.requested() else { continue };
            let stop = ToWorker::Stop { order: sent.order, fault: (&fault).into() };
            let _ = worker.outgoing.push(&stop, Vec::new());
            sent.speech.cancel();
            sent.stopped = Some((Instant::now(), fault));
        }
    }

    /// Behind an attempt that is slower than its kind used to be, quick ones would wait although another slot is free.
    fn recall_when_late(&mut self) {
        let behind = self.sent.iter().skip(1).map(|sent| &sent.start);
        let mut behind = behind.chain(self.waiting.iter().map(|(start, _)| start));
        let is_asked_for = behind.next().is_none_or(|start| start.job.batch.is_some());
        if is_asked_for || self.is_recalled || self.ordered.elapsed() < BATCH_PATIENCE {
            return;
        }
        for (start, _) in std::mem::take(&mut self.waiting) {
            self.note(start, Usage::default(), Outcome::Returned);
        }
        if let Some(worker) = &mut self.worker
            && worker.is_ready
            && self.sent.len() > 1
        {
            self.is_recalled = worker.outgoing.push(&ToWorker::Recall, Vec::new()).is_ok();
        }
    }

    /// Sleeps until there is something to hear, to send or to do, and hears it.
    fn wait_and_hear(&mut self) -> Result<(), Loss> {
        let is_busy = self.is_busy();
        if !is_busy {
            self.offer();
        }
        self.tell();
        if std::mem::take(&mut self.has_unread) && self.worker.is_some() {
            return self.understand_all();
        }
        // A worker that waits is looked at too, but not often.
        let patience = match (is_busy, &self.worker) {
            (true, _) => Some(LOOK_INTERVAL),
            (false, Some(_)) => Some(IDLE_LOOK_INTERVAL),
            (false, None) => None,
        };
        let patience = patience.map(|it| Timespec::try_from(it).expect("at most a second"));
        let mut watched = vec![PollFd::new(&*self.bell.0, PollFlags::IN)];
        if let Some(worker) = &self.worker {
            let sends =
                if worker.outgoing.is_empty() { PollFlags::empty() } else { PollFlags::OUT };
            watched.push(PollFd::from_borrowed_fd(worker.child.line(), PollFlags::IN | sends));
        }
        let _ = poll(&mut watched, patience.as_ref());
        let events = watched.get(1).map(PollFd::revents);
        if events.is_some_and(|events| {
            events.intersects(PollFlags::IN | PollFlags::HUP | PollFlags::ERR)
        }) {
            self.hear()?;
        }
        Ok(())
    }

    /// Lets the executor find this driver, before the last outcomes are told: the next batch may follow on them.
    fn offer(&mut self) {
        if let Some(post) = self.post.take() {
            self.floor.wait(post);
        }
    }

    fn hear(&mut self) -> Result<(), Loss> {
        let worker = self.worker.as_mut().expect("its line was watched");
        let received = worker.incoming.receive(worker.child.line());
        self.understand_all()?;
        if self.worker.is_none() {
            return Ok(());
        }
        received.map(drop).map_err(|error| self.loss_of(&error))
    }

    /// Takes in every whole frame. What ended did end, even if the line broke after that.
    fn understand_all(&mut self) -> Result<(), Loss> {
        let understood = self.understand_each();
        let is_for_one = self.worker.as_ref().is_some_and(|worker| worker.has_files);
        self.account();
        if self.sent.is_empty() && is_for_one {
            // Its disk goes with it, before anybody hears that its memory is free.
            self.worker = None;
            return Ok(());
        }
        if let Some(worker) = &mut self.worker {
            worker.heard = Instant::now();
        }
        understood
    }

    /// Why the line broke.
    fn loss_of(&mut self, error: &FrameError) -> Loss {
        match error {
            FrameError::Malformed(what) => against(what),
            FrameError::Closed | FrameError::Io(_) => {
                let Some(worker) = &mut self.worker else { return against("no worker") };
                let death = worker.child.end(false);
                let fault = death.fault();
                let is_its_doing =
                    worker.is_ready && matches!(fault.code, Code::NativeCrash | Code::OutOfMemory);
                Loss { fault, is_its_doing }
            }
        }
    }

    /// The worker is no more: the attempt in front was under way, the others had not begun.
    fn lose(&mut self, loss: Loss) {
        let worker = self.worker.take();
        let was_ready = worker.as_ref().is_some_and(|worker| worker.is_ready);
        let cpu = worker
            .as_ref()
            .map_or(Duration::ZERO, |worker| worker.child.cpu().saturating_sub(worker.cpu_charged));
        let wall = worker.as_ref().map_or(Duration::ZERO, |worker| worker.since.elapsed());
        drop(worker);
        self.is_recalled = false;
        if loss.is_its_doing {
            self.floor.count_death(&self.served);
        }
        if self.sent.is_empty() && self.waiting.is_empty() {
            return;
        }
        if !was_ready && loss.fault.code.retry() == Retry::Never {
            // Nothing can run here: everybody hears why.
            let sent = std::mem::take(&mut self.sent).into_iter().map(|sent| sent.start);
            let waiting = std::mem::take(&mut self.waiting).into_iter().map(|(start, _)| start);
            for start in sent.chain(waiting).collect::<Vec<_>>() {
                self.end(start, Usage::default(), Err(loss.fault.clone()));
            }
            return;
        }
        if let Some(mut front) = self.sent.pop_front() {
            let (speech, http) = (front.speech.total(), front.http.total());
            let usage = Usage { wall, cpu, fuel_at_least: true, speech, http, ..Usage::default() };
            // Whoever asked for the end is answered with his own words.
            let fault = front.stopped.map_or(loss.fault, |(_, fault)| fault);
            self.end(front.start, usage, Err(fault));
        }
        for sent in std::mem::take(&mut self.sent).into_iter().rev() {
            self.waiting.push_front((sent.start, sent.stop));
        }
    }

    /// The end of an attempt that its worker told. If that left files for other directories, a clerk puts them there before
    /// anybody hears that it ended well, and after the worker is gone: nobody changes them any more.
    fn end_with_files(
        &mut self,
        (start, stop): (Start, Stop),
        mut usage: Usage,
        outcome: Result<Outcome, Fault>,
    ) {
        let is_good = matches!(&outcome, Ok(Outcome::Output(_) | Outcome::Cuts(_)));
        let outboxes = match &mut self.worker {
            Some(worker) if is_good => std::mem::take(&mut worker.outboxes),
            Some(_) | None => Vec::new(),
        };
        if outboxes.is_empty() {
            return self.end(start, usage, outcome);
        }
        self.worker = None;
        let floor = Arc::clone(&self.floor);
        self.floor.clerks.spawn_blocking(move || {
            let delivered = floor.site.outboxes.deliver(&start, &stop, outboxes, &mut usage);
            let outcome = as_told(outcome.and_then(|outcome| delivered.map(|()| outcome)));
            floor.site.inbox.send(Message::AttemptEnded { attempt: start.attempt, usage, outcome });
        });
    }

    fn end(&mut self, start: Start, usage: Usage, outcome: Result<Outcome, Fault>) {
        self.note(start, usage, as_told(outcome));
    }

    fn note(&mut self, start: Start, usage: Usage, outcome: Outcome) {
        self.told.push(Message::AttemptEnded { attempt: start.attempt, usage, outcome });
    }

    /// Everything that was not told yet is.
    fn end_all(&mut self, outcome: &Outcome) {
        while let Ok(assigned) = self.batches.try_recv() {
            self.waiting.extend(assigned.attempts);
        }
        let done = std::mem::take(&mut self.done).into_iter().map(|done| done.sent.start);
        let sent = std::mem::take(&mut self.sent).into_iter().map(|sent| sent.start);
        let waiting = std::mem::take(&mut self.waiting).into_iter().map(|(start, _)| start);
        for start in done.chain(sent).chain(waiting).collect::<Vec<_>>() {
            self.note(start, Usage::default(), outcome.clone());
        }
    }

    fn tell(&mut self) {
        if self.told.is_empty() {
            return;
        }
        self.floor.site.inbox.send_all(self.told.drain(..));
    }
}

impl Drop for Driver {
    /// Reached when nobody can order anything any more, and when this thread panics.
    fn drop(&mut self) {
        self.worker = None;
        let outcome = match std::thread::panicking() {
            true => Outcome::Failed(
                Fault::new(Code::Bug).detail("the host panicked while it drove a worker"),
            ),
            false => Outcome::Returned,
        };
        self.end_all(&outcome);
        self.tell();
        self.floor.leave(&self.bell);
    }
}

/// What the scheduler hears of it.
fn as_told(outcome: Result<Outcome, Fault>) -> Outcome {
    match outcome {
        Ok(outcome) => outcome,
        // The host stops: the attempt had not its full chance and is not charged.
        Err(fault) if fault.code == Code::Drained => Outcome::Returned,
        Err(fault) => Outcome::Failed(fault),
    }
}

/// The worker broke the protocol.
fn against(what: &str) -> Loss {
    Loss { fault: Fault::new(Code::Protocol).detail(what), is_its_doing: true }
}

fn count(number: usize) -> u32 {
    u32::try_from(number).expect("chunks and sources are counted in 32 bits")
}
