//! The methods: what a program may ask of its engine.
//!
//! Owns: `tasks`, `register`, `submit`, `status`, `result`, `cancel` and `explain`.
//! Never: lets one request see more of another's job than its id opens.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use pframe_core::fault::Fault;
use pframe_core::ids::{Digest, JobId, TaskName, TenantName};
use pframe_core::jobfile;
use pframe_core::units::ByteSize;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

use super::super::failure::Failure;
use super::super::jobs::{self, Jobs};
use super::super::porch::Porch;
use super::super::shipped::shipped;
use super::endings::Endings;
use super::wire::{Refusal, Request, Wire};
use crate::engine::{Engine, TaskInfo};
use crate::registry::Catalog;
use crate::reporter::job::job_json;
use crate::{JobHandle, JobOutput};

/// Bytes of a result that one answer carries; a larger one goes to a file of its job's choice.
const RESULT_BYTES_MAX: ByteSize = ByteSize::mib(64);
/// What messages call the job file that came in a request.
const FILE: &str = "file";

/// An engine and what is remembered for the program that asks.
pub(super) struct Desk {
    porch: Porch,
    engine: Engine,
    endings: Endings,
    wire: Arc<Wire>,
    jobs: Mutex<BTreeMap<JobId, JobHandle>>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Register {
    name: TaskName,
    /// Without one it is the handler of this name that ships.
    component: Option<PathBuf>,
    sha256: Option<Digest>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Submit {
    file: Value,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct OfJob {
    job: JobId,
}

impl Desk {
    pub(super) fn new(porch: Porch, engine: Engine, endings: Endings, wire: Arc<Wire>) -> Self {
        Self { porch, engine, endings, wire, jobs: Mutex::default() }
    }

    /// Closes the run, unless something of it can be gone on with.
    pub(super) fn close(&self) -> Result<(), Fault> {
        let is_over = |job: &JobHandle| job.try_wait().is_some() && !job.is_unpublished();
        match self.jobs().values().all(is_over) {
            true => self.engine.finish_run(),
            false => Ok(()),
        }
    }

    /// True for what compiles, decodes or copies.
    pub(super) fn takes_long(request: &Request) -> bool {
        matches!(request.method.as_str(), "register" | "submit" | "result")
    }

    /// Says why there is no answer.
    pub(super) fn refuse(&self, id: Option<&Value>, refusal: Refusal) {
        self.wire.answer(id, Err(refusal));
    }

    /// Does what is asked, and says how it went.
    pub(super) fn answer(&self, request: Request) {
        let Request { id, method, params } = request;
        let mut accepted = Vec::new();
        let answer = match method.as_str() {
            "tasks" => Ok(self.tasks()),
            "register" => parse(params).and_then(|asked| self.register(asked)),
            "submit" => parse(params).and_then(|asked| self.submit(&asked, &mut accepted)),
            "status" => parse(params).and_then(|asked| self.status(&asked)),
            "result" => parse(params).and_then(|asked| self.result(&asked)),
            "cancel" => parse(params).and_then(|asked| self.cancel(&asked)),
            "explain" => parse(params).and_then(|asked| self.explain(&asked)),
            _ => Err(Refusal::UnknownMethod(method)),
        };
        self.wire.answer(Some(&id), answer);
        // Only now: nobody hears of the end of a job before its acceptance.
        for job in accepted {
            self.endings.follow(job);
        }
    }

    /// Task types that are registered, and those of the configuration and the catalog that would be.
    fn tasks(&self) -> Value {
        let mut tasks: BTreeMap<TaskName, Value> = BTreeMap::new();
        for (name, job_type) in &self.porch.config.job_types {
            if job_type.component.is_some() {
                tasks.insert(name.clone(), json!({ "name": name }));
            }
        }
        // A folder that cannot be read is told to whoever submits a job.
        let catalog = self.porch.catalog().ok();
        for listed in catalog.iter().flat_map(Catalog::listed) {
            if let (Some(name), Ok(_)) = (&listed.name, &listed.entry) {
                tasks.entry(name.clone()).or_insert_with(|| json!({ "name": name }));
            }
        }
        for (name, info) in self.engine.tasks() {
            let described = describe(&name, &info);
            tasks.insert(name, described);
        }
        tasks.into_values().collect()
    }

    fn register(&self, asked: Register) -> Result<Value, Refusal> {
        let Register { name, component, sha256 } = asked;
        let tenant = TenantName::default_tenant();
        let component = component.map_or_else(|| shipped(&name), Ok)?;
        let workbench = self.engine.workbench();
        let info = workbench
            .register_task(&tenant, &name, &component, sha256)
            .map_err(Failure::at(format!("task {name}")))?;
        let mut described = describe(&name, &info);
        // Whoever fills in what jobs leave out must know what the configuration says already.
        let job_type = self.porch.config.job_types.get(&name);
        described["chunking"] = json!(job_type.and_then(|it| it.chunking.as_ref()));
        Ok(described)
    }

    /// All jobs of the file, or none of them where one is not right.
    fn submit(&self, asked: &Submit, accepted: &mut Vec<JobHandle>) -> Result<Value, Refusal> {
        let bytes = serde_json::to_vec(&asked.file).expect("JSON came in");
        let file = jobfile::parse(&bytes, FILE).map_err(Failure::job_file)?;
        let remarks = file.remarks.clone();
        // What a program wrote has no lines.
        let text = Vec::new();
        let jobs = Jobs { path: PathBuf::from(FILE), file, base_dir: PathBuf::from("."), text };
        let planned = jobs::examine(&self.porch, &jobs, self.engine.workbench());
        let planned = planned.map_err(Refusal::Faults)?;
        if let Some(taken) = planned.iter().find(|plan| self.engine.handle(&plan.spec.id).is_some())
        {
            let what = format!("job `{}` is there already and has not ended", taken.spec.id);
            return Err(Failure::Usage(what).into());
        }
        for plan in planned {
            let place = format!("job {}", plan.spec.id);
            let handle = self.engine.submit_planned(plan).map_err(Failure::at(place))?;
            self.jobs().insert(handle.id().clone(), handle.clone());
            accepted.push(handle);
        }
        for handle in accepted.iter() {
            // A quota may be full: then the job's end says so.
            let _ = handle.wait_recorded_blocking();
        }
        let ids: Vec<_> = accepted.iter().map(JobHandle::id).collect();
        Ok(json!({ "jobs": ids, "remarks": remarks }))
    }

    fn status(&self, asked: &OfJob) -> Result<Value, Refusal> {
        let job = self.job(&asked.job)?;
        let mut value = job.report().as_ref().map_or_else(|| json!({}), job_json);
        value["job"] = json!(job.id());
        value["state"] = json!(job.status().to_string());
        value["progress"] = json!(job.progress());
        Ok(value)
    }

    fn result(&self, asked: &OfJob) -> Result<Value, Refusal> {
        let job = self.job(&asked.job)?;
        let place = format!("job {}", job.id());
        let output: JobOutput = match job.try_wait() {
            Some(ending) => ending.map_err(Failure::at(place.clone()))?,
            None => return Err(Failure::Usage(format!("{place} has not ended")).into()),
        };
        if output.size() > RESULT_BYTES_MAX {
            let size = output.size();
            let what = format!(
                "the result of {place} has {size}, and an answer carries {RESULT_BYTES_MAX}: let the job write it, with `output: {{ path: … }}`"
            );
            return Err(Failure::Usage(what).into());
        }
        let bytes = output.bytes().map_err(Failure::at(place))?;
        Ok(json!({ "bytes": STANDARD.encode(bytes) }))
    }

    fn cancel(&self, asked: &OfJob) -> Result<Value, Refusal> {
        let job = self.job(&asked.job)?;
        Ok(json!({ "cancelled": self.engine.remote().cancel(job.id()) }))
    }

    fn explain(&self, asked: &OfJob) -> Result<Value, Refusal> {
        let job = self.job(&asked.job)?;
        Ok(json!({ "explanation": self.engine.explain(job.id()) }))
    }

    fn job(&self, id: &JobId) -> Result<JobHandle, Refusal> {
        let unknown = || Failure::Usage(format!("there is no job `{id}` here")).into();
        self.jobs().get(id).cloned().ok_or_else(unknown)
    }

    fn jobs(&self) -> MutexGuard<'_, BTreeMap<JobId, JobHandle>> {
        self.jobs.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn parse<T: DeserializeOwned>(params: Value) -> Result<T, Refusal> {
    serde_json::from_value(params).map_err(|error| Refusal::BadParameters(error.to_string()))
}

fn describe(name: &TaskName, info: &TaskInfo) -> Value {
    json!({
        "name": name,
        "sha256": info.digest.to_string(),
        "cuts": info.cuts,
        "collects": info.collects,
        "imports": info.imports,
        "exports": info.exports,
    })
}
