//! The host's own collectors: from the outputs of many chunks to one result, whatever their size.
//!
//! Owns: joining, JSON arrays, and archives of files with their manifest.
//! Never: holds more of an output than a block.

use std::io::{self, BufReader, Read, Write};

use pframe_core::event::Output;
use pframe_core::fault::{Code, Fault};
use pframe_core::ids::Digest;
use pframe_core::job::{Collect, JobSpec, Slice};
use pframe_core::naming::file_names;
use serde::de::IgnoredAny;
use serde_json::json;
use sha2::{Digest as _, Sha256};

use super::host_work::Watch;
use super::plain_json::PlainJson;
use crate::data::folder::{MANIFEST, manifest};
use crate::data::publish::copy;
use crate::data::results::{ResultStore, ResultWriter};
use crate::data::source::{Bytes, ReadProblem};

/// Bytes that are read at once.
const BLOCK: u64 = 256 << 10;

/// What there is to collect.
pub(super) struct Collected<'a> {
    /// Outputs in the order of the chunks.
    pub(super) parts: &'a [Output],
    /// The chunk of each.
    pub(super) succeeded: &'a [u32],
    /// All chunks of the job.
    pub(super) chunks: &'a [Slice],
    /// Until when, and unless somebody says otherwise.
    pub(super) watch: &'a Watch,
}

/// Makes the result.
pub(super) fn collect(
    store: &ResultStore,
    job: &JobSpec,
    collected: &Collected<'_>,
) -> Result<Output, Fault> {
    let watch = collected.watch;
    let mut writer = StoreWriter { writer: store.writer(), buffer: Vec::new(), watch, fault: None };
    match job.collector() {
        Collect::Concat => join(store, collected.parts, &mut writer)?,
        Collect::JsonArray => json_array(store, collected, &mut writer)?,
        Collect::Files => archive(store, job, collected, &mut writer)?,
        Collect::Handler | Collect::None => {
            return Err(Fault::new(Code::Bug).detail("there is nothing for the host to collect"));
        }
    }
    writer.pass_on()?;
    writer.writer.finish().map(Output::from)
}

fn join(store: &ResultStore, parts: &[Output], writer: &mut StoreWriter<'_>) -> Result<(), Fault> {
    parts.iter().try_for_each(|part| copy(part, writer, store))
}

/// Every value that the chunks wrote: one, many with white space between them (JSON Lines), or none.
fn json_array(
    store: &ResultStore,
    collected: &Collected<'_>,
    writer: &mut StoreWriter<'_>,
) -> Result<(), Fault> {
    let mut separator: &[u8] = b"[";
    for (part, chunk) in collected.parts.iter().zip(collected.succeeded) {
        let bytes = Bytes::open(part, store)?;
        let reader = BufReader::with_capacity(64 << 10, PlainJson::new(bytes.reader()));
        let mut values = serde_json::Deserializer::from_reader(reader).into_iter::<IgnoredAny>();
        let mut start = 0;
        while let Some(value) = values.next() {
            value.map_err(|error| not_json(*chunk, &error))?;
            let end = values.byte_offset() as u64;
            writer.put(separator)?;
            separator = b",\n";
            copy_trimmed(&bytes, (start, end), writer)?;
            start = end;
        }
    }
    let end: &[u8] = if separator == b"[" { b"[]\n" } else { b"]\n" };
    writer.put(end)
}

fn not_json(chunk: u32, error: &serde_json::Error) -> Fault {
    match error.classify() {
        serde_json::error::Category::Io
            if error.io_error_kind() != Some(io::ErrorKind::InvalidData) =>
        {
            Fault::new(Code::InputOutput).detail(format!("the output of chunk {chunk}: {error}"))
        }
        _ => Fault::new(Code::BadOutput)
            .detail(format!("the output of chunk {chunk} is not JSON: {error}")),
    }
}

/// A value without the white space before it.
fn copy_trimmed(
    bytes: &Bytes,
    (mut at, end): (u64, u64),
    writer: &mut StoreWriter<'_>,
) -> Result<(), Fault> {
    let mut is_inside = false;
    while at < end {
        let block = bytes.read(at, BLOCK.min(end - at)).map_err(|problem| unreadable(&problem))?;
        at += block.len() as u64;
        let text = if is_inside { &block[..] } else { block.trim_ascii_start() };
        is_inside |= !text.is_empty();
        writer.put(text)?;
    }
    Ok(())
}

fn unreadable(problem: &ReadProblem) -> Fault {
    Fault::new(Code::InputOutput).detail(format!("reading a stored result: {problem}"))
}

/// A tar archive with a file for each chunk that succeeded, and a manifest before them that says what they are.
fn archive(
    store: &ResultStore,
    job: &JobSpec,
    collected: &Collected<'_>,
    writer: &mut StoreWriter<'_>,
) -> Result<(), Fault> {
    let names = file_names(&job.inputs, collected.chunks, MANIFEST);
    let mut files = Vec::with_capacity(collected.parts.len());
    for (part, &chunk) in collected.parts.iter().zip(collected.succeeded) {
        let slice = collected.chunks[chunk as usize];
        files.push(json!({
            "path": names[chunk as usize],
            "chunk": chunk,
            "source": job.inputs[slice.source as usize].name,
            "start": slice.start,
            "end": slice.end,
            "size": part.size().bytes(),
            "sha256": digest_of(part).to_string(),
        }));
    }
    let (mut has_succeeded, all) =
        (collected.succeeded.iter().copied().peekable(), 0..collected.chunks.len());
    let failed =
        all.filter(|&chunk| has_succeeded.next_if(|&good| good as usize == chunk).is_none());
    let text = manifest(&job.id, &files, &failed.collect::<Vec<_>>());
    let mut archive = tar::Builder::new(writer);
    append(&mut archive, MANIFEST, text.len() as u64, &mut text.as_bytes())?;
    for (part, &chunk) in collected.parts.iter().zip(collected.succeeded) {
        let bytes = Bytes::open(part, store)?;
        append(&mut archive, &names[chunk as usize], bytes.size(), &mut bytes.reader())?;
    }
    let writer = archive.into_inner();
    writer.map(drop).map_err(|error| Fault::new(Code::DiskFull).detail(error.to_string()))
}

/// The same bytes whenever it is made: no time, no owner.
fn append(
    archive: &mut tar::Builder<&mut StoreWriter<'_>>,
    name: &str,
    size: u64,
    bytes: &mut dyn Read,
) -> Result<(), Fault> {
    let mut header = tar::Header::new_gnu();
    header.set_size(size);
    header.set_mode(0o644);
    let appended = archive.append_data(&mut header, name, bytes);
    let fault = archive.get_mut().fault.take();
    appended.map_err(|error| {
        fault.unwrap_or_else(|| {
            Fault::new(Code::InputOutput).detail(format!("collecting `{name}`: {error}"))
        })
    })
}

fn digest_of(part: &Output) -> Digest {
    match part {
        Output::Stored { sha256, .. } => *sha256,
        Output::Inline { bytes, .. } => Digest(Sha256::digest(bytes).into()),
    }
}

/// Writes into the store through `std::io::Write`, and remembers why that failed.
struct StoreWriter<'a> {
    writer: ResultWriter,
    /// Not yet in the result: many values are a few bytes.
    buffer: Vec<u8>,
    watch: &'a Watch,
    fault: Option<Fault>,
}

impl StoreWriter<'_> {
    fn put(&mut self, bytes: &[u8]) -> Result<(), Fault> {
        self.buffer.extend_from_slice(bytes);
        match self.buffer.len() as u64 >= BLOCK {
            true => self.pass_on(),
            false => Ok(()),
        }
    }

    fn pass_on(&mut self) -> Result<(), Fault> {
        self.watch.check()?;
        let written = self.writer.write(&self.buffer);
        self.buffer.clear();
        written
    }
}

impl Write for StoreWriter<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.put(bytes).map_err(|fault| {
            let error = io::Error::other(fault.to_string());
            self.fault = Some(fault);
            error
        })?;
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
