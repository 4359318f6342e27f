//! Small servers on 127.0.0.1 that speak HTTP as badly as a test wants.
//!
//! Owns: listening, a thread for each connection, reading one request from it, and remembering what came.
//! Never: speaks to anybody but this machine.

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;

/// A request as it came.
#[derive(Debug, Clone, Default)]
pub struct Request {
    /// Such as `GET`.
    pub method: String,
    /// As in the first line.
    pub path: String,
    /// Names in small letters; of several fields with one name the last.
    pub headers: BTreeMap<String, String>,
    /// The whole body.
    pub body: Vec<u8>,
}

impl Request {
    /// A header's value, or nothing.
    pub fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", String::as_str)
    }
}

/// A server that runs until it falls.
#[derive(Debug)]
pub struct Server {
    address: SocketAddr,
    seen: Arc<Seen>,
}

#[derive(Debug, Default)]
struct Seen {
    requests: Mutex<Vec<Request>>,
    now: AtomicUsize,
    most: AtomicUsize,
    is_over: std::sync::atomic::AtomicBool,
}

impl Server {
    /// Answers each request by what `answer` writes; the connection ends after that.
    ///
    /// # Panics
    ///
    /// Where nothing can listen on this machine.
    pub fn start(answer: impl Fn(&Request, &mut TcpStream) + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port is free");
        let address = listener.local_addr().expect("it listens");
        let seen = Arc::new(Seen::default());
        let (of_thread, answer) = (Arc::clone(&seen), Arc::new(answer));
        thread::spawn(move || {
            for stream in listener.incoming() {
                if of_thread.is_over.load(Ordering::Relaxed) {
                    return;
                }
                let (seen, answer) = (Arc::clone(&of_thread), Arc::clone(&answer));
                thread::spawn(move || serve(stream.expect("it was accepted"), &seen, &*answer));
            }
        });
        Self { address, seen }
    }

    /// Where it listens, such as `127.0.0.1:40001`.
    pub fn host(&self) -> String {
        self.address.to_string()
    }

    /// Its port.
    pub fn port(&self) -> u16 {
        self.address.port()
    }

    /// All requests that came, in order.
    pub fn requests(&self) -> Vec<Request> {
        self.seen.requests.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// How many were answered at once at most.
    pub fn most_at_once(&self) -> usize {
        self.seen.most.load(Ordering::Relaxed)
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.seen.is_over.store(true, Ordering::Relaxed);
        // Wakes whoever listens.
        let _ = TcpStream::connect(self.address);
    }
}

fn serve(mut stream: TcpStream, seen: &Seen, answer: &dyn Fn(&Request, &mut TcpStream)) {
    let now = seen.now.fetch_add(1, Ordering::Relaxed) + 1;
    seen.most.fetch_max(now, Ordering::Relaxed);
    if let Some(request) = read(&stream) {
        seen.requests.lock().unwrap_or_else(PoisonError::into_inner).push(request.clone());
        answer(&request, &mut stream);
    }
    seen.now.fetch_sub(1, Ordering::Relaxed);
}

/// Reads a request whole; `None` where the connection breaks before.
fn read(stream: &TcpStream) -> Option<Request> {
    let mut reader = BufReader::new(stream);
    let mut line = || {
        let mut line = String::new();
        let read = reader.read_line(&mut line).ok()?;
        (read > 0).then(|| line.trim_end().to_owned())
    };
    let first = line()?;
    let mut words = first.split(' ').map(str::to_owned);
    let mut request = Request { method: words.next()?, path: words.next()?, ..Request::default() };
    loop {
        let field = line()?;
        let Some((name, value)) = field.split_once(':') else { break };
        request.headers.insert(name.to_ascii_lowercase(), value.trim().to_owned());
    }
    if request.header("transfer-encoding") == "chunked" {
        loop {
            let mut size = String::new();
            reader.read_line(&mut size).ok()?;
            let size = usize::from_str_radix(size.trim(), 16).ok()?;
            let mut piece = vec![0; size + 2];
            reader.read_exact(&mut piece).ok()?;
            if size == 0 {
                return Some(request);
            }
            request.body.extend_from_slice(&piece[..size]);
        }
    }
    let length = request.header("content-length").parse().unwrap_or(0);
    request.body = vec![0; length];
    reader.read_exact(&mut request.body).ok()?;
    Some(request)
}

/// Writes a whole response; who is gone hears nothing.
pub fn respond(stream: &mut TcpStream, status: u16, headers: &[(&str, &str)], body: &[u8]) {
    let mut head = format!("HTTP/1.1 {status} x\r\ncontent-length: {}\r\n", body.len());
    for (name, value) in headers {
        head += &format!("{name}: {value}\r\n");
    }
    let _ = stream.write_all((head + "\r\n").as_bytes());
    let _ = stream.write_all(body);
}
