//! One host for one state directory.
//!
//! Owns: the lock file. The operating system releases the lock when the process dies, however it dies.
//! Never: breaks another host's lock.

use std::fs::{File, OpenOptions};
use std::io::{Read, Seek, Write};
use std::path::Path;
use std::time::{Duration, Instant};

use pframe_core::fault::{Code, Fault};
use rustix::fs::{FlockOperation, flock};

/// How long a dead host's lock is waited for: a child that it had just forked holds it until it becomes its own program.
const DEATH_PATIENCE: Duration = Duration::from_secs(2);
const DEATH_LOOK_INTERVAL: Duration = Duration::from_millis(5);

/// Held as long as this host uses the state directory.
#[derive(Debug)]
pub(crate) struct HostLock {
    _file: File,
}

impl HostLock {
    /// Takes the lock or names the process that holds it.
    pub(crate) fn take(state_dir: &Path) -> Result<Self, Fault> {
        let path = state_dir.join("host.lock");
        let unusable = |error: std::io::Error| {
            Fault::new(Code::StateUnusable).detail(format!("`{}`: {error}", path.display()))
        };
        let mut options = OpenOptions::new();
        options.read(true).write(true).create(true).truncate(false);
        let mut file = options.open(&path).map_err(unusable)?;
        let until = Instant::now() + DEATH_PATIENCE;
        while flock(&file, FlockOperation::NonBlockingLockExclusive).is_err() {
            let mut holder = String::new();
            file.rewind().map_err(unusable)?;
            let _ = file.read_to_string(&mut holder);
            if !is_alive(holder.trim()) && Instant::now() < until {
                std::thread::sleep(DEATH_LOOK_INTERVAL);
                continue;
            }
            return Err(Fault::new(Code::StateUnusable).detail(format!(
                "`{}` is in use by the host with process id {}",
                state_dir.display(),
                holder.trim()
            )));
        }
        file.set_len(0).and_then(|()| file.rewind()).map_err(unusable)?;
        writeln!(file, "{}", std::process::id()).map_err(unusable)?;
        Ok(Self { _file: file })
    }

    /// True while another process holds the lock.
    pub(crate) fn is_held(state_dir: &Path) -> bool {
        File::open(state_dir.join("host.lock"))
            .is_ok_and(|file| flock(&file, FlockOperation::NonBlockingLockShared).is_err())
    }
}

/// True for the number of a process that lives.
fn is_alive(process: &str) -> bool {
    let process = process.parse().ok().and_then(rustix::process::Pid::from_raw);
    process.is_some_and(|process| {
        rustix::process::test_kill_process(process) != Err(rustix::io::Errno::SRCH)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_second_host_on_one_state_directory_is_refused_by_name() {
        let directory = tempfile::tempdir().unwrap();
        let first = HostLock::take(directory.path()).unwrap();
        let second = HostLock::take(directory.path()).unwrap_err();
        assert!(second.detail.contains(&std::process::id().to_string()), "{}", second.detail);
        assert!(HostLock::is_held(directory.path()));
        drop(first);
        assert!(!HostLock::is_held(directory.path()));
        assert!(HostLock::take(directory.path()).is_ok());
    }
}
