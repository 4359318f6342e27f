//! One entry of `jobs`.
//!
//! Owns: the meaning of a job's own keys.
//! Never: lets one wrong field hide another; all are read before any is missed.

use super::chunking::{Cutting, chunking};
use super::dependencies::names;
use super::grants::grants;
use super::input::{input, json, target};
use super::limits::{limits, requirements};
use super::{bounds, keys};
use crate::document::{Checker, Fields, Node, Place, Value};
use crate::ids::{JobId, TaskName, TenantName};
use crate::job::{Collect, InputRequest, JobRequest, LimitsRequest, PRIORITY_MAX};
use crate::policy::{OnFailure, Tolerance};

/// A job, and what the checks between jobs need of it.
pub(super) struct Read {
    /// Present where the id is valid, whatever else is wrong.
    pub(super) id: Option<(JobId, Place)>,
    /// Present where a valid path is stated.
    pub(super) output: Option<(String, Place)>,
    /// How often stdin stands among its files, and where that is.
    pub(super) stdin: Option<(usize, Place)>,
    /// Where `retry_count` stands.
    pub(super) retry_count: Option<Place>,
    /// Where it says what it depends on, if it does.
    pub(super) depends: Option<Place>,
    /// Present where nothing is wrong with what every job needs.
    pub(super) job: Option<JobRequest>,
}

/// Reads one job.
pub(super) fn job(checker: &mut Checker<'_>, node: &Node) -> Option<Read> {
    let fields = checker.fields(node, &keys::JOB)?;
    let id = checker
        .required(fields, "id", "name the job", |checker, node| checker.parsed(node, JobId::new));
    let task = checker.required(fields, "task_type", "name the task type", |checker, node| {
        checker.parsed(node, TaskName::new)
    });
    let input = checker.required(fields, "input_data", INPUT_ADVICE, input);
    let details = details(checker, fields);
    if let (Some(Collect::None), Some(output)) = (details.collect, fields.get("output")) {
        let message = "`collect: none` makes no result that could go anywhere";
        checker.problem(output.place, message, "delete `output`, or choose another collector");
    }
    let place_of = |key| fields.get(key).map(|node| node.place);
    let stdin = match &input {
        Some(InputRequest::Files(files)) => files.iter().filter(|file| file.is_stdin()).count(),
        _ => 0,
    };
    Some(Read {
        id: id.clone().zip(place_of("id")),
        output: details.output.clone().zip(place_of("output")),
        stdin: place_of("input_data").filter(|_| stdin > 0).map(|place| (stdin, place)),
        retry_count: place_of("retry_count"),
        depends: place_of("depends_on").or_else(|| place_of("input_data")),
        job: match (id, task, input) {
            (Some(id), Some(task), Some(input)) => Some(JobRequest { id, task, input, ..details }),
            _ => None,
        },
    })
}

const INPUT_ADVICE: &str = "write `input_data: { files: [\"…\"] }`, or `text`, `json` or `bytes`";

/// Everything that a job may leave out, in a request whose id, task and input are still to be set.
fn details(checker: &mut Checker<'_>, fields: Fields<'_>) -> JobRequest {
    let unnamed = unnamed();
    let Cutting { chunking, overlap, batch } = checker
        .optional(fields, "chunking", |checker, node| Some(chunking(checker, node)))
        .unwrap_or_default();
    JobRequest {
        parameters: checker
            .optional(fields, "parameters", parameters)
            .unwrap_or(unnamed.parameters),
        chunking,
        overlap,
        collect: checker
            .optional(fields, "collect", |checker, node| checker.choice(node, COLLECTORS)),
        cache: checker.optional(fields, "cache", Checker::boolean),
        batch,
        after: checker.optional(fields, "depends_on", names).unwrap_or_default(),
        priority: checker.optional(fields, "priority", priority).unwrap_or(unnamed.priority),
        tenant: checker.optional(fields, "tenant", tenant).unwrap_or(unnamed.tenant),
        deadline: checker.optional(fields, "deadline", |checker, node| {
            checker.duration(node, bounds::TIMEOUT_MIN..=bounds::DEADLINE_MAX)
        }),
        retries_max: checker.optional(fields, "max_retries", |checker, node| {
            checker.count(node, 0..=bounds::RETRIES_MAX)
        }),
        on_failure: on_failure(checker, fields),
        limits: attempt_limits(checker, fields),
        grants: checker
            .optional(fields, "grants", |checker, node| Some(grants(checker, node)))
            .unwrap_or_default(),
        requirements: checker
            .optional(fields, "resource_requirements", |checker, node| {
                Some(requirements(checker, node))
            })
            .unwrap_or_default(),
        output: checker.optional(fields, "output", output),
        ..unnamed
    }
}

/// A request that carries the details until the three fields that every job needs are set.
fn unnamed() -> JobRequest {
    let id = JobId::new("unnamed").expect("`unnamed` is a name");
    let task = TaskName::new("unnamed").expect("`unnamed` is a name");
    JobRequest::new(id, task, InputRequest::Text(String::new()))
}

/// How outputs become one result, by name.
const COLLECTORS: &[(&str, Collect)] = &[
    ("handler", Collect::Handler),
    ("concat", Collect::Concat),
    ("json-array", Collect::JsonArray),
    ("files", Collect::Files),
    ("none", Collect::None),
];

/// Reads parameters: any mapping.
pub(crate) fn parameters(checker: &mut Checker<'_>, node: &Node) -> Option<serde_json::Value> {
    match node.value {
        Value::Map(_) => json(checker, node),
        _ => checker.wrong_kind(node, "parameters (a mapping)"),
    }
}

fn priority(checker: &mut Checker<'_>, node: &Node) -> Option<i32> {
    let range = i64::from(-PRIORITY_MAX)..=i64::from(PRIORITY_MAX);
    checker.whole(node, range).and_then(|number| i32::try_from(number).ok())
}

fn tenant(checker: &mut Checker<'_>, node: &Node) -> Option<TenantName> {
    checker.parsed(node, TenantName::new)
}

fn attempt_limits(checker: &mut Checker<'_>, fields: Fields<'_>) -> LimitsRequest {
    let timeout = checker.optional(fields, "timeout", |checker, node| {
        checker.duration(node, bounds::TIMEOUT_MIN..=bounds::TIMEOUT_MAX)
    });
    let limits = checker
        .optional(fields, "limits", |checker, node| Some(limits(checker, node)))
        .unwrap_or_default();
    LimitsRequest { timeout, ..limits }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Word {
    Stop,
    Continue,
}

fn on_failure(checker: &mut Checker<'_>, fields: Fields<'_>) -> OnFailure {
    let words = [("stop", Word::Stop), ("continue", Word::Continue)];
    let word = checker.optional(fields, "on_failure", |checker, node| checker.choice(node, &words));
    let tolerance = checker.optional(fields, "max_failed_chunks", tolerance);
    let is_misspelt = word.is_none() && fields.get("on_failure").is_some();
    if let Some(node) = fields.get("max_failed_chunks")
        && word != Some(Word::Continue)
        && !is_misspelt
    {
        let advice = "add `on_failure: continue`, or delete `max_failed_chunks`";
        let message = "`max_failed_chunks` means nothing while the first failure stops the job";
        checker.problem(node.place, message, advice);
    }
    match word {
        Some(Word::Continue) => OnFailure::Continue(tolerance.unwrap_or(Tolerance::All)),
        Some(Word::Stop) | None => OnFailure::Stop,
    }
}

/// A number of chunks or a share such as `1%`.
fn tolerance(checker: &mut Checker<'_>, node: &Node) -> Option<Tolerance> {
    match &node.value {
        Value::Text(text) if text.ends_with('%') => {
            checker.percent(node, text).map(Tolerance::Share)
        }
        Value::Text(_) => checker.wrong_kind(node, "a number of chunks or a share such as `1%`"),
        _ => checker.count(node, 0..=bounds::FAILED_CHUNKS_MAX).map(Tolerance::Chunks),
    }
}

fn output(checker: &mut Checker<'_>, node: &Node) -> Option<String> {
    if let Value::Text(_) = node.value {
        checker.problem(node.place, "`output` is a mapping", "write `output: { path: … }`");
        return None;
    }
    let fields = checker.fields(node, &keys::OUTPUT)?;
    checker.required(fields, "path", "write `output: { path: … }`", target)
}
