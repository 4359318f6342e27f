//! `directories`: what of this machine's files tenants may be granted, by name.
//!
//! Owns: the meaning of a directory's keys, and that a tenant is granted none that is not there.
//! Never: looks at a disk, or lets anybody but the operator name a path.

use std::collections::BTreeMap;
use std::path::Path;

use super::keys;
use super::layers::Reader;
use super::load::STORAGE_MAX;
use super::values::{Directory, Tenant};
use crate::document::{Checker, Fields, Node, Value, closest};
use crate::ids::TenantName;
use crate::jobfile::{DIRECTORY_NAME, is_directory_name, path};
use crate::units::ByteSize;

/// Reads all directories.
pub(super) fn directories(reader: &mut Reader<'_, '_>) -> BTreeMap<String, Directory> {
    let Some((file, node)) = reader.in_file("directories") else {
        return BTreeMap::new();
    };
    let mut directories = BTreeMap::new();
    let fields = reader.checker.at("directories", |checker| checker.mapping(node, "`directories`"));
    for entry in fields.iter().flat_map(Fields::entries) {
        let checker = &mut reader.checker;
        let read = checker.at("directories", |checker| {
            let read = checker.at_name(&entry.key, |checker| directory(checker, &entry.value));
            if !is_directory_name(&entry.key) {
                checker.problem(entry.place, DIRECTORY_NAME, "");
            }
            read.map(|directory| (entry.key.clone(), directory))
        });
        if let Some((_, directory)) = &read
            && let Some(other) = overlapping(directory, &directories)
        {
            let message = format!(
                "guests write to this directory and to `{other}`, and one lies in the other"
            );
            let advice =
                "write to directories beside each other: each quota counts all below its own";
            reader.checker.at("directories", |it| it.problem(entry.place, message, advice));
        }
        directories.extend(read);
        reader.record(&format!("directories.{}", entry.key), &file, &entry.value);
    }
    directories
}

fn directory(checker: &mut Checker<'_>, node: &Node) -> Option<Directory> {
    let fields = checker.fields(node, &keys::DIRECTORY)?;
    let mode = checker.optional(fields, "mode", |checker, node| {
        checker.choice(node, &[("read", Mode::Read), ("write", Mode::Write)])
    });
    let quota = checker
        .optional(fields, "quota", |checker, node| checker.size(node, ByteSize(1)..=STORAGE_MAX));
    match (mode, fields.get("quota")) {
        (Some(Mode::Write), None) => {
            let advice = "add `quota: 10GiB`, or what all files in it may take";
            checker.problem(node.place, "a directory that guests write to needs a quota", advice);
        }
        (Some(Mode::Read), Some(quota)) => {
            let advice = "delete the quota, or write `mode: write`";
            checker.problem(quota.place, "a directory that is only read has no quota", advice);
        }
        (Some(_) | None, _) => {}
    }
    let path = checker.required(fields, "path", "say where it lies", |checker, node| {
        let path = path(checker, node)?;
        if !path.starts_with('/') {
            checker.problem(node.place, "the path of a directory is absolute", "begin it with `/`");
            return None;
        }
        Some(path)
    });
    path.map(|path| Directory { path, quota })
}

/// Another directory that guests write to, in this one or around it. (Links are the operator's own affair.)
fn overlapping<'a>(
    directory: &Directory,
    others: &'a BTreeMap<String, Directory>,
) -> Option<&'a String> {
    let path = Path::new(&directory.path);
    let mut others =
        others.iter().filter(|(_, it)| it.quota.is_some() && directory.quota.is_some());
    let other = others.find(|(_, other)| {
        path.starts_with(&other.path) || Path::new(&other.path).starts_with(path)
    });
    other.map(|(name, _)| name)
}

/// What guests may do in it; a quota says `write` by itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Mode {
    Read,
    Write,
}

/// Tells of tenants that are granted a directory that is not configured, or to write where there is no quota. One that is
/// configured wrongly was told of already.
pub(super) fn check(
    reader: &mut Reader<'_, '_>,
    tenants: &BTreeMap<TenantName, Tenant>,
    directories: &BTreeMap<String, Directory>,
) {
    let Some((_, node)) = reader.in_file("tenants") else { return };
    let names: Vec<&str> = match reader.in_file("directories").map(|(_, node)| &node.value) {
        Some(Value::Map(entries)) => entries.iter().map(|entry| entry.key.as_str()).collect(),
        _ => Vec::new(),
    };
    let grants = tenants.iter().flat_map(|(name, it)| it.grants.iter().map(move |it| (name, it)));
    for (tenant, grant) in grants {
        let named = grant.directory().map(|name| ("dir", name, ""));
        let named = named.or_else(|| grant.write().map(|name| ("write", name, ", quota: 10GiB")));
        let Some((kind, name, rest)) = named else { continue };
        let is_read_only = directories.get(name).is_some_and(|it| it.quota.is_none());
        if names.contains(&name) && (kind == "dir" || !is_read_only) {
            continue;
        }
        let (what, advice) = match closest(name, names.iter().copied()) {
            _ if is_read_only => {
                ("has no quota", format!("add `quota: 10GiB` under `directories.{name}`"))
            }
            Some(known) => ("is not configured", format!("did you mean `{kind}: {known}`?")),
            None => (
                "is not configured",
                format!("add `directories: {{ {name}: {{ path: …{rest} }} }}`"),
            ),
        };
        let message = format!("tenant `{tenant}` is granted `{grant}`, which {what}");
        reader.checker.at("tenants", |checker| checker.problem(node.place, message, advice));
    }
}
