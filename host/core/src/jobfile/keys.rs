//! The keys of a job file. The checker and the published schema both follow these lists.
//!
//! Owns: which key stands where, and where to send people who write it elsewhere.
//! Never: what a value means.

use crate::document::Section;

/// The file itself.
pub(crate) const FILE: Section = Section {
    what: "a job file",
    keys: &["version", "tasks", "jobs"],
    strangers: &[
        ("job", "did you mean `jobs`, a list?"),
        ("task_type", "it belongs to a job, under `jobs`"),
        (
            "job_types",
            "task types of a file stand under `tasks`; `job_types` is for the configuration",
        ),
    ],
};

/// One entry of `tasks`.
pub(crate) const TASK: Section = Section {
    what: "a task",
    keys: &["component", "sha256"],
    strangers: &[("path", "did you mean `component`?"), ("digest", "did you mean `sha256`?")],
};

/// One entry of `jobs`.
pub(crate) const JOB: Section = Section {
    what: "a job",
    keys: &[
        "id",
        "task_type",
        "input_data",
        "parameters",
        "chunking",
        "collect",
        "cache",
        "priority",
        "tenant",
        "timeout",
        "deadline",
        "max_retries",
        "retry_count",
        "on_failure",
        "max_failed_chunks",
        "limits",
        "grants",
        "resource_requirements",
        "output",
        "depends_on",
    ],
    strangers: &[
        ("task", "did you mean `task_type`?"),
        ("type", "did you mean `task_type`?"),
        ("name", "did you mean `id`?"),
        ("input", "did you mean `input_data`?"),
        ("inputs", "did you mean `input_data`?"),
        ("files", "it belongs under `input_data`"),
        ("args", "did you mean `parameters`?"),
        ("params", "did you mean `parameters`?"),
        ("retries", "did you mean `max_retries`?"),
        ("memory", "it belongs under `limits` or `resource_requirements`"),
        ("fuel", "it belongs under `limits`"),
        ("cpu", "it belongs under `limits`"),
        ("disk", "it belongs under `limits`"),
        ("cpu_cores", "it belongs under `resource_requirements`"),
        ("gpu_memory", "it belongs under `resource_requirements`"),
        ("chunk_strategy", "write `chunking: { strategy: … }`"),
        ("chunk_size", "write `chunking: { strategy: size, size: … }`"),
        ("batch", "it belongs under `chunking`"),
        ("collector", "did you mean `collect`?"),
        ("merge", "did you mean `collect`?"),
        ("caching", "did you mean `cache`?"),
        ("overlap", "it belongs under `chunking`"),
        ("after", "did you mean `depends_on`?"),
        ("needs", "did you mean `depends_on`?"),
    ],
};

/// `input_data`. A key that ends in `_file` or `_files` is a task type's own name for `files`.
pub(crate) const INPUT: Section = Section {
    what: "`input_data`",
    keys: &["files", "sha256", "text", "json", "bytes", "job", "jobs"],
    strangers: &[
        ("digest", "did you mean `sha256`?"),
        ("file", "did you mean `files`?"),
        ("path", "did you mean `files`?"),
        ("paths", "did you mean `files`?"),
        ("base64", "did you mean `bytes`? it is base64"),
        ("data", "write `text`, `json` or `bytes`"),
    ],
};

/// One of several files, where its digest is pinned.
pub(crate) const PINNED: Section = Section {
    what: "a file",
    keys: &["path", "sha256"],
    strangers: &[("file", "did you mean `path`?"), ("digest", "did you mean `sha256`?")],
};

/// `chunking`.
pub(crate) const CHUNKING: Section = Section {
    what: "`chunking`",
    keys: &["strategy", "size", "boundary", "separator", "length", "overlap", "batch"],
    strangers: &[
        ("chunk_size", "did you mean `size`?"),
        ("duration", "did you mean `length`?"),
        ("time", "did you mean `length`?"),
        ("files", "write `batch: { files: … }`"),
    ],
};

/// `chunking.batch`.
pub(crate) const BATCH: Section =
    Section { what: "`batch`", keys: &["files"], strangers: &[("size", "did you mean `files`?")] };

/// `limits`.
pub(crate) const LIMITS: Section = Section {
    what: "`limits`",
    keys: &["memory", "fuel", "cpu", "output", "disk"],
    strangers: &[
        ("timeout", "did you mean `timeout` beside `limits`?"),
        ("deadline", "did you mean `deadline` beside `limits`?"),
        ("cpu_cores", "it belongs under `resource_requirements`; `cpu` is processor time"),
        ("gpu_memory", "it belongs under `resource_requirements`"),
        ("time", "`cpu` is processor time; `timeout` stands beside `limits`"),
    ],
};

/// `resource_requirements`.
pub(crate) const REQUIREMENTS: Section = Section {
    what: "`resource_requirements`",
    keys: &["cpu_cores", "memory", "gpu_memory"],
    strangers: &[
        ("cpu", "did you mean `cpu_cores`?"),
        ("cpus", "did you mean `cpu_cores`?"),
        ("cores", "did you mean `cpu_cores`?"),
        ("gpu", "did you mean `gpu_memory`?"),
        ("disk", "it belongs under `limits`"),
    ],
};

/// `output`.
pub(crate) const OUTPUT: Section =
    Section { what: "`output`", keys: &["path"], strangers: &[("file", "did you mean `path`?")] };

/// Every section, under the name of its definition in the schema.
#[cfg(test)]
pub(crate) const SECTIONS: &[(&str, &Section)] = &[
    ("file", &FILE),
    ("task", &TASK),
    ("job", &JOB),
    ("input_data", &INPUT),
    ("pinned", &PINNED),
    ("chunking", &CHUNKING),
    ("batch", &BATCH),
    ("limits", &LIMITS),
    ("resource_requirements", &REQUIREMENTS),
    ("output", &OUTPUT),
];
