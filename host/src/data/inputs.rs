//! From what a job asks for to sources: patterns become files, and each is measured.
//!
//! Owns: what may be an input: regular files only, so that no open waits for ever on a pipe, and stdin; and that a pinned
//! one is what its digest says.
//! Never: follows a pattern out of the order of names: the same folder gives the same sources.

use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};

use globset::GlobBuilder;
use pframe_core::fault::{Code, Fault};
use pframe_core::hosts::url_shown;
use pframe_core::ids::{Digest, JobId};
use pframe_core::job::{FileRequest, InputRequest, Source, SourcePlace};
use sha2::{Digest as _, Sha256};

use super::source::{modified_ns_of, open_regular};
use super::stdin::Stdin;
use super::web::{TenantWeb, is_object, is_url};

/// Inputs of one job at most.
const SOURCES_MAX: usize = 1_000_000;
/// Of these, those that are fetched: each is asked for once before anything runs.
const URLS_MAX: usize = 1000;
/// Folders below a pattern's fixed part at most: a bound on the search.
const FOLDERS_MAX: usize = 100_000;
/// Bytes of a pinned file that are in memory at once.
const BLOCK_BYTES: usize = 256 << 10;

/// Finds and measures a job's inputs. Relative paths count from `base`.
pub(crate) fn resolve(
    request: &InputRequest,
    base: &Path,
    stdin: &Stdin,
    web: &TenantWeb,
) -> Result<Vec<Source>, Fault> {
    match request {
        InputRequest::Text(text) => Ok(vec![inline("text", "text/plain", text.as_bytes())]),
        InputRequest::Bytes(bytes) => Ok(vec![inline("bytes", "application/octet-stream", bytes)]),
        InputRequest::Json(value) => {
            Ok(vec![inline("json", "application/json", value.to_string().as_bytes())])
        }
        InputRequest::Files(asked) => files(asked, base, stdin, web),
        InputRequest::Jobs(jobs) => Ok(jobs.iter().map(result_of).collect()),
    }
}

fn inline(name: &str, media_type: &str, bytes: &[u8]) -> Source {
    Source {
        name: name.into(),
        media_type: Some(media_type.into()),
        size: bytes.len() as u64,
        place: SourcePlace::Inline(bytes.into()),
    }
}

/// The result of another job: nothing is known about it yet.
fn result_of(job: &JobId) -> Source {
    let place = SourcePlace::Job(job.clone());
    Source { name: job.to_string(), media_type: None, size: 0, place }
}

fn files(
    asked: &[FileRequest],
    base: &Path,
    stdin: &Stdin,
    web: &TenantWeb,
) -> Result<Vec<Source>, Fault> {
    let is_fetched = |file: &&FileRequest| is_url(&file.path) || is_object(&file.path);
    let urls = asked.iter().filter(is_fetched).count();
    if urls > URLS_MAX {
        return Err(missing(&format!("{urls} URLs"), "more than 1,000 in one job"));
    }
    let mut sources = Vec::new();
    for file in asked {
        let FileRequest { path: pattern, sha256: pin } = file;
        match is_pattern(pattern) && !base.join(pattern).exists() {
            _ if file.is_stdin() => sources.push(stdin.source(*pin)?),
            _ if is_fetched(&file) && pin.is_some() => {
                return Err(missing(
                    &url_shown(pattern),
                    "a digest pins a file, and this is a URL; fetch it first",
                ));
            }
            _ if is_object(pattern) => sources.extend(web.find_objects(pattern)?),
            _ if is_url(pattern) => sources.push(web.measure(pattern)?),
            true if pin.is_some() => {
                return Err(missing(pattern, "a digest pins one file, and this is a pattern"));
            }
            true => {
                for path in matches(pattern, base)? {
                    sources.push(measure(&path, base, None)?);
                }
            }
            false => sources.push(measure(Path::new(pattern), base, *pin)?),
        }
        if sources.len() > SOURCES_MAX {
            return Err(missing(pattern, "more than 1,000,000 files"));
        }
    }
    Ok(sources)
}

pub(super) fn missing(what: &str, why: &str) -> Fault {
    Fault::new(Code::InputMissing).detail(format!("`{what}`: {why}"))
}

pub(super) fn mismatch(name: &str, pinned: Digest, found: Digest) -> Fault {
    Fault::new(Code::InputMismatch)
        .detail(format!("`{name}`: pinned is sha256 {pinned}, the file has {found}"))
}

pub(super) fn is_pattern(text: &str) -> bool {
    text.contains(['*', '?', '[', '{'])
}

/// What is measured is what is hashed: size and time of change are those of the open file, before and after.
fn measure(path: &Path, base: &Path, pin: Option<Digest>) -> Result<Source, Fault> {
    let name = path.display().to_string();
    let absolute =
        std::path::absolute(base.join(path)).map_err(|e| missing(&name, &e.to_string()))?;
    let metadata = std::fs::metadata(&absolute).map_err(|error| match error.kind() {
        std::io::ErrorKind::NotFound => missing(&name, "there is no such file"),
        _ => missing(&name, &error.to_string()),
    })?;
    if metadata.is_dir() {
        return Err(missing(
            &name,
            "this is a directory; a pattern such as `folder/*` names its files",
        ));
    }
    if !metadata.is_file() {
        return Err(missing(&name, "not a regular file"));
    }
    let (file, metadata) =
        open_regular(&absolute).map_err(|error| missing(&name, &error.to_string()))?;
    if let Some(pin) = pin {
        let found = digest(&file).map_err(|error| missing(&name, &error.to_string()))?;
        if found != pin {
            return Err(mismatch(&name, pin, found));
        }
        let now = file.metadata().map_err(|error| missing(&name, &error.to_string()))?;
        if now.len() != metadata.len() || modified_ns_of(&now) != modified_ns_of(&metadata) {
            return Err(Fault::new(Code::InputChanged)
                .detail(format!("`{name}`, while its digest was taken")));
        }
    }
    let path = absolute.to_str().ok_or_else(|| missing(&name, "the path is not UTF-8"))?.to_owned();
    Ok(Source {
        media_type: media_type(&absolute).map(str::to_owned),
        size: metadata.len(),
        place: SourcePlace::File { path, modified_ns: modified_ns_of(&metadata) },
        name,
    })
}

fn digest(mut file: &File) -> std::io::Result<Digest> {
    let mut hasher = Sha256::new();
    let mut block = vec![0; BLOCK_BYTES];
    loop {
        match file.read(&mut block) {
            Ok(0) => return Ok(Digest(hasher.finalize().into())),
            Ok(length) => hasher.update(&block[..length]),
            Err(error) if error.kind() == std::io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
}

/// Files below `base` that match, in the order of their names.
fn matches(pattern: &str, base: &Path) -> Result<Vec<PathBuf>, Fault> {
    let glob = GlobBuilder::new(pattern)
        .literal_separator(true)
        .build()
        .map_err(|error| missing(pattern, &error.kind().to_string()))?
        .compile_matcher();
    let mut fixed = PathBuf::new();
    fixed.extend(
        Path::new(pattern)
            .components()
            .take_while(|part| part.as_os_str().to_str().is_some_and(|text| !is_pattern(text))),
    );
    let deep = pattern.contains("**");
    let depth = Path::new(pattern).components().count() - fixed.components().count();
    let mut found = Vec::new();
    let mut folders = vec![(fixed, 1)];
    let mut visited = 0;
    while let Some((folder, level)) = folders.pop() {
        visited += 1;
        if visited > FOLDERS_MAX {
            return Err(missing(pattern, "more than 100,000 folders to search"));
        }
        for entry in std::fs::read_dir(base.join(&folder)).into_iter().flatten().flatten() {
            let path = folder.join(entry.file_name());
            let is_folder = entry.file_type().is_ok_and(|kind| kind.is_dir());
            if is_folder && (deep || level < depth) {
                folders.push((path, level + 1));
            } else if !is_folder && glob.is_match(&path) {
                found.push(path);
            }
        }
    }
    found.sort();
    match found.is_empty() {
        true => Err(missing(pattern, "the pattern matches no file")),
        false => Ok(found),
    }
}

/// Guesses from the name; a handler that cares looks at the bytes.
pub(super) fn media_type(path: &Path) -> Option<&'static str> {
    let known = match path.extension()?.to_str()?.to_ascii_lowercase().as_str() {
        "txt" | "log" => "text/plain",
        "md" => "text/markdown",
        "csv" => "text/csv",
        "html" | "htm" => "text/html",
        "xml" => "application/xml",
        "json" => "application/json",
        "jsonl" | "ndjson" => "application/x-ndjson",
        "wav" => "audio/wav",
        "mp3" => "audio/mpeg",
        "flac" => "audio/flac",
        "ogg" | "oga" | "opus" => "audio/ogg",
        "m4a" => "audio/mp4",
        "mp4" => "video/mp4",
        "png" => "image/png",
        "jpg" | "jpeg" => "image/jpeg",
        "webp" => "image/webp",
        _ => return None,
    };
    Some(known)
}

#[cfg(test)]
mod tests {
    use pframe_core::units::ByteSize;

    use super::super::stdin::Stream;
    use super::*;

    fn folder() -> tempfile::TempDir {
        let folder = tempfile::tempdir().unwrap();
        std::fs::create_dir_all(folder.path().join("novels/deep")).unwrap();
        for name in ["novels/b.txt", "novels/a.txt", "novels/c.md", "novels/deep/d.txt"] {
            std::fs::write(folder.path().join(name), name).unwrap();
        }
        folder
    }

    fn names(pattern: &str) -> Result<Vec<String>, String> {
        let folder = folder();
        names_of(&[pattern.into()], folder.path())
    }

    fn names_of(files: &[FileRequest], base: &Path) -> Result<Vec<String>, String> {
        let stdin = Stdin::new(Stream::default(), ByteSize::ZERO, base.to_owned());
        resolve(&InputRequest::Files(files.to_vec()), base, &stdin, &TenantWeb::denied())
            .map(|sources| sources.into_iter().map(|source| source.name).collect())
            .map_err(|fault| fault.to_string().replace(base.to_str().unwrap(), "BASE"))
    }

    #[test]
    fn a_pinned_file_is_what_its_digest_says_and_a_pattern_has_none() {
        let folder = folder();
        let content = Sha256::digest(b"novels/a.txt").into();
        let names = |path: &str, sha256: [u8; 32]| {
            let file = FileRequest { path: path.into(), sha256: Some(Digest(sha256)) };
            names_of(&[file], folder.path())
        };
        assert_eq!(names("novels/a.txt", content).unwrap(), ["novels/a.txt"]);
        let signed = names("https://user:secret@a.org/b?signature=secret", content).unwrap_err();
        assert!(signed.contains("`…@a.org/b`: a digest pins a file"), "{signed}");
        assert!(!signed.contains("secret"), "{signed}");
        let expect = expect_test::expect![[r#"
            an input is not the one that was pinned: `novels/b.txt`: pinned is sha256 72edc3a12533498951bd68353e66cd5f6298b8b7512dc595c5963da912bcb431, the file has 0b33df6092c2417b4f7ac4b44681fd623b956843610f1fcc29a342a5e36e7dce
            an input is missing or cannot be read: `novels/*.txt`: a digest pins one file, and this is a pattern"#]];
        let seen = ["novels/b.txt", "novels/*.txt"].map(|path| names(path, content).unwrap_err());
        expect.assert_eq(&seen.join("\n"));
    }

    #[test]
    fn a_pattern_gives_its_files_in_the_order_of_their_names() {
        assert_eq!(names("novels/*.txt").unwrap(), ["novels/a.txt", "novels/b.txt"]);
        assert_eq!(names("**/*.txt").unwrap().len(), 3);
        assert_eq!(names("novels/{a,b}.txt").unwrap().len(), 2);
    }

    #[test]
    fn what_cannot_be_an_input_is_refused_with_its_reason() {
        let expect = expect_test::expect![[r#"
            an input is missing or cannot be read: `novels`: this is a directory; a pattern such as `folder/*` names its files
            an input is missing or cannot be read: `none.txt`: there is no such file
            an input is missing or cannot be read: `*.pdf`: the pattern matches no file
            an input is missing or cannot be read: `/dev/zero`: not a regular file
            an input is missing or cannot be read: `-`: there is no stdin here; name a file"#]];
        let seen = ["novels", "none.txt", "*.pdf", "/dev/zero", "-"]
            .map(|input| names(input).unwrap_err());
        expect.assert_eq(&seen.join("\n"));
    }
}
