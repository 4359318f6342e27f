//! From a job as asked for to a job as accepted: defaults filled in, inputs measured, chunks planned.
//!
//! Owns: everything that can be wrong with a job before it runs, found without a trace on disk.
//! Never: runs a guest.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use pframe_core::chunking;
use pframe_core::fault::{Code, Fault};
use pframe_core::job::{CHUNKS_MAX, Chunking, JobRequest, JobSpec, Slice, Source, TaskRef};
use pframe_core::units::{ByteSize, Timestamp};
use pframe_speech::{BYTES_PER_MS, Rule, Span, cuts};

use super::workbench::Workbench;
use crate::data::inputs;
use crate::data::source::{ReadProblem, SourceReader};
use crate::recording::Recordings;
use crate::sandbox::Task;

/// A job to submit.
pub type Job = JobRequest;

/// A job ready to be accepted.
#[derive(Debug, Clone)]
pub struct Planned {
    /// The whole job.
    pub spec: Arc<JobSpec>,
    /// Its chunks; `None` where the handler's own chunker finds them when the job runs.
    pub chunks: Option<Arc<[Slice]>>,
}

/// Checks and measures a job. Relative paths count from `base`. Graphics memory is asked for only
/// where there is some: without a graphics processor the work runs on the others.
pub(super) fn plan(
    workbench: &Workbench,
    request: &JobRequest,
    task: &Task,
    now: Timestamp,
) -> Result<Planned, Fault> {
    let base = &workbench.base_dir;
    let mut resolved = workbench.config.resolve(request)?;
    if workbench.machine.gpus.is_empty() {
        resolved.requirements.gpu_memory = ByteSize::ZERO;
    }
    if matches!(resolved.chunking, Chunking::Custom) && !task.cuts() {
        return Err(Fault::new(Code::ExportMissing)
            .detail("`strategy: custom` needs an exported `pframe:task/chunker@0.1.0`"));
    }
    let inputs: Arc<[Source]> = inputs::resolve(&request.input, base)?.into();
    let chunks = match resolved.chunking {
        Chunking::Time { length } => Some(cut_by_time(&workbench.recordings, &inputs, length)?),
        _ => cut(&inputs, &resolved.chunking)?,
    };
    let output = request.output.as_deref().map(|path| target(path, base)).transpose()?;
    let spec = JobSpec {
        id: request.id.clone(),
        tenant: request.tenant.clone(),
        task: TaskRef {
            name: request.task.clone(),
            component: task.digest,
            collects: task.collects(),
        },
        inputs,
        parameters: resolved.parameters.to_string().into(),
        chunking: resolved.chunking,
        batch: request.batch,
        priority: request.priority,
        limits: resolved.limits,
        retry: resolved.retry,
        on_failure: request.on_failure,
        requirements: resolved.requirements,
        grants: resolved.grants.into(),
        accepted_at: now,
        deadline: request.deadline.map(|deadline| now.after(deadline)),
        output,
    };
    Ok(Planned { spec: Arc::new(spec), chunks })
}

/// Cuts by reading near the cuts only.
fn cut(inputs: &Arc<[Source]>, chunking: &Chunking) -> Result<Option<Arc<[Slice]>>, Fault> {
    let sizes: Vec<u64> = inputs.iter().map(|source| source.size).collect();
    let mut open: Option<(usize, SourceReader)> = None;
    chunking::plan(&sizes, chunking, |search| {
        let reader = match &open {
            Some((index, reader)) if *index == search.source => reader,
            _ => &open.insert((search.source, SourceReader::open(inputs, search.source)?)).1,
        };
        reader.after_separator(search.from, search.separator).map_err(|problem| match problem {
            ReadProblem::Changed(what) => Fault::new(Code::InputChanged).detail(what),
            ReadProblem::OutOfRange => Fault::new(Code::Bug).detail("a cut outside its source"),
            ReadProblem::Io(what) => Fault::new(Code::InputOutput).detail(what),
        })
    })
}

/// Cuts by listening: every source is a recording.
fn cut_by_time(
    recordings: &Recordings,
    inputs: &Arc<[Source]>,
    length: Duration,
) -> Result<Arc<[Slice]>, Fault> {
    let mut chunks = Vec::new();
    for index in 0..inputs.len() {
        let recording = recordings.open(inputs, index)?;
        let source = u32::try_from(index).expect("inputs are fewer than a million");
        let all = Span::new(0, recording.loudness().duration_ms());
        // Before anything is allocated for them: pieces are at least half as long as was asked.
        if u128::from(all.len_ms()) > 2 * length.as_millis().max(1) * CHUNKS_MAX as u128 {
            return Err(too_many());
        }
        chunks.extend(cuts(recording.loudness(), all, Rule::chunks(length)).into_iter().map(
            |span| Slice {
                source,
                start: span.start_ms * BYTES_PER_MS,
                end: span.end_ms * BYTES_PER_MS,
            },
        ));
        if chunks.len() > CHUNKS_MAX {
            return Err(too_many());
        }
    }
    Ok(chunks.into())
}

fn too_many() -> Fault {
    Fault::new(Code::TooManyChunks).detail(format!("at most {CHUNKS_MAX} in one job"))
}

/// The absolute path of the file that receives the result; refused early where it cannot be written.
fn target(path: &str, base: &Path) -> Result<String, Fault> {
    let refuse = |why: &str| {
        Err(Fault::new(Code::JobFile).detail(format!("`output.path`: `{path}`: {why}")))
    };
    let Ok(absolute) = std::path::absolute(base.join(path)) else { return refuse("not a path") };
    if absolute.is_dir() {
        return refuse("this is a directory");
    }
    let mut folder = absolute.parent();
    while let Some(existing) = folder.filter(|folder| !folder.exists()) {
        folder = existing.parent();
    }
    let is_writable = folder.is_some_and(|folder| {
        folder.is_dir() && rustix::fs::access(folder, rustix::fs::Access::WRITE_OK).is_ok()
    });
    if !is_writable {
        return refuse("its folder cannot be written");
    }
    match absolute.to_str() {
        Some(text) => Ok(text.to_owned()),
        None => refuse("the path is not UTF-8"),
    }
}
