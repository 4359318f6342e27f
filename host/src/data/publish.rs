//! Puts a job's result where the job wants it: whole, or not at all.
//!
//! Owns: the last step from the results store to the user's file.
//! Never: writes into the target; it writes beside it and renames.

use std::io::Write;
use std::path::Path;

use pframe_core::event::Output;
use pframe_core::fault::{Code, Fault};
use tempfile::NamedTempFile;

use super::results::{ResultStore, sync_directory};
use super::source::{Bytes, ReadProblem};

const BLOCK: u64 = 1 << 20;

/// Writes the result to `path`. Doing it twice does no harm.
pub(crate) fn publish(output: &Output, path: &Path, store: &ResultStore) -> Result<(), Fault> {
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty());
    let folder = folder.unwrap_or(Path::new("."));
    let refuse = |error: std::io::Error| {
        Fault::new(Code::DiskFull).detail(format!("writing `{}`: {error}", path.display()))
    };
    std::fs::create_dir_all(folder).map_err(refuse)?;
    let mut file = NamedTempFile::with_prefix_in(".pframe-", folder).map_err(refuse)?;
    copy(output, &mut file, store)?;
    file.as_file().sync_data().map_err(refuse)?;
    let permissions = std::os::unix::fs::PermissionsExt::from_mode(0o644);
    file.as_file().set_permissions(permissions).map_err(refuse)?;
    file.persist(path).map_err(|error| refuse(error.error))?;
    sync_directory(folder)
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
}
