//! stdin as an input: read once, kept aside, and put into the results store with the job that is about it.
//!
//! Owns: the way from a stream that is there once to bytes that can be read by range, and again after a crash.
//! Its limit: `storage.stdin_bytes_max`, because whoever writes into it may never end.
//! Never: holds more of it in memory than a block, or a small whole.

use std::fmt;
use std::io::{ErrorKind, Read};
use std::path::PathBuf;
use std::sync::{Mutex, MutexGuard, OnceLock, PoisonError};

use pframe_core::event::Output;
use pframe_core::fault::{Code, Fault};
use pframe_core::ids::Digest;
use pframe_core::job::{STANDARD_STREAM, Source, SourcePlace};
use pframe_core::units::ByteSize;
use sha2::{Digest as _, Sha256};

use super::inputs::{mismatch, missing};
use super::publish::copy;
use super::results::{Finished, ResultStore, ResultWriter};

/// Bytes that are read at once.
const BLOCK_BYTES: usize = 64 << 10;
/// As handlers and reports see it.
const NAME: &str = "stdin";

/// Where stdin comes from, if from anywhere.
pub(crate) enum Stream {
    /// From here, once.
    Unread(Box<dyn Read + Send>),
    /// From nowhere, and why.
    Refused(&'static str),
}

impl Default for Stream {
    fn default() -> Self {
        Self::Refused("there is no stdin here; name a file")
    }
}

/// What was read from it, once it was.
enum State {
    Unread(Stream),
    Read(Result<Source, Fault>),
}

/// stdin, for all jobs of this process.
pub(crate) struct Stdin {
    state: Mutex<State>,
    limit: ByteSize,
    temporary: PathBuf,
    /// Holds it until a job is submitted.
    staging: OnceLock<ResultStore>,
    /// Where it lies for submitted jobs.
    adopted: Mutex<Option<(Digest, ResultStore)>>,
}

impl fmt::Debug for Stdin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Stdin").field("limit", &self.limit).finish_non_exhaustive()
    }
}

impl Stdin {
    /// Nothing is read yet. Up to `limit` bytes will be, into files below `temporary`.
    pub(crate) fn new(stream: Stream, limit: ByteSize, temporary: PathBuf) -> Self {
        let state = Mutex::new(State::Unread(stream));
        Self { state, limit, temporary, staging: OnceLock::new(), adopted: Mutex::default() }
    }

    /// All of it, read by whoever asks first.
    pub(crate) fn source(&self, pin: Option<Digest>) -> Result<Source, Fault> {
        let mut state = lock(&self.state);
        if let State::Unread(stream) = &mut *state {
            let stream = std::mem::take(stream);
            *state = State::Read(self.read(stream));
        }
        let State::Read(read) = &*state else { unreachable!("it was read just now") };
        let source = read.clone()?;
        match (pin, digest_of(&source)) {
            (Some(pin), found) if pin != found => Err(mismatch(STANDARD_STREAM, pin, found)),
            _ => Ok(source),
        }
    }

    /// The store in which it lies before a job is submitted.
    pub(crate) fn staging(&self) -> Option<&ResultStore> {
        self.staging.get()
    }

    /// Puts it where it lies as long as the jobs that are about it, if these inputs are.
    pub(crate) fn adopt(&self, inputs: &[Source], results: &ResultStore) -> Result<(), Fault> {
        let State::Read(Ok(source)) = &*lock(&self.state) else { return Ok(()) };
        let (SourcePlace::Stored { sha256 }, Some(staging)) = (&source.place, self.staging())
        else {
            return Ok(());
        };
        let is_about = inputs.iter().any(|input| input.place == source.place);
        let mut adopted = lock(&self.adopted);
        if !is_about || adopted.is_some() {
            return Ok(());
        }
        let output = Output::Stored { size: ByteSize(source.size), sha256: *sha256 };
        let mut writer = Adopting(results.writer());
        copy(&output, &mut writer, staging)?;
        writer.0.finish()?;
        *adopted = Some((*sha256, results.clone()));
        Ok(())
    }

    /// From here on the jobs that are about it hold it, and nobody else.
    pub(crate) fn release(&self) {
        if let Some((digest, results)) = lock(&self.adopted).take() {
            results.release(&digest);
        }
    }

    fn read(&self, stream: Stream) -> Result<Source, Fault> {
        let mut stream = match stream {
            Stream::Unread(stream) => stream,
            Stream::Refused(why) => return Err(missing(STANDARD_STREAM, why)),
        };
        let store = ResultStore::passing_in(&self.temporary)?;
        let mut writer = self.staging.get_or_init(|| store).writer();
        let mut block = vec![0; BLOCK_BYTES];
        let mut size = 0;
        loop {
            let length = match stream.read(&mut block) {
                Ok(0) => break,
                Ok(length) => length,
                Err(error) if error.kind() == ErrorKind::Interrupted => continue,
                Err(error) => return Err(missing(STANDARD_STREAM, &error.to_string())),
            };
            size += length as u64;
            if size > self.limit.bytes() {
                return Err(self.too_large());
            }
            writer.write(&block[..length])?;
        }
        let place = match writer.finish()? {
            Finished::Inline(bytes) => SourcePlace::Inline(bytes.into()),
            Finished::Stored { digest, .. } => SourcePlace::Stored { sha256: digest },
        };
        Ok(Source { name: NAME.into(), media_type: None, size, place })
    }

    fn too_large(&self) -> Fault {
        Fault::new(Code::TooBig)
            .detail("stdin does not end within its limit; large data belongs into a file")
            .hit("storage.stdin_bytes_max", self.limit, "more")
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

fn digest_of(source: &Source) -> Digest {
    match &source.place {
        SourcePlace::Stored { sha256 } => *sha256,
        SourcePlace::Inline(bytes) => Digest(Sha256::digest(bytes).into()),
        SourcePlace::File { .. } | SourcePlace::Job(_) | SourcePlace::Web { .. } => {
            unreachable!("stdin is kept aside")
        }
    }
}

/// Lets a stored file be written through `std::io::Write`.
struct Adopting(ResultWriter);

impl std::io::Write for Adopting {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.write(bytes).map_err(std::io::Error::other)?;
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn stdin(bytes: impl Read + Send + 'static, limit: ByteSize) -> (tempfile::TempDir, Stdin) {
        let folder = tempfile::tempdir().unwrap();
        let stream = Stream::Unread(Box::new(bytes));
        let stdin = Stdin::new(stream, limit, folder.path().to_owned());
        (folder, stdin)
    }

    #[test]
    fn it_is_read_once_and_is_the_same_for_whoever_asks_again() {
        let (_folder, stdin) = stdin(&b"abc"[..], ByteSize(3));
        let source = stdin.source(None).unwrap();
        assert_eq!((source.name.as_str(), source.size), ("stdin", 3));
        assert_eq!(source.place, SourcePlace::Inline((*b"abc").into()));
        assert_eq!(stdin.source(None), Ok(source));
    }

    #[test]
    fn one_that_never_ends_is_refused_at_its_limit() {
        let (_folder, stdin) = stdin(std::io::repeat(7), ByteSize::mib(1));
        let fault = stdin.source(None).unwrap_err();
        assert_eq!(fault.code, Code::TooBig);
        assert_eq!(fault.hit.unwrap().limit, "storage.stdin_bytes_max");
    }

    #[test]
    fn a_large_one_moves_with_the_job_that_is_about_it_and_goes_with_the_last() {
        let (folder, stdin) = stdin(std::io::repeat(7).take(1 << 20), ByteSize::mib(1));
        let results = ResultStore::passing_in(folder.path()).unwrap();
        let source = stdin.source(None).unwrap();
        let SourcePlace::Stored { sha256 } = source.place else { panic!("inline") };
        stdin.adopt(&[], &results).unwrap();
        assert!(!results.path(&sha256).exists());
        stdin.adopt(std::slice::from_ref(&source), &results).unwrap();
        results.use_once_more(sha256);
        stdin.release();
        assert!(results.path(&sha256).exists(), "an accepted job holds it");
        results.release(&sha256);
        assert!(!results.path(&sha256).exists());
    }

    #[test]
    fn its_digest_can_be_pinned() {
        let (_folder, stdin) = stdin(&b"abc"[..], ByteSize(3));
        let digest = Digest(Sha256::digest(b"abc").into());
        assert!(stdin.source(Some(digest)).is_ok());
        let fault = stdin.source(Some(Digest([1; 32]))).unwrap_err();
        assert_eq!(fault.code, Code::InputMismatch);
    }
}
