//! Why a request has no response.
//!
//! Owns: the closed set of reasons; guests and people are each told in their own words elsewhere.
//! Never: carries what a server said.

use serde::{Deserialize, Serialize};

/// Why a request, or the rest of a body, did not come.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
pub(crate) enum HttpError {
    #[error("requests to this host were not granted")]
    Denied,
    #[error("the name leads to an address that may not be reached")]
    AddressProhibited,
    #[error("this is no URL that can be asked for")]
    UriInvalid,
    #[error("the URL is too long")]
    UriTooLong,
    #[error("this method cannot be used")]
    MethodInvalid,
    #[error("the name cannot be resolved")]
    Name,
    #[error("the connection was refused")]
    Refused,
    #[error("the host cannot be reached")]
    Unreachable,
    #[error("the connection broke")]
    Terminated,
    #[error("no connection was made in time")]
    ConnectTimeout,
    #[error("no response came in time")]
    ResponseTimeout,
    #[error("the response stopped coming")]
    ReadTimeout,
    #[error("TLS failed")]
    Tls,
    #[error("the host's certificate is not trusted")]
    Certificate,
    #[error("too many requests")]
    TooManyRequests,
    #[error("the header of the request is too long")]
    RequestHeaderTooLong,
    #[error("the bodies of requests are too long: {0} bytes")]
    RequestTooLong(u64),
    #[error("trailers cannot be sent")]
    RequestTrailers,
    #[error("the header of the response is too long")]
    ResponseHeaderTooLong,
    #[error("the bodies of responses are too long: {0} bytes")]
    ResponseTooLong(u64),
    #[error("the response is not whole")]
    Incomplete,
    #[error("the other end does not keep to HTTP")]
    Protocol,
    #[error("nobody waits for it any more")]
    Cancelled,
}

impl From<&hyper::Error> for HttpError {
    fn from(error: &hyper::Error) -> Self {
        // What stopped the body of the request is the reason behind hyper's own.
        let mut source = std::error::Error::source(error);
        while let Some(inner) = source {
            if let Some(own) = inner.downcast_ref::<Self>() {
                return own.clone();
            }
            source = inner.source();
        }
        match () {
            () if error.is_parse_too_large() => Self::ResponseHeaderTooLong,
            () if error.is_parse() => Self::Protocol,
            () if error.is_incomplete_message() => Self::Incomplete,
            () if error.is_timeout() => Self::ResponseTimeout,
            () => Self::Terminated,
        }
    }
}
