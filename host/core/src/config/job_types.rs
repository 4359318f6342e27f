//! `job_types`: what the operator says about task types.
//!
//! Owns: the meaning of a job type's keys; a size of chunks is a duration where they are cut by time.
//! Never: asks for a component; a job type without one loads.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry as Slot;

use serde_json::{Map, Value as Json};

use super::keys;
use super::layers::Reader;
use super::values::JobType;
use crate::document::{Checker, Entry, Fields, Node, Place, shown};
use crate::ids::TaskName;
use crate::job::{Chunking, LimitsRequest, Overlap};
use crate::jobfile::{
    Stated, Strategy, boundary, bounds, length_range, limits, overlap, parameters, path,
    requirements, separator, size_range, strategies,
};

/// Reads all job types.
pub(super) fn job_types(reader: &mut Reader<'_, '_>) -> BTreeMap<TaskName, JobType> {
    let Some((file, node)) = reader.in_file("job_types") else {
        return BTreeMap::new();
    };
    let mut job_types = BTreeMap::new();
    let mut places = BTreeMap::new();
    let fields = reader.checker.at("job_types", |checker| checker.mapping(node, "`job_types`"));
    for entry in fields.iter().flat_map(Fields::entries) {
        let read = reader.checker.at("job_types", |checker| {
            let name = name(checker, entry, &mut places);
            name.zip(checker.at_name(&entry.key, |checker| job_type(checker, &entry.value)))
        });
        job_types.extend(read);
        reader.record(&format!("job_types.{}", entry.key), &file, &entry.value);
    }
    job_types
}

fn name(
    checker: &mut Checker<'_>,
    entry: &Entry,
    places: &mut BTreeMap<TaskName, Place>,
) -> Option<TaskName> {
    match TaskName::new(&entry.key).map(|name| (name.clone(), places.entry(name))) {
        Ok((name, Slot::Vacant(slot))) => {
            slot.insert(entry.place);
            Some(name)
        }
        Ok((_, Slot::Occupied(first))) => {
            let message = format!("the job type {} stands here twice", shown(&entry.key));
            let advice = format!(
                "`-` and `_` are equal in task names; the first is in line {}",
                first.get().line
            );
            checker.problem(entry.place, message, advice);
            None
        }
        Err(error) => {
            checker.problem(entry.place, error.to_string(), "");
            None
        }
    }
}

fn job_type(checker: &mut Checker<'_>, node: &Node) -> Option<JobType> {
    let fields = checker.fields(node, &keys::JOB_TYPE)?;
    let timeout = checker.optional(fields, "timeout", |checker, node| {
        checker.duration(node, bounds::TIMEOUT_MIN..=bounds::TIMEOUT_MAX)
    });
    let limits = checker
        .optional(fields, "limits", |checker, node| Some(limits(checker, node)))
        .unwrap_or_default();
    let (chunking, overlap) = chunking(checker, fields).unzip();
    Some(JobType {
        component: checker.optional(fields, "component", path),
        sha256: checker
            .optional(fields, "sha256", |checker, node| checker.parsed(node, str::parse)),
        chunking,
        overlap: overlap.flatten(),
        limits: LimitsRequest { timeout, ..limits },
        requirements: checker
            .optional(fields, "resource_requirements", |checker, node| {
                Some(requirements(checker, node))
            })
            .unwrap_or_default(),
        parameters: own_parameters(checker, fields),
        cache: checker.optional(fields, "cache", Checker::boolean),
    })
}

fn own_parameters(checker: &mut Checker<'_>, fields: Fields<'_>) -> Map<String, Json> {
    match checker.optional(fields, "parameters", parameters) {
        Some(Json::Object(parameters)) => parameters,
        _ => Map::new(),
    }
}

/// How inputs are cut, and how much of its neighbours a chunk repeats.
fn chunking(checker: &mut Checker<'_>, fields: Fields<'_>) -> Option<(Chunking, Option<Overlap>)> {
    let strategy = checker
        .optional(fields, "chunk_strategy", |checker, node| checker.choice(node, strategies()));
    let mut stated = Stated {
        boundary: checker.optional(fields, "boundary", boundary),
        separator: checker.optional(fields, "separator", separator),
        ..Stated::default()
    };
    let Some(strategy) = strategy else {
        require_strategy(checker, fields);
        return None;
    };
    if strategy == Strategy::Time {
        stated.length = checker
            .optional(fields, "chunk_size", |checker, node| checker.duration(node, length_range()));
    } else {
        stated.size = checker
            .optional(fields, "chunk_size", |checker, node| checker.size(node, size_range()));
    }
    refuse_foreign_keys(checker, fields, strategy);
    let chunking = stated.chunking(strategy);
    let overlap = overlap(checker, fields, &chunking);
    Some((chunking, overlap))
}

fn require_strategy(checker: &mut Checker<'_>, fields: Fields<'_>) {
    let stands = |key| fields.get(key).is_some();
    let keys = ["chunk_size", "boundary", "separator", "overlap"];
    if !stands("chunk_strategy") && keys.into_iter().any(stands) {
        let advice = "write for example `chunk_strategy: size_based`";
        checker.problem(fields.place(), "`chunk_strategy` is missing", advice);
    }
}

fn refuse_foreign_keys(checker: &mut Checker<'_>, fields: Fields<'_>, strategy: Strategy) {
    let meaningless: &[&str] = match strategy {
        Strategy::None | Strategy::Custom => &["chunk_size", "boundary", "separator", "overlap"],
        Strategy::Time => &["boundary", "separator"],
        Strategy::Size => &["separator"],
        Strategy::Content => &["boundary"],
    };
    for key in meaningless {
        if let Some(node) = fields.get(key) {
            let message = format!("`{key}` means nothing with this `chunk_strategy`");
            checker.problem(node.place, message, "delete it, or choose another strategy");
        }
    }
}
