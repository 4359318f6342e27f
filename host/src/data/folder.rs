//! Results that become a folder of files: the whole folder, or nothing of it.
//!
//! Owns: the manifest of such a folder, by which it is known again, and the exchange of an old folder for a new one.
//! Never: replaces a folder that this program did not make.

use std::collections::HashSet;
use std::fs::{self, File};
use std::io::{self, BufReader, Read, Seek};
use std::iter;
use std::path::{Component, Path, PathBuf};

use pframe_core::fault::{Code, Fault};
use pframe_core::ids::JobId;
use rustix::fs::{CWD, RenameFlags, renameat_with};
use serde::Deserialize;
use serde_json::{Value, json};

use super::results::sync_directory;
use super::source::open_regular;
use crate::failpoint::pass;

/// The file that says what the others are.
pub(crate) const MANIFEST: &str = "manifest.json";
/// By this key a folder is known to be ours; the value is the version.
const MARK: &str = "pframe_files";
/// Bytes of a manifest in which the mark stands.
const MARK_WITHIN: u64 = 256;

/// The text of a manifest: what the files are, and which chunks failed.
pub(crate) fn manifest(job: &JobId, files: &[Value], failed: &[usize]) -> String {
    // The mark stands first, so that a look at the beginning is enough.
    let head = json!({ MARK: 1 }).to_string();
    let rest = json!({ "job": job, "failed_chunks": failed }).to_string();
    let files: Vec<_> = files.iter().map(|file| format!("\n  {file}")).collect();
    let (head, rest) = (head.trim_end_matches('}'), &rest[1..rest.len() - 1]);
    format!("{head},{rest},\"files\":[{}\n]}}\n", files.join(","))
}

/// Refuses a folder of other files as the target of a result.
pub(crate) fn check_replaceable(folder: &Path) -> Result<(), Fault> {
    let refuse = |why: &str| {
        let path = folder.display();
        Err(Fault::new(Code::JobFile).detail(format!("`output.path`: `{path}`: {why}")))
    };
    match fs::symlink_metadata(folder) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        Err(error) => refuse(&error.to_string()),
        Ok(metadata) if !metadata.is_dir() => refuse("this is not a directory"),
        Ok(_) if is_empty(folder) => Ok(()),
        Ok(_) => match read_manifest(folder).map(|files| stranger(folder, &files)) {
            Some(Ok(None)) => Ok(()),
            Some(Ok(Some(stranger))) => refuse(&format!(
                "`{}` in it is somebody else's; move it away, or name a new directory",
                stranger.display()
            )),
            Some(Err(error)) => refuse(&error.to_string()),
            None => refuse("this directory holds files of somebody else; name a new one"),
        },
    }
}

/// The files of a folder that this program made; `None` for any other.
fn read_manifest(folder: &Path) -> Option<HashSet<PathBuf>> {
    #[derive(Deserialize)]
    struct Manifest {
        files: Vec<Listed>,
    }
    #[derive(Deserialize)]
    struct Listed {
        path: PathBuf,
    }
    let (mut file, _) = open_regular(&folder.join(MANIFEST)).ok()?;
    let mut start = String::new();
    file.by_ref().take(MARK_WITHIN).read_to_string(&mut start).ok()?;
    if !start.starts_with(&format!("{{\"{MARK}\":")) {
        return None;
    }
    file.rewind().ok()?;
    let manifest: Manifest = serde_json::from_reader(BufReader::new(file)).ok()?;
    let own = iter::once(PathBuf::from(MANIFEST));
    Some(own.chain(manifest.files.into_iter().map(|listed| listed.path)).collect())
}

/// A file that lies in the folder and is not one of these.
fn stranger(folder: &Path, files: &HashSet<PathBuf>) -> io::Result<Option<PathBuf>> {
    let mut folders = vec![PathBuf::new()];
    while let Some(within) = folders.pop() {
        for entry in fs::read_dir(folder.join(&within))? {
            let entry = entry?;
            let path = within.join(entry.file_name());
            if entry.file_type()?.is_dir() {
                folders.push(path);
            } else if !files.contains(&path) {
                return Ok(Some(path));
            }
        }
    }
    Ok(None)
}

fn is_empty(folder: &Path) -> bool {
    fs::read_dir(folder).is_ok_and(|mut entries| entries.next().is_none())
}

/// Unpacks an archive of files beside `folder`, and puts what came out in its place. Doing it twice does no harm.
pub(crate) fn replace(archive: impl Read, folder: &Path, unfinished: &Path) -> Result<(), Fault> {
    let refuse = |error: io::Error| {
        Fault::new(Code::DiskFull).detail(format!("writing `{}`: {error}", folder.display()))
    };
    check_replaceable(folder)?;
    remove(unfinished).map_err(refuse)?;
    let unpacked = unpack(archive, unfinished);
    if let Err(error) = unpacked {
        let _ = remove(unfinished);
        return Err(refuse(error));
    }
    pass("publish-rename-before").map_err(refuse)?;
    exchange(unfinished, folder).map_err(refuse)?;
    pass("publish-rename-after").map_err(refuse)?;
    sync_directory(folder.parent().unwrap_or(Path::new("/")))?;
    // What is left beside is the old folder.
    remove(unfinished).map_err(refuse)
}

fn remove(path: &Path) -> io::Result<()> {
    let removed = match fs::symlink_metadata(path) {
        Ok(metadata) if metadata.is_dir() => fs::remove_dir_all(path),
        Ok(_) => fs::remove_file(path),
        Err(error) => Err(error),
    };
    match removed {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}

fn unpack(archive: impl Read, into: &Path) -> io::Result<()> {
    fs::create_dir_all(into)?;
    let mut folders = vec![into.to_owned()];
    for entry in tar::Archive::new(archive).entries()? {
        let mut entry = entry?;
        let path = inside(&entry.path()?)?;
        let target = into.join(&path);
        let parent = target.parent().expect("a file lies in a folder");
        // Each that is new, so that each is synced.
        let missing: Vec<_> = parent.ancestors().take_while(|it| !it.exists()).collect();
        fs::create_dir_all(parent)?;
        folders.extend(missing.into_iter().map(Path::to_owned));
        let mut file = File::create_new(&target)?;
        io::copy(&mut entry, &mut file)?;
        pass("publish-sync")?;
        file.sync_data()?;
    }
    folders.iter().try_for_each(|folder| File::open(folder)?.sync_all())
}

/// The archive is our own; that its paths stay inside is checked all the same.
fn inside(path: &Path) -> io::Result<PathBuf> {
    let is_plain = path.components().all(|part| matches!(part, Component::Normal(_)));
    match is_plain && path.components().next().is_some() {
        true => Ok(path.to_owned()),
        false => Err(io::Error::other("a path of the archive leads elsewhere")),
    }
}

/// In one step, so that whoever looks sees the old folder or the new one.
fn exchange(new: &Path, target: &Path) -> io::Result<()> {
    match renameat_with(CWD, new, CWD, target, RenameFlags::EXCHANGE) {
        Ok(()) => Ok(()),
        Err(rustix::io::Errno::NOENT) => fs::rename(new, target),
        // Some file systems cannot: then there is a moment without any.
        Err(rustix::io::Errno::INVAL | rustix::io::Errno::NOSYS) => {
            remove(target)?;
            fs::rename(new, target)
        }
        Err(error) => Err(error.into()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn archive(files: &[(&str, &str)]) -> Vec<u8> {
        let mut archive = tar::Builder::new(Vec::new());
        for (name, text) in files {
            let mut header = tar::Header::new_gnu();
            header.set_size(text.len() as u64);
            header.as_gnu_mut().unwrap().name[..name.len()].copy_from_slice(name.as_bytes());
            header.set_cksum();
            archive.append(&header, text.as_bytes()).unwrap();
        }
        archive.into_inner().unwrap()
    }

    fn files(folder: &Path) -> Vec<String> {
        let entries = fs::read_dir(folder).unwrap().flatten();
        let mut names: Vec<_> =
            entries.map(|entry| entry.file_name().to_string_lossy().into_owned()).collect();
        names.sort();
        names
    }

    #[test]
    fn a_folder_replaces_an_older_one_of_ours_whole() {
        let place = tempfile::tempdir().unwrap();
        let (target, beside) = (place.path().join("out"), place.path().join(".unfinished"));
        let text = |files: &[&str]| {
            let files: Vec<_> = files.iter().map(|path| json!({ "path": path })).collect();
            manifest(&"job".parse().unwrap(), &files, &[])
        };
        let old = archive(&[(MANIFEST, &text(&["a/old", "both"])), ("a/old", "1"), ("both", "1")]);
        replace(&old[..], &target, &beside).unwrap();
        assert_eq!(files(&target), ["a", "both", MANIFEST]);
        let new = archive(&[(MANIFEST, &text(&["both"])), ("both", "2")]);
        for _ in 0..2 {
            replace(&new[..], &target, &beside).unwrap();
            assert_eq!(files(&target), ["both", MANIFEST]);
            assert_eq!(fs::read_to_string(target.join("both")).unwrap(), "2");
            assert_eq!(files(place.path()), ["out"]);
        }
        fs::create_dir(target.join("mine")).unwrap();
        fs::write(target.join("mine/notes"), "kept").unwrap();
        let refused = replace(&new[..], &target, &beside).unwrap_err();
        assert!(refused.detail.contains("mine/notes"), "{refused}");
        assert_eq!(fs::read_to_string(target.join("mine/notes")).unwrap(), "kept");
    }

    #[test]
    fn a_folder_of_somebody_else_is_left_alone() {
        let place = tempfile::tempdir().unwrap();
        let target = place.path().join("out");
        fs::create_dir(&target).unwrap();
        assert!(check_replaceable(&target).is_ok());
        fs::write(target.join(MANIFEST), "{\"files\": []}").unwrap();
        assert_eq!(check_replaceable(&target).unwrap_err().code, Code::JobFile);
        let link = place.path().join("link");
        std::os::unix::fs::symlink(&target, &link).unwrap();
        assert_eq!(check_replaceable(&link).unwrap_err().code, Code::JobFile);
    }

    #[test]
    fn an_archive_that_leads_elsewhere_leaves_nothing() {
        let place = tempfile::tempdir().unwrap();
        let (target, beside) = (place.path().join("out"), place.path().join(".unfinished"));
        for name in ["../x", "/tmp/x", "a/../../x"] {
            assert!(replace(&archive(&[(name, "1")])[..], &target, &beside).is_err(), "{name}");
            assert_eq!(files(place.path()), [""; 0]);
        }
    }

    #[test]
    fn a_manifest_is_json_and_begins_with_its_mark() {
        let text = manifest(&"job".parse().unwrap(), &[json!({ "path": "a" })], &[3]);
        let value: Value = serde_json::from_str(&text).unwrap();
        let expect =
            json!({ MARK: 1, "job": "job", "failed_chunks": [3], "files": [{ "path": "a" }] });
        assert_eq!(value, expect);
        assert!(text.starts_with("{\"pframe_files\":1,"));
    }
}
