//! `pframe-host new NAME --lang LANGUAGE`
//!
//! Owns: the folder of a new handler: there whole, or not at all.
//! Never: builds it, installs a tool, or writes into a folder that holds something.

mod languages;
mod sdks;

use std::fs;
use std::io::{Error, ErrorKind};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use pframe_core::fault::{Code, Fault};

use self::languages::Language;
use super::arguments::NewArguments;
use super::failure::Failure;
use crate::reporter::told::say;

/// The longest name: it becomes a package, a file and a task type.
const NAME_BYTES_MAX: usize = 64;

/// A file of the project: its path in it, and its text.
type Page = (String, String);

pub(super) fn new(arguments: &NewArguments) -> Result<ExitCode, Failure> {
    let folder = &arguments.folder;
    let name = name_of(folder)?;
    let language = Language::of(arguments.lang);
    write(folder, &language.pages(&name)).map_err(|error| {
        let detail = format!("`{}`: {error}", folder.display());
        Failure::at("new")(Fault::new(Code::InputOutput).detail(detail))
    })?;
    let readme = folder.join("README.md");
    say(&format!(
        "{} is there; {} says how it is built and run:",
        folder.display(),
        readme.display()
    ));
    say(&format!("  cd {} && {}", folder.display(), language.build));
    say("  pframe-host run jobs.yaml");
    Ok(ExitCode::SUCCESS)
}

/// The last part of the path, if every tool of every language takes it as a name.
fn name_of(folder: &Path) -> Result<String, Failure> {
    let name = folder.file_name().and_then(|name| name.to_str()).unwrap_or_default();
    let is_plain =
        |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || b"-_".contains(&byte);
    let is_good = name.len() <= NAME_BYTES_MAX
        && name.starts_with(|first: char| first.is_ascii_lowercase())
        && name.bytes().all(is_plain);
    if is_good {
        return Ok(name.to_owned());
    }
    Err(Failure::Usage(format!(
        "`{}` cannot be the name of a handler; a name has at most {NAME_BYTES_MAX} small letters, digits, `-` and `_`, and begins \
         with a letter",
        name.escape_debug()
    )))
}

/// Writes the project beside its place and renames it, so that nothing half done is left. An empty folder may be there.
fn write(folder: &Path, pages: &[Page]) -> std::io::Result<()> {
    let absolute = std::path::absolute(folder)?;
    let parent = absolute.parent().unwrap_or(Path::new("/")).to_owned();
    if fs::read_dir(&absolute).is_ok_and(|mut entries| entries.next().is_some()) {
        return Err(Error::new(
            ErrorKind::AlreadyExists,
            "the folder holds something; name a new one",
        ));
    }
    fs::create_dir_all(&parent)?;
    let unfinished = tempfile::Builder::new().prefix(".pframe-new-").tempdir_in(&parent)?;
    for (path, text) in pages {
        let path: PathBuf = unfinished.path().join("project").join(path);
        fs::create_dir_all(path.parent().expect("a file lies in a folder"))?;
        fs::write(path, text)?;
    }
    fs::rename(unfinished.path().join("project"), absolute)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_those_that_every_tool_takes() {
        for good in ["a", "top-words", "x_1", "deep/path/find"] {
            assert!(name_of(Path::new(good)).is_ok(), "{good}");
        }
        for bad in ["", "..", "/", "A", "1a", "-a", "a b", "ä", "a/..", &"a".repeat(65)] {
            assert!(name_of(Path::new(bad)).is_err(), "{bad}");
        }
    }

    #[test]
    fn a_folder_that_holds_something_is_left_alone() {
        let place = tempfile::tempdir().unwrap();
        let folder = place.path().join("find");
        fs::create_dir(&folder).unwrap();
        let pages = [("a/b.txt".to_owned(), "text".to_owned())];
        write(&folder, &pages).unwrap();
        assert_eq!(fs::read_to_string(folder.join("a/b.txt")).unwrap(), "text");
        assert_eq!(write(&folder, &pages).unwrap_err().kind(), ErrorKind::AlreadyExists);
        assert_eq!(fs::read_dir(place.path()).unwrap().count(), 1);
    }
}
