//! What the scheduler hears and what it orders.
//!
//! Owns: the vocabulary between the scheduler and the engine.
//! Never: holds behaviour.

use std::sync::Arc;
use std::time::Duration;

use crate::event::{Event, Output};
use crate::fault::Fault;
use crate::ids::{AttemptId, JobId};
use crate::job::{Chunking, JobSpec, Slice};
use crate::limits::Usage;
use crate::resources::Capacity;
use crate::units::{ByteSize, CpuCores, Timestamp};

/// What the scheduler hears.
#[derive(Debug, Clone)]
#[expect(clippy::large_enum_variant, reason = "nearly all messages are of the largest kind")]
pub enum Message {
    /// A new job. The engine has made sure that its id is not in use, and that it depends on accepted jobs only.
    Submit {
        /// The job.
        job: Arc<JobSpec>,
        /// Its chunks; `None` where the handler's own chunker must find them first, or where its input is the result of a
        /// job that has not ended.
        chunks: Option<Arc<[Slice]>>,
    },
    /// An attempt ended. A word about an attempt that is not running is ignored: its number is the fence.
    AttemptEnded {
        /// Which.
        attempt: AttemptId,
        /// What it used.
        usage: Usage,
        /// How it ended.
        outcome: Outcome,
    },
    /// Somebody wants the job to end. Unknown and ended jobs are ignored.
    Cancel {
        /// The job.
        job: JobId,
    },
    /// The result of a completed job stands where the job wanted it.
    ResultPublished {
        /// The job.
        job: JobId,
    },
    /// The machine has more or less to give than before; what runs is not disturbed.
    CapacityChanged(Capacity),
    /// Start nothing any more; what runs may end.
    Drain,
    /// Time has passed: retries may be due, deadlines missed.
    Tick,
}

/// How an attempt ended.
#[derive(Debug, Clone)]
pub enum Outcome {
    /// With a result (`run`, `collect`).
    Output(Output),
    /// With the chunks of the job (`cut`), already checked against the sources.
    Cuts(Arc<[Slice]>),
    /// Without a result.
    Failed(Fault),
    /// It came at a bad moment, for this reason, and is worth another try after this time.
    PutOff {
        /// Why.
        fault: Fault,
        /// From now on.
        after: Duration,
    },
    /// Taken back without having had its chance; not charged.
    Returned,
}

/// What the scheduler orders.
#[derive(Debug, Clone)]
pub enum Command {
    /// Run these attempts, one after the other, on one reservation.
    Start(Batch),
    /// End this attempt as soon as possible; it is still reported with [`Message::AttemptEnded`].
    Stop {
        /// Which.
        attempt: AttemptId,
        /// What its fault shall say.
        fault: Fault,
    },
    /// Put the result of this completed job where the job wants it, then say [`Message::ResultPublished`].
    Publish {
        /// The job.
        job: Arc<JobSpec>,
        /// The result; `None` where no chunk was left to collect.
        output: Option<Output>,
    },
}

/// Attempts of one tenant and one component that share a reservation, in order.
#[derive(Debug, Clone)]
pub struct Batch {
    /// At least one.
    pub attempts: Vec<Start>,
    /// Held until the last of them has ended.
    pub reservation: Reservation,
}

/// What a batch holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Reservation {
    /// Processor cores.
    pub cpu: CpuCores,
    /// Memory.
    pub memory: ByteSize,
    /// Memory of a graphics processor.
    pub gpu_memory: ByteSize,
}

/// One attempt to run.
#[derive(Debug, Clone)]
pub struct Start {
    /// Which.
    pub attempt: AttemptId,
    /// Its job.
    pub job: Arc<JobSpec>,
    /// What to do.
    pub work: Work,
}

impl Start {
    /// True where this is done by the host itself: cutting the result of another job, where the handler has no say.
    pub fn is_cut_by_host(&self) -> bool {
        matches!(self.work, Work::Cut) && self.job.chunking != Chunking::Custom
    }
}

/// What an attempt does.
#[derive(Debug, Clone)]
pub enum Work {
    /// Ask the handler's chunker, or cut what was not there when the job was accepted.
    Cut,
    /// Work on one chunk.
    Run {
        /// The chunk.
        slice: Slice,
        /// How many chunks the job has.
        count: u32,
    },
    /// Make one output of many, in chunk order.
    Collect {
        /// The outputs of the chunks that succeeded.
        parts: Arc<[Output]>,
        /// Those chunks.
        succeeded: Arc<[u32]>,
        /// All chunks of the job.
        chunks: Arc<[Slice]>,
    },
}

/// What follows from a turn's messages.
#[derive(Debug, Clone, Default)]
pub struct Decision {
    /// To be recorded before anything else.
    pub events: Vec<Event>,
    /// To be obeyed after that, in order.
    pub commands: Vec<Command>,
    /// When the scheduler wants a [`Message::Tick`] at the latest.
    pub wake_at: Option<Timestamp>,
}
