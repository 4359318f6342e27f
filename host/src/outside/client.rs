//! One request and its response, over a connection of its own.
//!
//! Owns: the threads on which the network is waited for, how many connections there are, and what goes over one: HTTP/1.1,
//! one exchange.
//! Never: believes a header about where a request goes: `host` is what was checked.

use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use bytes::Bytes;
use http::header::{CONNECTION, CONTENT_LENGTH, HOST, HeaderValue};
use http::{HeaderMap, Method, Request, Response};
use http_body::Body;
use hyper::body::Incoming;
use hyper::client::conn::http1;
use hyper::rt::{Read, Write};
use serde::{Deserialize, Serialize};
use tokio::runtime::{Handle, Runtime};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::task::JoinHandle;
use wasmtime_wasi_http::DEFAULT_FORBIDDEN_HEADERS;
use wasmtime_wasi_http::io::TokioIo;

use super::error::HttpError;
use super::names::{Names, RESOLVERS_MAX};
use super::reach::{Reach, Target};
use super::tls::Tls;

/// Connections of this process at once, each a descriptor; further requests wait.
const CONNECTIONS_MAX: usize = 256;
/// Bytes of header fields, in either direction.
const HEADER_BYTES_MAX: usize = 32 << 10;
/// Header fields of a response.
const HEADER_FIELDS_MAX: usize = 256;
/// Bytes that are read of a connection at a time; the header of a response, as it comes, is no longer.
const BUFFER_BYTES_MAX: usize = 64 << 10;
/// The longest wait for a connection, whatever was asked for.
const CONNECT_TIME_MAX: Duration = Duration::from_secs(30);

/// How long whoever asks wants to wait; all within his deadline.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Timeouts {
    pub(crate) connect: Option<Duration>,
    pub(crate) first_byte: Option<Duration>,
    pub(crate) between_bytes: Option<Duration>,
}

/// The end of a wait of at most `wait`, and of nothing that is longer than the deadline.
pub(super) fn until(wait: Option<Duration>, deadline: Instant) -> tokio::time::Instant {
    let asked = wait.and_then(|wait| Instant::now().checked_add(wait));
    deadline.min(asked.unwrap_or(deadline)).into()
}

/// The way out. Clones share it.
#[derive(Clone)]
pub(crate) struct Outside(Arc<Inner>);

struct Inner {
    /// Started with the first request.
    runtime: Mutex<Option<Runtime>>,
    names: Names,
    tls: OnceLock<Result<Tls, HttpError>>,
    connections: Arc<Semaphore>,
}

impl Drop for Inner {
    /// Never waits: this may be a thread that must not.
    fn drop(&mut self) {
        let runtime = self.runtime.get_mut().unwrap_or_else(PoisonError::into_inner);
        if let Some(runtime) = runtime.take() {
            runtime.shutdown_background();
        }
    }
}

/// Work that ends when nobody waits for it any more.
pub(crate) struct Task<T>(JoinHandle<T>);

impl<T: Send + 'static> Task<T> {
    /// On the runtime that this is called on, beside whatever runs there.
    pub(crate) fn beside(work: impl Future<Output = T> + Send + 'static) -> Self {
        Self(tokio::spawn(work))
    }
}

impl<T> Drop for Task<T> {
    fn drop(&mut self) {
        self.0.abort();
    }
}

impl<T> Future for Task<Result<T, HttpError>> {
    type Output = Result<T, HttpError>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        let done = Pin::new(&mut self.0).poll(context);
        done.map(|done| done.unwrap_or(Err(HttpError::Cancelled)))
    }
}

/// A response whose connection lives as long as it does.
pub(super) struct Exchanged {
    pub(super) response: Response<Incoming>,
    pub(super) connection: Connection,
}

/// What a response needs while it comes.
pub(super) struct Connection {
    _driver: Task<()>,
    _permit: OwnedSemaphorePermit,
}

impl std::fmt::Debug for Outside {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Outside")
    }
}

impl Outside {
    pub(crate) fn new(names: Names) -> Self {
        let connections = Arc::new(Semaphore::new(CONNECTIONS_MAX));
        let (runtime, tls) = (Mutex::default(), OnceLock::new());
        Self(Arc::new(Inner { runtime, names, tls, connections }))
    }

    pub(super) fn handle(&self) -> Result<Handle, HttpError> {
        let mut runtime = self.0.runtime.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(runtime) = &*runtime {
            return Ok(runtime.handle().clone());
        }
        let started = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(1)
            .max_blocking_threads(RESOLVERS_MAX)
            .thread_name("pframe-outside")
            .enable_all()
            .build()
            .map_err(|_| HttpError::Unreachable)?;
        let handle = started.handle().clone();
        *runtime = Some(started);
        Ok(handle)
    }

    /// Does something on the threads that wait for the network.
    pub(crate) fn spawn<T: Send + 'static>(
        &self,
        work: impl Future<Output = T> + Send + 'static,
    ) -> Result<Task<T>, HttpError> {
        Ok(Task(self.handle()?.spawn(work)))
    }

    fn tls(&self) -> Result<Tls, HttpError> {
        self.0.tls.get_or_init(Tls::of_machine).clone()
    }

    /// Sends a request and waits for the head of its response. Runs on the threads of [`Outside::spawn`].
    pub(super) async fn exchange<B>(
        &self,
        reach: &Reach,
        request: Request<B>,
        timeouts: Timeouts,
        deadline: Instant,
    ) -> Result<Exchanged, HttpError>
    where
        B: Body<Data = Bytes, Error = HttpError> + Send + Unpin + 'static,
    {
        let target = Target::of(request.uri())?;
        reach.check(&target)?;
        let request = prepared(request, &target)?;
        // That this process is busy is not the host's doing: the time for a connection begins behind it.
        let permit = Arc::clone(&self.0.connections).acquire_owned();
        let permit = tokio::time::timeout_at(deadline.into(), permit)
            .await
            .map_err(|_| HttpError::ConnectTimeout)?
            .map_err(|_| HttpError::Cancelled)?;
        let connecting = async {
            let stream = reach.connect(&self.0.names, &target).await?;
            // A request is small and its answer is waited for.
            stream.set_nodelay(true).map_err(|_| HttpError::Terminated)?;
            if !target.is_tls {
                return begin(TokioIo::new(stream), permit).await;
            }
            let stream = self.tls()?.connect(&target, stream).await?;
            begin(TokioIo::new(stream), permit).await
        };
        let wait = timeouts.connect.unwrap_or(CONNECT_TIME_MAX).min(CONNECT_TIME_MAX);
        let (mut sender, connection) =
            tokio::time::timeout_at(until(Some(wait), deadline), connecting)
                .await
                .map_err(|_| HttpError::ConnectTimeout)??;
        let answered = sender.send_request(request);
        let response = tokio::time::timeout_at(until(timeouts.first_byte, deadline), answered)
            .await
            .map_err(|_| HttpError::ResponseTimeout)?
            .map_err(|error| HttpError::from(&error))?;
        if bytes_of(response.headers()) > HEADER_BYTES_MAX {
            return Err(HttpError::ResponseHeaderTooLong);
        }
        Ok(Exchanged { response, connection })
    }
}

/// Speaks HTTP over a connection.
async fn begin<S, B>(
    stream: S,
    permit: OwnedSemaphorePermit,
) -> Result<(http1::SendRequest<B>, Connection), HttpError>
where
    S: Read + Write + Unpin + Send + 'static,
    B: Body<Data = Bytes, Error = HttpError> + Send + Unpin + 'static,
{
    let (sender, driver) = http1::Builder::new()
        .max_buf_size(BUFFER_BYTES_MAX)
        .max_headers(HEADER_FIELDS_MAX)
        .handshake(stream)
        .await
        .map_err(|error| HttpError::from(&error))?;
    let driver = Task::beside(async move {
        // Whoever waits for the response hears what went wrong.
        let _ = driver.await;
    });
    Ok((sender, Connection { _driver: driver, _permit: permit }))
}

/// The request as it goes over the line: whom it is for was decided, and one that would blur where it ends is refused.
fn prepared<B>(request: Request<B>, target: &Target) -> Result<Request<B>, HttpError> {
    let (mut parts, body) = request.into_parts();
    // A tunnel would lead anywhere.
    if parts.method == Method::CONNECT {
        return Err(HttpError::MethodInvalid);
    }
    let path = parts.uri.path_and_query().map_or("/", |path| path.as_str());
    let path = match path.starts_with('/') {
        true => path.to_owned(),
        false => format!("/{path}"),
    };
    parts.uri = path.parse().map_err(|_| HttpError::UriInvalid)?;
    let headers = &mut parts.headers;
    if DEFAULT_FORBIDDEN_HEADERS.iter().any(|name| headers.contains_key(name))
        || headers.get_all(CONTENT_LENGTH).iter().count() > 1
    {
        return Err(HttpError::Protocol);
    }
    if bytes_of(headers) > HEADER_BYTES_MAX {
        return Err(HttpError::RequestHeaderTooLong);
    }
    let host = HeaderValue::from_str(&target.host_text()).map_err(|_| HttpError::UriInvalid)?;
    headers.insert(HOST, host);
    headers.insert(CONNECTION, HeaderValue::from_static("close"));
    Ok(Request::from_parts(parts, body))
}

fn bytes_of(headers: &HeaderMap) -> usize {
    headers.iter().map(|(name, value)| name.as_str().len() + value.len()).sum()
}
