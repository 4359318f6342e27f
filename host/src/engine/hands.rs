//! Who runs attempts: threads of this process or worker processes, with all that they share.
//!
//! Owns: what an executor is made of, by the configuration.
//! Never: starts an attempt.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;

use pframe_core::config::{Config, SchedulerKind};
use pframe_core::fault::{Code, Fault};
use pframe_core::units::ByteSize;

use super::workbench::Workbench;
use crate::capability::progress::ProgressBoard;
use crate::data::results::ResultStore;
use crate::executor::{
    Executor, LogStore, Outboxes, ProcessExecutor, Site, ThreadExecutor, WorkerProgram,
};
use crate::inbox::Inbox;
use crate::keyvalue::Stores as KeyValueStores;

/// Worker processes that stay warm for each core when nobody needs them.
const WARM_PER_WORKER: usize = 2;
/// The most memory that a 32-bit guest can have.
const GUEST_MEMORY_MAX: ByteSize = ByteSize::gib(4);

/// What belongs to one life of the host.
pub(super) struct Means {
    pub(super) results: ResultStore,
    pub(super) logs: Option<LogStore>,
    /// Values of the environment variables that some tenant may be granted.
    pub(super) environment: BTreeMap<String, String>,
    /// Where files of guests go.
    pub(super) outboxes: Arc<Outboxes>,
}

impl Workbench {
    /// Everything that attempts share.
    pub(super) fn site(
        &self,
        means: Means,
        progress: &ProgressBoard,
        inbox: &Arc<Inbox>,
    ) -> Arc<Site> {
        Arc::new(Site {
            progress: progress.clone(),
            sandbox: self.sandbox.clone(),
            registry: Arc::clone(&self.registry),
            results: means.results,
            scratch: Arc::clone(&self.scratch),
            directories: Arc::clone(&self.directories),
            outboxes: means.outboxes,
            recordings: Arc::clone(&self.recordings),
            inference: Arc::clone(&self.inference),
            outside: self.outside.clone(),
            keyvalue: KeyValueStores::default(),
            web: Arc::clone(&self.web),
            logs: means.logs,
            environment: means.environment,
            inbox: Arc::clone(inbox),
        })
    }

    /// The hands that the configuration asks for.
    pub(super) fn hands(
        &self,
        site: &Arc<Site>,
        worker_program: Option<PathBuf>,
    ) -> Result<Box<dyn Executor>, Fault> {
        let workers = self.workers as usize;
        if self.config.scheduler != SchedulerKind::Processes {
            return Ok(Box::new(ThreadExecutor::start(Arc::clone(site), workers)?));
        }
        let path = worker_program.ok_or_else(|| {
            Fault::new(Code::WorkerUnusable)
                .detail("`EngineBuilder::worker_program` names no program")
        })?;
        let isolation = self.config.isolation;
        let program = WorkerProgram { path, isolation, memory_max: memory_max(&self.config) };
        let warm_max = workers * WARM_PER_WORKER;
        Ok(Box::new(ProcessExecutor::start(Arc::clone(site), program, warm_max)?))
    }
}

/// The most memory that an attempt can be granted.
pub(super) fn memory_max(config: &Config) -> ByteSize {
    config.memory_per_job.unwrap_or(GUEST_MEMORY_MAX).min(GUEST_MEMORY_MAX)
}
