//! One file with logins: docker's `config.json`, podman's `auth.json`.
//!
//! Owns: its JSON, and words about what is wrong that repeat none of its values.
//! Never: holds a login without saying for which registry it is.

use std::collections::BTreeMap;
use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Map, Value};

use super::login::{HUB, Login};
use crate::document::shown;

/// A file with logins; empty where it is missing.
#[derive(Debug, Clone, Default)]
pub struct LoginFile {
    place: String,
    /// By `host`, `host:port`, or one of these with the beginning of a repository's name.
    logins: BTreeMap<String, Login>,
    /// Programs that keep logins for registries.
    helpers: BTreeMap<String, String>,
    /// The program that keeps those for all others.
    store: Option<String>,
}

/// Why a file with logins cannot be used.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LoginFileError(String);

impl fmt::Display for LoginFileError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for LoginFileError {}

impl LoginFile {
    /// A file that is not there.
    pub fn missing(place: impl Into<String>) -> Self {
        Self { place: place.into(), ..Self::default() }
    }

    /// Reads a file.
    pub fn parse(place: impl Into<String>, bytes: &[u8]) -> Result<Self, LoginFileError> {
        let file: Value = serde_json::from_slice(bytes).map_err(|error| {
            let (line, column) = (error.line(), error.column());
            LoginFileError(format!("line {line}, column {column}: this is not JSON"))
        })?;
        let file = file.as_object().ok_or_else(|| wrong("it", "a mapping"))?;
        let mut logins = BTreeMap::new();
        for (key, entry) in mapping(file, "auths")? {
            logins.extend(login(key, entry)?.map(|login| (plain(key), login)));
        }
        let mut helpers = BTreeMap::new();
        for (key, helper) in mapping(file, "credHelpers")? {
            let helper = helper.as_str().ok_or_else(|| wrong(&shown(key), "a helper's name"))?;
            helpers.insert(plain(key), helper.to_owned());
        }
        let store = text(file, "credsStore", "`credsStore`")?.map(str::to_owned);
        Ok(Self { place: place.into(), logins, helpers, store })
    }

    /// Where it lies.
    pub fn place(&self) -> &str {
        &self.place
    }

    /// The login under the first of these names.
    pub(super) fn login(&self, names: &[String]) -> Option<&Login> {
        names.iter().find_map(|name| self.logins.get(name))
    }

    /// The program that keeps the login for a registry.
    pub(super) fn helper(&self, registry: &str) -> Option<&str> {
        let hub = HUB.contains(&registry).then_some(HUB);
        let named = hub.iter().flatten().copied().chain([registry]);
        let own = named.into_iter().find_map(|name| self.helpers.get(name));
        own.or(self.store.as_ref()).map(String::as_str)
    }
}

fn wrong(what: &str, expected: &str) -> LoginFileError {
    LoginFileError(format!("{what} is not {expected}"))
}

/// A mapping under a key; empty where it is missing.
fn mapping<'a>(
    file: &'a Map<String, Value>,
    key: &str,
) -> Result<impl Iterator<Item = (&'a String, &'a Value)>, LoginFileError> {
    let found = match file.get(key) {
        None | Some(Value::Null) => None,
        Some(Value::Object(found)) => Some(found),
        Some(_) => return Err(wrong(&format!("`{key}`"), "a mapping")),
    };
    Ok(found.into_iter().flatten())
}

/// Text under a key; none where it is missing or empty.
fn text<'a>(
    entry: &'a Map<String, Value>,
    key: &str,
    what: &str,
) -> Result<Option<&'a str>, LoginFileError> {
    match entry.get(key) {
        None | Some(Value::Null) => Ok(None),
        Some(Value::String(text)) => Ok(Some(text.as_str()).filter(|text| !text.is_empty())),
        Some(_) => Err(wrong(what, "text")),
    }
}

/// The login of an entry; none where a helper keeps it.
fn login(key: &str, entry: &Value) -> Result<Option<Login>, LoginFileError> {
    let place = shown(key);
    let entry = entry.as_object().ok_or_else(|| wrong(&place, "a mapping"))?;
    let text = |name: &str| text(entry, name, &format!("`{name}` of {place}"));
    if let Some(token) = text("identitytoken")? {
        return Ok(Some(Login::Identity(token.to_owned())));
    }
    if let Some(encoded) = text("auth")? {
        let refuse = || wrong(&format!("`auth` of {place}"), "base64 of `USER:PASSWORD`");
        let decoded = STANDARD.decode(encoded.trim()).map_err(|_| refuse())?;
        let decoded = String::from_utf8(decoded).map_err(|_| refuse())?;
        let (user, password) = decoded.split_once(':').ok_or_else(refuse)?;
        // Docker has been seen to fill up with zeros.
        let (user, password) = (user.to_owned(), password.trim_end_matches('\0').to_owned());
        return Ok(Some(Login::Password { user, password }));
    }
    let (user, password) = (text("username")?, text("password")?);
    match (user, password) {
        (None, _) => Ok(None),
        (Some(user), _) if user.contains(':') => {
            Err(wrong(&format!("`username` of {place}"), "a name without `:`"))
        }
        (Some(user), password) => Ok(Some(Login::Password {
            user: user.to_owned(),
            password: password.unwrap_or_default().to_owned(),
        })),
    }
}

/// A key without what older versions of docker put around it: `https://` and `/v1/`.
fn plain(key: &str) -> String {
    let key = key.strip_prefix("https://").or(key.strip_prefix("http://")).unwrap_or(key);
    let key = key.trim_end_matches('/');
    let key = key.strip_suffix("/v1").or(key.strip_suffix("/v2")).unwrap_or(key);
    key.to_owned()
}
