//! One of the two files: sections with keys and values.
//!
//! Owns: the written form, and words about what is wrong that repeat nothing of it.
//! Never: knows what a key means.

use std::collections::BTreeMap;
use std::fmt;

use super::DEFAULT;

/// Values by their keys, which are in small letters.
pub(super) type Section = BTreeMap<String, String>;

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
    pub(super) place: String,
    pub(super) sections: BTreeMap<String, Section>,
}

impl fmt::Debug for ProfileFile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ProfileFile").field("place", &self.place).finish_non_exhaustive()
    }
}

/// Why a file, or the profile that was chosen, cannot be used.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ProfileError(pub(super) String);

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

    pub(super) fn wrong(&self, what: &str) -> ProfileError {
        ProfileError(format!("`{}`: {what}", self.place))
    }

    pub(super) fn profile(&self, name: &str) -> Option<&Section> {
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
