//! `/scratch`: an attempt's private disk, where its job asked for one with `limits.disk`.
//!
//! Owns: its name, when it is full, what counts as a result that was left on it, and where on it `/out/NAME` lie.
//! `directories.rs` hands it to the guest.
//! Its limit: the disk is a file system in memory of fixed size (`process/scratch.rs`). It charges: a call's fuel.
//! Its escape tests: `f01` to `f25` in `tests/tests/scratch.rs`.
//! Never: opens a path of the host, or follows a link that a guest made.

use std::fs::File;

use pframe_core::fault::{Code, Fault};
use rustix::fs::{Dir, FileType, Mode, OFlags, ResolveFlags, fstat, mkdirat, openat2};
use rustix::io::Errno;

use super::directories::Directory;

/// Where guests find it.
pub(super) const NAME: &str = "/scratch";
/// Where a guest leaves its result.
const OUT: &str = "out";
/// The one file in there.
const RESULT: &str = "result";

/// Lays out an empty disk: the guest's `/scratch`, and beside it, out of its sight, a directory for each of these names.
/// Where there are none, all of the disk is `/scratch`.
pub(crate) fn lay_out(disk: File, names: &[&str]) -> Result<(File, Vec<Directory>), Fault> {
    if names.is_empty() {
        return Ok((disk, Vec::new()));
    }
    let make = |within: &File, name: &str| {
        mkdirat(within, name, Mode::RWXU)?;
        open(within, name, OFlags::DIRECTORY)
    };
    let (scratch, boxes) = make(&disk, "scratch")
        .and_then(|scratch| Ok((scratch, make(&disk, "out")?)))
        .map_err(unreadable)?;
    let outbox = |name: &&str| {
        let root = make(&boxes, name).map_err(unreadable)?;
        Ok(Directory { name: (*name).to_owned(), root })
    };
    Ok((scratch, names.iter().map(outbox).collect::<Result<_, Fault>>()?))
}

/// True where there is no room left for a byte, or for a file.
pub(crate) fn is_full(scratch: &File) -> bool {
    rustix::fs::fstatfs(scratch).is_ok_and(|disk| disk.f_bavail == 0 || disk.f_ffree == 0)
}

/// The file `/scratch/out/result`, once the guest has ended; none where it left nothing in `/scratch/out`.
pub(crate) fn left_result(scratch: &File) -> Result<Option<File>, Fault> {
    let out = match open(scratch, OUT, OFlags::DIRECTORY) {
        Ok(out) => out,
        Err(Errno::NOENT) => return Ok(None),
        Err(Errno::NOTDIR | Errno::LOOP) => return Err(bad("`/scratch/out` is no directory")),
        Err(error) => return Err(unreadable(error)),
    };
    let mut is_left = false;
    for entry in Dir::read_from(&out).map_err(unreadable)? {
        let entry = entry.map_err(unreadable)?;
        match entry.file_name().to_bytes() {
            b"." | b".." => {}
            name if name == RESULT.as_bytes() => is_left = true,
            _ => return Err(bad("`/scratch/out` holds more than `result`")),
        }
    }
    if !is_left {
        return Ok(None);
    }
    // Without waiting: nothing here can be a pipe, and if it were, nobody would write into it.
    let file = match open(&out, RESULT, OFlags::NONBLOCK | OFlags::NOCTTY) {
        Ok(file) => file,
        Err(Errno::LOOP) => return Err(bad("`/scratch/out/result` is a link")),
        Err(error) => return Err(unreadable(error)),
    };
    match FileType::from_raw_mode(fstat(&file).map_err(unreadable)?.st_mode) {
        FileType::RegularFile => Ok(Some(file)),
        FileType::Directory => Err(bad("`/scratch/out/result` is a directory")),
        FileType::Symlink
        | FileType::Fifo
        | FileType::Socket
        | FileType::CharacterDevice
        | FileType::BlockDevice
        | FileType::Unknown => Err(bad("`/scratch/out/result` is no regular file")),
    }
}

fn open(directory: &File, name: &str, flags: OFlags) -> rustix::io::Result<File> {
    let flags = flags | OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    let resolve = ResolveFlags::BENEATH | ResolveFlags::NO_SYMLINKS | ResolveFlags::NO_MAGICLINKS;
    openat2(directory, name, flags, Mode::empty(), resolve).map(File::from)
}

fn bad(what: &str) -> Fault {
    Fault::new(Code::BadResult).detail(what)
}

fn unreadable(error: Errno) -> Fault {
    let error = std::io::Error::from(error);
    Fault::new(Code::InputOutput).detail(format!("a private disk: {error}"))
}
