//! `pframe-host tasks add | pull | verify | remove`
//!
//! Owns: the store of task types as an operator sees it.
//! Never: compiles or runs what is added.

use std::process::ExitCode;

use pframe_core::fault::{Code, Fault};
use pframe_core::ids::{Digest, TaskName};
use pframe_core::oci::{self, OciReference, OciReferenceError};
use pframe_core::tasktype::{self, Reference, Wanted};
use pframe_core::units::ByteSize;
use semver::Version;

use super::arguments::{AddTaskArguments, PullArguments};
use super::check::counted;
use super::credentials::registry_logins;
use super::failure::{Failure, exit_code};
use super::porch::{Porch, read_small};
use crate::registry::{self, Addition, Kept, admit};
use crate::reporter::amounts::about;
use crate::reporter::told::{say, tell_fault};

/// Copies a component in and gives it a name.
pub(super) fn add(porch: &Porch, arguments: &AddTaskArguments) -> Result<ExitCode, Failure> {
    let AddTaskArguments { name: full_name, file, sha256, description } = arguments;
    let (name, mut version) = name_and_version(full_name)?;
    let pinned = sha256.as_deref().map(str::parse::<Digest>).transpose();
    let pinned = pinned.map_err(|error| Failure::Usage(format!("`--sha256`: {error}")))?;
    let place = file.display().to_string();
    let bytes_max = porch.config.storage.component_bytes_max;
    let admitted = admit(file, pinned, bytes_max).map_err(Failure::at(full_name))?;
    let mut text = None;
    if let Some(path) = description {
        let bytes = read_small(path, Code::TaskDescription)?;
        let described = tasktype::parse(&bytes, &path.display().to_string());
        let described = described.map_err(Failure::job_file)?;
        if let Some(pinned) = described.sha256.filter(|pinned| *pinned != admitted.digest) {
            let what = format!(
                "`{place}` has sha256 {}, and its description pins {pinned}",
                admitted.digest
            );
            return Err(Failure::at(full_name)(Fault::new(Code::DigestMismatch).detail(what)));
        }
        version = agreed(version, described.version)
            .map_err(|why| Failure::Usage(format!("`{full_name}`: {why}")))?;
        text = Some(bytes);
    }
    let addition = Addition { name, version, admitted, description: text, source: place };
    let kept = porch.task_store.add(addition).map_err(Failure::at(full_name))?;
    say(&format!("added `{}`, {}, sha256 {}", kept.full_name(), about(kept.size), kept.sha256));
    Ok(ExitCode::SUCCESS)
}

/// Fetches a component and gives it a name, the repository's and the tag's where none is told.
pub(super) fn pull(porch: &Porch, arguments: &PullArguments) -> Result<ExitCode, Failure> {
    let reference = reference(&arguments.reference)?;
    let (name, version) = match &arguments.name {
        Some(name) => name_and_version(name)?,
        None => name_of(&reference)?,
    };
    let place = reference.to_string();
    let logins = registry_logins().map_err(Failure::at(&place))?;
    let pulled = registry::pull(&reference, porch.config.storage.component_bytes_max, &logins);
    let pulled = pulled.map_err(Failure::at(&place))?;
    let addition = Addition {
        name,
        version,
        admitted: pulled.admitted.clone(),
        description: None,
        source: place.clone(),
    };
    let kept = porch.task_store.add(addition).map_err(Failure::at(&place))?;
    porch.task_store.keep_pull(&reference, &pulled).map_err(Failure::at(&place))?;
    let (size, manifest) = (about(kept.size), pulled.manifest);
    let words = format!("pulled `{}`, {size}, sha256 {}", kept.full_name(), kept.sha256);
    say(&format!("{words}\npin it as `oci://{}`", reference.pinned(manifest)));
    Ok(ExitCode::SUCCESS)
}

/// As the repository is named, with the version that the tag is.
fn name_of(reference: &OciReference) -> Result<(TaskName, Option<Version>), Failure> {
    let name = TaskName::new(reference.base_name());
    let name = name.map_err(|error| Failure::Usage(format!("{error}; say `--name`")))?;
    Ok((name, reference.tag().and_then(version_of_tag)))
}

fn reference(text: &str) -> Result<OciReference, Failure> {
    text.parse().map_err(|error: OciReferenceError| Failure::Usage(error.to_string()))
}

/// `1.2.3`, `v1.2.3`, and `1.2` as `1.2.0`; other tags are no versions.
fn version_of_tag(tag: &str) -> Option<Version> {
    let text = tag.strip_prefix('v').unwrap_or(tag);
    let padded = [text.to_owned(), format!("{text}.0"), format!("{text}.0.0")];
    let version = padded.iter().find_map(|text| Version::parse(text).ok());
    version.filter(|version| version.build.is_empty())
}

fn agreed(named: Option<Version>, described: Option<Version>) -> Result<Option<Version>, String> {
    match (named, described) {
        (Some(named), Some(described)) if named != described => {
            Err(format!("its description says version {described}"))
        }
        (named, described) => Ok(named.or(described)),
    }
}

/// A name, and the one version that was written with it.
fn name_and_version(text: &str) -> Result<(TaskName, Option<Version>), Failure> {
    match named(text)? {
        (name, Wanted::Highest) => Ok((name, None)),
        (name, Wanted::Exactly(version)) => Ok((name, Some(version))),
        (_, Wanted::Matching(_)) => {
            Err(Failure::Usage(format!("`{text}`: a version has three numbers, such as `1.2.0`")))
        }
    }
}

fn named(text: &str) -> Result<(TaskName, Wanted), Failure> {
    let refuse = |why: &dyn std::fmt::Display| Failure::Usage(format!("`{text}`: {why}"));
    let name = TaskName::new(text).map_err(|error| Failure::Usage(error.to_string()))?;
    match Reference::of(&name).map_err(|error| refuse(&error))? {
        Reference::Named { name, wanted } => Ok((name, wanted)),
        Reference::Digest(_) => Err(refuse(&"a digest is no name")),
    }
}

/// Reads every file once more; all that is wrong is told.
pub(super) fn verify(porch: &Porch, name: Option<&str>) -> Result<ExitCode, Failure> {
    let mut all = porch.task_store.list()?;
    if let Some(text) = name {
        let (name, wanted) = named(text)?;
        all.retain(|kept| kept.name == name && wanted.takes(kept.version.as_ref()));
        if all.is_empty() {
            let what = format!("`{text}` is not in the store");
            return Err(Fault::new(Code::TaskStore).detail(what).into());
        }
    }
    let mut worst: Option<Fault> = None;
    for kept in &all {
        if let Err(fault) = porch.task_store.verify(kept, porch.config.storage.component_bytes_max)
        {
            tell_fault(&fault, &format!("task {}", kept.full_name()));
            worst = Some(fault);
        }
    }
    let catalog = porch.catalog()?;
    let pulls = catalog.listed().iter().filter(|it| it.name.is_none() && name.is_none());
    for entry in pulls.filter_map(|it| it.entry.as_ref().ok()) {
        let bytes_max = porch.config.storage.component_bytes_max;
        if let Err(fault) = admit(&entry.component, entry.pinned, bytes_max) {
            tell_fault(&fault, "a component that was pulled");
            worst = Some(fault);
        }
    }
    if let Some(fault) = worst {
        return Ok(ExitCode::from(exit_code(fault.code.origin())));
    }
    let bytes = all.iter().map(|kept: &Kept| kept.size.bytes()).sum();
    let (count, size) = (counted(all.len(), "task type"), about(ByteSize(bytes)));
    say(&format!("{count}, {size}: all as they were added"));
    Ok(ExitCode::SUCCESS)
}

/// Forgets one task type.
pub(super) fn remove(porch: &Porch, text: &str) -> Result<ExitCode, Failure> {
    if text.starts_with(oci::SCHEME) {
        let reference = reference(text)?;
        porch.task_store.remove_pull(&reference).map_err(Failure::at(text))?;
        say(&format!("removed `{reference}`"));
        return Ok(ExitCode::SUCCESS);
    }
    let (name, wanted) = named(text)?;
    let kept = porch.task_store.remove(&name, &wanted).map_err(Failure::at(text))?;
    say(&format!("removed `{}`, {}", kept.full_name(), about(kept.size)));
    Ok(ExitCode::SUCCESS)
}
