//! What a guest leaves below `/out`, for the host to put elsewhere.

use std::fs;
use std::io::Write;

use pframe_guest::{Chunk, Failure, Output};
use wasip2::filesystem::preopens;
use wasip2::filesystem::types::{Descriptor, DescriptorFlags, OpenFlags, PathFlags};

use crate::paths::{outside_of, shown};
use crate::{Parameters, create, disk, failure};

/// Where all of them lie.
const OUT: &str = "/out";
const BLOCK: usize = 64 << 10;

/// The first directory below `/out`.
fn outbox() -> Result<Descriptor, Failure> {
    let found = preopens::get_directories().into_iter().find(|(_, name)| name.starts_with("/out/"));
    found.map(|(root, _)| root).ok_or_else(|| Failure::permanent("nothing was granted"))
}

/// Writes the files that it was asked for, `%` in a path being the number of the chunk.
pub(crate) fn put(chunk: &Chunk, parameters: &Parameters) -> Result<(), Failure> {
    for (path, text) in &parameters.files {
        let path = format!("{OUT}/{path}").replace('%', &chunk.index().to_string());
        let (folder, _) = path.rsplit_once('/').expect("it is absolute");
        fs::create_dir_all(folder)?;
        fs::write(path, text)?;
    }
    Ok(())
}

/// A file of so many bytes.
pub(crate) fn bytes(parameters: &Parameters) -> Result<(), Failure> {
    let file = create(&outbox()?, "large").map_err(failure)?;
    let block = vec![7; BLOCK];
    let mut written = 0;
    while written < parameters.bytes {
        let rest = usize::try_from(parameters.bytes - written).unwrap_or(BLOCK);
        written += file.write(&block[..rest.min(BLOCK)], written).map_err(failure)?;
    }
    Ok(())
}

/// A link to what it was asked for, beside a file.
pub(crate) fn link(parameters: &Parameters, output: &mut Output) -> Result<(), Failure> {
    let outbox = outbox()?;
    create(&outbox, "file").map_err(failure)?;
    for to in parameters.files.keys() {
        writeln!(output, "{to}: {}", shown(&outbox.symlink_at(to, "link").map(|()| "made")))?;
    }
    Ok(())
}

/// Two names for one file, and one that is on the disk too.
pub(crate) fn hard_links() -> Result<(), Failure> {
    let (outbox, disk) = (outbox()?, disk()?);
    let file = create(&disk, "mine").map_err(failure)?;
    file.write(b"mine", 0).map_err(failure)?;
    let none = PathFlags::empty();
    disk.link_at(none, "mine", &outbox, "one").map_err(failure)?;
    outbox.link_at(none, "one", &outbox, "two").map_err(failure)
}

/// Directories in each other, so many as it was asked for.
pub(crate) fn deep(parameters: &Parameters) -> Result<(), Failure> {
    let mut here = outbox()?;
    for _ in 0..parameters.bytes {
        here.create_directory_at("d").map_err(failure)?;
        let rights = DescriptorFlags::READ | DescriptorFlags::MUTATE_DIRECTORY;
        let inner = here.open_at(PathFlags::empty(), "d", OpenFlags::DIRECTORY, rights);
        here = inner.map_err(failure)?;
    }
    create(&here, "file").map(drop).map_err(failure)
}

/// Empty files, so many as it was asked for, or as there is room for.
pub(crate) fn many(parameters: &Parameters, output: &mut Output) -> Result<(), Failure> {
    let outbox = outbox()?;
    for count in 0..parameters.bytes {
        if let Err(error) = create(&outbox, &format!("file{count}")) {
            return Ok(writeln!(output, "{count} files, then {}", error.name())?);
        }
    }
    Ok(())
}

/// A file that is longer than its disk.
pub(crate) fn sparse(parameters: &Parameters) -> Result<(), Failure> {
    let file = create(&outbox()?, "sparse").map_err(failure)?;
    file.set_size(parameters.bytes).map_err(failure)
}

/// Every operation on every path that leads out of it.
pub(crate) fn outside(output: &mut Output) -> Result<(), Failure> {
    outside_of(output, &outbox()?)?;
    // What was tried there need not lie there.
    let outbox = outbox()?;
    for link in ["up", "up2", "crooked"] {
        outbox.unlink_file_at(link).map_err(failure)?;
    }
    Ok(())
}

/// Names of everything in `/scratch`, and of what it can read.
pub(crate) fn names(output: &mut Output) -> Result<(), Failure> {
    let mut lines = Vec::new();
    for (_, folder) in preopens::get_directories() {
        for entry in fs::read_dir(&folder)? {
            lines.push(format!("{folder}/{}", entry?.file_name().to_string_lossy()));
        }
    }
    lines.sort();
    Ok(lines.iter().try_for_each(|line| writeln!(output, "{line}"))?)
}

/// Works until somebody ends it.
pub(crate) fn and_spin(chunk: &Chunk, parameters: &Parameters) -> Result<(), Failure> {
    put(chunk, parameters)?;
    loop {
        std::hint::spin_loop();
    }
}
