//! The task types that jobs may name without bringing them along, and which of them a name means.
//!
//! Owns: the choice among versions, and that two components never go by one name and version.
//! Never: prefers an older version silently: what cannot be read and might be meant is a fault.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::sync::{Arc, OnceLock};

use pframe_core::fault::{Code, Fault};
use pframe_core::ids::{Digest, TaskName};
use pframe_core::tasktype::{Reference, TaskType, Wanted};
use pframe_core::units::ByteSize;
use semver::Version;

use super::admission::admit;
use super::folder::read_folder;
use super::task_store::TaskStore;

/// Names that a message lists.
const NAMES_TOLD_MAX: usize = 20;

/// Where a task type was found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Shelf {
    /// The folder of task types.
    Folder,
    /// The store that task types are added to.
    Store,
    /// The same store, but only a reference into a registry and its digest name it.
    Registry,
}

impl Shelf {
    /// As it is shown.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Folder => "folder",
            Self::Store => "store",
            Self::Registry => "registry",
        }
    }
}

/// A task type that can be named.
#[derive(Debug, Clone)]
pub(crate) struct Entry {
    /// Without its version.
    pub(crate) name: TaskName,
    pub(crate) version: Option<Version>,
    pub(crate) component: PathBuf,
    /// The digest that the component must have.
    pub(crate) pinned: Option<Digest>,
    /// What one without a pin was when it was first asked for, so that no file is read for each reference.
    pub(super) hashed: OnceLock<Result<Digest, Fault>>,
    pub(crate) described: Arc<TaskType>,
    pub(crate) shelf: Shelf,
}

impl Entry {
    /// `word-count@1.2.0`, or the name alone.
    pub(crate) fn full_name(&self) -> String {
        full_name(&self.name, self.version.as_ref())
    }

    /// The same, chosen for this digest: a component that became another one meanwhile is refused when it is loaded.
    fn chosen(&self, digest: Digest) -> Self {
        Self { pinned: Some(digest), ..self.clone() }
    }
}

pub(super) fn full_name(name: &TaskName, version: Option<&Version>) -> String {
    match version {
        Some(version) => format!("{name}@{version}"),
        None => name.to_string(),
    }
}

/// A task type as it was found, usable or not.
#[derive(Debug)]
pub(crate) struct Listed {
    /// The file that it is known by.
    pub(crate) place: PathBuf,
    /// Where the file has the name of a task type.
    pub(crate) name: Option<TaskName>,
    /// As far as it is known.
    pub(crate) version: Option<Version>,
    pub(crate) entry: Result<Entry, Fault>,
}

/// All of them, read once.
#[derive(Debug)]
pub(crate) struct Catalog {
    listed: Vec<Listed>,
    component_bytes_max: ByteSize,
}

impl Catalog {
    /// Reads the folder, if there is one, and the store.
    pub(crate) fn open(
        folder: Option<&Path>,
        store: &TaskStore,
        component_bytes_max: ByteSize,
    ) -> Result<Self, Fault> {
        let mut listed = folder.map(read_folder).transpose()?.unwrap_or_default();
        listed.extend(store.listed()?);
        Ok(Self { listed, component_bytes_max })
    }

    /// Everything that was found.
    pub(crate) fn listed(&self) -> &[Listed] {
        &self.listed
    }

    /// The first few names, for whoever asked for another; `None` where there are none.
    pub(crate) fn names(&self) -> Option<String> {
        let names: BTreeSet<_> = self.listed.iter().filter_map(|it| it.name.as_ref()).collect();
        let told: Vec<_> =
            names.iter().take(NAMES_TOLD_MAX).map(|name| format!("`{name}`")).collect();
        let more = if names.len() > NAMES_TOLD_MAX { " and others" } else { "" };
        (!told.is_empty()).then(|| format!("{}{more}", told.join(", ")))
    }

    /// The task type that a name means; `None` where nothing has this name. One that was chosen by its digest is pinned to it.
    pub(crate) fn find(&self, name: &TaskName) -> Result<Option<Entry>, Fault> {
        match Reference::of(name) {
            Err(error) => Err(Fault::new(Code::TaskUnknown).detail(format!("`{name}`: {error}"))),
            Ok(Reference::Digest(digest)) => Ok(self.with_digest(&digest)),
            Ok(Reference::Named { name, wanted }) => self.named(&name, &wanted),
        }
    }

    fn named(&self, name: &TaskName, wanted: &Wanted) -> Result<Option<Entry>, Fault> {
        let of_name = || self.listed.iter().filter(|it| it.name.as_ref() == Some(name));
        if of_name().next().is_none() {
            return Ok(None);
        }
        let mut fitting = Vec::new();
        for listed in of_name() {
            match &listed.entry {
                Ok(entry) if wanted.takes(entry.version.as_ref()) => fitting.push(entry),
                // Of what cannot be read nobody knows that it is not the one, unless its file says so.
                Err(fault) if listed.version.is_none() || wanted.takes(listed.version.as_ref()) => {
                    return Err(fault.clone());
                }
                Ok(_) | Err(_) => {}
            }
        }
        let Some(best) = fitting.iter().copied().max_by_key(|entry| rank(entry)) else {
            let versions = of_name().map(|it| match &it.version {
                Some(version) => version.to_string(),
                None => "one without a version".into(),
            });
            let versions = versions.collect::<Vec<_>>().join(", ");
            let what = format!("`{name}` is not there in {wanted}; there is {versions}");
            return Err(Fault::new(Code::TaskUnknown).detail(what));
        };
        let rivals = fitting.into_iter().filter(|it| it.version == best.version);
        self.only_one(&rivals.collect::<Vec<_>>()).map(Some)
    }

    /// Of several entries of one name and version the first, if all are the same component.
    fn only_one(&self, rivals: &[&Entry]) -> Result<Entry, Fault> {
        let [first, others @ ..] = rivals else { unreachable!("the best is among its rivals") };
        if others.is_empty() {
            return Ok(Entry::clone(first));
        }
        let digest = self.digest(first)?;
        for other in others {
            if self.digest(other)? != digest {
                let what = format!(
                    "`{}` is both `{}` and `{}`",
                    first.full_name(),
                    first.component.display(),
                    other.component.display()
                );
                return Err(Fault::new(Code::TaskAmbiguous).detail(what));
            }
        }
        Ok(first.chosen(digest))
    }

    /// What is pinned need not be read, and the rest is read once: whoever is chosen for its digest is pinned to it, and a
    /// component of another one is refused when it is loaded.
    fn digest(&self, entry: &Entry) -> Result<Digest, Fault> {
        let read = || admit(&entry.component, None, self.component_bytes_max).map(|it| it.digest);
        match entry.pinned {
            Some(digest) => Ok(digest),
            None => entry.hashed.get_or_init(read).clone(),
        }
    }

    fn with_digest(&self, digest: &Digest) -> Option<Entry> {
        let entries = || self.listed.iter().filter_map(|it| it.entry.as_ref().ok());
        let pinned = entries().find(|entry| entry.pinned.as_ref() == Some(digest));
        let found = pinned.or_else(|| {
            entries()
                .find(|it| it.pinned.is_none() && self.digest(it).is_ok_and(|it| it == *digest))
        });
        found.map(|entry| entry.chosen(*digest))
    }
}

/// Later versions come first, releases before what precedes them, and what has no version last.
fn rank(entry: &Entry) -> (bool, Option<&Version>) {
    (entry.version.as_ref().is_some_and(|version| version.pre.is_empty()), entry.version.as_ref())
}

#[cfg(test)]
mod tests {
    use super::super::admission::digest_of;
    use super::*;

    const ONE: &[u8] = b"\0asm\x0d\0\x01\0one";
    const OTHER: &[u8] = b"\0asm\x0d\0\x01\0other";

    #[test]
    fn a_component_is_read_once_and_refused_when_it_is_another_one_later() {
        let folder = tempfile::tempdir().unwrap();
        let (path, bytes_max) = (folder.path().join("word-count.wasm"), ByteSize::mib(1));
        std::fs::write(&path, ONE).unwrap();
        let store = TaskStore::new(folder.path().join("store"));
        let catalog = Catalog::open(Some(folder.path()), &store, bytes_max).unwrap();
        let find = |content: &[u8]| {
            let name = TaskName::new(&format!("sha256:{}", digest_of(content))).unwrap();
            catalog.find(&name).unwrap()
        };
        assert_eq!(find(ONE).and_then(|it| it.pinned), Some(digest_of(ONE)));
        std::fs::write(&path, OTHER).unwrap();
        assert!(find(OTHER).is_none(), "the file was read again");
        let entry = find(ONE).unwrap();
        let refused = admit(&entry.component, entry.pinned, bytes_max).err().unwrap();
        assert_eq!(refused.code, Code::DigestMismatch);
        let named = catalog.find(&TaskName::new("word-count").unwrap()).unwrap().unwrap();
        assert_eq!(named.pinned, None, "whoever says no digest takes the file as it is");
    }
}
