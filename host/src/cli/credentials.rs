//! Where credentials are looked for, as other tools keep them.
//!
//! Owns: which files these are, by the environment's variables and the home directory.
//! Never: runs a program that would know some, or writes one of the files.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::io::{ErrorKind, Read};
use std::path::{Path, PathBuf};

use pframe_core::config::Config;
use pframe_core::fault::{Code, Fault};
use pframe_core::job::Grant;
use pframe_core::logins::{LoginFile, Logins};
use pframe_core::profiles::{ProfileFile, ProfileKind, with_profile};

/// Bytes of a file with credentials, at most.
const FILE_BYTES_MAX: u64 = 1 << 20;

/// Logins for registries, as docker and podman write them down.
pub(super) fn registry_logins() -> Result<Logins, Fault> {
    if let Some(path) = set("REGISTRY_AUTH_FILE") {
        return Ok(Logins::new(vec![login_file(&path, Absent::Refused)?]));
    }
    let home = etcetera::home_dir().ok();
    let places = login_places(set, home.as_deref()).into_iter();
    let files = places.map(|path| login_file(&path, Absent::Empty));
    Ok(Logins::new(files.collect::<Result<_, _>>()?))
}

/// How stores of objects are reached, where some tenant may use one: the variables `AWS_…`, with what a profile of the AWS tools
/// says where these are silent. Else why they are not.
pub(super) fn bucket_settings(config: &Config) -> Result<BTreeMap<String, String>, String> {
    let mut grants = config.tenants.values().flat_map(|tenant| &tenant.grants);
    if !grants.any(|grant| matches!(grant, Grant::S3(_))) {
        return Ok(BTreeMap::new());
    }
    let variables = std::env::vars_os()
        .filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)))
        .filter(|(name, _)| name.starts_with("AWS_"))
        .collect();
    let credentials = profile_file(ProfileKind::Credentials)?;
    let config = profile_file(ProfileKind::Config)?;
    with_profile(variables, &credentials, &config).map_err(|error| error.to_string())
}

/// One of the two files of the AWS tools; they take one that is missing as empty, even if it was named.
fn profile_file(kind: ProfileKind) -> Result<ProfileFile, String> {
    let (variable, usual) = match kind {
        ProfileKind::Credentials => ("AWS_SHARED_CREDENTIALS_FILE", ".aws/credentials"),
        ProfileKind::Config => ("AWS_CONFIG_FILE", ".aws/config"),
    };
    let in_home = || etcetera::home_dir().ok().map(|home| home.join(usual));
    let Some(path) = set(variable).or_else(in_home) else {
        return Ok(ProfileFile::missing(kind, format!("~/{usual}")));
    };
    let place = path.display().to_string();
    match read_private(&path) {
        Ok(Some(bytes)) => {
            ProfileFile::parse(kind, place, &bytes).map_err(|error| error.to_string())
        }
        Ok(None) => Ok(ProfileFile::missing(kind, place)),
        Err(why) => Err(format!("`{place}`: {why}")),
    }
}

/// A variable that is not empty.
fn set(name: &str) -> Option<PathBuf> {
    std::env::var_os(name).filter(|value: &OsString| !value.is_empty()).map(PathBuf::from)
}

/// Podman's places and docker's, the ones of this login of the user first.
fn login_places(set: impl Fn(&str) -> Option<PathBuf>, home: Option<&Path>) -> Vec<PathBuf> {
    let below = |folder: &str| home.map(|home| home.join(folder));
    let session = set("XDG_RUNTIME_DIR").map(|it| it.join("containers/auth.json"));
    let config = set("XDG_CONFIG_HOME").or_else(|| below(".config"));
    let docker = set("DOCKER_CONFIG").or_else(|| below(".docker"));
    let config = config.map(|it| it.join("containers/auth.json"));
    let docker = docker.map(|it| it.join("config.json"));
    [session, config, docker].into_iter().flatten().collect()
}

/// What it means where a file is not there.
#[derive(Clone, Copy)]
enum Absent {
    /// Nothing is known.
    Empty,
    /// Somebody named it.
    Refused,
}

fn login_file(path: &Path, absent: Absent) -> Result<LoginFile, Fault> {
    let place = path.display().to_string();
    let refuse = |why: &str| Fault::new(Code::LoginFile).detail(format!("`{place}`: {why}"));
    let bytes = read_private(path).map_err(|why| refuse(&why))?;
    match (bytes, absent) {
        (Some(bytes), _) => {
            LoginFile::parse(&*place, &bytes).map_err(|error| refuse(&error.to_string()))
        }
        (None, Absent::Empty) => Ok(LoginFile::missing(&*place)),
        (None, Absent::Refused) => {
            Err(refuse("`REGISTRY_AUTH_FILE` names it, and there is no such file"))
        }
    }
}

/// A regular file of bounded size; none where there is no such file, as where `/dev/null` stands for none.
fn read_private(path: &Path) -> Result<Option<Vec<u8>>, String> {
    if path == Path::new("/dev/null") {
        return Ok(None);
    }
    let is_missing =
        |kind: ErrorKind| matches!(kind, ErrorKind::NotFound | ErrorKind::NotADirectory);
    let metadata = match std::fs::metadata(path) {
        Ok(metadata) => metadata,
        Err(error) if is_missing(error.kind()) => return Ok(None),
        Err(error) => return Err(error.to_string()),
    };
    if !metadata.is_file() {
        return Err("not a regular file".to_owned());
    }
    let file = std::fs::File::open(path).map_err(|error| error.to_string())?;
    let mut bytes = Vec::new();
    let read = file.take(FILE_BYTES_MAX + 1).read_to_end(&mut bytes);
    read.map_err(|error| error.to_string())?;
    match bytes.len() as u64 > FILE_BYTES_MAX {
        true => Err("larger than 1 MiB".to_owned()),
        false => Ok(Some(bytes)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn looks(variables: &[(&str, &str)], home: Option<&str>, expect: &[&str]) {
        let set = |name: &str| variables.iter().find(|it| it.0 == name).map(|it| it.1.into());
        let expect: Vec<_> = expect.iter().map(PathBuf::from).collect();
        assert_eq!(login_places(set, home.map(Path::new)), expect, "{variables:?}");
    }

    #[test]
    fn logins_are_looked_for_where_podman_and_docker_keep_them() {
        let (config, docker) = ("/h/.config/containers/auth.json", "/h/.docker/config.json");
        looks(&[], Some("/h"), &[config, docker]);
        looks(&[], None, &[]);
        looks(&[("DOCKER_CONFIG", "/d")], Some("/h"), &[config, "/d/config.json"]);
        looks(&[("XDG_CONFIG_HOME", "/c")], None, &["/c/containers/auth.json"]);
        let session = "/run/user/1/containers/auth.json";
        looks(&[("XDG_RUNTIME_DIR", "/run/user/1")], Some("/h"), &[session, config, docker]);
    }
}
