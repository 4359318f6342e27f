//! What holds for a job under a configuration: who may say what, and whose word counts.

#[path = "config/loading.rs"]
mod loading;

use std::time::Duration;

use expect_test::expect;
use pframe_core::config::{self, Layers};
use pframe_core::fault::Code;
use pframe_core::ids::TenantName;
use pframe_core::job::{Boundary, Caching, Chunking, Grant, JobRequest, Overlap};
use pframe_core::units::{ByteSize, CpuCores};

use loading::{DESIGN, job, load, shown};

#[test]
fn a_job_that_states_nothing_gets_job_type_then_configuration_then_defaults() {
    let config = load(&format!("{DESIGN}    timeout: 2min\n    parameters: {{ a: 1, b: 2 }}\n"));
    let mut request = job("video-processing");
    request.parameters = serde_json::json!({"b": 3});
    let resolved = config.resolve(&request).unwrap();
    assert_eq!(resolved.limits.timeout, Duration::from_mins(2));
    assert_eq!(resolved.limits.memory, ByteSize::mib(256));
    assert_eq!(resolved.requirements.cpu, CpuCores::whole(2));
    assert_eq!(resolved.requirements.memory, Some(ByteSize(4_000_000_000)));
    assert_eq!(resolved.parameters, serde_json::json!({"a": 1, "b": 3}));
    assert!(matches!(resolved.chunking, Chunking::Size { .. }));
    let unknown = config.resolve(&job("unheard-of")).unwrap();
    assert_eq!(unknown.chunking, Chunking::None);
    assert_eq!(unknown.limits.timeout, Duration::from_hours(1));
    assert_eq!(unknown.requirements.memory, Some(ByteSize(4_000_000_000)));
    let bare = config::load(&Layers::default()).unwrap().resolve(&job("t")).unwrap();
    assert_eq!((bare.requirements.memory, bare.retry.retries_max), (None, 3));
}

#[test]
fn what_a_job_states_wins() {
    let config = load(DESIGN);
    let mut request = job("audio_transcription");
    request.chunking = Some(Chunking::None);
    request.retries_max = Some(0);
    request.limits.memory = Some(ByteSize::mib(64));
    request.limits.timeout = Some(Duration::from_secs(7));
    request.requirements.cpu = Some(CpuCores(500));
    let resolved = config.resolve(&request).unwrap();
    assert_eq!(resolved.chunking, Chunking::None);
    assert_eq!(resolved.retry.retries_max, 0);
    assert_eq!(resolved.limits.memory, ByteSize::mib(64));
    assert_eq!(resolved.limits.timeout, Duration::from_secs(7));
    assert_eq!(resolved.requirements.cpu, CpuCores(500));
    assert_eq!(resolved.requirements.gpu_memory, ByteSize(1_000_000_000));
}

#[test]
fn an_overlap_of_a_job_type_holds_with_its_own_chunks_alone() {
    let config = load(
        "job_types:\n  size: { chunk_strategy: size_based, chunk_size: 1MiB, overlap: 4KiB }\n  time: { chunk_strategy: time, chunk_size: 60s, overlap: 2s }\n  plain: { chunk_strategy: content }\n",
    );
    let overlap = |request: &JobRequest| config.resolve(request).unwrap().overlap;
    assert_eq!(overlap(&job("size")), Some(Overlap::Bytes(ByteSize::kib(4))));
    assert_eq!(overlap(&job("time")), Some(Overlap::Time(Duration::from_secs(2))));
    assert_eq!(overlap(&job("plain")), None);
    let chunking = Some(Chunking::Size { size: ByteSize::kib(1), boundary: Boundary::Line });
    assert_eq!(overlap(&JobRequest { chunking, ..job("size") }), None);
    let shown = shown(&config);
    assert!(shown.contains("job_types.size.overlap = 4KiB  # pframe.yaml:2"), "{shown}");
}

#[test]
fn results_are_taken_again_only_where_job_or_job_type_say_so() {
    let config = load("job_types: { kept: { cache: true }, other: { cache: false } }");
    let check = |task: &str, stated: Option<bool>, expect: Caching| {
        let request = JobRequest { cache: stated, ..job(task) };
        assert_eq!(config.resolve(&request).unwrap().cache, expect, "{task}, {stated:?}");
    };
    check("unheard-of", None, Caching::Off);
    check("unheard-of", Some(true), Caching::Use);
    check("kept", None, Caching::Use);
    check("kept", Some(false), Caching::Off);
    check("other", None, Caching::Off);
}

/// Whoever puts files somewhere does so each time.
#[test]
fn what_puts_files_into_a_directory_is_not_taken_from_a_cache() {
    let config = load(
        "directories: { out: { path: /srv/out, quota: 1GiB } }\ntenants: { default: { grants: [ 'write: out' ] } }",
    );
    let mut request = JobRequest { cache: Some(true), ..job("t") };
    request.grants = vec![Grant::Write("out".into())];
    request.limits.disk = Some(ByteSize::mib(1));
    let fault = config.resolve(&request).unwrap_err();
    expect!["the job file is not valid: `cache: true` and `write: out`: what is taken from the cache puts no files anywhere; delete one of them"].assert_eq(&fault.to_string());
    request.cache = None;
    assert_eq!(config.resolve(&request).unwrap().cache, Caching::Off);
}

#[test]
fn limits_above_the_ceiling_are_refused_with_both_named() {
    let config = load(DESIGN);
    let mut request = job("t");
    request.limits.memory = Some(ByteSize::gib(4));
    let fault = config.resolve(&request).unwrap_err();
    expect!["the job asks for more than it can have here: `limits.memory` is 4 GiB, and `memory_per_job` (pframe.yaml:7) allows 4 GB for one attempt"].assert_eq(&fault.to_string());
    let mut request = job("t");
    request.requirements.memory = Some(ByteSize::gib(5));
    assert_eq!(config.resolve(&request).unwrap_err().code, Code::TooBig);
    let small = load("parallel_processing: { resource_limits: { memory_per_job: 128MiB } }");
    assert_eq!(small.resolve(&job("t")).unwrap().limits.memory, ByteSize::mib(128));
}

#[test]
fn a_grant_needs_the_job_to_ask_and_the_operator_to_allow() {
    let config = load("tenants: { acme: { grants: [ 'env: LANG', clock ] } }");
    let mut request = job("t");
    request.grants = vec![Grant::Clock, Grant::Env("LANG".into()), Grant::Clock];
    let fault = config.resolve(&request).unwrap_err();
    assert_eq!(fault.code, Code::GrantRefused);
    request.tenant = TenantName::new("acme").unwrap();
    assert_eq!(config.resolve(&request).unwrap().grants, [Grant::Env("LANG".into()), Grant::Clock]);
    request.grants.extend([Grant::Random, Grant::Env("HOME".into())]);
    expect!["the job asks for a capability that the operator does not allow: tenant `acme` is not allowed `random`, `env: HOME`"].assert_eq(&config.resolve(&request).unwrap_err().to_string());
    request.grants.clear();
    assert_eq!(config.resolve(&request).unwrap().grants, []);
}

#[test]
fn a_store_is_given_to_whom_it_was_granted_by_its_very_name() {
    let config = load("tenants: { acme: { grants: [ keyvalue: cache ] } }");
    let asks = |tenant: &str, store: &str| {
        let mut request = job("t");
        request.tenant = TenantName::new(tenant).unwrap();
        request.grants = vec![Grant::KeyValue(store.into())];
        config.resolve(&request).map(|resolved| resolved.grants == request.grants)
    };
    assert!(asks("acme", "cache").unwrap());
    assert!(asks("acme", "cach").is_err() && asks("other", "cache").is_err());
}
