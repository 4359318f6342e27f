//! Guests that are not built by Cargo: folders of the examples, each with the tools of its own language.
//!
//! Owns: which folders these are, and when one must be built again.
//! Never: knows how; each language has a file.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use super::component::{Component, finish};
use super::{c, javascript, python};
use crate::Outcome;
use crate::workspace::root;

/// A language with a builder of its own.
struct Language {
    /// The name of the folder, and the end of the component's name.
    name: &'static str,
    /// The file by which a folder is known to be one.
    marker: &'static str,
    /// What is part of every component beside its own folder, relative to the checkout.
    sdk: &'static str,
    /// Makes the component of the folder, at this path.
    build: fn(&Path, &Path) -> Outcome,
}

const LANGUAGES: [Language; 3] = [
    Language { name: "c", marker: "Makefile", sdk: "guest-sdk/c", build: c::build },
    Language {
        name: "javascript",
        marker: "package.json",
        sdk: "guest-sdk/javascript/src",
        build: javascript::build,
    },
    Language {
        name: "python",
        marker: "app.py",
        sdk: "guest-sdk/python/src",
        build: python::build,
    },
];

/// What builders leave in a folder: not a part of what the component is made of.
const LEFTOVERS: [&str; 3] = ["__pycache__", "build", "node_modules"];

/// A folder that becomes a component.
pub(super) struct Foreign {
    /// Such as `top-words-python`, for `examples/top-words/python`.
    pub(super) name: String,
    folder: PathBuf,
    language: &'static Language,
}

/// All of them, by name.
pub(super) fn guests() -> Vec<Foreign> {
    let examples = fs::read_dir(root().join("examples")).into_iter().flatten().flatten();
    let mut guests: Vec<_> = examples
        .flat_map(|example| {
            let name = example.file_name().to_string_lossy().into_owned();
            LANGUAGES.iter().map(move |language| Foreign {
                name: format!("{name}-{}", language.name),
                folder: example.path().join(language.name),
                language,
            })
        })
        .filter(|guest| guest.folder.join(guest.language.marker).is_file())
        .collect();
    guests.sort_by(|left, right| left.name.cmp(&right.name));
    guests
}

impl Foreign {
    /// Builds it, unless it is newer than all it is made of.
    pub(super) fn build(&self) -> Outcome<Component> {
        let file = format!("{}.wasm", self.name.replace('-', "_"));
        let folder = root().join("target/guests").join(self.language.name);
        let built = folder.join(&file);
        let (sdk, wit) = (root().join(self.language.sdk), root().join("wit/task.wit"));
        let made_of = [self.folder.as_path(), &sdk, &wit];
        if modified(&built).is_none_or(|built| newest(&made_of) > Some(built)) {
            fs::create_dir_all(&folder)
                .map_err(|error| format!("{}: {error}", folder.display()))?;
            (self.language.build)(&self.folder, &built)?;
        }
        finish(&built, root().join("target/handlers").join(&file))
    }
}

/// When the newest of these files was written, folders with all that is in them.
fn newest(paths: &[&Path]) -> Option<SystemTime> {
    let of = |path: &&Path| {
        if !path.is_dir() {
            return modified(path);
        }
        let entries = fs::read_dir(path).into_iter().flatten().flatten();
        let entries: Vec<_> = entries.map(|entry| entry.path()).collect();
        let is_source = |path: &&Path| !LEFTOVERS.iter().any(|name| path.ends_with(name));
        newest(&entries.iter().map(PathBuf::as_path).filter(is_source).collect::<Vec<_>>())
    };
    paths.iter().filter_map(of).max()
}

/// When a file was written.
pub(super) fn modified(path: &Path) -> Option<SystemTime> {
    fs::metadata(path).and_then(|metadata| metadata.modified()).ok()
}

/// Copies what a builder left in the folder of its guest.
pub(super) fn take(made: &Path, built: &Path) -> Outcome {
    fs::copy(made, built).map(drop).map_err(|error| format!("{}: {error}", made.display()))
}
