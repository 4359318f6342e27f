//! Fuel is a deterministic budget: the same work costs the same, however often the clock ticked meanwhile.

use pframe_host::core::units::Fuel;
use pframe_host::{Engine, Job, JobHandle, JobInput};
use pframe_tests::guest;

fn engine() -> Engine {
    let engine = Engine::builder().workers(2).build().unwrap();
    for task in ["evil", "word_count"] {
        engine.register_task(&task.parse().unwrap(), &guest(task)).unwrap();
    }
    engine
}

fn fuel(handle: &JobHandle) -> Fuel {
    let _ = handle.wait_blocking();
    handle.report().unwrap().fuel
}

#[test]
fn the_same_work_costs_the_same_fuel_however_long_it_takes() {
    let engine = engine();
    // Long enough for some ticks of the epoch, and with enough words for memory to grow.
    let text: String = (0..400_000).map(|number| format!("word{} ", number % 50_000)).collect();
    let costs: Vec<Fuel> = (0..3)
        .map(|round| {
            let input = JobInput::Text(text.clone());
            let id = format!("round-{round}").parse().unwrap();
            let job = Job::new(id, "word_count".parse().unwrap(), input);
            fuel(&engine.submit(job).unwrap())
        })
        .collect();
    assert!(costs[0].0 > 10_000_000, "{costs:?}");
    assert!(costs.iter().all(|cost| *cost == costs[0]), "{costs:?}");
}

#[test]
fn each_call_into_the_host_is_charged() {
    let engine = engine();
    let lines = |count: u32| {
        let input = JobInput::Text(String::new());
        let id = format!("lines-{count}").parse().unwrap();
        let mut job = Job::new(id, "evil".parse().unwrap(), input);
        job.parameters = serde_json::json!({ "do": "stderr-lines", "n": count });
        job.retries_max = Some(0);
        fuel(&engine.submit(job).unwrap()).0
    };
    let (few, many) = (lines(10), lines(1010));
    assert!(many - few >= 1000 * 400, "1,000 more calls cost {} more", many - few);
}
