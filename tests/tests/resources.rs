//! What runs beside what, in which order, how often, and how much of the machine that takes.

use std::fs::File;
use std::sync::Arc;
use std::time::Duration;

use pframe_core::event::Event;
use pframe_core::fault::Code;
use pframe_core::job::{Boundary, Chunking};
use pframe_core::policy::{OnFailure, Tolerance};
use pframe_core::state::JobState;
use pframe_core::units::{ByteSize, CpuCores};
use pframe_host::{Job, JobHandle};
use pframe_tests::house::{House, config, evil, evil_n, job, wait, with_parameters};
use pframe_tests::process::peak_resident_bytes;
use pframe_tests::program::Place;
use serde_json::json;

fn of(tenant: &str, job: Job) -> Job {
    Job { tenant: tenant.parse().unwrap(), ..job }
}

/// A house with one slot, which is taken until [`Blocked::open`].
struct Blocked {
    house: House,
    blocker: JobHandle,
}

impl Blocked {
    fn with(settings: &str) -> Self {
        let house = House::with(|it| it.workers(1).attempts(1).config(config(settings)));
        let blocker = house.engine.submit(evil("sleep")).unwrap();
        house.diary.wait_for_start(blocker.id());
        Self { house, blocker }
    }

    /// Lets the jobs run that were submitted meanwhile, and returns the order in which they did.
    fn open(self, jobs: &[JobHandle]) -> Vec<String> {
        self.blocker.cancel();
        for job in jobs {
            wait(job).unwrap();
            self.house.diary.wait_for_end(job.id());
        }
        self.house.diary.order_of_successes()
    }
}

fn most_at_once(settings: &str, change: impl Fn(&mut Job)) -> usize {
    let house = House::with(|builder| builder.config(config(settings)));
    let jobs = (0..8).map(|_| {
        let mut job = evil_n("sleep-ms", 50);
        change(&mut job);
        job
    });
    let batch = house.engine.submit_batch(jobs.collect()).unwrap();
    assert!(batch.wait_blocking().iter().all(Result::is_ok));
    let ours: Vec<_> = batch.jobs.iter().map(|job| job.id().clone()).collect();
    ours.iter().for_each(|job| house.diary.wait_for_end(job));
    house.diary.most_at_once(|job| ours.contains(job))
}

#[test]
fn jobs_that_need_both_cores_run_one_at_a_time() {
    assert_eq!(most_at_once("", |job| job.requirements.cpu = Some(CpuCores::whole(2))), 1);
    assert_eq!(most_at_once("", |job| job.requirements.cpu = Some(CpuCores::ONE)), 2);
    assert_eq!(most_at_once("", |job| job.requirements.cpu = Some(CpuCores(500))), 4);
}

#[test]
fn memory_is_reserved_and_never_promised_twice() {
    let settings = "parallel_processing: { memory_limit: 1GiB }";
    let need = |mib| {
        move |job: &mut Job| {
            job.requirements.cpu = Some(CpuCores(250));
            job.requirements.memory = Some(ByteSize::mib(mib));
        }
    };
    assert_eq!(most_at_once(settings, need(600)), 1);
    assert_eq!(most_at_once(settings, need(400)), 2);
}

#[test]
fn a_tenant_runs_no_more_at_once_than_its_quota() {
    let settings = "tenants: { acme: { max_running: 1 } }";
    assert_eq!(most_at_once(settings, |job| job.tenant = "acme".parse().unwrap()), 1);
}

#[test]
fn a_tenant_queues_no_more_than_its_quota() {
    let blocked = Blocked::with("tenants: { acme: { max_queued: 3 } }");
    let submit = |_| blocked.house.engine.submit(of("acme", evil("ok"))).unwrap();
    let jobs: Vec<_> = (0..4).map(submit).collect();
    let refused = wait(&jobs[3]).unwrap_err();
    assert_eq!(refused.code, Code::QuotaExceeded, "{refused}");
    let other = blocked.house.engine.submit(evil("ok")).unwrap();
    let mut accepted = jobs[..3].to_vec();
    accepted.push(other);
    assert_eq!(blocked.open(&accepted).len(), 4);
}

#[test]
fn s13_a_tenant_that_comes_late_gets_its_share_at_once() {
    let blocked = Blocked::with("tenants: { first: { weight: 1 }, late: { weight: 1 } }");
    let submit = |tenant: &'static str, priority| {
        let engine = &blocked.house.engine;
        move |_: i32| {
            let job = Job { priority, ..of(tenant, evil_n("sleep-ms", 5)) };
            (tenant, engine.submit(job).unwrap())
        }
    };
    let mut jobs: Vec<_> = (0..40).map(submit("first", 1000)).collect();
    jobs.extend((0..20).map(submit("late", 0)));
    let tenant_of = |id: &str| jobs.iter().find(|job| job.1.id().as_str() == id).unwrap().0;
    let handles: Vec<_> = jobs.iter().map(|job| job.1.clone()).collect();
    let order = blocked.open(&handles);
    let late = order[..20].iter().filter(|id| tenant_of(id) == "late").count();
    assert!((7..=13).contains(&late), "{late} of the first 20 are of the tenant that came late");
}

#[test]
fn a_tenant_of_twice_the_weight_gets_twice_the_share() {
    let blocked = Blocked::with("tenants: { heavy: { weight: 2 }, light: { weight: 1 } }");
    let engine = &blocked.house.engine;
    let submit =
        |tenant: &'static str| (tenant, engine.submit(of(tenant, evil_n("sleep-ms", 5))).unwrap());
    let jobs: Vec<_> = (0..40).flat_map(|_| [submit("light"), submit("heavy")]).collect();
    let tenant_of = |id: &str| jobs.iter().find(|job| job.1.id().as_str() == id).unwrap().0;
    let handles: Vec<_> = jobs.iter().map(|job| job.1.clone()).collect();
    let order = blocked.open(&handles);
    let heavy = order[..30].iter().filter(|id| tenant_of(id) == "heavy").count();
    assert!((16..=24).contains(&heavy), "{heavy} of the first 30 are of the heavy tenant");
}

#[test]
fn higher_priority_goes_first_within_a_tenant() {
    let blocked = Blocked::with("");
    let jobs: Vec<_> = [0, 100, -100, 1000, 50]
        .into_iter()
        .map(|priority| blocked.house.engine.submit(Job { priority, ..evil("ok") }).unwrap())
        .collect();
    let expect = [3, 1, 4, 0, 2].map(|index: usize| jobs[index].id().to_string());
    assert_eq!(blocked.open(&jobs), expect);
}

fn with_short_delays() -> House {
    let settings = "parallel_processing: { retry_policy: { base_delay: 0.01 } }";
    House::with(|builder| builder.config(config(settings)))
}

#[test]
fn a_transient_failure_is_tried_again_as_often_as_asked() {
    let house = with_short_delays();
    let run = |retries| {
        let job = Job { retries_max: Some(retries), ..evil_n("transient-until", 3) };
        let end = house.run(job);
        (end.report.attempts, end.report.retries, end.result.map_err(|fault| fault.code))
    };
    assert_eq!(run(0), (1, 0, Err(Code::Transient)));
    assert_eq!(run(1), (2, 1, Err(Code::Transient)));
    assert_eq!(run(2), (3, 2, Ok(b"3\n".to_vec())));
    assert_eq!(run(9), (3, 2, Ok(b"3\n".to_vec())));
}

#[test]
fn what_is_not_transient_is_not_tried_again() {
    let house = with_short_delays();
    for deed in ["invalid", "permanent", "panic", "exit1", "recurse"] {
        let end = house.run(Job { retries_max: Some(9), ..evil(deed) });
        assert_eq!(end.report.attempts, 1, "{deed}");
    }
}

/// Ten lines, one chunk each; two of them are not JSON.
fn two_bad_of_ten(on_failure: OnFailure) -> Job {
    let text: String = (0..10)
        .map(
            |number| {
                if number % 5 == 3 { "{x:1}\n".into() } else { format!("{{\"a\":{number}}}\n") }
            },
        )
        .collect();
    let chunking = Chunking::Size { size: ByteSize(1), boundary: Boundary::Line };
    Job { chunking: Some(chunking), on_failure, ..job("json_stats", &text) }
}

#[test]
fn a_job_stops_at_a_failed_chunk_or_goes_on_within_its_tolerance() {
    let house = with_short_delays();
    let end = |on_failure| {
        let end = house.run(two_bad_of_ten(on_failure));
        (end.report.state(), end.report.chunks, end.report.chunks_done)
    };
    let (state, chunks, done) = end(OnFailure::Stop);
    assert_eq!((state, chunks), (JobState::Failed, 10));
    assert!(done < 10);
    for tolerance in [Tolerance::All, Tolerance::Chunks(2), Tolerance::Share(2000)] {
        assert_eq!(end(OnFailure::Continue(tolerance)), (JobState::Completed, 10, 8));
    }
    for tolerance in [Tolerance::Chunks(1), Tolerance::Share(1999), Tolerance::Chunks(0)] {
        assert_eq!(end(OnFailure::Continue(tolerance)).0, JobState::Failed, "{tolerance:?}");
    }
}

#[test]
fn the_result_of_a_tolerant_job_is_that_of_the_chunks_that_succeeded() {
    let house = with_short_delays();
    let end = house.run(two_bad_of_ten(OnFailure::Continue(Tolerance::All)));
    let mut faults: Vec<_> =
        end.report.step_faults.iter().map(|it| it.attempt.to_string()).collect();
    faults.sort();
    let id = end.report.spec.id.clone();
    assert_eq!(faults, [format!("{id}/3#1"), format!("{id}/8#1")]);
    assert!(end.text().starts_with(r#"{"lines":8,"blank_lines":0,"invalid_lines":0,"#));
}

#[test]
fn a_job_ends_at_its_own_deadline() {
    let house = with_short_delays();
    let chunking = Chunking::Size { size: ByteSize(1), boundary: Boundary::Byte };
    let job = Job {
        deadline: Some(Duration::from_millis(300)),
        chunking: Some(chunking),
        ..with_parameters(job("evil", &"x".repeat(100)), json!({ "do": "sleep-ms", "n": 100 }))
    };
    let end = house.run(job);
    assert!(end.took < Duration::from_secs(2), "{:?}", end.took);
    assert!(end.report.chunks_done > 0 && end.report.chunks_done < 100);
    assert_eq!(end.fault().code, Code::DeadlineOfJob);
}

#[test]
fn a_job_that_waits_past_its_deadline_never_starts() {
    let blocked = Blocked::with("");
    let job = Job { deadline: Some(Duration::from_millis(50)), ..evil("ok") };
    let handle = blocked.house.engine.submit(job).unwrap();
    assert_eq!(wait(&handle).unwrap_err().code, Code::DeadlineOfJob);
    assert_eq!(handle.report().unwrap().attempts, 0);
    blocked.blocker.cancel();
}

#[test]
fn what_waits_can_be_explained() {
    let blocked = Blocked::with("");
    let handle = blocked.house.engine.submit(evil("ok")).unwrap();
    let id = handle.id().clone();
    blocked.house.diary.wait_for(
        "acceptance",
        |event| matches!(event, Event::JobAccepted { job } if job.id == id),
    );
    let said = blocked.house.engine.explain(&id).unwrap();
    let holder = blocked.blocker.id().to_string();
    assert!(said.contains("needs") && said.contains(&holder), "{said}");
    blocked.open(&[handle]);
}

#[test]
fn many_jobs_that_wait_hold_no_threads() {
    let house = Arc::new(House::with(|builder| builder.attempts(64)));
    let before = pframe_tests::process::threads();
    let jobs: Vec<_> = (0..64)
        .map(|_| {
            let mut job = evil("sleep");
            job.requirements.cpu = Some(CpuCores(10));
            job.requirements.memory = Some(ByteSize::mib(1));
            house.engine.submit(job).unwrap()
        })
        .collect();
    jobs.iter().for_each(|job| house.diary.wait_for_start(job.id()));
    let more = pframe_tests::process::threads().saturating_sub(before);
    assert!(more < 32, "{more} more threads for 64 sleepers");
    jobs.iter().for_each(JobHandle::cancel);
    for job in &jobs {
        assert_eq!(wait(job).unwrap_err().code, Code::Cancelled);
    }
}

#[test]
fn a_file_of_4_gib_costs_the_host_no_memory() {
    const GROWTH_MAX: u64 = 200 << 20;
    let place = Place::new();
    place.bring(["tiny", "evil"]);
    File::create(place.path("huge.bin")).unwrap().set_len(4 << 30).unwrap();
    File::create(place.path("large.bin")).unwrap().set_len(256 << 20).unwrap();
    place.write(
        "jobs.yaml",
        "
version: 1
tasks:
  tiny: { component: tiny.wasm }
  evil: { component: evil.wasm }
jobs:
  - id: huge
    task_type: evil
    input_data: { files: [huge.bin] }
    chunking: { strategy: size, size: 64MiB, boundary: byte }
    output: { path: huge }
  - id: large
    task_type: tiny
    input_data: { files: [large.bin] }
    output: { path: large }
  - id: waits
    task_type: evil
    input_data: { text: '' }
    parameters: { do: sleep }
",
    );
    let mut program = place.start(&["run", "jobs.yaml"]);
    for _ in 0..2 {
        program.wait_for("a result", |event| event["event"] == "result-published");
    }
    let peak = peak_resident_bytes(program.id()).expect("the other job keeps it alive");
    program.kill();
    assert_eq!(place.read("huge").unwrap(), b"");
    assert_eq!(place.read("large").unwrap(), b"268435456");
    assert!(peak < GROWTH_MAX, "{peak} bytes");
}
