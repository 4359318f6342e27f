//! Lets so many compilers run at once; the others wait their turn.

use std::sync::{Condvar, Mutex, PoisonError};

/// Compilers that run at once.
const COMPILERS_MAX: usize = 2;

/// Lets so many in at once; the others wait.
#[derive(Default)]
pub(super) struct Turnstile {
    inside: Mutex<usize>,
    left: Condvar,
}

impl Turnstile {
    pub(super) fn enter(&self) -> Inside<'_> {
        let inside = self.inside.lock().unwrap_or_else(PoisonError::into_inner);
        let is_full = |inside: &mut usize| *inside >= COMPILERS_MAX;
        let mut inside =
            self.left.wait_while(inside, is_full).unwrap_or_else(PoisonError::into_inner);
        *inside += 1;
        Inside(self)
    }
}

/// One that was let in; it leaves when this falls.
pub(super) struct Inside<'a>(&'a Turnstile);

impl Drop for Inside<'_> {
    fn drop(&mut self) {
        *self.0.inside.lock().unwrap_or_else(PoisonError::into_inner) -= 1;
        self.0.left.notify_one();
    }
}
