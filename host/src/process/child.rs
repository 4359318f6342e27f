//! The host's end of a child process: how it is started, measured, told to die, and how it died.
//!
//! Owns: what a child is given: this program in another role, an empty environment, one line, and a pipe for last words.
//! Never: believes what a child says of its own time or memory.

#![expect(unsafe_code, reason = "clock_gettime on another process has no safe form")]

use std::cell::Cell;
use std::io::Read;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::path::Path;
use std::process::{Child, Command, ExitCode, ExitStatus, Stdio};
use std::time::Duration;

use pframe_core::config::Isolation;
use pframe_core::fault::{Code, Fault, GuestText};
use pframe_core::units::ByteSize;
use rustix::net::sockopt::{Timeout, set_socket_timeout};
use rustix::net::{AddressFamily, SocketFlags, SocketType, socketpair};
use rustix::process::{Pid, PidfdFlags, Signal, pidfd_open, pidfd_send_signal};

use super::frame::{Frame, FrameError, Incoming};
use super::group::MemoryGroup;

/// How long a child may take to say which process it is, or to answer the host's own question.
const START_PATIENCE: Duration = Duration::from_secs(20);
/// Bytes of a dead child's last words that are kept.
const LAST_WORDS_BYTES_MAX: u64 = 4096;
/// How often a dying child is looked at, and how often at most.
const DEATH_LOOKS: (Duration, u32) = (Duration::from_millis(1), 2000);

/// How often a guard is looked at after the process that it guards was killed.
const GUARD_LOOKS: u32 = 200;

/// A child process. It dies with this handle.
#[derive(Debug)]
pub(crate) struct ChildProcess {
    /// The process that was started; with namespaces it only guards the one inside.
    child: Child,
    /// The process that works.
    inner: Pid,
    /// The same, by a handle that never means another process; none where it was gone already.
    handle: Option<OwnedFd>,
    /// What holds its memory, where the kernel lets us.
    group: Option<MemoryGroup>,
    cpu_seen: Cell<Duration>,
    line: OwnedFd,
}

impl ChildProcess {
    /// Starts `program` in a role, and waits until it has said which process to measure.
    pub(crate) fn start(
        program: &Path,
        role: &[&str],
        isolation: Isolation,
        incoming: &mut Incoming,
    ) -> Result<Self, Fault> {
        let fault = |what: &dyn std::fmt::Display| {
            let (shown, role) = (program.display(), role.join(" "));
            Fault::new(Code::WorkerUnusable).detail(format!("`{shown} {role}`: {what}"))
        };
        let (ours, theirs) =
            socketpair(AddressFamily::UNIX, SocketType::STREAM, SocketFlags::CLOEXEC, None)
                .map_err(|error| fault(&std::io::Error::from(error)))?;
        let mut child = Command::new(program)
            .args(role)
            .args(["--stdio", "--isolation", isolation.name()])
            .env_clear()
            .current_dir("/")
            // Ctrl-C in the terminal is for the host alone.
            .process_group(0)
            .stdin(theirs)
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .map_err(|error| fault(&error))?;
        let inner = set_socket_timeout(&ours, Timeout::Recv, Some(START_PATIENCE))
            .map_err(|error| FrameError::Io(error.into()))
            .and_then(|()| receive_frame_in_time(incoming, ours.as_fd()))
            .and_then(|frame| frame.message::<u32>())
            .and_then(|number| {
                let number = i32::try_from(number).ok().and_then(Pid::from_raw);
                number.ok_or(FrameError::Malformed("no process has that number"))
            })
            .and_then(|inner| match pidfd_open(inner, PidfdFlags::empty()) {
                Ok(handle) => Ok((inner, Some(handle))),
                Err(rustix::io::Errno::SRCH) => Ok((inner, None)),
                Err(error) => Err(FrameError::Io(error.into())),
            });
        match inner {
            Ok((inner, handle)) => {
                let group = MemoryGroup::around(inner);
                Ok(Self { child, inner, handle, group, cpu_seen: Cell::default(), line: ours })
            }
            Err(error) => {
                // Who was killed while he started is no reason to believe that nobody can start.
                let signal = match error {
                    FrameError::Closed => wait_for(&mut child).and_then(|status| status.signal()),
                    FrameError::Io(_) | FrameError::Malformed(_) => None,
                };
                let _ = child.kill();
                let _ = child.wait();
                let words = last_words(&mut child);
                match signal {
                    Some(signal) => Err(Death::of(signal, words).fault()),
                    None => Err(fault(&format!("{error}{words}"))),
                }
            }
        }
    }

    /// Waits for a frame of a child that does not wait for anybody else.
    pub(super) fn hear(&self, incoming: &mut Incoming) -> Result<Frame, FrameError> {
        receive_frame_in_time(incoming, self.line())
    }

    pub(crate) fn line(&self) -> BorrowedFd<'_> {
        self.line.as_fd()
    }

    /// Processor time of all its threads since it was started; what was seen last, once it is gone.
    pub(crate) fn cpu(&self) -> Duration {
        let now = self.cpu_now().max(self.cpu_seen.get());
        self.cpu_seen.set(now);
        now
    }

    fn cpu_now(&self) -> Duration {
        let mut clock = 0;
        let mut time = libc::timespec { tv_sec: 0, tv_nsec: 0 };
        // SAFETY: both pointers are to variables of the right type that live through the calls.
        let failed = unsafe {
            libc::clock_getcpuclockid(self.inner.as_raw_nonzero().get(), &raw mut clock) != 0
                || libc::clock_gettime(clock, &raw mut time) != 0
        };
        if failed {
            return Duration::ZERO;
        }
        let nanoseconds = u32::try_from(time.tv_nsec).unwrap_or(0);
        Duration::new(u64::try_from(time.tv_sec).unwrap_or(0), nanoseconds)
    }

    /// Memory of its own and what the kernel needs to keep it: anonymous, swapped, page tables. Compiled code is shared
    /// with other children and not counted; a child cannot make shared memory. `None` where the kernel does not say.
    pub(crate) fn memory(&self) -> Option<ByteSize> {
        let path = format!("/proc/{}/status", self.inner.as_raw_nonzero());
        let text = std::fs::read_to_string(path).ok()?;
        let kibibytes = |name: &str| {
            let line = text.lines().find_map(|line| line.strip_prefix(name))?;
            line.trim().strip_suffix(" kB")?.trim().parse::<u64>().ok()
        };
        let parts = ["RssAnon:", "VmSwap:", "VmPTE:"].map(kibibytes);
        parts.into_iter().sum::<Option<u64>>().map(|sum| ByteSize(sum << 10))
    }

    /// Holds its memory, all of it, by its control group if it has one.
    pub(crate) fn hold_memory(&mut self, limit: ByteSize) {
        if let Some(group) = &mut self.group {
            group.hold(limit);
        }
    }

    /// Ends it now, if it has not ended by itself, and says how it ended and what it said last.
    pub(crate) fn end(&mut self, is_killed: bool) -> Death {
        if is_killed {
            self.kill();
        }
        if let Some(status) = wait_for(&mut self.child) {
            return self.death(status.signal());
        }
        // The line is closed and the process is not: it is killed all the same, and that is its own doing.
        self.kill();
        let _ = self.child.wait();
        self.death(None)
    }

    fn death(&mut self, signal: Option<i32>) -> Death {
        let ran_out_of_memory = self.group.as_ref().is_some_and(MemoryGroup::has_killed);
        Death { signal, ran_out_of_memory, words: last_words(&mut self.child) }
    }
}

impl ChildProcess {
    /// The inner process first: its guard, which sees it die, leaves nothing behind. Then the guard, in case it does not.
    fn kill(&mut self) {
        if let Some(handle) = &self.handle {
            let _ = pidfd_send_signal(handle, Signal::KILL);
        }
        let (pause, _) = DEATH_LOOKS;
        for _ in 0..GUARD_LOOKS {
            if matches!(self.child.try_wait(), Ok(Some(_))) {
                return;
            }
            std::thread::sleep(pause);
        }
        let _ = self.child.kill();
    }
}

impl Drop for ChildProcess {
    fn drop(&mut self) {
        if !matches!(self.child.try_wait(), Ok(Some(_))) {
            self.kill();
        }
        let _ = self.child.wait();
    }
}

fn receive_frame_in_time(
    incoming: &mut Incoming,
    line: BorrowedFd<'_>,
) -> Result<Frame, FrameError> {
    let started = std::time::Instant::now();
    loop {
        if let Some(frame) = incoming.next()? {
            return Ok(frame);
        }
        if !incoming.receive(line)? && started.elapsed() >= START_PATIENCE {
            return Err(FrameError::Malformed("it said nothing in time"));
        }
    }
}

/// The exit of a child whose life ended so; the host reads the words where it was an error.
pub(crate) fn exit_of(role: &str, life: Result<(), FrameError>) -> ExitCode {
    match life {
        Ok(()) | Err(FrameError::Closed) => ExitCode::SUCCESS,
        Err(error) => {
            let _ = rustix::io::write(std::io::stderr(), format!("{role}: {error}\n").as_bytes());
            ExitCode::FAILURE
        }
    }
}

/// How a child died.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Death {
    /// The signal that ended it.
    pub(crate) signal: Option<i32>,
    /// The kernel killed it, or something of its, for want of memory.
    pub(crate) ran_out_of_memory: bool,
    /// What it wrote to stderr, escaped, after a colon; empty where it wrote nothing.
    pub(crate) words: String,
}

impl Death {
    fn of(signal: i32, words: String) -> Self {
        Self { signal: Some(signal), ran_out_of_memory: false, words }
    }

    /// The fault of a child that died without being told to.
    pub(crate) fn fault(&self) -> Fault {
        let (code, how) = match self.signal {
            _ if self.ran_out_of_memory => (Code::OutOfMemory, "its control group had no more"),
            Some(libc::SIGSYS) => (Code::NativeCrash, "it made a system call that it may not make"),
            Some(libc::SIGSEGV | libc::SIGBUS | libc::SIGILL | libc::SIGFPE | libc::SIGABRT) => {
                (Code::NativeCrash, "it crashed")
            }
            Some(libc::SIGXCPU | libc::SIGXFSZ) => {
                (Code::NativeCrash, "it ran into a resource limit")
            }
            Some(_) => (Code::WorkerKilled, "somebody killed it"),
            None => (Code::NativeCrash, "it ended by itself"),
        };
        let signal = self.signal.map_or_else(String::new, |number| format!(" (signal {number})"));
        Fault::new(code).detail(format!("{how}{signal}{}", self.words))
    }
}

/// Waits a while for a child that is about to die. The guard of a process inside namespaces dies of the same signal as
/// that process.
fn wait_for(child: &mut Child) -> Option<ExitStatus> {
    let (pause, looks) = DEATH_LOOKS;
    for _ in 0..looks {
        if let Ok(Some(status)) = child.try_wait() {
            return Some(status);
        }
        std::thread::sleep(pause);
    }
    None
}

fn last_words(child: &mut Child) -> String {
    let Some(stderr) = child.stderr.as_mut() else { return String::new() };
    // Whoever wrote is dead, or is about to be killed: what is not there now never comes.
    let _ = rustix::io::ioctl_fionbio(&*stderr, true);
    let mut bytes = Vec::new();
    let _ = stderr.take(LAST_WORDS_BYTES_MAX).read_to_end(&mut bytes);
    match GuestText::from_bytes(bytes.trim_ascii()).as_str() {
        "" => String::new(),
        words => format!(": {words}"),
    }
}
