//! A pull: the manifest, then the component that it names, each held against its digest.
//!
//! Owns: the order of checks: sizes before and while reading, digests before anything is kept.
//! Never: keeps anything; whoever pulled does.

use pframe_core::fault::{Code, Fault};
use pframe_core::ids::Digest;
use pframe_core::logins::Logins;
use pframe_core::oci::OciReference;
use pframe_core::units::ByteSize;

use super::client::{Asked, Client};
use super::manifest::{MANIFEST_TYPES, component_of};
use crate::registry::admission::{Admitted, admit_bytes, digest_of};

/// The longest manifest: what registries themselves accept.
const MANIFEST_BYTES_MAX: ByteSize = ByteSize::mib(4);

/// What a registry had under a reference.
pub(crate) struct Pulled {
    pub(crate) admitted: Admitted,
    /// Of the manifest, which pins the component.
    pub(crate) manifest: Digest,
}

/// Pulls the component that a reference names, with the login for its registry where that asks for one.
pub(crate) fn pull(
    reference: &OciReference,
    bytes_max: ByteSize,
    logins: &Logins,
) -> Result<Pulled, Fault> {
    let mut client = Client::new(reference, logins);
    let pinned = reference.digest().map(|digest| format!("sha256:{digest}"));
    let wanted = pinned.as_deref().or(reference.tag()).unwrap_or("latest");
    let bytes = client.get(Asked {
        path: &format!("manifests/{wanted}"),
        accept: &MANIFEST_TYPES.join(", "),
        bytes_max: (MANIFEST_BYTES_MAX, "the size of a manifest"),
    })?;
    let manifest = digest_of(&bytes);
    check("manifest", manifest, reference.digest())?;
    let layer = component_of(&bytes)?;
    if layer.size > bytes_max {
        let fault = Fault::new(Code::ComponentTooLarge);
        return Err(fault.hit("component_bytes_max", bytes_max, layer.size));
    }
    let bytes = client.get(Asked {
        path: &format!("blobs/sha256:{}", layer.digest),
        accept: "",
        bytes_max: (layer.size, "the size that its manifest states"),
    })?;
    check("component", digest_of(&bytes), Some(layer.digest))?;
    Ok(Pulled { admitted: admit_bytes(bytes, bytes_max)?, manifest })
}

fn check(what: &str, found: Digest, pinned: Option<Digest>) -> Result<(), Fault> {
    match pinned {
        Some(pinned) if pinned != found => Err(Fault::new(Code::DigestMismatch).detail(format!(
            "the registry sends a {what} with sha256 {found}, pinned is {pinned}"
        ))),
        _ => Ok(()),
    }
}
