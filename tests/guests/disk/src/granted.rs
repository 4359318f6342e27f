//! What a guest does with a directory that it was granted to read.

use std::collections::BTreeMap;
use std::io::Write;

use pframe_guest::{Failure, Output};
use wasip2::filesystem::preopens;
use wasip2::filesystem::types::{
    Descriptor, DescriptorFlags, ErrorCode, NewTimestamp, OpenFlags, PathFlags,
};

use crate::paths::{each, shown};
use crate::{create, disk, failure};

/// The first directory below `/in`.
fn directory() -> Result<Descriptor, Failure> {
    let found = preopens::get_directories().into_iter().find(|(_, name)| name.starts_with("/in/"));
    found.map(|(root, _)| root).ok_or_else(|| Failure::permanent("nothing was granted"))
}

fn open(root: &Descriptor, path: &str, links: PathFlags) -> Result<Descriptor, ErrorCode> {
    root.open_at(links, path, OpenFlags::empty(), DescriptorFlags::READ)
}

/// Reads every file below every granted directory, as an honest handler would.
pub(crate) fn read(output: &mut Output) -> Result<(), Failure> {
    let mut folders: Vec<_> =
        preopens::get_directories().into_iter().map(|(_, name)| name).collect();
    folders.retain(|name| name.starts_with("/in/"));
    let mut files = BTreeMap::new();
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(&folder)? {
            let entry = entry?;
            let path = format!("{folder}/{}", entry.file_name().to_string_lossy());
            if entry.file_type()?.is_dir() {
                folders.push(path);
            } else {
                let text = std::fs::read_to_string(&path)?;
                files.insert(path, text);
            }
        }
    }
    for (path, text) in files {
        writeln!(output, "{path}: {text}")?;
    }
    Ok(())
}

/// Tries every operation on paths that lead outside; `link…` were made by the host.
pub(crate) fn outside(output: &mut Output) -> Result<(), Failure> {
    let root = directory()?;
    let mut paths: Vec<String> = [
        "..",
        "../",
        "../..",
        "./../",
        "folder/../..",
        "folder/../../etc/passwd",
        "folder//..//..//x",
        "/",
        "/etc/passwd",
        "//etc",
        "/proc/self/environ",
        "/in",
        "../in",
        "",
        "\0",
        "file\0/../..",
    ]
    .map(str::to_owned)
    .into();
    paths.push("../".repeat(1000) + "etc/passwd");
    paths.push("x".repeat(5000));
    for link in ["link-up", "link-absolute", "link-crooked", "link-process", "link-secret"] {
        let behind = ["", "/", "//", "/.", "/passwd", "/etc/passwd"];
        paths.extend(behind.map(|behind| format!("{link}{behind}")));
    }
    for path in &paths {
        each(output, &root, path)?;
    }
    Ok(())
}

/// Tries to change what it may only read.
pub(crate) fn write(output: &mut Output) -> Result<(), Failure> {
    let root = directory()?;
    let no_follow = PathFlags::empty();
    let rights = DescriptorFlags::READ | DescriptorFlags::WRITE;
    let now = NewTimestamp::Now;
    let both = DescriptorFlags::READ | DescriptorFlags::MUTATE_DIRECTORY;
    let how = |path: &str, how| root.open_at(no_follow, path, how, DescriptorFlags::READ).map(drop);
    let file = open(&root, "file", no_follow).map_err(failure)?;
    let folder = root.open_at(no_follow, "folder", OpenFlags::DIRECTORY, both).map_err(failure)?;
    let outcomes = [
        ("open to write", root.open_at(no_follow, "file", OpenFlags::empty(), rights).map(drop)),
        ("open and truncate", how("file", OpenFlags::TRUNCATE)),
        ("open and create", how("new", OpenFlags::CREATE)),
        ("open and create what is there", how("file", OpenFlags::CREATE)),
        ("open and create alone", how("new", OpenFlags::CREATE | OpenFlags::EXCLUSIVE)),
        ("create in a folder", create(&folder, "new").map(drop)),
        ("write", file.write(b"x", 0).map(drop)),
        ("write by stream", file.write_via_stream(0).map(drop)),
        ("append by stream", file.append_via_stream().map(drop)),
        ("set size", file.set_size(0)),
        ("set size to what it is", file.set_size(5)),
        ("set times", file.set_times(now, now)),
        ("set times of the folder", folder.set_times(now, now)),
        ("set times by path", root.set_times_at(no_follow, "file", now, now)),
        ("rename", root.rename_at("file", &root, "renamed")),
        ("rename into the folder", root.rename_at("file", &folder, "file")),
        ("link", root.link_at(no_follow, "file", &root, "linked")),
        ("symlink", root.symlink_at("file", "linked")),
        ("make a directory", root.create_directory_at("new")),
        ("remove a file", root.unlink_file_at("file")),
        ("remove a directory", root.remove_directory_at("folder/empty")),
    ];
    for (what, outcome) in outcomes {
        writeln!(output, "{what}: {}", shown(&outcome.map(|()| "DONE")))?;
    }
    Ok(())
}

/// Moves files between its disk and what it may only read.
pub(crate) fn across(output: &mut Output) -> Result<(), Failure> {
    let (root, disk) = (directory()?, disk()?);
    create(&disk, "mine").map_err(failure)?;
    let no_follow = PathFlags::empty();
    for (what, outcome) in [
        ("link out", root.link_at(no_follow, "file", &disk, "linked")),
        ("link in", disk.link_at(no_follow, "mine", &root, "linked")),
        ("rename out", root.rename_at("file", &disk, "renamed")),
        ("rename in", disk.rename_at("mine", &root, "file")),
    ] {
        writeln!(output, "{what}: {}", shown(&outcome.map(|()| "DONE")))?;
    }
    Ok(())
}

/// Opens everything in the directory, and tells what it is.
pub(crate) fn open_all(output: &mut Output) -> Result<(), Failure> {
    let root = directory()?;
    let entries = root.read_directory().map_err(failure)?;
    let mut names = Vec::new();
    while let Some(entry) = entries.read_directory_entry().map_err(failure)? {
        names.push(entry.name);
    }
    names.sort();
    for name in names {
        let followed = open(&root, &name, PathFlags::SYMLINK_FOLLOW).map(|_| "open");
        let itself = open(&root, &name, PathFlags::empty()).map(|_| "open");
        let seen = root.stat_at(PathFlags::empty(), &name).map(|_| "seen");
        writeln!(output, "{name}: {}, {}, {}", shown(&followed), shown(&itself), shown(&seen))?;
    }
    Ok(())
}

/// Reads what somebody swaps all the time, and tells what it ever saw there.
pub(crate) fn race(output: &mut Output) -> Result<(), Failure> {
    let root = directory()?;
    let mut seen: BTreeMap<String, u32> = BTreeMap::new();
    for _ in 0..3000 {
        for path in ["swap/name", "swap/../swap/name", "folder/../swap/name"] {
            let opened = open(&root, path, PathFlags::SYMLINK_FOLLOW);
            let found = match opened.and_then(|file| file.read(100, 0)) {
                Ok((bytes, _)) => String::from_utf8_lossy(&bytes).into_owned(),
                Err(error) => error.name().to_owned(),
            };
            *seen.entry(found).or_default() += 1;
        }
    }
    for found in seen.keys() {
        writeln!(output, "{found}")?;
    }
    Ok(())
}

/// Lists a directory of very many names, once and several times at once.
pub(crate) fn list(output: &mut Output) -> Result<(), Failure> {
    let root = directory()?;
    let mut kept = Vec::new();
    loop {
        match root.read_directory() {
            Ok(listing) => kept.push(listing),
            Err(error) => {
                return Ok(writeln!(output, "{} listings, then {}", kept.len(), error.name())?);
            }
        }
    }
}
