//! Recordings that were decoded, kept as samples while they are needed.
//!
//! Owns: one decoding for each recording, however many chunks it has and whoever asks at once; files without a name, so
//! that nothing is left behind whatever happens to the host.
//! Never: believes that a file is what it was: its size and modification time are part of the key.

use std::collections::VecDeque;
use std::fs::File;
use std::io::Write;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use pframe_core::fault::{Code, Fault};
use pframe_core::ids::{Digest, JobId};
use pframe_core::job::{Source, SourcePlace, WebVersion};
use pframe_speech::{BYTES_PER_MS, Loudness, Meter};
use sha2::{Digest as _, Sha256};

use super::child::{Decoder, decode_in_child};
use crate::data::source::{Bytes, SourceReader, Stores, Wanted};
use crate::process::errand::ErrandProgram;
use crate::process::memory;

/// Samples that are kept although nobody needs them at the moment: some nine days of recordings would fill a disk.
const KEPT_BYTES_MAX: u64 = 8 << 30;
/// Recordings that are kept at most: each is an open file.
const KEPT_MAX: usize = 128;

/// A recording as samples: 16 kHz, mono, 16 bits, the lower byte first; a whole number of milliseconds.
#[derive(Debug)]
pub(crate) struct Recording {
    file: Arc<File>,
    size: u64,
    loudness: Arc<Loudness>,
}

impl Recording {
    /// Its samples.
    pub(crate) fn bytes(&self) -> Bytes {
        Bytes::File { file: Arc::clone(&self.file), size: self.size }
    }

    /// How loud it is, and how long.
    pub(crate) fn loudness(&self) -> &Arc<Loudness> {
        &self.loudness
    }
}

/// Which recording.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Key {
    File {
        path: String,
        modified_ns: i64,
        size: u64,
    },
    /// By its content: bytes that came with a job, or a stored result.
    Content(Digest),
    Web {
        url: String,
        version: WebVersion,
        size: u64,
    },
    /// Opening it fails.
    Unmade(JobId),
}

impl Key {
    fn of(source: &Source) -> Self {
        match &source.place {
            SourcePlace::File { path, modified_ns } => {
                Self::File { path: path.clone(), modified_ns: *modified_ns, size: source.size }
            }
            SourcePlace::Inline(bytes) => Self::Content(Digest(Sha256::digest(bytes).into())),
            SourcePlace::Stored { sha256 } => Self::Content(*sha256),
            SourcePlace::Web { url, version } => {
                Self::Web { url: url.clone(), version: version.clone(), size: source.size }
            }
            SourcePlace::Job(job) => Self::Unmade(job.clone()),
        }
    }
}

/// Where a recording is once somebody has decoded it; whoever decodes holds the lock.
type Slot = Arc<Mutex<Option<Arc<Recording>>>>;

/// Decodes recordings, each once.
#[derive(Debug)]
pub(crate) struct Recordings {
    decoder: Option<Decoder>,
    directory: PathBuf,
    /// The one that was used last at the end.
    slots: Mutex<VecDeque<(Key, Slot)>>,
}

impl Recordings {
    /// Decoded by children of this program, none longer than this, kept in this directory.
    pub(crate) fn new(
        program: Option<ErrandProgram>,
        length_max: Duration,
        directory: PathBuf,
    ) -> Self {
        let decoder = program.map(|program| Decoder { program, length_max });
        Self { decoder, directory, slots: Mutex::default() }
    }

    /// The recording behind one of a job's sources.
    pub(crate) fn open(
        &self,
        sources: &Arc<[Source]>,
        index: usize,
        stores: &Stores,
    ) -> Result<Arc<Recording>, Fault> {
        let source = &sources[index];
        let slot = self.slot(Key::of(source));
        let mut found = slot.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(recording) = &*found {
            return Ok(Arc::clone(recording));
        }
        let reader = SourceReader::open(sources, index, stores, Wanted::All)?;
        let recording = Arc::new(self.decode(&reader)?);
        // What was decoded is what was accepted, or nothing.
        reader.verify()?;
        *found = Some(Arc::clone(&recording));
        drop(found);
        self.make_room();
        Ok(recording)
    }

    /// True where the recording behind a source is there already.
    pub(crate) fn has(&self, source: &Source) -> bool {
        let slot = self.slot(Key::of(source));
        slot.try_lock().is_ok_and(|found| found.is_some())
    }

    fn slots(&self) -> MutexGuard<'_, VecDeque<(Key, Slot)>> {
        self.slots.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn slot(&self, key: Key) -> Slot {
        let mut slots = self.slots();
        let at = slots.iter().position(|(known, _)| *known == key);
        let slot = at.and_then(|at| slots.remove(at)).map_or_else(Slot::default, |(_, slot)| slot);
        slots.push_back((key, Arc::clone(&slot)));
        slot
    }

    /// Forgets those that nobody has used for the longest time. One in use stays with its users.
    fn make_room(&self) {
        let mut slots = self.slots();
        // Who holds the lock of a slot is decoding, and has nothing to give yet.
        let size = |slot: &Slot| match slot.try_lock() {
            Ok(found) => found.as_ref().map_or(0, |recording| recording.size),
            Err(_) => 0,
        };
        let mut kept: u64 = slots.iter().map(|(_, slot)| size(slot)).sum();
        while (kept > KEPT_BYTES_MAX || slots.len() > KEPT_MAX) && slots.len() > 1 {
            let Some((_, oldest)) = slots.pop_front() else { break };
            kept -= size(&oldest).min(kept);
        }
    }

    fn decode(&self, reader: &SourceReader) -> Result<Recording, Fault> {
        let decoder = self.decoder.as_ref().ok_or_else(|| {
            Fault::new(Code::WorkerUnusable).detail(
                "recordings are decoded in a process of their own, and \
                 `EngineBuilder::worker_program` names no program to start it from",
            )
        })?;
        let name = reader.name();
        let unreadable = |error: std::io::Error| {
            Fault::new(Code::InputOutput).detail(format!("`{name}`: {error}"))
        };
        let file = memory::readable(reader.bytes()).map_err(unreadable)?;
        let mut staged = Staged::new(&self.directory)?;
        decode_in_child(decoder, (file, reader.size()), name, |piece| staged.write(piece))?;
        staged.finish()
    }
}

/// A recording that is being decoded.
struct Staged {
    file: File,
    size: u64,
    meter: Meter,
}

fn disk(error: &std::io::Error) -> Fault {
    Fault::new(Code::DiskFull).detail(format!("staging a recording: {error}"))
}

impl Staged {
    fn new(directory: &std::path::Path) -> Result<Self, Fault> {
        let file = std::fs::create_dir_all(directory)
            .and_then(|()| tempfile::tempfile_in(directory))
            .map_err(|error| disk(&error))?;
        Ok(Self { file, size: 0, meter: Meter::default() })
    }

    fn write(&mut self, piece: &[u8]) -> Result<(), Fault> {
        self.file.write_all(piece).map_err(|error| disk(&error))?;
        self.size += piece.len() as u64;
        self.meter.feed(&pframe_speech::samples(piece));
        Ok(())
    }

    /// Silence fills up the last millisecond, so that times and bytes agree.
    fn finish(mut self) -> Result<Recording, Fault> {
        let short = self.size.next_multiple_of(BYTES_PER_MS) - self.size;
        let silence = vec![0; usize::try_from(short).expect("less than a millisecond")];
        self.write(&silence)?;
        Ok(Recording {
            file: Arc::new(self.file),
            size: self.size,
            loudness: Arc::new(self.meter.finish()),
        })
    }
}
