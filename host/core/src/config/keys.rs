//! The keys of the configuration file.
//!
//! Owns: which key stands where, and where to send people who write it elsewhere.
//! Never: what a value means.

use crate::document::Section;

/// The file itself.
pub(super) const FILE: Section = Section {
    what: "a configuration",
    keys: &["parallel_processing", "job_types", "tenants", "directories", "storage", "speech"],
    strangers: &[
        ("jobs", "jobs stand in a job file, not in the configuration"),
        ("tasks", "did you mean `job_types`?"),
        ("version", "a configuration has no version; is this a job file?"),
        ("state_dir", "it belongs under `storage`"),
        ("cache_dir", "it belongs under `storage`"),
        ("tasks_dir", "it belongs under `storage`"),
        ("task_store", "it belongs under `storage`"),
        ("component_bytes_max", "it belongs under `storage`"),
        ("retention", "it belongs under `storage`"),
        ("max_workers", "it belongs under `parallel_processing`"),
        ("memory_limit", "it belongs under `parallel_processing`"),
    ],
};

/// `parallel_processing`.
pub(super) const PROCESSING: Section = Section {
    what: "`parallel_processing`",
    keys: &[
        "default_scheduler",
        "isolation",
        "max_workers",
        "max_attempts",
        "memory_limit",
        "temp_storage",
        "retry_policy",
        "resource_limits",
        "monitoring",
    ],
    strangers: &[
        ("scheduler", "did you mean `default_scheduler`?"),
        ("workers", "did you mean `max_workers`?"),
        ("max_retries", "it belongs under `retry_policy`"),
        ("memory_per_job", "it belongs under `resource_limits`"),
        ("timeout_default", "it belongs under `resource_limits`"),
        ("log_level", "it belongs under `monitoring`"),
        ("enable_metrics", "it belongs under `monitoring`"),
        ("state_dir", "it belongs under `storage`, beside `parallel_processing`"),
    ],
};

/// `parallel_processing.retry_policy`.
pub(super) const RETRY: Section = Section {
    what: "`retry_policy`",
    keys: &["max_retries", "backoff_strategy", "base_delay", "max_delay"],
    strangers: &[("backoff", "did you mean `backoff_strategy`?")],
};

/// `parallel_processing.resource_limits`.
pub(super) const RESOURCES: Section = Section {
    what: "`resource_limits`",
    keys: &["memory_per_job", "timeout_default"],
    strangers: &[("timeout", "did you mean `timeout_default`?")],
};

/// `parallel_processing.monitoring`.
pub(super) const MONITORING: Section = Section {
    what: "`monitoring`",
    keys: &["enable_metrics", "log_level", "progress_update_interval"],
    strangers: &[("level", "did you mean `log_level`?")],
};

/// `storage`.
pub(super) const STORAGE: Section = Section {
    what: "`storage`",
    keys: &[
        "state_dir",
        "cache_dir",
        "tasks_dir",
        "task_store",
        "component_bytes_max",
        "stdin_bytes_max",
        "result_cache_bytes_max",
        "dead_letter_bytes_max",
        "retention",
    ],
    strangers: &[("temp_storage", "it belongs under `parallel_processing`")],
};

/// `storage.retention`.
pub(super) const RETENTION: Section =
    Section { what: "`retention`", keys: &["age", "bytes"], strangers: &[] };

/// `speech`.
pub(super) const SPEECH: Section = Section {
    what: "`speech`",
    keys: &["recording_max", "models_dir", "recognisers", "max_queued"],
    strangers: &[],
};

/// Sections that hold settings, by the path of their mapping.
pub(super) const SECTIONS: &[(&str, &Section)] = &[
    ("parallel_processing", &PROCESSING),
    ("parallel_processing.retry_policy", &RETRY),
    ("parallel_processing.resource_limits", &RESOURCES),
    ("parallel_processing.monitoring", &MONITORING),
    ("storage", &STORAGE),
    ("storage.retention", &RETENTION),
    ("speech", &SPEECH),
];

/// One entry of `job_types`.
pub(super) const JOB_TYPE: Section = Section {
    what: "a job type",
    keys: &[
        "component",
        "sha256",
        "chunk_strategy",
        "chunk_size",
        "boundary",
        "separator",
        "overlap",
        "resource_requirements",
        "limits",
        "timeout",
        "parameters",
        "cache",
    ],
    strangers: &[
        ("strategy", "did you mean `chunk_strategy`?"),
        ("chunking", "write `chunk_strategy` and `chunk_size`"),
        ("size", "did you mean `chunk_size`?"),
        ("length", "did you mean `chunk_size`? with `time_based` it is a duration"),
        ("memory", "it belongs under `limits` or `resource_requirements`"),
    ],
};

/// One entry of `directories`.
pub(super) const DIRECTORY: Section = Section {
    what: "a directory",
    keys: &["path", "mode", "quota"],
    strangers: &[
        ("access", "did you mean `mode`?"),
        ("dir", "did you mean `path`?"),
        ("size", "did you mean `quota`?"),
        ("writable", "write `quota: 10GiB`, say how much may lie there"),
    ],
};

/// One entry of `tenants`.
pub(super) const TENANT: Section = Section {
    what: "a tenant",
    keys: &["weight", "max_queued", "max_running", "memory", "grants"],
    strangers: &[("priority", "did you mean `weight`?"), ("max_memory", "did you mean `memory`?")],
};
