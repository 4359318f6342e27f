//! The clock inside compiled code: an operating-system thread that moves the engine's epoch.
//!
//! Owns: how soon a spinning guest is looked at ([`TICK`]).
//! Never: runs on an async runtime, where the guests it must interrupt could starve it.

use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, OnceLock};
use std::thread::Thread;
use std::time::Duration;

use wasmtime::{Engine, EngineWeak};

/// How often a running guest is asked whether it must end. With 2 ms a runaway guest is gone well
/// within 5 ms of its deadline, and the look costs a running guest less than a thousandth.
const TICK: Duration = Duration::from_millis(2);
/// Ticks without a live attempt before the thread sleeps until the next one.
const IDLE_TICKS_MAX: u32 = 25;

/// The ticking thread, started with the first attempt. It ends when the engine is gone.
pub(crate) struct Ticker {
    engine: EngineWeak,
    live: Arc<AtomicU32>,
    thread: OnceLock<Thread>,
}

impl Ticker {
    pub(crate) fn new(engine: &Engine) -> Self {
        Self { engine: engine.weak(), live: Arc::default(), thread: OnceLock::new() }
    }

    /// Starts the thread, unless it runs; it sleeps while nothing else does.
    pub(crate) fn start(&self) -> &Thread {
        self.thread.get_or_init(|| {
            let (engine, counter) = (self.engine.clone(), Arc::clone(&self.live));
            std::thread::Builder::new()
                .name("pframe-ticker".into())
                .spawn(move || tick(&engine, &counter))
                .expect("a thread can be started")
                .thread()
                .clone()
        })
    }

    /// Keeps the epoch moving until the guard is dropped.
    pub(crate) fn watch(self: &Arc<Self>) -> Watched {
        let thread = self.start();
        if self.live.fetch_add(1, Ordering::AcqRel) == 0 {
            thread.unpark();
        }
        Watched(Arc::clone(self))
    }
}

impl Drop for Ticker {
    fn drop(&mut self) {
        if let Some(thread) = self.thread.get() {
            thread.unpark();
        }
    }
}

/// One live attempt.
pub(crate) struct Watched(Arc<Ticker>);

impl Drop for Watched {
    fn drop(&mut self) {
        self.0.live.fetch_sub(1, Ordering::AcqRel);
    }
}

fn tick(engine: &EngineWeak, live: &AtomicU32) {
    let mut idle_ticks = 0;
    while let Some(engine) = engine.upgrade() {
        engine.increment_epoch();
        drop(engine);
        match live.load(Ordering::Acquire) {
            0 => idle_ticks += 1,
            _ => idle_ticks = 0,
        }
        if idle_ticks > IDLE_TICKS_MAX {
            std::thread::park();
            idle_ticks = 0;
        } else {
            std::thread::sleep(TICK);
        }
    }
}
