//! From layers to a [`Config`].
//!
//! Owns: the range and the default of every setting.
//! Never: stops at a problem.

use std::time::Duration;

use super::layers::{Layers, Reader, remarks};
use super::values::{
    COMPONENT_BYTES_MAX, Config, Count, DEAD_LETTER_BYTES_MAX, Isolation, LogLevel, MemoryLimit,
    Monitoring, RESULT_CACHE_BYTES_MAX, Retention, STDIN_BYTES_MAX, SchedulerKind, Speech, Storage,
};
use super::{directories, job_types, keys, tenants};
use crate::document::{self, Checker, Node, Problems, Value};
use crate::fault::Code;
use crate::jobfile::bounds;
use crate::limits::Limits;
use crate::policy::{Backoff, RetryPolicy};
use crate::units::{ByteSize, DURATION_MAX, show_duration};

/// Guest threads at most.
const WORKERS_MAX: u32 = 1024;
/// Live sandboxes at most: each costs two mappings of 65,530, and some are needed elsewhere.
const ATTEMPTS_MAX: u32 = 16_384;
/// The largest component that a configuration may accept.
const COMPONENT_BYTES_CEILING: ByteSize = ByteSize::gib(1);
/// The largest limits on memory and retention.
pub(super) const STORAGE_MAX: ByteSize = ByteSize::gib(1024 * 1024);
/// The longest recording: a day is 2.8 GB of samples.
const RECORDING_MAX: Duration = Duration::from_hours(24);
/// The longest that a configuration may allow.
const RECORDING_CEILING: Duration = Duration::from_hours(24 * 7);
/// The longest delay between two attempts.
const DELAY_MAX: Duration = Duration::from_hours(24);

/// Reads every layer; the error lists every problem of all of them.
pub fn load(layers: &Layers<'_>) -> Result<Config, Problems> {
    let file_name = layers.file.map_or("configuration", |(name, _)| name);
    let mut problems = Problems::new(file_name, Code::ConfigInvalid);
    let root = match layers.file {
        Some((_, bytes)) if is_blank(bytes) => None,
        Some((_, bytes)) => document::read(bytes, &mut problems),
        None => None,
    };
    let mut checker = Checker::new(&mut problems);
    if let Some(root) = &root {
        check_keys(&mut checker, root);
    }
    let mut reader = Reader::new(checker, layers, root.as_ref());
    let config = config(&mut reader, layers);
    problems.unless_empty(Some(config))
}

/// True for a file of comments and white space: a configuration may be empty.
fn is_blank(bytes: &[u8]) -> bool {
    bytes.len() <= document::TEXT_BYTES_MAX
        && bytes.split(|&byte| byte == b'\n').all(|line| {
            let line = line.trim_ascii();
            line.is_empty() || line.starts_with(b"#")
        })
}

fn check_keys(checker: &mut Checker<'_>, root: &Node) {
    if checker.fields(root, &keys::FILE).is_none() {
        return;
    }
    for (path, section) in keys::SECTIONS {
        let node = path.split('.').try_fold(root, |node, key| match &node.value {
            Value::Map(entries) => {
                entries.iter().find(|entry| entry.key == key).map(|entry| &entry.value)
            }
            _ => None,
        });
        if let Some(node) = node.filter(|node| node.value != Value::Null) {
            checker.at(path, |checker| checker.fields(node, section));
        }
    }
}

fn config(reader: &mut Reader<'_, '_>, layers: &Layers<'_>) -> Config {
    let shown_directory =
        |path: &Option<String>| path.clone().unwrap_or_else(|| "(chosen by the host)".to_owned());
    let mut config = Config {
        scheduler: reader.setting(
            "parallel_processing.default_scheduler",
            SchedulerKind::Threads,
            |checker, node| checker.choice(node, SCHEDULERS),
            ToString::to_string,
        ),
        isolation: reader.setting(
            "parallel_processing.isolation",
            Isolation::Strict,
            |checker, node| checker.choice(node, ISOLATIONS),
            ToString::to_string,
        ),
        workers: count(reader, "parallel_processing.max_workers", WORKERS_MAX),
        attempts: count(reader, "parallel_processing.max_attempts", ATTEMPTS_MAX),
        memory_limit: reader.setting(
            "parallel_processing.memory_limit",
            MemoryLimit::Share(80),
            memory_limit,
            ToString::to_string,
        ),
        temp_storage: reader.setting(
            "parallel_processing.temp_storage",
            None,
            |checker, node| checker.text(node).map(Some),
            shown_directory,
        ),
        retry: retry(reader),
        memory_per_job: reader.setting(
            "parallel_processing.resource_limits.memory_per_job",
            None,
            |checker, node| {
                checker.size(node, bounds::MEMORY_MIN..=bounds::RESERVED_MEMORY_MAX).map(Some)
            },
            |size| size.map_or_else(|| "(estimated)".to_owned(), |size| size.to_string()),
        ),
        timeout_default: reader.setting(
            "parallel_processing.resource_limits.timeout_default",
            Limits::default().timeout,
            |checker, node| checker.duration(node, bounds::TIMEOUT_MIN..=bounds::TIMEOUT_MAX),
            |duration| show_duration(*duration),
        ),
        monitoring: monitoring(reader),
        storage: storage(reader, shown_directory),
        speech: speech(reader, shown_directory),
        job_types: job_types::job_types(reader),
        tenants: tenants::tenants(reader),
        directories: directories::directories(reader),
        remarks: remarks(layers.environment),
        entries: Vec::new(),
    };
    directories::check(reader, &config.tenants, &config.directories);
    config.entries = std::mem::take(&mut reader.entries);
    config
}

const SCHEDULERS: &[(&str, SchedulerKind)] = &[
    ("threads", SchedulerKind::Threads),
    ("processes", SchedulerKind::Processes),
    ("distributed", SchedulerKind::Distributed),
];

const ISOLATIONS: &[(&str, Isolation)] =
    &[("strict", Isolation::Strict), ("container", Isolation::Container), ("off", Isolation::Off)];

const BACKOFFS: &[(&str, Backoff)] = &[
    ("fixed", Backoff::Fixed),
    ("linear", Backoff::Linear),
    ("exponential", Backoff::Exponential),
];

/// Our own words, and those of Python's `logging`.
const LOG_LEVELS: &[(&str, LogLevel)] = &[
    ("error", LogLevel::Error),
    ("warn", LogLevel::Warn),
    ("info", LogLevel::Info),
    ("debug", LogLevel::Debug),
    ("trace", LogLevel::Trace),
    ("warning", LogLevel::Warn),
    ("critical", LogLevel::Error),
];

fn count(reader: &mut Reader<'_, '_>, path: &'static str, most: u32) -> Count {
    let read = |checker: &mut Checker<'_>, node: &Node| match node.as_written() {
        Some("auto") => Some(Count::Auto),
        Some(_) if matches!(node.value, Value::Text(_)) => {
            checker.wrong_kind(node, &format!("`auto` or a whole number from 1 to {most}"))
        }
        _ => checker.count(node, 1..=most).map(Count::Exactly),
    };
    reader.setting(path, Count::Auto, read, ToString::to_string)
}

fn memory_limit(checker: &mut Checker<'_>, node: &Node) -> Option<MemoryLimit> {
    match node.as_written() {
        Some(text) if text.ends_with('%') => match text.trim_end_matches('%').trim().parse() {
            Ok(percent @ 1..=100) => Some(MemoryLimit::Share(percent)),
            _ => checker.out_of_range(node, "a whole share from 1% to 100%"),
        },
        _ => checker.size(node, ByteSize::mib(1)..=STORAGE_MAX).map(MemoryLimit::Bytes),
    }
}

fn retry(reader: &mut Reader<'_, '_>) -> RetryPolicy {
    let default = RetryPolicy::default();
    let delay =
        |checker: &mut Checker<'_>, node: &Node| checker.duration(node, Duration::ZERO..=DELAY_MAX);
    RetryPolicy {
        retries_max: reader.setting(
            "parallel_processing.retry_policy.max_retries",
            default.retries_max,
            |checker, node| checker.count(node, 0..=bounds::RETRIES_MAX),
            ToString::to_string,
        ),
        backoff: reader.setting(
            "parallel_processing.retry_policy.backoff_strategy",
            default.backoff,
            |checker, node| checker.choice(node, BACKOFFS),
            |backoff| name_of(BACKOFFS, backoff),
        ),
        base_delay: reader.setting(
            "parallel_processing.retry_policy.base_delay",
            default.base_delay,
            delay,
            |duration| show_duration(*duration),
        ),
        delay_max: reader.setting(
            "parallel_processing.retry_policy.max_delay",
            default.delay_max,
            delay,
            |duration| show_duration(*duration),
        ),
    }
}

fn monitoring(reader: &mut Reader<'_, '_>) -> Monitoring {
    Monitoring {
        metrics: reader.setting(
            "parallel_processing.monitoring.enable_metrics",
            false,
            switch,
            ToString::to_string,
        ),
        log_level: reader.setting(
            "parallel_processing.monitoring.log_level",
            LogLevel::Warn,
            log_level,
            ToString::to_string,
        ),
        progress_interval: reader.setting(
            "parallel_processing.monitoring.progress_update_interval",
            Duration::from_secs(5),
            |checker, node| checker.duration(node, Duration::from_millis(100)..=DELAY_MAX),
            |duration| show_duration(*duration),
        ),
    }
}

fn switch(checker: &mut Checker<'_>, node: &Node) -> Option<bool> {
    checker.boolean(node)
}

/// In any case of letters.
fn log_level(checker: &mut Checker<'_>, node: &Node) -> Option<LogLevel> {
    let lower = node.as_written().map(str::to_ascii_lowercase);
    match LOG_LEVELS.iter().find(|(name, _)| Some(*name) == lower.as_deref()) {
        Some((_, level)) => Some(*level),
        None => checker.choice(node, LOG_LEVELS),
    }
}

fn storage(reader: &mut Reader<'_, '_>, shown_directory: fn(&Option<String>) -> String) -> Storage {
    let directory = |checker: &mut Checker<'_>, node: &Node| checker.text(node).map(Some);
    Storage {
        state_dir: reader.setting("storage.state_dir", None, directory, shown_directory),
        cache_dir: reader.setting("storage.cache_dir", None, directory, shown_directory),
        tasks_dir: reader.setting("storage.tasks_dir", None, directory, |path| {
            path.clone().unwrap_or_else(|| "(none)".to_owned())
        }),
        task_store: reader.setting("storage.task_store", None, directory, shown_directory),
        component_bytes_max: reader.setting(
            "storage.component_bytes_max",
            COMPONENT_BYTES_MAX,
            |checker, node| checker.size(node, ByteSize::kib(1)..=COMPONENT_BYTES_CEILING),
            ToString::to_string,
        ),
        result_cache_bytes_max: reader.setting(
            "storage.result_cache_bytes_max",
            RESULT_CACHE_BYTES_MAX,
            |checker, node| checker.size(node, ByteSize::ZERO..=STORAGE_MAX),
            ToString::to_string,
        ),
        dead_letter_bytes_max: reader.setting(
            "storage.dead_letter_bytes_max",
            DEAD_LETTER_BYTES_MAX,
            |checker, node| checker.size(node, ByteSize::ZERO..=STORAGE_MAX),
            ToString::to_string,
        ),
        stdin_bytes_max: reader.setting(
            "storage.stdin_bytes_max",
            STDIN_BYTES_MAX,
            |checker, node| checker.size(node, ByteSize::ZERO..=STORAGE_MAX),
            ToString::to_string,
        ),
        retention: Retention {
            age: reader.setting(
                "storage.retention.age",
                Duration::from_hours(30 * 24),
                |checker, node| checker.duration(node, Duration::ZERO..=DURATION_MAX),
                |duration| show_duration(*duration),
            ),
            bytes: reader.setting(
                "storage.retention.bytes",
                ByteSize::gib(10),
                |checker, node| checker.size(node, ByteSize::ZERO..=STORAGE_MAX),
                ToString::to_string,
            ),
        },
    }
}

fn speech(reader: &mut Reader<'_, '_>, shown_directory: fn(&Option<String>) -> String) -> Speech {
    Speech {
        models_dir: reader.setting(
            "speech.models_dir",
            None,
            |checker, node| checker.text(node).map(Some),
            shown_directory,
        ),
        recognisers: count(reader, "speech.recognisers", WORKERS_MAX),
        queued_max: reader.setting(
            "speech.max_queued",
            10_000,
            |checker, node| checker.count(node, 1..=1_000_000),
            ToString::to_string,
        ),
        recording_max: reader.setting(
            "speech.recording_max",
            RECORDING_MAX,
            |checker, node| checker.duration(node, Duration::from_secs(1)..=RECORDING_CEILING),
            |duration| show_duration(*duration),
        ),
    }
}

fn name_of<T: PartialEq>(choices: &[(&str, T)], value: &T) -> String {
    let found = choices.iter().find(|(_, choice)| choice == value);
    found.map_or_else(String::new, |(name, _)| (*name).to_owned())
}
