//! Requests over HTTP on the line: a worker has no network, so the host sends them.
//!
//! Owns: what is said of one request. Each piece of a body is asked for before it is sent, in either direction.
//! Never: more than one piece under way for a request.

use http::{HeaderMap, HeaderName, HeaderValue, Method, Request, Response, StatusCode, Uri};
use serde::{Deserialize, Serialize};

use crate::outside::{HttpError, Timeouts};
use crate::process::frame::Bulk;

/// The longest piece of a body.
pub(crate) const PIECE_BYTES_MAX: usize = 64 << 10;

/// What a worker says of one of its requests.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) enum HttpSaid {
    /// Send it.
    Ask(Box<HttpAsk>),
    /// The first piece of its body, or the next after [`HttpTold::Taken`].
    Body(BodyPiece),
    /// The next piece of the response's body is wanted.
    More,
    /// Nobody waits for it any more.
    Dropped,
}

/// A piece of a request's body.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) enum BodyPiece {
    Bytes(Bulk),
    /// That was all.
    End,
    /// It cannot be sent to its end.
    Broken(HttpError),
}

/// What a worker is told of one of its requests.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) enum HttpTold {
    /// A piece of its body was taken.
    Taken,
    /// The head of the response.
    Answered(Result<HttpAnswer, HttpError>),
    /// A piece of the response's body; none after the last.
    Piece(Result<Option<Bulk>, HttpError>),
}

impl HttpTold {
    /// Nothing follows it.
    pub(crate) fn is_last(&self) -> bool {
        matches!(self, Self::Answered(Err(_)) | Self::Piece(Err(_) | Ok(None)))
    }
}

/// A request without its body.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct HttpAsk {
    method: String,
    url: String,
    fields: Fields,
    pub(crate) has_body: bool,
    pub(crate) timeouts: Timeouts,
}

/// A response without its body.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct HttpAnswer {
    status: u16,
    fields: Fields,
}

/// Header fields, in order.
#[derive(Debug, Serialize, Deserialize)]
struct Fields(Vec<(String, Vec<u8>)>);

impl From<&HeaderMap> for Fields {
    fn from(headers: &HeaderMap) -> Self {
        let field = |(name, value): (&HeaderName, &HeaderValue)| {
            (name.as_str().to_owned(), value.as_bytes().to_vec())
        };
        Self(headers.iter().map(field).collect())
    }
}

impl Fields {
    /// Read again, with every check that the form of a field asks for.
    fn read(self) -> Result<HeaderMap, HttpError> {
        let mut headers = HeaderMap::new();
        for (name, value) in self.0 {
            let name = HeaderName::from_bytes(name.as_bytes()).map_err(|_| HttpError::Protocol)?;
            let value = HeaderValue::from_bytes(&value).map_err(|_| HttpError::Protocol)?;
            headers.try_append(name, value).map_err(|_| HttpError::RequestHeaderTooLong)?;
        }
        Ok(headers)
    }
}

impl HttpAsk {
    pub(crate) fn of(request: &http::request::Parts, has_body: bool, timeouts: Timeouts) -> Self {
        Self {
            method: request.method.to_string(),
            url: request.uri.to_string(),
            fields: Fields::from(&request.headers),
            has_body,
            timeouts,
        }
    }

    /// The request that it stands for.
    pub(crate) fn request<B>(self, body: B) -> Result<Request<B>, HttpError> {
        let mut request = Request::new(body);
        *request.method_mut() =
            Method::from_bytes(self.method.as_bytes()).map_err(|_| HttpError::MethodInvalid)?;
        *request.uri_mut() = self.url.parse::<Uri>().map_err(|_| HttpError::UriInvalid)?;
        *request.headers_mut() = self.fields.read()?;
        Ok(request)
    }
}

impl HttpAnswer {
    pub(crate) fn of<B>(response: &Response<B>) -> Self {
        Self { status: response.status().as_u16(), fields: Fields::from(response.headers()) }
    }

    /// The response that it stands for.
    pub(crate) fn response<B>(self, body: B) -> Result<Response<B>, HttpError> {
        let mut response = Response::new(body);
        *response.status_mut() =
            StatusCode::from_u16(self.status).map_err(|_| HttpError::Protocol)?;
        *response.headers_mut() = self.fields.read()?;
        Ok(response)
    }
}
