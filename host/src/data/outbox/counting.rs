//! What lies in a directory that guests put files into, and whose turn it is.
//!
//! Owns: the sum, and the one lock by which deliveries of this host into a directory do not pass its quota together.
//! A walk through a large directory takes seconds, and a job may have thousands of chunks: so a sum is kept, with what each
//! delivery adds to it, and believed for twenty times as long as it took, a second at least. Somebody else may have put or
//! removed files since; that is why nobody is refused before it was counted anew.
//! Never: follows a link, or goes to another file system.

use std::ffi::CStr;
use std::fs::File;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use pframe_core::fault::{Code, Fault};
use rustix::fs::{AtFlags, Dir, FileType, OFlags, statat};
use rustix::io::Errno;

use super::Check;
use super::left::open_beneath;
use super::staging::{is_unfinished, sweep};

/// Files and folders in a directory that guests put more into: what walking through it may take.
pub(super) const ENTRIES_MAX: u64 = 1_000_000;
/// Directories inside each other: each is a descriptor while one walks.
const DEPTH_MAX: usize = 128;
/// How often one looks whether the work has to end.
const CHECK_INTERVAL: u64 = 1024;
const WAIT_INTERVAL: Duration = Duration::from_millis(20);
/// So many times as long as it took, a sum is believed: at most a twentieth of the time goes into counting.
const TRUST_FACTOR: u32 = 20;
const TRUST_MIN: Duration = Duration::from_secs(1);

/// What lies in a directory.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Counted {
    /// Of all regular files.
    pub(super) bytes: u64,
    /// Files, folders and whatever else.
    pub(super) entries: u64,
}

/// Whether a sum may be an older one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Trust {
    Recent,
    Nothing,
}

/// A sum, and how it came about.
#[derive(Debug, Clone, Copy)]
struct Known {
    counted: Counted,
    at: Instant,
    took: Duration,
}

impl Known {
    fn is_believed(&self, now: Instant) -> bool {
        now.saturating_duration_since(self.at) <= (self.took * TRUST_FACTOR).max(TRUST_MIN)
    }
}

/// One for each directory of a host.
#[derive(Debug, Default)]
pub(crate) struct Ledger {
    state: Mutex<State>,
    is_free: Condvar,
}

#[derive(Debug, Default)]
struct State {
    is_held: bool,
    known: Option<Known>,
}

impl Ledger {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits for its turn.
    pub(super) fn enter(&self, check: Check<'_>) -> Result<Held<'_>, Fault> {
        let mut state = self.state();
        while state.is_held {
            let woken = self.is_free.wait_timeout(state, WAIT_INTERVAL);
            (state, _) = woken.unwrap_or_else(PoisonError::into_inner);
            check()?;
        }
        state.is_held = true;
        Ok(Held { ledger: self, known: state.known.take() })
    }
}

/// A turn.
pub(super) struct Held<'a> {
    ledger: &'a Ledger,
    known: Option<Known>,
}

impl Held<'_> {
    /// What lies in the directory, counted now where nobody knows.
    pub(super) fn counted(
        &mut self,
        root: &File,
        trust: Trust,
        check: Check<'_>,
    ) -> Result<Counted, Fault> {
        let at = Instant::now();
        if trust == Trust::Recent
            && let Some(known) = self.known.filter(|known| known.is_believed(at))
        {
            return Ok(known.counted);
        }
        let counted = count(root, check)?;
        self.known = Some(Known { counted, at, took: at.elapsed() });
        Ok(counted)
    }

    /// Changes what lies there; where that fails in the middle, nobody knows how much it is.
    pub(super) fn change(
        &mut self,
        after: Counted,
        work: impl FnOnce() -> Result<(), Fault>,
    ) -> Result<(), Fault> {
        let known = self.known.take();
        work()?;
        self.known = known.map(|known| Known { counted: after, ..known });
        Ok(())
    }
}

impl Drop for Held<'_> {
    fn drop(&mut self) {
        *self.ledger.state() = State { is_held: false, known: self.known };
        self.ledger.is_free.notify_one();
    }
}

/// Walks through the directory, and removes on its way what hosts left that died.
fn count(root: &File, check: Check<'_>) -> Result<Counted, Fault> {
    let mut counting = Counting { counted: Counted::default(), unfinished: Vec::new(), check };
    counting.walk(root, 0)?;
    counting.unfinished.iter().for_each(|name| sweep(root, name));
    Ok(counting.counted)
}

struct Counting<'a> {
    counted: Counted,
    /// Folders of files that are, or were, on their way.
    unfinished: Vec<String>,
    check: Check<'a>,
}

impl Counting<'_> {
    /// What this host may not look into, and what lies on another file system, is not counted.
    fn walk(&mut self, folder: &File, depth: usize) -> Result<(), Fault> {
        if depth > DEPTH_MAX {
            let detail = format!("a directory that guests write to is more than {DEPTH_MAX} deep");
            return Err(Fault::new(Code::InputOutput).detail(detail));
        }
        for entry in Dir::read_from(folder).map_err(uncountable)? {
            let entry = entry.map_err(uncountable)?;
            let name = entry.file_name();
            if matches!(name.to_bytes(), b"." | b"..") {
                continue;
            }
            if depth == 0 && is_unfinished(name.to_bytes()) {
                self.unfinished.extend(name.to_str().map(str::to_owned));
                continue;
            }
            if self.counted.entries > ENTRIES_MAX {
                // It is told as it is: too many.
                return Ok(());
            }
            self.add(folder, name, depth)?;
        }
        Ok(())
    }

    fn add(&mut self, folder: &File, name: &CStr, depth: usize) -> Result<(), Fault> {
        self.counted.entries += 1;
        if self.counted.entries.is_multiple_of(CHECK_INTERVAL) {
            (self.check)()?;
        }
        let seen = match statat(folder, name, AtFlags::SYMLINK_NOFOLLOW) {
            Ok(seen) => seen,
            Err(error) if is_passed_over(error) => return Ok(()),
            Err(error) => return Err(uncountable(error)),
        };
        match FileType::from_raw_mode(seen.st_mode) {
            FileType::RegularFile => {
                let bytes = u64::try_from(seen.st_size).unwrap_or(u64::MAX);
                self.counted.bytes = self.counted.bytes.saturating_add(bytes);
                Ok(())
            }
            FileType::Directory => match open_beneath(folder, name, OFlags::DIRECTORY) {
                Ok(inner) => self.walk(&inner, depth + 1),
                Err(error) if is_passed_over(error) => Ok(()),
                Err(error) => Err(uncountable(error)),
            },
            FileType::Symlink
            | FileType::Fifo
            | FileType::Socket
            | FileType::CharacterDevice
            | FileType::BlockDevice
            | FileType::Unknown => Ok(()),
        }
    }
}

/// It is gone or another by now, it is not ours to see, or it lies elsewhere.
fn is_passed_over(error: Errno) -> bool {
    matches!(
        error,
        Errno::NOENT | Errno::NOTDIR | Errno::LOOP | Errno::ACCESS | Errno::PERM | Errno::XDEV
    )
}

fn uncountable(error: Errno) -> Fault {
    let error = std::io::Error::from(error);
    Fault::new(Code::InputOutput)
        .detail(format!("counting what lies in a directory (`write`): {error}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sum_is_believed_for_twenty_times_as_long_as_it_took_and_a_second_at_least() {
        let (at, second) = (Instant::now(), Duration::from_secs(1));
        let believed = |took: Duration, after: Duration| {
            Known { counted: Counted::default(), at, took }.is_believed(at + after)
        };
        assert!(believed(Duration::ZERO, second));
        assert!(!believed(Duration::ZERO, second * 2));
        assert!(believed(second, second * 20));
        assert!(!believed(second, second * 21));
    }
}
