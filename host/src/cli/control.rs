//! The socket through which other commands speak to a running host: `cancel`, `explain` and `status`.
//!
//! Owns: the protocol: one line of JSON in, one line of JSON out, then the connection closes.
//! Never: trusts its caller with more than the mode of the socket (0600) says: the same user.

use std::io::{BufRead, BufReader, Read, Write};
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};
use std::time::Duration;

use pframe_core::ids::JobId;
use serde::{Deserialize, Serialize};

use crate::engine::{Engine, Remote};

/// Bytes of a request at most.
const REQUEST_BYTES_MAX: u64 = 4096;
/// How long a caller may take.
const PATIENCE: Duration = Duration::from_secs(5);

/// What a caller wants.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub(super) enum Request {
    /// End a job.
    Cancel(JobId),
    /// Say why a job waits.
    Explain(JobId),
    /// Say which run it works on.
    Run,
}

/// What the host answers.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(super) enum Answer {
    /// It is done, or this is the explanation.
    Done(String),
    /// The host works on this run.
    Run(i64),
    /// No job of that name is unfinished here.
    Unknown,
}

/// The listening socket; its file goes when the run ends.
pub(super) struct ControlSocket(PathBuf);

impl ControlSocket {
    /// Listens in the state directory. Without the socket a run goes on; only `cancel` cannot reach it.
    pub(super) fn open(state_dir: &Path, engine: &Engine) -> Option<Self> {
        let path = path_in(state_dir);
        let _ = std::fs::remove_file(&path);
        let listener = UnixListener::bind(&path)
            .inspect_err(|error| tracing::warn!(%error, "`cancel` will not reach this host"))
            .ok()?;
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o600)).ok()?;
        let (remote, run) = (engine.remote(), engine.run());
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                answer(&remote, run, &stream);
            }
        });
        Some(Self(path))
    }
}

impl Drop for ControlSocket {
    fn drop(&mut self) {
        let _ = std::fs::remove_file(&self.0);
    }
}

/// Asks the host that uses this state directory; `None` where none listens.
pub(super) fn ask(state_dir: &Path, request: &Request) -> Option<Answer> {
    let mut stream = UnixStream::connect(path_in(state_dir)).ok()?;
    stream.set_read_timeout(Some(PATIENCE)).ok()?;
    let line = serde_json::to_string(request).expect("a request is valid JSON");
    writeln!(stream, "{line}").ok()?;
    let mut answer = String::new();
    BufReader::new(stream).read_line(&mut answer).ok()?;
    serde_json::from_str(&answer).ok()
}

fn path_in(state_dir: &Path) -> PathBuf {
    state_dir.join("control.sock")
}

fn answer(remote: &Remote, run: Option<i64>, stream: &UnixStream) {
    let _ = stream.set_read_timeout(Some(PATIENCE));
    let mut line = String::new();
    let mut reader = BufReader::new(stream.take(REQUEST_BYTES_MAX));
    if reader.read_line(&mut line).is_err() {
        return;
    }
    let Ok(request) = serde_json::from_str(&line) else { return };
    let answer = match request {
        Request::Cancel(job) if remote.cancel(&job) => {
            Answer::Done(format!("job {job} is being cancelled"))
        }
        Request::Cancel(_) => Answer::Unknown,
        Request::Run => run.map_or(Answer::Unknown, Answer::Run),
        Request::Explain(job) => remote.explain(&job).map_or(Answer::Unknown, Answer::Done),
    };
    let mut stream = stream;
    let line = serde_json::to_string(&answer).expect("an answer is valid JSON");
    let _ = writeln!(stream, "{line}");
}
