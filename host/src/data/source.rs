//! Reads sources in place, by range, and notices when one is no longer what was accepted.
//!
//! Owns: the open file behind a source.
//! Never: reads more than was asked, or past the size recorded at acceptance.

use std::fmt;
use std::fs::{File, Metadata, OpenOptions};
use std::io;
use std::ops::Range;
use std::os::unix::fs::{FileExt, OpenOptionsExt};
use std::path::Path;
use std::sync::Arc;
use std::time::UNIX_EPOCH;

use pframe_core::event::Output;
use pframe_core::fault::{Code, Fault};
use pframe_core::job::{Source, SourcePlace, WebVersion};

use super::results::ResultStore;
use super::web::{Looks, Page, TenantWeb};

/// Bytes that a reader takes at once at most.
const BLOCK_BYTES: u64 = 256 << 10;

/// Why a read failed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum ReadProblem {
    /// The offset lies past the end.
    OutOfRange,
    /// The file is no longer what it was when the job was accepted.
    Changed(String),
    /// The operating system refused.
    Io(String),
    /// The network did.
    Fetch(Fault),
}

impl fmt::Display for ReadProblem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::OutOfRange => f.write_str("out of range"),
            Self::Changed(what) => write!(f, "changed: {what}"),
            Self::Io(what) => f.write_str(what),
            Self::Fetch(fault) => write!(f, "{fault}"),
        }
    }
}

/// Bytes in memory or in a file.
#[derive(Debug, Clone)]
pub(crate) enum Bytes {
    Inline(Arc<[u8]>),
    File {
        file: Arc<File>,
        size: u64,
    },
    /// Behind a URL, read by ranges: for a look at a few bytes.
    Web(Arc<Looks>),
}

impl Bytes {
    /// Opens an attempt's output.
    pub(crate) fn open(output: &Output, store: &ResultStore) -> Result<Self, Fault> {
        match output {
            Output::Inline { bytes, .. } => Ok(Self::Inline(Arc::clone(bytes))),
            Output::Stored { size, sha256 } => {
                Ok(Self::File { file: Arc::new(store.open(sha256)?), size: size.bytes() })
            }
        }
    }

    pub(crate) fn size(&self) -> u64 {
        match self {
            Self::Inline(bytes) => bytes.len() as u64,
            Self::File { size, .. } => *size,
            Self::Web(looks) => looks.size(),
        }
    }

    /// A reader from the start.
    pub(crate) fn reader(&self) -> BytesReader {
        BytesReader { bytes: self.clone(), offset: 0 }
    }

    /// Up to `length` bytes from `offset`; fewer only at the end.
    pub(crate) fn read(&self, offset: u64, length: u64) -> Result<Vec<u8>, ReadProblem> {
        let left = self.size().checked_sub(offset).ok_or(ReadProblem::OutOfRange)?;
        let length = usize::try_from(length.min(left)).map_err(|_| ReadProblem::OutOfRange)?;
        match self {
            Self::Inline(bytes) => {
                let start = usize::try_from(offset).map_err(|_| ReadProblem::OutOfRange)?;
                Ok(bytes[start..start + length].to_vec())
            }
            Self::File { file, .. } => {
                let mut buffer = vec![0; length];
                match file.read_exact_at(&mut buffer, offset) {
                    Ok(()) => Ok(buffer),
                    Err(error) if error.kind() == std::io::ErrorKind::UnexpectedEof => {
                        Err(ReadProblem::Changed("the file became shorter".into()))
                    }
                    Err(error) => Err(ReadProblem::Io(error.to_string())),
                }
            }
            Self::Web(looks) => {
                let range = offset..offset + length as u64;
                looks.read(range).map_err(|fault| match fault.code {
                    Code::InputChanged => ReadProblem::Changed(fault.detail),
                    _ => ReadProblem::Fetch(fault),
                })
            }
        }
    }
}

/// Reads from the start, in blocks.
pub(crate) struct BytesReader {
    bytes: Bytes,
    offset: u64,
}

impl io::Read for BytesReader {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let length = (buffer.len() as u64).min(BLOCK_BYTES);
        let block = self.bytes.read(self.offset, length);
        let block = block.map_err(|problem| io::Error::other(problem.to_string()))?;
        buffer[..block.len()].copy_from_slice(&block);
        self.offset += block.len() as u64;
        Ok(block.len())
    }
}

/// Where the bytes of sources are that are no files.
#[derive(Debug, Clone)]
pub(crate) struct Stores {
    /// Results of other jobs, and what came through stdin; before anything runs there may be none.
    pub(crate) results: Option<ResultStore>,
    pub(crate) web: TenantWeb,
}

/// How much of a source is wanted, where it has to be fetched.
#[derive(Debug, Clone)]
pub(crate) enum Wanted {
    /// A few bytes here and there.
    Looks,
    /// These bytes, to be read without waiting.
    Part(Range<u64>),
    /// All of it.
    All,
}

/// An open source.
#[derive(Debug)]
pub(crate) struct SourceReader {
    sources: Arc<[Source]>,
    index: usize,
    bytes: Bytes,
}

impl SourceReader {
    /// Opens one of a job's sources and checks that it is still what was accepted. Results of other jobs are found in the
    /// store; before anything runs there is none.
    pub(crate) fn open(
        sources: &Arc<[Source]>,
        index: usize,
        stores: &Stores,
        wanted: Wanted,
    ) -> Result<Self, Fault> {
        let source = &sources[index];
        let bytes = match &source.place {
            SourcePlace::Inline(bytes) => Bytes::Inline(Arc::clone(bytes)),
            SourcePlace::File { path, .. } => {
                let (file, _) = open_regular(Path::new(path)).map_err(|error| {
                    use std::io::ErrorKind::{NotFound, PermissionDenied};
                    let code = match error.kind() {
                        NotFound | PermissionDenied => Code::InputMissing,
                        _ => Code::InputOutput,
                    };
                    Fault::new(code).detail(format!("`{}`: {error}", source.name))
                })?;
                Bytes::File { file: Arc::new(file), size: source.size }
            }
            SourcePlace::Stored { sha256 } => {
                let results = stores.results.as_ref().ok_or_else(|| without_result(source))?;
                Bytes::File { file: Arc::new(results.open(sha256)?), size: source.size }
            }
            SourcePlace::Web { url, version } => {
                let page = Page { url: url.clone(), version: version.clone(), size: source.size };
                fetch(&stores.web, page, wanted)?
            }
            SourcePlace::Job(_) => return Err(without_result(source)),
        };
        let reader = Self { sources: Arc::clone(sources), index, bytes };
        reader.verify()?;
        Ok(reader)
    }

    /// A source whose bytes somebody else opened, and checks.
    pub(crate) fn handed_over(name: String, media_type: Option<String>, bytes: Bytes) -> Self {
        let place = SourcePlace::Inline(Arc::default());
        let source = Source { name, media_type, size: bytes.size(), place };
        Self { sources: [source].into(), index: 0, bytes }
    }

    /// The bytes themselves.
    pub(crate) fn bytes(&self) -> &Bytes {
        &self.bytes
    }

    /// Checks that the file is still what was accepted.
    pub(crate) fn verify(&self) -> Result<(), Fault> {
        let (Bytes::File { file, .. }, SourcePlace::File { modified_ns, .. }) =
            (&self.bytes, &self.source().place)
        else {
            return Ok(());
        };
        let metadata = file.metadata().map_err(|error| {
            Fault::new(Code::InputOutput).detail(format!("`{}`: {error}", self.source().name))
        })?;
        if metadata.len() == self.source().size && modified_ns_of(&metadata) == *modified_ns {
            return Ok(());
        }
        Err(Fault::new(Code::InputChanged).detail(format!("`{}`", self.source().name)))
    }

    pub(crate) fn read(&self, offset: u64, length: u64) -> Result<Vec<u8>, ReadProblem> {
        self.bytes.read(offset, length)
    }

    fn source(&self) -> &Source {
        &self.sources[self.index]
    }

    pub(crate) fn name(&self) -> &str {
        &self.source().name
    }

    pub(crate) fn media_type(&self) -> Option<&str> {
        self.source().media_type.as_deref()
    }

    pub(crate) fn size(&self) -> u64 {
        self.source().size
    }

    /// The first byte after the first `separator` that begins at or after `from`, or the end.
    ///
    /// Reads blocks that grow from 4 KiB to 1 MiB and overlap by the separator's length less one.
    pub(crate) fn after_separator(&self, from: u64, separator: &[u8]) -> Result<u64, ReadProblem> {
        let overlap = separator.len() as u64 - 1;
        let (mut start, mut length) = (from, 4 << 10);
        while start < self.size() {
            let block = self.read(start, length + overlap)?;
            let hit = memchr::memmem::find(&block, separator);
            if let Some(at) = hit {
                return Ok(start + (at + separator.len()) as u64);
            }
            start += length;
            length = (length * 4).min(1 << 20);
        }
        Ok(self.size())
    }
}

fn fetch(web: &TenantWeb, page: Page, wanted: Wanted) -> Result<Bytes, Fault> {
    let range = match (&page.version, wanted) {
        (WebVersion::Tag(_) | WebVersion::Modified(_), Wanted::Looks) => {
            return Ok(Bytes::Web(Arc::new(Looks::new(web.clone(), page))));
        }
        (_, Wanted::Part(range)) => range,
        (_, Wanted::All | Wanted::Looks) => 0..page.size,
    };
    Ok(Bytes::File { file: web.fetch(&page, range)?, size: page.size })
}

fn without_result(source: &Source) -> Fault {
    Fault::new(Code::Bug)
        .detail(format!("the result of `{}` was asked for before it was made", source.name))
}

/// Opens a regular file to read, and nothing else: a pipe that somebody put in its place would have the host wait.
pub(super) fn open_regular(path: &Path) -> io::Result<(File, Metadata)> {
    let nonblocking = rustix::fs::OFlags::NONBLOCK.bits().cast_signed();
    let file = OpenOptions::new().read(true).custom_flags(nonblocking).open(path)?;
    let metadata = file.metadata()?;
    match metadata.is_file() {
        true => Ok((file, metadata)),
        false => Err(io::Error::other("not a regular file")),
    }
}

/// Modification time in nanoseconds since the Unix epoch; negative before it.
///
/// 64 bits, because serde does not read 128 back from within an event; times outside are all the same.
pub(crate) fn modified_ns_of(metadata: &std::fs::Metadata) -> i64 {
    let Ok(modified) = metadata.modified() else { return 0 };
    match modified.duration_since(UNIX_EPOCH) {
        Ok(after) => i64::try_from(after.as_nanos()).unwrap_or(i64::MAX),
        Err(before) => -i64::try_from(before.duration().as_nanos()).unwrap_or(i64::MAX),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn inline(bytes: &[u8]) -> SourceReader {
        let place = SourcePlace::Inline(bytes.into());
        let size = bytes.len() as u64;
        let source = Source { name: "text".into(), media_type: None, size, place };
        let stores = Stores { results: None, web: TenantWeb::denied() };
        SourceReader::open(&[source].into(), 0, &stores, Wanted::All).unwrap()
    }

    #[test]
    fn a_separator_counts_from_where_it_begins() {
        let source = inline(b"aa\n\nbb\n\ncc");
        assert_eq!(source.after_separator(0, b"\n\n"), Ok(4));
        assert_eq!(source.after_separator(2, b"\n\n"), Ok(4));
        assert_eq!(source.after_separator(3, b"\n\n"), Ok(8));
        assert_eq!(source.after_separator(7, b"\n\n"), Ok(10));
    }

    #[test]
    fn a_separator_is_found_across_blocks() {
        let mut bytes = vec![b'x'; 200_000];
        bytes[20_480] = b'\r';
        bytes[20_481] = b'\n';
        assert_eq!(inline(&bytes).after_separator(1, b"\r\n"), Ok(20_482));
    }

    #[test]
    fn a_file_that_changed_is_not_read() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("input");
        std::fs::write(&path, "before").unwrap();
        let metadata = std::fs::metadata(&path).unwrap();
        let place = SourcePlace::File {
            path: path.to_str().unwrap().into(),
            modified_ns: modified_ns_of(&metadata),
        };
        let sources = [Source { name: "input".into(), media_type: None, size: 6, place }].into();
        let stores = Stores { results: None, web: TenantWeb::denied() };
        let reader = SourceReader::open(&sources, 0, &stores, Wanted::All).unwrap();
        std::fs::write(&path, "later!!").unwrap();
        assert_eq!(reader.verify().map_err(|fault| fault.code), Err(Code::InputChanged));
        let reopened =
            SourceReader::open(&sources, 0, &stores, Wanted::All).map_err(|fault| fault.code);
        assert_eq!(reopened.err(), Some(Code::InputChanged));
    }
}
