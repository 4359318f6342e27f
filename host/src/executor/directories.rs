//! Directories of this machine that jobs were granted (`dir: NAME`).
//!
//! Owns: the way from a name to an open root, by what the operator configured.
//! Never: tells anybody the path; who may ask is decided at acceptance.

use std::collections::BTreeMap;
use std::fs::File;
use std::io;
use std::os::unix::fs::OpenOptionsExt;
use std::sync::Arc;

use pframe_core::config;
use pframe_core::fault::{Code, Fault};
use pframe_core::job::Grant;
use rustix::io::Errno;

use crate::capability::directories::Directory;
use crate::process::scratch::{ScratchMaker, keeps_below};

/// Who keeps a guest from writing, and from going up.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Views {
    /// The kernel, or nothing is handed over: a worker may be taken over.
    Demanded,
    /// The kernel where it can, and wasmtime anyway.
    WherePossible,
}

/// Opens what was granted.
#[derive(Debug)]
pub(crate) struct Directories {
    configured: BTreeMap<String, config::Directory>,
    maker: Arc<ScratchMaker>,
    views: Views,
}

impl Directories {
    pub(crate) fn new(
        configured: BTreeMap<String, config::Directory>,
        maker: Arc<ScratchMaker>,
        views: Views,
    ) -> Self {
        Self { configured, maker, views }
    }

    /// A root for each directory among these grants; the thread may have to wait.
    pub(crate) fn open(&self, grants: &[Grant]) -> Result<Vec<Directory>, Fault> {
        grants.iter().filter_map(Grant::directory).map(|name| self.open_one(name)).collect()
    }

    fn open_one(&self, name: &str) -> Result<Directory, Fault> {
        let refuse =
            |why: &str| Fault::new(Code::DirectoryMissing).detail(format!("`dir: {name}`: {why}"));
        let configured = self.configured.get(name);
        let path = &configured.ok_or_else(|| refuse("the configuration names none"))?.path;
        let plain = open_directory(path).map_err(|error| unopened(&error, refuse))?;
        if !keeps_below(&plain) {
            return Err(refuse("it cannot be searched, or the kernel has no `openat2`"));
        }
        let root = match (self.maker.view(path, &plain), self.views) {
            (Ok(view), _) => view,
            (Err(_), Views::WherePossible) => plain,
            (Err(fault), Views::Demanded) => return Err(fault),
        };
        Ok(Directory { name: name.to_owned(), root })
    }
}

pub(super) fn open_directory(path: &str) -> io::Result<File> {
    let directory = rustix::fs::OFlags::DIRECTORY.bits().cast_signed();
    std::fs::OpenOptions::new().read(true).custom_flags(directory).open(path)
}

/// The fault of a directory that cannot be opened: its own, unless the host has no descriptor or memory for it just now.
pub(super) fn unopened(error: &io::Error, refuse: impl FnOnce(&str) -> Fault) -> Fault {
    match Errno::from_io_error(error) {
        Some(Errno::MFILE | Errno::NFILE | Errno::NOMEM) => {
            Fault::new(Code::InputOutput).detail(format!("opening a directory: {error}"))
        }
        _ => refuse(said(error)),
    }
}

/// Without the path, which is the operator's.
fn said(error: &io::Error) -> &'static str {
    match error.kind() {
        io::ErrorKind::NotFound => "there is no such directory",
        io::ErrorKind::NotADirectory => "it is not a directory",
        io::ErrorKind::PermissionDenied => "the host may not read it",
        _ => "it cannot be opened",
    }
}
