//! Private disks for attempts, each a file system in memory of a fixed size; and views of the operator's directories, that
//! can only be read and whose root is their end.
//!
//! Owns: the child that makes them ([`serve_scratch`]). It may mount inside namespaces of its own, and speaks with the host alone.
//! Never: leaves one attached anywhere. Who holds its descriptor reaches it, and when the last one is closed it is gone.

use std::fs::File;
use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::{Mutex, PoisonError};

use pframe_core::config::Isolation;
use pframe_core::fault::{Code, Fault};
use pframe_core::units::ByteSize;
use rustix::fs::{CWD, Mode, OFlags, ResolveFlags, fstat, openat};
use rustix::io::Errno;
use rustix::mount::{
    FsMountFlags, FsOpenFlags, MountAttrFlags, MountFlags, UnmountFlags, fsconfig_create,
    fsconfig_set_string, fsmount, fsopen, mount_bind, mount_remount, unmount,
};
use serde::{Deserialize, Serialize};

use super::child::{ChildProcess, exit_of};
use super::frame::{FrameError, Incoming, Outgoing, receive_frame};
use super::jail::Jail;
use super::syscalls::Phase;

/// A file with anything in it takes this much of a disk.
const PAGE_BYTES: u64 = 4096;
/// Files and directories that a disk has room for: what each costs the kernel beside its bytes is not counted.
const INODES: std::ops::RangeInclusive<u64> = 64..=10_000;

/// Children that are asked for a view: one that runs already, and one that was started just now.
const VIEWS_TRIED: usize = 2;

/// From the host: what to make.
#[derive(Debug, Serialize, Deserialize)]
enum Make {
    /// A disk of so many bytes.
    Disk { bytes: u64 },
    /// A view of the directory that the operator named.
    View { path: String },
}

/// From the child: its root directory comes beside it, or there is none.
type Made = Result<(), Refusal>;

/// Asks for disks; the child that makes them is started by the first who needs one.
#[derive(Debug)]
pub(crate) struct ScratchMaker {
    program: Option<PathBuf>,
    child: Mutex<Option<Line>>,
}

#[derive(Debug)]
struct Line {
    child: ChildProcess,
    incoming: Incoming,
}

impl ScratchMaker {
    /// Disks made by this program in a child of its own.
    pub(crate) fn new(program: Option<PathBuf>) -> Self {
        Self { program, child: Mutex::default() }
    }

    /// An empty disk: its root directory.
    pub(crate) fn make(&self, size: ByteSize) -> Result<File, Fault> {
        self.order(&Make::Disk { bytes: size.bytes() })
    }

    /// A view of an operator's directory: the kernel lets nobody write through it, or go up from its root.
    /// It is of `seen`, or there is none.
    pub(crate) fn view(&self, path: &str, seen: &File) -> Result<File, Fault> {
        let order = Make::View { path: path.to_owned() };
        for _ in 0..VIEWS_TRIED {
            let view = self.order(&order)?;
            if is_same(&view, seen) {
                return Ok(view);
            }
            // The child sees what was mounted when it started: another sees what was mounted since.
            *self.child.lock().unwrap_or_else(PoisonError::into_inner) = None;
        }
        Err(Refusal { is_final: false, why: "another directory lies there".into() }.fault(&order))
    }

    fn order(&self, order: &Make) -> Result<File, Fault> {
        let mut line = self.child.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(Line { child, incoming }) = &mut *line
            && let Ok(answer) = ask(child, incoming, order)
        {
            return answer.map_err(|refusal| refusal.fault(order));
        }
        // There is none yet, or somebody killed it.
        *line = None;
        let Line { child, incoming } = line.insert(self.start(order)?);
        match ask(child, incoming, order) {
            Ok(answer) => answer.map_err(|refusal| refusal.fault(order)),
            // It was killed a moment after it had started: another attempt may find another.
            Err(error) => Err(Refusal { is_final: false, why: error.to_string() }.fault(order)),
        }
    }

    fn start(&self, order: &Make) -> Result<Line, Fault> {
        let program = self.program.as_deref().ok_or_else(|| {
            order.unavailable("`EngineBuilder::worker_program` names no program that could make it")
        })?;
        let mut incoming = Incoming::with_descriptors();
        // Without namespaces it can still work where the host is allowed to mount.
        let isolation = Isolation::Container;
        let child = ChildProcess::start(program, &["scratch"], isolation, &mut incoming)?;
        Ok(Line { child, incoming })
    }
}

impl Make {
    fn name(&self) -> &'static str {
        match self {
            Self::Disk { .. } => "a private disk (`limits.disk`)",
            Self::View { .. } => "a view of a directory (`dir`)",
        }
    }

    fn unavailable(&self, why: &str) -> Fault {
        Fault::new(Code::WorkerUnusable)
            .detail(format!("{} cannot be made here: {why}", self.name()))
    }
}

fn is_same(one: &File, other: &File) -> bool {
    let identity = |file| fstat(file).map(|stat| (stat.st_dev, stat.st_ino));
    matches!((identity(one), identity(other)), (Ok(one), Ok(other)) if one == other)
}

fn ask(
    child: &ChildProcess,
    incoming: &mut Incoming,
    order: &Make,
) -> Result<Result<File, Refusal>, FrameError> {
    let mut outgoing = Outgoing::default();
    outgoing.push(order, Vec::new())?;
    outgoing.flush(child.line())?;
    let frame = child.hear(incoming)?;
    if let Err(refusal) = frame.message::<Made>()? {
        return Ok(Err(refusal));
    }
    let Some(disk) = frame.descriptors.into_iter().next() else {
        return Err(FrameError::Malformed("no disk came along"));
    };
    let disk = File::from(disk);
    if keeps_below(&disk) {
        return Ok(Ok(disk));
    }
    let why = "the kernel has no `openat2`, which keeps paths below a directory".into();
    Ok(Err(Refusal { is_final: true, why }))
}

/// True where the kernel itself keeps paths below a directory: what programs do instead has let guests out before.
pub(crate) fn keeps_below(disk: impl AsFd) -> bool {
    let flags = OFlags::PATH | OFlags::CLOEXEC;
    let opened = rustix::fs::openat2(disk, ".", flags, Mode::empty(), ResolveFlags::BENEATH);
    // Without a descriptor that is free, the kernel says so, and it would.
    matches!(opened, Ok(_) | Err(Errno::MFILE | Errno::NFILE))
}

/// The child's life: make what is asked for until the line closes.
pub(crate) fn serve_scratch(isolation: Isolation) -> ExitCode {
    exit_of("scratch", live(isolation))
}

fn live(isolation: Isolation) -> Result<(), FrameError> {
    let mut jail = Jail::enter(isolation, io::stdin().as_fd())?;
    let line = io::stdin().as_fd().try_clone_to_owned()?;
    let mut incoming = Incoming::without_descriptors();
    let place = jail.place_to_mount();
    jail.seal(Phase::Mount);
    loop {
        let frame = receive_frame(&mut incoming, line.as_fd())?;
        let mut outgoing = Outgoing::default();
        let made = match frame.message()? {
            Make::Disk { bytes } => disk(bytes).map_err(Refusal::from),
            Make::View { path } => view(&path, place).map_err(Refusal::of_view),
        };
        match made {
            Ok(root) => outgoing.push(&Made::Ok(()), vec![root])?,
            Err(refusal) => outgoing.push(&Made::Err(refusal), Vec::new())?,
        }
        outgoing.flush(line.as_fd())?;
    }
}

/// Why there is no disk; whether there never will be one, and the words.
#[derive(Debug, Serialize, Deserialize)]
struct Refusal {
    is_final: bool,
    why: String,
}

impl From<rustix::io::Errno> for Refusal {
    fn from(error: rustix::io::Errno) -> Self {
        use rustix::io::Errno;
        let never =
            "the kernel, or whoever started this host, allows neither namespaces nor mounts";
        let is_final = matches!(error, Errno::PERM | Errno::NOSYS);
        let why = if is_final { never.into() } else { io::Error::from(error).to_string() };
        Self { is_final, why }
    }
}

impl Refusal {
    /// The kernel does not bind a directory alone from under what another user's namespace mounted below it.
    fn of_view(error: rustix::io::Errno) -> Self {
        match error {
            rustix::io::Errno::INVAL => {
                Self { is_final: true, why: "another file system is mounted below it".into() }
            }
            other => other.into(),
        }
    }

    fn fault(self, order: &Make) -> Fault {
        match self.is_final {
            true => order.unavailable(&self.why),
            false => {
                Fault::new(Code::InputOutput).detail(format!("{}: {}", order.name(), self.why))
            }
        }
    }
}

/// The directory as a mount of its own, read-only, that is detached again at once: nothing lies above its root. It is made
/// over `place`, a directory of this process's own mount namespace; where there is none, what is mounted would be seen outside.
pub(super) fn view(path: &str, place: Option<&str>) -> rustix::io::Result<OwnedFd> {
    let place = place.ok_or(rustix::io::Errno::PERM)?;
    mount_bind(path, place)?;
    let rights = MountFlags::BIND
        | MountFlags::RDONLY
        | MountFlags::NOSUID
        | MountFlags::NODEV
        | MountFlags::NOEXEC;
    let root = mount_remount(place, rights, "").and_then(|()| {
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
        openat(CWD, place, flags, Mode::empty())
    });
    unmount(place, UnmountFlags::DETACH)?;
    root
}

/// A new file system in memory that is mounted nowhere; the answer is its root directory.
pub(super) fn disk(bytes: u64) -> rustix::io::Result<OwnedFd> {
    let inodes = (bytes / PAGE_BYTES).clamp(*INODES.start(), *INODES.end());
    let making = fsopen("tmpfs", FsOpenFlags::FSOPEN_CLOEXEC)?;
    let making = making.as_fd();
    fsconfig_set_string(making, "size", bytes.to_string())?;
    fsconfig_set_string(making, "nr_inodes", inodes.to_string())?;
    fsconfig_set_string(making, "mode", "0700")?;
    fsconfig_create(making)?;
    let quiet = MountAttrFlags::MOUNT_ATTR_NOSUID
        | MountAttrFlags::MOUNT_ATTR_NODEV
        | MountAttrFlags::MOUNT_ATTR_NOEXEC;
    let mount = fsmount(making, FsMountFlags::FSMOUNT_CLOEXEC, quiet)?;
    openat(&mount, ".", OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC, Mode::empty())
}
