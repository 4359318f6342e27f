//! One worker process and the thread that drives it: orders out, outcomes in, clocks watched.
//!
//! Owns: that the scheduler hears of every attempt exactly once, however the worker behaves. [`orders`] has what the worker
//! is told, [`hear`] what it says, [`clocks`] what it uses, [`ends`] what becomes of its attempts.
//! Never: believes the worker.

mod bell;
mod clocks;
mod ends;
mod hear;
mod orders;

pub(super) use self::bell::Bell;

use std::collections::VecDeque;
use std::sync::{Arc, mpsc};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use pframe_core::fault::{Code, Fault};
use pframe_core::limits::Usage;
use pframe_core::scheduler::{Message, Outcome, Start};
use pframe_core::units::ByteSize;
use rustix::event::{PollFd, PollFlags, Timespec, poll};

use super::processes::{Assigned, Floor, Post, Served};
use super::sent::Sent;
use crate::capability::directories::Directory;
use crate::process::child::ChildProcess;
use crate::process::frame::{Incoming, Outgoing};
use crate::sandbox::Stop;
use crate::worker::protocol::Ending;

/// How much later than its deadline, or than a stop, a worker is killed.
const KILL_GRACE: Duration = Duration::from_secs(1);
/// How often clocks and memory are looked at while something runs.
const LOOK_INTERVAL: Duration = Duration::from_millis(20);
const IDLE_LOOK_INTERVAL: Duration = Duration::from_secs(1);

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
        let mut watched = vec![PollFd::new(&self.bell, PollFlags::IN)];
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

/// The worker broke the protocol.
fn against(what: &str) -> Loss {
    Loss { fault: Fault::new(Code::Protocol).detail(what), is_its_doing: true }
}

fn count(number: usize) -> u32 {
    u32::try_from(number).expect("chunks and sources are counted in 32 bits")
}
