//! A child that tries to get out: what a worker could do once a guest had taken it over.
//!
//! Owns: the attacks, and the proof which layers stop each. `selftest --layers` and the tests run them.
//! Never: does harm where an attack works: each only looks whether it could.

#![expect(unsafe_code, reason = "attacks are raw system calls; none touches memory that is in use")]

use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::path::Path;
use std::process::ExitCode;

use pframe_core::config::Isolation;
use pframe_core::fault::{Code, Fault};
use rustix::fs::{Mode, OFlags};
use serde::{Deserialize, Serialize};

use super::child::ChildProcess;
use super::frame::{FrameError, Incoming, Outgoing, receive_frame};
use super::jail::{Jail, Layer, LayerState};
use super::scratch::{disk, view};
use super::syscalls::Phase;

/// Bytes of the disk that an attacker has.
const DISK_BYTES: u64 = 1 << 20;

/// What is granted to an attacker.
const GRANTED: &str = "/tmp";

/// Something that a taken-over worker would try.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Attack {
    /// Open a file that everybody may read.
    ReadFile,
    /// Look around in the root directory.
    ListRoot,
    /// See other processes.
    SeeProcesses,
    /// Make a network socket.
    NetworkSocket,
    /// Make a socket to a service of this machine.
    UnixSocket,
    /// Start another process.
    Fork,
    /// Run another program.
    Execute,
    /// Signal a process outside.
    SignalOutside,
    /// Look into another process.
    Trace,
    /// Make memory that can be written and run.
    ExecutableMemory,
    /// Gain rights in a namespace of its own.
    NewNamespace,
    /// Mount something.
    Mount,
    /// Reach the kernel by a ring that seccomp does not see.
    Ring,
    /// Load a program into the kernel.
    KernelProgram,
    /// Use the kernel's key store.
    Keys,
    /// Handle page faults by itself, a step in many exploits.
    PageFaults,
    /// Raise a limit again.
    RaiseLimit,
    /// Use a right of the namespace's root.
    UseCapability,
    /// Make a device on the private disk, or in the root directory.
    MakeDevice,
    /// Be looked into by a debugger of the same user, or leave a core dump.
    BeDumped,
    /// Gain rights from a program that it runs.
    GainPrivileges,
    /// Write into a directory that was granted to be read.
    WriteGranted,
    /// Go up from the root of a directory that was granted.
    LeaveGranted,
}

impl Attack {
    /// Every attack.
    pub(crate) const ALL: [(&str, Self); 23] = [
        ("read-file", Self::ReadFile),
        ("list-root", Self::ListRoot),
        ("see-processes", Self::SeeProcesses),
        ("network-socket", Self::NetworkSocket),
        ("unix-socket", Self::UnixSocket),
        ("fork", Self::Fork),
        ("execute", Self::Execute),
        ("signal-outside", Self::SignalOutside),
        ("trace", Self::Trace),
        ("executable-memory", Self::ExecutableMemory),
        ("new-namespace", Self::NewNamespace),
        ("mount", Self::Mount),
        ("ring", Self::Ring),
        ("kernel-program", Self::KernelProgram),
        ("keys", Self::Keys),
        ("page-faults", Self::PageFaults),
        ("raise-limit", Self::RaiseLimit),
        ("use-capability", Self::UseCapability),
        ("make-device", Self::MakeDevice),
        ("be-dumped", Self::BeDumped),
        ("gain-privileges", Self::GainPrivileges),
        ("write-granted", Self::WriteGranted),
        ("leave-granted", Self::LeaveGranted),
    ];

    /// The stages at which a worker that runs guests could do it, if at all.
    pub(crate) fn stages(self) -> &'static [Stage] {
        match self {
            Self::WriteGranted | Self::LeaveGranted => &[Stage::RunningWithDirectory],
            // Whoever has a disk may do all that whoever reads a directory may.
            _ => &[Stage::Running, Stage::RunningWithDisk],
        }
    }

    /// True where it worked. It may also be the end of this process.
    fn works(self, disk: Option<&OwnedFd>, granted: Option<&OwnedFd>) -> bool {
        let null = std::ptr::null::<u8>();
        let call = |number, one: i64, two: i64, three: i64| {
            // SAFETY: the arguments are numbers, null pointers or pointers to constants; see each attack.
            unsafe { libc::syscall(number, one, two, three, 0, 0) >= 0 }
        };
        match self {
            Self::ReadFile => std::fs::read("/etc/passwd").is_ok(),
            Self::ListRoot => std::fs::read_dir("/").is_ok_and(|mut root| root.next().is_some()),
            // SAFETY: it only asks for a number.
            Self::SeeProcesses => unsafe { libc::getppid() != 0 },
            Self::NetworkSocket => {
                call(libc::SYS_socket, libc::AF_INET.into(), libc::SOCK_STREAM.into(), 0)
                    && std::net::TcpStream::connect("127.0.0.1:9").is_err_and(|error| {
                        // A refusal comes from a host that was reached.
                        error.kind() == io::ErrorKind::ConnectionRefused
                    })
            }
            Self::UnixSocket => {
                call(libc::SYS_socket, libc::AF_UNIX.into(), libc::SOCK_STREAM.into(), 0)
            }
            // SAFETY: the child ends at once.
            Self::Fork => match unsafe { libc::fork() } {
                // SAFETY: ends the child without running anything of the parent's.
                0 => unsafe { libc::_exit(0) },
                child => child > 0,
            },
            Self::Execute => {
                std::process::Command::new("/proc/self/exe").arg("--version").status().is_ok()
            }
            // SAFETY: signal 0 only asks.
            Self::SignalOutside => unsafe { libc::kill(-1, 0) == 0 },
            Self::Trace => call(libc::SYS_ptrace, libc::PTRACE_SEIZE.into(), 1, 0),
            Self::ExecutableMemory => {
                let rights = libc::PROT_READ | libc::PROT_WRITE | libc::PROT_EXEC;
                let flags = libc::MAP_PRIVATE | libc::MAP_ANONYMOUS;
                // SAFETY: a new mapping that nobody uses.
                let place = unsafe { libc::mmap(std::ptr::null_mut(), 4096, rights, flags, -1, 0) };
                place != libc::MAP_FAILED
            }
            Self::NewNamespace => call(libc::SYS_unshare, libc::CLONE_NEWUSER.into(), 0, 0),
            Self::Mount => {
                use rustix::mount::{MountFlags, UnmountFlags, mount, unmount};
                let works = mount("x", "/", "tmpfs", MountFlags::empty(), None).is_ok();
                if works {
                    // Without namespaces this is the machine's own root directory, and `..` of it is what covers it.
                    let _ = unmount("/..", UnmountFlags::DETACH);
                }
                works
            }
            Self::Ring => {
                let mut parameters = [0_u8; 120];
                let place = parameters.as_mut_ptr() as i64;
                call(libc::SYS_io_uring_setup, 1, place, 0)
            }
            Self::KernelProgram => call(libc::SYS_bpf, 0, null as i64, 0),
            Self::Keys => call(libc::SYS_keyctl, 0, -3, 1),
            Self::PageFaults => call(libc::SYS_userfaultfd, libc::O_CLOEXEC.into(), 0, 0),
            Self::RaiseLimit => {
                use rustix::process::{Resource, Rlimit, setrlimit};
                let more = Rlimit { current: Some(1 << 20), maximum: Some(1 << 20) };
                setrlimit(Resource::Nofile, more).is_ok()
            }
            Self::UseCapability => rustix::process::chroot("/").is_ok(),
            Self::BeDumped => {
                use rustix::process::{DumpableBehavior, dumpable_behavior};
                dumpable_behavior().is_ok_and(|it| it == DumpableBehavior::Dumpable)
            }
            Self::GainPrivileges => rustix::thread::no_new_privs().is_ok_and(|is_on| !is_on),
            Self::WriteGranted => {
                use rustix::fs::{Access, AtFlags, CWD, accessat};
                let place = granted.map_or(CWD, AsFd::as_fd);
                accessat(place, ".", Access::WRITE_OK, AtFlags::empty()).is_ok()
            }
            Self::LeaveGranted => {
                use rustix::fs::{CWD, fstat, openat};
                let place = granted.map_or(CWD, AsFd::as_fd);
                let look = |path| openat(place, path, OFlags::PATH, Mode::empty()).and_then(fstat);
                let is_same = |one: &rustix::fs::Stat, other: &rustix::fs::Stat| {
                    (one.st_dev, one.st_ino) == (other.st_dev, other.st_ino)
                };
                matches!((look("."), look("..")), (Ok(here), Ok(above)) if !is_same(&here, &above))
            }
            Self::MakeDevice => {
                use rustix::fs::{CWD, FileType, mknodat};
                let place = disk.map_or(CWD, AsFd::as_fd);
                mknodat(place, "null", FileType::CharacterDevice, Mode::RWXU, 0x103).is_ok()
            }
        }
    }
}

/// When an attacker has taken the worker over.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Stage {
    /// While compiled code was loaded, before the layers that come after that.
    Loading,
    /// While a guest ran.
    Running,
    /// While a guest with a private disk ran, whose worker may do more.
    RunningWithDisk,
    /// While a guest ran that reads a directory.
    RunningWithDirectory,
}

impl Stage {
    /// Every stage, with its name.
    pub(crate) const ALL: [(&str, Self); 4] = [
        ("loading", Self::Loading),
        ("running", Self::Running),
        ("running-with-disk", Self::RunningWithDisk),
        ("running-with-directory", Self::RunningWithDirectory),
    ];

    fn name(self) -> &'static str {
        let named = Self::ALL.iter().find(|(_, stage)| *stage == self);
        named.map_or("", |(name, _)| name)
    }
}

/// What a probe found.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Found {
    pub(crate) layers: Vec<LayerState>,
    /// True where the attack worked.
    pub(crate) attack_worked: bool,
}

/// How an attack ended.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Fate {
    /// The kernel ended the process.
    Killed,
    /// It was refused.
    Refused,
    /// It worked.
    Worked,
}

/// Puts a child into the jail, without some layers, and lets it try an attack; also which layers hold.
pub(crate) fn probe(
    program: &Path,
    left_out: &[Layer],
    attack: Option<&str>,
    stage: Stage,
) -> Result<(Vec<LayerState>, Fate), Fault> {
    let left_out: Vec<_> = left_out.iter().map(|layer| layer.name()).collect();
    let left_out = left_out.join(",");
    let mut role = vec!["probe", "--stage", stage.name()];
    if !left_out.is_empty() {
        role.extend(["--without", &left_out]);
    }
    if let Some(attack) = attack {
        role.extend(["--attack", attack]);
    }
    let mut incoming = Incoming::without_descriptors();
    let mut child = ChildProcess::start(program, &role, Isolation::Strict, &mut incoming)?;
    let broken = |error: FrameError| Fault::new(Code::WorkerUnusable).detail(error.to_string());
    let layers = receive_frame(&mut incoming, child.line())
        .and_then(|frame| frame.message::<Found>())
        .map_err(broken)?
        .layers;
    let fate = match receive_frame(&mut incoming, child.line()) {
        Ok(frame) if frame.message::<Found>().map_err(broken)?.attack_worked => Fate::Worked,
        Ok(_) => Fate::Refused,
        Err(FrameError::Closed) if child.end(false).signal == Some(libc::SIGSYS) => Fate::Killed,
        Err(error) => return Err(broken(error)),
    };
    Ok((layers, fate))
}

/// The child's life: says which layers hold, then whether the attack works.
pub(crate) fn serve_probe(left_out: &[Layer], attack: Option<Attack>, stage: Stage) -> ExitCode {
    match live(left_out, attack, stage) {
        Ok(()) => ExitCode::SUCCESS,
        Err(_) => ExitCode::FAILURE,
    }
}

fn live(left_out: &[Layer], attack: Option<Attack>, stage: Stage) -> Result<(), FrameError> {
    let mut jail = Jail::enter_without(left_out, Isolation::Strict, io::stdin().as_fd())?;
    // A worker is handed its disk; here nobody else makes one.
    let disk = match stage {
        Stage::RunningWithDisk => Some(disk(DISK_BYTES).map_err(io::Error::from)?),
        Stage::Loading | Stage::Running | Stage::RunningWithDirectory => None,
    };
    let granted = match stage {
        Stage::RunningWithDirectory => Some(granted(&jail).map_err(io::Error::from)?),
        Stage::Loading | Stage::Running | Stage::RunningWithDisk => None,
    };
    jail.seal(Phase::Load);
    if stage != Stage::Loading {
        let directories: Vec<_> = granted.iter().map(AsFd::as_fd).collect();
        let disk_root: Vec<_> = disk.iter().map(AsFd::as_fd).collect();
        jail.close_around(&[], &disk_root, &directories);
        jail.seal(match (&disk, &granted) {
            (Some(_), _) => Phase::RunWithDisk,
            (None, Some(_)) => Phase::RunWithDirectories,
            (None, None) => Phase::Run,
        });
    }
    let say = |attack_worked| {
        let mut outgoing = Outgoing::default();
        let found = Found { layers: jail.states().to_vec(), attack_worked };
        outgoing.push(&found, Vec::new())?;
        outgoing.flush(io::stdin().as_fd())
    };
    say(false)?;
    say(attack.is_some_and(|attack| attack.works(disk.as_ref(), granted.as_ref())))
}

/// A directory that everybody may write to, as it is handed to a worker; without namespaces as it is.
fn granted(jail: &Jail) -> rustix::io::Result<OwnedFd> {
    let place = jail.place_to_mount();
    if place.is_some() {
        return view(GRANTED, place);
    }
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
    rustix::fs::open(GRANTED, flags, Mode::empty())
}
