//! Compiled components on disk, sealed.
//!
//! Owns: the artefact cache: a directory of mode 0700, a key of mode 0600, and a MAC on every file.
//! The seal guards against corruption and against whoever can write the cache without reading the
//! key; it does not guard against the same user.
//! Never: hands out an artefact whose seal does not match; such a file is removed and compiled again.

use std::fs::DirBuilder;
use std::hash::{Hash, Hasher};
use std::io::{Read, Write};
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;
use std::time::Duration;

use hmac::{Hmac, KeyInit, Mac};
use pframe_core::ids::Digest;
use sha2::{Digest as _, Sha256};
use tempfile::NamedTempFile;
use wasmtime::Engine;

use crate::failpoint::pass;

/// How files begin that are being written.
const UNFINISHED: &str = ".tmp-";
/// Nobody writes one artefact for that long.
const UNFINISHED_AGE_MAX: Duration = Duration::from_mins(10);
const SEAL_BYTES: usize = 32;
const KEY_BYTES: usize = 32;

/// The cache for one engine: another engine, or another setting of it, has another folder.
#[derive(Debug)]
pub(crate) struct ArtefactCache {
    folder: PathBuf,
    key_path: PathBuf,
    key: OnceLock<[u8; KEY_BYTES]>,
}

/// Feeds wasmtime's `Hash` into SHA-256: the standard hashers are not stable across programs.
struct DigestHasher(Sha256);

impl Hasher for DigestHasher {
    fn write(&mut self, bytes: &[u8]) {
        self.0.update(bytes);
    }

    fn finish(&self) -> u64 {
        let digest: [u8; 32] = self.0.clone().finalize().into();
        u64::from_le_bytes(digest[..8].try_into().expect("eight bytes of thirty-two"))
    }
}

/// Which engines can load what this one compiles.
pub(crate) fn compatibility(engine: &Engine) -> Digest {
    let mut hasher = DigestHasher(Sha256::new());
    engine.precompile_compatibility_hash().hash(&mut hasher);
    Digest(hasher.0.finalize().into())
}

impl ArtefactCache {
    /// The cache below a directory. Nothing is made before the first artefact is kept.
    pub(crate) fn at(cache_dir: &Path, engine: &Engine) -> Self {
        let name: String = compatibility(engine).to_string().chars().take(16).collect();
        let folder = cache_dir.join(format!("artefacts-{name}"));
        let (key_path, key) = (cache_dir.join("seal.key"), OnceLock::new());
        Self { folder, key_path, key }
    }

    /// The artefact of a component, if it is there and its seal matches.
    pub(crate) fn get(&self, component: &Digest) -> Option<Vec<u8>> {
        let path = self.path(component);
        let key = self.existing_key()?;
        let mut bytes = std::fs::read(&path).ok()?;
        let seal_at = bytes.len().checked_sub(SEAL_BYTES);
        let sealed = seal_at.is_some_and(|at| {
            mac(&key, component, &bytes[..at]).verify_slice(&bytes[at..]).is_ok()
        });
        if !sealed {
            tracing::warn!(%component, "a cached artefact is damaged; it is compiled again");
            let _ = std::fs::remove_file(&path);
            return None;
        }
        bytes.truncate(seal_at?);
        Some(bytes)
    }

    /// Keeps an artefact. A cache that cannot be written costs time, not correctness.
    pub(crate) fn put(&self, component: &Digest, artefact: &[u8]) {
        if let Err(error) = self.try_put(component, artefact) {
            tracing::warn!(%component, %error, "the artefact cannot be cached");
        }
    }

    fn try_put(&self, component: &Digest, artefact: &[u8]) -> std::io::Result<()> {
        DirBuilder::new().recursive(true).mode(0o700).create(&self.folder)?;
        let key = match self.existing_key() {
            Some(key) => key,
            None => make_key(&self.key_path)?,
        };
        self.sweep();
        let mut file = tempfile::Builder::new().prefix(UNFINISHED).tempfile_in(&self.folder)?;
        file.write_all(artefact)?;
        file.write_all(&mac(&key, component, artefact).finalize().into_bytes())?;
        pass("artefact-before")?;
        file.persist(self.path(component))?;
        pass("artefact-after")
    }

    /// Removes what hosts left here that died while they wrote. Another host may be writing at this moment.
    fn sweep(&self) {
        for entry in std::fs::read_dir(&self.folder).into_iter().flatten().flatten() {
            let is_unfinished = entry.file_name().to_string_lossy().starts_with(UNFINISHED);
            let written = entry.metadata().and_then(|data| data.modified()).ok();
            let age = written.and_then(|written| written.elapsed().ok());
            if is_unfinished && age.is_some_and(|age| age > UNFINISHED_AGE_MAX) {
                let _ = std::fs::remove_file(entry.path());
            }
        }
    }

    /// Puts a file where an artefact would lie, as somebody could who does not have the key.
    #[cfg(feature = "fuzzing")]
    pub(crate) fn put_unsealed(&self, component: &Digest, bytes: &[u8]) {
        std::fs::write(self.path(component), bytes).expect("the cache can be written");
    }

    /// True where an artefact lies in the cache, whatever its seal.
    pub(crate) fn contains(&self, component: &Digest) -> bool {
        self.path(component).exists()
    }

    /// The key, once there is one.
    fn existing_key(&self) -> Option<[u8; KEY_BYTES]> {
        if let Some(key) = self.key.get() {
            return Some(*key);
        }
        let mut key = [0; KEY_BYTES];
        std::fs::File::open(&self.key_path).ok()?.read_exact(&mut key).ok()?;
        Some(*self.key.get_or_init(|| key))
    }

    fn path(&self, component: &Digest) -> PathBuf {
        self.folder.join(format!("{component}.cwasm"))
    }
}

/// The seal covers the component's digest too, so that no artefact passes for another's.
fn mac(key: &[u8; KEY_BYTES], component: &Digest, artefact: &[u8]) -> Hmac<Sha256> {
    let mut mac = Hmac::<Sha256>::new_from_slice(key).expect("any key length will do");
    mac.update(&component.0);
    mac.update(artefact);
    mac
}

/// Makes the key, whole or not at all; of two hosts that make it at once, the second takes the first's.
fn make_key(path: &Path) -> std::io::Result<[u8; KEY_BYTES]> {
    let folder = path.parent().expect("the key lies in the cache directory");
    let mut key = [0; KEY_BYTES];
    std::fs::File::open("/dev/urandom")?.read_exact(&mut key)?;
    let mut file = NamedTempFile::new_in(folder)?; // of mode 0600
    file.write_all(&key)?;
    if file.persist_noclobber(path).is_err() {
        std::fs::File::open(path)?.read_exact(&mut key)?;
    }
    Ok(key)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cache() -> (tempfile::TempDir, ArtefactCache) {
        let directory = tempfile::tempdir().unwrap();
        let cache = ArtefactCache::at(directory.path(), &Engine::default());
        (directory, cache)
    }

    #[test]
    fn an_artefact_comes_back_as_it_was() {
        let (_directory, cache) = cache();
        cache.put(&Digest([1; 32]), b"code");
        assert_eq!(cache.get(&Digest([1; 32])).as_deref(), Some(b"code".as_slice()));
    }

    #[test]
    fn b27_a_damaged_artefact_is_never_handed_out() {
        let (_directory, cache) = cache();
        let component = Digest([1; 32]);
        for damage in [0, 3, 10, 35] {
            cache.put(&component, b"code");
            let mut bytes = std::fs::read(cache.path(&component)).unwrap();
            bytes[damage] ^= 1;
            std::fs::write(cache.path(&component), bytes).unwrap();
            assert_eq!(cache.get(&component), None, "byte {damage}");
            assert!(!cache.contains(&component));
        }
        std::fs::write(cache.path(&component), b"short").unwrap();
        assert_eq!(cache.get(&component), None);
    }

    #[test]
    fn x25_what_a_dead_host_left_is_removed_once_it_is_old() {
        let (_directory, cache) = cache();
        cache.put(&Digest([1; 32]), b"code");
        let (old, young) = (cache.folder.join(".tmp-old"), cache.folder.join(".tmp-young"));
        std::fs::write(&young, "half of it").unwrap();
        let long_ago = std::time::SystemTime::now() - 2 * UNFINISHED_AGE_MAX;
        std::fs::File::create(&old).unwrap().set_modified(long_ago).unwrap();
        cache.put(&Digest([2; 32]), b"code");
        assert!(young.exists() && !old.exists());
    }

    #[test]
    fn b28_an_artefact_does_not_pass_for_another_components() {
        let (_directory, cache) = cache();
        cache.put(&Digest([1; 32]), b"code");
        std::fs::copy(cache.path(&Digest([1; 32])), cache.path(&Digest([2; 32]))).unwrap();
        assert_eq!(cache.get(&Digest([2; 32])), None);
    }

    #[test]
    fn the_key_is_for_its_owner_only() {
        use std::os::unix::fs::PermissionsExt;
        let (directory, cache) = cache();
        cache.put(&Digest([1; 32]), b"code");
        let mode =
            std::fs::metadata(directory.path().join("seal.key")).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
    }
}
