//! From a job as asked for to a job as accepted: defaults filled in, inputs measured, chunks planned.
//!
//! Owns: everything that can be wrong with a job before it runs, found without a trace on disk.
//! Never: runs a guest.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use pframe_core::dependencies::{self, Tangle};
use pframe_core::fault::{Code, Fault};
use pframe_core::ids::JobId;
use pframe_core::job::{
    Caching, Chunking, Collect, JobRequest, JobSpec, STANDARD_STREAM, Slice, Source, SourcePlace,
    TaskRef,
};
use pframe_core::tasktype::{TaskType, Violation};
use pframe_core::units::{ByteSize, Timestamp};

use super::workbench::Workbench;
use crate::data::folder::check_replaceable;
use crate::data::inputs;
use crate::data::source::Stores;
use crate::data::web::{TenantWeb, is_object};
use crate::executor::cut;
use crate::outside::Patience;
use crate::sandbox::Task;

/// How long the sources of a job may take to be measured, and looked at near the cuts, where they have to be fetched.
const MEASURING_TIME_MAX: Duration = Duration::from_mins(10);

/// A job to submit.
pub type Job = JobRequest;

/// A job ready to be accepted.
#[derive(Debug, Clone)]
pub struct Planned {
    /// The whole job.
    pub spec: Arc<JobSpec>,
    /// Its chunks; `None` where they are found when the job runs: by the handler's own chunker, or because its input is the
    /// result of another job.
    pub chunks: Option<Arc<[Slice]>>,
}

impl Planned {
    /// Runs everything, whatever results are kept of earlier runs.
    pub fn renew(&mut self) {
        if self.spec.cache == Caching::Use {
            Arc::make_mut(&mut self.spec).cache = Caching::Renew;
        }
    }
}

/// Checks and measures a job. Relative paths count from `base`. Graphics memory is asked for only
/// where there is some: without a graphics processor the work runs on the others.
pub(super) fn plan(
    workbench: &Workbench,
    request: &JobRequest,
    task: &Task,
    described: &TaskType,
    now: Timestamp,
) -> Result<Planned, Fault> {
    let base = &workbench.base_dir;
    let mut resolved = workbench.config.resolve_with(request, described)?;
    let violations = violations(described, &resolved.parameters);
    if !violations.is_empty() {
        let lines: Vec<_> = violations.iter().map(ToString::to_string).collect();
        return Err(Fault::new(Code::Parameters).detail(lines.join("\n")));
    }
    if workbench.machine.gpus.is_empty() {
        resolved.requirements.gpu_memory = ByteSize::ZERO;
    }
    if matches!(resolved.chunking, Chunking::Custom) && !task.cuts() {
        return Err(Fault::new(Code::ExportMissing)
            .detail("`strategy: custom` needs an exported `pframe:task/chunker@0.1.0`"));
    }
    let patience = Patience::of(MEASURING_TIME_MAX);
    let web = workbench.web.of(&request.tenant, patience);
    let inputs: Arc<[Source]> =
        inputs::resolve(&request.input, base, &workbench.stdin, &web)?.into();
    let stores = Stores { results: workbench.stdin.staging().cloned(), web };
    let is_there = !inputs.iter().any(|input| matches!(input.place, SourcePlace::Job(_)));
    let chunks = match is_there {
        true => {
            let how = (&resolved.chunking, resolved.overlap);
            cut(&workbench.recordings, &inputs, how, &stores)?
        }
        false => None,
    };
    if request.collect == Some(Collect::Handler) && !task.collects() {
        return Err(Fault::new(Code::ExportMissing)
            .detail("`collect: handler` needs an exported `pframe:task/collector@0.1.0`"));
    }
    let kind = match request.collect {
        Some(Collect::Files) => Target::Folder,
        _ => Target::File,
    };
    let is_printed = request.output.as_deref() == Some(STANDARD_STREAM);
    let file = request.output.as_deref().filter(|_| !is_printed);
    let output = file.map(|path| target(path, base, kind, &stores.web)).transpose()?;
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
        overlap: resolved.overlap,
        collect: request.collect,
        cache: resolved.cache,
        batch: resolved.batch,
        after: request.dependencies().into(),
        dependents: 0,
        priority: request.priority,
        limits: resolved.limits,
        retry: resolved.retry,
        on_failure: request.on_failure,
        requirements: resolved.requirements,
        grants: resolved.grants.into(),
        accepted_at: now,
        deadline: request.deadline.map(|deadline| now.after(deadline)),
        output,
        is_printed,
    };
    Ok(Planned { spec: Arc::new(spec), chunks })
}

/// Everything in parameters that a task type does not take.
pub(super) fn violations(described: &TaskType, parameters: &serde_json::Value) -> Vec<Violation> {
    described.parameters.as_ref().map_or_else(Vec::new, |schema| schema.violations(parameters))
}

/// Puts jobs that are submitted together behind those that they depend on, and counts for each who depends on it.
pub(crate) fn link(planned: Vec<Planned>) -> Result<Vec<Planned>, Fault> {
    let views: Vec<_> = planned.iter().map(|plan| (&plan.spec.id, &*plan.spec.after)).collect();
    let order = dependencies::order(&views).map_err(|tangles| tangled(&planned, &tangles[0]))?;
    let mut dependents: BTreeMap<JobId, u32> = BTreeMap::new();
    for needed in planned.iter().flat_map(|plan| plan.spec.after.iter()) {
        *dependents.entry(needed.clone()).or_default() += 1;
    }
    let mut places: Vec<_> = planned.into_iter().map(Some).collect();
    let mut linked = Vec::with_capacity(places.len());
    for place in order {
        let mut plan = places[place].take().expect("an order names each job once");
        if let Some(&count) = dependents.get(&plan.spec.id) {
            Arc::make_mut(&mut plan.spec).dependents = count;
        }
        linked.push(plan);
    }
    Ok(linked)
}

fn tangled(planned: &[Planned], tangle: &Tangle) -> Fault {
    let detail = match tangle {
        Tangle::Missing { job, wanted } => {
            let id = &planned[*job].spec.id;
            format!("`{id}` depends on `{wanted}`, which is not submitted together with it")
        }
        Tangle::Cycle(cycle) => {
            let ids: Vec<_> = cycle.iter().map(|&job| planned[job].spec.id.as_str()).collect();
            format!("these jobs wait for each other: {}", ids.join(", "))
        }
    };
    Fault::new(Code::JobFile).detail(detail)
}

/// What a result becomes outside.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Target {
    File,
    /// A folder of files, which may replace an earlier one.
    Folder,
}

/// The absolute path, or the object, that receives the result; refused early where it cannot be written.
fn target(path: &str, base: &Path, kind: Target, web: &TenantWeb) -> Result<String, Fault> {
    if is_object(path) {
        return match kind {
            Target::File => web.check_target(path).map(|()| path.to_owned()),
            Target::Folder => Err(Fault::new(Code::JobFile).detail(format!(
                "`output.path`: `{path}`: `collect: files` makes a folder of this machine"
            ))),
        };
    }
    let refuse = |why: &str| {
        Err(Fault::new(Code::JobFile).detail(format!("`output.path`: `{path}`: {why}")))
    };
    if path.contains("://") {
        return refuse("results go to files and to `s3://`, and are not sent to another URL");
    }
    let Ok(absolute) = std::path::absolute(base.join(path)) else { return refuse("not a path") };
    match kind {
        Target::File if absolute.is_dir() => return refuse("this is a directory"),
        Target::Folder => check_replaceable(&absolute)?,
        Target::File => {}
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
