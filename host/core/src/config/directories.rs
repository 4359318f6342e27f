//! `directories`: what of this machine's files tenants may be granted, by name.
//!
//! Owns: the meaning of a directory's keys, and that a tenant is granted none that is not there.
//! Never: looks at a disk, or lets anybody but the operator name a path.

use std::collections::BTreeMap;

use super::keys;
use super::layers::Reader;
use super::values::{Directory, Tenant};
use crate::document::{Checker, Fields, Node, Value, closest};
use crate::ids::TenantName;
use crate::job::Grant;
use crate::jobfile::{DIRECTORY_NAME, is_directory_name, path};

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
        directories.extend(read);
        reader.record(&format!("directories.{}", entry.key), &file, &entry.value);
    }
    directories
}

fn directory(checker: &mut Checker<'_>, node: &Node) -> Option<Directory> {
    let fields = checker.fields(node, &keys::DIRECTORY)?;
    checker.optional(fields, "mode", mode);
    let path = checker.required(fields, "path", "say where it lies", |checker, node| {
        let path = path(checker, node)?;
        if !path.starts_with('/') {
            checker.problem(node.place, "the path of a directory is absolute", "begin it with `/`");
            return None;
        }
        Some(path)
    });
    path.map(|path| Directory { path })
}

/// There is one: a directory of the machine has no quota that an attempt could be held to.
fn mode(checker: &mut Checker<'_>, node: &Node) -> Option<()> {
    if node.as_written() == Some("write") {
        let advice = "write `read`; results leave by the handler's output, which has a limit";
        let message = "directories that guests write to are not available in this version";
        checker.problem(node.place, message, advice);
        return None;
    }
    checker.choice(node, &[("read", ())])
}

/// Tells of tenants that are granted a directory that is not configured. One that is configured wrongly was told of already.
pub(super) fn check(reader: &mut Reader<'_, '_>, tenants: &BTreeMap<TenantName, Tenant>) {
    let Some((_, node)) = reader.in_file("tenants") else { return };
    let names: Vec<&str> = match reader.in_file("directories").map(|(_, node)| &node.value) {
        Some(Value::Map(entries)) => entries.iter().map(|entry| entry.key.as_str()).collect(),
        _ => Vec::new(),
    };
    let grants = tenants.iter().flat_map(|(name, it)| it.grants.iter().map(move |it| (name, it)));
    for (tenant, grant) in grants {
        let Grant::Directory(name) = grant else { continue };
        if names.contains(&name.as_str()) {
            continue;
        }
        let message = format!("tenant `{tenant}` is granted `{grant}`, which is not configured");
        let advice = match closest(name, names.iter().copied()) {
            Some(known) => format!("did you mean `dir: {known}`?"),
            None => format!("add `directories: {{ {name}: {{ path: … }} }}`"),
        };
        reader.checker.at("tenants", |checker| checker.problem(node.place, message, advice));
    }
}
