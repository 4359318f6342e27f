//! What processes hold, as Linux tells it.
//!
//! Owns: reading `/proc`.
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

/// Parent, and arguments, of a process.
pub fn look(process: i32) -> Option<(i32, String)> {
    let stat = fs::read_to_string(format!("/proc/{process}/stat")).ok()?;
    let parent = stat.rsplit(')').next()?.split_whitespace().nth(1)?.parse().ok()?;
    let arguments = fs::read(format!("/proc/{process}/cmdline")).ok()?;
    Some((parent, String::from_utf8_lossy(&arguments).replace('\0', " ")))
}

fn processes() -> Vec<i32> {
    let entries = fs::read_dir("/proc").expect("/proc is there").flatten();
    entries.filter_map(|entry| entry.file_name().to_str()?.parse().ok()).collect()
}

/// The workers of a host's process that do the work: with namespaces, those that another one guards.
///
/// # Panics
///
/// Where there is no `/proc`.
pub fn workers_of(host: i32) -> Vec<i32> {
    children_of(host, "worker")
}

/// The same for another role, such as `recognise`.
///
/// # Panics
///
/// Where there is no `/proc`.
pub fn children_of(host: i32, role: &str) -> Vec<i32> {
    let words = format!(" {role} --stdio");
    let is_worker = |process: i32| look(process).filter(|(_, said)| said.contains(&words));
    let guards: Vec<i32> = processes()
        .into_iter()
        .filter(|process| is_worker(*process).is_some_and(|(parent, _)| parent == host))
        .collect();
    let inner = |guard: &i32| {
        let children = processes().into_iter();
        let mut children =
            children.filter(|child| is_worker(*child).is_some_and(|(it, _)| it == *guard));
        children.next().unwrap_or(*guard)
    };
    guards.iter().map(inner).collect()
}
