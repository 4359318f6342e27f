//! Borders of durable work, where a test lets the program die or a step fail. Nothing is left of them in a build without the
//! feature `failpoints`.
//!
//! Owns: the list of borders, and what can happen at one: `FAILPOINTS="journal-append-after=3*off->return(abort)"`.
//! Never: decides anything.

use std::io;

/// Every border, in the order in which a run meets them.
#[cfg(feature = "failpoints")]
pub const BORDERS: [&str; 28] = [
    "artefact-before",
    "artefact-after",
    "journal-open",
    "component-copy-before",
    "component-copy-after",
    "journal-append-before",
    "journal-append-after",
    "outbox-copy",
    "outbox-sync",
    "outbox-rename-before",
    "outbox-rename-after",
    "log-keep",
    "result-write",
    "result-sync",
    "result-rename-before",
    "result-rename-after",
    "publish-begin",
    "publish-sync",
    "publish-rename-before",
    "publish-rename-after",
    "leftover-remove",
    "cache-rename",
    "bundle-rename",
    "journal-finish-before",
    "journal-finish-after",
    "journal-forget-before",
    "journal-forget-after",
    "journal-shrink",
];

/// Passes a border: `abort` ends the process as `kill -9` does, `eio` and `enospc` are the errors of a disk.
#[cfg(feature = "failpoints")]
pub(crate) fn pass(border: &'static str) -> io::Result<()> {
    debug_assert!(BORDERS.contains(&border), "{border} is not on the list");
    fail::fail_point!(border, |action| match action.as_deref() {
        Some("eio") => Err(io::Error::from_raw_os_error(libc::EIO)),
        Some("enospc") => Err(io::Error::from_raw_os_error(libc::ENOSPC)),
        Some("abort") => {
            let _ = rustix::process::kill_process(
                rustix::process::getpid(),
                rustix::process::Signal::KILL,
            );
            unreachable!("nobody survives this signal")
        }
        other => panic!("no border knows {other:?}"),
    });
    Ok(())
}

#[cfg(not(feature = "failpoints"))]
#[expect(clippy::unnecessary_wraps, clippy::inline_always, reason = "it is nothing")]
#[inline(always)]
pub(crate) fn pass(_border: &'static str) -> io::Result<()> {
    Ok(())
}

/// True where a step shall only pretend: the lie that the checker of histories must find.
#[cfg(feature = "failpoints")]
pub(crate) fn pretends(step: &'static str) -> bool {
    fail::fail_point!(step, |_| true);
    false
}

#[cfg(not(feature = "failpoints"))]
pub(crate) const fn pretends(_step: &'static str) -> bool {
    false
}

/// A place where a test lets the host itself panic.
#[cfg(feature = "failpoints")]
pub(crate) fn trip(place: &'static str) {
    fail::fail_point!(place);
}

#[cfg(not(feature = "failpoints"))]
pub(crate) const fn trip(_place: &'static str) {}

/// Takes up what the environment asks for, until the value is dropped.
#[cfg(feature = "failpoints")]
pub(crate) fn set_up() -> impl Drop {
    fail::FailScenario::setup()
}
