//! The configuration through the front door of the crate: layers in, values with their origins out.

#![expect(clippy::needless_raw_string_hashes, reason = "expect-test writes them when it updates")]

#[path = "config/loading.rs"]
mod loading;

use std::time::Duration;

use expect_test::{Expect, expect};
use pframe_core::config::{
    self, Count, KNOBS, Knob, Layers, LogLevel, MemoryLimit, Origin, SchedulerKind,
};
use pframe_core::fault::{Code, Fault};
use pframe_core::ids::{TaskName, TenantName};
use pframe_core::job::{Boundary, Chunking, Grant};
use pframe_core::policy::{Backoff, RetryPolicy};
use pframe_core::units::{ByteSize, CpuCores};

use loading::{DESIGN, job, load, shown};

/// One of everything that can be wrong.
const MISTAKES: &str = include_str!("config/mistakes.yaml");

#[track_caller]
fn check(text: &str, expected: &Expect) {
    let layers = Layers { file: Some(("pframe.yaml", text.as_bytes())), ..Layers::default() };
    expected.assert_eq(&config::load(&layers).expect_err("the text is wrong").to_string());
}

fn variables(pairs: &[(&str, &str)]) -> Vec<(String, String)> {
    pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
}

fn knob(flag: &str) -> &'static Knob {
    KNOBS.iter().find(|knob| knob.flag == flag).expect("the flag is in the table")
}

#[test]
fn the_text_of_the_design_loads_unchanged_and_means_what_it_says() {
    let config = load(DESIGN);
    assert_eq!(config.scheduler, SchedulerKind::Threads);
    assert_eq!((config.workers, config.attempts), (Count::Auto, Count::Auto));
    assert_eq!(config.memory_limit, MemoryLimit::Share(80));
    assert_eq!(config.memory_limit.of(ByteSize(1000)), ByteSize(800));
    assert_eq!(config.temp_storage.as_deref(), Some("/tmp/parallel_jobs"));
    let retry = RetryPolicy {
        retries_max: 3,
        backoff: Backoff::Exponential,
        base_delay: Duration::from_secs(1),
        ..RetryPolicy::default()
    };
    assert_eq!(config.retry, retry);
    assert_eq!(config.memory_per_job, Some(ByteSize(4_000_000_000)));
    assert_eq!(config.timeout_default, Duration::from_hours(1));
    assert!(config.monitoring.metrics);
    assert_eq!(config.monitoring.log_level, LogLevel::Info);
    assert_eq!(config.monitoring.progress_interval, Duration::from_secs(5));
    let audio = &config.job_types[&TaskName::new("audio-transcription").unwrap()];
    assert_eq!(audio.chunking, Some(Chunking::Time { length: Duration::from_mins(10) }));
    assert_eq!(audio.requirements.gpu_memory, Some(ByteSize(1_000_000_000)));
    assert_eq!(audio.component, None);
    let video = &config.job_types[&TaskName::new("video_processing").unwrap()];
    let chunking = Chunking::Size { size: ByteSize(100_000_000), boundary: Boundary::Line };
    assert_eq!(video.chunking, Some(chunking));
    assert_eq!(video.requirements.cpu, Some(CpuCores::whole(2)));
    assert_eq!(config.remarks, [""; 0]);
}

#[test]
fn every_value_remembers_where_it_came_from() {
    expect![[r#"
        parallel_processing.default_scheduler = threads  # pframe.yaml:2
        parallel_processing.isolation = strict  # default
        parallel_processing.max_workers = auto  # pframe.yaml:3
        parallel_processing.max_attempts = auto  # default
        parallel_processing.memory_limit = 80%  # pframe.yaml:4
        parallel_processing.temp_storage = /tmp/parallel_jobs  # pframe.yaml:5
        parallel_processing.retry_policy.max_retries = 3  # pframe.yaml:6
        parallel_processing.retry_policy.backoff_strategy = exponential  # pframe.yaml:6
        parallel_processing.retry_policy.base_delay = 1.0 s  # pframe.yaml:6
        parallel_processing.retry_policy.max_delay = 5m  # default
        parallel_processing.resource_limits.memory_per_job = 4 GB  # pframe.yaml:7
        parallel_processing.resource_limits.timeout_default = 1h  # pframe.yaml:7
        parallel_processing.monitoring.enable_metrics = true  # pframe.yaml:8
        parallel_processing.monitoring.log_level = info  # pframe.yaml:8
        parallel_processing.monitoring.progress_update_interval = 5.0 s  # pframe.yaml:8
        storage.state_dir = (chosen by the host)  # default
        storage.cache_dir = (chosen by the host)  # default
        storage.tasks_dir = (none)  # default
        storage.task_store = (chosen by the host)  # default
        storage.component_bytes_max = 256 MiB  # default
        storage.result_cache_bytes_max = 4 GiB  # default
        storage.dead_letter_bytes_max = 1 GiB  # default
        storage.stdin_bytes_max = 1 GiB  # default
        storage.retention.age = 30days  # default
        storage.retention.bytes = 10 GiB  # default
        speech.models_dir = (chosen by the host)  # default
        speech.recognisers = auto  # default
        speech.max_queued = 10000  # default
        speech.recording_max = 1day  # default
        job_types.audio_transcription.chunk_strategy = time_based  # pframe.yaml:11
        job_types.audio_transcription.chunk_size = 10min  # pframe.yaml:12
        job_types.audio_transcription.resource_requirements.memory = 2GB  # pframe.yaml:13
        job_types.audio_transcription.resource_requirements.cpu_cores = 1  # pframe.yaml:13
        job_types.audio_transcription.resource_requirements.gpu_memory = 1GB  # pframe.yaml:13
        job_types.video_processing.chunk_strategy = size_based  # pframe.yaml:15
        job_types.video_processing.chunk_size = 100MB  # pframe.yaml:16
        job_types.video_processing.resource_requirements.memory = 4GB  # pframe.yaml:17
        job_types.video_processing.resource_requirements.cpu_cores = 2  # pframe.yaml:17
    "#]]
    .assert_eq(&shown(&load(DESIGN)));
}

#[test]
fn without_any_layer_every_setting_has_its_default() {
    let config = config::load(&Layers::default()).unwrap();
    assert!(config.entries().iter().all(|entry| entry.origin == Origin::Default));
    let paths: Vec<_> = config.entries().iter().map(|entry| entry.path.as_str()).collect();
    assert_eq!(paths, KNOBS.iter().map(|knob| knob.path).collect::<Vec<_>>());
    assert_eq!(load(""), config);
    assert_eq!(load("# only words\n\n").scheduler, config.scheduler);
    assert_eq!(load("parallel_processing:\ntenants: null\n").workers, Count::Auto);
}

#[test]
fn a_flag_beats_a_variable_beats_the_file_beats_the_default() {
    let file = "parallel_processing: { max_workers: 2, max_attempts: 20, memory_limit: 50% }";
    let environment = variables(&[
        ("PFRAME_MAX_WORKERS", "3"),
        ("PFRAME_MAX_ATTEMPTS", "30"),
        ("PFRAME_TEMP_STORAGE", ""),
        ("HOME", "/home/x"),
    ]);
    let flags = [(knob("--max-workers"), "4".to_owned())];
    let layers = Layers {
        file: Some(("pframe.yaml", file.as_bytes())),
        environment: &environment,
        flags: &flags,
    };
    let config = config::load(&layers).unwrap();
    assert_eq!(config.workers, Count::Exactly(4));
    assert_eq!(config.attempts, Count::Exactly(30));
    assert_eq!(config.memory_limit, MemoryLimit::Share(50));
    let origin = |path: &str| config.origin(path).unwrap().to_string();
    assert_eq!(origin("parallel_processing.max_workers"), "--max-workers");
    assert_eq!(origin("parallel_processing.max_attempts"), "PFRAME_MAX_ATTEMPTS");
    assert_eq!(origin("parallel_processing.memory_limit"), "pframe.yaml:1");
    assert_eq!(origin("parallel_processing.temp_storage"), "default");
}

#[test]
fn every_layer_hears_of_its_own_mistakes() {
    let file = "parallel_processing: { max_workers: 0 }";
    let environment = variables(&[("PFRAME_MAX_WORKERS", "many"), ("PFRAME_LOG_LEVEL", "infos")]);
    let flags = [(knob("--memory-limit"), "110%".to_owned())];
    let layers = Layers {
        file: Some(("pframe.yaml", file.as_bytes())),
        environment: &environment,
        flags: &flags,
    };
    let problems = config::load(&layers).unwrap_err();
    expect![[r#"
        pframe.yaml:1:37: error[PF109]: `0` is out of range
          in: parallel_processing.max_workers
          advice: write a whole number from 1 to 1024
        --memory-limit: error[PF109]: `110%` is out of range
          advice: write a whole share from 1% to 100%
        PFRAME_LOG_LEVEL: error[PF109]: `infos` is not known here
          advice: did you mean `info`?
        PFRAME_MAX_WORKERS: error[PF109]: expected `auto` or a whole number from 1 to 1024, found text `many`"#]].assert_eq(&problems.to_string());
    assert_eq!(Fault::from(problems).code, Code::ConfigInvalid);
}

#[test]
fn variables_with_unknown_names_get_a_remark() {
    let environment = variables(&[
        ("PFRAME_MAX_WORKER", "3"),
        ("PFRAME_COLOUR", "red"),
        ("PFRAME_CONFIG", "x.yaml"),
    ]);
    let layers = Layers { environment: &environment, ..Layers::default() };
    expect![[r#"
        `PFRAME_MAX_WORKER` is ignored; did you mean `PFRAME_MAX_WORKERS`?
        `PFRAME_COLOUR` is ignored; no setting has this name"#]]
    .assert_eq(&config::load(&layers).unwrap().remarks.join("\n"));
}

#[test]
fn all_problems_of_a_file_are_told_at_once() {
    check(
        MISTAKES,
        &expect![[r#"
            pframe.yaml:1:1: error[PF109]: unknown key `parallel_procesing`
              advice: did you mean `parallel_processing`?
            pframe.yaml:3:22: error[PF109]: `dask` is not known here
              in: parallel_processing.default_scheduler
              advice: write one of `threads`, `processes`, `distributed`
            pframe.yaml:4:3: error[PF109]: unknown key `max_worker`
              in: parallel_processing
              advice: did you mean `max_workers`?
            pframe.yaml:5:17: error[PF109]: expected a size, found `8`
              in: parallel_processing.memory_limit
              advice: add a unit: write a size from 1 MiB to 1024 TiB, for example `256MiB`
            pframe.yaml:6:32: error[PF109]: `1000` is out of range
              in: parallel_processing.retry_policy.max_retries
              advice: write a whole number from 0 to 100
            pframe.yaml:6:56: error[PF109]: `exponentional` is not known here
              in: parallel_processing.retry_policy.backoff_strategy
              advice: did you mean `exponential`?
            pframe.yaml:6:83: error[PF109]: `-1` is out of range
              in: parallel_processing.retry_policy.base_delay
              advice: write a duration from 0 s to 1 day
            pframe.yaml:6:98: error[PF109]: `2days` is out of range
              in: parallel_processing.retry_policy.max_delay
              advice: write a duration from 0 s to 1 day
            pframe.yaml:7:38: error[PF109]: expected a size, found `4`
              in: parallel_processing.resource_limits.memory_per_job
              advice: add a unit: write a size from 64 KiB to 64 TiB, for example `256MiB`
            pframe.yaml:7:58: error[PF109]: `0` is out of range
              in: parallel_processing.resource_limits.timeout_default
              advice: write a duration from 1 ms to 30 days
            pframe.yaml:7:61: error[PF109]: unknown key `timeout`
              in: parallel_processing.resource_limits
              advice: did you mean `timeout_default`?
            pframe.yaml:8:33: error[PF109]: expected `true` or `false`, found text `yes`
              in: parallel_processing.monitoring.enable_metrics
            pframe.yaml:8:49: error[PF109]: `LOUD` is not known here
              in: parallel_processing.monitoring.log_level
              advice: write one of `error`, `warn`, `info`, `debug`, `trace`, `warning`, `critical`
            pframe.yaml:8:81: error[PF109]: `0` is out of range
              in: parallel_processing.monitoring.progress_update_interval
              advice: write a duration from 100 ms to 1 day
            pframe.yaml:9:23: error[PF109]: the text is empty
              in: storage.state_dir
            pframe.yaml:9:48: error[PF109]: `2GiB` is out of range
              in: storage.component_bytes_max
              advice: write a size from 1 KiB to 1 GiB
            pframe.yaml:9:83: error[PF109]: unknown key `bites`
              in: storage.retention
              advice: did you mean `bytes`?
            pframe.yaml:10:1: error[PF109]: unknown key `state_dir`
              advice: it belongs under `storage`
            pframe.yaml:12:3: error[PF109]: `audio transcription`: a name has only letters, digits and `.` `_` `-` `:` `@`
              in: job_types
            pframe.yaml:12:66: error[PF109]: expected a duration, found `10MB`
              in: job_types.audio transcription.chunk_size
              advice: write a duration from 1 ms to 365 days, for example `10min`
            pframe.yaml:13:8: error[PF109]: `chunk_strategy` is missing
              in: job_types.a_b
              advice: write for example `chunk_strategy: size_based`
            pframe.yaml:14:3: error[PF109]: the job type `a-b` stands here twice
              in: job_types
              advice: `-` and `_` are equal in task names; the first is in line 13
            pframe.yaml:14:44: error[PF109]: `chunk_size` means nothing with this `chunk_strategy`
              in: job_types.a-b
              advice: delete it, or choose another strategy
            pframe.yaml:14:58: error[PF109]: `x`: a sha256 has 64 hex digits
              in: job_types.a-b.sha256
            pframe.yaml:14:73: error[PF109]: expected parameters (a mapping), found a list
              in: job_types.a-b.parameters
            pframe.yaml:16:3: error[PF109]: tenant `acme` is granted `dir: x`, which is not configured
              in: tenants
              advice: add `directories: { x: { path: … } }`
            pframe.yaml:16:19: error[PF109]: `0` is out of range
              in: tenants.acme.weight
              advice: write a whole number from 1 to 1000
            pframe.yaml:16:34: error[PF109]: `-1` is out of range
              in: tenants.acme.max_queued
              advice: write a whole number from 1 to 4294967295
            pframe.yaml:16:46: error[PF109]: expected a size, found `lots`
              in: tenants.acme.memory
              advice: write a size from 64 KiB to 64 TiB, for example `256MiB`
            pframe.yaml:17:3: error[PF109]: `a b`: a name has only letters, digits and `.` `_` `-` `:` `@`
              in: tenants
            pframe.yaml:17:10: error[PF109]: expected a tenant (a mapping), found a number `7`
              in: tenants.a b"#]],
    );
}

#[test]
fn a_quota_says_that_a_directory_may_be_written_to() {
    let config = load(
        "directories: { a: { path: /srv/a, quota: 10GiB }, b: { path: /srv/b, mode: write, quota: 1B } }\n\
         tenants: { acme: { grants: [ 'write: a', 'dir: a' ] } }",
    );
    let quotas = ["a", "b"].map(|name| config.directories[name].quota);
    assert_eq!(quotas, [Some(ByteSize::gib(10)), Some(ByteSize(1))]);
    let mut request = job("t");
    request.tenant = TenantName::new("acme").unwrap();
    request.grants = vec![Grant::Write("a".into())];
    let fault = config.resolve(&request).unwrap_err();
    expect!["PF101: `write: a` needs a private disk, where files lie until the attempt has ended well: add `limits: { disk: 64MiB }`"]
    .assert_eq(&format!("{}: {}", fault.code, fault.detail));
    request.limits.disk = Some(ByteSize::mib(1));
    assert_eq!(config.resolve(&request).unwrap().grants, request.grants);
    request.grants = vec![Grant::Write("b".into())];
    assert_eq!(config.resolve(&request).unwrap_err().code, Code::GrantRefused);
    check(
        "
directories:
  plain: { path: /srv/plain }
  endless: { path: /srv/endless, mode: write }
  torn: { path: /srv/torn, mode: read, quota: 1GiB }
  none: { path: /srv/none, quota: 0 }
  outer: { path: /srv/a, quota: 1GiB }
  inner: { path: /srv/a/b, quota: 1GiB }
  read: { path: /srv/a/c }
tenants: { acme: { grants: [ 'write: plain', 'write: oter', 'dir: inner', 'write: elsewhere' ] } }",
        &expect![[r#"
            pframe.yaml:4:12: error[PF109]: a directory that guests write to needs a quota
              in: directories.endless
              advice: add `quota: 10GiB`, or what all files in it may take
            pframe.yaml:5:47: error[PF109]: a directory that is only read has no quota
              in: directories.torn
              advice: delete the quota, or write `mode: write`
            pframe.yaml:6:35: error[PF109]: `0` is out of range
              in: directories.none.quota
              advice: write a size from 1 B to 1024 TiB
            pframe.yaml:8:3: error[PF109]: guests write to this directory and to `outer`, and one lies in the other
              in: directories
              advice: write to directories beside each other: each quota counts all below its own
            pframe.yaml:10:10: error[PF109]: tenant `acme` is granted `write: elsewhere`, which is not configured
              in: tenants
              advice: add `directories: { elsewhere: { path: …, quota: 10GiB } }`
            pframe.yaml:10:10: error[PF109]: tenant `acme` is granted `write: oter`, which is not configured
              in: tenants
              advice: did you mean `write: outer`?
            pframe.yaml:10:10: error[PF109]: tenant `acme` is granted `write: plain`, which has no quota
              in: tenants
              advice: add `quota: 10GiB` under `directories.plain`"#]],
    );
}

#[test]
fn a_job_file_in_the_place_of_the_configuration_is_recognised() {
    check(
        "version: 1\njobs: []",
        &expect![[r#"
        pframe.yaml:1:1: error[PF109]: unknown key `version`
          advice: a configuration has no version; is this a job file?
        pframe.yaml:2:1: error[PF109]: unknown key `jobs`
          advice: jobs stand in a job file, not in the configuration"#]],
    );
    check(
        "- a",
        &expect![
            "pframe.yaml:1:1: error[PF109]: expected a configuration (a mapping), found a list"
        ],
    );
    check(
        "a: [",
        &expect![[r#"
        pframe.yaml:1:4: error[PF109]: `[` is opened and never closed
          advice: close the bracket; the file may be cut short"#]],
    );
}

#[test]
fn a_tenant_that_is_not_listed_has_no_grants() {
    let config = load(
        "tenants: { acme: { weight: 2, max_queued: 10000, max_running: 50, memory: 8GiB, grants: [ 'env: LANG', clock ] } }",
    );
    let acme = config.tenant(&TenantName::new("acme").unwrap());
    assert_eq!((acme.weight, acme.queued_max, acme.running_max), (2, Some(10_000), Some(50)));
    assert_eq!(acme.memory_max, Some(ByteSize::gib(8)));
    assert_eq!(acme.grants, [Grant::Env("LANG".into()), Grant::Clock]);
    let other = config.tenant(&TenantName::default_tenant());
    assert_eq!((other.weight, other.queued_max, other.grants.len()), (1, None, 0));
}

#[test]
fn directories_have_names_and_paths_of_the_operator() {
    let config = load(
        "directories: { corpus: { path: /srv/corpus, mode: read } }\ntenants: { acme: { grants: [ 'dir: corpus' ] } }",
    );
    assert_eq!(config.directories["corpus"].path, "/srv/corpus");
    let mut request = job("t");
    request.tenant = TenantName::new("acme").unwrap();
    request.grants = vec![Grant::Directory("corpus".into())];
    assert_eq!(config.resolve(&request).unwrap().grants, request.grants);
    check(
        "
directories:
  ..: { path: /srv }
  corpus: { path: srv/corpus, mode: write, acces: x }
  results: { mode: append }
tenants: { acme: { grants: [ 'dir: corpsu' ] } }",
        &expect![[r#"
            pframe.yaml:3:3: error[PF109]: the name of a directory has letters, digits, `.`, `-` and `_`, and begins with one of the first two
              in: directories
            pframe.yaml:4:11: error[PF109]: a directory that guests write to needs a quota
              in: directories.corpus
              advice: add `quota: 10GiB`, or what all files in it may take
            pframe.yaml:4:19: error[PF109]: the path of a directory is absolute
              in: directories.corpus.path
              advice: begin it with `/`
            pframe.yaml:4:44: error[PF109]: unknown key `acces`
              in: directories.corpus
              advice: a directory has `path`, `mode`, `quota`
            pframe.yaml:5:12: error[PF109]: `path` is missing
              in: directories.results
              advice: say where it lies
            pframe.yaml:5:20: error[PF109]: `append` is not known here
              in: directories.results.mode
              advice: write one of `read`, `write`
            pframe.yaml:6:10: error[PF109]: tenant `acme` is granted `dir: corpsu`, which is not configured
              in: tenants
              advice: did you mean `dir: corpus`?"#]],
    );
}

#[test]
fn an_overlap_of_a_job_type_is_no_longer_than_a_chunk() {
    check(
        "job_types:\n  a: { chunk_strategy: content, chunk_size: 1KiB, overlap: 2KiB }\n  b: { chunk_strategy: none, overlap: 2KiB }\n  c: { chunk_strategy: time, overlap: 2KiB }\n  d: { overlap: 2KiB }\n",
        &expect![[r#"
            pframe.yaml:2:60: error[PF109]: `2KiB` is out of range
              in: job_types.a.overlap
              advice: write a size from 0 B to 1 KiB
            pframe.yaml:3:39: error[PF109]: `overlap` means nothing with this `chunk_strategy`
              in: job_types.b
              advice: delete it, or choose another strategy
            pframe.yaml:4:39: error[PF109]: expected a duration, found `2KiB`
              in: job_types.c.overlap
              advice: write a duration from 0 s to 10m, for example `10min`
            pframe.yaml:5:6: error[PF109]: `chunk_strategy` is missing
              in: job_types.d
              advice: write for example `chunk_strategy: size_based`"#]],
    );
}

#[test]
fn a_knob_has_three_names_and_none_of_them_twice() {
    for names in [
        KNOBS.iter().map(|knob| knob.path).collect::<std::collections::BTreeSet<_>>(),
        KNOBS.iter().map(|knob| knob.variable).collect(),
        KNOBS.iter().map(|knob| knob.flag).collect(),
    ] {
        assert_eq!(names.len(), KNOBS.len());
    }
    for knob in KNOBS {
        assert!(knob.variable.starts_with("PFRAME_") && knob.flag.starts_with("--"), "{knob:?}");
    }
}

#[test]
fn a_configuration_cut_short_at_any_byte_never_panics() {
    for length in 0..DESIGN.len() {
        let file = Some(("pframe.yaml", &DESIGN.as_bytes()[..length]));
        let _ = config::load(&Layers { file, ..Layers::default() });
    }
}
