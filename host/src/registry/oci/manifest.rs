//! The manifest: which layer is the component.
//!
//! Owns: the media types that are taken, and the words about others.
//! Never: guesses; a manifest with more than one layer, or with another kind of layer, is refused by name.

use pframe_core::fault::{Code, Fault, GuestText};
use pframe_core::ids::Digest;
use pframe_core::units::ByteSize;
use serde::Deserialize;

/// Media types of a component, as the tools of WebAssembly write them.
const COMPONENT_TYPES: [&str; 2] =
    ["application/wasm", "application/vnd.wasm.content.layer.v1+wasm"];
/// Media types of manifests that are taken.
pub(super) const MANIFEST_TYPES: [&str; 2] = [
    "application/vnd.oci.image.manifest.v1+json",
    "application/vnd.docker.distribution.manifest.v2+json",
];
/// Names that a message lists.
const TOLD_MAX: usize = 8;

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Manifest {
    schema_version: u32,
    media_type: Option<String>,
    #[serde(default)]
    layers: Vec<Described>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Described {
    media_type: String,
    digest: String,
    size: u64,
}

/// The one layer that is the component.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Layer {
    pub(super) digest: Digest,
    pub(super) size: ByteSize,
}

fn refused(what: String) -> Fault {
    Fault::new(Code::PullRefused).detail(what)
}

/// Text of a registry, as it may be shown.
pub(super) fn shown(text: &str) -> String {
    let short: String = text.chars().take(100).collect();
    format!("`{}`", GuestText::new(&short).as_str().replace('\n', "\\n"))
}

/// Finds the component in a manifest.
pub(super) fn component_of(manifest: &[u8]) -> Result<Layer, Fault> {
    let manifest: Manifest = serde_json::from_slice(manifest)
        .map_err(|error| refused(format!("its manifest cannot be read: {error}")))?;
    let kind = manifest.media_type.as_deref().unwrap_or(MANIFEST_TYPES[0]);
    if manifest.schema_version != 2 || !MANIFEST_TYPES.contains(&kind) {
        let version = manifest.schema_version;
        return Err(refused(format!("its manifest is a {} of version {version}", shown(kind))));
    }
    let [layer] = &*manifest.layers else {
        let kinds = manifest.layers.iter().take(TOLD_MAX).map(|layer| shown(&layer.media_type));
        let kinds = kinds.collect::<Vec<_>>().join(", ");
        let count = manifest.layers.len();
        return Err(refused(format!("its manifest has {count} layers ({kinds}), not one")));
    };
    if !COMPONENT_TYPES.contains(&layer.media_type.as_str()) {
        return Err(refused(format!("its layer is {}", shown(&layer.media_type))));
    }
    let digest = layer.digest.strip_prefix("sha256:").and_then(|digits| digits.parse().ok());
    let digest = digest.ok_or_else(|| {
        refused(format!("its layer has the digest {}, no sha256", shown(&layer.digest)))
    })?;
    Ok(Layer { digest, size: ByteSize(layer.size) })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn manifest(layers: &str) -> String {
        format!(r#"{{"schemaVersion":2,"config":{{}},"layers":[{layers}]}}"#)
    }

    fn layer(kind: &str, digest: &str) -> String {
        format!(r#"{{"mediaType":"{kind}","digest":"{digest}","size":7}}"#)
    }

    #[track_caller]
    fn refuses(manifest: &str, words: &str) {
        let fault = component_of(manifest.as_bytes()).unwrap_err();
        assert_eq!(fault.code, Code::PullRefused);
        assert!(fault.detail.contains(words), "`{words}` is not in {}", fault.detail);
        assert!(fault.detail.len() < 2000 && !fault.detail.contains('\u{1b}'));
    }

    #[test]
    fn one_layer_of_either_type_is_the_component() {
        let digest = Digest([7; 32]);
        for kind in COMPONENT_TYPES {
            let manifest = manifest(&layer(kind, &format!("sha256:{digest}")));
            let expect = Layer { digest, size: ByteSize(7) };
            assert_eq!(component_of(manifest.as_bytes()), Ok(expect));
        }
    }

    #[test]
    fn anything_else_is_refused_by_name() {
        let good = layer("application/wasm", &format!("sha256:{}", Digest([7; 32])));
        let tar = "application/vnd.oci.image.layer.v1.tar+gzip";
        refuses("", "cannot be read");
        refuses(&"[".repeat(100_000), "cannot be read");
        refuses(r#"{"schemaVersion":1}"#, "of version 1");
        refuses(
            r#"{"schemaVersion":2,"mediaType":"application/vnd.oci.image.index.v1+json"}"#,
            "image.index",
        );
        refuses(&manifest(""), "0 layers");
        refuses(&manifest(&vec![good; 1000].join(",")), "1000 layers (`application/wasm`");
        refuses(&manifest(&layer(tar, "sha256:00")), tar);
        refuses(&manifest(&layer("application/wasm", "md5:00")), "`md5:00`");
        refuses(&manifest(&layer("application/wasm", "sha256:../../x")), "no sha256");
        refuses(&manifest(&layer(&"\\u001b[31m".repeat(99), "")), "its layer is");
    }
}
