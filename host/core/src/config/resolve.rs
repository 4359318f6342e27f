//! What holds for a job: its own word, else its job type's, else what the task type says of itself, else the
//! configuration's, else the built-in default.
//!
//! Owns: that order, the ceilings of the operator, and which grants are given.
//! Never: looks at the machine; a share of its memory is resolved where the machine is known.

#![expect(clippy::result_large_err, reason = "once per job, on no hot path")]

use serde_json::{Map, Value as Json};

use super::values::{Config, JobType};
use crate::fault::{Code, Fault};
use crate::ids::TaskName;
use crate::job::{Caching, Chunking, Grant, JobRequest, Overlap, Requirements};
use crate::jobfile::bounds;
use crate::limits::Limits;
use crate::policy::RetryPolicy;
use crate::tasktype::{Reference, TaskType};
use crate::units::ByteSize;

/// What holds for a job once every default is filled in.
#[derive(Debug, Clone, PartialEq)]
pub struct Resolved {
    /// How its inputs are cut.
    pub chunking: Chunking,
    /// How much of its neighbours a chunk repeats; stated by whoever states how inputs are cut.
    pub overlap: Option<Overlap>,
    /// Chunks run back to back on one reservation; `None` lets the scheduler choose.
    pub batch: Option<u32>,
    /// Per attempt.
    pub limits: Limits,
    /// What an attempt holds while it runs.
    pub requirements: Requirements,
    /// After a failure.
    pub retry: RetryPolicy,
    /// Asked by the job and allowed by the operator, each once.
    pub grants: Vec<Grant>,
    /// The job's parameters over those of its job type.
    pub parameters: Json,
    /// Whether the results of earlier attempts may be taken.
    pub cache: Caching,
}

/// Whoever states defaults for a job, nearest first.
struct Stated<'a> {
    job: &'a JobRequest,
    job_type: &'a JobType,
    described: &'a TaskType,
}

const CEILING: &str = "parallel_processing.resource_limits.memory_per_job";

impl Config {
    /// Fills in what the job does not state; refuses what the operator does not allow.
    pub fn resolve(&self, job: &JobRequest) -> Result<Resolved, Fault> {
        self.resolve_with(job, &TaskType::default())
    }

    /// The same for a task type that describes itself.
    pub fn resolve_with(&self, job: &JobRequest, described: &TaskType) -> Result<Resolved, Fault> {
        let nothing = JobType::default();
        let job_type = self.job_type(&job.task).unwrap_or(&nothing);
        let stated = Stated { job, job_type, described };
        let limits = self.limits(&stated)?;
        let (chunking, overlap) = match (&job.chunking, &job_type.chunking) {
            (Some(chunking), _) => (Some(chunking), job.overlap),
            (None, Some(chunking)) => (Some(chunking), job_type.overlap),
            (None, None) => (described.chunking.as_ref(), described.overlap),
        };
        let cache = Self::caching(&stated)?;
        Ok(Resolved {
            chunking: chunking.cloned().unwrap_or(Chunking::None),
            overlap,
            batch: job.batch.or(described.batch),
            limits,
            requirements: self.requirements(&stated, &limits)?,
            retry: RetryPolicy {
                retries_max: job.retries_max.unwrap_or(self.retry.retries_max),
                ..self.retry
            },
            grants: self.grants(job, &limits)?,
            parameters: parameters(&job.parameters, &job_type.parameters),
            cache,
        })
    }

    /// What the operator says about a task type; of one that is asked for with a version, what is said about its name.
    pub fn job_type(&self, task: &TaskName) -> Option<&JobType> {
        self.job_types.get(task).or_else(|| match Reference::of(task) {
            Ok(Reference::Named { name, .. }) => self.job_types.get(&name),
            Ok(Reference::Digest(_)) | Err(_) => None,
        })
    }

    /// Whether earlier results may be taken. One that is taken puts no files anywhere.
    fn caching(stated: &Stated<'_>) -> Result<Caching, Fault> {
        let Stated { job, job_type, .. } = stated;
        let writes = job.grants.iter().find(|it| matches!(it, Grant::Write(_)));
        match (job.cache.or(job_type.cache), writes) {
            (Some(true), None) => Ok(Caching::Use),
            // The job's author did not ask for it.
            (Some(true), Some(_)) if job.cache.is_none() => Ok(Caching::Off),
            (Some(true), Some(grant)) => Err(Fault::new(Code::JobFile).detail(format!(
                "`cache: true` and `{grant}`: what is taken from the cache puts no files anywhere; delete one of them"
            ))),
            (Some(false) | None, _) => Ok(Caching::Off),
        }
    }

    fn limits(&self, stated: &Stated<'_>) -> Result<Limits, Fault> {
        let built_in = Limits::default();
        let ceiling = self.memory_per_job.unwrap_or(ByteSize(u64::MAX));
        let default = Limits {
            memory: built_in.memory.min(ceiling),
            timeout: self.timeout_default,
            ..built_in
        };
        let Stated { job, job_type, described } = stated;
        let limits = job.limits.or(job_type.limits).or(described.limits).resolve(default);
        self.within_ceiling("limits.memory", limits.memory)?;
        self.within_ceiling("limits.memory` with `limits.disk", limits.memory_with_disk())?;
        Ok(limits)
    }

    /// A private disk is memory: what is stated for the guest grows by it, while the ceiling covers both.
    fn requirements(&self, stated: &Stated<'_>, limits: &Limits) -> Result<Requirements, Fault> {
        let Stated { job, job_type, described } = stated;
        let stated = job.requirements.or(job_type.requirements).or(described.requirements);
        let built_in = Requirements::default();
        let requirements = Requirements {
            cpu: stated.cpu.unwrap_or(built_in.cpu),
            memory: stated.memory.map(|memory| with_disk(memory, limits)).or(self.memory_per_job),
            gpu_memory: stated.gpu_memory.unwrap_or(built_in.gpu_memory),
        };
        self.within_ceiling(
            "resource_requirements.memory",
            requirements.memory.unwrap_or(ByteSize::ZERO),
        )?;
        Ok(requirements)
    }

    fn within_ceiling(&self, what: &str, size: ByteSize) -> Result<(), Fault> {
        match self.memory_per_job {
            Some(ceiling) if size > ceiling => {
                let origin = self.origin(CEILING).map_or_else(String::new, |at| format!(" ({at})"));
                let detail = format!(
                    "`{what}` is {size}, and `memory_per_job`{origin} allows {ceiling} for one attempt"
                );
                Err(Fault::new(Code::TooBig).detail(detail))
            }
            Some(_) | None => Ok(()),
        }
    }

    fn grants(&self, job: &JobRequest, limits: &Limits) -> Result<Vec<Grant>, Fault> {
        let allowed = self.tenant(&job.tenant).grants;
        let refused: Vec<String> = job
            .grants
            .iter()
            .filter(|grant| !is_allowed(grant, &allowed))
            .map(|grant| format!("`{grant}`"))
            .collect();
        if !refused.is_empty() {
            let detail = format!("tenant `{}` is not allowed {}", job.tenant, refused.join(", "));
            return Err(Fault::new(Code::GrantRefused).detail(detail));
        }
        let mut grants = job.grants.clone();
        grants.sort();
        grants.dedup();
        let is_directory = |it: &&Grant| matches!(it, Grant::Directory(_) | Grant::Write(_));
        let directories = grants.iter().filter(is_directory).count();
        if directories > bounds::DIRECTORIES_MAX {
            let most = bounds::DIRECTORIES_MAX;
            let detail =
                format!("a job has at most {most} directories, this one asks for {directories}");
            return Err(Fault::new(Code::GrantRefused).detail(detail));
        }
        let writes = grants.iter().find(|it| matches!(it, Grant::Write(_)));
        match writes {
            Some(grant) if limits.disk == ByteSize::ZERO => {
                let detail = format!(
                    "`{grant}` needs a private disk, where files lie until the attempt has ended well: add `limits: {{ disk: 64MiB }}`"
                );
                Err(Fault::new(Code::JobFile).detail(detail))
            }
            Some(_) | None => Ok(grants),
        }
    }
}

/// Who may use all models may ask for one, and who may reach many hosts for some of them.
fn is_allowed(grant: &Grant, allowed: &[Grant]) -> bool {
    match grant {
        Grant::Model(_) => allowed.contains(grant) || allowed.contains(&Grant::Speech),
        Grant::Http(asked) => {
            allowed.iter().any(|grant| matches!(grant, Grant::Http(hosts) if hosts.covers(asked)))
        }
        Grant::S3(asked) => {
            allowed.iter().any(|grant| matches!(grant, Grant::S3(objects) if objects.covers(asked)))
        }
        Grant::Env(_)
        | Grant::Clock
        | Grant::Random
        | Grant::Speech
        | Grant::Directory(_)
        | Grant::KeyValue(_)
        | Grant::Write(_) => allowed.contains(grant),
    }
}

fn with_disk(memory: ByteSize, limits: &Limits) -> ByteSize {
    ByteSize(memory.bytes().saturating_add(limits.disk.bytes()))
}

fn parameters(own: &Json, defaults: &Map<String, Json>) -> Json {
    match own {
        Json::Object(own) => {
            let mut merged = defaults.clone();
            merged.extend(own.clone());
            Json::Object(merged)
        }
        other => other.clone(),
    }
}
