//! Results that are kept, to be taken again instead of running what made them (`cache: true`).
//!
//! Owns: a folder for each tenant. A file there is one result: its SHA-256, then its bytes. Its name is its key.
//! Its limit: `storage.result_cache_bytes_max` for each tenant; what was not taken for longest goes first.
//! Never: answers with other bytes than were kept. It need not survive a power cut: what does not match its digest is
//! removed, and the work is done again.

use std::collections::HashMap;
use std::fs::{DirBuilder, File, FileTimes};
use std::io::{self, Read, Seek, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::SystemTime;

use pframe_core::ids::{Digest, TenantName};
use pframe_core::units::ByteSize;
use rustix::fs::OFlags;
use sha2::{Digest as _, Sha256};
use tempfile::NamedTempFile;

use super::results::{Finished, ResultWriter};
use super::source::Bytes;
use crate::failpoint::pass;

/// The folder below the state directory.
pub(crate) const FOLDER: &str = "cache";

/// Where results are written before they have a name; no tenant is called so.
const UNFINISHED: &str = ".tmp";
/// Bytes that are read and written at once.
const BLOCK_BYTES: usize = 256 << 10;
/// The digest at the beginning of each file.
const DIGEST_BYTES: u64 = 32;
/// What a file costs beside its bytes.
const FILE_OVERHEAD_BYTES: u64 = 4096;
/// Once a tenant's folder is full, the oldest tenth of it goes, so that not every result after that walks through it.
const KEPT_OF_TEN: u64 = 9;

/// The results that are kept. Clones share it.
#[derive(Debug, Clone)]
pub(crate) struct ResultCache {
    directory: Arc<Path>,
    bytes_max: ByteSize,
    /// What each tenant's folder holds, once it was looked at.
    held: Arc<Mutex<HashMap<TenantName, u64>>>,
}

/// What is known of one kept result without reading it.
#[derive(Debug)]
struct Entry {
    taken: SystemTime,
    bytes: u64,
    path: PathBuf,
}

impl ResultCache {
    /// The cache of a state directory, without what a host left half written that died; nothing is made before the first
    /// result is kept.
    pub(crate) fn of_state(state_dir: &Path, bytes_max: ByteSize) -> Self {
        let _ = std::fs::remove_dir_all(unfinished(state_dir));
        Self { directory: state_dir.join(FOLDER).into(), bytes_max, held: Arc::default() }
    }

    /// Copies the result of this key to a writer; nothing where there is none, or it is larger than `limit`.
    pub(crate) fn take(
        &self,
        tenant: &TenantName,
        key: &Digest,
        limit: ByteSize,
        writer: &mut ResultWriter,
    ) -> Option<Finished> {
        let path = self.path(tenant, key);
        // Without waiting for a pipe, or following a link, that somebody put there.
        let flags = OFlags::NONBLOCK | OFlags::NOFOLLOW;
        let file =
            File::options().read(true).custom_flags(flags.bits().cast_signed()).open(&path).ok()?;
        let metadata = file.metadata().ok()?;
        if !metadata.is_file() || metadata.len() > limit.bytes().saturating_add(DIGEST_BYTES) {
            return None;
        }
        match copy((&file).take(metadata.len()), writer) {
            Ok(Some(finished)) => {
                // Only the order in which results go depends on it.
                let _ = file.set_times(FileTimes::new().set_modified(SystemTime::now()));
                Some(finished)
            }
            Ok(None) => {
                tracing::warn!(%key, "a kept result is damaged; the work is done again");
                let _ = std::fs::remove_file(&path);
                None
            }
            Err(error) => {
                tracing::warn!(%key, %error, "a kept result cannot be read; the work is done again");
                None
            }
        }
    }

    /// Keeps a result, in the place of an earlier one of the same key.
    pub(crate) fn keep(&self, tenant: &TenantName, key: &Digest, bytes: &Bytes) -> io::Result<()> {
        let needed = bytes.size() + FILE_OVERHEAD_BYTES;
        if needed > self.bytes_max.bytes() {
            return Ok(());
        }
        let path = self.path(tenant, key);
        let folder = path.parent().expect("a kept result lies in a folder");
        let unfinished = self.directory.join(UNFINISHED);
        for folder in [folder, &unfinished] {
            DirBuilder::new().recursive(true).mode(0o700).create(folder)?;
        }
        let mut file = NamedTempFile::new_in(unfinished)?;
        file.write_all(&[0; 32])?;
        let mut hasher = Sha256::new();
        let mut reader = bytes.reader();
        let mut block =
            vec![0; BLOCK_BYTES.min(usize::try_from(bytes.size()).unwrap_or(usize::MAX))];
        loop {
            let read = reader.read(&mut block)?;
            if read == 0 {
                break;
            }
            hasher.update(&block[..read]);
            file.write_all(&block[..read])?;
        }
        file.rewind()?;
        file.write_all(&hasher.finalize())?;
        self.make_room(tenant, needed);
        pass("cache-rename")?;
        file.persist(&path)?;
        Ok(())
    }

    /// Removes what was not taken for longest until so much more fits, and counts that.
    fn make_room(&self, tenant: &TenantName, needed: u64) {
        let mut held = self.held.lock().unwrap_or_else(PoisonError::into_inner);
        let folder = self.directory.join(tenant.as_str());
        let bytes = held.entry(tenant.clone()).or_insert_with(|| sum(&entries(&folder)));
        if bytes.saturating_add(needed) > self.bytes_max.bytes() {
            // Counted anew: what was replaced or cleared since is in the sum still.
            let mut entries = entries(&folder);
            entries.sort_by_key(|entry| entry.taken);
            *bytes = sum(&entries);
            let most = self.bytes_max.bytes() / 10 * KEPT_OF_TEN;
            for entry in entries {
                if bytes.saturating_add(needed) <= most {
                    break;
                }
                let _ = std::fs::remove_file(&entry.path);
                *bytes = bytes.saturating_sub(entry.bytes);
            }
        }
        *bytes = bytes.saturating_add(needed);
    }

    fn path(&self, tenant: &TenantName, key: &Digest) -> PathBuf {
        let name = key.to_string();
        self.directory.join(tenant.as_str()).join(&name[..2]).join(name)
    }
}

/// What a tenant holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Holding {
    pub(crate) tenant: String,
    pub(crate) results: u64,
    pub(crate) bytes: ByteSize,
}

/// What each tenant holds in the cache of a state directory.
pub(crate) fn holdings(state_dir: &Path) -> Vec<Holding> {
    let is_tenants = |folder: &PathBuf| !folder.ends_with(UNFINISHED);
    let folders = folders_in(&state_dir.join(FOLDER)).filter(is_tenants);
    let look = |folder: PathBuf| {
        let entries = entries(&folder);
        let tenant = folder.file_name().unwrap_or_default().to_string_lossy().into_owned();
        let bytes = ByteSize(entries.iter().map(|entry| entry.bytes).sum());
        Holding { tenant, results: entries.len() as u64, bytes }
    };
    let mut holdings: Vec<_> = folders.map(look).collect();
    holdings.sort_by(|one, other| one.tenant.cmp(&other.tenant));
    holdings
}

/// Where a host that died may have left half a result.
pub(crate) fn unfinished(state_dir: &Path) -> PathBuf {
    state_dir.join(FOLDER).join(UNFINISHED)
}

/// Removes all kept results, or those of one tenant; a host that runs meanwhile goes on without them.
pub(crate) fn clear(state_dir: &Path, tenant: Option<&TenantName>) -> io::Result<()> {
    let directory = state_dir.join(FOLDER);
    let folder = tenant.map_or(directory.clone(), |tenant| directory.join(tenant.as_str()));
    match std::fs::remove_dir_all(folder) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}

/// The result behind a file, if what it holds is what it says.
fn copy(mut file: impl Read, writer: &mut ResultWriter) -> io::Result<Option<Finished>> {
    let mut expected = [0; 32];
    match file.read_exact(&mut expected) {
        Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => return Ok(None),
        read => read?,
    }
    let mut hasher = Sha256::new();
    let mut block = vec![0; BLOCK_BYTES];
    loop {
        let read = file.read(&mut block)?;
        if read == 0 {
            break;
        }
        hasher.update(&block[..read]);
        writer.write(&block[..read]).map_err(io::Error::other)?;
    }
    let is_whole = <[u8; 32]>::from(hasher.finalize()) == expected;
    is_whole.then(|| writer.finish().map_err(io::Error::other)).transpose()
}

fn entries(folder: &Path) -> Vec<Entry> {
    let files =
        folders_in(folder).flat_map(|folder| std::fs::read_dir(folder).into_iter().flatten());
    let entry = |file: io::Result<std::fs::DirEntry>| {
        let file = file.ok()?;
        let metadata = file.metadata().ok()?;
        let taken = metadata.modified().unwrap_or(SystemTime::UNIX_EPOCH);
        Some(Entry { taken, bytes: metadata.len() + FILE_OVERHEAD_BYTES, path: file.path() })
    };
    files.filter_map(entry).collect()
}

fn folders_in(folder: &Path) -> impl Iterator<Item = PathBuf> + use<> {
    let entries = std::fs::read_dir(folder).into_iter().flatten().flatten();
    entries
        .filter(|entry| entry.file_type().is_ok_and(|kind| kind.is_dir()))
        .map(|entry| entry.path())
}

fn sum(entries: &[Entry]) -> u64 {
    entries.iter().map(|entry| entry.bytes).sum()
}

#[cfg(test)]
mod tests {
    use super::super::results::{Durability, ResultStore};
    use super::*;

    struct Place {
        directory: tempfile::TempDir,
        store: ResultStore,
        cache: ResultCache,
    }

    fn place(bytes_max: u64) -> Place {
        let directory = tempfile::tempdir().unwrap();
        let results = directory.path().join("results");
        let store = ResultStore::open_at(&results, Durability::Volatile).unwrap();
        let cache = ResultCache::of_state(directory.path(), ByteSize(bytes_max));
        Place { directory, store, cache }
    }

    fn tenant(name: &str) -> TenantName {
        name.parse().unwrap()
    }

    impl Place {
        fn keep(&self, name: &str, key: u8, bytes: &[u8]) {
            let bytes = Bytes::Inline(bytes.into());
            self.cache.keep(&tenant(name), &Digest([key; 32]), &bytes).unwrap();
        }

        fn take(&self, name: &str, key: u8) -> Option<Vec<u8>> {
            let mut writer = self.store.writer();
            let limit = ByteSize::mib(1);
            match self.cache.take(&tenant(name), &Digest([key; 32]), limit, &mut writer)? {
                Finished::Inline(bytes) => Some(bytes),
                Finished::Stored { digest, .. } => {
                    Some(std::fs::read(self.store.path(&digest)).unwrap())
                }
            }
        }
    }

    #[test]
    fn what_was_kept_is_taken_by_the_tenant_who_made_it_and_by_no_other() {
        let place = place(1 << 30);
        place.keep("acme", 1, b"small");
        place.keep("acme", 2, &vec![7; 300_000]);
        assert_eq!(place.take("acme", 1).unwrap(), b"small");
        assert_eq!(place.take("acme", 2).unwrap(), vec![7; 300_000]);
        assert_eq!(place.take("acme", 3), None);
        assert_eq!(place.take("other", 1), None);
    }

    #[test]
    fn a_result_that_is_larger_than_its_job_may_have_is_not_taken() {
        let place = place(1 << 30);
        place.keep("acme", 1, &vec![7; 1 << 20]);
        place.keep("acme", 2, &vec![7; (1 << 20) + 1]);
        assert!(place.take("acme", 1).is_some());
        assert_eq!(place.take("acme", 2), None);
    }

    #[test]
    fn the_newer_result_of_a_key_takes_the_place_of_the_older() {
        let place = place(1 << 30);
        place.keep("acme", 1, b"old");
        place.keep("acme", 1, b"new");
        assert_eq!(place.take("acme", 1).unwrap(), b"new");
    }

    #[test]
    fn a_damaged_result_is_no_result() {
        let place = place(1 << 30);
        place.keep("acme", 1, b"result");
        let path = place.cache.path(&tenant("acme"), &Digest([1; 32]));
        for damaged in [&b"short"[..], &[0; 38]] {
            std::fs::write(&path, damaged).unwrap();
            assert_eq!(place.take("acme", 1), None);
            assert!(!path.exists());
        }
    }

    #[test]
    fn what_was_not_taken_for_longest_goes_first_and_other_tenants_keep_theirs() {
        let place = place(10 * (4096 + 1000));
        place.keep("other", 99, &[0; 1000]);
        for key in 0..8 {
            place.keep("acme", key, &[key; 1000]);
            let path = place.cache.path(&tenant("acme"), &Digest([key; 32]));
            let then = SystemTime::UNIX_EPOCH + std::time::Duration::from_secs(key.into());
            File::open(path).unwrap().set_modified(then).unwrap();
        }
        assert!(place.take("acme", 0).is_some(), "taken now, it is no longer the oldest");
        for key in 8..12 {
            place.keep("acme", key, &[key; 1000]);
        }
        let left: Vec<u8> = (0..12).filter(|&key| place.take("acme", key).is_some()).collect();
        assert!(left.contains(&0) && left.contains(&11) && !left.contains(&1), "{left:?}");
        assert!(left.len() >= 8, "{left:?}");
        assert!(place.take("other", 99).is_some());
        let held = holdings(place.directory.path());
        assert_eq!(held.len(), 2);
        assert!(held[0].bytes.bytes() <= 10 * (4096 + 1032), "{held:?}");
    }

    #[test]
    fn a_result_of_half_of_what_is_kept_pushes_out_no_more_than_it_needs() {
        let place = place(100_000);
        place.keep("acme", 1, &vec![1; 20_000]);
        place.keep("acme", 2, &vec![2; 55_000]);
        assert!(place.take("acme", 1).is_some() && place.take("acme", 2).is_some());
        place.keep("acme", 3, &vec![3; 30_000]);
        assert!(place.take("acme", 3).is_some());
        assert_eq!(holdings(place.directory.path()).len(), 1, "what is unfinished is nobody's");
    }

    #[test]
    fn what_is_no_file_is_no_result_and_nobody_waits_for_it() {
        let place = place(1 << 30);
        place.keep("acme", 1, b"result");
        let path = place.cache.path(&tenant("acme"), &Digest([1; 32]));
        std::fs::remove_file(&path).unwrap();
        let kind = rustix::fs::FileType::Fifo;
        let mode = rustix::fs::Mode::from(0o600);
        rustix::fs::mknodat(rustix::fs::CWD, &path, kind, mode, 0).unwrap();
        assert_eq!(place.take("acme", 1), None);
        std::fs::remove_file(&path).unwrap();
        std::os::unix::fs::symlink("/dev/zero", &path).unwrap();
        assert_eq!(place.take("acme", 1), None);
    }

    #[test]
    fn a_result_that_is_larger_than_all_that_is_kept_is_not() {
        let place = place(10_000);
        place.keep("acme", 1, b"small");
        place.keep("acme", 2, &[0; 10_000]);
        assert_eq!(place.take("acme", 2), None);
        assert!(place.take("acme", 1).is_some());
    }

    #[test]
    fn one_tenants_results_are_cleared_without_the_others() {
        let place = place(1 << 30);
        place.keep("acme", 1, b"a");
        place.keep("other", 1, b"b");
        clear(place.directory.path(), Some(&tenant("acme"))).unwrap();
        assert_eq!((place.take("acme", 1), place.take("other", 1)), (None, Some(b"b".to_vec())));
        clear(place.directory.path(), None).unwrap();
        assert_eq!(place.take("other", 1), None);
        clear(place.directory.path(), None).unwrap();
    }
}
