//! A control group around a child: the kernel itself holds its memory, where this process may make groups.
//!
//! Owns: one group for each child, by version 2 where it is delegated, else by version 1. Where neither can be had there
//! is none, and the host measures and kills by itself.
//! Never: touches a group that it did not make.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use pframe_core::units::ByteSize;
use rustix::process::Pid;

/// Where control groups are mounted.
const ROOT: &str = "/sys/fs/cgroup";
/// The first part of our groups' names; the number of the host's process follows.
const PREFIX: &str = "pframe-";
/// The group below its own that a host moves into.
const LEAF: &str = "pframe-host";
/// How often the end of a group is tried: its last process may still be on its way out.
const END_LOOKS: u32 = 50;
const END_LOOK_INTERVAL: Duration = Duration::from_millis(2);

/// The files of a version.
#[derive(Debug, Clone, Copy)]
struct Files {
    limit: &'static str,
    /// The file that counts processes killed for want of memory, and the word before the count.
    kills: (&'static str, &'static str),
}

const VERSION_2: Files = Files { limit: "memory.max", kills: ("memory.events", "oom_kill ") };
const VERSION_1: Files =
    Files { limit: "memory.limit_in_bytes", kills: ("memory.oom_control", "oom_kill ") };

/// A group with one child in it. It goes when this falls.
#[derive(Debug)]
pub(crate) struct MemoryGroup {
    folder: PathBuf,
    files: Files,
    limit: Option<ByteSize>,
}

impl MemoryGroup {
    /// Puts a process into a group of its own; `None` where no group can be made.
    pub(crate) fn around(process: Pid) -> Option<Self> {
        let own = fs::read_to_string("/proc/self/cgroup").ok()?;
        let made = parents(&own).into_iter().find_map(|(parent, files)| make(&parent, files));
        let group = made?;
        // What is not in the group is not held by it.
        let number = process.as_raw_nonzero().to_string();
        fs::write(group.folder.join("cgroup.procs"), number).ok()?;
        Some(group)
    }

    /// The most memory that the processes inside may have together.
    pub(crate) fn hold(&mut self, limit: ByteSize) {
        if self.limit == Some(limit) {
            return;
        }
        // Version 2 alone has these: no way round by swapping, and all of a worker ends together.
        let _ = fs::write(self.folder.join("memory.swap.max"), "0");
        let _ = fs::write(self.folder.join("memory.oom.group"), "1");
        match fs::write(self.folder.join(self.files.limit), limit.bytes().to_string()) {
            Ok(()) => self.limit = Some(limit),
            Err(error) => tracing::warn!(%error, "a control group does not take its limit"),
        }
    }

    /// True once the kernel has killed something inside for want of memory.
    pub(crate) fn has_killed(&self) -> bool {
        let (file, word) = self.files.kills;
        let text = fs::read_to_string(self.folder.join(file)).unwrap_or_default();
        let count =
            text.lines().find_map(|line| line.strip_prefix(word)?.trim().parse::<u64>().ok());
        count.is_some_and(|count| count > 0)
    }
}

impl Drop for MemoryGroup {
    fn drop(&mut self) {
        for _ in 0..END_LOOKS {
            match fs::remove_dir(&self.folder) {
                Err(error) if error.kind() == io::ErrorKind::ResourceBusy => {
                    std::thread::sleep(END_LOOK_INTERVAL);
                }
                _ => return,
            }
        }
    }
}

/// The groups in which this process could make others: its own, by either version.
fn parents(own: &str) -> Vec<(PathBuf, Files)> {
    let mut parents = Vec::new();
    for line in own.lines() {
        let mut fields = line.splitn(3, ':').skip(1);
        let (Some(controllers), Some(path)) = (fields.next(), fields.next()) else { continue };
        let path = path.trim_start_matches('/');
        if controllers.is_empty() {
            // A host that has moved into a leaf makes its groups beside it.
            let path = path.strip_suffix(LEAF).unwrap_or(path).trim_end_matches('/');
            parents.push((Path::new(ROOT).join(path), VERSION_2));
        } else if controllers.split(',').any(|controller| controller == "memory") {
            parents.push((Path::new(ROOT).join("memory").join(path), VERSION_1));
        }
    }
    parents
}

/// Makes room for groups, before the first child is there. With version 2 the kernel counts memory only below a group without processes of its own: a host
/// that is alone in its group, as with systemd's `Delegate=yes`, moves into a leaf of that group.
pub(crate) fn settle() {
    let own = fs::read_to_string("/proc/self/cgroup").unwrap_or_default();
    for (folder, _) in parents(&own).into_iter().filter(|(_, files)| files.limit == VERSION_2.limit)
    {
        if let Err(error) = settle_in(&folder, std::process::id()) {
            tracing::info!(%error, "no control group of version 2 can be divided here");
        }
    }
}

fn settle_in(folder: &Path, host: u32) -> io::Result<()> {
    let read = |name| fs::read_to_string(folder.join(name));
    let has_memory = |text: String| text.split_whitespace().any(|word| word == "memory");
    if has_memory(read("cgroup.subtree_control")?) {
        return Ok(());
    }
    let host = host.to_string();
    if !has_memory(read("cgroup.controllers")?) || read("cgroup.procs")?.trim() != host {
        return Err(io::Error::other(
            "it is not this host's own, or memory is not passed on to it",
        ));
    }
    let leaf = folder.join(LEAF);
    fs::create_dir_all(&leaf)?;
    fs::write(leaf.join("cgroup.procs"), &host)?;
    fs::write(folder.join("cgroup.subtree_control"), "+memory").inspect_err(|_| {
        let _ = fs::write(folder.join("cgroup.procs"), &host);
        let _ = fs::remove_dir(&leaf);
    })
}

/// A new group, if the kernel counts memory in it.
fn make(parent: &Path, files: Files) -> Option<MemoryGroup> {
    static NEXT: AtomicU32 = AtomicU32::new(0);
    let number = NEXT.fetch_add(1, Ordering::Relaxed);
    let folder = parent.join(format!("{PREFIX}{}-{number}", std::process::id()));
    fs::create_dir(&folder).ok()?;
    let group = MemoryGroup { folder, files, limit: None };
    group.folder.join(files.limit).exists().then_some(group)
}

/// Removes groups of hosts that died before they could.
pub(crate) fn sweep() {
    let own = fs::read_to_string("/proc/self/cgroup").unwrap_or_default();
    for (parent, _) in parents(&own) {
        let folders = fs::read_dir(parent).into_iter().flatten().flatten();
        for folder in folders.filter(|folder| is_left_behind(&folder.file_name().to_string_lossy()))
        {
            let _ = fs::remove_dir(folder.path());
        }
    }
}

fn is_left_behind(name: &str) -> bool {
    let host = name.strip_prefix(PREFIX).and_then(|rest| rest.split('-').next());
    let host = host.and_then(|number| Pid::from_raw(number.parse().ok()?));
    host.is_some_and(|host| {
        rustix::process::test_kill_process(host) == Err(rustix::io::Errno::SRCH)
    })
}

#[cfg(test)]
mod tests {
    use std::io::Write;
    use std::os::unix::process::ExitStatusExt;
    use std::process::{Command, Stdio};

    use super::*;

    #[test]
    fn x10_the_kernel_ends_what_takes_more_than_its_group_may() {
        // It waits until it is in its group, then takes 300 MB.
        let script = "read go; head -c 300000000 /dev/zero | tail -c 300000000 > /dev/null";
        let mut child = Command::new("sh")
            .args(["-c", script])
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .spawn()
            .unwrap();
        let process = Pid::from_raw(i32::try_from(child.id()).unwrap()).unwrap();
        let Some(mut group) = MemoryGroup::around(process) else {
            eprintln!("note: no control group can be made here; nothing to see");
            child.kill().unwrap();
            child.wait().unwrap();
            return;
        };
        group.hold(ByteSize::mib(64));
        child.stdin.take().unwrap().write_all(b"go\n").unwrap();
        let status = child.wait().unwrap();
        assert!(!status.success() || status.signal().is_some(), "{status}");
        assert!(group.has_killed());
        let folder = group.folder.clone();
        drop(group);
        assert!(!folder.exists());
    }

    #[test]
    fn both_versions_are_found_in_what_the_kernel_says() {
        let own = "9:name=systemd:/\n4:memory:/process_api/9a\n0::/user.slice\n";
        let found: Vec<_> =
            parents(own).into_iter().map(|(path, files)| (path, files.limit)).collect();
        assert_eq!(
            found,
            [
                (PathBuf::from("/sys/fs/cgroup/memory/process_api/9a"), "memory.limit_in_bytes"),
                (PathBuf::from("/sys/fs/cgroup/user.slice"), "memory.max"),
            ]
        );
    }

    #[test]
    fn a_host_alone_in_a_group_of_its_own_moves_into_a_leaf_and_makes_groups_beside_it() {
        let folder = tempfile::tempdir().unwrap();
        let file = |name: &str| folder.path().join(name);
        let host = std::process::id();
        fs::write(file("cgroup.controllers"), "cpu memory pids\n").unwrap();
        fs::write(file("cgroup.subtree_control"), "\n").unwrap();
        fs::write(file("cgroup.procs"), format!("{host}\n1\n")).unwrap();
        assert!(settle_in(folder.path(), host).is_err(), "somebody else is there too");
        assert!(!file(LEAF).exists());
        fs::write(file("cgroup.procs"), format!("{host}\n")).unwrap();
        settle_in(folder.path(), host).unwrap();
        let moved = fs::read_to_string(file(LEAF).join("cgroup.procs")).unwrap();
        assert_eq!(moved, host.to_string());
        assert_eq!(fs::read_to_string(file("cgroup.subtree_control")).unwrap(), "+memory");
        let beside = parents("0::/system.slice/pframe.service/pframe-host\n");
        assert_eq!(beside[0].0, Path::new("/sys/fs/cgroup/system.slice/pframe.service"));
    }

    #[test]
    fn only_groups_of_hosts_that_are_dead_are_left_behind() {
        assert!(!is_left_behind(&format!("{PREFIX}{}-0", std::process::id())));
        assert!(is_left_behind(&format!("{PREFIX}999999999-3")));
        assert!(!is_left_behind("user.slice"));
    }
}
