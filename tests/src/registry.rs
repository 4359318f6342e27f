//! Registries of components on this machine: Debian's `docker-registry`, and one that answers as a test tells it.
//!
//! Owns: starting them on a free port of this machine, pushing to the honest one, and ending both.
//! Never: speaks with another machine.

use std::fmt::Write as _;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use sha2::{Digest as _, Sha256};
use tempfile::TempDir;

/// How long the registry may take to answer for the first time.
const PATIENCE: Duration = Duration::from_secs(30);

/// Who may read and write in a [`DockerRegistry`] that is private.
pub const USER: &str = "ada";
/// With this password.
pub const PASSWORD: &str = "s3cret-of-ada";
/// What an `htpasswd` file has for it (bcrypt).
const PASSWORD_HASH: &str = "$2y$05$abcdefghijklmnopqrstuuitFbFC.tJuUuBIoKqGq8ZH9Y5KVtvNK";

/// The value of `Authorization` for a user and a password.
pub fn basic(user: &str, password: &str) -> String {
    format!("Basic {}", STANDARD.encode(format!("{user}:{password}")))
}

/// A digest as registries write it.
pub fn digest(bytes: &[u8]) -> String {
    Sha256::digest(bytes).iter().fold("sha256:".to_owned(), |mut text, byte| {
        write!(text, "{byte:02x}").expect("a String takes all");
        text
    })
}

/// The manifest of one layer.
pub fn manifest(media_type: &str, layer_digest: &str, size: usize) -> String {
    let config =
        r#"{"mediaType":"application/vnd.wasm.config.v0+json","digest":"CONFIG","size":2}"#;
    let config = config.replace("CONFIG", &digest(b"{}"));
    format!(
        r#"{{"schemaVersion":2,"mediaType":"application/vnd.oci.image.manifest.v1+json","config":{config},"layers":[{{"mediaType":"{media_type}","digest":"{layer_digest}","size":{size}}}]}}"#
    )
}

/// Debian's registry, with its storage in a temporary folder; it ends with this.
#[derive(Debug)]
pub struct DockerRegistry {
    child: Child,
    /// `localhost:PORT`.
    pub address: String,
    is_private: bool,
    _storage: TempDir,
}

impl DockerRegistry {
    /// Starts it, open to anybody.
    pub fn start() -> Self {
        Self::start_with(None)
    }

    /// Starts it for [`USER`] with [`PASSWORD`] alone.
    pub fn start_private() -> Self {
        Self::start_with(Some(&format!("{USER}:{PASSWORD_HASH}\n")))
    }

    /// # Panics
    ///
    /// Where it is not installed, or does not come up.
    fn start_with(passwords: Option<&str>) -> Self {
        let free = TcpListener::bind("127.0.0.1:0").expect("a free port");
        let port = free.local_addr().expect("a bound port").port();
        drop(free);
        let storage = tempfile::tempdir().expect("a temporary folder can be made");
        let config = storage.path().join("config.yml");
        let root = storage.path().join("storage");
        let mut text = format!(
            "version: 0.1\nlog: {{ level: error }}\nstorage: {{ filesystem: {{ rootdirectory: {} }} }}\nhttp: {{ addr: 127.0.0.1:{port} }}\n",
            root.display()
        );
        if let Some(passwords) = passwords {
            let file = storage.path().join("htpasswd");
            std::fs::write(&file, passwords).expect("a file can be written");
            text += &format!("auth: {{ htpasswd: {{ realm: test, path: {} }} }}\n", file.display());
        }
        std::fs::write(&config, text).expect("a file can be written");
        let child = Command::new("docker-registry")
            .arg("serve")
            .arg(&config)
            .env_clear()
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .expect("docker-registry is installed: `cargo xtask test` does that");
        let (address, is_private) = (format!("localhost:{port}"), passwords.is_some());
        let registry = Self { child, address, is_private, _storage: storage };
        let begun = Instant::now();
        while TcpStream::connect(("127.0.0.1", port)).is_err() {
            assert!(begun.elapsed() < PATIENCE, "the registry did not come up");
            std::thread::sleep(Duration::from_millis(20));
        }
        registry
    }

    /// Pushes one layer under a tag; the answer is the digest of the manifest.
    pub fn push(&self, repository: &str, tag: &str, media_type: &str, layer: &[u8]) -> String {
        for blob in [b"{}".as_slice(), layer] {
            let begun = self.ask("POST", &format!("/v2/{repository}/blobs/uploads/"), "", b"");
            let at = begun.find("/v2/").map(|at| &begun[at..]).expect("a place to upload to");
            let separator = if at.contains('?') { '&' } else { '?' };
            let at = format!("{at}{separator}digest={}", digest(blob).replace(':', "%3A"));
            self.ask("PUT", &at, "application/octet-stream", blob);
        }
        let text = manifest(media_type, &digest(layer), layer.len());
        let kind = "application/vnd.oci.image.manifest.v1+json";
        self.ask("PUT", &format!("/v2/{repository}/manifests/{tag}"), kind, text.as_bytes());
        digest(text.as_bytes())
    }

    /// Sends a request that must succeed; the answer is its `Location`.
    fn ask(&self, method: &str, path: &str, kind: &str, body: &[u8]) -> String {
        let mut stream = TcpStream::connect(self.address.replace("localhost", "127.0.0.1"))
            .expect("the registry listens");
        let login = match self.is_private {
            true => format!("Authorization: {}\r\n", basic(USER, PASSWORD)),
            false => String::new(),
        };
        let head = format!(
            "{method} {path} HTTP/1.1\r\nHost: {}\r\n{login}Content-Type: {kind}\r\nContent-Length: {}\r\nConnection: close\r\n\r\n",
            self.address,
            body.len()
        );
        stream.write_all(head.as_bytes()).and_then(|()| stream.write_all(body)).expect("it hears");
        let mut answer = String::new();
        stream.read_to_string(&mut answer).expect("it answers in text");
        let status = answer.split(' ').nth(1).unwrap_or_default();
        assert!(status.starts_with('2'), "{method} {path}: {answer}");
        let location = answer.lines().find_map(|line| line.strip_prefix("Location: "));
        location.unwrap_or_default().trim().to_owned()
    }
}

impl Drop for DockerRegistry {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// How a lying registry answers: the line of the status with the headers, the body, and whether that body ever ends.
#[derive(Debug, Clone)]
pub struct Answer {
    /// Such as `200 OK` with headers on lines of their own.
    pub head: String,
    /// What follows.
    pub body: Vec<u8>,
    /// The body is sent again and again until nobody listens.
    pub is_endless: bool,
}

impl Answer {
    /// Status 200 with this body.
    pub fn of(body: impl Into<Vec<u8>>) -> Self {
        let body = body.into();
        Self { head: format!("200 OK\r\nContent-Length: {}", body.len()), body, is_endless: false }
    }

    /// Only a head.
    pub fn head(head: &str) -> Self {
        let head = format!("{head}\r\nContent-Length: 0");
        Self { head, body: Vec::new(), is_endless: false }
    }

    /// Status 200 and bytes without end.
    pub fn endless() -> Self {
        let (head, body) = ("200 OK".to_owned(), vec![b' '; 1 << 16]);
        Self { head, body, is_endless: true }
    }
}

/// What a lying registry hears.
#[derive(Debug)]
pub struct Heard {
    /// With what stands behind `?`.
    pub path: String,
    /// The registry's own address, as it was asked.
    pub host: String,
    /// The header, where there was one.
    pub authorization: Option<String>,
    /// Such as `GET`.
    pub method: String,
    /// What was sent along, as text.
    pub body: String,
}

/// Starts a registry that answers as the test says; the answer is its address. It ends with the test.
///
/// # Panics
///
/// Where there is no free port.
pub fn lying(answer: impl Fn(&Heard) -> Answer + Send + Sync + 'static) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let address = listener.local_addr().expect("a bound port");
    let answer = Arc::new(answer);
    std::thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            let answer = Arc::clone(&answer);
            std::thread::spawn(move || serve(stream, &*answer));
        }
    });
    address.to_string()
}

fn serve(mut stream: TcpStream, answer: &dyn Fn(&Heard) -> Answer) {
    let Ok(copy) = stream.try_clone() else { return };
    let mut reader = BufReader::new(copy);
    let lines = reader.by_ref().lines().map_while(Result::ok);
    let lines: Vec<_> = lines.take_while(|line| !line.is_empty()).collect();
    let header = |name: &str| {
        let found = lines.iter().skip(1).filter_map(|line| line.split_once(": "));
        found.filter(|(key, _)| key.eq_ignore_ascii_case(name)).map(|(_, it)| it.to_owned()).next()
    };
    let word = |at| lines.first().and_then(|line| line.split(' ').nth(at)).unwrap_or_default();
    let (method, path) = (word(0).to_owned(), word(1).to_owned());
    let host = header("host").unwrap_or_default();
    let length = header("content-length").and_then(|it| it.parse().ok()).unwrap_or(0);
    let mut body = String::new();
    let _ = reader.take(length).read_to_string(&mut body);
    let heard = Heard { path, host, authorization: header("authorization"), method, body };
    let Answer { head, body, is_endless } = answer(&heard);
    let head = format!("HTTP/1.1 {head}\r\nConnection: close\r\n\r\n");
    let mut sent = stream.write_all(head.as_bytes()).and_then(|()| stream.write_all(&body));
    while is_endless && sent.is_ok() {
        sent = stream.write_all(&body);
    }
}
