//! One table of the settings that have a place in the file, a variable and a flag.
//!
//! Owns: the names of all three, and one line about each.
//! Never: what a value means; `load` reads it.

/// A setting under its three names.
#[derive(Debug, PartialEq, Eq)]
pub struct Knob {
    /// Its keys in the file, joined by dots.
    pub path: &'static str,
    /// The environment variable.
    pub variable: &'static str,
    /// The flag on the command line.
    pub flag: &'static str,
    /// What it does, in one line.
    pub about: &'static str,
}

const fn knob(
    path: &'static str,
    variable: &'static str,
    flag: &'static str,
    about: &'static str,
) -> Knob {
    Knob { path, variable, flag, about }
}

/// Every setting, in the order of `config show`.
#[rustfmt::skip]
pub const KNOBS: &[Knob] = &[
    knob("parallel_processing.default_scheduler", "PFRAME_DEFAULT_SCHEDULER", "--scheduler", "what runs attempts: threads, processes or distributed"),
    knob("parallel_processing.isolation", "PFRAME_ISOLATION", "--isolation", "what the operating system adds around worker processes: strict, container or off"),
    knob("parallel_processing.max_workers", "PFRAME_MAX_WORKERS", "--max-workers", "threads that run guests, or auto"),
    knob("parallel_processing.max_attempts", "PFRAME_MAX_ATTEMPTS", "--max-attempts", "sandboxes alive at once, or auto"),
    knob("parallel_processing.memory_limit", "PFRAME_MEMORY_LIMIT", "--memory-limit", "what all attempts may reserve: a share of the memory or a size"),
    knob("parallel_processing.temp_storage", "PFRAME_TEMP_STORAGE", "--temp-storage", "directory for scratch data"),
    knob("parallel_processing.retry_policy.max_retries", "PFRAME_MAX_RETRIES", "--max-retries", "further attempts after a transient failure"),
    knob("parallel_processing.retry_policy.backoff_strategy", "PFRAME_BACKOFF_STRATEGY", "--backoff-strategy", "how the delay grows: fixed, linear or exponential"),
    knob("parallel_processing.retry_policy.base_delay", "PFRAME_BASE_DELAY", "--base-delay", "delay after the first failure"),
    knob("parallel_processing.retry_policy.max_delay", "PFRAME_MAX_DELAY", "--max-delay", "no delay is longer"),
    knob("parallel_processing.resource_limits.memory_per_job", "PFRAME_MEMORY_PER_JOB", "--memory-per-job", "reserved for an attempt unless stated, and the most that it may have"),
    knob("parallel_processing.resource_limits.timeout_default", "PFRAME_TIMEOUT_DEFAULT", "--timeout-default", "time of one attempt unless stated"),
    knob("parallel_processing.monitoring.enable_metrics", "PFRAME_ENABLE_METRICS", "--enable-metrics", "whether metrics are offered"),
    knob("parallel_processing.monitoring.log_level", "PFRAME_LOG_LEVEL", "--log-level", "error, warn, info, debug or trace"),
    knob("parallel_processing.monitoring.progress_update_interval", "PFRAME_PROGRESS_UPDATE_INTERVAL", "--progress-update-interval", "time between two words about progress"),
    knob("storage.state_dir", "PFRAME_STATE_DIR", "--state-dir", "directory of the journal and the results"),
    knob("storage.cache_dir", "PFRAME_CACHE_DIR", "--cache-dir", "directory of compiled components"),
    knob("storage.tasks_dir", "PFRAME_TASKS_DIR", "--tasks-dir", "directory of task types: components with their descriptions"),
    knob("storage.task_store", "PFRAME_TASK_STORE", "--task-store", "directory of the task types that `tasks add` keeps"),
    knob("storage.component_bytes_max", "PFRAME_COMPONENT_BYTES_MAX", "--component-bytes-max", "the largest component that is accepted"),
    knob("storage.result_cache_bytes_max", "PFRAME_RESULT_CACHE_BYTES_MAX", "--result-cache-bytes-max", "bytes of results kept for each tenant, for jobs with `cache: true`"),
    knob("storage.dead_letter_bytes_max", "PFRAME_DEAD_LETTER_BYTES_MAX", "--dead-letter-bytes-max", "bytes of chunks that failed kept of each run, for `replay`"),
    knob("storage.stdin_bytes_max", "PFRAME_STDIN_BYTES_MAX", "--stdin-bytes-max", "how much a job that names `-` as its file reads from stdin"),
    knob("storage.retention.age", "PFRAME_RETENTION_AGE", "--retention-age", "ended work is kept no longer"),
    knob("storage.retention.bytes", "PFRAME_RETENTION_BYTES", "--retention-bytes", "ended work takes no more space"),
    knob("speech.models_dir", "PFRAME_MODELS_DIR", "--models-dir", "directory of the models for speech recognition"),
    knob("speech.recognisers", "PFRAME_RECOGNISERS", "--recognisers", "windows of speech that are recognised at once, or auto"),
    knob("speech.max_queued", "PFRAME_SPEECH_MAX_QUEUED", "--speech-max-queued", "windows of speech of one tenant that may wait"),
    knob("speech.recording_max", "PFRAME_RECORDING_MAX", "--recording-max", "the longest recording that is decoded"),
];

/// Variables of the same prefix that mean something elsewhere: the file to read, and what a command finds in its sandbox.
pub(super) const OTHER_VARIABLES: &[&str] =
    &["PFRAME_CONFIG", "PFRAME_PARAMETERS", "PFRAME_PROGRAM"];
