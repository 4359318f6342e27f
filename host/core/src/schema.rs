//! The JSON Schema (2020-12) of the job file, for editors and for whoever generates job files.
//!
//! Owns: one description per key. A test keeps its keys and the checker's the same.
//! Never: decides; the checker is stricter, and its word counts.

use serde_json::{Value as Json, json};

use crate::ids::NAME_BYTES_MAX;
use crate::job::PRIORITY_MAX;
use crate::jobfile::{VERSION, bounds};

/// The schema of a job file.
pub fn job_file() -> Json {
    json!({
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "pframe-host job file",
        "$ref": "#/$defs/file",
        "$defs": {
            "file": file(),
            "task": task(),
            "job": job(),
            "input_data": input_data(),
            "pinned": pinned(),
            "chunking": chunking(),
            "batch": batch(),
            "limits": limits(),
            "resource_requirements": resource_requirements(),
            "output": output(),
            "name": name(),
            "task_type": task_type(),
            "size": size(),
            "duration": duration(),
            "fuel": fuel(),
            "path": path(),
            "job_ids": job_ids(),
            "grant": grant(),
        },
    })
}

/// A mapping of these keys and no others.
fn mapping(about: &str, required: &[&str], properties: &Json) -> Json {
    json!({
        "description": about,
        "type": "object",
        "additionalProperties": false,
        "required": required,
        "properties": properties,
    })
}

/// A reference with a description of its own.
fn of(kind: &str, about: &str) -> Json {
    json!({ "$ref": format!("#/$defs/{kind}"), "description": about })
}

fn file() -> Json {
    let properties = json!({
        "version": { "description": "the version of this format", "const": VERSION },
        "tasks": {
            "description": "task types that this file brings along, by name; `-` and `_` are equal in names",
            "type": ["object", "null"],
            "propertyNames": { "$ref": "#/$defs/name" },
            "additionalProperties": { "$ref": "#/$defs/task" },
        },
        "jobs": {
            "description": "what is to be done",
            "type": "array",
            "minItems": 1,
            "items": { "$ref": "#/$defs/job" },
        },
    });
    mapping("jobs, and the task types they bring along", &["version", "jobs"], &properties)
}

fn digest(about: &str) -> Json {
    json!({
        "description": about,
        "type": ["string", "null"],
        "pattern": "^(sha256:)?[0-9a-fA-F]{64}$",
    })
}

fn pinned() -> Json {
    let properties = json!({
        "path": of("path", "relative to this file"),
        "sha256": digest("the digest that the file must have; looked at before anything runs"),
    });
    mapping("a file that must not be another", &["path"], &properties)
}

fn task() -> Json {
    let properties = json!({
        "component": of("path", "the WebAssembly component: a path relative to this file, or `oci://REGISTRY/REPOSITORY:TAG` or `…@sha256:…`"),
        "sha256": digest("the digest that the component must have"),
    });
    mapping("a task type", &["component"], &properties)
}

fn job() -> Json {
    let properties = json!({
        "id": of("name", "unique within this file; results are named by it"),
        "task_type": of("task_type", "what to run"),
        "input_data": of("input_data", "what to work on"),
        "parameters": {
            "description": "handed to the handler as JSON",
            "type": ["object", "null"],
        },
        "chunking": of("chunking", "how the input is cut; not stated: as the job type says, else one chunk per file"),
        "collect": {
            "description": "how outputs become one result; not stated: by the handler's own collector if it has one, else `concat`",
            "enum": ["handler", "concat", "json-array", "files", "none", null],
        },
        "cache": {
            "description": "whether what ran before, with the same component on the same bytes with the same parameters, is taken instead of run again; not stated: as the job type says, else `false`",
            "type": ["boolean", "null"],
        },
        "priority": {
            "description": "higher goes first, within the tenant; 0 unless stated",
            "type": ["integer", "null"],
            "minimum": -PRIORITY_MAX,
            "maximum": PRIORITY_MAX,
        },
        "tenant": of("name", "on whose account; `default` unless stated"),
        "timeout": of("duration", "wall time of one attempt"),
        "deadline": of("duration", "time for the whole job, from its acceptance"),
        "max_retries": {
            "description": "further attempts at a chunk after a transient failure",
            "type": ["integer", "null"],
            "minimum": 0,
            "maximum": bounds::RETRIES_MAX,
        },
        "retry_count": { "description": "accepted and ignored", "deprecated": true },
        "on_failure": {
            "description": "what a chunk that failed for good means for its job; `stop` unless stated",
            "enum": ["stop", "continue", null],
        },
        "max_failed_chunks": {
            "description": "with `on_failure: continue`: how many chunks may fail, as a number or a share such as `1%`",
            "type": ["integer", "string", "null"],
            "minimum": 0,
            "maximum": bounds::FAILED_CHUNKS_MAX,
            "pattern": "^[0-9]+(\\.[0-9]{1,2})? *%$",
        },
        "limits": of("limits", "what one attempt may use; `timeout` stands beside it"),
        "grants": {
            "description": "ways out of the sandbox that the job asks for; the operator must allow them too",
            "type": ["array", "null"],
            "items": { "$ref": "#/$defs/grant" },
        },
        "resource_requirements": of("resource_requirements", "what one attempt holds while it runs"),
        "output": of("output", "where the result goes; not stated: it stays in the state directory"),
        "depends_on": of("job_ids", "jobs of this file that must have completed first; those whose results it works on need not be named"),
    });
    mapping("one input, one task type, one result", &["id", "task_type", "input_data"], &properties)
}

fn input_data() -> Json {
    let file = json!({ "anyOf": [{ "$ref": "#/$defs/path" }, { "$ref": "#/$defs/pinned" }] });
    let files = json!({
        "description": "paths and patterns, relative to this file; `-` is stdin, once in a file",
        "anyOf": [file, { "type": "array", "minItems": 1, "items": file }],
    });
    json!({
        "description": "exactly one of these, and `sha256` beside a single file; a task type's own key such as `audio_file` means `files`",
        "type": ["object", "null"],
        "minProperties": 1,
        "if": { "required": ["sha256"] },
        "then": { "minProperties": 2, "maxProperties": 2 },
        "else": { "maxProperties": 1 },
        "additionalProperties": false,
        "properties": {
            "files": files,
            "sha256": digest("the digest that the one file must have"),
            "text": { "description": "the text itself", "type": ["string", "number", "boolean"] },
            "json": { "description": "a value that the handler sees as compact JSON" },
            "bytes": { "description": "the bytes themselves", "type": "string", "contentEncoding": "base64" },
            "job": of("job_ids", "the result of another job of this file"),
            "jobs": of("job_ids", "the results of other jobs of this file"),
        },
        "patternProperties": { "_files?$": files },
    })
}

fn job_ids() -> Json {
    json!({
        "anyOf": [
            { "$ref": "#/$defs/name" },
            { "type": "array", "minItems": 1, "maxItems": bounds::DEPENDENCIES_MAX, "items": { "$ref": "#/$defs/name" } },
            { "type": "null" },
        ],
    })
}

fn chunking() -> Json {
    json!({
        "description": "how the input is cut into chunks; a chunk never spans two files",
        "type": ["object", "null"],
        "additionalProperties": false,
        "properties": {
            "strategy": {
                "description": "`none`: one chunk per file; `size`: about `size` bytes each; `time`: spans of a recording; `content`: whole records; `custom`: the handler's own chunker decides",
                "enum": ["none", "size", "time", "content", "custom", "size_based", "time_based", "content_based"],
            },
            "size": of("size", "with `size` and `content`: bytes aimed at; 8MiB unless stated"),
            "boundary": {
                "description": "with `size`: where a chunk may end; `line` unless stated",
                "enum": ["byte", "line", "record", null],
            },
            "separator": {
                "description": "with `content`: the text that ends a record; a line feed unless stated",
                "type": ["string", "null"],
                "minLength": 1,
                "maxLength": bounds::SEPARATOR_BYTES_MAX,
            },
            "length": of("duration", "with `time`: length of a span; 10min unless stated"),
            "overlap": {
                "description": "how much of its neighbours a chunk repeats, at most as much as a chunk is long: a size with `size` and `content` (whole records of the chunk before it), a duration with `time` (on both sides)",
                "type": ["string", "number", "null"],
            },
            "batch": of("batch", "small chunks run back to back on one reservation"),
        },
    })
}

fn batch() -> Json {
    let properties = json!({
        "files": {
            "description": "chunks in one batch",
            "type": "integer",
            "minimum": 1,
            "maximum": bounds::BATCH_FILES_MAX,
        },
    });
    optional(mapping("how many small files are taken together", &["files"], &properties))
}

fn limits() -> Json {
    optional(mapping(
        "what one attempt may use",
        &[],
        &json!({
            "memory": of("size", "linear memory, at most 4GiB; 256MiB unless stated"),
            "fuel": of("fuel", "units of work, about one per instruction; unlimited unless stated"),
            "cpu": of("duration", "processor time"),
            "output": of("size", "bytes of result; 1GiB unless stated"),
            "disk": of("size", "bytes of a private `/scratch`, which is memory; 0 unless stated"),
        }),
    ))
}

fn resource_requirements() -> Json {
    optional(mapping(
        "what one attempt holds while it runs",
        &[],
        &json!({
            "cpu_cores": {
                "description": "processor cores, whole or in part; 1 unless stated",
                "type": ["number", "null"],
                "exclusiveMinimum": 0,
                "maximum": bounds::CPU_CORES_MAX.thousandths() / 1000,
            },
            "memory": of("size", "memory; estimated unless stated"),
            "gpu_memory": of("size", "memory of a graphics processor; 0 unless stated"),
        }),
    ))
}

fn output() -> Json {
    let properties = json!({ "path": of("path", "the file that receives the result, relative to this file; `-` is stdout") });
    optional(mapping("where the result goes", &["path"], &properties))
}

/// A key without a value counts as not stated.
fn optional(mut schema: Json) -> Json {
    schema["type"] = json!(["object", "null"]);
    schema
}

fn name() -> Json {
    json!({
        "type": ["string", "number", "boolean", "null"],
        "maxLength": NAME_BYTES_MAX,
        "pattern": "^[A-Za-z0-9][A-Za-z0-9._:@-]*$",
    })
}

fn task_type() -> Json {
    json!({
        "description": "a name, with a version (`name@1.2.0`) or a requirement on it (`name@1`, `name@^1.2`, `name@~1.2`), or a digest (`sha256:…`)",
        "type": ["string", "number", "boolean", "null"],
        "maxLength": NAME_BYTES_MAX,
        "pattern": "^[A-Za-z0-9][A-Za-z0-9._:-]*(@[~^]?[A-Za-z0-9._:@-]*)?$",
    })
}

fn size() -> Json {
    json!({
        "description": "a size with its unit, such as `256MiB`; GB is 10⁹ and GiB 2³⁰ bytes",
        "anyOf": [
            { "type": "string", "pattern": "^[0-9.]+ *[kKMGTPE]?i?[bB]?$" },
            { "enum": [0, null] },
        ],
    })
}

fn duration() -> Json {
    json!({
        "description": "a duration such as `90s`, `10min` or `1h 30m`; a bare number is seconds",
        "type": ["string", "number", "null"],
        "minimum": 0,
    })
}

fn fuel() -> Json {
    json!({
        "description": "a number of units, such as `500M` or `20G`",
        "type": ["string", "integer", "null"],
        "minimum": 1,
        "pattern": "^[0-9]+ *[kKMGT]?$",
    })
}

fn path() -> Json {
    json!({ "type": ["string", "number", "boolean"], "minLength": 1 })
}

fn grant() -> Json {
    json!({
        "description": "`env: NAME` for a variable of the host, `clock` for the real time, `random` for real randomness, `speech` for recognition of speech, `speech: MODEL` by one model, `dir: NAME` for a directory of the configuration, to read, `http: HOST` for requests to a host, `s3: BUCKET[/PREFIX]` for objects of a bucket, `keyvalue: NAME` for a key-value store of the tenant, `write: NAME` for a directory of the configuration, to put files into",
        "anyOf": [
            { "type": "string", "pattern": "^(env: *[^= ]+|clock|random|speech(: *[A-Za-z0-9._-]+)?|dir: *[A-Za-z0-9][A-Za-z0-9._-]*|http: *[^ ]+|s3: *[^ ]+|(keyvalue|write): *[A-Za-z0-9][A-Za-z0-9._-]*)$" },
            {
                "type": "object",
                "additionalProperties": false,
                "minProperties": 1,
                "maxProperties": 1,
                "properties": {
                    "env": { "type": "string", "minLength": 1 },
                    "dir": { "type": "string", "minLength": 1 },
                    "http": { "type": "string", "minLength": 1 },
                    "keyvalue": { "type": "string", "minLength": 1 },
                    "write": { "type": "string", "minLength": 1 },
                },
            },
        ],
    })
}

#[cfg(test)]
mod tests;
