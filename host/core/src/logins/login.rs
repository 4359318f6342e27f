//! A login, and the one that is meant for a repository.
//!
//! Owns: which file and which entry of it counts.
//! Never: shows a login by `Debug`.

use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use super::file::LoginFile;
use crate::oci::OciReference;

/// Docker Hub under the names that it has in files and in references: one registry.
pub(super) const HUB: [&str; 3] = ["registry-1.docker.io", "index.docker.io", "docker.io"];

/// How one shows a registry who asks.
#[derive(Clone, PartialEq, Eq)]
pub enum Login {
    /// A name and its password.
    Password {
        /// Has no `:`.
        user: String,
        /// May be empty.
        password: String,
    },
    /// What a token service exchanges for a token.
    Identity(String),
}

impl fmt::Debug for Login {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Login")
    }
}

impl Login {
    /// The value of `Authorization` (RFC 7617); none for what only a token service takes.
    pub fn basic(&self) -> Option<String> {
        match self {
            Self::Password { user, password } => {
                Some(format!("Basic {}", STANDARD.encode(format!("{user}:{password}"))))
            }
            Self::Identity(_) => None,
        }
    }
}

/// What files say about one repository.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Known<'a> {
    /// The login, and the file that has it.
    Login(&'a Login, &'a str),
    /// A program that keeps it, and the file that names that program.
    Helper(&'a str, &'a str),
    /// No file says anything.
    Nothing,
}

/// Files with logins, in the order in which they count.
#[derive(Debug, Clone, Default)]
pub struct Logins(Vec<LoginFile>);

impl Logins {
    /// All files that are looked at, also those that are missing.
    pub fn new(files: Vec<LoginFile>) -> Self {
        Self(files)
    }

    /// What is known about a repository: the first file counts, and in it the entry that says most of the name. A login counts
    /// more than a helper, which is not run.
    pub fn of(&self, reference: &OciReference) -> Known<'_> {
        let (registry, names) = (reference.registry(), names(reference));
        let login = self.0.iter().find_map(|file| Some((file.login(&names)?, file.place())));
        let helper =
            || self.0.iter().find_map(|file| Some((file.helper(&registry)?, file.place())));
        match (login, helper) {
            (Some((login, place)), _) => Known::Login(login, place),
            (None, helper) => helper().map_or(Known::Nothing, |(name, at)| Known::Helper(name, at)),
        }
    }

    /// The files in words: `a`, `b` and `c`.
    pub fn places(&self) -> String {
        let places: Vec<_> = self.0.iter().map(|file| format!("`{}`", file.place())).collect();
        match &*places {
            [] => "no file".to_owned(),
            [only] => only.clone(),
            [others @ .., last] => format!("{} and {last}", others.join(", ")),
        }
    }
}

/// Keys under which a login for a repository may stand, the longest first: `host/a/b`, `host/a`, `host`.
fn names(reference: &OciReference) -> Vec<String> {
    let registry = reference.registry();
    let hosts = match HUB.contains(&&*registry) {
        true => HUB.map(str::to_owned).to_vec(),
        false => vec![registry],
    };
    let repository = reference.repository();
    let cuts = repository.rmatch_indices('/').map(|(at, _)| &repository[..at]);
    let paths = std::iter::once(repository).chain(cuts).map(|path| format!("/{path}"));
    let paths = paths.chain([String::new()]);
    paths.flat_map(|path| hosts.iter().map(move |host| format!("{host}{path}"))).collect()
}
