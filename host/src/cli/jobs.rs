//! From a job file to planned jobs: read, check, find the components, measure the inputs.
//!
//! Owns: everything that `run`, `check` and `plan` do alike.
//! Never: leaves a trace on disk but compiled components in the cache.

use std::path::{Path, PathBuf};

use pframe_core::fault::{Code, Fault};
use pframe_core::ids::{Digest, TaskName, TenantName};
use pframe_core::job::{
    ComponentPlace, Grant, JobFile, JobRequest, JobSpec, SourcePlace, WebVersion,
};
use pframe_core::jobfile;
use pframe_core::tasktype::{Places, Step, TaskType, Violation};
use pframe_core::units::Timestamp;
use sha2::{Digest as _, Sha256};

use super::failure::Failure;
use super::porch::{Porch, read_small, with_stdin};
use crate::engine::{Planned, Prepared, Workbench, link};
use crate::registry::Catalog;
use crate::reporter::told::{say, tell_fault};

/// A job file that was read and checked.
pub(super) struct Jobs {
    /// As it was named.
    pub(super) path: PathBuf,
    /// What it says.
    pub(super) file: JobFile,
    /// Where its relative paths count from.
    pub(super) base_dir: PathBuf,
    /// The text, to find places in; empty where nobody wrote one.
    pub(super) text: Vec<u8>,
}

/// Reads and checks a job file; oddities are told, problems end the command.
pub(super) fn read(path: &Path) -> Result<Jobs, Failure> {
    let bytes = read_small(path, Code::JobFile)?;
    let file = jobfile::parse(&bytes, &path.display().to_string()).map_err(Failure::job_file)?;
    for remark in &file.remarks {
        say(&format!("note: {remark}"));
    }
    let parent = path.parent().filter(|parent| !parent.as_os_str().is_empty());
    let base_dir = parent.map_or_else(|| PathBuf::from("."), Path::to_owned);
    Ok(Jobs { path: path.to_owned(), file, base_dir, text: bytes })
}

/// Reads a job file and plans its jobs; nothing runs.
pub(super) fn prepare(porch: &Porch, path: &Path) -> Result<(Prepared, Vec<Planned>), Failure> {
    let jobs = read(path)?;
    let prepared = with_stdin(porch.engine(), Some(path)).base_dir(&jobs.base_dir).prepare()?;
    let planned = plan(porch, &jobs, prepared.workbench())?;
    Ok((prepared, planned))
}

/// Registers every task type that the jobs name, and plans every job. All faults are told, then the last is returned.
pub(super) fn plan(
    porch: &Porch,
    jobs: &Jobs,
    workbench: &Workbench,
) -> Result<Vec<Planned>, Failure> {
    let mut faults = match examine(porch, jobs, workbench) {
        Ok(planned) => return Ok(planned),
        Err(faults) => faults,
    };
    let (place, fault) = faults.pop().expect("whoever gives no plan says why");
    for (place, fault) in &faults {
        tell_fault(fault, place);
    }
    Err(Failure::at(place)(fault))
}

/// Registers every task type that the jobs name and that is not registered yet, and plans every job. The error is every
/// fault, with what it happened to.
pub(super) fn examine(
    porch: &Porch,
    jobs: &Jobs,
    workbench: &Workbench,
) -> Result<Vec<Planned>, Vec<(String, Fault)>> {
    let mut faults: Vec<(String, Fault)> = Vec::new();
    let mut broken: Vec<&TaskName> = Vec::new();
    let mut names: Vec<&TaskName> = jobs.file.jobs.iter().map(|job| &job.task).collect();
    names.extend(jobs.file.tasks.keys());
    names.sort();
    names.dedup();
    let catalog = porch.catalog().map_err(|fault| vec![("task types".to_owned(), fault)])?;
    for name in names {
        if !jobs.file.tasks.contains_key(name) && workbench.info(name).is_some() {
            continue;
        }
        if let Err(fault) = register(porch, jobs, workbench, &catalog, name) {
            faults.push((format!("task {name}"), fault));
            broken.push(name);
        }
    }
    let mut planned = Vec::new();
    for (index, job) in jobs.file.jobs.iter().enumerate() {
        if broken.contains(&&job.task) {
            continue;
        }
        let checked = check_parameters(jobs, index, job, workbench);
        let plan = checked.and_then(|()| workbench.plan(job));
        match plan.and_then(|plan| workbench.check_fits(&plan.spec).map(|_| plan)) {
            Ok(plan) => planned.push(plan),
            Err(fault) => faults.push((format!("job {}", job.id), fault)),
        }
    }
    if !faults.is_empty() {
        return Err(faults);
    }
    link(planned).map_err(|fault| vec![(jobs.path.display().to_string(), fault)])
}

/// Makes a task type ready: the job file says where it lies, else the configuration, else the catalog. One that nobody
/// knows is the fault of the jobs that name it, unless there is a catalog that does not have it.
fn register(
    porch: &Porch,
    jobs: &Jobs,
    workbench: &Workbench,
    catalog: &Catalog,
    name: &TaskName,
) -> Result<(), Fault> {
    let user = jobs.file.jobs.iter().find(|job| job.task == *name);
    let tenant = user.map_or_else(TenantName::default_tenant, |job| job.tenant.clone());
    if let Some(declared) = jobs.file.tasks.get(name) {
        let (path, sha256) = match &declared.component {
            ComponentPlace::File(path) => (jobs.base_dir.join(path), declared.sha256),
            ComponentPlace::Registry(reference) => {
                let (path, sha256) = porch.fetch(reference, declared.sha256)?;
                (path, declared.sha256.or(Some(sha256)))
            }
        };
        workbench.register_task(&tenant, name, &path, sha256)?;
    } else if let Some((path, sha256)) = configured(porch, name) {
        workbench.register_task(&tenant, name, &path, sha256)?;
    } else if let Some(entry) = catalog.find(name)? {
        workbench.register_entry(&tenant, name, &entry)?;
    } else if let Some(known) = catalog.names() {
        return Err(Fault::new(Code::TaskUnknown).detail(format!("`{name}`; there is {known}")));
    }
    Ok(())
}

/// The component that the configuration names for a task type.
pub(super) fn configured(porch: &Porch, name: &TaskName) -> Option<(PathBuf, Option<Digest>)> {
    let job_type = porch.config.job_types.get(name)?;
    let component = job_type.component.as_ref()?;
    Some((porch.config_dir().join(component), job_type.sha256))
}

/// Refuses parameters that the task type does not take: all of them at once, each with its place in the file.
fn check_parameters(
    jobs: &Jobs,
    index: usize,
    job: &JobRequest,
    workbench: &Workbench,
) -> Result<(), Fault> {
    let violations = workbench.violations(job);
    if violations.is_empty() {
        return Ok(());
    }
    let places = Places::of(&jobs.text);
    let line = |violation: &Violation| match violation.path.first() {
        Some(Step::Key(key))
            if !job.parameters.as_object().is_some_and(|it| it.contains_key(key)) =>
        {
            format!("configuration, job type of `{}`: {violation}", job.task)
        }
        _ => match places.of_parameter(index, &violation.path) {
            Some(place) => format!("{}:{place}: {violation}", jobs.path.display()),
            None => violation.to_string(),
        },
    };
    let lines: Vec<_> = violations.iter().map(line).collect();
    Err(Fault::new(Code::Parameters).detail(lines.join("\n")))
}

/// What a task type needs and its job does not ask for.
pub(super) fn grants_missing<'t>(job: &JobSpec, described: &'t TaskType) -> Vec<&'t Grant> {
    let has = |grant: &Grant| {
        let is_model = matches!(grant, Grant::Model(_));
        job.grants.contains(grant) || (is_model && job.grants.contains(&Grant::Speech))
    };
    described.grants.iter().filter(|grant| !has(grant)).collect()
}

/// The same in words; `None` where nothing is missing.
pub(super) fn grants_remark(job: &JobSpec, described: &TaskType) -> Option<String> {
    let missing: Vec<_> =
        grants_missing(job, described).iter().map(|grant| format!("`{grant}`")).collect();
    (!missing.is_empty()).then(|| {
        let missing = missing.join(", ");
        format!("the task type needs {missing}, and the job does not ask for it under `grants`")
    })
}

/// The key of a run: a digest of the checked jobs and their components.
///
/// What the clock and the disk say is left out: a file that changed meanwhile is the fault
/// `input-changed` of the same run, not another run.
pub(super) fn key(planned: &[Planned]) -> String {
    let mut hasher = Sha256::new();
    for plan in planned {
        let mut spec = JobSpec::clone(&plan.spec);
        let allowed = spec.deadline.map(|deadline| deadline.since(spec.accepted_at));
        spec.deadline = allowed.map(|allowed| Timestamp::default().after(allowed));
        spec.accepted_at = Timestamp::default();
        spec.inputs = spec.inputs.iter().cloned().map(without_disk).collect();
        hasher.update(serde_json::to_vec(&spec).expect("a job is valid JSON"));
        hasher.update([0]);
    }
    Digest(hasher.finalize().into()).to_string()
}

fn without_disk(mut source: pframe_core::job::Source) -> pframe_core::job::Source {
    match &mut source.place {
        SourcePlace::File { modified_ns, .. } => {
            *modified_ns = 0;
            source.size = 0;
        }
        SourcePlace::Web { version, .. } => {
            *version = WebVersion::Modified(String::new());
            source.size = 0;
        }
        SourcePlace::Inline(_) | SourcePlace::Job(_) | SourcePlace::Stored { .. } => {}
    }
    source
}
