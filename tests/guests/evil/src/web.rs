//! Requests over HTTP as the chunk describes them, good ones and bad.
//!
//! Owns: sending each exactly as it is written, also where an honest library would not.
//! Never: decides what is bad.

use std::fmt::Write as _;
use std::io::Write;

use pframe_guest::{Chunk, Failure, Output};
use serde::Deserialize;
use wasip2::http::outgoing_handler;
use wasip2::http::types::{
    ErrorCode, Fields, FutureIncomingResponse, IncomingBody, IncomingResponse, Method,
    OutgoingBody, OutgoingRequest, RequestOptions, Scheme,
};
use wasip2::io::streams::{OutputStream, StreamError};

/// Bytes of a response that are asked for at a time.
const READ_BYTES: u64 = 64 << 10;
/// Bytes of a response that are shown.
const SHOWN_BYTES: usize = 200;

/// A request.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Asked {
    #[serde(default)]
    method: Option<String>,
    #[serde(default)]
    https: bool,
    host: String,
    #[serde(default)]
    path: Option<String>,
    #[serde(default)]
    headers: Vec<(String, String)>,
    #[serde(default)]
    body: Option<String>,
    /// Writes so many bytes more, as long as they are taken.
    #[serde(default)]
    more_bytes: u64,
    /// A field behind the body.
    #[serde(default)]
    trailer: Option<(String, String)>,
    /// Time between bytes, in nanoseconds.
    #[serde(default)]
    between_bytes: Option<u64>,
    /// Time to the first byte, in nanoseconds.
    #[serde(default)]
    first_byte: Option<u64>,
}

fn asked(chunk: &Chunk) -> Result<Vec<Asked>, Failure> {
    let mut text = Vec::new();
    for block in chunk.blocks() {
        text.extend(block?);
    }
    serde_json::from_slice(&text).map_err(|error| Failure::invalid(error.to_string()))
}

/// Each request of the chunk in turn, one line for each.
pub(crate) fn fetch(chunk: &Chunk, output: &mut Output) -> Result<(), Failure> {
    for asked in asked(chunk)? {
        let shown = match begin(&asked).and_then(|(response, _)| wait(&response)) {
            Ok(response) => read(&response),
            Err(why) => why,
        };
        writeln!(output, "{shown}")?;
    }
    Ok(())
}

/// The chunk's first request `n` times at once, then each response in turn; writes how often each outcome came.
pub(crate) fn fetch_many(chunk: &Chunk, output: &mut Output, n: u64) -> Result<(), Failure> {
    let all = asked(chunk)?;
    let mut outcomes = std::collections::BTreeMap::<String, u64>::new();
    let mut begun = Vec::new();
    for _ in 0..n {
        match begin(&all[0]) {
            Ok((response, _)) => begun.push(response),
            Err(why) => *outcomes.entry(why).or_default() += 1,
        }
    }
    for response in begun {
        let outcome = match wait(&response) {
            Ok(response) => read(&response),
            Err(why) => why,
        };
        *outcomes.entry(outcome).or_default() += 1;
    }
    for (outcome, count) in outcomes {
        writeln!(output, "{count} × {outcome}")?;
    }
    Ok(())
}

fn begin(asked: &Asked) -> Result<(FutureIncomingResponse, Option<String>), String> {
    let fields = Fields::new();
    for (name, value) in &asked.headers {
        let appended = fields.append(name, value.as_bytes());
        appended.map_err(|error| format!("header {name:?}: {error:?}"))?;
    }
    let request = OutgoingRequest::new(fields);
    let method = match asked.method.as_deref() {
        None => Method::Get,
        Some("POST") => Method::Post,
        Some("CONNECT") => Method::Connect,
        Some(other) => Method::Other(other.to_owned()),
    };
    let scheme = if asked.https { Scheme::Https } else { Scheme::Http };
    request.set_method(&method).map_err(|()| "not a method".to_owned())?;
    request.set_scheme(Some(&scheme)).map_err(|()| "not a scheme".to_owned())?;
    request.set_authority(Some(&asked.host)).map_err(|()| "not a host".to_owned())?;
    let path = asked.path.as_deref().unwrap_or("/");
    request.set_path_with_query(Some(path)).map_err(|()| "not a path".to_owned())?;
    let options = RequestOptions::new();
    let _ = options.set_between_bytes_timeout(asked.between_bytes);
    let _ = options.set_first_byte_timeout(asked.first_byte);
    let has_body = asked.body.is_some() || asked.more_bytes > 0 || asked.trailer.is_some();
    let body = has_body.then(|| request.body()).transpose().map_err(|()| "no body".to_owned())?;
    let handled = outgoing_handler::handle(request, Some(options));
    let response = handled.map_err(|error| short(&error))?;
    let told = body.and_then(|body| write(asked, body).err());
    Ok((response, told))
}

fn write(asked: &Asked, body: OutgoingBody) -> Result<(), String> {
    let stream = body.write().map_err(|()| "no stream".to_owned())?;
    all(&stream, asked.body.as_deref().unwrap_or_default().as_bytes())?;
    let more = vec![b'x'; 64 << 10];
    let mut left = asked.more_bytes;
    while left > 0 {
        let length = usize::try_from(left).unwrap_or(usize::MAX).min(more.len());
        all(&stream, &more[..length])?;
        left -= length as u64;
    }
    drop(stream);
    let trailers = asked.trailer.as_ref().map(|(name, value)| {
        let trailers = Fields::new();
        let _ = trailers.append(name, value.as_bytes());
        trailers
    });
    OutgoingBody::finish(body, trailers).map_err(|error| short(&error))
}

fn all(stream: &OutputStream, mut bytes: &[u8]) -> Result<(), String> {
    while !bytes.is_empty() {
        stream.subscribe().block();
        let room = stream.check_write().map_err(|error| format!("{error:?}"))?;
        let length = usize::try_from(room).unwrap_or(usize::MAX).min(bytes.len());
        stream.write(&bytes[..length]).map_err(|error| format!("{error:?}"))?;
        bytes = &bytes[length..];
    }
    Ok(())
}

fn wait(response: &FutureIncomingResponse) -> Result<IncomingResponse, String> {
    response.subscribe().block();
    match response.get() {
        Some(Ok(Ok(response))) => Ok(response),
        Some(Ok(Err(error))) => Err(short(&error)),
        Some(Err(())) | None => Err("no response".into()),
    }
}

fn read(response: &IncomingResponse) -> String {
    let mut shown = response.status().to_string();
    for (name, value) in response.headers().entries() {
        if name.starts_with("x-") || name == "location" {
            let _ = write!(shown, " {name}={}", String::from_utf8_lossy(&value));
        }
    }
    let Ok(body) = response.consume() else { return shown + " no body" };
    let Ok(stream) = body.stream() else { return shown + " no stream" };
    let (mut count, mut first) = (0, Vec::new());
    let end = loop {
        match stream.blocking_read(READ_BYTES) {
            Ok(bytes) => {
                count += bytes.len();
                let room = SHOWN_BYTES.saturating_sub(first.len());
                first.extend_from_slice(&bytes[..bytes.len().min(room)]);
            }
            Err(StreamError::Closed) => break String::new(),
            Err(StreamError::LastOperationFailed(error)) => {
                let code = wasip2::http::types::http_error_code(&error);
                break code.map_or_else(|| error.to_debug_string(), |code| short(&code));
            }
        }
    };
    drop(stream);
    drop(IncomingBody::finish(body));
    let _ = write!(shown, " {count} bytes");
    match first.len() == count {
        true => {
            let _ = write!(shown, " {:?}", String::from_utf8_lossy(&first));
        }
        false => shown += " …",
    }
    if end.is_empty() { shown } else { format!("{shown}, then {end}") }
}

fn short(error: &ErrorCode) -> String {
    format!("{error:?}").replace("ErrorCode::", "")
}
