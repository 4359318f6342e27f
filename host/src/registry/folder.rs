//! A folder of task types: `NAME.wasm` with an optional `NAME.yaml`, or `NAME/task.yaml` with its component beside it.
//!
//! Owns: what the names of files mean, `NAME@1.2.0.wasm` among them, and which component a description is about.
//! Never: reads a component.

use std::collections::BTreeSet;
use std::fs;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::sync::{Arc, OnceLock};

use pframe_core::fault::{Code, Fault};
use pframe_core::ids::TaskName;
use pframe_core::tasktype::{DESCRIPTION_BYTES_MAX, TaskType, parse};
use semver::Version;

use super::catalog::{Entry, Listed, Shelf};

/// Entries of one folder at most: all of them are looked at whenever jobs are read.
const ENTRIES_MAX: usize = 10_000;
/// The description in a folder of its own.
const DESCRIPTION: &str = "task.yaml";

/// All task types of a folder, in the order of their files.
pub(super) fn read_folder(folder: &Path) -> Result<Vec<Listed>, Fault> {
    let (mut stems, mut folders) = (BTreeSet::new(), BTreeSet::new());
    for path in paths(folder)? {
        let extension = path.extension().and_then(|it| it.to_str());
        if path.is_dir() {
            if path.join(DESCRIPTION).exists() {
                folders.insert(path);
            }
        } else if matches!(extension, Some("wasm" | "yaml")) {
            stems.insert(path.with_extension(""));
        }
    }
    let single = stems.iter().map(|stem| {
        let description = with_ending(stem, "yaml");
        let description = description.exists().then_some(description);
        listed(stem, description.as_deref(), || Ok(with_ending(stem, "wasm")))
    });
    let own = folders
        .iter()
        .map(|folder| listed(folder, Some(&folder.join(DESCRIPTION)), || only_component(folder)));
    Ok(single.chain(own).collect())
}

fn paths(folder: &Path) -> Result<Vec<PathBuf>, Fault> {
    let unreadable = |why: &dyn std::fmt::Display| {
        Fault::new(Code::StateUnusable)
            .detail(format!("the task types in `{}`: {why}", folder.display()))
    };
    let entries = fs::read_dir(folder).map_err(|error| unreadable(&error))?;
    let paths = entries.take(ENTRIES_MAX + 1).map(|entry| Ok(entry?.path()));
    let paths = paths.collect::<std::io::Result<Vec<_>>>().map_err(|error| unreadable(&error))?;
    match paths.len() > ENTRIES_MAX {
        true => Err(unreadable(&format!("more than {ENTRIES_MAX} entries"))),
        false => Ok(paths),
    }
}

/// `Path::with_extension` would take `.0` of a version for one.
fn with_ending(stem: &Path, ending: &str) -> PathBuf {
    let mut path = stem.as_os_str().to_owned();
    path.push(".");
    path.push(ending);
    path.into()
}

fn listed(
    stem: &Path,
    description: Option<&Path>,
    beside: impl FnOnce() -> Result<PathBuf, Fault>,
) -> Listed {
    let place = description.map_or_else(|| with_ending(stem, "wasm"), Path::to_owned);
    let file_name = stem.file_name().map(|name| name.to_string_lossy()).unwrap_or_default();
    let (bare, version) = match file_name.split_once('@') {
        Some((bare, version)) => (bare, Some(version)),
        None => (&*file_name, None),
    };
    let (name, version) = (TaskName::new(bare), version.map(Version::parse).transpose());
    let mut listed = Listed {
        place: place.clone(),
        name: name.as_ref().ok().cloned(),
        version: version.as_ref().ok().cloned().flatten(),
        entry: Err(Fault::new(Code::TaskDescription)),
    };
    let wrong = |why: String| {
        Fault::new(Code::TaskDescription).detail(format!("`{}`: {why}", place.display()))
    };
    listed.entry = (|| {
        let name = name.map_err(|error| wrong(error.to_string()))?;
        let version = version.map_err(|error| wrong(format!("behind `@`: {error}")))?;
        let described = description.map(read).transpose()?.unwrap_or_default();
        let version = agreed(version, described.version.as_ref()).map_err(wrong)?;
        listed.version.clone_from(&version);
        let component = match &described.component {
            Some(path) => place.parent().unwrap_or(Path::new(".")).join(path),
            None => beside()?,
        };
        let pinned = described.sha256;
        let described = Arc::new(described);
        let (hashed, shelf) = (OnceLock::new(), Shelf::Folder);
        Ok(Entry { name, version, component, pinned, hashed, described, shelf })
    })();
    listed
}

/// The version of the file's name and that of the description, which must not differ.
fn agreed(named: Option<Version>, described: Option<&Version>) -> Result<Option<Version>, String> {
    match (named, described) {
        (Some(named), Some(described)) if named != *described => {
            Err(format!("`task_version` is {described}, and the file is named {named}"))
        }
        (Some(named), _) if !named.build.is_empty() => {
            Err(format!("{named} has build metadata, which does not order versions"))
        }
        (named, described) => Ok(named.or_else(|| described.cloned())),
    }
}

/// Reads a description of bounded length.
fn read(path: &Path) -> Result<TaskType, Fault> {
    let shown = path.display().to_string();
    let unreadable =
        |why: String| Fault::new(Code::TaskDescription).detail(format!("`{shown}`: {why}"));
    // The kind is asked before opening: to open a pipe is to wait for somebody.
    let metadata = fs::metadata(path).map_err(|error| unreadable(error.to_string()))?;
    if !metadata.is_file() {
        return Err(unreadable("not a regular file".into()));
    }
    let mut bytes = Vec::new();
    fs::File::open(path)
        .and_then(|file| file.take(DESCRIPTION_BYTES_MAX as u64 + 1).read_to_end(&mut bytes))
        .map_err(|error| unreadable(error.to_string()))?;
    parse(&bytes, &shown).map_err(Fault::from)
}

/// The one component in a folder whose description names none.
fn only_component(folder: &Path) -> Result<PathBuf, Fault> {
    let mut components = paths(folder)?;
    components.retain(|path| path.extension().is_some_and(|it| it == "wasm"));
    match <[PathBuf; 1]>::try_from(components) {
        Ok([component]) => Ok(component),
        Err(components) => {
            let what = format!(
                "`{}`: {} components lie beside it; `component` says which one is meant",
                folder.join(DESCRIPTION).display(),
                components.len()
            );
            Err(Fault::new(Code::TaskDescription).detail(what))
        }
    }
}
