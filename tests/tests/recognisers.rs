//! How many recogniser processes there are, counted: a test program of its own, in which nobody else has any.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use pframe_host::JobHandle;
use pframe_tests::house::wait;
use pframe_tests::process::{children_of, file_descriptors};
use pframe_tests::speech::{
    Talk, counting, house, house_of, models, texts, transcription, wait_until, words_of,
};
use serde_json::json;

/// One test at a time: they count what the whole program has.
fn alone() -> MutexGuard<'static, ()> {
    static ALONE: Mutex<()> = Mutex::new(());
    ALONE.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Processes of this test program in the role of recognisers.
fn recognisers() -> usize {
    let own = i32::try_from(std::process::id()).unwrap();
    children_of(own, "recognise").len()
}

/// Sixteen guests, two seats: as many processes as seats, and every word of every guest.
#[test]
fn many_guests_share_the_recognisers() {
    let _alone = alone();
    let models = models(100);
    let house = house(models.path(), |builder| builder);
    let spoken = counting(30);
    let talk = Talk::new(&spoken, 20_000);
    let jobs: Vec<JobHandle> = (0..16)
        .map(|_| {
            house
                .engine
                .submit(transcription(&talk, 60, json!({ "model_size": "script" })))
                .unwrap()
        })
        .collect();
    let mut most = 0;
    for handle in &jobs {
        most = most.max(recognisers());
        let text = String::from_utf8(wait(handle).unwrap()).unwrap();
        assert_eq!(words_of(&text), texts(&spoken));
    }
    assert!((1..=2).contains(&most), "{most} recogniser processes for two seats");
}

/// Two hundred calls, each cancelled at another moment: no process, no seat and no file is left behind.
#[test]
fn a_storm_of_cancelled_calls_leaves_nothing_behind() {
    let _alone = alone();
    let models = models(300);
    let house = house_of(models.path(), "", |builder| builder.workers(4).attempts(8));
    let talk = Talk::new(&counting(40), 30_000);
    let job = || transcription(&talk, 3600, json!({ "model_size": "slow" }));
    assert!(house.run(job()).result.is_ok(), "both seats have been taken once");
    let files = file_descriptors();
    for round in 0..200_u64 {
        let handle = house.engine.submit(job()).unwrap();
        std::thread::sleep(Duration::from_millis(round * 7 % 60));
        handle.cancel();
        let _ = wait(&handle);
    }
    wait_until("every process but those that wait is gone", || recognisers() <= 2);
    let started = Instant::now();
    let end = house.run(job());
    assert_eq!(words_of(&end.text()), texts(&counting(40)), "the seats are free");
    assert!(started.elapsed() < Duration::from_secs(25), "{:?}", started.elapsed());
    let left = file_descriptors();
    assert!(left <= files + 8, "{files} descriptors before, {left} after");
}
