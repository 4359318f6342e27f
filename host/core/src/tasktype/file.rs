//! The description of a task type: `task.yaml`, or `NAME.yaml` beside `NAME.wasm`.
//!
//! Owns: [`parse`], and the meaning of each key.
//! Never: looks whether the component is there.

use semver::Version;

use super::keys;
use super::schema::ParameterSchema;
use crate::document::{self, Checker, Node, Problems, shown};
use crate::fault::Code;
use crate::ids::Digest;
use crate::job::{Chunking, Grant, LimitsRequest, Overlap, RequirementsRequest};
use crate::jobfile::{Cutting, bounds, chunking, grants, limits, path, requirements};

/// The version of the format that this host reads.
const VERSION: i64 = 1;
/// For a `version` that is none: the task type's own is what people mistake it for.
const VERSION_ADVICE: &str =
    "`version` is that of the format; the task type's own is `task_version`";
/// The longest description: a page of prose and a large schema.
pub const DESCRIPTION_BYTES_MAX: usize = 64 << 10;

/// What a task type says of itself. Every default yields to the configuration and to the job's own words.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct TaskType {
    /// Of the task type, not of the format; without build metadata.
    pub version: Option<Version>,
    /// For people.
    pub about: Option<String>,
    /// Path of the component, relative to the description.
    pub component: Option<String>,
    /// The digest that the component must have.
    pub sha256: Option<Digest>,
    /// Limits where nobody states others; `timeout` is among them.
    pub limits: LimitsRequest,
    /// How inputs are cut where nobody states it.
    pub chunking: Option<Chunking>,
    /// How much of its neighbours a chunk repeats then.
    pub overlap: Option<Overlap>,
    /// Chunks run back to back on one reservation where the job does not say how many.
    pub batch: Option<u32>,
    /// Requirements where nobody states others.
    pub requirements: RequirementsRequest,
    /// What it needs: told to jobs that do not ask for it, and given to none of them.
    pub grants: Vec<Grant>,
    /// What parameters must look like.
    pub parameters: Option<ParameterSchema>,
}

/// Reads a description; the error lists every problem with its place.
pub fn parse(bytes: &[u8], file_name: &str) -> Result<TaskType, Problems> {
    let mut problems = Problems::new(file_name, Code::TaskDescription);
    if bytes.len() > DESCRIPTION_BYTES_MAX {
        let message = format!("the description is larger than {} KiB", DESCRIPTION_BYTES_MAX >> 10);
        problems.add_at(document::Place::START, &message, "");
        return problems.unless_empty(None);
    }
    let described = document::read(bytes, &mut problems)
        .and_then(|root| task_type(&mut Checker::new(&mut problems), &root));
    problems.unless_empty(described)
}

fn task_type(checker: &mut Checker<'_>, root: &Node) -> Option<TaskType> {
    let stranger = checker.mapping(root, keys::DESCRIPTION.what)?;
    if !checker.is_readable_version(stranger, VERSION, VERSION_ADVICE) {
        return None;
    }
    let fields = checker.fields(root, &keys::DESCRIPTION)?;
    let timeout = checker.optional(fields, "timeout", |checker, node| {
        checker.duration(node, bounds::TIMEOUT_MIN..=bounds::TIMEOUT_MAX)
    });
    let limits = checker
        .optional(fields, "limits", |checker, node| Some(limits(checker, node)))
        .unwrap_or_default();
    let Cutting { chunking, overlap, batch } = checker
        .optional(fields, "chunking", |checker, node| Some(chunking(checker, node)))
        .unwrap_or_default();
    Some(TaskType {
        version: checker.optional(fields, "task_version", version),
        about: checker.optional(fields, "description", Checker::text),
        component: checker.optional(fields, "component", path),
        sha256: checker
            .optional(fields, "sha256", |checker, node| checker.parsed(node, str::parse)),
        limits: LimitsRequest { timeout, ..limits },
        chunking,
        overlap,
        batch,
        requirements: checker
            .optional(fields, "resource_requirements", |checker, node| {
                Some(requirements(checker, node))
            })
            .unwrap_or_default(),
        grants: checker
            .optional(fields, "grants", |checker, node| Some(grants(checker, node)))
            .unwrap_or_default(),
        parameters: checker.optional(fields, "parameters", |checker, node| {
            Some(ParameterSchema::read(checker, node))
        }),
    })
}

fn version(checker: &mut Checker<'_>, node: &Node) -> Option<Version> {
    let text = checker.text(node)?;
    match Version::parse(&text) {
        Ok(version) if version.build.is_empty() => Some(version),
        Ok(_) => {
            let message = format!("{} has build metadata", shown(&text));
            checker.problem(node.place, message, "it does not order versions: delete it");
            None
        }
        Err(_) => {
            let message = format!("{} is no version", shown(&text));
            checker.problem(node.place, message, "write three numbers, such as `1.2.0`");
            None
        }
    }
}
