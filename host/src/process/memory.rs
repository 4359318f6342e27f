//! Files in memory, to hand bytes to a child without a path and without a copy for each.
//!
//! Owns: the seals: whoever holds such a file can read it, and nobody can change it any more.

use std::fs::File;
use std::io::Write;
use std::os::fd::{AsFd, AsRawFd, OwnedFd};

use crate::data::source::Bytes;
use rustix::fs::{MemfdFlags, SealFlags, fcntl_add_seals, memfd_create};

/// A file in memory with these bytes.
pub(crate) fn sealed(bytes: &[u8]) -> std::io::Result<OwnedFd> {
    let flags = MemfdFlags::CLOEXEC | MemfdFlags::ALLOW_SEALING;
    let mut file = File::from(memfd_create("pframe", flags)?);
    file.write_all(bytes)?;
    let seals = SealFlags::WRITE | SealFlags::GROW | SealFlags::SHRINK | SealFlags::SEAL;
    fcntl_add_seals(&file, seals)?;
    Ok(file.into())
}

/// The same file through a descriptor of its own that can only be read.
pub(crate) fn for_reading(file: impl AsFd) -> std::io::Result<OwnedFd> {
    let path = format!("/proc/self/fd/{}", file.as_fd().as_raw_fd());
    File::open(path).map(OwnedFd::from)
}

/// Bytes, wherever they are, as a file that can only be read.
pub(crate) fn readable(bytes: &Bytes) -> std::io::Result<OwnedFd> {
    match bytes {
        Bytes::File { file, .. } => for_reading(&**file),
        Bytes::Inline(bytes) => sealed(bytes).and_then(for_reading),
        Bytes::Web(_) => Err(std::io::Error::other("a source that was not fetched")),
    }
}

#[cfg(test)]
mod tests {
    use std::io::Read;
    use std::os::unix::fs::FileExt;

    use super::*;

    #[test]
    fn what_is_handed_over_can_be_read_and_not_changed() {
        let sealed = sealed(b"code").unwrap();
        let mut file = File::from(for_reading(&sealed).unwrap());
        assert!(file.write_all(b"evil").is_err());
        let sealed = File::from(sealed);
        assert!(sealed.write_all_at(b"evil", 0).is_err(), "what is there");
        assert!(sealed.write_all_at(b"evil", 4).is_err(), "behind it");
        assert!(sealed.set_len(1).is_err(), "less of it");
        let mut text = String::new();
        file.read_to_string(&mut text).unwrap();
        assert_eq!(text, "code");
    }
}
