//! What this process holds, as Linux tells it.
//!
//! Owns: reading `/proc/self`.
//! Never: guesses: a figure that cannot be read is a failure.

use std::fs;

/// Threads of this process.
pub fn threads() -> usize {
    entries("/proc/self/task")
}

/// Open file descriptors of this process, without the one that lists them.
pub fn file_descriptors() -> usize {
    entries("/proc/self/fd") - 1
}

/// Resident memory of this process, in bytes.
pub fn resident_bytes() -> u64 {
    let statm = fs::read_to_string("/proc/self/statm").expect("Linux tells a process its size");
    let pages = statm.split(' ').nth(1).and_then(|text| text.parse::<u64>().ok());
    pages.expect("the second field is a number of pages") * rustix::param::page_size() as u64
}

/// The most memory that another process ever held, in bytes.
pub fn peak_resident_bytes(process: u32) -> Option<u64> {
    let status = fs::read_to_string(format!("/proc/{process}/status")).ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
    let kibibytes: u64 = line.trim().trim_end_matches(" kB").parse().ok()?;
    Some(kibibytes << 10)
}

fn entries(path: &str) -> usize {
    fs::read_dir(path).expect("Linux shows a process its own").count()
}
