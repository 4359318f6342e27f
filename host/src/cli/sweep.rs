//! Files of the state and cache directories that nobody needs any more.
//!
//! Owns: where they lie, and how they are counted and removed.
//! Never: follows a link, or decides which runs are kept.

use std::collections::BTreeSet;
use std::fs::DirEntry;
use std::path::Path;
use std::time::{Duration, SystemTime};

use pframe_core::fault::{Code, Fault};
use pframe_core::ids::Digest;
use pframe_core::units::Timestamp;

use super::failure::Failure;
use crate::data::{bundle, cache};

/// A temporary file of the shared cache is left over once it is this old; a younger one may be in use.
const LEFTOVER_AGE: Duration = Duration::from_hours(1);

/// Whether anything is removed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Mode {
    /// It is.
    Remove,
    /// It is only counted.
    Look,
}

/// How many, and how much.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Tally {
    pub(super) count: u64,
    pub(super) bytes: u64,
}

impl Tally {
    pub(super) fn add(&mut self, bytes: u64) {
        self.count += 1;
        self.bytes += bytes;
    }
}

/// One round of cleaning.
pub(super) struct Sweep {
    mode: Mode,
    now: Timestamp,
    /// The first file that could not be removed.
    failed: Option<String>,
}

impl Sweep {
    pub(super) fn new(mode: Mode, now: Timestamp) -> Self {
        Self { mode, now, failed: None }
    }

    /// Fails where something could not be removed.
    pub(super) fn report(&self) -> Result<(), Failure> {
        match &self.failed {
            None => Ok(()),
            Some(what) => Err(Fault::new(Code::StateUnusable).detail(what.clone()).into()),
        }
    }

    /// Logs of runs that are gone.
    pub(super) fn logs(&mut self, state_dir: &Path, kept: &BTreeSet<i64>) -> Tally {
        self.of_runs(&state_dir.join("logs"), kept)
    }

    /// Chunks that failed in runs that are gone.
    pub(super) fn dead_letters(&mut self, state_dir: &Path, kept: &BTreeSet<i64>) -> Tally {
        self.of_runs(&state_dir.join(bundle::FOLDER), kept)
    }

    fn of_runs(&mut self, folder: &Path, kept: &BTreeSet<i64>) -> Tally {
        let run_of = |entry: &DirEntry| entry.file_name().to_str()?.parse::<i64>().ok();
        self.each(folder, |entry| run_of(entry).is_some_and(|run| !kept.contains(&run)))
    }

    /// Stored results that no run refers to.
    pub(super) fn results(&mut self, state_dir: &Path, kept: &BTreeSet<Digest>) -> Tally {
        let mut tally = Tally::default();
        for folder in entries(&state_dir.join("results")) {
            let part = self.each(&folder.path(), |entry| is_unreferenced(entry, kept));
            tally.count += part.count;
            tally.bytes += part.bytes;
        }
        tally
    }

    /// Copies of components that no run refers to.
    pub(super) fn components(&mut self, state_dir: &Path, kept: &BTreeSet<Digest>) -> Tally {
        self.each(&state_dir.join("components"), |entry| is_unreferenced(entry, kept))
    }

    /// Kept results that were not taken for long; the work is done again when it is asked for.
    pub(super) fn cached(&mut self, state_dir: &Path, age: Duration) -> Tally {
        let now = self.wall();
        let mut tally = Tally::default();
        for tenant in entries(&state_dir.join(cache::FOLDER)) {
            for folder in entries(&tenant.path()) {
                let part = self.each(&folder.path(), |entry| is_older(entry, now, age));
                tally.count += part.count;
                tally.bytes += part.bytes;
            }
        }
        tally
    }

    /// Compiled components that were made long ago; they are compiled again when needed.
    pub(super) fn artefacts(&mut self, cache_dir: &Path, age: Duration) -> Tally {
        self.in_artefacts(cache_dir, age, |name| {
            Path::new(name).extension().is_some_and(|end| end == "cwasm")
        })
    }

    /// Temporary files of processes that died.
    pub(super) fn leftovers(&mut self, state_dir: &Path, cache_dir: &Path) -> Tally {
        let parts = [
            self.each(&state_dir.join("results/tmp"), |_| true),
            self.each(&cache::unfinished(state_dir), |_| true),
            self.each(&state_dir.join("components"), |entry| is_temporary(&name_of(entry))),
            self.in_artefacts(cache_dir, LEFTOVER_AGE, is_temporary),
        ];
        parts.into_iter().fold(Tally::default(), |sum, part| Tally {
            count: sum.count + part.count,
            bytes: sum.bytes + part.bytes,
        })
    }

    fn in_artefacts(
        &mut self,
        cache_dir: &Path,
        age: Duration,
        is_meant: impl Fn(&str) -> bool,
    ) -> Tally {
        let now = self.wall();
        let mut tally = Tally::default();
        let folders = entries(cache_dir).filter(|entry| name_of(entry).starts_with("artefacts-"));
        for folder in folders {
            let part = self.each(&folder.path(), |entry| {
                is_meant(&name_of(entry)) && is_older(entry, now, age)
            });
            tally.count += part.count;
            tally.bytes += part.bytes;
        }
        tally
    }

    fn wall(&self) -> SystemTime {
        SystemTime::UNIX_EPOCH + Duration::from_micros(self.now.0)
    }

    /// Removes the entries of a folder that `is_meant`.
    fn each(&mut self, folder: &Path, is_meant: impl Fn(&DirEntry) -> bool) -> Tally {
        let mut tally = Tally::default();
        for entry in entries(folder).filter(is_meant) {
            let bytes = bytes_of(&entry);
            if self.remove(&entry) {
                tally.add(bytes);
            }
        }
        tally
    }

    fn remove(&mut self, entry: &DirEntry) -> bool {
        if self.mode == Mode::Look {
            return true;
        }
        let path = entry.path();
        let is_folder = entry.file_type().is_ok_and(|kind| kind.is_dir());
        let result =
            if is_folder { std::fs::remove_dir_all(&path) } else { std::fs::remove_file(&path) };
        let is_removed = result.is_ok();
        if let Err(error) = result {
            self.failed.get_or_insert(format!("`{}`: {error}", path.display()));
        }
        is_removed
    }
}

/// Bytes of all files below a folder.
pub(super) fn folder_bytes(folder: &Path) -> u64 {
    entries(folder).map(|entry| bytes_of(&entry)).sum()
}

fn bytes_of(entry: &DirEntry) -> u64 {
    match entry.file_type() {
        Ok(kind) if kind.is_dir() => folder_bytes(&entry.path()),
        Ok(_) => entry.metadata().map_or(0, |metadata| metadata.len()),
        Err(_) => 0,
    }
}

fn entries(folder: &Path) -> impl Iterator<Item = DirEntry> + use<> {
    std::fs::read_dir(folder).into_iter().flatten().flatten()
}

fn is_older(entry: &DirEntry, now: SystemTime, age: Duration) -> bool {
    let modified = entry.metadata().and_then(|metadata| metadata.modified());
    modified.is_ok_and(|at| now.duration_since(at).is_ok_and(|since| since > age))
}

fn name_of(entry: &DirEntry) -> String {
    entry.file_name().to_string_lossy().into_owned()
}

/// The names that `tempfile` gives.
fn is_temporary(name: &str) -> bool {
    name.starts_with(".tmp")
}

/// True for a file named by a digest that is not among `kept`; other files are nobody's business here.
fn is_unreferenced(entry: &DirEntry, kept: &BTreeSet<Digest>) -> bool {
    let name = name_of(entry);
    let digest = name.trim_end_matches(".wasm").parse::<Digest>();
    digest.is_ok_and(|digest| !kept.contains(&digest))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn write(root: &Path, name: &str) {
        let path = root.join(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, "0123456789").unwrap();
    }

    #[test]
    fn only_what_nobody_refers_to_goes() {
        let state = tempfile::tempdir().unwrap();
        let root = state.path();
        let (kept, lost) = (Digest([1; 32]), Digest([2; 32]));
        for name in [
            "results/tmp/.tmpAbc",
            "results/notes.txt",
            "logs/1/a/0#1",
            "logs/2/a/0#1",
            "dead-letters/1/a/0/chunk",
            "dead-letters/2/a/0/chunk",
        ] {
            write(root, name);
        }
        for digest in [kept, lost] {
            let text = digest.to_string();
            write(root, &format!("results/{}/{text}", &text[..2]));
            write(root, &format!("components/{text}.wasm"));
        }
        let digests = BTreeSet::from([kept]);
        for mode in [Mode::Look, Mode::Remove] {
            let mut sweep = Sweep::new(mode, Timestamp(0));
            let one = Tally { count: 1, bytes: 10 };
            assert_eq!(sweep.results(root, &digests), one);
            assert_eq!(sweep.components(root, &digests), one);
            assert_eq!(sweep.logs(root, &BTreeSet::from([2])), one);
            assert_eq!(sweep.dead_letters(root, &BTreeSet::from([2])), one);
            assert_eq!(sweep.leftovers(root, Path::new("/none")), one);
            assert!(sweep.report().is_ok());
        }
        assert!(root.join(format!("results/01/{kept}")).exists());
        assert!(!root.join(format!("results/02/{lost}")).exists());
        assert!(root.join("results/notes.txt").exists() && root.join("logs/2/a/0#1").exists());
        assert!(!root.join("logs/1").exists() && !root.join("dead-letters/1").exists());
    }

    #[test]
    fn kept_results_go_by_age() {
        let state = tempfile::tempdir().unwrap();
        write(state.path(), &format!("cache/acme/01/{}", Digest([1; 32])));
        let in_an_hour = super::super::times::now().after(Duration::from_hours(1));
        let mut sweep = Sweep::new(Mode::Remove, in_an_hour);
        assert_eq!(sweep.cached(state.path(), Duration::from_hours(2)).count, 0);
        assert_eq!(sweep.cached(state.path(), Duration::from_mins(10)).count, 1);
    }

    #[test]
    fn artefacts_go_by_age() {
        let cache = tempfile::tempdir().unwrap();
        write(cache.path(), "artefacts-0123/x.cwasm");
        write(cache.path(), "seal.key");
        let in_an_hour = super::super::times::now().after(Duration::from_hours(1));
        let mut sweep = Sweep::new(Mode::Remove, in_an_hour);
        assert_eq!(sweep.artefacts(cache.path(), Duration::from_hours(2)).count, 0);
        assert_eq!(sweep.artefacts(cache.path(), Duration::from_mins(10)).count, 1);
        assert!(cache.path().join("seal.key").exists());
    }
}
