//! Keys and places of S3, as the AWS tools write them down: `[default]`, `[profile work]`.
//!
//! Owns: the written form, and what a profile comes to beside the environment's variables, which win.
//! Never: reads a file, runs what would know keys, takes on a role, or repeats a value in an error.

use std::collections::BTreeMap;
use std::fmt;

use crate::document::shown;

/// The profile where nobody names one.
const DEFAULT: &str = "default";
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

type Section = BTreeMap<String, String>;

/// Which of the two files.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ProfileKind {
    /// `~/.aws/credentials`: a section is a profile's name.
    Credentials,
    /// `~/.aws/config`: a section is `default`, `profile NAME`, or something else.
    Config,
}

/// One of the files; empty where it is missing.
#[derive(Clone)]
pub struct ProfileFile {
    kind: ProfileKind,
    place: String,
    sections: BTreeMap<String, Section>,
}

impl fmt::Debug for ProfileFile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ProfileFile").field("place", &self.place).finish_non_exhaustive()
    }
}

/// Why a file, or the profile that was chosen, cannot be used.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ProfileError(String);

impl fmt::Display for ProfileError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for ProfileError {}

impl ProfileFile {
    /// A file that is not there.
    pub fn missing(kind: ProfileKind, place: impl Into<String>) -> Self {
        Self { kind, place: place.into(), sections: BTreeMap::new() }
    }

    /// Reads a file. Of a key that stands twice in a section the last one counts.
    pub fn parse(
        kind: ProfileKind,
        place: impl Into<String>,
        bytes: &[u8],
    ) -> Result<Self, ProfileError> {
        let mut file = Self::missing(kind, place);
        let text = std::str::from_utf8(bytes).map_err(|_| file.wrong("this is not UTF-8"))?;
        let text = text.strip_prefix('\u{feff}').unwrap_or(text);
        let (mut section, mut indent_of_key) = (None, None);
        for (line, number) in text.lines().zip(1..) {
            let indent = line.len() - line.trim_start().len();
            let line = line.trim();
            if line.is_empty() || line.starts_with(['#', ';']) {
                continue;
            }
            // What is further in than its key goes on with a value: settings of a kind that is not read here.
            if indent_of_key.is_some_and(|of_key| indent > of_key) {
                continue;
            }
            let wrong = |what: &str| file.wrong(&format!("line {number}: {what}"));
            if let Some(header) = line.strip_prefix('[') {
                let name = header_name(header).ok_or_else(|| wrong("no `]` ends the section"))?;
                file.sections.entry(name.clone()).or_default();
                (section, indent_of_key) = (Some(name), None);
                continue;
            }
            let Some((key, value)) = line.split_once('=') else {
                return Err(wrong("neither `[SECTION]` nor `KEY = VALUE`"));
            };
            let Some(section) = &section else {
                return Err(wrong("it stands before the first `[SECTION]`"));
            };
            indent_of_key = Some(indent);
            let (key, value) = (key.trim().to_ascii_lowercase(), without_remark(value).to_owned());
            file.sections.entry(section.clone()).or_default().insert(key, value);
        }
        Ok(file)
    }

    fn wrong(&self, what: &str) -> ProfileError {
        ProfileError(format!("`{}`: {what}", self.place))
    }

    fn profile(&self, name: &str) -> Option<&Section> {
        let written = self.sections.get(&format!("profile {name}"));
        match self.kind {
            ProfileKind::Credentials => self.sections.get(name),
            ProfileKind::Config if name == DEFAULT => written.or(self.sections.get(name)),
            ProfileKind::Config => written,
        }
    }
}

/// What stands between the brackets, with one space in it.
fn header_name(header: &str) -> Option<String> {
    let (name, rest) = header.split_once(']')?;
    let rest = rest.trim_start();
    let is_over = rest.is_empty() || rest.starts_with(['#', ';']);
    let name = name.trim();
    let name = match name.split_once([' ', '\t']) {
        Some((kind, name)) => format!("{kind} {}", name.trim().trim_matches(['"', '\''])),
        None => name.to_owned(),
    };
    is_over.then_some(name)
}

/// A value without the remark behind it; none that is read here has a space in it.
fn without_remark(value: &str) -> &str {
    let value = value.trim();
    let remark = value.match_indices(['#', ';']).map(|(at, _)| at);
    let mut remark = remark.filter(|&at| value[..at].ends_with([' ', '\t']));
    value[..remark.next().unwrap_or(value.len())].trim_end()
}

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
    if !says(&variables, &SAYS_KEYS) {
        if let Some(keys) = profile.keys()? {
            // It belongs to other keys.
            variables.remove(TOKEN);
            variables.extend(keys);
        }
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

fn owned((name, value): (&str, &str)) -> (String, String) {
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

#[cfg(test)]
mod tests {
    use expect_test::{Expect, expect};

    use super::*;

    const KEYS: &str = "aws_access_key_id = AKID\naws_secret_access_key = hush/+=\n";

    fn file(kind: ProfileKind, text: &str) -> ProfileFile {
        let place = match kind {
            ProfileKind::Credentials => "credentials",
            ProfileKind::Config => "config",
        };
        ProfileFile::parse(kind, place, text.as_bytes()).unwrap()
    }

    fn come_to(variables: &[(&str, &str)], credentials: &str, config: &str) -> String {
        let variables = variables.iter().copied().map(owned).collect();
        let credentials = file(ProfileKind::Credentials, credentials);
        let config = file(ProfileKind::Config, config);
        match with_profile(variables, &credentials, &config) {
            Ok(all) => all.iter().map(|(name, value)| format!("{name}={value}\n")).collect(),
            Err(error) => format!("{error}\n"),
        }
    }

    #[track_caller]
    fn check(variables: &[(&str, &str)], credentials: &str, config: &str, expect: Expect) {
        expect.assert_eq(&come_to(variables, credentials, config));
    }

    #[test]
    fn a_profile_is_read_as_the_aws_tools_read_it() {
        let credentials = format!(
            "# a remark\n[default]\n{KEYS}\n[work]\nAWS_Access_Key_Id=WORK\naws_secret_access_key= work-hush ; a remark\naws_session_token =t=1\n"
        );
        let config = "\u{feff}[default] ; a remark\r\nregion = eu-west-1\r\n[profile  \"work\"]\n  region = eu-north-1\n  endpoint_url = http://127.0.0.1:9000\n  s3 =\n    endpoint_url = http://not-this\n    addressing_style = path\n[plain]\nregion = nowhere\n";
        check(
            &[],
            &credentials,
            config,
            expect![[r#"
                AWS_ACCESS_KEY_ID=AKID
                AWS_REGION=eu-west-1
                AWS_SECRET_ACCESS_KEY=hush/+=
            "#]],
        );
        check(
            &[("AWS_PROFILE", "work")],
            &credentials,
            config,
            expect![[r#"
                AWS_ACCESS_KEY_ID=WORK
                AWS_ENDPOINT_URL=http://127.0.0.1:9000
                AWS_PROFILE=work
                AWS_REGION=eu-north-1
                AWS_SECRET_ACCESS_KEY=work-hush
                AWS_SESSION_TOKEN=t=1
            "#]],
        );
        check(
            &[("AWS_PROFILE", "plain")],
            &credentials,
            config,
            expect![[r#"
                there is no profile `plain` in `credentials` or `config`; `AWS_PROFILE` names it
            "#]],
        );
        // Keys may stand in the other file, and `[profile default]` is meant before `[default]`.
        check(
            &[],
            "",
            &format!("[default]\nregion = a\n[profile default]\nregion = b\n{KEYS}"),
            expect![[r#"
                AWS_ACCESS_KEY_ID=AKID
                AWS_REGION=b
                AWS_SECRET_ACCESS_KEY=hush/+=
            "#]],
        );
        check(&[], "", "", expect![""]);
    }

    #[test]
    fn variables_win_and_keys_are_never_mixed() {
        let credentials = format!("[default]\n{KEYS}aws_session_token = t\n");
        let config = "[default]\nregion = a\nendpoint_url = http://a\n";
        check(
            &[
                ("AWS_ACCESS_KEY_ID", "ENV"),
                ("AWS_DEFAULT_REGION", "b"),
                ("AWS_ENDPOINT_URL_S3", "c"),
            ],
            &credentials,
            config,
            expect![[r#"
                AWS_ACCESS_KEY_ID=ENV
                AWS_DEFAULT_REGION=b
                AWS_ENDPOINT_URL_S3=c
            "#]],
        );
        check(
            &[("AWS_SKIP_SIGNATURE", "true"), ("AWS_REGION", "b"), ("AWS_ENDPOINT_URL", "c")],
            &credentials,
            config,
            expect![[r#"
                AWS_ENDPOINT_URL=c
                AWS_REGION=b
                AWS_SKIP_SIGNATURE=true
            "#]],
        );
        let without_token = format!("[default]\n{KEYS}");
        check(
            &[("AWS_SESSION_TOKEN", "of other keys"), ("AWS_ACCESS_KEY_ID", "")],
            &without_token,
            "",
            expect![[r#"
                AWS_ACCESS_KEY_ID=AKID
                AWS_SECRET_ACCESS_KEY=hush/+=
            "#]],
        );
        check(
            &[],
            "[default]\naws_access_key_id = AKID\n",
            &format!("[default]\n{KEYS}"),
            expect![[r#"
                `credentials`: the profile `default` has one of `aws_access_key_id` and `aws_secret_access_key`, and not the other
            "#]],
        );
    }

    #[test]
    fn what_is_not_done_here_is_named() {
        check(
            &[("AWS_PROFILE", "p")],
            "",
            "[profile p]\ncredential_process = /bin/keys hush\n",
            expect![[r#"
                `config`: the profile `p` gets its keys by `credential_process`, which is not done here; set `AWS_ACCESS_KEY_ID` and `AWS_SECRET_ACCESS_KEY`, or choose a profile that has the keys themselves
            "#]],
        );
        let role = format!("[default]\n{KEYS}role_arn = arn:hush\nsource_profile = default\n");
        let told = come_to(&[], "", &role);
        assert!(told.contains("`role_arn`") && !told.contains("arn:hush"), "{told}");
        let told =
            come_to(&[], "", "[default]\nsso_session = s\n[sso-session s]\nsso_region = r\n");
        assert!(told.contains("`sso_session`"), "{told}");
        // Keys of its own are taken, whoever else would have some.
        let both = format!("[default]\n{KEYS}credential_process = /bin/keys\n");
        assert!(come_to(&[], &both, "").contains("AKID"));
        let keys = [("AWS_ACCESS_KEY_ID", "ENV"), ("AWS_SECRET_ACCESS_KEY", "s")];
        assert!(come_to(&keys, "", &role).contains("ENV"));
        let services = format!(
            "[default]\n{KEYS}services = local\n[services local]\ns3 =\n  endpoint_url = http://a\n"
        );
        assert!(come_to(&[], "", &services).contains("names `services`"));
        assert!(come_to(&[("AWS_ENDPOINT_URL", "http://b")], "", &services).contains("http://b"));
    }

    #[test]
    fn a_broken_file_is_told_by_its_line_and_never_by_what_stands_there() {
        let refused = |text: &[u8]| {
            let parsed = ProfileFile::parse(ProfileKind::Config, "config", text);
            parsed.unwrap_err().to_string()
        };
        for (text, expect) in [
            ("region = hush", "`config`: line 1: it stands before the first `[SECTION]`"),
            ("[default]\nhush", "`config`: line 2: neither `[SECTION]` nor `KEY = VALUE`"),
            ("[default", "`config`: line 1: no `]` ends the section"),
            ("\n[default] hush", "`config`: line 2: no `]` ends the section"),
        ] {
            assert_eq!(refused(text.as_bytes()), expect, "{text}");
        }
        assert_eq!(refused(b"[default]\n\xff"), "`config`: this is not UTF-8");
        let parsed = file(ProfileKind::Credentials, &format!("[default]\n{KEYS}"));
        assert!(!format!("{parsed:?}").contains("hush"));
    }
}
