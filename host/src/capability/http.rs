//! Outgoing HTTP: linked, because languages import it, and denied but for the hosts that were granted.
//!
//! Owns: the first look at each request, and the answers `HTTP-request-denied` and its like. Its limits: 32 KiB of header
//! fields here, and what [`Caps`](crate::outside::Caps) say of requests and bodies. It charges: a call's fuel, and that of
//! the bytes of responses. Its escape tests: `tests/tests/network.rs`.
//! Never: sends; that is an [`HttpService`], here or behind the worker's line.

use std::future::{Future, ready};
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use std::task::{Context, Poll};

use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};
use http_body_util::BodyExt;
use pframe_core::hosts::HostPattern;
use wasmtime_wasi_http::{Error, RequestOptions, WasiBody, WasiHttpHooks};

use crate::outside::{HttpError, Reach, Target, Timeouts};

/// The body of a response on its way to a guest.
pub(crate) type Incoming = http_body_util::combinators::UnsyncBoxBody<Bytes, HttpError>;
/// A request that is under way.
pub(crate) type Sending =
    Pin<Box<dyn Future<Output = Result<http::Response<Incoming>, HttpError>> + Send>>;

/// Who sends requests for an attempt.
pub(crate) trait HttpService: Send {
    /// Sends one, without a look at whether it may. Who lets the call fall cancels it.
    fn send(&mut self, request: http::Request<Outgoing>, timeouts: Timeouts) -> Sending;
}

/// The host's side of HTTP for one guest.
pub(crate) struct GuestHttp {
    reach: Reach,
    service: Box<dyn HttpService>,
    denied: Arc<AtomicU32>,
    uncharged: Arc<AtomicU64>,
}

impl GuestHttp {
    /// Of an attempt that was granted these.
    pub(crate) fn new(granted: &[HostPattern], service: Box<dyn HttpService>) -> Self {
        let (denied, uncharged) = (Arc::default(), Arc::default());
        Self { reach: Reach::new(granted), service, denied, uncharged }
    }

    /// Requests that were denied, by their host or by its address.
    pub(crate) fn calls_denied(&self) -> u32 {
        self.denied.load(Ordering::Relaxed)
    }

    /// Bytes of responses that were handed over since this was last asked.
    pub(crate) fn take_uncharged(&self) -> u64 {
        self.uncharged.swap(0, Ordering::Relaxed)
    }
}

type Response = (http::Response<WasiBody>, Box<dyn Future<Output = Result<(), Error>> + Send>);

impl WasiHttpHooks for GuestHttp {
    /// The host's own hand writes it, from what it checked.
    fn set_host_header(&mut self) -> bool {
        false
    }

    fn send_request(
        &mut self,
        request: http::Request<WasiBody>,
        options: Option<RequestOptions>,
        _: Box<dyn Future<Output = Result<(), Error>> + Send>,
    ) -> Box<dyn Future<Output = Result<Response, Error>> + Send> {
        let checked = Target::of(request.uri()).and_then(|target| self.reach.check(&target));
        if let Err(error) = checked {
            count(&self.denied, &error);
            return Box::new(ready(Err(wasi_error(&error))));
        }
        let options = options.unwrap_or_default();
        let timeouts = Timeouts {
            connect: options.connect_timeout,
            first_byte: options.first_byte_timeout,
            between_bytes: options.between_bytes_timeout,
        };
        let sending = self.service.send(request.map(Outgoing), timeouts);
        let (denied, uncharged) = (Arc::clone(&self.denied), Arc::clone(&self.uncharged));
        Box::new(async move {
            match sending.await {
                Ok(response) => {
                    let response = response.map(|body| Charged { body, uncharged }.boxed_unsync());
                    let nothing: Box<dyn Future<Output = _> + Send> = Box::new(ready(Ok(())));
                    Ok((response, nothing))
                }
                Err(error) => {
                    count(&denied, &error);
                    Err(wasi_error(&error))
                }
            }
        })
    }
}

fn count(denied: &AtomicU32, error: &HttpError) {
    if matches!(error, HttpError::Denied | HttpError::AddressProhibited) {
        denied.fetch_add(1, Ordering::Relaxed);
    }
}

/// The body of a request, as the guest writes it.
pub(crate) struct Outgoing(WasiBody);

impl Body for Outgoing {
    type Data = Bytes;
    type Error = HttpError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, HttpError>>> {
        let frame = Pin::new(&mut self.0).poll_frame(context);
        // The guest let its body fall before it was whole.
        frame.map(|frame| frame.map(|frame| frame.map_err(|_| HttpError::Cancelled)))
    }

    fn is_end_stream(&self) -> bool {
        self.0.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.0.size_hint()
    }
}

/// The body of a response, as the guest reads it.
struct Charged {
    body: Incoming,
    uncharged: Arc<AtomicU64>,
}

impl Body for Charged {
    type Data = Bytes;
    type Error = Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Error>>> {
        let frame = Pin::new(&mut self.body).poll_frame(context);
        if let Poll::Ready(Some(Ok(frame))) = &frame {
            let bytes = frame.data_ref().map_or(0, Bytes::len);
            self.uncharged.fetch_add(bytes as u64, Ordering::Relaxed);
        }
        frame.map(|frame| frame.map(|frame| frame.map_err(|error| wasi_error(&error))))
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

/// The interface's own word for it.
fn wasi_error(error: &HttpError) -> Error {
    match *error {
        HttpError::Denied => Error::HttpRequestDenied,
        HttpError::AddressProhibited => Error::DestinationIpProhibited,
        HttpError::UriInvalid => Error::HttpRequestUriInvalid,
        HttpError::UriTooLong => Error::HttpRequestUriTooLong,
        HttpError::MethodInvalid => Error::HttpRequestMethodInvalid,
        HttpError::Name => Error::DnsError { rcode: None, info_code: None },
        HttpError::Refused => Error::ConnectionRefused,
        HttpError::Unreachable => Error::DestinationUnavailable,
        HttpError::Terminated | HttpError::Cancelled => Error::ConnectionTerminated,
        HttpError::ConnectTimeout => Error::ConnectionTimeout,
        HttpError::ResponseTimeout => Error::HttpResponseTimeout,
        HttpError::ReadTimeout => Error::ConnectionReadTimeout,
        HttpError::Tls => Error::TlsProtocolError,
        HttpError::Certificate => Error::TlsCertificateError,
        HttpError::TooManyRequests => Error::ConnectionLimitReached,
        HttpError::RequestHeaderTooLong => Error::HttpRequestHeaderSectionSize(None),
        HttpError::RequestTooLong(bytes) => Error::HttpRequestBodySize(Some(bytes)),
        HttpError::RequestTrailers => Error::HttpRequestTrailerSectionSize(None),
        HttpError::ResponseHeaderTooLong => Error::HttpResponseHeaderSectionSize(None),
        HttpError::ResponseTooLong(bytes) => Error::HttpResponseBodySize(Some(bytes)),
        HttpError::Incomplete => Error::HttpResponseIncomplete,
        HttpError::Protocol => Error::HttpProtocolError,
    }
}
