//! Recogniser processes: started when a model is needed, kept while it may be needed again.
//!
//! Owns: how many there are, and when one is given up: when it is idle for long, when memory runs short, or when another
//! model needs the room.
//! Never: starts two processes for a model that one can serve.

use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use pframe_core::fault::Fault;
use pframe_core::ids::Digest;

use crate::machine::memory_is_short;
use crate::process::errand::ErrandProgram;
use crate::recogniser::{Model, Models, RecogniserProcess, Seat};

/// A process that nobody needs is given up after this.
const IDLE_MAX: Duration = Duration::from_mins(1);
/// How often it is looked what can be given up, while windows come one after the other.
const TIDY_INTERVAL: Duration = Duration::from_secs(1);
/// Seats of one process: their lines come with one frame.
const SEATS_MAX: u32 = 32;

/// A seat with the model that it listens by.
pub(super) struct Placed {
    pub(super) model: Digest,
    pub(super) seat: Seat,
}

struct Idle {
    placed: Placed,
    since: Instant,
}

#[derive(Default)]
struct State {
    idle: Vec<Idle>,
    /// Models that somebody is loading for all.
    loading: Vec<Digest>,
    /// When it was last looked what can be given up.
    tidied: Option<Instant>,
}

/// All recogniser processes of this host.
pub(super) struct Pool {
    program: ErrandProgram,
    models: Models,
    /// Windows that are listened to at once, whatever the models.
    seats: u32,
    state: Mutex<State>,
    changed: Condvar,
}

impl Pool {
    pub(super) fn new(program: ErrandProgram, models: Models, seats: u32) -> Self {
        Self { program, models, seats, state: Mutex::default(), changed: Condvar::new() }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A seat for a model. May take as long as the model needs to load.
    pub(super) fn take(&self, model: &Model) -> Result<Placed, Fault> {
        let mut state = self.state();
        loop {
            if let Some(at) = state.idle.iter().rposition(|it| it.placed.model == model.sha256) {
                return Ok(state.idle.swap_remove(at).placed);
            }
            let is_loading = state.loading.contains(&model.sha256);
            if !(is_loading && model.family.shares_weights()) {
                break;
            }
            state = self.changed.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
        state.loading.push(model.sha256);
        self.make_room(&mut state, model);
        drop(state);
        let seats = if model.family.shares_weights() { self.seats.min(SEATS_MAX) } else { 1 };
        let started = RecogniserProcess::start(&self.program, &self.models, model, seats);
        let mut state = self.state();
        if let Some(at) = state.loading.iter().position(|it| *it == model.sha256) {
            state.loading.swap_remove(at);
        }
        let placed = started.map(|seats| {
            let since = Instant::now();
            let mut placed = seats.into_iter().map(|seat| Placed { model: model.sha256, seat });
            let first = placed.next().expect("a process has at least one seat");
            state.idle.extend(placed.map(|placed| Idle { placed, since }));
            first
        });
        drop(state);
        self.changed.notify_all();
        placed
    }

    /// Gives a seat back.
    pub(super) fn give(&self, placed: Placed) {
        self.state().idle.push(Idle { placed, since: Instant::now() });
        self.changed.notify_all();
    }

    /// Gives up what sits beside a seat whose process is no more.
    pub(super) fn lose(&self, lost: &Placed) {
        self.state().idle.retain(|idle| !idle.placed.seat.is_beside(&lost.seat));
    }

    /// The same for who is never idle, at most once a second.
    pub(super) fn tidy_now_and_then(&self) {
        let is_time = {
            let mut state = self.state();
            let is_time = state.tidied.is_none_or(|at| at.elapsed() > TIDY_INTERVAL);
            if is_time {
                state.tidied = Some(Instant::now());
            }
            is_time
        };
        if is_time {
            self.tidy(memory_is_short());
        }
    }

    /// Gives up what was idle for too long; all that is idle where memory runs short.
    pub(super) fn tidy(&self, memory_is_short: bool) {
        let mut state = self.state();
        let before = state.idle.len();
        state.idle.retain(|idle| {
            idle.placed.seat.is_in_use() || !memory_is_short && idle.since.elapsed() < IDLE_MAX
        });
        if state.idle.len() != before {
            tracing::debug!(seats = before - state.idle.len(), "recognisers given up");
        }
    }

    /// Other models' idle processes go, the ones that were used least lately first, so that there are never more seats than
    /// cores that could use them.
    fn make_room(&self, state: &mut State, model: &Model) {
        while state.idle.len() >= self.seats as usize {
            let others = state.idle.iter().enumerate();
            let others = others.filter(|(_, idle)| {
                idle.placed.model != model.sha256 && !idle.placed.seat.is_in_use()
            });
            let oldest = others.min_by_key(|(_, idle)| idle.since).map(|(at, _)| at);
            let Some(oldest) = oldest else { return };
            let given_up = state.idle.swap_remove(oldest).placed;
            state.idle.retain(|idle| !idle.placed.seat.is_beside(&given_up.seat));
        }
    }
}
