//! The keys of a description, and the words of a schema of parameters.
//!
//! Owns: which key stands where, and where to send people who write it elsewhere.
//! Never: what a value means.

use crate::document::Section;

/// The description of a task type.
pub(crate) const DESCRIPTION: Section = Section {
    what: "the description of a task type",
    keys: &[
        "version",
        "task_version",
        "description",
        "component",
        "sha256",
        "limits",
        "timeout",
        "chunking",
        "resource_requirements",
        "grants",
        "parameters",
    ],
    strangers: &[
        ("name", "a task type is named by its file or folder"),
        ("semver", "did you mean `task_version`?"),
        ("digest", "did you mean `sha256`?"),
        ("path", "did you mean `component`?"),
        ("schema", "did you mean `parameters`?"),
        ("chunk_strategy", "write `chunking: { strategy: … }`"),
        ("chunk_size", "write `chunking: { strategy: size, size: … }`"),
        ("memory", "it belongs under `limits` or `resource_requirements`"),
        ("fuel", "it belongs under `limits`"),
        ("disk", "it belongs under `limits`"),
        ("jobs", "jobs stand in a job file"),
        ("tasks", "this file describes one task type; a job file has `tasks`"),
    ],
};

/// One schema. Words of JSON Schema that would be read and not checked are refused.
pub(crate) const SCHEMA: Section = Section {
    what: "a schema",
    keys: &[
        "$schema",
        "title",
        "description",
        "default",
        "examples",
        "deprecated",
        "type",
        "enum",
        "const",
        "properties",
        "required",
        "additionalProperties",
        "items",
        "anyOf",
        "minimum",
        "maximum",
        "exclusiveMinimum",
        "exclusiveMaximum",
        "minLength",
        "maxLength",
        "pattern",
        "minItems",
        "maxItems",
    ],
    strangers: &[
        ("$ref", REFERENCES),
        ("$defs", REFERENCES),
        ("definitions", REFERENCES),
        ("oneOf", "did you mean `anyOf`? alternatives that exclude each other are not checked"),
        ("allOf", "write its parts into one schema"),
        ("format", "write a `pattern`"),
    ],
};

const REFERENCES: &str = "a schema stands here as a whole; write out what it refers to";
