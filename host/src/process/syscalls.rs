//! The system calls that a child may make, by phase: an allow-list, and death for everything else.
//!
//! Owns: the lists. Each call stands beside the reason for it.
//! Never: allows an executable mapping once guests run, a socket, a new program, or another process.

use std::collections::BTreeMap;

use seccompiler::{
    SeccompAction, SeccompCmpArgLen as Len, SeccompCmpOp as Op, SeccompCondition as Condition,
    SeccompFilter, SeccompRule,
};

/// What a child is about to do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Phase {
    /// Turn bytes into other bytes: memory, and the line.
    Errand,
    /// Recognise speech: the same, for libraries that look at their own clocks.
    Recognise,
    /// Get ready to run guests: map compiled code, start threads, and put on the layers that are still missing.
    Load,
    /// Run guests: memory and the line again, timers, and the look at which pages a guest touched.
    Run,
    /// Run guests that read directories: the same, and reading files below descriptors.
    RunWithDirectories,
    /// Run guests that have a disk: the same, and making, changing and removing files.
    RunWithDisk,
    /// Make disks, for the host alone.
    Mount,
}

/// The `ioctl` by which wasmtime asks which pages a guest wrote (`PAGEMAP_SCAN`, Linux 6.7).
const PAGEMAP_SCAN: u64 = 0xc060_6610;

/// Memory: never executable, see [`memory_rules`].
const MEMORY: &[i64] = &[libc::SYS_munmap, libc::SYS_madvise, libc::SYS_mremap, libc::SYS_brk];
/// The line, inputs, and closing them.
const DATA: &[i64] = &[
    libc::SYS_read,
    libc::SYS_readv,
    libc::SYS_pread64,
    libc::SYS_write,
    libc::SYS_writev,
    libc::SYS_recvmsg,
    libc::SYS_recvfrom,
    libc::SYS_sendmsg,
    libc::SYS_sendto,
    libc::SYS_close,
    libc::SYS_fstat,
    libc::SYS_statx,
    libc::SYS_lseek,
    libc::SYS_poll,
    libc::SYS_ppoll,
];
/// Threads that stand already: locks, signals of their own faults, and the end.
const THREADS: &[i64] = &[
    libc::SYS_futex,
    libc::SYS_sched_yield,
    libc::SYS_sched_getaffinity,
    libc::SYS_rt_sigaction,
    libc::SYS_rt_sigprocmask,
    libc::SYS_rt_sigreturn,
    libc::SYS_sigaltstack,
    libc::SYS_getpid,
    libc::SYS_gettid,
    libc::SYS_set_robust_list,
    libc::SYS_rseq,
    libc::SYS_membarrier,
    libc::SYS_restart_syscall,
    libc::SYS_exit,
    libc::SYS_exit_group,
];
/// Clocks and chance.
const TIME: &[i64] =
    &[libc::SYS_clock_gettime, libc::SYS_clock_nanosleep, libc::SYS_nanosleep, libc::SYS_getrandom];
/// What tokio waits with.
const EVENTS: &[i64] = &[
    libc::SYS_epoll_create1,
    libc::SYS_epoll_ctl,
    libc::SYS_epoll_wait,
    libc::SYS_epoll_pwait,
    libc::SYS_eventfd2,
];

/// Reading files of directories. The root directory is empty, so that every path begins at a descriptor; with `openat2`
/// the kernel itself keeps it below that.
const READING: &[i64] = &[
    libc::SYS_openat2,
    libc::SYS_openat,
    libc::SYS_newfstatat,
    // Where the kernel could not tell at once, because somebody renamed something, wasmtime looks step by step.
    libc::SYS_faccessat,
    libc::SYS_faccessat2,
    libc::SYS_fstatfs,
    libc::SYS_getdents64,
    libc::SYS_readlinkat,
    libc::SYS_fadvise64,
    libc::SYS_fsync,
    libc::SYS_fdatasync,
];
/// The other calls that a guest's disk takes.
const WRITING: &[i64] = &[
    libc::SYS_mkdirat,
    libc::SYS_unlinkat,
    libc::SYS_renameat,
    libc::SYS_renameat2,
    libc::SYS_linkat,
    libc::SYS_symlinkat,
    libc::SYS_utimensat,
    libc::SYS_ftruncate,
    libc::SYS_pwrite64,
    libc::SYS_pwritev2,
];
/// Reading what the process is told of itself, starting its threads, and the calls by which layers are put on.
const LOADING: &[i64] = &[
    libc::SYS_openat,
    libc::SYS_newfstatat,
    libc::SYS_getdents64,
    libc::SYS_ioctl,
    libc::SYS_clone3,
    libc::SYS_prlimit64,
    libc::SYS_mount,
    libc::SYS_umount2,
    libc::SYS_pivot_root,
    libc::SYS_chdir,
    libc::SYS_capget,
    libc::SYS_capset,
    libc::SYS_landlock_create_ruleset,
    libc::SYS_landlock_add_rule,
    libc::SYS_landlock_restrict_self,
    libc::SYS_seccomp,
];
/// A file system that is mounted nowhere, and a directory that is mounted for a moment.
const MOUNTING: &[i64] = &[
    libc::SYS_fsopen,
    libc::SYS_fsconfig,
    libc::SYS_fsmount,
    libc::SYS_openat,
    libc::SYS_mount,
    libc::SYS_umount2,
];

/// Applies the list of a phase to all threads of this process.
pub(super) fn allow_only(phase: Phase) -> Result<(), String> {
    let text = |error: &dyn std::fmt::Display| error.to_string();
    let architecture = std::env::consts::ARCH
        .try_into()
        .map_err(|error: seccompiler::BackendError| text(&error))?;
    let filter = SeccompFilter::new(
        rules(phase).map_err(|error| text(&error))?,
        SeccompAction::KillProcess,
        SeccompAction::Allow,
        architecture,
    )
    .map_err(|error| text(&error))?;
    let program: seccompiler::BpfProgram =
        filter.try_into().map_err(|error: seccompiler::BackendError| text(&error))?;
    seccompiler::apply_filter_all_threads(&program).map_err(|error| text(&error))
}

type Rules = BTreeMap<i64, Vec<SeccompRule>>;

fn rules(phase: Phase) -> Result<Rules, seccompiler::BackendError> {
    let mut rules: Rules = Rules::new();
    let always = MEMORY.iter().chain(DATA).chain(THREADS).chain(TIME);
    rules.extend(always.map(|call| (*call, Vec::new())));
    rules.extend(memory_rules()?);
    // `abort` signals its own thread; no process but itself is in sight.
    let own_process = Condition::new(0, Len::Dword, Op::Eq, u64::from(std::process::id()))?;
    rules.insert(libc::SYS_tgkill, vec![SeccompRule::new(vec![own_process])?]);
    let has_files = matches!(phase, Phase::RunWithDirectories | Phase::RunWithDisk);
    if phase == Phase::Run || has_files {
        rules.extend(EVENTS.iter().map(|call| (*call, Vec::new())));
        let scan = Condition::new(1, Len::Dword, Op::Eq, PAGEMAP_SCAN)?;
        rules.insert(libc::SYS_ioctl, vec![SeccompRule::new(vec![scan])?]);
    }
    // A thread that was started just before says its name first.
    let name = Condition::new(0, Len::Dword, Op::Eq, u64::from(libc::PR_SET_NAME.unsigned_abs()))?;
    rules.insert(libc::SYS_prctl, vec![SeccompRule::new(vec![name])?]);
    let asks = |what: i32| {
        let what = Condition::new(1, Len::Dword, Op::Eq, u64::from(what.unsigned_abs()))?;
        SeccompRule::new(vec![what])
    };
    // The standard library of a debug build looks whether a descriptor that it closes is open.
    let mut questions = vec![asks(libc::F_GETFD)?];
    if phase == Phase::RunWithDisk {
        rules.extend(WRITING.iter().map(|call| (*call, Vec::new())));
    }
    if has_files {
        rules.extend(READING.iter().map(|call| (*call, Vec::new())));
        // A list of a directory is read through a descriptor of its own.
        questions.extend([asks(libc::F_GETFL)?, asks(libc::F_DUPFD_CLOEXEC)?]);
    }
    if phase == Phase::Recognise {
        // PocketSphinx takes its own time with every window.
        rules.insert(libc::SYS_getrusage, Vec::new());
        // Whisper has the C library count the processors, which looks for a file. There is none: the root directory is
        // empty, and Landlock forbids what is not.
        let writes = u64::from((libc::O_ACCMODE | libc::O_CREAT).unsigned_abs());
        let reads = Condition::new(2, Len::Dword, Op::MaskedEq(writes), 0)?;
        rules.insert(libc::SYS_openat, vec![SeccompRule::new(vec![reads])?]);
    }
    if phase == Phase::Mount {
        rules.extend(MOUNTING.iter().map(|call| (*call, Vec::new())));
    }
    rules.insert(libc::SYS_fcntl, questions);
    if phase == Phase::Load {
        // What a later phase allows must be allowed already: filters only ever take away.
        let calls = LOADING.iter().chain(EVENTS).chain(READING).chain(WRITING);
        rules.extend(calls.map(|call| (*call, Vec::new())));
        let unbounded = [libc::SYS_mmap, libc::SYS_mprotect, libc::SYS_prctl, libc::SYS_fcntl];
        rules.extend(unbounded.map(|call| (call, Vec::new())));
    }
    Ok(rules)
}

/// Mappings without `PROT_EXEC`: what a guest could make the process write must never run.
fn memory_rules() -> Result<Rules, seccompiler::BackendError> {
    let exec = u64::from(libc::PROT_EXEC.unsigned_abs());
    let mut rules = Rules::new();
    let plain = || Condition::new(2, Len::Dword, Op::MaskedEq(exec), 0);
    // Shared memory would be counted as nobody's.
    let shared = u64::from(libc::MAP_SHARED.unsigned_abs());
    let private = Condition::new(3, Len::Dword, Op::MaskedEq(shared), 0)?;
    rules.insert(libc::SYS_mmap, vec![SeccompRule::new(vec![plain()?, private])?]);
    rules.insert(libc::SYS_mprotect, vec![SeccompRule::new(vec![plain()?])?]);
    Ok(rules)
}
