//! Who this program is at an OCI registry, as docker and podman write it down: `{"auths": {"example.com": {"auth": "…"}}}`.
//!
//! Owns: the written form, and which login is meant for which repository.
//! Never: reads a file, runs a credential helper, or shows a login: not in an error, not by `Debug`.

mod file;
mod login;
#[cfg(test)]
mod tests;

pub use self::file::{LoginFile, LoginFileError};
pub use self::login::{Known, Login, Logins};
