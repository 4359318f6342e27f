//! What host and worker say to each other. ARCHITECTURE.md carries the same as prose; the same frames will serve a cluster.
//!
//! Owns: the messages. Each end is this very program, so there is one version of them (`process/frame.rs`).
//! Never: a path, or a name that the worker could resolve: what it may read comes as bytes or as a descriptor.

use pframe_core::fault::{Code, Fault};
use pframe_core::ids::{AttemptId, Digest};
use pframe_core::job::Slice;
use pframe_core::limits::{Limits, Usage};
use pframe_core::units::ByteSize;
use serde::{Deserialize, Serialize};

use super::exchange::{HttpSaid, HttpTold};
use crate::capability::Granted;
use crate::capability::input::Medium;
use crate::capability::speech::{Answer, KnownModel, Question, SpeechError};
use crate::keyvalue::{self, KeyValueError};
use crate::process::jail::LayerState;

/// From the host to a worker.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) enum ToWorker {
    /// The first word: the component that this worker serves. Its compiled code comes as a descriptor, and after it the
    /// root directories of a disk, of what was granted to read, and of what lies beside on the disk, for the one attempt that
    /// such a worker runs.
    Load {
        /// Names the component.
        component: Digest,
        /// The most memory that an attempt here can be granted.
        memory_max: ByteSize,
        /// What engines can load its code, so that a worker of another build says so.
        engine: Digest,
        /// A disk comes along.
        has_disk: bool,
        /// Directories to read come along, which the guest finds by these names.
        directories: Vec<String>,
        /// Directories of the disk come along, for files that the host puts elsewhere under these names.
        outboxes: Vec<String>,
    },
    /// Run an attempt, after those that were ordered before it.
    Run(Box<RunOrder>),
    /// End this one as soon as possible.
    Stop {
        /// Which order.
        order: u64,
        /// What its fault shall say.
        fault: FaultText,
    },
    /// Forget what was ordered and has not begun.
    Recall,
    /// The answer to [`FromWorker::Fetch`] and [`FromWorker::PartEnd`].
    Pieces(Vec<Piece>),
    /// The answer where the host could not open what was asked for.
    NoPieces(FaultText),
    /// The answer to [`FromWorker::Transcribe`].
    Transcribed(Result<Answer, SpeechError>),
    /// The answer to [`FromWorker::Models`].
    Models(Result<Vec<KnownModel>, SpeechError>),
    /// The answer to [`FromWorker::KeyValue`].
    KeyValue(Result<keyvalue::Answer, KeyValueError>),
    /// How a request over HTTP goes on.
    Http {
        /// Which.
        call: u32,
        told: HttpTold,
    },
}

/// From a worker to the host.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) enum FromWorker {
    /// It stands, with these layers around it.
    Ready(Vec<LayerState>),
    /// It cannot work, and ends.
    Refused(FaultText),
    /// It is alive.
    Beat,
    /// Bytes of the result of the order it works on.
    Output(Vec<u8>),
    /// The result so far is an intermediate one of a merge; the worker waits for it as a piece.
    PartEnd,
    /// The worker waits for sources (`cut`) or outputs (`collect`).
    Fetch {
        /// The first.
        from: u32,
        /// How many.
        count: u32,
    },
    /// How far the order is that it works on.
    Progress(f32),
    /// The order it works on has ended.
    Ended {
        /// Which.
        order: u64,
        /// What it used, by the worker's own account.
        usage: Usage,
        /// How it ended.
        ending: Ending,
        /// What the guest wrote to its standard streams.
        talk: Option<Vec<u8>>,
    },
    /// These had not begun and were forgotten.
    Recalled(Vec<u64>),
    /// The worker waits for what is said in a recording.
    Transcribe(Box<Question>),
    /// The worker asks which models there are.
    Models,
    /// The worker waits for what comes of a question to a key-value store.
    KeyValue {
        /// The name of the store.
        store: String,
        question: keyvalue::Question,
    },
    /// A request over HTTP for the order it works on.
    Http {
        /// Counted in each worker.
        call: u32,
        said: HttpSaid,
    },
}

/// How an order ended.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) enum Ending {
    /// With a result: this is its end.
    Output(Vec<u8>),
    /// With spans of the sources, unchecked.
    Cuts(Vec<Slice>),
    /// Without a result.
    Failed(FaultText),
}

/// An attempt to run.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct RunOrder {
    /// Orders are counted on each line.
    pub(crate) order: u64,
    pub(crate) attempt: AttemptId,
    pub(crate) work: OrderedWork,
    pub(crate) parameters: String,
    pub(crate) limits: Limits,
    pub(crate) granted: Granted,
}

/// What an attempt does.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) enum OrderedWork {
    /// Ask the chunker about so many sources.
    Cut {
        /// How many.
        sources: u32,
    },
    /// Work on one chunk.
    Run {
        /// The slice of the source.
        slice: Slice,
        /// How many chunks the job has.
        count: u32,
        /// The source.
        source: Piece,
        /// What its bytes are.
        medium: Medium,
    },
    /// Make one output of so many.
    Collect {
        /// How many.
        parts: u32,
    },
}

/// Bytes that the host hands over.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Piece {
    /// As the guest sees it.
    pub(crate) name: String,
    pub(crate) media_type: Option<String>,
    pub(crate) size: u64,
    /// The bytes, or `None` where they come as the frame's next descriptor.
    pub(crate) inline: Option<Vec<u8>>,
}

/// A fault on the line: its JSON, because the form of faults leaves out what is empty.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct FaultText(String);

impl From<&Fault> for FaultText {
    fn from(fault: &Fault) -> Self {
        Self(serde_json::to_string(fault).expect("a fault is plain data"))
    }
}

impl FaultText {
    /// The fault, or one against the protocol. What a guest wrote in it is bounded and escaped again.
    pub(crate) fn read(&self) -> Fault {
        serde_json::from_str(&self.0).map_or_else(
            |_| Fault::new(Code::Protocol).detail("a fault that cannot be read"),
            Fault::with_guest_texts_escaped,
        )
    }
}
