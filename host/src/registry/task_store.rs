//! The store of task types: components that somebody added, by name and version, in files named by their digest.
//!
//! Owns: its directory with the manifest, `tasks.json`, and what is left there when a command is interrupted.
//! Never: takes a name for a path, or changes a file that is there: it is written beside and renamed.

use std::collections::BTreeSet;
use std::fs::{self, File};
use std::io::{Read, Write};
use std::path::{Path, PathBuf};
use std::sync::{Arc, OnceLock};

use pframe_core::fault::{Code, Fault};
use pframe_core::ids::{Digest, TaskName};
use pframe_core::oci::{OciReference, SCHEME};
use pframe_core::tasktype::{self, DESCRIPTION_BYTES_MAX, TaskType, Wanted};
use pframe_core::units::ByteSize;
use semver::Version;
use serde::{Deserialize, Serialize};

use super::admission::{Admitted, admit, digest_of};
use super::catalog::{Entry, Listed, Shelf, full_name};
use super::oci::Pulled;
use crate::data::results::sync_directory;

const MANIFEST: &str = "tasks.json";
const LOCK: &str = "tasks.lock";
/// The version of the manifest.
const VERSION: u32 = 1;
/// The longest manifest that is read.
const MANIFEST_BYTES_MAX: u64 = 16 << 20;
/// Task types of one store at most: all of them are looked at whenever jobs are read.
const KEPT_MAX: usize = 10_000;

/// A component in the store.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Kept {
    /// Without its version.
    pub(crate) name: TaskName,
    #[serde(with = "written")]
    pub(crate) version: Option<Version>,
    pub(crate) sha256: Digest,
    pub(crate) size: ByteSize,
    /// Of the text of its description.
    pub(crate) description: Option<Digest>,
    /// The file or the registry that it came from.
    pub(crate) source: String,
}

impl Kept {
    /// `word-count@1.2.0`, or the name alone.
    pub(crate) fn full_name(&self) -> String {
        full_name(&self.name, self.version.as_ref())
    }
}

/// A version as text; the store's manifest is read by people too.
mod written {
    use semver::Version;
    use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

    #[expect(clippy::ref_option, reason = "serde asks for it")]
    pub(super) fn serialize<S: Serializer>(
        version: &Option<Version>,
        serializer: S,
    ) -> Result<S::Ok, S::Error> {
        version.as_ref().map(ToString::to_string).serialize(serializer)
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(
        deserializer: D,
    ) -> Result<Option<Version>, D::Error> {
        let text = Option::<String>::deserialize(deserializer)?;
        text.map(|text| Version::parse(&text)).transpose().map_err(de::Error::custom)
    }
}

/// A component that was pulled, by the reference that it was asked for with.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct PullRecord {
    /// Without `oci://`.
    pub(crate) reference: String,
    /// Of the registry's manifest.
    pub(crate) manifest: Digest,
    /// Of the component.
    pub(crate) sha256: Digest,
    pub(crate) size: ByteSize,
}

#[derive(Debug, Serialize, Deserialize)]
struct Manifest {
    version: u32,
    tasks: Vec<Kept>,
    #[serde(default)]
    pulls: Vec<PullRecord>,
}

/// What is to be kept.
pub(crate) struct Addition {
    pub(crate) name: TaskName,
    pub(crate) version: Option<Version>,
    pub(crate) admitted: Admitted,
    /// The text of its description, which was read before.
    pub(crate) description: Option<Vec<u8>>,
    pub(crate) source: String,
}

/// The store in one directory, which need not exist.
#[derive(Debug, Clone)]
pub(crate) struct TaskStore {
    directory: PathBuf,
}

fn unusable(what: &Path, error: &dyn std::fmt::Display) -> Fault {
    Fault::new(Code::StateUnusable).detail(format!("task types: `{}`: {error}", what.display()))
}

fn refused(what: String) -> Fault {
    Fault::new(Code::TaskStore).detail(what)
}

impl TaskStore {
    pub(crate) fn new(directory: impl Into<PathBuf>) -> Self {
        Self { directory: directory.into() }
    }

    /// Everything in it, in the order of names and versions.
    pub(crate) fn list(&self) -> Result<Vec<Kept>, Fault> {
        let mut kept = self.manifest()?.tasks;
        kept.sort_by(|one, other| (&one.name, &one.version).cmp(&(&other.name, &other.version)));
        Ok(kept)
    }

    /// The same as task types that can be named, and behind them what was pulled, which only its digest names.
    pub(super) fn listed(&self) -> Result<Vec<Listed>, Fault> {
        let listed = |kept: Kept| Listed {
            place: self.component(&kept.sha256),
            name: Some(kept.name.clone()),
            version: kept.version.clone(),
            entry: self.entry(kept),
        };
        let pulled = |pull: PullRecord| Listed {
            place: format!("{SCHEME}{}", pull.reference).into(),
            name: None,
            version: None,
            entry: Ok(Entry {
                name: TaskName::new(&pull.sha256.to_string()).expect("hex digits are a name"),
                version: None,
                component: self.component(&pull.sha256),
                pinned: Some(pull.sha256),
                hashed: OnceLock::new(),
                described: Arc::default(),
                shelf: Shelf::Registry,
            }),
        };
        let pulls = self.manifest()?.pulls;
        Ok(self.list()?.into_iter().map(listed).chain(pulls.into_iter().map(pulled)).collect())
    }

    fn entry(&self, kept: Kept) -> Result<Entry, Fault> {
        let described = kept.description.map(|digest| self.described(&digest)).transpose()?;
        Ok(Entry {
            component: self.component(&kept.sha256),
            pinned: Some(kept.sha256),
            hashed: OnceLock::new(),
            described: Arc::new(described.unwrap_or_default()),
            shelf: Shelf::Store,
            name: kept.name,
            version: kept.version,
        })
    }

    /// Puts a component in. The same once more changes nothing; a name and version that is another component's is refused.
    pub(crate) fn add(&self, addition: Addition) -> Result<Kept, Fault> {
        let Addition { name, version, admitted, description, source } = addition;
        let size = ByteSize(admitted.bytes.len() as u64);
        let text = description.as_deref().map(|text| (digest_of(text), text));
        let kept = Kept {
            name,
            version,
            sha256: admitted.digest,
            size,
            description: text.map(|(digest, _)| digest),
            source,
        };
        let _lock = self.lock()?;
        let mut manifest = self.manifest()?;
        self.sweep(&manifest);
        let rival =
            manifest.tasks.iter().find(|it| (&it.name, &it.version) == (&kept.name, &kept.version));
        match rival {
            Some(rival) if (rival.sha256, rival.description) == (kept.sha256, kept.description) => {
                return Ok(rival.clone());
            }
            Some(rival) => {
                let (name, digest) = (rival.full_name(), rival.sha256);
                return Err(refused(format!(
                    "`{name}` is there already, with sha256 {digest}; `pframe-host tasks remove {name}` first"
                )));
            }
            None if manifest.tasks.len() >= KEPT_MAX => {
                return Err(refused(format!("the store has {KEPT_MAX} task types")));
            }
            None => {}
        }
        self.write(&self.component(&kept.sha256), &admitted.bytes)?;
        if let Some((digest, text)) = text {
            self.write(&self.description(&digest), text)?;
        }
        manifest.tasks.push(kept.clone());
        self.keep(&manifest)?;
        Ok(kept)
    }

    /// The component that was pulled by this reference before, or by another to the same pinned manifest.
    pub(crate) fn pulled(
        &self,
        reference: &OciReference,
    ) -> Result<Option<(PathBuf, Digest)>, Fault> {
        let text = reference.to_string();
        let is_meant = |it: &&PullRecord| match reference.digest() {
            Some(digest) => it.manifest == digest,
            None => it.reference == text,
        };
        let pulls = self.manifest()?.pulls;
        let found = pulls.iter().find(is_meant);
        Ok(found.map(|it| (self.component(&it.sha256), it.sha256)))
    }

    /// Keeps what was pulled. A tag that was pulled before means the newer component from now on.
    pub(crate) fn keep_pull(
        &self,
        reference: &OciReference,
        pulled: &Pulled,
    ) -> Result<(PathBuf, Digest), Fault> {
        let _lock = self.lock()?;
        let mut manifest = self.manifest()?;
        let record = PullRecord {
            reference: reference.to_string(),
            manifest: pulled.manifest,
            sha256: pulled.admitted.digest,
            size: ByteSize(pulled.admitted.bytes.len() as u64),
        };
        manifest.pulls.retain(|it| it.reference != record.reference);
        if manifest.pulls.len() >= KEPT_MAX {
            return Err(refused(format!("the store has {KEPT_MAX} components of registries")));
        }
        let path = self.component(&record.sha256);
        self.write(&path, &pulled.admitted.bytes)?;
        manifest.pulls.push(record);
        self.keep(&manifest)?;
        self.sweep(&manifest);
        Ok((path, pulled.admitted.digest))
    }

    /// Forgets what was pulled by this reference.
    pub(crate) fn remove_pull(&self, reference: &OciReference) -> Result<(), Fault> {
        let _lock = self.lock()?;
        let mut manifest = self.manifest()?;
        let (count, text) = (manifest.pulls.len(), reference.to_string());
        manifest.pulls.retain(|it| it.reference != text);
        if manifest.pulls.len() == count {
            return Err(refused(format!("`{text}` was not pulled")));
        }
        self.keep(&manifest)?;
        self.sweep(&manifest);
        Ok(())
    }

    /// Forgets one task type, and its files unless another has the same.
    pub(crate) fn remove(&self, name: &TaskName, wanted: &Wanted) -> Result<Kept, Fault> {
        let _lock = self.lock()?;
        let mut manifest = self.manifest()?;
        let at = self.only_one(&manifest.tasks, name, wanted)?;
        let kept = manifest.tasks.remove(at);
        self.keep(&manifest)?;
        self.sweep(&manifest);
        Ok(kept)
    }

    /// Reads the files of a task type once more.
    pub(crate) fn verify(&self, kept: &Kept, bytes_max: ByteSize) -> Result<(), Fault> {
        admit(&self.component(&kept.sha256), Some(kept.sha256), bytes_max)?;
        kept.description.map_or(Ok(()), |digest| self.described(&digest).map(|_| ()))
    }

    fn only_one(&self, kept: &[Kept], name: &TaskName, wanted: &Wanted) -> Result<usize, Fault> {
        let of_name = || kept.iter().enumerate().filter(|(_, it)| it.name == *name);
        let fitting: Vec<_> =
            of_name().filter(|(_, it)| wanted.takes(it.version.as_ref())).collect();
        if let [(at, _)] = &*fitting {
            return Ok(*at);
        }
        let known: Vec<_> = of_name().map(|(_, it)| it.full_name()).collect();
        Err(refused(match known.is_empty() {
            true => format!("`{name}` is not in `{}`", self.directory.display()),
            false => format!("`{name}` in {wanted}: there is {}", known.join(", ")),
        }))
    }

    fn component(&self, digest: &Digest) -> PathBuf {
        self.directory.join(format!("{digest}.wasm"))
    }

    fn description(&self, digest: &Digest) -> PathBuf {
        self.directory.join(format!("{digest}.yaml"))
    }

    /// A description, checked to be the one that was added.
    fn described(&self, digest: &Digest) -> Result<TaskType, Fault> {
        let path = self.description(digest);
        let mut text = Vec::new();
        File::open(&path)
            .and_then(|file| file.take(DESCRIPTION_BYTES_MAX as u64 + 1).read_to_end(&mut text))
            .map_err(|error| unusable(&path, &error))?;
        if digest_of(&text) != *digest {
            return Err(unusable(&path, &"it is not the description that was added"));
        }
        tasktype::parse(&text, &path.display().to_string()).map_err(Fault::from)
    }

    /// Held while the manifest is read, changed and written: two commands at once come one after the other.
    fn lock(&self) -> Result<File, Fault> {
        fs::create_dir_all(&self.directory).map_err(|error| unusable(&self.directory, &error))?;
        let path = self.directory.join(LOCK);
        let file = File::create(&path).map_err(|error| unusable(&path, &error))?;
        file.lock().map_err(|error| unusable(&path, &error))?;
        Ok(file)
    }

    fn manifest(&self) -> Result<Manifest, Fault> {
        let path = self.directory.join(MANIFEST);
        let mut text = Vec::new();
        let read =
            File::open(&path).and_then(|file| file.take(MANIFEST_BYTES_MAX).read_to_end(&mut text));
        match read {
            Ok(_) => {}
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
                return Ok(Manifest { version: VERSION, tasks: Vec::new(), pulls: Vec::new() });
            }
            Err(error) => return Err(unusable(&path, &error)),
        }
        let manifest: Manifest =
            serde_json::from_slice(&text).map_err(|error| unusable(&path, &error))?;
        match manifest.version {
            VERSION => Ok(manifest),
            newer => Err(unusable(&path, &format!("its version is {newer}, not {VERSION}"))),
        }
    }

    /// The manifest is there as a whole, old or new, whatever happens.
    fn keep(&self, manifest: &Manifest) -> Result<(), Fault> {
        let text = serde_json::to_string_pretty(manifest).expect("plain data");
        self.write(&self.directory.join(MANIFEST), text.as_bytes())
    }

    fn write(&self, path: &Path, bytes: &[u8]) -> Result<(), Fault> {
        let failed = |error: &dyn std::fmt::Display| unusable(path, error);
        let mut file = tempfile::NamedTempFile::new_in(&self.directory).map_err(|e| failed(&e))?;
        file.write_all(bytes).map_err(|e| failed(&e))?;
        file.as_file().sync_all().map_err(|e| failed(&e))?;
        file.persist(path).map_err(|e| failed(&e.error))?;
        sync_directory(&self.directory)
    }

    /// Removes what no task type has (any more): half written by a command that was killed, or removed from the manifest.
    /// Called under the lock.
    fn sweep(&self, manifest: &Manifest) {
        let mut wanted: BTreeSet<_> =
            [self.directory.join(MANIFEST), self.directory.join(LOCK)].into();
        for kept in &manifest.tasks {
            wanted.insert(self.component(&kept.sha256));
            wanted.extend(kept.description.map(|digest| self.description(&digest)));
        }
        wanted.extend(manifest.pulls.iter().map(|pull| self.component(&pull.sha256)));
        let entries = fs::read_dir(&self.directory).into_iter().flatten().flatten();
        for path in entries.map(|entry| entry.path()).filter(|path| is_ours(path)) {
            if !wanted.contains(&path)
                && let Err(error) = fs::remove_file(&path)
            {
                tracing::warn!(%error, "a leftover in the store of task types cannot be removed");
            }
        }
    }
}

/// Files that only this store makes: what else somebody put into its directory is left alone.
fn is_ours(path: &Path) -> bool {
    let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
    let digest = name.strip_suffix(".wasm").or_else(|| name.strip_suffix(".yaml"));
    name.starts_with(".tmp") || digest.is_some_and(|it| it.parse::<Digest>().is_ok())
}

#[cfg(test)]
mod tests;
