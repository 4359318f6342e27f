//! Requests on somebody's account, within what was granted to him.
//!
//! Owns: that every byte in either direction is counted, and that nothing outlives the deadline.
//! Never: sends anything itself.

use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Instant;

use bytes::Bytes;
use http::{Request, Response};
use http_body::{Body, Frame, SizeHint};
use hyper::body::Incoming;
use tokio::sync::OwnedSemaphorePermit;
use tokio::time::Sleep;

use super::account::Account;
use super::client::{Connection, Exchanged, Outside, Timeouts, until};
use super::error::HttpError;
use super::reach::Reach;

/// Whoever asks. Clones share the account.
#[derive(Clone)]
pub(crate) struct Caller {
    pub(crate) outside: Outside,
    pub(crate) reach: Reach,
    pub(crate) account: Arc<Account>,
}

impl Caller {
    /// Sends a request and waits for the head of its response, on whatever runtime has a clock.
    pub(crate) async fn call<B>(
        &self,
        request: Request<B>,
        timeouts: Timeouts,
        deadline: Instant,
    ) -> Result<Response<Received>, HttpError>
    where
        B: Body<Data = Bytes, Error = HttpError> + Send + Unpin + 'static,
    {
        self.account.begin()?;
        let slot = Arc::clone(&self.account.slots).acquire_owned();
        let slot = tokio::time::timeout_at(deadline.into(), slot).await;
        let slot =
            slot.map_err(|_| HttpError::ConnectTimeout)?.map_err(|_| HttpError::Cancelled)?;
        let account = Arc::clone(&self.account);
        let request = request.map(|body| Sent { body, account });
        let (outside, reach) = (self.outside.clone(), self.reach.clone());
        let exchange = async move { outside.exchange(&reach, request, timeouts, deadline).await };
        let Exchanged { response, connection } = self.outside.spawn(exchange)?.await?;
        let account = Arc::clone(&self.account);
        let wait = Box::pin(tokio::time::sleep_until(deadline.into()));
        Ok(response.map(|body| Received {
            body,
            account,
            wait,
            is_waiting: false,
            timeouts,
            deadline,
            _connection: connection,
            _slot: slot,
        }))
    }
}

/// The body of a request, counted.
struct Sent<B> {
    body: B,
    account: Arc<Account>,
}

impl<B: Body<Data = Bytes, Error = HttpError> + Unpin> Body for Sent<B> {
    type Data = Bytes;
    type Error = HttpError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, HttpError>>> {
        let frame = Pin::new(&mut self.body).poll_frame(context);
        frame.map(|frame| {
            frame.map(|frame| {
                let frame = frame?;
                // Fields behind a body are read by some servers and not by others.
                let data = frame.data_ref().ok_or(HttpError::RequestTrailers)?;
                self.account.send(data.len())?;
                Ok(frame)
            })
        })
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

/// The body of a response, counted while it comes.
pub(crate) struct Received {
    body: Incoming,
    account: Arc<Account>,
    wait: Pin<Box<Sleep>>,
    /// Somebody waits for the next bytes; while nobody does, no time counts.
    is_waiting: bool,
    timeouts: Timeouts,
    deadline: Instant,
    _connection: Connection,
    _slot: OwnedSemaphorePermit,
}

impl Body for Received {
    type Data = Bytes;
    type Error = HttpError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, HttpError>>> {
        loop {
            let Poll::Ready(frame) = pin!(&mut self.body).poll_frame(context) else {
                if !std::mem::replace(&mut self.is_waiting, true) {
                    let end = until(self.timeouts.between_bytes, self.deadline);
                    self.wait.as_mut().reset(end);
                }
                return match self.wait.as_mut().poll(context) {
                    Poll::Ready(()) => Poll::Ready(Some(Err(HttpError::ReadTimeout))),
                    Poll::Pending => Poll::Pending,
                };
            };
            let frame = match frame {
                None => return Poll::Ready(None),
                Some(Err(error)) => return Poll::Ready(Some(Err(HttpError::from(&error)))),
                Some(Ok(frame)) => frame,
            };
            self.is_waiting = false;
            // Trailers end a body and are told to nobody.
            let Some(data) = frame.data_ref() else { continue };
            let received = self.account.receive(data.len());
            return Poll::Ready(Some(received.map(|()| frame)));
        }
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}
