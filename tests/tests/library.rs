//! The library's handles: what a program sees of its jobs while they run.

use std::sync::Mutex;
use std::time::Duration;

use pframe_host::core::event::Event;
use pframe_host::{Engine, Job, JobInput};
use pframe_tests::guest;

fn engine() -> Engine {
    let engine = Engine::builder().workers(2).build().unwrap();
    engine.register_task(&"evil".parse().unwrap(), &guest("evil")).unwrap();
    engine
}

fn sleeper(id: &str) -> Job {
    let input = JobInput::Text("abc".into());
    let mut job = Job::new(id.parse().unwrap(), "evil".parse().unwrap(), input);
    job.parameters = serde_json::json!({ "do": "sleep-ms", "n": 100 });
    job
}

#[test]
fn the_events_of_a_job_end_with_its_end() {
    let engine = engine();
    let handle = engine.submit(sleeper("watched")).unwrap();
    let other = engine.submit(sleeper("other")).unwrap();
    let seen: Vec<_> = handle.events().map(|record| record.event).collect();
    assert!(seen.iter().all(|event| event.job() == handle.id()), "{seen:?}");
    assert!(matches!(seen.last(), Some(Event::JobCompleted { .. })), "{seen:?}");
    other.wait_blocking().unwrap();
    assert_eq!(handle.events().count(), 0, "an ended job has no more events");
}

#[test]
fn a_batch_tells_how_far_it_is_until_all_have_ended() {
    let engine = engine();
    let jobs = (0..4).map(|index| sleeper(&format!("job-{index}"))).collect();
    let batch = engine.submit_batch(jobs).unwrap();
    let shares = Mutex::new(Vec::new());
    batch.monitor_progress(Duration::from_millis(5), |share| shares.lock().unwrap().push(share));
    let shares = shares.into_inner().unwrap();
    assert!(shares.is_sorted(), "{shares:?}");
    assert!((shares.last().unwrap() - 1.0).abs() < f64::EPSILON, "{shares:?}");
    assert!(batch.jobs.iter().all(|job| (job.progress() - 1.0).abs() < f32::EPSILON));
}
