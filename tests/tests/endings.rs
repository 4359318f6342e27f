//! Every way for a guest to end, through the library's front door.

use pframe_host::core::fault::{Code, Fault};
use pframe_host::core::job::LimitsRequest;
use pframe_host::core::units::{ByteSize, Fuel};
use pframe_host::{Engine, Job, JobInput};
use pframe_tests::guest;
use std::time::{Duration, Instant};

fn engine() -> Engine {
    let engine = Engine::builder().workers(2).build().unwrap();
    for name in ["evil", "word_count", "command"] {
        engine.register_task(&name.parse().unwrap(), &guest(name)).unwrap();
    }
    engine
}

fn evil(what: &str) -> Job {
    let mut job = Job::new("job".parse().unwrap(), "evil".parse().unwrap(), JobInput::Text("abc".into()));
    job.parameters = serde_json::json!({ "do": what, "n": 3 });
    job.retries_max = Some(0);
    job.limits = LimitsRequest { timeout: Some(Duration::from_secs(5)), ..LimitsRequest::default() };
    job
}

fn end(job: Job) -> Result<Vec<u8>, Fault> {
    let result = engine().submit(job)?.wait_blocking();
    result.and_then(|output| output.bytes())
}

#[test]
fn a_handler_that_returns_has_its_output() {
    assert_eq!(end(evil("echo")).unwrap(), b"abc");
}

#[test]
fn fuel_runs_out() {
    let mut job = evil("spin");
    job.limits.fuel = Some(Fuel(50_000_000));
    let fault = end(job).unwrap_err();
    assert_eq!(fault.code, Code::Fuel, "{fault}");
}

#[test]
fn the_deadline_holds_for_a_spinning_guest() {
    let mut job = evil("spin");
    job.limits.timeout = Some(Duration::from_millis(200));
    let started = Instant::now();
    let fault = end(job).unwrap_err();
    assert_eq!(fault.code, Code::Deadline, "{fault}");
    assert!(started.elapsed() < Duration::from_secs(3));
}

#[test]
fn memory_is_bounded() {
    let mut job = evil("alloc");
    job.limits.memory = Some(ByteSize::mib(32));
    let fault = end(job).unwrap_err();
    assert_eq!(fault.code, Code::Memory, "{fault}");
}

#[test]
fn every_other_ending_has_its_code() {
    for (what, code) in [
        ("recurse", Code::StackOverflow),
        ("panic", Code::Trap),
        ("exit0", Code::NoResult),
        ("exit1", Code::NoResult),
        ("invalid", Code::Invalid),
        ("transient", Code::Transient),
        ("permanent", Code::Permanent),
    ] {
        let fault = end(evil(what)).unwrap_err();
        assert_eq!(fault.code, code, "{what}: {fault}\n{:?}", fault);
    }
}
