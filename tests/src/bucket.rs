//! A small store of objects that speaks S3, on 127.0.0.1.
//!
//! Owns: GET with ranges and conditions, HEAD, lists, PUT, and uploads in parts that appear whole or not at all.
//! Never: checks a signature; it remembers that there was one.

use std::collections::BTreeMap;
use std::net::TcpStream;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use sha2::{Digest, Sha256};

use crate::web::{Request, Server, respond};

/// A store with one bucket.
#[derive(Debug)]
pub struct Bucket {
    /// Where it listens.
    pub server: Server,
    state: Arc<Mutex<State>>,
}

#[derive(Debug, Default)]
struct State {
    objects: BTreeMap<String, Vec<u8>>,
    /// Parts of uploads that were not ended.
    uploads: BTreeMap<String, BTreeMap<u32, Vec<u8>>>,
    /// The part that is refused.
    refused_part: Option<u32>,
}

impl Bucket {
    /// A store whose bucket has this name and these objects.
    pub fn start(name: &str, objects: &[(&str, &[u8])]) -> Self {
        let objects = objects.iter().map(|(key, bytes)| ((*key).to_owned(), bytes.to_vec()));
        let state = State { objects: objects.collect(), ..State::default() };
        let state = Arc::new(Mutex::new(state));
        let (of_server, bucket) = (Arc::clone(&state), format!("/{name}"));
        let server = Server::start(move |request, stream| {
            let (path, query) = request.path.split_once('?').unwrap_or((&request.path, ""));
            let Some(key) = path.strip_prefix(&*bucket) else {
                return respond(stream, 404, &[], b"<Error><Code>NoSuchBucket</Code></Error>");
            };
            let key = key.trim_start_matches('/');
            answer(&mut lock(&of_server), request, key, &fields(query), stream);
        });
        Self { server, state }
    }

    /// An object's bytes.
    pub fn object(&self, key: &str) -> Option<Vec<u8>> {
        lock(&self.state).objects.get(key).cloned()
    }

    /// Replaces an object.
    pub fn put(&self, key: &str, bytes: &[u8]) {
        lock(&self.state).objects.insert(key.to_owned(), bytes.to_vec());
    }

    /// Uploads that were begun and neither ended nor given up.
    pub fn uploads(&self) -> usize {
        lock(&self.state).uploads.len()
    }

    /// From now on the part of this number is refused.
    pub fn refuse_part(&self, number: u32) {
        lock(&self.state).refused_part = Some(number);
    }
}

fn lock(state: &Mutex<State>) -> MutexGuard<'_, State> {
    state.lock().unwrap_or_else(PoisonError::into_inner)
}

fn fields(query: &str) -> BTreeMap<String, String> {
    let field = |field: &str| {
        let (name, value) = field.split_once('=').unwrap_or((field, ""));
        (name.to_owned(), value.replace("%2F", "/"))
    };
    query.split('&').map(field).collect()
}

fn tag(bytes: &[u8]) -> String {
    let digest = Sha256::digest(bytes);
    let hex: String = digest[..8].iter().map(|byte| format!("{byte:02x}")).collect();
    format!("\"{hex}\"")
}

fn answer(
    state: &mut State,
    request: &Request,
    key: &str,
    query: &BTreeMap<String, String>,
    stream: &mut TcpStream,
) {
    let upload = query.get("uploadId");
    match (request.method.as_str(), upload) {
        ("GET", None) if key.is_empty() => list(state, query, stream),
        ("GET" | "HEAD", None) => get(state, request, key, stream),
        ("PUT", None) => {
            state.objects.insert(key.to_owned(), request.body.clone());
            respond(stream, 200, &[("etag", &tag(&request.body))], b"");
        }
        ("POST", None) => {
            let id = format!("u{}", state.uploads.len());
            state.uploads.insert(id.clone(), BTreeMap::new());
            let text = format!(
                "<InitiateMultipartUploadResult><Bucket>b</Bucket><Key>{key}</Key><UploadId>{id}</UploadId></InitiateMultipartUploadResult>"
            );
            respond(stream, 200, &[], text.as_bytes());
        }
        ("PUT", Some(id)) => {
            let number: u32 = query["partNumber"].parse().expect("a number");
            if state.refused_part == Some(number) {
                return respond(stream, 400, &[], b"<Error><Code>No</Code></Error>");
            }
            let parts = state.uploads.get_mut(id).expect("it was begun");
            parts.insert(number, request.body.clone());
            respond(stream, 200, &[("etag", &tag(&request.body))], b"");
        }
        ("POST", Some(id)) => {
            let parts = state.uploads.remove(id).expect("it was begun");
            let whole: Vec<u8> = parts.into_values().flatten().collect();
            let text = format!(
                "<CompleteMultipartUploadResult><ETag>{}</ETag></CompleteMultipartUploadResult>",
                tag(&whole).replace('"', "&quot;")
            );
            state.objects.insert(key.to_owned(), whole);
            respond(stream, 200, &[], text.as_bytes());
        }
        ("DELETE", Some(id)) => {
            state.uploads.remove(id);
            respond(stream, 204, &[], b"");
        }
        _ => respond(stream, 405, &[], b""),
    }
}

fn get(state: &State, request: &Request, key: &str, stream: &mut TcpStream) {
    let Some(bytes) = state.objects.get(key) else {
        return respond(stream, 404, &[], b"<Error><Code>NoSuchKey</Code></Error>");
    };
    let (tag, date) = (tag(bytes), "Sat, 28 Nov 2026 04:16:04 GMT");
    let wanted = request.header("if-match");
    if !wanted.is_empty() && wanted != tag {
        return respond(stream, 412, &[], b"");
    }
    if request.method == "HEAD" {
        use std::io::Write;
        let head = format!(
            "HTTP/1.1 200 OK\r\ncontent-length: {}\r\netag: {tag}\r\nlast-modified: {date}\r\n\r\n",
            bytes.len()
        );
        let _ = stream.write_all(head.as_bytes());
        return;
    }
    let range = request.header("range").strip_prefix("bytes=").and_then(|it| it.split_once('-'));
    let Some((first, last)) = range else {
        return respond(stream, 200, &[("etag", &tag), ("last-modified", date)], bytes);
    };
    let first: usize = first.parse().expect("a number");
    let last = last.parse::<usize>().expect("a number").min(bytes.len() - 1);
    let range = format!("bytes {first}-{last}/{}", bytes.len());
    let fields = [("etag", &*tag), ("last-modified", date), ("content-range", &range)];
    respond(stream, 206, &fields, &bytes[first..=last]);
}

fn list(state: &State, query: &BTreeMap<String, String>, stream: &mut TcpStream) {
    let prefix = query.get("prefix").map_or("", String::as_str);
    let mut text = String::from("<ListBucketResult><IsTruncated>false</IsTruncated>");
    for (key, bytes) in state.objects.iter().filter(|(key, _)| key.starts_with(prefix)) {
        text += &format!(
            "<Contents><Key>{key}</Key><LastModified>2026-11-28T04:16:04.000Z</LastModified><ETag>{}</ETag><Size>{}</Size></Contents>",
            tag(bytes).replace('"', "&quot;"),
            bytes.len()
        );
    }
    respond(stream, 200, &[], (text + "</ListBucketResult>").as_bytes());
}
