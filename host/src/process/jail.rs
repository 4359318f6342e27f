//! The operating system's sandbox around a child process, put on by the child itself before it looks at anything
//! that a tenant sent.
//!
//! Owns: the layers, their order, and the proof of each. A child that cannot put on a layer says which and why.
//! Never: trusts that a call worked because it returned; a layer counts once its effect was seen where that is possible.
//!
//! The order matters. Namespaces come first: they need a process with one thread, and the one for process ids a
//! child of its own. Then the child may still open what it needs for its work ([`Jail::enter`] has returned). Then the root
//! directory goes, and all rights with it ([`Jail::close`]). System calls are cut last ([`Jail::seal`]), once all
//! threads stand and code is loaded.

#![expect(unsafe_code, reason = "fork and close_range have no safe form; see each call")]

use std::fs;
use std::os::fd::BorrowedFd;
use std::path::Path;

use rustix::mount::{MountFlags, MountPropagationFlags, UnmountFlags};
use rustix::process::{DumpableBehavior, Resource, Rlimit, Signal, WaitOptions};
use rustix::thread::UnshareFlags;
use serde::{Deserialize, Serialize};

use pframe_core::config::Isolation;

use super::frame::{FrameError, Outgoing};
use super::syscalls::{self, Phase};

/// Descriptors that a child may have open: its line, its inputs, and parts of a merge.
const DESCRIPTORS_MAX: u64 = 1024;
/// Directories that a namespace of one's own can cover, one of which every machine has.
const PLACES: [&str; 3] = ["/tmp", "/var", "/dev"];
/// The user inside: nobody.
const INNER_USER: u32 = 65534;

/// One layer of the operating system's sandbox.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Layer {
    /// No variable of the host's environment.
    Environment,
    /// No descriptor but the agreed ones.
    Descriptors,
    /// It dies with the host.
    DeathWithParent,
    /// Nothing it runs can gain rights.
    NoNewPrivileges,
    /// No core dump, and no debugger of the same user.
    NotDumpable,
    /// Numbers of descriptors, bytes of files, locked memory.
    ResourceLimits,
    /// User, mount, network, process and message-queue namespaces of its own.
    Namespaces,
    /// A root directory without a file in it.
    EmptyRoot,
    /// No capability, not even inside its namespace.
    NoCapabilities,
    /// Landlock: no path, no TCP, no signal or abstract socket outside.
    Landlock,
    /// Seccomp: only the system calls of its phase.
    SystemCalls,
}

impl Layer {
    /// Every layer, in the order in which they are put on.
    pub(crate) const ALL: [Self; 11] = [
        Self::Environment,
        Self::Descriptors,
        Self::DeathWithParent,
        Self::NoNewPrivileges,
        Self::NotDumpable,
        Self::ResourceLimits,
        Self::Namespaces,
        Self::EmptyRoot,
        Self::NoCapabilities,
        Self::Landlock,
        Self::SystemCalls,
    ];

    /// Finds a layer by its name.
    pub(crate) fn find(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|layer| layer.name() == name)
    }

    /// As it is shown.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Environment => "environment",
            Self::Descriptors => "descriptors",
            Self::DeathWithParent => "death-with-parent",
            Self::NoNewPrivileges => "no-new-privileges",
            Self::NotDumpable => "not-dumpable",
            Self::ResourceLimits => "resource-limits",
            Self::Namespaces => "namespaces",
            Self::EmptyRoot => "empty-root",
            Self::NoCapabilities => "no-capabilities",
            Self::Landlock => "landlock",
            Self::SystemCalls => "system-calls",
        }
    }

    /// True where a container's default profile may forbid the layer.
    fn may_be_missing_in_container(self) -> bool {
        matches!(self, Self::Namespaces | Self::EmptyRoot)
    }
}

/// What became of a layer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct LayerState {
    pub(crate) layer: Layer,
    /// Why it does not hold, if it does not.
    pub(crate) missing: Option<String>,
}

/// The layers put on so far.
#[derive(Debug)]
pub(crate) struct Jail {
    isolation: Isolation,
    left_out: Vec<Layer>,
    states: Vec<LayerState>,
}

impl Jail {
    /// Puts on what needs a process with one thread, and tells the host over `line` which process to measure.
    ///
    /// With namespaces this forks: the caller goes on as the child, while the parent only waits for it and ends as it did.
    pub(crate) fn enter(isolation: Isolation, line: BorrowedFd<'_>) -> Result<Self, FrameError> {
        Self::enter_without(&[], isolation, line)
    }

    /// The same with some layers left out, to see what the others hold by themselves.
    pub(crate) fn enter_without(
        left_out: &[Layer],
        isolation: Isolation,
        line: BorrowedFd<'_>,
    ) -> Result<Self, FrameError> {
        let mut jail = Self { isolation, left_out: left_out.to_vec(), states: Vec::new() };
        jail.put_on(Layer::Environment, || {
            check(std::env::vars_os().next().is_none(), "a variable is left")
        });
        jail.put_on(Layer::Descriptors, close_descriptors);
        jail.put_on(Layer::DeathWithParent, die_with_parent);
        jail.put_on(Layer::NoNewPrivileges, || told(rustix::thread::set_no_new_privs(true)));
        jail.put_on(Layer::Namespaces, separate);
        if !jail.holds(Layer::Namespaces) {
            say_process(line, std::process::id())?;
            return Ok(jail);
        }
        fork_into_namespace(line)?;
        // The death of the guard in between is the death of the host.
        jail.put_on(Layer::DeathWithParent, die_with_parent);
        Ok(jail)
    }

    /// Closes what the child needed to get ready: the file system, the rights, and everything by name.
    pub(crate) fn close(&mut self, limits: &[(Resource, u64)]) {
        self.close_around(limits, &[], &[]);
    }

    /// The same for a child that may use directories of its `disk`, and read below `directories`.
    pub(crate) fn close_around(
        &mut self,
        limits: &[(Resource, u64)],
        disk: &[BorrowedFd<'_>],
        directories: &[BorrowedFd<'_>],
    ) {
        if self.isolation == Isolation::Off && !limits.is_empty() {
            // What bounds the work itself holds without a jail too.
            let _ = limit_resources(limits);
        }
        // No file is much longer than the disk that it lies on (who fills it is told so first); without one there is no
        // file to write.
        let length_max = disk.first().map_or(0, |disk| disk_bytes(*disk).saturating_add(1 << 20));
        let files = [(Resource::Fsize, length_max)];
        self.put_on(Layer::ResourceLimits, || limit_resources(&[limits, &files].concat()));
        let is_separate = self.holds(Layer::Namespaces);
        self.put_on(Layer::EmptyRoot, || match is_separate {
            true => empty_root(),
            false => Err("it needs a mount namespace".into()),
        });
        self.put_on(Layer::NoCapabilities, drop_capabilities);
        self.put_on(Layer::NotDumpable, undumpable);
        self.put_on(Layer::Landlock, || landlock(disk, directories));
    }

    /// A directory over which this process can mount without anybody else seeing it; none without namespaces.
    pub(super) fn place_to_mount(&self) -> Option<&'static str> {
        let is_separate = self.holds(Layer::Namespaces);
        let flags = MountPropagationFlags::REC | MountPropagationFlags::PRIVATE;
        if !is_separate || rustix::mount::mount_change("/", flags).is_err() {
            return None;
        }
        PLACES.into_iter().find(|place| Path::new(place).is_dir())
    }

    /// Cuts the system calls of all threads down to those of the phase. A later phase can only take more away.
    pub(crate) fn seal(&mut self, phase: Phase) {
        // Its first use asks the kernel how to ask for the time, by a call that is not on any list.
        let _ = rustix::time::clock_gettime(rustix::time::ClockId::ThreadCPUTime);
        self.put_on(Layer::SystemCalls, || syscalls::allow_only(phase));
    }

    /// Every layer that was tried, in order.
    pub(crate) fn states(&self) -> &[LayerState] {
        &self.states
    }

    /// The first layer that this isolation demands and that does not hold.
    pub(crate) fn gap(&self) -> Option<&LayerState> {
        self.states.iter().find(|state| {
            state.missing.is_some()
                && !(self.isolation == Isolation::Container
                    && state.layer.may_be_missing_in_container())
        })
    }

    /// True where the root directory was to be emptied and was not: calls that name files reach those of the host.
    pub(crate) fn lacks_empty_root(&self) -> bool {
        self.isolation != Isolation::Off && !self.holds(Layer::EmptyRoot)
    }

    fn holds(&self, layer: Layer) -> bool {
        self.states.iter().any(|state| state.layer == layer && state.missing.is_none())
    }

    /// Puts on a layer. One that is put on twice holds if it held both times.
    fn put_on(&mut self, layer: Layer, how: impl FnOnce() -> Result<(), String>) {
        if self.isolation == Isolation::Off || self.left_out.contains(&layer) {
            return;
        }
        let missing = how().err();
        match self.states.iter_mut().find(|state| state.layer == layer) {
            Some(state) => state.missing = state.missing.take().or(missing),
            None => self.states.push(LayerState { layer, missing }),
        }
    }
}

fn check(holds: bool, otherwise: &str) -> Result<(), String> {
    if holds { Ok(()) } else { Err(otherwise.into()) }
}

fn told<T>(result: rustix::io::Result<T>) -> Result<(), String> {
    result.map(drop).map_err(|error| std::io::Error::from(error).to_string())
}

fn say_process(line: BorrowedFd<'_>, process: u32) -> Result<(), FrameError> {
    let mut outgoing = Outgoing::default();
    outgoing.push(&process, Vec::new())?;
    outgoing.flush(line)
}

/// Everything but stdin (the line), stdout and stderr.
fn close_descriptors() -> Result<(), String> {
    // SAFETY: no descriptor from 3 up is used yet: this runs before anything was opened, and what the host
    // let slip is nobody's in this process.
    let result = unsafe { libc::close_range(3, libc::c_uint::MAX, 0) };
    check(result == 0, "close_range failed")?;
    // SAFETY: `fcntl` with `F_GETFD` only asks; on a number that is no descriptor it says so.
    let is_open = |number| unsafe { libc::fcntl(number, libc::F_GETFD) } >= 0;
    check(!(3..1024).any(is_open), "a descriptor is left")
}

fn die_with_parent() -> Result<(), String> {
    told(rustix::process::set_parent_process_death_signal(Some(Signal::KILL)))
}

/// New namespaces, with this user as nobody inside; tried by a child that is thrown away first, because there is no
/// way back from half of them.
fn separate() -> Result<(), String> {
    // SAFETY: this process has one thread, so the child finds no lock held by another.
    match unsafe { libc::fork() } {
        -1 => return Err(std::io::Error::last_os_error().to_string()),
        0 => {
            let error = unshare_all().err();
            // The reason is found again below; here it only counts whether there is one.
            std::process::exit(i32::from(error.is_some()));
        }
        child => {
            let child = rustix::process::Pid::from_raw(child);
            let ended = rustix::process::waitpid(child, WaitOptions::empty());
            let works = ended.is_ok_and(|ended| {
                ended.is_some_and(|(_, status)| status.exit_status() == Some(0))
            });
            check(works, "the kernel, or whoever started this, does not allow new namespaces")?;
        }
    }
    unshare_all()
}

fn unshare_all() -> Result<(), String> {
    let (user, group) = (rustix::process::geteuid().as_raw(), rustix::process::getegid().as_raw());
    let flags = UnshareFlags::NEWUSER
        | UnshareFlags::NEWNS
        | UnshareFlags::NEWNET
        | UnshareFlags::NEWPID
        | UnshareFlags::NEWIPC
        | UnshareFlags::NEWUTS;
    // SAFETY: the file table is not unshared, which is what makes this call unsafe.
    told(unsafe { rustix::thread::unshare_unsafe(flags) })?;
    let write = |path: &str, text: String| {
        fs::write(path, text).map_err(|error| format!("`{path}`: {error}"))
    };
    write("/proc/self/setgroups", "deny".into())?;
    write("/proc/self/uid_map", format!("{INNER_USER} {user} 1"))?;
    write("/proc/self/gid_map", format!("{INNER_USER} {group} 1"))
}

/// Goes on as the first process of the new namespace. The old process waits for it and ends in the same way.
fn fork_into_namespace(line: BorrowedFd<'_>) -> Result<(), FrameError> {
    let (wait, go) = rustix::pipe::pipe().map_err(std::io::Error::from)?;
    // SAFETY: this process has one thread, so the child finds no lock held by another.
    match unsafe { libc::fork() } {
        -1 => Err(FrameError::Io(std::io::Error::last_os_error())),
        0 => {
            drop(go);
            let mut word = [0];
            // The host hears which process to measure before that process does anything.
            match rustix::io::read(&wait, &mut word) {
                Ok(1) => Ok(()),
                _ => Err(FrameError::Closed),
            }
        }
        inner => guard(line, inner, go),
    }
}

/// Waits for the process inside and ends as it did.
fn guard(line: BorrowedFd<'_>, inner: i32, go: std::os::fd::OwnedFd) -> ! {
    let told = say_process(line, u32::try_from(inner).expect("a process id is positive"));
    if told.is_err() {
        std::process::exit(1);
    }
    let _ = rustix::io::write(&go, b"!");
    drop(go);
    loop {
        let inner = rustix::process::Pid::from_raw(inner);
        match rustix::process::waitpid(inner, WaitOptions::empty()) {
            Ok(Some((_, status))) => {
                if let Some(signal) = status.terminating_signal() {
                    // Of the same signal, so that no exit status can pass for one.
                    // SAFETY: resets a handler and signals this very process.
                    unsafe {
                        libc::signal(signal, libc::SIG_DFL);
                        libc::raise(signal);
                    }
                }
                std::process::exit(status.exit_status().unwrap_or(1));
            }
            Ok(None) | Err(rustix::io::Errno::INTR) => {}
            Err(_) => std::process::exit(1),
        }
    }
}

/// The size of a disk. A write behind it shall be an error, and not a signal.
fn disk_bytes(disk: BorrowedFd<'_>) -> u64 {
    // SAFETY: a signal that is ignored runs no code.
    unsafe { libc::signal(libc::SIGXFSZ, libc::SIG_IGN) };
    rustix::fs::fstatfs(disk)
        .map_or(0, |disk| disk.f_blocks.saturating_mul(u64::try_from(disk.f_bsize).unwrap_or(0)))
}

fn limit_resources(limits: &[(Resource, u64)]) -> Result<(), String> {
    let always =
        [(Resource::Core, 0), (Resource::Nofile, DESCRIPTORS_MAX), (Resource::Memlock, 64 << 10)];
    for &(resource, most) in always.iter().chain(limits) {
        let now = rustix::process::getrlimit(resource);
        let most = now.maximum.map_or(most, |maximum| maximum.min(most));
        let limit = Rlimit { current: Some(most), maximum: Some(most) };
        told(rustix::process::setrlimit(resource, limit))?;
    }
    Ok(())
}

/// A root directory of its own, empty and read-only. What was open stays open.
fn empty_root() -> Result<(), String> {
    use rustix::mount::{mount, mount_change, mount_remount, unmount};
    let quiet = MountFlags::NOSUID | MountFlags::NODEV | MountFlags::NOEXEC;
    // Any directory will do: it is covered, and then left behind.
    let place = PLACES.into_iter().find(|place| Path::new(place).is_dir());
    let place = place.ok_or("there is no directory to mount on")?;
    told(mount_change("/", MountPropagationFlags::REC | MountPropagationFlags::PRIVATE))?;
    told(mount("pframe", place, "tmpfs", quiet, Some(c"size=4k,nr_inodes=2,mode=0555")))?;
    told(rustix::process::chdir(place))?;
    told(rustix::process::pivot_root(".", "."))?;
    told(unmount(".", UnmountFlags::DETACH))?;
    told(rustix::process::chdir("/"))?;
    told(mount_remount("/", quiet | MountFlags::RDONLY, ""))?;
    let left = fs::read_dir("/").map_err(|error| error.to_string())?.count();
    check(left == 0, "the new root directory is not empty")
}

fn drop_capabilities() -> Result<(), String> {
    use rustix::thread::{CapabilitySet, CapabilitySets, set_capabilities};
    let none = CapabilitySet::empty();
    let sets = CapabilitySets { effective: none, permitted: none, inheritable: none };
    told(set_capabilities(None, sets))?;
    let now = rustix::thread::capabilities(None).map_err(|error| error.to_string())?;
    check(now.effective.is_empty() && now.permitted.is_empty(), "a capability is left")
}

fn undumpable() -> Result<(), String> {
    told(rustix::process::set_dumpable_behavior(DumpableBehavior::NotDumpable))?;
    let now = rustix::process::dumpable_behavior().map_err(|error| error.to_string())?;
    check(now == DumpableBehavior::NotDumpable, "it can still be dumped")
}

/// Denies everything that Landlock knows: its second version is demanded, every newer right taken where the kernel has it.
/// Below `disk` plain files and directories can be made and used, below `directories` they can be read.
fn landlock(disk: &[BorrowedFd<'_>], directories: &[BorrowedFd<'_>]) -> Result<(), String> {
    use landlock::{
        ABI, Access, AccessFs, AccessNet, CompatLevel, Compatible, PathBeneath, Ruleset,
        RulesetAttr, RulesetCreatedAttr, RulesetError, RulesetStatus, Scope,
    };
    let never = AccessFs::Execute
        | AccessFs::MakeChar
        | AccessFs::MakeBlock
        | AccessFs::MakeFifo
        | AccessFs::MakeSock
        | AccessFs::IoctlDev;
    let on_disk = AccessFs::from_all(ABI::V6) & !never;
    let reads = AccessFs::ReadFile | AccessFs::ReadDir;
    let restrict = || {
        Ruleset::default()
            .set_compatibility(CompatLevel::HardRequirement)
            .handle_access(AccessFs::from_all(ABI::V2))?
            .set_compatibility(CompatLevel::BestEffort)
            .handle_access(AccessFs::from_all(ABI::V6))?
            .handle_access(AccessNet::from_all(ABI::V6))?
            .scope(Scope::from_all(ABI::V6))?
            .create()?
            .add_rules(
                disk.iter().map(|root| Ok::<_, RulesetError>(PathBeneath::new(root, on_disk))),
            )?
            .add_rules(
                directories.iter().map(|root| Ok::<_, RulesetError>(PathBeneath::new(root, reads))),
            )?
            .restrict_self()
    };
    let status = restrict().map_err(|error: RulesetError| error.to_string())?;
    check(status.ruleset != RulesetStatus::NotEnforced, "the kernel does not enforce it")
}
