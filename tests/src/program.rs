//! The built binary, in a folder of its own: nothing of the user's home, environment or state.
//!
//! Owns: starting it, reading what it says, ending it.
//! Never: builds it, and never waits for it without a limit.

use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdout, Command, ExitStatus, Output, Stdio};
use std::sync::mpsc::{RecvTimeoutError, channel};
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;
use tempfile::TempDir;

use crate::house::{in_processes, isolation};
use crate::{guest, root};

/// How long a run of the program may take.
const PATIENCE: Duration = Duration::from_secs(120);

/// The binary next to the test binaries of the same build.
///
/// # Panics
///
/// Where it has not been built.
pub fn binary() -> PathBuf {
    let test = std::env::current_exe().expect("a test knows where it lies");
    let profile = test.parent().and_then(Path::parent).expect("tests lie in `deps`");
    let path = profile.join("pframe-host");
    assert!(
        path.exists(),
        "{} is missing: run `cargo build -p pframe-host` (or `cargo xtask test`) first",
        path.display()
    );
    path
}

/// A folder in which the program runs: job file, inputs, components, state.
#[derive(Debug)]
pub struct Place {
    folder: TempDir,
    cache: PathBuf,
}

impl Default for Place {
    fn default() -> Self {
        Self::new()
    }
}

impl Place {
    /// An empty place with the cache that all tests share.
    pub fn new() -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder can be made");
        Self { folder, cache: root().join("target/test-cache") }
    }

    /// With a cache of its own.
    pub fn with_own_cache(mut self) -> Self {
        self.cache = self.path("cache");
        self
    }

    /// A path in this place.
    pub fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// Where the state lies.
    pub fn state(&self) -> PathBuf {
        self.path("state")
    }

    /// Where compiled components lie.
    pub fn cache(&self) -> &Path {
        &self.cache
    }

    /// Writes a file.
    pub fn write(&self, name: &str, content: impl AsRef<[u8]>) {
        let path = self.path(name);
        let folder = path.parent().expect("a file lies in a folder");
        fs::create_dir_all(folder).expect("a folder can be made");
        fs::write(path, content).expect("a file can be written");
    }

    /// Copies built guests here.
    pub fn bring<const N: usize>(&self, names: [&str; N]) {
        for name in names {
            fs::copy(guest(name), self.path(&format!("{name}.wasm")))
                .expect("a file can be copied");
        }
    }

    /// Reads a file; `None` where there is none.
    pub fn read(&self, name: &str) -> Option<Vec<u8>> {
        fs::read(self.path(name)).ok()
    }

    /// The program with these arguments.
    pub fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(binary());
        command
            .args(arguments)
            .arg("--state-dir")
            .arg(self.state())
            .arg("--cache-dir")
            .arg(self.cache())
            .args(["--max-workers", "2", "--base-delay", "10ms"])
            .current_dir(self.folder.path())
            .env_clear()
            .env("HOME", self.folder.path())
            .env("RUST_BACKTRACE", "0")
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        if in_processes() {
            command.env("PFRAME_DEFAULT_SCHEDULER", "processes");
            command.env("PFRAME_ISOLATION", isolation().name());
        }
        command
    }

    /// Runs the program to its end.
    ///
    /// # Panics
    ///
    /// Where it does not end, or panics.
    #[track_caller]
    pub fn run(&self, arguments: &[&str]) -> Ended {
        let child = self.command(arguments).spawn().expect("the program starts");
        Ended::of(child)
    }

    /// The same with a variable of the environment.
    ///
    /// # Panics
    ///
    /// Where it does not end, or panics.
    #[track_caller]
    pub fn run_in(&self, arguments: &[&str], (name, value): (&str, &str)) -> Ended {
        let child = self.command(arguments).env(name, value).spawn().expect("the program starts");
        Ended::of(child)
    }

    /// Runs the program to its end with these bytes on its stdin, which it need not read.
    ///
    /// # Panics
    ///
    /// Where it does not end, or panics.
    #[track_caller]
    pub fn run_with(&self, arguments: &[&str], stdin: impl AsRef<[u8]>) -> Ended {
        let mut child =
            self.command(arguments).stdin(Stdio::piped()).spawn().expect("the program starts");
        feed(&mut child, stdin.as_ref());
        Ended::of(child)
    }

    /// Starts the program and reads its events as they come.
    ///
    /// # Panics
    ///
    /// Where it does not start.
    pub fn start(&self, arguments: &[&str]) -> Running {
        self.start_in(arguments, ("FAILPOINTS", ""))
    }

    /// The same with these bytes on its stdin.
    ///
    /// # Panics
    ///
    /// Where it does not start.
    pub fn start_with(&self, arguments: &[&str], stdin: impl AsRef<[u8]>) -> Running {
        let mut arguments = arguments.to_vec();
        arguments.push("--json");
        let mut child =
            self.command(&arguments).stdin(Stdio::piped()).spawn().expect("the program starts");
        feed(&mut child, stdin.as_ref());
        let events = BufReader::new(child.stdout.take().expect("stdout is a pipe"));
        Running { child, events }
    }

    /// The same with a variable of the environment.
    ///
    /// # Panics
    ///
    /// Where it does not start.
    pub fn start_in(&self, arguments: &[&str], (name, value): (&str, &str)) -> Running {
        let mut arguments = arguments.to_vec();
        arguments.push("--json");
        let mut child =
            self.command(&arguments).env(name, value).spawn().expect("the program starts");
        let events = BufReader::new(child.stdout.take().expect("stdout is a pipe"));
        Running { child, events }
    }
}

/// How the program ended.
#[derive(Debug)]
pub struct Ended {
    /// Its exit code; `None` where a signal ended it.
    pub code: Option<i32>,
    /// Data.
    pub stdout: Vec<u8>,
    /// Talk.
    pub stderr: String,
}

impl Ended {
    /// Waits for a child.
    #[track_caller]
    fn of(child: Child) -> Self {
        let pid = pid(&child);
        let (sender, ended) = channel();
        std::thread::spawn(move || sender.send(child.wait_with_output()));
        let output = match ended.recv_timeout(PATIENCE) {
            Ok(output) => output.expect("a child can be waited for"),
            Err(RecvTimeoutError::Timeout | RecvTimeoutError::Disconnected) => {
                let _ = kill_process(pid, Signal::KILL);
                panic!("the program did not end within {PATIENCE:?}");
            }
        };
        let Output { status, stdout, stderr } = output;
        let stderr = String::from_utf8_lossy(&stderr).into_owned();
        // What a guest said about its own panic is shown behind a bar.
        let mut lines = stderr.lines().filter(|line| !line.trim_start().starts_with('|'));
        assert!(!lines.any(|line| line.contains("panicked at")), "the program panicked: {stderr}");
        Self { code: status.code(), stdout, stderr }
    }

    /// Stops the test unless the exit code is this one.
    #[track_caller]
    pub fn expect_code(self, code: i32) -> Self {
        assert_eq!(self.code, Some(code), "stderr: {}", self.stderr);
        self
    }
}

/// The program while it runs.
#[derive(Debug)]
pub struct Running {
    child: Child,
    events: BufReader<ChildStdout>,
}

impl Running {
    /// The next event; `None` when the program has closed its stdout.
    ///
    /// # Panics
    ///
    /// Where a line is not JSON, except for a last one that was cut by a kill.
    pub fn event(&mut self) -> Option<Value> {
        let mut line = String::new();
        let length = self.events.read_line(&mut line).expect("stdout is UTF-8");
        if length == 0 || !line.ends_with('\n') {
            return None;
        }
        Some(serde_json::from_str(&line).unwrap_or_else(|error| panic!("{error}: {line}")))
    }

    /// Reads events up to one that fits.
    ///
    /// # Panics
    ///
    /// Where none comes.
    #[track_caller]
    pub fn wait_for(&mut self, what: &str, fits: impl Fn(&Value) -> bool) {
        while let Some(event) = self.event() {
            if fits(&event) {
                return;
            }
        }
        let mut talk = String::new();
        let read = self.child.stderr.as_mut().map(|stderr| stderr.read_to_string(&mut talk));
        panic!("the program ended before {what}; it said ({read:?}): {talk}");
    }

    /// Sends a signal.
    pub fn signal(&self, signal: Signal) {
        let _ = kill_process(pid(&self.child), signal);
    }

    /// The process id.
    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// Reads talk up to a line that contains this.
    ///
    /// # Panics
    ///
    /// Where none comes.
    #[track_caller]
    pub fn wait_for_talk(&mut self, words: &str) {
        let stderr = self.child.stderr.take().expect("stderr is read once");
        let mut lines = BufReader::new(stderr);
        let mut line = String::new();
        while lines.read_line(&mut line).is_ok_and(|length| length > 0) {
            if line.contains(words) {
                self.child.stderr = Some(lines.into_inner());
                return;
            }
        }
        panic!("the program never said {words}, but: {line}");
    }

    /// Kills it as the operating system does; `None` where it had ended by itself.
    pub fn kill(mut self) -> Option<ExitStatus> {
        self.signal(Signal::KILL);
        let status = self.child.wait().expect("a child can be waited for");
        status.code().is_some().then_some(status)
    }

    /// Waits for its end; events that come until then are in `stdout`.
    #[track_caller]
    pub fn end(self) -> Ended {
        let Self { mut child, events } = self;
        let rest = events.buffer().to_vec();
        child.stdout = Some(events.into_inner());
        let mut ended = Ended::of(child);
        ended.stdout.splice(0..0, rest);
        ended
    }
}

/// Writes to a child's stdin and closes it; the child may end before it has read all.
fn feed(child: &mut Child, bytes: &[u8]) {
    let mut pipe = child.stdin.take().expect("stdin is a pipe");
    let bytes = bytes.to_vec();
    std::thread::spawn(move || pipe.write_all(&bytes));
}

fn pid(child: &Child) -> Pid {
    Pid::from_child(child)
}
