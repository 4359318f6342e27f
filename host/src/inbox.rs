//! Where messages for the scheduler arrive: from guests' threads, from users, from the clock.
//!
//! Owns: the only queue between them and the scheduler, and its bounds.
//! Never: loses a message. Who submits waits when the queue is full; outcomes of attempts never
//! wait, there are no more of them than live attempts.

use std::collections::VecDeque;
use std::sync::mpsc::Sender;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use pframe_core::fault::Fault;
use pframe_core::ids::JobId;
use pframe_core::scheduler::Message;

/// Messages of one turn at most: a turn is one transaction, and the next one waits for it.
const TURN_MESSAGES_MAX: usize = 4096;
/// Messages that may wait before a submitter must.
const WAITING_MAX: usize = 65_536;

/// What arrives.
#[derive(Debug)]
pub(crate) enum Mail {
    /// For the scheduler.
    Message(Message),
    /// A result could not be put where the job wanted it.
    PublishFailed(JobId, Fault),
    /// Somebody asks why a job waits.
    Explain {
        /// The job.
        job: JobId,
        /// Gets the answer; nothing for a job that is unknown or has ended.
        answer: Sender<Option<String>>,
    },
    /// What runs shall be taken back: the host drains.
    StopAttempts,
    /// Every job of the run has ended; the answer is whether that is recorded.
    FinishRun(Sender<Result<(), Fault>>),
    /// The engine shall end.
    Close,
}

/// The queue.
#[derive(Debug, Default)]
pub(crate) struct Inbox {
    state: Mutex<State>,
    arrived: Condvar,
    room: Condvar,
}

#[derive(Debug, Default)]
struct State {
    mail: VecDeque<Mail>,
    /// True while the engine sleeps on `arrived`: only then is a wake-up worth its price.
    is_waiting: bool,
    /// True once the engine has ended; what is sent then is dropped.
    is_closed: bool,
}

impl Inbox {
    /// Delivers at once, together.
    pub(crate) fn send_all(&self, messages: impl IntoIterator<Item = Message>) {
        self.deliver(self.lock(), messages.into_iter().map(Mail::Message));
    }

    /// Delivers one message at once.
    pub(crate) fn send(&self, message: Message) {
        self.send_all([message]);
    }

    /// Delivers when there is room; this is how users are slowed down.
    pub(crate) fn submit(&self, messages: impl IntoIterator<Item = Message>) {
        let mut messages = messages.into_iter().peekable();
        while messages.peek().is_some() {
            let mut state = self.lock();
            while state.mail.len() >= WAITING_MAX && !state.is_closed {
                state = self.room.wait(state).unwrap_or_else(PoisonError::into_inner);
            }
            let room = WAITING_MAX.saturating_sub(state.mail.len()).max(1);
            self.deliver(state, messages.by_ref().take(room).map(Mail::Message));
        }
    }

    /// Tells how publishing went.
    pub(crate) fn published(&self, job: JobId, result: Result<(), Fault>) {
        let mail = match result {
            Ok(()) => Mail::Message(Message::ResultPublished { job }),
            Err(fault) => Mail::PublishFailed(job, fault),
        };
        self.deliver(self.lock(), [mail]);
    }

    /// Delivers a word for the engine itself.
    pub(crate) fn tell(&self, mail: Mail) {
        self.deliver(self.lock(), [mail]);
    }

    /// The engine has ended: whoever waits for room waits no longer.
    pub(crate) fn refuse_more(&self) {
        let mut state = self.lock();
        state.is_closed = true;
        state.mail.clear();
        drop(state);
        self.room.notify_all();
    }

    /// All that came since the last turn, bounded; empty when `patience` ran out.
    pub(crate) fn turn(&self, patience: Option<Duration>) -> Vec<Mail> {
        let mut state = self.lock();
        if state.mail.is_empty() {
            state.is_waiting = true;
            state = self.wait(state, patience);
            state.is_waiting = false;
        }
        let count = state.mail.len().min(TURN_MESSAGES_MAX);
        let was_full = state.mail.len() >= WAITING_MAX;
        let turn = state.mail.drain(..count).collect();
        drop(state);
        if was_full {
            self.room.notify_all();
        }
        turn
    }

    fn wait<'a>(
        &self,
        state: MutexGuard<'a, State>,
        patience: Option<Duration>,
    ) -> MutexGuard<'a, State> {
        let is_empty = |state: &mut State| state.mail.is_empty();
        match patience {
            None => {
                self.arrived.wait_while(state, is_empty).unwrap_or_else(PoisonError::into_inner)
            }
            Some(patience) => {
                self.arrived
                    .wait_timeout_while(state, patience, is_empty)
                    .unwrap_or_else(PoisonError::into_inner)
                    .0
            }
        }
    }

    fn deliver(&self, mut state: MutexGuard<'_, State>, mail: impl IntoIterator<Item = Mail>) {
        if !state.is_closed {
            state.mail.extend(mail);
        }
        let wake = state.is_waiting;
        drop(state);
        if wake {
            self.arrived.notify_one();
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
