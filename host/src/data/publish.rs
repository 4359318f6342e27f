//! Puts a job's result where the job wants it: whole, or not at all.
//!
//! Owns: the last step from the results store to the user's file.
//! Never: writes into the target; it writes beside it and renames.

use std::fs::{File, Permissions};
use std::io::Write;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use pframe_core::event::Output;
use pframe_core::fault::{Code, Fault};
use pframe_core::ids::Digest;
use sha2::{Digest as _, Sha256};
use tempfile::TempPath;

use super::folder;
use super::results::{ResultStore, sync_directory};
use super::source::{Bytes, ReadProblem};

use crate::failpoint::pass;

const BLOCK: u64 = 1 << 20;

/// Unpacks a result that is an archive of files into the folder at `path`. Doing it twice does no harm.
pub(crate) fn publish_folder(
    output: &Output,
    path: &Path,
    store: &ResultStore,
) -> Result<(), Fault> {
    let refuse = |error: std::io::Error| {
        Fault::new(Code::DiskFull).detail(format!("writing `{}`: {error}", path.display()))
    };
    pass("publish-begin").map_err(refuse)?;
    let parent = path.parent().unwrap_or(Path::new("/"));
    std::fs::create_dir_all(parent).map_err(refuse)?;
    let archive = std::io::BufReader::new(Bytes::open(output, store)?.reader());
    folder::replace(archive, path, &parent.join(name_of(output, path)))
}

/// Writes the result to `path`. Doing it twice does no harm.
pub(crate) fn publish(output: &Output, path: &Path, store: &ResultStore) -> Result<(), Fault> {
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty());
    let folder = folder.unwrap_or(Path::new("."));
    let refuse = |error: std::io::Error| {
        Fault::new(Code::DiskFull).detail(format!("writing `{}`: {error}", path.display()))
    };
    pass("publish-begin").map_err(refuse)?;
    std::fs::create_dir_all(folder).map_err(refuse)?;
    let (mut file, unfinished) = begin(&folder.join(name_of(output, path))).map_err(refuse)?;
    copy(output, &mut file, store)?;
    pass("publish-sync").map_err(refuse)?;
    file.sync_data().map_err(refuse)?;
    file.set_permissions(Permissions::from_mode(0o644)).map_err(refuse)?;
    pass("publish-rename-before").map_err(refuse)?;
    unfinished.persist(path).map_err(|error| refuse(error.error))?;
    pass("publish-rename-after").map_err(refuse)?;
    sync_directory(folder)
}

/// The name of the unfinished file: the same each time, so that the host that publishes again after a
/// crash finds and replaces what the crash left.
fn name_of(output: &Output, path: &Path) -> String {
    let mut hasher = Sha256::new().chain_update(path.as_os_str().as_bytes());
    match output {
        Output::Inline { bytes, .. } => hasher.update(bytes),
        Output::Stored { sha256, .. } => hasher.update(sha256.0),
    }
    let digest = Digest(hasher.finalize().into()).to_string();
    format!(".pframe-{}", &digest[..16])
}

/// Makes the unfinished file; never writes through a link that somebody put there.
fn begin(path: &Path) -> std::io::Result<(File, TempPath)> {
    match std::fs::remove_file(path) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    let file = File::create_new(path)?;
    Ok((file, TempPath::try_from_path(path)?))
}

/// Copies a result to a writer in blocks.
pub(crate) fn copy(
    output: &Output,
    writer: &mut impl Write,
    store: &ResultStore,
) -> Result<(), Fault> {
    let bytes = Bytes::open(output, store)?;
    let mut offset = 0;
    while offset < bytes.size() {
        let block = bytes.read(offset, BLOCK).map_err(|problem| read_fault(&problem))?;
        offset += block.len() as u64;
        writer.write_all(&block).map_err(|error| {
            Fault::new(Code::DiskFull).detail(format!("writing a result: {error}"))
        })?;
    }
    Ok(())
}

fn read_fault(problem: &ReadProblem) -> Fault {
    Fault::new(Code::InputOutput).detail(format!("reading a stored result: {problem}"))
}

#[cfg(test)]
mod tests {
    use super::super::results::Durability;
    use super::*;

    #[test]
    fn a_result_replaces_the_old_file_and_leaves_no_other() {
        let directory = tempfile::tempdir().unwrap();
        let store =
            ResultStore::open_at(&directory.path().join("state"), Durability::Volatile).unwrap();
        let target = directory.path().join("out/result.json");
        for text in ["old and long", "new"] {
            publish(&Output::inline(text.as_bytes()), &target, &store).unwrap();
        }
        assert_eq!(std::fs::read_to_string(&target).unwrap(), "new");
        assert_eq!(std::fs::read_dir(target.parent().unwrap()).unwrap().count(), 1);
    }

    #[test]
    fn what_a_crash_left_is_replaced_and_a_link_in_its_place_is_not_followed() {
        let directory = tempfile::tempdir().unwrap();
        let store =
            ResultStore::open_at(&directory.path().join("state"), Durability::Volatile).unwrap();
        let folder = directory.path().join("out");
        let target = folder.join("result.json");
        let output = Output::inline(*b"result");
        let unfinished = folder.join(name_of(&output, &target));
        let elsewhere = directory.path().join("elsewhere");
        std::fs::create_dir(&folder).unwrap();
        std::fs::write(&elsewhere, "untouched").unwrap();
        std::fs::write(&unfinished, "half a res").unwrap();
        publish(&output, &target, &store).unwrap();
        std::os::unix::fs::symlink(&elsewhere, &unfinished).unwrap();
        publish(&output, &target, &store).unwrap();
        assert_eq!(std::fs::read_to_string(&target).unwrap(), "result");
        assert_eq!(std::fs::read_to_string(&elsewhere).unwrap(), "untouched");
        assert_eq!(std::fs::read_dir(&folder).unwrap().count(), 1);
    }
}
