//! From beside into place.
//!
//! Owns: what may be replaced (a regular file, by a regular file), and that the disk knows of it before anybody hears so.
//! Never: goes through a link that lies in the operator's directory, or writes into a file that stands there.

use std::collections::BTreeSet;
use std::fs::File;

use pframe_core::fault::Fault;
use rustix::fs::{AtFlags, FileType, Mode, OFlags, mkdirat, statat};
use rustix::io::Errno;

use super::delivery::Target;
use super::left::{Left, bad, open_beneath};
use super::staging::{Staging, sync_each, unwritable};

/// What stands where files will go.
pub(super) struct Survey {
    /// Folders that are not there yet, each behind the one that it lies in.
    missing: Vec<String>,
    /// Of files that others will replace.
    pub(super) bytes_replaced: u64,
    /// What will be there and was not.
    pub(super) entries_new: u64,
}

/// Looks at every place; what cannot be replaced is a fault before anything is.
pub(super) fn survey(target: &Target, left: &Left) -> Result<Survey, Fault> {
    let mut survey = Survey { missing: Vec::new(), bytes_replaced: 0, entries_new: 0 };
    for path in &left.folders {
        match open_beneath(&target.root, &**path, OFlags::DIRECTORY) {
            Ok(_) => {}
            Err(Errno::NOENT) => survey.missing.push(path.clone()),
            Err(error) => return Err(refused(target, path, error)),
        }
    }
    let missing: BTreeSet<&str> = survey.missing.iter().map(String::as_str).collect();
    let mut parents = Parents::of(target);
    for file in &left.files {
        let (parent, name) = split(&file.path);
        if missing.contains(parent) {
            survey.entries_new += 1;
            continue;
        }
        match standing(parents.open(parent)?, name) {
            Ok(None) => survey.entries_new += 1,
            Ok(Some((FileType::RegularFile, bytes))) => survey.bytes_replaced += bytes,
            Ok(Some((kind, _))) => return Err(bad(&target.name, &file.path, what_stands(kind))),
            Err(error) => return Err(refused(target, &file.path, error)),
        }
    }
    survey.entries_new += survey.missing.len() as u64;
    Ok(survey)
}

/// Makes the folders that are missing, renames every file into its place, and syncs.
pub(super) fn place(
    target: &Target,
    left: &Left,
    survey: &Survey,
    staging: &Staging,
) -> Result<(), Fault> {
    let mut changed = BTreeSet::new();
    let mut parents = Parents::of(target);
    let mode = Mode::RWXU | Mode::RGRP | Mode::XGRP | Mode::ROTH | Mode::XOTH;
    for path in &survey.missing {
        let (parent, name) = split(path);
        match mkdirat(parents.open(parent)?, name, mode) {
            Ok(()) | Err(Errno::EXIST) => changed.extend([parent, path]),
            Err(error) => return Err(unwritable(&error.into())),
        }
    }
    for (index, file) in left.files.iter().enumerate() {
        let (parent, name) = split(&file.path);
        changed.insert(parent);
        staging.put(index, parents.open(parent)?, name).map_err(|error| unwritable(&error))?;
    }
    let folder = |path: &&str| match *path {
        "" => target.root.try_clone(),
        path => Ok(open_beneath(&target.root, path, OFlags::DIRECTORY)?),
    };
    let changed: Vec<&str> = changed.into_iter().collect();
    let synced = sync_each(&target.root, changed.iter().map(folder));
    synced.map_err(|error| unwritable(&error))
}

/// What stands there, and how large it is.
fn standing(parent: &File, name: &str) -> rustix::io::Result<Option<(FileType, u64)>> {
    match statat(parent, name, AtFlags::SYMLINK_NOFOLLOW) {
        Ok(seen) => {
            let bytes = u64::try_from(seen.st_size).unwrap_or(u64::MAX);
            Ok(Some((FileType::from_raw_mode(seen.st_mode), bytes)))
        }
        Err(Errno::NOENT) => Ok(None),
        Err(error) => Err(error),
    }
}

fn what_stands(kind: FileType) -> &'static str {
    match kind {
        FileType::Directory => "cannot replace the directory that stands there",
        FileType::Symlink => "cannot replace the link that stands there",
        FileType::RegularFile
        | FileType::Fifo
        | FileType::Socket
        | FileType::CharacterDevice
        | FileType::BlockDevice
        | FileType::Unknown => "cannot replace what stands there: no regular file",
    }
}

fn refused(target: &Target, path: &str, error: Errno) -> Fault {
    let what = match error {
        Errno::NOTDIR => "is a directory, and something else stands there",
        Errno::LOOP => "leads through a link that stands there",
        Errno::XDEV => "leads to another file system",
        other => return unwritable(&other.into()),
    };
    bad(&target.name, path, what)
}

/// The folder of a path, and the name in it.
fn split(path: &str) -> (&str, &str) {
    path.rsplit_once('/').unwrap_or(("", path))
}

/// Folders of the directory, opened when it is their turn. Files that lie together come together.
struct Parents<'a> {
    target: &'a Target,
    last: Option<(String, File)>,
}

impl<'a> Parents<'a> {
    fn of(target: &'a Target) -> Self {
        Self { target, last: None }
    }

    fn open(&mut self, path: &str) -> Result<&File, Fault> {
        if path.is_empty() {
            return Ok(&self.target.root);
        }
        if self.last.as_ref().is_none_or(|(last, _)| last != path) {
            let folder = open_beneath(&self.target.root, path, OFlags::DIRECTORY);
            let folder = folder.map_err(|error| refused(self.target, path, error))?;
            self.last = Some((path.to_owned(), folder));
        }
        Ok(&self.last.as_ref().expect("it was opened just now").1)
    }
}
