//! A guest's requests over HTTP, which the host sends.
//!
//! Owns: the worker's end of each request that is under way.
//! Never: asks for a piece of a body before somebody wants it.

use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use http_body::{Body, Frame};
use http_body_util::BodyExt;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc};

use super::desk::Desk;
use super::exchange::{BodyPiece, HttpAsk, HttpSaid, HttpTold, PIECE_BYTES_MAX};
use super::protocol::FromWorker;
use crate::capability::http::{HttpService, Outgoing, Sending};
use crate::outside::{Caps, HttpError, Task, Timeouts};
use crate::process::frame::Bulk;

/// Things that a call can be told before it listens: its head, a piece.
const TOLD_MAX: usize = 4;

/// Requests of one attempt.
pub(super) struct RemoteHttp {
    desk: Arc<Desk>,
    slots: Arc<Semaphore>,
}

impl RemoteHttp {
    pub(super) fn new(desk: &Arc<Desk>) -> Self {
        let slots = Arc::new(Semaphore::new(Caps::ATTEMPT.at_once));
        Self { desk: Arc::clone(desk), slots }
    }
}

impl HttpService for RemoteHttp {
    fn send(&mut self, request: http::Request<Outgoing>, timeouts: Timeouts) -> Sending {
        let (desk, slots) = (Arc::clone(&self.desk), Arc::clone(&self.slots));
        Box::pin(async move {
            let slot = slots.acquire_owned().await.map_err(|_| HttpError::Cancelled)?;
            let (parts, body) = request.into_parts();
            let has_body = !body.is_end_stream();
            let ask = HttpAsk::of(&parts, has_body, timeouts);
            let (mut call, taken) = Call::begin(&desk, slot);
            call.say(HttpSaid::Ask(Box::new(ask)))?;
            if has_body {
                let number = call.number;
                call.upload = Some(Task::beside(upload(Arc::clone(&desk), number, body, taken)));
            }
            loop {
                match call.told.recv().await {
                    Some(HttpTold::Answered(Ok(answer))) => {
                        let body = RemoteBody { call, has_asked: false };
                        return Ok(answer.response(body)?.map(BodyExt::boxed_unsync));
                    }
                    Some(HttpTold::Answered(Err(error))) => {
                        call.has_ended = true;
                        return Err(error);
                    }
                    Some(HttpTold::Taken | HttpTold::Piece(_)) => {}
                    None => return Err(HttpError::Cancelled),
                }
            }
        })
    }
}

/// Whom the desk tells of a call.
pub(super) struct Listener {
    told: mpsc::Sender<HttpTold>,
    taken: mpsc::Sender<()>,
}

impl Listener {
    /// False where the host tells more than was asked for.
    pub(super) fn hear(&self, told: HttpTold) -> bool {
        use mpsc::error::TrySendError::Full;
        match told {
            HttpTold::Taken => !matches!(self.taken.try_send(()), Err(Full(()))),
            told => !matches!(self.told.try_send(told), Err(Full(_))),
        }
    }
}

/// One request; when it falls before its end, the host hears so.
struct Call {
    desk: Arc<Desk>,
    number: u32,
    told: mpsc::Receiver<HttpTold>,
    upload: Option<Task<()>>,
    has_ended: bool,
    _slot: OwnedSemaphorePermit,
}

impl Call {
    fn begin(desk: &Arc<Desk>, slot: OwnedSemaphorePermit) -> (Self, mpsc::Receiver<()>) {
        /// Calls of this process.
        static NUMBER: AtomicU32 = AtomicU32::new(0);
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        let (teller, told) = mpsc::channel(TOLD_MAX);
        let (taker, taken) = mpsc::channel(1);
        desk.begin_call(number, Listener { told: teller, taken: taker });
        let desk = Arc::clone(desk);
        let call = Self { desk, number, told, upload: None, has_ended: false, _slot: slot };
        (call, taken)
    }

    fn say(&self, said: HttpSaid) -> Result<(), HttpError> {
        say(&self.desk, self.number, said)
    }
}

impl Drop for Call {
    fn drop(&mut self) {
        self.desk.end_call(self.number);
        if !self.has_ended {
            // A host that is gone ends this process by itself.
            let _ = self.say(HttpSaid::Dropped);
        }
    }
}

fn say(desk: &Desk, call: u32, said: HttpSaid) -> Result<(), HttpError> {
    desk.send(&FromWorker::Http { call, said }).map_err(|_| HttpError::Cancelled)
}

/// Sends the body of a request, each piece when the one before it was taken.
async fn upload(desk: Arc<Desk>, call: u32, mut body: Outgoing, mut taken: mpsc::Receiver<()>) {
    loop {
        let (mut bytes, end) = match body.frame().await {
            None => (Bytes::new(), Some(BodyPiece::End)),
            Some(Ok(frame)) => match frame.into_data() {
                Ok(bytes) => (bytes, None),
                Err(_) => (Bytes::new(), Some(BodyPiece::Broken(HttpError::RequestTrailers))),
            },
            Some(Err(error)) => (Bytes::new(), Some(BodyPiece::Broken(error))),
        };
        while !bytes.is_empty() {
            let piece = bytes.split_to(bytes.len().min(PIECE_BYTES_MAX));
            let piece = BodyPiece::Bytes(Bulk(piece));
            if say(&desk, call, HttpSaid::Body(piece)).is_err() || taken.recv().await.is_none() {
                return;
            }
        }
        if let Some(end) = end {
            let _ = say(&desk, call, HttpSaid::Body(end));
            return;
        }
    }
}

/// The body of a response, asked for piece by piece.
struct RemoteBody {
    call: Call,
    has_asked: bool,
}

impl Body for RemoteBody {
    type Data = Bytes;
    type Error = HttpError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, HttpError>>> {
        if self.call.has_ended {
            return Poll::Ready(None);
        }
        if !self.has_asked {
            self.call.say(HttpSaid::More)?;
            self.has_asked = true;
        }
        loop {
            let told = ready!(self.call.told.poll_recv(context));
            let piece = match told {
                Some(HttpTold::Piece(piece)) => piece,
                Some(HttpTold::Taken | HttpTold::Answered(_)) => continue,
                None => Err(HttpError::Cancelled),
            };
            self.has_asked = false;
            self.call.has_ended = !matches!(piece, Ok(Some(_)));
            return Poll::Ready(match piece {
                Ok(Some(bytes)) => Some(Ok(Frame::data(bytes.0))),
                Ok(None) => None,
                Err(error) => Some(Err(error)),
            });
        }
    }
}
