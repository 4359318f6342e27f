//! Paths that lead somewhere else, and names and times that nobody gives.

use std::io::Write;

use pframe_guest::{Failure, Output};
use wasip2::clocks::wall_clock::Datetime;
use wasip2::filesystem::types::{
    Descriptor, DescriptorFlags, ErrorCode, NewTimestamp, OpenFlags, PathFlags,
};

use crate::{create, disk, failure};

/// Links that lead outside, if they can be made; each is tried with and without a slash behind it.
const LINKS: [(&str, &str); 5] = [
    ("..", "up"),
    ("../..", "up2"),
    ("inside/../../..", "crooked"),
    ("/etc", "absolute"),
    ("/proc/self", "process"),
];

/// Tries everything on everything. A line that says `OPEN` is a way out.
pub(crate) fn outside(output: &mut Output) -> Result<(), Failure> {
    outside_of(output, &disk()?)
}

/// The same for another directory.
pub(crate) fn outside_of(output: &mut Output, disk: &Descriptor) -> Result<(), Failure> {
    disk.create_directory_at("inside").map_err(failure)?;
    create(disk, "inside/file").map_err(failure)?;
    let mut paths: Vec<String> = [
        "..",
        "../",
        "../..",
        "./../",
        "inside/../..",
        "inside/../../etc/passwd",
        "inside//..//..//x",
        "/",
        "/etc/passwd",
        "//etc",
        "/proc/self/environ",
        "/scratch",
        "../scratch",
        "../job-2",
        "",
        "\0",
        "inside\0/../..",
    ]
    .map(str::to_owned)
    .into();
    paths.push("../".repeat(1000) + "etc/passwd");
    paths.push("x".repeat(5000));
    for (to, name) in LINKS {
        let made = disk.symlink_at(to, name).map(|()| "made");
        writeln!(output, "link {name}: {}", shown(&made))?;
        if made.is_ok() {
            paths.extend(["/", "//", "/.", "/etc/passwd"].map(|behind| format!("{name}{behind}")));
        }
    }
    for path in &paths {
        each(output, disk, path)?;
    }
    Ok(())
}

pub(crate) fn each(output: &mut Output, disk: &Descriptor, path: &str) -> Result<(), Failure> {
    let follow = PathFlags::SYMLINK_FOLLOW;
    let now = NewTimestamp::Now;
    let outcomes = [
        ("open", disk.open_at(follow, path, OpenFlags::empty(), DescriptorFlags::READ).map(drop)),
        (
            "open-nofollow",
            disk.open_at(PathFlags::empty(), path, OpenFlags::empty(), DescriptorFlags::READ)
                .map(drop),
        ),
        ("create", disk.open_at(follow, path, OpenFlags::CREATE, DescriptorFlags::WRITE).map(drop)),
        (
            "open-directory",
            disk.open_at(follow, path, OpenFlags::DIRECTORY, DescriptorFlags::READ).map(drop),
        ),
        ("stat", disk.stat_at(follow, path).map(drop)),
        ("hash", disk.metadata_hash_at(follow, path).map(drop)),
        ("times", disk.set_times_at(follow, path, now, now)),
        ("make-directory", disk.create_directory_at(path)),
        ("link-from", disk.link_at(PathFlags::empty(), path, disk, "linked")),
        ("link-to", disk.link_at(PathFlags::empty(), "inside/file", disk, path)),
        ("rename-from", disk.rename_at(path, disk, "renamed")),
        ("rename-to", disk.rename_at("inside/file", disk, path)),
        ("symlink-to", disk.symlink_at("inside", path)),
        ("remove-file", disk.unlink_file_at(path)),
        ("remove-directory", disk.remove_directory_at(path)),
    ];
    let path = path.get(..40).unwrap_or(path).escape_debug();
    for (what, outcome) in outcomes {
        writeln!(output, "{what} \"{path}\": {}", shown(&outcome.map(|()| "OPEN")))?;
    }
    Ok(())
}

/// Links in circles, and more links in a row than anybody follows.
pub(crate) fn links(output: &mut Output) -> Result<(), Failure> {
    let disk = disk()?;
    disk.symlink_at("b", "a").map_err(failure)?;
    disk.symlink_at("a", "b").map_err(failure)?;
    writeln!(output, "circle: {}", shown(&stat(&disk, "a")))?;
    create(&disk, "link0").map_err(failure)?;
    for number in 1..=50 {
        let (to, name) = (format!("link{}", number - 1), format!("link{number}"));
        disk.symlink_at(&to, &name).map_err(failure)?;
    }
    writeln!(output, "5 links: {}", shown(&stat(&disk, "link5")))?;
    Ok(writeln!(output, "50 links: {}", shown(&stat(&disk, "link50")))?)
}

fn stat(disk: &Descriptor, path: &str) -> Result<&'static str, ErrorCode> {
    disk.stat_at(PathFlags::SYMLINK_FOLLOW, path).map(|_| "found")
}

/// Names that are hard on whoever lists them.
pub(crate) fn names(output: &mut Output) -> Result<(), Failure> {
    let disk = disk()?;
    let long = "n".repeat(255);
    let names = [
        "-rf",
        "two\nlines",
        "CON",
        "\u{1b}[2Jred",
        "\u{e9}",
        "e\u{301}",
        "\u{202e}txt.exe",
        " ",
        &long,
    ];
    for name in names {
        create(&disk, name).map_err(failure)?;
    }
    writeln!(output, "256 bytes: {}", shown(&create(&disk, &"n".repeat(256)).map(|_| "made")))?;
    let entries = disk.read_directory().map_err(failure)?;
    let mut count = 0;
    while let Some(entry) = entries.read_directory_entry().map_err(failure)? {
        count += u32::from(names.contains(&entry.name.as_str()));
    }
    Ok(writeln!(output, "{count} of {} names", names.len())?)
}

/// Times before and after everything.
pub(crate) fn times(output: &mut Output) -> Result<(), Failure> {
    let disk = disk()?;
    let file = create(&disk, "file").map_err(failure)?;
    for (seconds, nanoseconds) in [
        (0, 0),
        (u64::MAX, 0),
        (1 << 63, 0),
        (u64::MAX, u32::MAX),
        (0, u32::MAX),
        (1 << 40, 999_999_999),
    ] {
        let at = NewTimestamp::Timestamp(Datetime { seconds, nanoseconds });
        let set = file.set_times(at, at).map(|()| "set");
        let seen = file.stat().map(|_| "seen");
        writeln!(output, "{seconds}.{nanoseconds}: {}, {}", shown(&set), shown(&seen))?;
    }
    Ok(())
}

/// Each step up makes the kernel look whether something was renamed meanwhile.
pub(crate) fn up_and_down(output: &mut Output) -> Result<(), Failure> {
    let disk = disk()?;
    disk.create_directory_at("down").map_err(failure)?;
    create(&disk, "file").map_err(failure)?;
    let path = "down/../".repeat(200) + "file";
    for _ in 0..2000 {
        disk.stat_at(PathFlags::empty(), &path).map_err(failure)?;
        let rights = DescriptorFlags::READ;
        disk.open_at(PathFlags::empty(), &path, OpenFlags::empty(), rights).map_err(failure)?;
    }
    Ok(writeln!(output, "there and back")?)
}

pub(crate) fn shown(outcome: &Result<&str, ErrorCode>) -> String {
    match outcome {
        Ok(text) => (*text).to_owned(),
        Err(error) => error.name().to_owned(),
    }
}
