//! Results: small ones stay in memory and travel in events, large ones become files named by their digest.
//!
//! Owns: the results directory. A file there is whole: it is written beside, synced, and renamed into place.
//! Never: overwrites; the same digest is the same content.

use std::collections::{HashMap, HashSet};
use std::fs::File;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};

use pframe_core::event::Output;
use pframe_core::fault::{Code, Fault};
use pframe_core::ids::Digest;
use pframe_core::units::ByteSize;
use sha2::{Digest as _, Sha256};
use tempfile::{NamedTempFile, TempDir};

use super::source::Bytes;

use crate::failpoint::pass;

/// Results up to this size travel in the journal: a file each would cost more than 15,000 jobs a second allow.
pub(crate) const INLINE_BYTES_MAX: usize = 64 << 10;

/// Results of one job that travel in the journal, all together: until they are collected they are held in memory too.
const INLINE_OF_JOB_BYTES_MAX: usize = 64 << 20;
/// Results up to this size always travel in the journal, however many there are.
const INLINE_BYTES_MIN: usize = 64;

/// Whether files must survive a power cut.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Durability {
    /// Synced before they are named.
    Synced,
    /// As the operating system likes: the journal is in memory too.
    Volatile,
}

/// The files that other runs stand on; `None` where that cannot be told.
type Others = Box<dyn Fn() -> Option<HashSet<Digest>> + Send + Sync>;

/// Which files are needed.
#[derive(Debug, Default)]
struct Uses {
    /// How many results of unfinished jobs each file stands for: the same bytes are one file.
    counts: HashMap<Digest, u32>,
    /// Files that are left to whoever takes the work up again, whatever else they stand for.
    left: HashSet<Digest>,
    /// Files that this process did not make: another run may stand on them too.
    older: HashSet<Digest>,
    /// What other runs stand on, once it was asked for.
    others: OnceLock<Option<HashSet<Digest>>>,
}

/// The directory of stored results. Clones share it.
#[derive(Clone)]
pub(crate) struct ResultStore {
    directory: Arc<Path>,
    durability: Durability,
    uses: Arc<Mutex<Uses>>,
    /// What other runs stand on; asked only for files that are older than this process.
    others: Arc<OnceLock<Others>>,
    /// Removed with the last handle.
    _temporary: Option<Arc<TempDir>>,
}

impl std::fmt::Debug for ResultStore {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ResultStore").field("directory", &self.directory).finish_non_exhaustive()
    }
}

impl ResultStore {
    /// Opens the directory, making it where it is missing.
    pub(crate) fn open_at(directory: &Path, durability: Durability) -> Result<Self, Fault> {
        std::fs::create_dir_all(directory.join("tmp"))
            .map_err(|error| unusable(directory, &error))?;
        let (uses, others) = (Arc::default(), Arc::default());
        Ok(Self { directory: directory.into(), durability, uses, others, _temporary: None })
    }

    /// Says how to find out what other runs stand on in the same directory: no file of theirs is removed.
    pub(crate) fn shared_with(
        &self,
        others: impl Fn() -> Option<HashSet<Digest>> + Send + Sync + 'static,
    ) {
        let _ = self.others.set(Box::new(others));
    }

    /// A private directory below `parent` that goes with the store's last handle.
    pub(crate) fn passing_in(parent: &Path) -> Result<Self, Fault> {
        std::fs::create_dir_all(parent).map_err(|error| unusable(parent, &error))?;
        let directory = tempfile::Builder::new()
            .prefix("pframe-")
            .permissions(std::os::unix::fs::PermissionsExt::from_mode(0o700))
            .tempdir_in(parent)
            .map_err(|error| unusable(parent, &error))?;
        let store = Self::open_at(directory.path(), Durability::Volatile)?;
        Ok(Self { _temporary: Some(Arc::new(directory)), ..store })
    }

    /// Removes what an interrupted host left half written.
    pub(crate) fn sweep(&self) {
        let leftovers = std::fs::read_dir(self.temporary()).into_iter().flatten().flatten();
        for leftover in leftovers {
            if let Err(error) = std::fs::remove_file(leftover.path()) {
                tracing::warn!(%error, "a leftover temporary result cannot be removed");
            }
        }
    }

    /// Starts a new result.
    pub(crate) fn writer(&self) -> ResultWriter {
        self.writer_of_one_of(1)
    }

    /// Starts a new result of a job that has so many: the more there are, the sooner they become files.
    pub(crate) fn writer_of_one_of(&self, count: u32) -> ResultWriter {
        let share = INLINE_OF_JOB_BYTES_MAX / (count.max(1) as usize);
        let inline_max = share.clamp(INLINE_BYTES_MIN, INLINE_BYTES_MAX);
        ResultWriter { store: self.clone(), inline_max, buffer: Vec::new(), spilled: None }
    }

    /// Counts one more result that this file stands for.
    pub(crate) fn use_once_more(&self, digest: Digest) {
        *self.uses().counts.entry(digest).or_default() += 1;
    }

    /// The same for a file that an earlier process made.
    pub(crate) fn use_older(&self, digest: Digest) {
        let mut uses = self.uses();
        uses.older.insert(digest);
        *uses.counts.entry(digest).or_default() += 1;
    }

    /// Counts a file that is about to be made, unless it is there already.
    fn use_new(&self, digest: Digest, path: &Path) {
        let mut uses = self.uses();
        let count = uses.counts.entry(digest).or_default();
        *count += 1;
        if *count == 1 && path.exists() {
            uses.older.insert(digest);
        }
    }

    /// Counts one less, and removes the file that nobody needs any more.
    pub(crate) fn release(&self, digest: &Digest) {
        let mut uses = self.uses();
        let left = uses.counts.get_mut(digest).map_or(0, |count| {
            *count = count.saturating_sub(1);
            *count
        });
        if left > 0 {
            return;
        }
        // Under the lock, so that nobody who makes the same result loses it: they count it first.
        uses.counts.remove(digest);
        let is_older = uses.older.remove(digest);
        if uses.left.contains(digest) || (is_older && self.is_others(&uses, digest)) {
            return;
        }
        let removed =
            pass("leftover-remove").and_then(|()| std::fs::remove_file(self.path(digest)));
        match removed {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
                tracing::warn!(%digest, %error, "a result that nobody needs cannot be removed");
            }
            _ => {}
        }
    }

    /// Counts one less, and leaves the file to whoever takes the work up again: whoever releases it last does not remove it.
    /// What does not outlive this process is removed.
    pub(crate) fn leave(&self, digest: &Digest) {
        if self.durability == Durability::Synced {
            self.uses().left.insert(*digest);
        }
        self.release(digest);
    }

    /// True where another run stands on this file, or that cannot be told: then `gc` removes it in time.
    fn is_others(&self, uses: &Uses, digest: &Digest) -> bool {
        let Some(others) = self.others.get() else { return false };
        let found = uses.others.get_or_init(others);
        found.as_ref().is_none_or(|found| found.contains(digest))
    }

    fn uses(&self) -> MutexGuard<'_, Uses> {
        self.uses.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Opens a stored result.
    pub(crate) fn open(&self, digest: &Digest) -> Result<File, Fault> {
        let path = self.path(digest);
        File::open(&path).map_err(|error| {
            Fault::new(Code::InputOutput).detail(format!("stored result {digest}: {error}"))
        })
    }

    /// Where a stored result lies.
    pub(crate) fn path(&self, digest: &Digest) -> PathBuf {
        let name = digest.to_string();
        self.directory.join(&name[..2]).join(name)
    }

    /// True where a stored result lies there, as long as it was.
    pub(crate) fn has(&self, digest: &Digest, size: ByteSize) -> bool {
        let metadata = std::fs::symlink_metadata(self.path(digest));
        metadata.is_ok_and(|it| it.is_file() && it.len() == size.bytes())
    }

    fn temporary(&self) -> PathBuf {
        self.directory.join("tmp")
    }
}

fn unusable(directory: &Path, error: &std::io::Error) -> Fault {
    Fault::new(Code::StateUnusable).detail(format!("`{}`: {error}", directory.display()))
}

fn disk(error: &std::io::Error) -> Fault {
    Fault::new(Code::DiskFull).detail(format!("writing a result: {error}"))
}

/// A result that is complete.
#[derive(Debug, Clone)]
pub(crate) enum Finished {
    /// Small.
    Inline(Vec<u8>),
    /// In the store.
    Stored {
        /// Bytes.
        size: u64,
        /// Names the file.
        digest: Digest,
    },
}

impl From<Finished> for Output {
    fn from(finished: Finished) -> Self {
        match finished {
            Finished::Inline(bytes) => Self::inline(bytes),
            Finished::Stored { size, digest } => {
                Self::Stored { size: ByteSize(size), sha256: digest }
            }
        }
    }
}

/// A result being written. Dropped before it is finished, it leaves nothing behind.
pub(crate) struct ResultWriter {
    store: ResultStore,
    inline_max: usize,
    buffer: Vec<u8>,
    spilled: Option<Spilled>,
}

struct Spilled {
    file: NamedTempFile,
    hasher: Sha256,
    size: u64,
}

impl ResultWriter {
    /// Appends bytes.
    pub(crate) fn write(&mut self, bytes: &[u8]) -> Result<(), Fault> {
        if self.spilled.is_none() && self.buffer.len() + bytes.len() <= self.inline_max {
            self.buffer.extend_from_slice(bytes);
            return Ok(());
        }
        let spilled = self.spill()?;
        spilled.write(bytes)
    }

    /// Moves what is buffered into a file, unless that has happened.
    fn spill(&mut self) -> Result<&mut Spilled, Fault> {
        if self.spilled.is_none() {
            let file = NamedTempFile::new_in(self.store.temporary()).map_err(|e| disk(&e))?;
            let mut spilled = Spilled { file, hasher: Sha256::new(), size: 0 };
            spilled.write(&std::mem::take(&mut self.buffer))?;
            self.spilled = Some(spilled);
        }
        Ok(self.spilled.as_mut().expect("spilled just now or before"))
    }

    /// Ends the result; the writer is empty again.
    pub(crate) fn finish(&mut self) -> Result<Finished, Fault> {
        match self.spilled.take() {
            None => Ok(Finished::Inline(std::mem::take(&mut self.buffer))),
            Some(spilled) => spilled.keep(&self.store),
        }
    }

    /// Ends an intermediate result, which is gone with its last handle; the writer is empty again.
    pub(crate) fn finish_scratch(&mut self) -> Bytes {
        match self.spilled.take() {
            None => Bytes::Inline(std::mem::take(&mut self.buffer).into()),
            Some(Spilled { file, size, .. }) => {
                Bytes::File { file: Arc::new(file.into_file()), size }
            }
        }
    }
}

impl Spilled {
    fn write(&mut self, bytes: &[u8]) -> Result<(), Fault> {
        pass("result-write").map_err(|error| disk(&error))?;
        self.file.write_all(bytes).map_err(|error| disk(&error))?;
        self.hasher.update(bytes);
        self.size += bytes.len() as u64;
        Ok(())
    }

    fn keep(self, store: &ResultStore) -> Result<Finished, Fault> {
        let digest = Digest(self.hasher.finalize().into());
        let path = store.path(&digest);
        let folder = path.parent().expect("a stored result lies in a folder");
        std::fs::create_dir_all(folder).map_err(|error| disk(&error))?;
        if store.durability == Durability::Synced {
            pass("result-sync").map_err(|error| disk(&error))?;
            self.file.as_file().sync_data().map_err(|error| disk(&error))?;
        }
        store.use_new(digest, &path);
        pass("result-rename-before").map_err(|error| disk(&error))?;
        self.file.persist(&path).map_err(|error| disk(&error.error))?;
        pass("result-rename-after").map_err(|error| disk(&error))?;
        if store.durability == Durability::Synced {
            sync_directory(folder)?;
            sync_directory(&store.directory)?;
        }
        Ok(Finished::Stored { size: self.size, digest })
    }
}

/// Makes names in a directory durable.
pub(crate) fn sync_directory(directory: &Path) -> Result<(), Fault> {
    File::open(directory).and_then(|handle| handle.sync_all()).map_err(|error| disk(&error))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn store() -> (tempfile::TempDir, ResultStore) {
        let directory = tempfile::tempdir().unwrap();
        let store = ResultStore::open_at(directory.path(), Durability::Synced).unwrap();
        (directory, store)
    }

    #[test]
    fn a_small_result_stays_in_memory() {
        let (_directory, store) = store();
        let mut writer = store.writer();
        writer.write(b"small").unwrap();
        assert!(matches!(writer.finish().unwrap(), Finished::Inline(bytes) if bytes == b"small"));
        assert_eq!(std::fs::read_dir(&*store.directory).unwrap().count(), 1);
    }

    #[test]
    fn one_of_many_results_becomes_a_file_sooner() {
        let (_directory, store) = store();
        let kept = |count, bytes: usize| {
            let mut writer = store.writer_of_one_of(count);
            writer.write(&vec![7; bytes]).unwrap();
            matches!(writer.finish().unwrap(), Finished::Stored { .. })
        };
        assert!(!kept(1000, 60_000));
        assert!(kept(100_000, 1000) && !kept(100_000, 500));
        assert!(kept(10_000_000, 65) && !kept(10_000_000, 64));
    }

    #[test]
    fn a_large_result_becomes_a_file_named_by_its_digest() {
        let (_directory, store) = store();
        let mut writer = store.writer();
        for _ in 0..100 {
            writer.write(&[7; 1000]).unwrap();
        }
        let Finished::Stored { size, digest } = writer.finish().unwrap() else { panic!("inline") };
        assert_eq!(size, 100_000);
        let expected: [u8; 32] = Sha256::digest(vec![7; 100_000]).into();
        assert_eq!(digest, Digest(expected));
        assert_eq!(std::fs::read(store.path(&digest)).unwrap(), vec![7; 100_000]);
    }

    #[test]
    fn a_passing_store_is_private_and_goes_with_its_last_handle() {
        use std::os::unix::fs::PermissionsExt;
        let parent = tempfile::tempdir().unwrap();
        let store = ResultStore::passing_in(parent.path()).unwrap();
        let mode = std::fs::metadata(&store.directory).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o700);
        let other = store.clone();
        drop(store);
        assert_eq!(std::fs::read_dir(parent.path()).unwrap().count(), 1);
        drop(other);
        assert_eq!(std::fs::read_dir(parent.path()).unwrap().count(), 0);
    }

    #[test]
    fn a_file_goes_when_the_last_result_it_stands_for_is_released() {
        let (_directory, store) = store();
        let mut digests = Vec::new();
        for _ in 0..2 {
            let mut writer = store.writer();
            writer.write(&vec![7; 100_000]).unwrap();
            let Finished::Stored { digest, .. } = writer.finish().unwrap() else {
                panic!("inline")
            };
            digests.push(digest);
        }
        store.release(&digests[0]);
        assert!(store.path(&digests[0]).exists());
        store.release(&digests[1]);
        assert!(!store.path(&digests[1]).exists());
    }

    #[test]
    fn a_file_that_is_left_stays_whoever_releases_it_last() {
        let (_directory, store) = store();
        let mut writer = store.writer();
        writer.write(&vec![7; 100_000]).unwrap();
        let Finished::Stored { digest, .. } = writer.finish().unwrap() else { panic!("inline") };
        store.leave(&digest);
        assert!(store.path(&digest).exists());
        store.use_once_more(digest);
        store.release(&digest);
        assert!(store.path(&digest).exists());
    }

    #[test]
    fn a_file_that_another_run_stands_on_is_not_removed() {
        let (directory, first) = store();
        let made = |store: &ResultStore, byte: u8| {
            let mut writer = store.writer();
            writer.write(&vec![byte; 100_000]).unwrap();
            let Finished::Stored { digest, .. } = writer.finish().unwrap() else {
                panic!("inline")
            };
            digest
        };
        let (shared, left) = (made(&first, 1), made(&first, 2));
        // Another process, and a run that makes the same.
        let second = ResultStore::open_at(directory.path(), Durability::Synced).unwrap();
        second.shared_with(move || Some(HashSet::from([shared])));
        for digest in [made(&second, 1), made(&second, 2), made(&second, 3)] {
            second.release(&digest);
            assert_eq!(second.path(&digest).exists(), digest == shared);
        }
        assert!(!second.path(&left).exists(), "nobody stood on it");
        second.use_older(shared);
        second.release(&shared);
        assert!(second.path(&shared).exists());
    }

    #[test]
    fn an_abandoned_result_leaves_nothing_behind() {
        let (_directory, store) = store();
        let mut writer = store.writer();
        writer.write(&vec![7; 100_000]).unwrap();
        drop(writer);
        assert_eq!(std::fs::read_dir(store.temporary()).unwrap().count(), 0);
    }

    #[test]
    fn an_intermediate_result_can_be_read_and_leaves_nothing_behind() {
        let (_directory, store) = store();
        let mut writer = store.writer();
        writer.write(&vec![7; 100_000]).unwrap();
        let scratch = writer.finish_scratch();
        assert_eq!(scratch.read(99_990, 100).unwrap(), vec![7; 10]);
        assert_eq!(std::fs::read_dir(store.temporary()).unwrap().count(), 0);
    }
}
