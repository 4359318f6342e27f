//! Files on their way: copied into a hidden folder of the directory that they go to, so that a rename is enough.
//!
//! Owns: that folder: its name, the lock that says that somebody lives who works on it, and its end.
//! Never: removes what this program did not make: of a folder that a host left when it died, files that are numbers.

use std::fs::File;
use std::io::{self, Read, Write};
use std::os::fd::AsFd;
use std::time::{SystemTime, UNIX_EPOCH};

use pframe_core::fault::{Code, Fault};
use pframe_core::ids::Digest;
use rustix::fs::{
    AtFlags, Dir, FileType, FlockOperation, Mode, OFlags, flock, fstat, fsync, mkdirat, openat,
    renameat, statat, syncfs, unlinkat,
};
use rustix::io::Errno;
use sha2::{Digest as _, Sha256};

use super::Check;
use super::delivery::Parcel;
use super::left::{Left, LeftFile, bad, open_beneath, unreadable};
use crate::failpoint::pass;

/// How the names of such folders begin; no guest's file does.
pub(super) const UNFINISHED: &str = ".pframe-out-";
/// Hex digits behind that.
const DIGITS: usize = 16;
/// Names that are tried: another host may remove a folder in the moment before it is locked.
const NAMES_TRIED: u32 = 16;
/// Files or folders that are synced one by one. Each such sync makes the disk wait; beyond that the whole file system is synced
/// once.
const SYNCED_EACH_MAX: usize = 32;
/// Bytes that are copied at once.
const BLOCK: usize = 256 << 10;

/// A folder of files that are not in their places yet: `0`, `1`, … in the order of what was left.
pub(super) struct Staging {
    root: File,
    name: String,
    /// Locked as long as it is open.
    folder: File,
    files: usize,
}

impl Staging {
    /// Copies all files of a parcel beside their places, and syncs them.
    pub(super) fn of(
        parcel: &Parcel,
        left: &Left,
        mark: &str,
        check: Check<'_>,
    ) -> Result<Self, Fault> {
        let mut staging = Self::begin(&parcel.target.root, mark)?;
        left.files.iter().try_for_each(|file| staging.add(parcel, file, check))?;
        check()?;
        staging.sync().map_err(|error| unwritable(&error))?;
        Ok(staging)
    }

    fn sync(&self) -> io::Result<()> {
        pass("outbox-sync")?;
        let file = |index: usize| {
            let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
            Ok(openat(&self.folder, index.to_string(), flags, Mode::empty())?)
        };
        sync_each(&self.folder, (0..self.files).map(file))
    }

    fn begin(root: &File, mark: &str) -> Result<Self, Fault> {
        let root = root.try_clone().map_err(|error| unwritable(&error))?;
        for tried in 0..NAMES_TRIED {
            let name = name_of(mark, tried);
            match mkdirat(&root, &*name, Mode::RWXU) {
                Err(Errno::EXIST) => continue,
                made => made.map_err(|error| unwritable(&error.into()))?,
            }
            let folder = open_beneath(&root, &name, OFlags::DIRECTORY);
            let locked = folder.and_then(|folder| lock(&folder).map(|()| folder));
            match locked {
                // It may have been taken for one that nobody works on, before it was locked.
                Ok(folder) if is_there(&root, &name, &folder) => {
                    return Ok(Self { root, name, folder, files: 0 });
                }
                Ok(_) | Err(Errno::NOENT | Errno::WOULDBLOCK) => {}
                Err(error) => return Err(unwritable(&error.into())),
            }
        }
        Err(unwritable(&io::Error::other("a folder that was made is removed each time")))
    }

    /// As many bytes as it had when one looked: no more are taken, and where there are fewer, somebody is still writing.
    fn add(&mut self, parcel: &Parcel, file: &LeftFile, check: Check<'_>) -> Result<(), Fault> {
        let name = &*parcel.target.name;
        let from = match open_beneath(&parcel.outbox, &file.path, OFlags::empty()) {
            Ok(from) => from,
            Err(Errno::LOOP) => return Err(bad(name, &file.path, "is a link")),
            Err(error) => return Err(unreadable(error)),
        };
        let seen = fstat(&from).map_err(unreadable)?;
        if FileType::from_raw_mode(seen.st_mode) != FileType::RegularFile {
            return Err(bad(name, &file.path, "is no regular file"));
        }
        let mut to = self.create().map_err(|error| unwritable(&error))?;
        let copied = copy(&from, &mut to, file.bytes, check)?;
        if copied != file.bytes {
            return Err(bad(name, &file.path, "was changed while it was copied"));
        }
        Ok(())
    }

    fn create(&mut self) -> io::Result<File> {
        let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::CLOEXEC;
        let mode = Mode::RUSR | Mode::WUSR | Mode::RGRP | Mode::ROTH;
        let file = openat(&self.folder, self.files.to_string(), flags | OFlags::NOFOLLOW, mode)?;
        self.files += 1;
        Ok(File::from(file))
    }

    /// Puts a file in its place, over the one that stands there.
    pub(super) fn put(&self, index: usize, folder: &File, name: &str) -> io::Result<()> {
        pass("outbox-rename-before")?;
        renameat(&self.folder, index.to_string(), folder, name)?;
        pass("outbox-rename-after")
    }
}

impl Drop for Staging {
    fn drop(&mut self) {
        for index in 0..self.files {
            let _ = unlinkat(&self.folder, index.to_string(), AtFlags::empty());
        }
        let _ = unlinkat(&self.root, &*self.name, AtFlags::REMOVEDIR);
    }
}

/// Makes files or folders of one file system durable.
pub(super) fn sync_each<T: AsFd>(
    any: &File,
    each: impl ExactSizeIterator<Item = io::Result<T>>,
) -> io::Result<()> {
    if each.len() > SYNCED_EACH_MAX {
        return Ok(syncfs(any)?);
    }
    each.into_iter().try_for_each(|it| Ok(fsync(it?)?))
}

/// The bytes that were copied.
fn copy(from: &File, to: &mut File, bytes: u64, check: Check<'_>) -> Result<u64, Fault> {
    let mut block = vec![0; BLOCK];
    let mut from = from.take(bytes);
    let mut copied = 0;
    loop {
        check()?;
        let count = match from.read(&mut block) {
            Ok(0) => return Ok(copied),
            Ok(count) => count,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            Err(error) => {
                return Err(
                    Fault::new(Code::InputOutput).detail(format!("a private disk: {error}"))
                );
            }
        };
        let written = pass("outbox-copy").and_then(|()| to.write_all(&block[..count]));
        written.map_err(|error| unwritable(&error))?;
        copied += count as u64;
    }
}

/// Not the same twice: attempts of other hosts may have the same names.
fn name_of(mark: &str, tried: u32) -> String {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    let text = format!("{mark} {} {tried} {}", std::process::id(), now.as_nanos());
    let digest = Digest(Sha256::digest(text).into()).to_string();
    format!("{UNFINISHED}{}", &digest[..DIGITS])
}

/// A file system that knows no locks keeps what a host leaves there when it dies.
fn lock(folder: &File) -> rustix::io::Result<()> {
    match flock(folder, FlockOperation::NonBlockingLockExclusive) {
        Err(Errno::WOULDBLOCK) => Err(Errno::WOULDBLOCK),
        Ok(()) | Err(_) => Ok(()),
    }
}

fn is_there(root: &File, name: &str, folder: &File) -> bool {
    let there = statat(root, name, AtFlags::SYMLINK_NOFOLLOW).map(|it| (it.st_dev, it.st_ino));
    let open = fstat(folder).map(|it| (it.st_dev, it.st_ino));
    matches!((there, open), (Ok(there), Ok(open)) if there == open)
}

/// True for what a folder of unfinished files may be called.
pub(super) fn is_unfinished(name: &[u8]) -> bool {
    name.strip_prefix(UNFINISHED.as_bytes()).is_some_and(|rest| {
        rest.len() == DIGITS && rest.iter().all(|it| matches!(it, b'0'..=b'9' | b'a'..=b'f'))
    })
}

/// Removes the folder of a host that died. One that somebody works on is locked, and one of another user is not ours.
pub(super) fn sweep(root: &File, name: &str) {
    let Ok(folder) = open_beneath(root, name, OFlags::DIRECTORY) else { return };
    let is_ours =
        fstat(&folder).is_ok_and(|seen| seen.st_uid == rustix::process::geteuid().as_raw());
    if !is_ours || flock(&folder, FlockOperation::NonBlockingLockExclusive).is_err() {
        return;
    }
    let Ok(entries) = Dir::read_from(&folder) else { return };
    for entry in entries.flatten() {
        let name = entry.file_name();
        if name.to_bytes().iter().all(u8::is_ascii_digit) {
            let _ = unlinkat(&folder, name, AtFlags::empty());
        }
    }
    // Where anything else lies in it, it stays.
    let _ = unlinkat(root, name, AtFlags::REMOVEDIR);
}

/// The operator's disk is at fault, not the guest.
pub(super) fn unwritable(error: &io::Error) -> Fault {
    let full = [Errno::NOSPC, Errno::DQUOT].map(Errno::raw_os_error);
    let code = match error.raw_os_error().is_some_and(|number| full.contains(&number)) {
        true => Code::DiskFull,
        false => Code::InputOutput,
    };
    Fault::new(code).detail(format!("putting files into a directory (`write`): {error}"))
}
