//! A benign tenant beside the attack: its results must be right, and keep coming.
//!
//! Owns: the proof that a neighbour is undisturbed.
//! Never: measures its own patience: the bound is the caller's.

use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use crate::house::{House, job};

/// The longest that one canary job may take beside anything.
pub const PATIENCE: Duration = Duration::from_secs(3);

/// Does something while a canary sings, and checks every note.
///
/// # Panics
///
/// Where a canary job fails, has another result, or takes too long.
#[track_caller]
pub fn beside_a_canary<T>(house: &House, attack: impl FnOnce() -> T) -> T {
    let is_over = AtomicBool::new(false);
    let stop = Stop(&is_over);
    thread::scope(|scope| {
        let canary = scope.spawn(|| {
            let mut songs = 0;
            while songs == 0 || !is_over.load(Ordering::Relaxed) {
                let end = house.run(job("word_count", "to be or not to be"));
                assert!(end.took < PATIENCE, "the canary waited {:?}", end.took);
                let text = end.text();
                assert!(text.starts_with(r#"{"total_words":6,"distinct_words":4,"#), "{text}");
                songs += 1;
            }
        });
        let done = attack();
        drop(stop);
        canary.join().expect("the canary is undisturbed");
        done
    })
}

/// Ends the song also where the attack's own checks fail.
struct Stop<'a>(&'a AtomicBool);

impl Drop for Stop<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}
