//! Requests of an attempt in a worker process, whose driver hears of them in its own time.
//!
//! Owns: the calls of one order that are under way, and what the worker may say of each.
//! Never: holds more than one piece of a body for a call, in either direction.

use std::collections::BTreeMap;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::{Duration, Instant};

use bytes::Bytes;
use http_body::{Body, Frame};
use http_body_util::BodyExt;
use pframe_core::limits::HttpUsage;
use pframe_core::scheduler::Start;
use tokio::sync::mpsc;

use super::{MARGIN, Site, caller};
use crate::outside::{Caller, Caps, HttpError, Task};
use crate::process::frame::Bulk;
use crate::worker::exchange::{
    BodyPiece, HttpAnswer, HttpAsk, HttpSaid, HttpTold, PIECE_BYTES_MAX,
};

/// Tells the driver something of a call.
type Tell = Arc<dyn Fn(HttpTold) + Send + Sync>;
type Inbox = (std::sync::mpsc::Sender<(u32, HttpTold)>, std::sync::mpsc::Receiver<(u32, HttpTold)>);

/// For an attempt in a worker process.
pub(in crate::executor) struct HttpLine {
    caller: Caller,
    timeout: Duration,
    calls: BTreeMap<u32, Call>,
    told: Inbox,
}

/// A call that is under way; it ends when it falls.
struct Call {
    pieces: mpsc::Sender<BodyPiece>,
    wants: mpsc::Sender<()>,
    _task: Task<()>,
}

impl HttpLine {
    pub(in crate::executor) fn new(site: &Site, start: &Start) -> Self {
        Self {
            caller: caller(site, start),
            timeout: start.job.limits.timeout,
            calls: BTreeMap::new(),
            told: std::sync::mpsc::channel(),
        }
    }

    /// Hears what the worker says of a call, for an attempt that began then; `ring` wakes whoever shall ask for
    /// [`told`](Self::told). The error is what the worker did against the protocol.
    pub(in crate::executor) fn hear(
        &mut self,
        call: u32,
        said: HttpSaid,
        began: Instant,
        ring: impl Fn() + Send + Sync + 'static,
    ) -> Result<(), &'static str> {
        match said {
            HttpSaid::Ask(ask) => self.begin(call, *ask, began, ring),
            HttpSaid::Dropped => {
                self.calls.remove(&call);
                Ok(())
            }
            // What ended meanwhile is nobody's fault.
            HttpSaid::More | HttpSaid::Body(_) if !self.calls.contains_key(&call) => Ok(()),
            HttpSaid::More => self.calls[&call]
                .wants
                .try_send(())
                .or_else(|error| still_open(&error))
                .map_err(|()| TWICE),
            HttpSaid::Body(BodyPiece::Bytes(bytes)) if bytes.0.len() > PIECE_BYTES_MAX => {
                Err("a piece of a request is too long")
            }
            HttpSaid::Body(piece) => self.calls[&call]
                .pieces
                .try_send(piece)
                .or_else(|error| still_open(&error))
                .map_err(|()| TWICE),
        }
    }

    fn begin(
        &mut self,
        number: u32,
        ask: HttpAsk,
        began: Instant,
        ring: impl Fn() + Send + Sync + 'static,
    ) -> Result<(), &'static str> {
        if self.calls.contains_key(&number) || self.calls.len() >= Caps::ATTEMPT.at_once {
            return Err("more requests at once than it may");
        }
        let sender = self.told.0.clone();
        let tell: Tell = Arc::new(move |told| {
            // Nobody may wait any more.
            let _ = sender.send((number, told));
            ring();
        });
        let (pieces, coming) = mpsc::channel(1);
        let (wants, wanted) = mpsc::channel(1);
        let call = serve(
            self.caller.clone(),
            ask,
            (coming, wanted),
            began + self.timeout + MARGIN,
            Arc::clone(&tell),
        );
        match self.caller.outside.spawn(call) {
            Ok(task) => drop(self.calls.insert(number, Call { pieces, wants, _task: task })),
            Err(error) => tell(HttpTold::Answered(Err(error))),
        }
        Ok(())
    }

    /// The next thing that the worker is to be told.
    pub(in crate::executor) fn told(&mut self) -> Option<(u32, HttpTold)> {
        let (call, told) = self.told.1.try_recv().ok()?;
        if told.is_last() {
            self.calls.remove(&call);
        }
        Some((call, told))
    }

    /// What all requests took; those that are under way end.
    pub(in crate::executor) fn total(&mut self) -> HttpUsage {
        self.calls.clear();
        self.caller.account.total()
    }
}

const TWICE: &str = "more of a request than it was asked for";

/// A call that has ended hears nothing any more; one that was not asked for this is the worker's mistake.
fn still_open<T>(error: &mpsc::error::TrySendError<T>) -> Result<(), ()> {
    match error {
        mpsc::error::TrySendError::Closed(_) => Ok(()),
        mpsc::error::TrySendError::Full(_) => Err(()),
    }
}

/// One call, from the request to the last piece of its response.
async fn serve(
    caller: Caller,
    ask: HttpAsk,
    (pieces, mut wanted): (mpsc::Receiver<BodyPiece>, mpsc::Receiver<()>),
    deadline: Instant,
    tell: Tell,
) {
    let timeouts = ask.timeouts;
    let pieces = ask.has_body.then_some(pieces);
    let body = LineBody { pieces, tell: Arc::clone(&tell) };
    let response = match ask.request(body) {
        Ok(request) => caller.call(request, timeouts, deadline).await,
        Err(error) => Err(error),
    };
    let response = match response {
        Ok(response) => response,
        Err(error) => return tell(HttpTold::Answered(Err(error))),
    };
    tell(HttpTold::Answered(Ok(HttpAnswer::of(&response))));
    let mut body = response.into_body();
    while wanted.recv().await.is_some() {
        let piece = match body.frame().await {
            None => Ok(None),
            Some(Ok(frame)) => Ok(Some(Bulk(frame.into_data().unwrap_or_default()))),
            Some(Err(error)) => Err(error),
        };
        let told = HttpTold::Piece(piece);
        let is_last = told.is_last();
        tell(told);
        if is_last {
            return;
        }
    }
}

/// The body of a request, as it comes over the line.
struct LineBody {
    /// `None` where there is none, and after its end.
    pieces: Option<mpsc::Receiver<BodyPiece>>,
    tell: Tell,
}

impl Body for LineBody {
    type Data = Bytes;
    type Error = HttpError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, HttpError>>> {
        let Some(pieces) = &mut self.pieces else { return Poll::Ready(None) };
        match ready!(pieces.poll_recv(context)) {
            Some(BodyPiece::Bytes(bytes)) => {
                (self.tell)(HttpTold::Taken);
                Poll::Ready(Some(Ok(Frame::data(bytes.0))))
            }
            Some(BodyPiece::End) => {
                self.pieces = None;
                Poll::Ready(None)
            }
            Some(BodyPiece::Broken(error)) => Poll::Ready(Some(Err(error))),
            None => Poll::Ready(Some(Err(HttpError::Cancelled))),
        }
    }

    fn is_end_stream(&self) -> bool {
        self.pieces.is_none()
    }
}
