//! The first look at a component: read once, hashed, and refused early where it cannot be one.
//!
//! Owns: what is checked before the compiler sees a byte.
//! Never: reads the file a second time: the bytes that were hashed are the bytes that are compiled.

use std::fs::File;
use std::io::Read;
use std::path::Path;

use pframe_core::fault::{Code, Fault};
use pframe_core::ids::Digest;
use pframe_core::units::ByteSize;
use sha2::{Digest as _, Sha256};

/// A component's bytes with their digest.
#[derive(Clone)]
pub(crate) struct Admitted {
    pub(crate) digest: Digest,
    pub(crate) bytes: Vec<u8>,
}

/// What the first eight bytes of a WebAssembly file say: magic number, then version and layer.
const MAGIC: &[u8] = b"\0asm";
const COMPONENT: &[u8] = &[0x0d, 0x00, 0x01, 0x00];
const CORE_MODULE: &[u8] = &[0x01, 0x00, 0x00, 0x00];

/// Reads and checks the component at `path`.
pub(crate) fn admit(
    path: &Path,
    pinned: Option<Digest>,
    bytes_max: ByteSize,
) -> Result<Admitted, Fault> {
    let bytes = read(path, bytes_max)?;
    let shown = path.display();
    check_header(&bytes).map_err(|fault| match fault.detail.as_str() {
        "" => fault.detail(format!("`{shown}`")),
        what => {
            let detail = format!("`{shown}`: {what}");
            fault.detail(detail)
        }
    })?;
    let digest = digest_of(&bytes);
    match pinned {
        Some(pinned) if pinned != digest => Err(Fault::new(Code::DigestMismatch)
            .detail(format!("`{shown}` has sha256 {digest}, pinned is {pinned}"))),
        _ => Ok(Admitted { digest, bytes }),
    }
}

/// Checks a component given as bytes.
pub(crate) fn admit_bytes(bytes: Vec<u8>, bytes_max: ByteSize) -> Result<Admitted, Fault> {
    let size = ByteSize(bytes.len() as u64);
    if size > bytes_max {
        let fault = Fault::new(Code::ComponentTooLarge);
        return Err(fault.hit("component_bytes_max", bytes_max, size));
    }
    check_header(&bytes)?;
    Ok(Admitted { digest: digest_of(&bytes), bytes })
}

/// The identity of a component.
pub(crate) fn digest_of(bytes: &[u8]) -> Digest {
    Digest(Sha256::digest(bytes).into())
}

fn read(path: &Path, bytes_max: ByteSize) -> Result<Vec<u8>, Fault> {
    let shown = path.display();
    let missing =
        |why: String| Fault::new(Code::ComponentMissing).detail(format!("`{shown}`: {why}"));
    // The kind is asked before opening: opening a pipe that nobody writes would wait for ever.
    let metadata = std::fs::metadata(path).map_err(|error| match error.kind() {
        std::io::ErrorKind::NotFound => missing("there is no such file".into()),
        _ => missing(error.to_string()),
    })?;
    if !metadata.is_file() {
        return Err(missing("not a regular file".into()));
    }
    let mut bytes = Vec::new();
    File::open(path)
        .and_then(|file| file.take(bytes_max.bytes() + 1).read_to_end(&mut bytes))
        .map_err(|error| missing(error.to_string()))?;
    if bytes.len() as u64 > bytes_max.bytes() {
        let size = ByteSize(metadata.len());
        return Err(Fault::new(Code::ComponentTooLarge).detail(format!("`{shown}`")).hit(
            "component_bytes_max",
            bytes_max,
            size,
        ));
    }
    Ok(bytes)
}

fn check_header(bytes: &[u8]) -> Result<(), Fault> {
    match bytes.get(..4).zip(bytes.get(4..8)) {
        Some((MAGIC, COMPONENT)) => Ok(()),
        Some((MAGIC, CORE_MODULE)) => {
            Err(Fault::new(Code::NotAComponent).detail("this is a core module"))
        }
        Some((MAGIC, _)) => Err(Fault::new(Code::ComponentMalformed)
            .detail("it has a WebAssembly version that this host does not know")),
        _ if bytes.starts_with(b"\x7fELF") => {
            Err(Fault::new(Code::NotAComponent).detail("this is a native program or compiled code"))
        }
        _ if bytes.is_empty() => Err(Fault::new(Code::NotAComponent).detail("the file is empty")),
        _ => Err(Fault::new(Code::NotAComponent)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn verdict(bytes: &[u8]) -> Result<(), Code> {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("x.wasm");
        std::fs::write(&path, bytes).unwrap();
        admit(&path, None, ByteSize::mib(1)).map(|_| ()).map_err(|fault| fault.code)
    }

    #[test]
    fn b03_a_core_module_is_not_a_component() {
        assert_eq!(verdict(b"\0asm\x01\0\0\0"), Err(Code::NotAComponent));
    }

    #[test]
    fn b04_other_files_are_refused() {
        for other in [b"".as_slice(), b"x", b"\x7fELF\x02\x01", b"(component)", b"\x1f\x8b\x08"] {
            assert_eq!(verdict(other), Err(Code::NotAComponent), "{other:?}");
        }
    }

    #[test]
    fn b08_a_component_over_the_limit_is_refused_before_the_rest_is_read() {
        let mut bytes = b"\0asm\x0d\0\x01\0".to_vec();
        bytes.resize(2 << 20, 0);
        assert_eq!(verdict(&bytes), Err(Code::ComponentTooLarge));
    }

    #[test]
    fn j15_a_pinned_digest_must_match() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("x.wasm");
        let bytes = b"\0asm\x0d\0\x01\0";
        std::fs::write(&path, bytes).unwrap();
        let wrong = Digest([1; 32]);
        let refused = admit(&path, Some(wrong), ByteSize::mib(1)).map(|_| ());
        assert_eq!(refused.map_err(|fault| fault.code), Err(Code::DigestMismatch));
        assert!(admit(&path, Some(digest_of(bytes)), ByteSize::mib(1)).is_ok());
    }

    #[test]
    fn a_pipe_or_a_directory_is_refused_without_opening_it() {
        let refused = admit(Path::new("/dev/zero"), None, ByteSize::mib(1)).map(|_| ());
        assert_eq!(refused.map_err(|fault| fault.code), Err(Code::ComponentMissing));
    }
}
