//! Who says which addresses a name has.
//!
//! Owns: asking the system's resolver.
//! Never: judges what comes back.

use std::net::IpAddr;

use super::error::HttpError;

/// Where names are looked up.
#[derive(Debug, Default)]
pub(crate) enum Names {
    /// As the operating system does it.
    #[default]
    System,
    /// As a test says: each look-up of a name takes its next answer, and the last one stays.
    #[cfg(any(test, feature = "scripted"))]
    Told(std::sync::Mutex<std::collections::BTreeMap<String, Vec<IpAddr>>>),
}

impl Names {
    /// All addresses of a name, in the order of the resolver.
    pub(super) async fn look_up(&self, name: &str) -> Result<Vec<IpAddr>, HttpError> {
        match self {
            Self::System => {
                let found = tokio::net::lookup_host((name, 0)).await;
                let found = found.map_err(|_| HttpError::Name)?;
                Ok(found.map(|address| address.ip()).collect())
            }
            #[cfg(any(test, feature = "scripted"))]
            Self::Told(names) => {
                let mut names = names.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
                let answers = names.get_mut(name).ok_or(HttpError::Name)?;
                match answers.len() {
                    0 => Err(HttpError::Name),
                    1 => Ok(answers.clone()),
                    _ => Ok(vec![answers.remove(0)]),
                }
            }
        }
    }
}
