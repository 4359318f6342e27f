//! Bundles: everything that is needed to run a chunk that failed once more, in a folder that can be carried away.
//!
//! Owns: what lies there. `bundle.json` describes the attempt, `chunk` has the bytes that its handler was handed,
//! `component.wasm` is the handler. A bundle is there whole or not at all, and its parts are known by their digests.
//! Never: holds a value of a granted variable, or more of a path or a URL than is shown of it.

use std::fs::{DirBuilder, File};
use std::io::{self, BufWriter, Read, Seek, SeekFrom, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use pframe_core::fault::{Code, Fault};
use pframe_core::ids::{AttemptId, Digest, JobId, Step, TaskName, TenantName};
use pframe_core::jobfile::check_limits;
use pframe_core::limits::Limits;
use pframe_core::units::Timestamp;
use rustix::fs::OFlags;
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

use super::source::SourceReader;
use crate::failpoint::pass;

/// The folder below the state directory; in it one for each run.
pub(crate) const FOLDER: &str = "dead-letters";
/// The folder for those that are not whole; no run is called so.
const UNFINISHED: &str = ".tmp";
/// The description of a bundle.
const DESCRIPTION: &str = "bundle.json";
/// The bytes of the chunk.
const CHUNK: &str = "chunk";
/// The handler.
const COMPONENT: &str = "component.wasm";
/// The format of bundles that this program writes and reads.
const FORMAT: u32 = 1;
/// The longest description that is read: parameters are at most 16 MiB, as job files are.
const DESCRIPTION_BYTES_MAX: u64 = 32 << 20;
/// The longest chunk that is replayed: a look at it takes a minute.
const CHUNK_BYTES_MAX: u64 = 64 << 30;
/// The last place that a chunk may end at: what file systems take, where the bytes before it are a hole.
const SOURCE_BYTES_MAX: u64 = 8 << 40;
/// Bytes that are copied at once.
const BLOCK_BYTES: u64 = 256 << 10;
/// Bytes before the samples of a recording.
const WAV_HEADER_BYTES: u64 = 44;
/// Samples in a second, as everywhere in this host.
const SAMPLE_RATE: u32 = 16_000;

/// What is known about the attempt.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Bundle {
    /// Of this description.
    pub(crate) format: u32,
    /// What wrote it, for people.
    pub(crate) written_by: String,
    /// The run in which it failed.
    pub(crate) run: i64,
    /// The attempt that failed for good.
    pub(crate) attempt: AttemptId,
    /// On whose account.
    pub(crate) tenant: TenantName,
    /// What ran.
    pub(crate) task: TaskName,
    /// The digest of `component.wasm`.
    pub(crate) component: Digest,
    /// JSON text, as the handler was handed it.
    pub(crate) parameters: String,
    /// In force.
    pub(crate) limits: Limits,
    /// What the job was granted, as it is written in a job file.
    pub(crate) grants: Vec<String>,
    /// What random bytes were seeded by, unless they were granted.
    pub(crate) seed: String,
    /// What the wall clock showed, unless it was granted.
    pub(crate) accepted_at: Timestamp,
    /// What the handler worked on.
    pub(crate) chunk: BundledChunk,
    /// How the attempt ended.
    pub(crate) fault: Fault,
}

/// The chunk, as its handler saw it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct BundledChunk {
    /// How many chunks the job has.
    pub(crate) count: u32,
    /// The name of the source.
    pub(crate) source: String,
    /// Its media type, if it is known.
    pub(crate) media_type: Option<String>,
    /// True where the bytes are samples of a recording: 16 kHz, mono, 16 bits.
    pub(crate) is_recording: bool,
    /// Where the chunk begins in its source, in bytes.
    pub(crate) start: u64,
    /// One past its last byte.
    pub(crate) end: u64,
    /// Of the bytes of the chunk.
    pub(crate) sha256: Digest,
}

/// The folder of a chunk's bundle, whether there is one or not.
pub(crate) fn folder(state_dir: &Path, run: i64, job: &JobId, chunk: u32) -> PathBuf {
    folder_of_job(state_dir, run, job).join(chunk.to_string())
}

/// The folder of all bundles of a job.
pub(crate) fn folder_of_job(state_dir: &Path, run: i64, job: &JobId) -> PathBuf {
    state_dir.join(FOLDER).join(run.to_string()).join(job.as_str())
}

/// The chunks of a job that are kept, in order.
pub(crate) fn kept(state_dir: &Path, run: i64, job: &JobId) -> Vec<u32> {
    let folders = std::fs::read_dir(folder_of_job(state_dir, run, job)).into_iter().flatten();
    let is_whole = |it: &std::fs::DirEntry| it.path().join(DESCRIPTION).is_file();
    let number = |name: std::ffi::OsString| name.to_str()?.parse().ok();
    let folders = folders.flatten().filter(is_whole);
    let mut kept: Vec<_> = folders.filter_map(|it| number(it.file_name())).collect();
    kept.sort_unstable();
    kept
}

/// Where bundles are written before they are whole.
fn unfinished(state_dir: &Path) -> PathBuf {
    state_dir.join(FOLDER).join(UNFINISHED)
}

/// Removes what a host left half written that died.
pub(crate) fn sweep(state_dir: &Path) {
    let _ = std::fs::remove_dir_all(unfinished(state_dir));
}

/// Puts a bundle into `folder`, below a state directory, unless there is one. The digest of the chunk is filled in from what
/// was read.
pub(crate) fn write(
    (state_dir, folder): (&Path, &Path),
    mut bundle: Bundle,
    source: &SourceReader,
    component: &Path,
) -> io::Result<()> {
    let parent = folder.parent().expect("a bundle lies in the folder of its job");
    let beside = unfinished(state_dir);
    for folder in [parent, &beside] {
        DirBuilder::new().recursive(true).mode(0o700).create(folder)?;
    }
    let unfinished = tempfile::tempdir_in(beside)?;
    let path = unfinished.path();
    bundle.chunk.sha256 = copy_chunk(&path.join(CHUNK), &bundle.chunk, source)?;
    if std::fs::hard_link(component, path.join(COMPONENT)).is_err() {
        std::fs::copy(component, path.join(COMPONENT))?;
    }
    let description = serde_json::to_vec_pretty(&bundle).map_err(io::Error::other)?;
    std::fs::write(path.join(DESCRIPTION), description)?;
    pass("bundle-rename")?;
    match std::fs::rename(path, folder) {
        Ok(()) => {
            // It has another name now.
            let _ = unfinished.keep();
            Ok(())
        }
        Err(_) if folder.join(DESCRIPTION).is_file() => Ok(()),
        Err(error) => Err(error),
    }
}

/// Opens a regular file, without waiting for what is none, and says how long it is.
fn open_plain(path: &Path) -> io::Result<(File, u64)> {
    let flags = OFlags::NONBLOCK.bits().cast_signed();
    let file = File::options().read(true).custom_flags(flags).open(path)?;
    let metadata = file.metadata()?;
    match metadata.is_file() {
        true => Ok((file, metadata.len())),
        false => Err(io::Error::other("it is no regular file")),
    }
}

fn copy_chunk(path: &Path, chunk: &BundledChunk, source: &SourceReader) -> io::Result<Digest> {
    let mut file = BufWriter::new(File::create_new(path)?);
    let mut hasher = Sha256::new();
    let mut offset = chunk.start;
    while offset < chunk.end {
        let length = BLOCK_BYTES.min(chunk.end - offset);
        let block =
            source.read(offset, length).map_err(|problem| io::Error::other(problem.to_string()))?;
        hasher.update(&block);
        file.write_all(&block)?;
        offset += block.len() as u64;
    }
    file.flush()?;
    Ok(Digest(hasher.finalize().into()))
}

/// A bundle that was read, and where its parts lie.
#[derive(Debug)]
pub(crate) struct Found {
    /// What it says.
    pub(crate) bundle: Bundle,
    folder: PathBuf,
}

impl Found {
    /// Reads the description of the bundle in a folder.
    pub(crate) fn read(folder: &Path) -> Result<Self, Fault> {
        let path = folder.join(DESCRIPTION);
        let refuse = |why: String| {
            Fault::new(Code::BundleUnusable).detail(format!("`{}`: {why}", path.display()))
        };
        let mut text = Vec::new();
        let (file, _) = open_plain(&path).map_err(|error| refuse(error.to_string()))?;
        file.take(DESCRIPTION_BYTES_MAX + 1)
            .read_to_end(&mut text)
            .map_err(|error| refuse(error.to_string()))?;
        if text.len() as u64 > DESCRIPTION_BYTES_MAX {
            return Err(refuse(format!("it is longer than {DESCRIPTION_BYTES_MAX} bytes")));
        }
        let format: Format =
            serde_json::from_slice(&text).map_err(|error| refuse(error.to_string()))?;
        if format.format != FORMAT {
            let found = format.format;
            return Err(refuse(format!("it has format {found}, this program reads {FORMAT}")));
        }
        let bundle: Bundle =
            serde_json::from_slice(&text).map_err(|error| refuse(error.to_string()))?;
        bundle.check().map_err(refuse)?;
        // It may come from a stranger.
        let bundle = Bundle { fault: bundle.fault.with_guest_texts_escaped(), ..bundle };
        Ok(Self { bundle, folder: folder.to_owned() })
    }

    /// The handler that failed.
    pub(crate) fn component(&self) -> PathBuf {
        self.folder.join(COMPONENT)
    }

    /// Writes a source that has the chunk's bytes in their place, and nothing before them. What is before takes no room.
    pub(crate) fn rebuild_source(&self, to: &mut File) -> Result<(), Fault> {
        let path = self.folder.join(CHUNK);
        let refuse = |error: io::Error| {
            Fault::new(Code::BundleUnusable).detail(format!("`{}`: {error}", path.display()))
        };
        let chunk = &self.bundle.chunk;
        let mut offset = chunk.start;
        if chunk.is_recording {
            to.write_all(&wav_header(chunk.end)).map_err(refuse)?;
            offset += WAV_HEADER_BYTES;
        }
        to.set_len(offset + (chunk.end - chunk.start)).map_err(refuse)?;
        to.seek(SeekFrom::Start(offset)).map_err(refuse)?;
        let (file, bytes) = open_plain(&path).map_err(refuse)?;
        if bytes != chunk.end - chunk.start {
            return Err(refuse(io::Error::other("these are not the bytes that were kept")));
        }
        let mut reader = file.take(bytes);
        let (mut hasher, mut copied) = (Sha256::new(), 0);
        let mut block = vec![0; usize::try_from(BLOCK_BYTES).expect("a block is small")];
        loop {
            let read = reader.read(&mut block).map_err(refuse)?;
            if read == 0 {
                break;
            }
            hasher.update(&block[..read]);
            copied += read as u64;
            match block[..read].iter().all(|byte| *byte == 0) {
                // A hole takes no room.
                true => drop(to.seek(SeekFrom::Start(offset + copied)).map_err(refuse)?),
                false => to.write_all(&block[..read]).map_err(refuse)?,
            }
        }
        let is_it =
            copied == chunk.end - chunk.start && Digest(hasher.finalize().into()) == chunk.sha256;
        match is_it {
            true => Ok(()),
            false => Err(refuse(io::Error::other("these are not the bytes that were kept"))),
        }
    }
}

/// What is read of a description before everything else.
#[derive(Deserialize)]
struct Format {
    format: u32,
}

impl Bundle {
    /// The format that this program writes.
    pub(crate) const FORMAT: u32 = FORMAT;

    /// The place of the chunk among those of its job.
    pub(crate) fn index(&self) -> Option<u32> {
        match self.attempt.step {
            Step::Run(index) => Some(index),
            Step::Cut | Step::Collect => None,
        }
    }

    /// What a bundle must keep to, whoever wrote it.
    fn check(&self) -> Result<(), String> {
        let Some(index) = self.index() else {
            return Err(format!("`attempt`: `{}` is not about a chunk", self.attempt));
        };
        let chunk = &self.chunk;
        if index >= chunk.count {
            return Err(format!("`chunk.count`: there is no chunk {index} of {}", chunk.count));
        }
        if chunk.start > chunk.end || chunk.end > SOURCE_BYTES_MAX {
            return Err(format!("`chunk`: it starts at {} and ends at {}", chunk.start, chunk.end));
        }
        if chunk.end - chunk.start > CHUNK_BYTES_MAX {
            return Err(format!("`chunk`: it has more than {CHUNK_BYTES_MAX} bytes"));
        }
        check_limits(&self.limits)?;
        let fits_a_recording =
            chunk.start.is_multiple_of(2) && chunk.end < u64::from(u32::MAX) - 64;
        if chunk.is_recording && !fits_a_recording {
            return Err("`chunk`: a recording has 4 GiB of samples at most".into());
        }
        let seed = self.attempt.seed();
        if self.seed != seed {
            return Err(format!("`seed`: this attempt is seeded by `{seed}`"));
        }
        Ok(())
    }
}

/// The header of a WAV file with so many bytes of samples, 16 bits each, mono.
fn wav_header(bytes: u64) -> Vec<u8> {
    let bytes = u32::try_from(bytes).expect("checked by Bundle::check");
    let mut header = Vec::with_capacity(44);
    header.extend(b"RIFF");
    header.extend((bytes + 36).to_le_bytes());
    header.extend(b"WAVEfmt ");
    header.extend(16_u32.to_le_bytes());
    header.extend(1_u16.to_le_bytes());
    header.extend(1_u16.to_le_bytes());
    header.extend(SAMPLE_RATE.to_le_bytes());
    header.extend((SAMPLE_RATE * 2).to_le_bytes());
    header.extend(2_u16.to_le_bytes());
    header.extend(16_u16.to_le_bytes());
    header.extend(b"data");
    header.extend(bytes.to_le_bytes());
    header
}
