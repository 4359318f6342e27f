//! One attempt alone, as it was: without a scheduler, a journal, or another try.
//!
//! Owns: how a chunk that was kept runs again, in the hands that the configuration asks for.
//! Never: gives it more than the operator allows today.

use std::fs::File;
use std::os::fd::AsRawFd;
use std::sync::Arc;

use pframe_core::event::{Event, Record};
use pframe_core::fault::{Code, Fault};
use pframe_core::ids::{Digest, JobId, TaskName, TenantName};
use pframe_core::job::{
    Caching, Chunking, Grant, InputRequest, JobRequest, JobSpec, LimitsRequest, Requirements,
    Slice, Source, SourcePlace, TaskRef,
};
use pframe_core::limits::{Limits, Usage};
use pframe_core::policy::{Backoff, OnFailure, RetryPolicy};
use pframe_core::resources::Capacity;
use pframe_core::scheduler::{Batch, Command, Message, Outcome, Reservation, Start, Work};

use super::builder::{Prepared, temporary_storage};
use super::handle::JobOutput;
use super::hands::Means;
use super::workbench::Workbench;
use crate::capability::progress::ProgressBoard;
use crate::data::bundle::Found;
use crate::data::results::ResultStore;
use crate::data::source::modified_ns_of;
use crate::inbox::{Inbox, Mail};

/// The length of the pieces of a recording: it means nothing to a single chunk, but that it is one of a recording.
const PIECE: std::time::Duration = std::time::Duration::from_mins(10);

/// How the attempt ended this time.
pub(crate) struct Replayed {
    pub(crate) usage: Usage,
    pub(crate) result: Result<JobOutput, Fault>,
}

impl Prepared {
    /// Runs the attempt of a bundle with this component, which is ready.
    pub(crate) fn replay(mut self, found: &Found, component: Digest) -> Result<Replayed, Fault> {
        let scratch = temporary_storage(&self.workbench.config);
        let results = ResultStore::passing_in(&scratch)?;
        self.workbench.registry.keep_copies_in(None)?;
        let source = source_file(found, &scratch)?;
        let start = self.start_of(found, component, &source)?;
        let Capacity { cpu, memory, gpu_memory, .. } = self.workbench.check_fits(&start.job)?;
        let inbox = Arc::new(Inbox::default());
        let environment = std::mem::take(&mut self.builder.environment);
        // What it leaves for a directory of the operator is looked at, and stays where it is.
        let outboxes = Arc::new(self.workbench.outboxes.rehearsing());
        let means = Means { results: results.clone(), logs: None, environment, outboxes };
        let site = self.workbench.site(means, &ProgressBoard::default(), &inbox);
        let mut hands = self.workbench.hands(&site, self.builder.worker_program.take())?;
        let reservation = Reservation { cpu, memory, gpu_memory };
        hands.obey(Command::Start(Batch { attempts: vec![start], reservation }));
        let (usage, outcome) = ending(&inbox);
        let result = match outcome {
            Outcome::Output(output) => Ok(JobOutput::of(output, results)),
            Outcome::Failed(fault) | Outcome::PutOff { fault, .. } => Err(fault),
            Outcome::Cuts(_) | Outcome::Returned => {
                Err(Fault::new(Code::Bug).detail("a chunk ended as something else"))
            }
        };
        Ok(Replayed { usage, result })
    }

    /// The attempt, as the operator allows it today.
    fn start_of(&self, found: &Found, component: Digest, source: &File) -> Result<Start, Fault> {
        let bundle = &found.bundle;
        let grants = bundle.grants.iter().map(|grant| grant.parse());
        let grants = grants.collect::<Result<_, _>>().map_err(|error| {
            Fault::new(Code::BundleUnusable).detail(format!("`grants`: {error}"))
        })?;
        let (job, task) = (bundle.attempt.job.clone(), bundle.task.clone());
        let asked = asked_again((job, task, bundle.tenant.clone()), grants, bundle.limits);
        let allowed = self.workbench.config.resolve(&asked)?;
        let chunk = &bundle.chunk;
        let metadata = source.metadata().map_err(|error| unusable(&error))?;
        let source = Source {
            name: chunk.source.clone(),
            media_type: chunk.media_type.clone(),
            size: metadata.len(),
            place: SourcePlace::File {
                path: format!("/proc/self/fd/{}", source.as_raw_fd()),
                modified_ns: modified_ns_of(&metadata),
            },
        };
        let job = JobSpec {
            id: bundle.attempt.job.clone(),
            tenant: bundle.tenant.clone(),
            task: TaskRef { name: bundle.task.clone(), component, collects: false },
            inputs: [source].into(),
            parameters: bundle.parameters.as_str().into(),
            chunking: match chunk.is_recording {
                true => Chunking::Time { length: PIECE },
                false => Chunking::None,
            },
            overlap: None,
            collect: None,
            cache: Caching::Off,
            batch: None,
            after: Arc::default(),
            dependents: 0,
            priority: 0,
            limits: allowed.limits,
            retry: RetryPolicy { retries_max: 0, backoff: Backoff::Fixed, ..allowed.retry },
            on_failure: OnFailure::Stop,
            requirements: Requirements::default(),
            grants: allowed.grants.into(),
            accepted_at: bundle.accepted_at,
            deadline: None,
            output: None,
            is_printed: false,
        };
        let slice = Slice { source: 0, start: chunk.start, end: chunk.end };
        let work = Work::Run { slice, count: chunk.count };
        Ok(Start { attempt: bundle.attempt.clone(), job: Arc::new(job), work })
    }
}

/// A file that has the chunk's bytes where they were, and no name: nothing is left of it, however this process ends.
fn source_file(found: &Found, folder: &std::path::Path) -> Result<File, Fault> {
    let mut file = tempfile::tempfile_in(folder).map_err(|error| unusable(&error))?;
    found.rebuild_source(&mut file)?;
    Ok(file)
}

fn unusable(error: &std::io::Error) -> Fault {
    Fault::new(Code::DiskFull).detail(format!("temporary storage: {error}"))
}

/// What an earlier job was allowed, as somebody asks for it who must be allowed it again.
fn asked_again(
    (job, task, tenant): (JobId, TaskName, TenantName),
    grants: Vec<Grant>,
    limits: Limits,
) -> JobRequest {
    let limits = LimitsRequest {
        memory: Some(limits.memory),
        fuel: limits.fuel,
        timeout: Some(limits.timeout),
        cpu: limits.cpu,
        output: Some(limits.output),
        disk: Some(limits.disk),
    };
    let nothing = InputRequest::Bytes(Vec::new());
    JobRequest { tenant, grants, limits, ..JobRequest::new(job, task, nothing) }
}

impl Workbench {
    /// Refuses what begins again and is no longer allowed.
    pub(super) fn check_again(&self, records: &[Record]) -> Result<(), Fault> {
        for record in records {
            let Event::JobAccepted { job } = &record.event else { continue };
            let who = (job.id.clone(), job.task.name.clone(), job.tenant.clone());
            let asked = asked_again(who, job.grants.to_vec(), job.limits);
            self.config.resolve(&asked).map_err(|fault| {
                let detail = format!("job {}: {}", job.id, fault.detail);
                fault.detail(detail)
            })?;
        }
        Ok(())
    }
}

/// Waits for the one attempt.
fn ending(inbox: &Inbox) -> (Usage, Outcome) {
    loop {
        for mail in inbox.turn(None) {
            if let Mail::Message(Message::AttemptEnded { usage, outcome, .. }) = mail {
                return (usage, outcome);
            }
        }
    }
}
