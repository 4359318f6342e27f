//! The hands: runs what the scheduler orders and reports how it ended.
//!
//! Owns: guest threads, and the one place where work is spawned.
//! Never: decides what runs, or when.

mod assignment;
mod batch;
mod cached;
mod collecting;
mod cutting;
mod dead_letters;
mod directories;
mod driver;
mod handover;
mod host_work;
mod http;
mod keyvalue;
mod logs;
mod outboxes;
mod plain_json;
mod processes;
mod sent;
mod speech;
mod threads;

pub(crate) use cached::CachingExecutor;
pub(crate) use cutting::cut;
pub(crate) use dead_letters::{DeadLetterOffice, Shelf};
pub(crate) use directories::{Directories, Views};
pub(crate) use logs::LogStore;
pub(crate) use outboxes::Outboxes;
pub(crate) use processes::{ProcessExecutor, WorkerProgram};
pub(crate) use threads::ThreadExecutor;

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use pframe_core::event::{Output, Record};
use pframe_core::fault::{Code, Fault};
use pframe_core::job::{Collect, JobSpec};
use pframe_core::scheduler::Command;
use tokio::runtime::Runtime;

use crate::capability::progress::ProgressBoard;
use crate::data::publish::{publish, publish_folder};
use crate::data::results::ResultStore;
use crate::data::source::{Bytes, Stores};
use crate::data::web::{Web, is_object};
use crate::inbox::Inbox;
use crate::inference::Inference;
use crate::keyvalue::Stores as KeyValueStores;
use crate::outside::{Outside, Patience};
use crate::process::scratch::ScratchMaker;
use crate::recording::Recordings;
use crate::registry::Registry;
use crate::sandbox::{Sandbox, Stop};

/// Whoever runs attempts. The engine does not know which one it has: threads of this process, worker
/// processes, or a script in a test.
pub(crate) trait Executor: Send {
    /// Carries out a command; the outcome comes back as a message.
    fn obey(&mut self, command: Command);

    /// Ends every attempt as soon as possible; they are reported as taken back.
    fn stop_all(&mut self);

    /// Sees what was recorded in this turn, before what follows from it is ordered: how attempts ended, among others.
    fn recorded(&mut self, records: &[Record]);
}

/// How long a result may take to be sent away.
const UPLOAD_TIME_MAX: Duration = Duration::from_hours(6);

/// Everything that attempts share.
pub(crate) struct Site {
    pub(crate) sandbox: Sandbox,
    pub(crate) registry: Arc<Registry>,
    pub(crate) results: ResultStore,
    /// Makes the private disks of attempts.
    pub(crate) scratch: Arc<ScratchMaker>,
    /// Opens the directories that jobs were granted.
    pub(crate) directories: Arc<Directories>,
    /// Puts what guests leave for other directories there.
    pub(crate) outboxes: Arc<Outboxes>,
    /// Decodes what is cut by time.
    pub(crate) recordings: Arc<Recordings>,
    /// Recognises speech.
    pub(crate) inference: Arc<Inference>,
    /// Sends requests over HTTP.
    pub(crate) outside: Outside,
    /// What handlers keep between attempts.
    pub(crate) keyvalue: KeyValueStores,
    /// Fetches sources.
    pub(crate) web: Arc<Web>,
    pub(crate) logs: Option<LogStore>,
    /// Values of the environment variables that some tenant may be granted.
    pub(crate) environment: BTreeMap<String, String>,
    /// What running attempts say about how far they are.
    pub(crate) progress: ProgressBoard,
    pub(crate) inbox: Arc<Inbox>,
}

/// Threads that wait for files or the network: few work at a time, and whoever waits long must not keep others.
const WAITERS_MAX: usize = 64;

/// Threads on which results are put in their places; nothing else keeps them busy.
fn publishers() -> Result<Runtime, Fault> {
    tokio::runtime::Builder::new_multi_thread()
        .worker_threads(1)
        .thread_name("pframe-publisher")
        .max_blocking_threads(WAITERS_MAX)
        .build()
        .map_err(|error| Fault::new(Code::StateUnusable).detail(format!("threads: {error}")))
}

impl Site {
    /// Where a job's sources are found; what has to be fetched takes no longer than an attempt, and ends with its stop.
    fn stores(&self, job: &JobSpec, stop: &Stop) -> Stores {
        let stop = stop.clone();
        let patience = Patience::until(job.limits.timeout, move || stop.requested().is_some());
        self.stores_until(job, patience)
    }

    /// The same with another patience.
    fn stores_until(&self, job: &JobSpec, patience: Patience) -> Stores {
        Stores { results: Some(self.results.clone()), web: self.web.of(&job.tenant, patience) }
    }

    /// Puts a result where its job wants it, and says so.
    fn publish(&self, job: &JobSpec, output: Option<&Output>) {
        let result = match (job.output.as_deref(), output) {
            (Some(url), Some(output)) if is_object(url) => Bytes::open(output, &self.results)
                .and_then(|bytes| {
                    self.web.of(&job.tenant, Patience::of(UPLOAD_TIME_MAX)).upload(url, &bytes)
                }),
            (Some(path), Some(output)) if job.collector() == Collect::Files => {
                publish_folder(output, Path::new(path), &self.results)
            }
            (Some(path), Some(output)) => publish(output, Path::new(path), &self.results),
            _ => Ok(()),
        };
        self.inbox.published(job.id.clone(), result);
    }
}
