//! The host's things as a worker's sandbox sees them: results go there, sources and parts come from there.
//!
//! Owns: the stand-ins behind the sandbox's own traits.
//! Never: keeps more of a result than one frame.

use std::ops::Range;
use std::sync::Arc;

use pframe_core::fault::{Code, Fault};

use super::desk::{Desk, Reply};
use super::protocol::FromWorker;
use crate::capability::input::{Part, SourceHandle, Supply};
use crate::capability::keyvalue::KeyValueService;
use crate::capability::output::Sink;
use crate::capability::progress::Progress;
use crate::capability::speech::{self, Asked, KnownModel, SpeechError, SpeechService};
use crate::data::results::Finished;
use crate::data::source::SourceReader;
use crate::keyvalue::{Answer, KeyValueError, Question};

/// Bytes of a result that are sent together.
const PIECE_BYTES: usize = 256 << 10;
/// Sources or parts that one question asks for.
const ASKED_MAX: usize = 64;

/// A result on its way to the host.
pub(super) struct RemoteOutput {
    desk: Arc<Desk>,
    held: Vec<u8>,
}

impl RemoteOutput {
    pub(super) fn new(desk: &Arc<Desk>) -> Self {
        Self { desk: Arc::clone(desk), held: Vec::new() }
    }

    fn send(&mut self) -> Result<(), Fault> {
        let bytes = std::mem::take(&mut self.held);
        self.desk.send(&FromWorker::Output(bytes)).map_err(|_| Fault::new(Code::Drained))
    }
}

impl Sink for RemoteOutput {
    fn write(&mut self, bytes: &[u8]) -> Result<(), Fault> {
        self.held.extend_from_slice(bytes);
        if self.held.len() >= PIECE_BYTES { self.send() } else { Ok(()) }
    }

    /// What is left goes with the word that the order has ended.
    fn finish(&mut self) -> Result<Finished, Fault> {
        Ok(Finished::Inline(std::mem::take(&mut self.held)))
    }

    fn finish_part(&mut self) -> Result<Part, Fault> {
        self.send()?;
        let mut pieces = self.desk.ask(&FromWorker::PartEnd)?;
        match (pieces.pop(), pieces.is_empty()) {
            (Some(piece), true) => Ok(Part::from(piece.bytes().clone())),
            _ => Err(Fault::new(Code::Protocol).detail("one piece was to come")),
        }
    }
}

/// Things that the host opens when they are asked for.
pub(super) struct RemoteSupply {
    desk: Arc<Desk>,
    count: u32,
}

impl RemoteSupply {
    pub(super) fn new(desk: &Arc<Desk>, count: u32) -> Self {
        Self { desk: Arc::clone(desk), count }
    }

    fn fetch(&self, range: Range<usize>) -> Result<Vec<SourceReader>, Fault> {
        let mut fetched = Vec::with_capacity(range.len());
        for first in range.clone().step_by(ASKED_MAX) {
            let count = ASKED_MAX.min(range.end - first);
            let number = |value: usize| u32::try_from(value).expect("counted in 32 bits");
            let question = FromWorker::Fetch { from: number(first), count: number(count) };
            let pieces = self.desk.ask(&question)?;
            if pieces.len() != count {
                return Err(Fault::new(Code::Protocol).detail("other pieces than were asked for"));
            }
            fetched.extend(pieces);
        }
        Ok(fetched)
    }
}

impl Supply<Part> for RemoteSupply {
    fn count(&self) -> usize {
        self.count as usize
    }

    fn open(&mut self, range: Range<usize>) -> Result<Vec<Part>, Fault> {
        let pieces = self.fetch(range)?;
        Ok(pieces.iter().map(|piece| Part::from(piece.bytes().clone())).collect())
    }
}

impl Supply<SourceHandle> for RemoteSupply {
    fn count(&self) -> usize {
        self.count as usize
    }

    fn open(&mut self, range: Range<usize>) -> Result<Vec<SourceHandle>, Fault> {
        let pieces = self.fetch(range)?;
        Ok(pieces.into_iter().map(|piece| SourceHandle(Arc::new(piece))).collect())
    }
}

/// Recognition of speech, which the host has done.
pub(super) struct RemoteSpeech {
    desk: Arc<Desk>,
}

impl RemoteSpeech {
    pub(super) fn new(desk: &Arc<Desk>) -> Self {
        Self { desk: Arc::clone(desk) }
    }
}

impl SpeechService for RemoteSpeech {
    fn models(&mut self) -> Result<Vec<KnownModel>, SpeechError> {
        match self.desk.converse(&FromWorker::Models) {
            Some(Reply::Models(models)) => models,
            _ => Err(SpeechError::Cancelled),
        }
    }

    /// Blocks this worker's one thread: it has nothing else to do, and the host answers in time or kills it.
    fn transcribe(&mut self, question: speech::Question) -> Asked<'_> {
        let answer = match self.desk.converse(&FromWorker::Transcribe(Box::new(question))) {
            Some(Reply::Transcribed(answer)) => answer,
            _ => Err(SpeechError::Cancelled),
        };
        Box::pin(std::future::ready(answer))
    }
}

/// Key-value stores, which the host holds.
pub(super) struct RemoteKeyValue {
    desk: Arc<Desk>,
}

impl RemoteKeyValue {
    pub(super) fn new(desk: &Arc<Desk>) -> Self {
        Self { desk: Arc::clone(desk) }
    }
}

impl KeyValueService for RemoteKeyValue {
    /// Blocks this worker's one thread, for as long as the host takes to look.
    fn ask(&mut self, store: &str, question: Question) -> Result<Answer, KeyValueError> {
        let question = FromWorker::KeyValue { store: store.to_owned(), question };
        match self.desk.converse(&question) {
            Some(Reply::KeyValue(answer)) => answer,
            _ => Err(KeyValueError::Refused("the host is gone".into())),
        }
    }
}

/// Tells the host how far an attempt is, but not for every hundredth.
pub(super) struct RemoteProgress {
    desk: Arc<Desk>,
    told: f32,
}

/// The smallest step that is worth a frame.
const STEP_MIN: f32 = 0.01;

impl RemoteProgress {
    pub(super) fn new(desk: &Arc<Desk>) -> Self {
        Self { desk: Arc::clone(desk), told: 0.0 }
    }
}

impl Progress for RemoteProgress {
    fn say(&mut self, done: f32) {
        if (done - self.told).abs() >= STEP_MIN {
            self.told = done;
            // A host that is gone ends this process by itself.
            let _ = self.desk.send(&FromWorker::Progress(done));
        }
    }
}
