//! The profile that was chosen, beside the variables.
//!
//! Owns: which of them counts, and that keys all come from one place.
//! Never: goes to Amazon in silence where a profile names another store.

use std::collections::BTreeMap;

use super::DEFAULT;
use super::file::{ProfileError, ProfileFile, Section};
use crate::document::shown;

/// Ways to keys that are not gone here.
const UNSUPPORTED: [&str; 8] = [
    "credential_process",
    "sso_session",
    "sso_start_url",
    "sso_account_id",
    "web_identity_token_file",
    "credential_source",
    "source_profile",
    "login_session",
];
/// Another identity than the profile's own keys.
const ROLE: &str = "role_arn";
const KEY_ID: &str = "AWS_ACCESS_KEY_ID";
const SECRET: &str = "AWS_SECRET_ACCESS_KEY";
const TOKEN: &str = "AWS_SESSION_TOKEN";
/// Variables with which profiles give no keys: those who set one of them said how requests are signed.
const SAYS_KEYS: [&str; 3] = [KEY_ID, SECRET, "AWS_SKIP_SIGNATURE"];
const SAYS_REGION: [&str; 2] = ["AWS_REGION", "AWS_DEFAULT_REGION"];
const SAYS_ENDPOINT: [&str; 2] = ["AWS_ENDPOINT_URL", "AWS_ENDPOINT_URL_S3"];

/// The variables `AWS_…`, with what the chosen profile says where they are silent.
///
/// Keys are one thing: they all come from the variables, or all from one section of one file.
pub fn with_profile(
    mut variables: BTreeMap<String, String>,
    credentials: &ProfileFile,
    config: &ProfileFile,
) -> Result<BTreeMap<String, String>, ProfileError> {
    variables.retain(|_, value| !value.is_empty());
    let named = variables.get("AWS_PROFILE").cloned();
    let name = named.as_deref().unwrap_or(DEFAULT);
    let files = [credentials, config].into_iter();
    let found: Vec<_> = files.filter_map(|file| Some((file, file.profile(name)?))).collect();
    if found.is_empty() && named.is_some() {
        let (name, one, other) = (shown(name), &credentials.place, &config.place);
        let what = format!("there is no profile {name} in `{one}` or `{other}`");
        return Err(ProfileError(format!("{what}; `AWS_PROFILE` names it")));
    }
    let profile = Profile { name, found };
    let says = |variables: &Section, names: &[&str]| {
        names.iter().any(|name| variables.contains_key(*name))
    };
    if !says(&variables, &SAYS_KEYS)
        && let Some(keys) = profile.keys()?
    {
        // It belongs to other keys.
        variables.remove(TOKEN);
        variables.extend(keys);
    }
    if !says(&variables, &SAYS_REGION) {
        let region = profile.value("region").map(|region| (SAYS_REGION[0], region));
        variables.extend(region.map(owned));
    }
    if !says(&variables, &SAYS_ENDPOINT) {
        profile.check_services(config)?;
        let endpoint = profile.value("endpoint_url").map(|endpoint| (SAYS_ENDPOINT[0], endpoint));
        variables.extend(endpoint.map(owned));
    }
    Ok(variables)
}

pub(super) fn owned((name, value): (&str, &str)) -> (String, String) {
    (name.to_owned(), value.to_owned())
}

/// The chosen profile, in the files that have it: credentials first.
struct Profile<'a> {
    name: &'a str,
    found: Vec<(&'a ProfileFile, &'a Section)>,
}

fn filled<'a>(section: &'a Section, key: &str) -> Option<&'a str> {
    section.get(key).map(String::as_str).filter(|value| !value.is_empty())
}

impl Profile<'_> {
    fn value(&self, key: &str) -> Option<&str> {
        self.found.iter().find_map(|(_, section)| filled(section, key))
    }

    fn wrong(&self, file: &ProfileFile, what: &str) -> ProfileError {
        file.wrong(&format!("the profile {} {what}", shown(self.name)))
    }

    /// The keys as variables; none where the profile does not speak of any.
    fn keys(&self) -> Result<Option<Vec<(String, String)>>, ProfileError> {
        let set = "set `AWS_ACCESS_KEY_ID` and `AWS_SECRET_ACCESS_KEY`, or choose a profile that has the keys themselves";
        let refused = |file, way: &str| {
            Err(self
                .wrong(file, &format!("gets its keys by `{way}`, which is not done here; {set}")))
        };
        for (file, section) in &self.found {
            if filled(section, ROLE).is_some() {
                return refused(file, ROLE);
            }
        }
        for (file, section) in &self.found {
            let key = |name: &str| filled(section, &name.to_ascii_lowercase());
            match (key(KEY_ID), key(SECRET)) {
                (Some(id), Some(secret)) => {
                    let keys = [(KEY_ID, id), (SECRET, secret)].into_iter();
                    let keys = keys.chain(key(TOKEN).map(|token| (TOKEN, token)));
                    return Ok(Some(keys.map(owned).collect()));
                }
                (None, None) => {}
                (Some(_), None) | (None, Some(_)) => {
                    let what = "has one of `aws_access_key_id` and `aws_secret_access_key`, and not the other";
                    return Err(self.wrong(file, what));
                }
            }
        }
        for (file, section) in &self.found {
            if let Some(way) = UNSUPPORTED.iter().find(|way| filled(section, way).is_some()) {
                return refused(file, way);
            }
        }
        Ok(None)
    }

    /// Another place of S3 must not be passed over in silence: requests would go to Amazon.
    fn check_services(&self, config: &ProfileFile) -> Result<(), ProfileError> {
        let named = self.value("services").map(|services| format!("services {services}"));
        let section = named.and_then(|name| config.sections.get(&name));
        if section.is_some_and(|section| section.contains_key("s3")) {
            let what = "names `services` with settings for `s3`, which are not read; write `endpoint_url` into the profile, or set `AWS_ENDPOINT_URL`";
            return Err(self.wrong(config, what));
        }
        Ok(())
    }
}
