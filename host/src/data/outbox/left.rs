//! What a guest left in one `/out/NAME`.
//!
//! Owns: what may be there at all: regular files and directories with plain names, so many, so deep.
//! Never: opens anything but directories; a file is opened, and looked at once more, when it is copied.

use std::ffi::CStr;
use std::fs::File;

use pframe_core::fault::{Code, Fault, GuestText};
use pframe_core::units::ByteSize;
use rustix::fs::{AtFlags, Dir, FileType, Mode, OFlags, ResolveFlags, openat2, statat};
use rustix::io::Errno;
use rustix::path::Arg;

use super::Check;
use super::staging::UNFINISHED;

/// Files and directories of one attempt in one directory: as many as the largest disk has room for.
const ENTRIES_MAX: usize = 10_000;
/// Directories inside each other: each is a descriptor while one looks.
const DEPTH_MAX: usize = 32;
/// Bytes of a path below the directory: with the operator's own before it, it is still one that programs can open.
const PATH_BYTES_MAX: usize = 1024;
/// Bytes of all paths together: they are held until the files are in their places.
const PATHS_BYTES_MAX: usize = 2 << 20;
/// How often one looks whether the work has to end.
const CHECK_INTERVAL: usize = 256;

/// Files and directories, by their paths below `/out/NAME`.
#[derive(Debug, Default)]
pub(super) struct Left {
    /// Each behind the one that it lies in.
    pub(super) folders: Vec<String>,
    pub(super) files: Vec<LeftFile>,
    /// Of all files together.
    pub(super) bytes: u64,
}

/// A file as it was when one looked.
#[derive(Debug)]
pub(super) struct LeftFile {
    pub(super) path: String,
    pub(super) bytes: u64,
}

impl Left {
    pub(super) fn is_empty(&self) -> bool {
        self.folders.is_empty() && self.files.is_empty()
    }

    fn count(&self) -> usize {
        self.folders.len() + self.files.len()
    }
}

/// Looks at everything below `outbox`, which guests call `/out/` and `name`.
pub(super) fn look(outbox: &File, name: &str, check: Check<'_>) -> Result<Left, Fault> {
    let mut looking = Looking { name, check, left: Left::default(), paths_bytes: 0 };
    looking.walk(outbox, "", 0)?;
    Ok(looking.left)
}

struct Looking<'a> {
    name: &'a str,
    check: Check<'a>,
    left: Left,
    paths_bytes: usize,
}

impl Looking<'_> {
    fn walk(&mut self, folder: &File, within: &str, depth: usize) -> Result<(), Fault> {
        if depth > DEPTH_MAX {
            return Err(self.bad(within, &format!("lies more than {DEPTH_MAX} directories deep")));
        }
        for name in self.names(folder, within)? {
            let path = if within.is_empty() { name.clone() } else { format!("{within}/{name}") };
            if path.len() > PATH_BYTES_MAX {
                return Err(self.bad(&path, &format!("is longer than {PATH_BYTES_MAX} bytes")));
            }
            self.paths_bytes += path.len();
            if self.paths_bytes > PATHS_BYTES_MAX {
                let most = ByteSize(PATHS_BYTES_MAX as u64);
                return Err(self.bad("", &format!("has paths of more than {most} together")));
            }
            if self.left.count().is_multiple_of(CHECK_INTERVAL) {
                (self.check)()?;
            }
            let seen = statat(folder, &*name, AtFlags::SYMLINK_NOFOLLOW).map_err(unreadable)?;
            match FileType::from_raw_mode(seen.st_mode) {
                FileType::Directory => {
                    let inner =
                        open_beneath(folder, &name, OFlags::DIRECTORY).map_err(unreadable)?;
                    self.left.folders.push(path.clone());
                    self.walk(&inner, &path, depth + 1)?;
                }
                FileType::RegularFile => {
                    let bytes = u64::try_from(seen.st_size).unwrap_or(u64::MAX);
                    self.left.bytes = self.left.bytes.saturating_add(bytes);
                    self.left.files.push(LeftFile { path, bytes });
                }
                FileType::Symlink => return Err(self.bad(&path, "is a link")),
                FileType::Fifo
                | FileType::Socket
                | FileType::CharacterDevice
                | FileType::BlockDevice
                | FileType::Unknown => return Err(self.bad(&path, "is no regular file")),
            }
        }
        Ok(())
    }

    /// In their own order, so that what is found wrong is the same each time.
    fn names(&self, folder: &File, within: &str) -> Result<Vec<String>, Fault> {
        let mut names = Vec::new();
        for entry in Dir::read_from(folder).map_err(unreadable)? {
            let entry = entry.map_err(unreadable)?;
            if matches!(entry.file_name().to_bytes(), b"." | b"..") {
                continue;
            }
            names.push(self.plain(entry.file_name(), within)?);
            if self.left.count() + names.len() > ENTRIES_MAX {
                return Err(self.bad(within, &format!("holds more than {ENTRIES_MAX} entries")));
            }
        }
        names.sort();
        Ok(names)
    }

    /// A name that does no harm where others read it: text, and nothing that ends a line or steers a terminal.
    fn plain(&self, name: &CStr, within: &str) -> Result<String, Fault> {
        let shown = GuestText::from_bytes(name.to_bytes());
        let plain = name.to_str().ok().filter(|name| {
            !name.contains(char::is_control) && shown.as_str() == *name && !name.contains('/')
        });
        let escaped = shown.as_str().escape_debug();
        let path =
            if within.is_empty() { escaped.to_string() } else { format!("{within}/{escaped}") };
        match plain {
            Some(name) if within.is_empty() && name.starts_with(UNFINISHED) => {
                Err(self.bad(&path, "has a name that this host keeps for itself"))
            }
            Some(name) => Ok(name.to_owned()),
            None => Err(self.bad(&path, "has a name that is no plain text")),
        }
    }

    fn bad(&self, path: &str, what: &str) -> Fault {
        bad(self.name, path, what)
    }
}

/// Names it, by the path that the guest knows.
pub(super) fn bad(name: &str, path: &str, what: &str) -> Fault {
    let slash = if path.is_empty() { "" } else { "/" };
    Fault::new(Code::BadFiles).detail(format!("`/out/{name}{slash}{path}` {what}"))
}

/// Below `root`, whatever stands there meanwhile: no link is followed, and nothing waits.
pub(super) fn open_beneath(root: &File, path: impl Arg, flags: OFlags) -> rustix::io::Result<File> {
    let flags = flags
        | OFlags::RDONLY
        | OFlags::NOFOLLOW
        | OFlags::NONBLOCK
        | OFlags::NOCTTY
        | OFlags::CLOEXEC;
    let resolve = ResolveFlags::BENEATH
        | ResolveFlags::NO_SYMLINKS
        | ResolveFlags::NO_MAGICLINKS
        | ResolveFlags::NO_XDEV;
    openat2(root, path, flags, Mode::empty(), resolve).map(File::from)
}

pub(super) fn unreadable(error: Errno) -> Fault {
    let error = std::io::Error::from(error);
    Fault::new(Code::InputOutput).detail(format!("a private disk: {error}"))
}
