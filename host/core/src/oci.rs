//! Where a component lies in an OCI registry: `localhost:5000/acme/word-count:1.0`, or pinned, `…@sha256:…`.
//!
//! Owns: the alphabet and the length of each part, and with which registries one speaks without encryption.
//! Never: asks a registry; no registry is meant where none is named.

use std::fmt;
use std::str::FromStr;

use crate::ids::Digest;

/// What stands in front of a reference where a path could stand too.
pub const SCHEME: &str = "oci://";
/// The longest registry, repository and tag, each as the specification has it, or DNS.
const HOST_BYTES_MAX: usize = 253;
const REPOSITORY_BYTES_MAX: usize = 255;
const TAG_BYTES_MAX: usize = 128;

/// A reference into a registry: a tag, a pinned manifest, or both, of which the pin counts.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct OciReference {
    host: String,
    port: Option<u16>,
    repository: String,
    tag: Option<String>,
    digest: Option<Digest>,
}

/// Why a text is no reference.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OciReferenceError {
    text: String,
    problem: &'static str,
}

impl fmt::Display for OciReferenceError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "`{}`: {}", self.text, self.problem)
    }
}

impl std::error::Error for OciReferenceError {}

impl OciReference {
    /// The registry with its port, as in an address.
    pub fn registry(&self) -> String {
        match self.port {
            Some(port) => format!("{}:{port}", self.host),
            None => self.host.clone(),
        }
    }

    /// The repository in the registry, such as `acme/word-count`.
    pub fn repository(&self) -> &str {
        &self.repository
    }

    /// The last part of the repository's name.
    pub fn base_name(&self) -> &str {
        self.repository.rsplit('/').next().unwrap_or(&self.repository)
    }

    /// The tag, where there is one.
    pub fn tag(&self) -> Option<&str> {
        self.tag.as_deref()
    }

    /// The digest that its manifest must have.
    pub fn digest(&self) -> Option<Digest> {
        self.digest
    }

    /// The same repository with a pinned manifest instead of a tag.
    pub fn pinned(&self, manifest: Digest) -> Self {
        Self { tag: None, digest: Some(manifest), ..self.clone() }
    }

    /// True for a registry on this very machine, with which one speaks without encryption.
    pub fn is_local(&self) -> bool {
        is_local(&self.host)
    }
}

/// True for names of this very machine.
pub fn is_local(host: &str) -> bool {
    host == "localhost" || host == "127.0.0.1"
}

impl fmt::Display for OciReference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.registry(), self.repository)?;
        if let Some(tag) = &self.tag {
            write!(f, ":{tag}")?;
        }
        match &self.digest {
            Some(digest) => write!(f, "@sha256:{digest}"),
            None => Ok(()),
        }
    }
}

impl FromStr for OciReference {
    type Err = OciReferenceError;

    /// With or without `oci://` in front.
    fn from_str(text: &str) -> Result<Self, OciReferenceError> {
        let error = |problem| OciReferenceError {
            text: text.chars().take(160).flat_map(char::escape_debug).collect(),
            problem,
        };
        let rest = text.strip_prefix(SCHEME).unwrap_or(text);
        let (rest, digest) = match rest.split_once('@') {
            Some((rest, digest)) if digest.starts_with("sha256:") => {
                let digest = digest.parse().map_err(|_| error("a sha256 has 64 hex digits"))?;
                (rest, Some(digest))
            }
            Some(_) => return Err(error("behind `@` stands `sha256:` and 64 hex digits")),
            None => (rest, None),
        };
        let (registry, path) =
            rest.split_once('/').ok_or_else(|| error("write `REGISTRY/REPOSITORY:TAG`"))?;
        let (host, port) = match registry.split_once(':') {
            Some((host, port)) => {
                let port = port.parse().ok().filter(|&port| port > 0);
                (host, Some(port.ok_or_else(|| error("a port is a number from 1 to 65535"))?))
            }
            None => (registry, None),
        };
        if !is_host(host) || !(host.contains('.') || port.is_some() || is_local(host)) {
            return Err(error(
                "it begins with a registry, such as `localhost:5000` or a host name with a dot",
            ));
        }
        let (repository, tag) = match path.split_once(':') {
            Some((repository, tag)) => (repository, Some(tag)),
            None => (path, None),
        };
        if !is_repository(repository) {
            return Err(error(
                "a repository has lower-case letters, digits, and `.` `_` `-` between them, in parts with `/` between them",
            ));
        }
        if tag.is_some_and(|tag| !is_tag(tag)) {
            return Err(error("a tag has up to 128 letters, digits and `.` `_` `-`"));
        }
        if tag.is_none() && digest.is_none() {
            return Err(error("a tag or a digest is missing: write `:TAG` or `@sha256:…`"));
        }
        let (host, repository) = (host.to_owned(), repository.to_owned());
        Ok(Self { host, port, repository, tag: tag.map(str::to_owned), digest })
    }
}

fn is_host(host: &str) -> bool {
    let is_label = |label: &str| {
        !label.is_empty()
            && label.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
            && !label.starts_with('-')
            && !label.ends_with('-')
    };
    host.len() <= HOST_BYTES_MAX && host.split('.').all(is_label)
}

fn is_repository(repository: &str) -> bool {
    let is_plain = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit();
    let is_part = |part: &str| {
        let ends = part.bytes().next().zip(part.bytes().last());
        ends.is_some_and(|(first, last)| is_plain(first) && is_plain(last))
            && part.bytes().all(|byte| is_plain(byte) || b"._-".contains(&byte))
            && !part.contains("..")
    };
    repository.len() <= REPOSITORY_BYTES_MAX && repository.split('/').all(is_part)
}

fn is_tag(tag: &str) -> bool {
    let is_word = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_';
    (1..=TAG_BYTES_MAX).contains(&tag.len())
        && tag.bytes().next().is_some_and(is_word)
        && tag.bytes().all(|byte| is_word(byte) || b".-".contains(&byte))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reference_survives_printing() {
        let pinned = format!("localhost:5000/acme/word-count:1.0@sha256:{}", "ab".repeat(32));
        for text in ["localhost:5000/acme/word-count:1.0", "example.com/a_b/c.d-e:v1", &pinned] {
            let reference: OciReference = text.parse().unwrap();
            assert_eq!(reference.to_string(), text);
            assert_eq!(format!("{SCHEME}{text}").parse(), Ok(reference));
        }
        let reference: OciReference = pinned.parse().unwrap();
        assert_eq!((reference.base_name(), reference.tag()), ("word-count", Some("1.0")));
        assert!(reference.is_local() && reference.digest().is_some());
    }

    #[test]
    fn what_could_mean_something_else_is_refused() {
        for text in [
            "",
            "word-count:1",
            "acme/word-count:1",
            "localhost/word-count",
            "localhost:0/a:1",
            "localhost:5000/a:",
            "localhost:5000/../a:1",
            "localhost:5000/A:1",
            "localhost:5000//a:1",
            "user@localhost:5000/a:1",
            "user:secret@localhost:5000/a:1",
            "localhost:5000/a@md5:ff",
            "localhost:5000/a@sha256:ff",
            "localhost:5000/a?x=1:1",
            "http://localhost:5000/a:1",
            "-a.b/c:1",
            "a..b/c:1",
            "[::1]:5000/a:1",
        ] {
            assert!(text.parse::<OciReference>().is_err(), "{text}");
        }
    }
}
