//! More than there is room for: bytes, files, directories, handles.

use std::io::Write;

use pframe_guest::{Failure, Output};
use wasip2::filesystem::types::{Descriptor, DescriptorFlags, ErrorCode, OpenFlags, PathFlags};

use crate::paths::shown;
use crate::{create, disk, failure};

/// Bytes of one write.
const PIECE_BYTES: usize = 64 << 10;

/// Writes until that is denied.
fn fill(file: &Descriptor) -> (u64, ErrorCode) {
    let piece = vec![7; PIECE_BYTES];
    let mut written = 0;
    loop {
        match file.write(&piece, written) {
            Ok(count) => written += count,
            Err(error) => return (written, error),
        }
    }
}

pub(crate) fn and_tell(output: &mut Output) -> Result<(), Failure> {
    let disk = disk()?;
    let file = create(&disk, "large").map_err(failure)?;
    let (written, error) = fill(&file);
    drop(file);
    disk.unlink_file_at("large").map_err(failure)?;
    let again = create(&disk, "small").and_then(|file| file.write(b"room again", 0));
    writeln!(output, "{written} bytes, then {}", error.name())?;
    Ok(writeln!(output, "after that {} bytes", again.map_err(failure)?)?)
}

pub(crate) fn and_fail() -> Result<(), Failure> {
    let (_, error) = fill(&create(&disk()?, "large").map_err(failure)?);
    Err(Failure::transient(format!("no more: {}", error.name())))
}

pub(crate) fn sparse(output: &mut Output) -> Result<(), Failure> {
    let file = create(&disk()?, "sparse").map_err(failure)?;
    for size in [1 << 62, u64::MAX] {
        writeln!(output, "size {size}: {}", shown(&file.set_size(size).map(|()| "set")))?;
    }
    for offset in [1 << 62, i64::MAX as u64, u64::MAX - 1, u64::MAX] {
        let written = file.write(b"x", offset).map(|_| "written");
        writeln!(output, "write at {offset}: {}", shown(&written))?;
        let read = file.read(1, offset).map(|_| "read");
        writeln!(output, "read at {offset}: {}", shown(&read))?;
    }
    Ok(())
}

pub(crate) fn deep(output: &mut Output) -> Result<(), Failure> {
    let mut here = disk()?;
    let mut depth = 0;
    let error = loop {
        if let Err(error) = here.create_directory_at("d") {
            break error;
        }
        let rights = DescriptorFlags::READ | DescriptorFlags::MUTATE_DIRECTORY;
        match here.open_at(PathFlags::empty(), "d", OpenFlags::DIRECTORY, rights) {
            Ok(next) => here = next,
            Err(error) => break error,
        }
        depth += 1;
    };
    Ok(writeln!(output, "{depth} deep, then {}", error.name())?)
}

pub(crate) fn many(output: &mut Output) -> Result<(), Failure> {
    let disk = disk()?;
    for count in 0.. {
        if let Err(error) = create(&disk, &format!("file{count}")) {
            return Ok(writeln!(output, "{count} files, then {}", error.name())?);
        }
    }
    unreachable!("no disk is endless")
}

/// Ends with the handles.
pub(crate) fn handles(output: &mut Output) -> Result<(), Failure> {
    let disk = disk()?;
    create(&disk, "file").map_err(failure)?;
    let mut kept = Vec::new();
    loop {
        match disk.open_at(PathFlags::empty(), "file", OpenFlags::empty(), DescriptorFlags::READ) {
            Ok(file) => kept.push(file),
            Err(error) => return Ok(writeln!(output, "{} files, then {error:?}", kept.len())?),
        }
    }
}

pub(crate) fn read_huge(output: &mut Output) -> Result<(), Failure> {
    let disk = disk()?;
    let file = create(&disk, "small").map_err(failure)?;
    file.write(b"small", 0).map_err(failure)?;
    let (bytes, _) = file.read(1 << 40, 0).map_err(failure)?;
    writeln!(output, "{} bytes", bytes.len())?;
    for count in 0..1000 {
        create(&disk, &format!("file{count}")).map_err(failure)?;
    }
    let entries = disk.read_directory().map_err(failure)?;
    let mut count = 0;
    while entries.read_directory_entry().map_err(failure)?.is_some() {
        count += 1;
    }
    Ok(writeln!(output, "{count} entries")?)
}

/// Ends with the listings.
pub(crate) fn listings(output: &mut Output) -> Result<(), Failure> {
    let disk = disk()?;
    let mut kept = Vec::new();
    for count in 0..20 {
        // One that is dropped makes room.
        drop(disk.read_directory().map_err(failure)?);
        if count < 7 {
            kept.push(disk.read_directory().map_err(failure)?);
        }
    }
    writeln!(output, "{} listings", kept.len())?;
    loop {
        kept.push(disk.read_directory().map_err(failure)?);
    }
}

pub(crate) fn list_forever() -> Result<(), Failure> {
    let disk = disk()?;
    disk.create_directory_at("many").map_err(failure)?;
    for count in 0..1000 {
        create(&disk, &format!("many/file{count}")).map_err(failure)?;
    }
    let rights = DescriptorFlags::READ;
    let many = disk.open_at(PathFlags::empty(), "many", OpenFlags::DIRECTORY, rights);
    let many = many.map_err(failure)?;
    loop {
        drop(many.read_directory().map_err(failure)?);
    }
}
