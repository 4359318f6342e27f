//! Memory that guests touch, all together. One test in a binary of its own, because it measures the whole process.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use pframe_core::fault::Code;
use pframe_core::units::{ByteSize, CpuCores};
use pframe_tests::house::{House, config, evil, with_timeout};
use pframe_tests::process::resident_bytes;

/// Fifty attempts that each take all the memory of their limit: they get it one after the other.
#[test]
fn m07_memory_is_touched_by_no_more_attempts_than_there_is_room_for() {
    let house = House::with(|builder| {
        builder.attempts(50).config(config("parallel_processing: { memory_limit: 600MiB }"))
    });
    let jobs = (0..50).map(|_| {
        let mut job = with_timeout(evil("alloc"), Duration::from_secs(20));
        job.requirements.cpu = Some(CpuCores(10));
        job.limits.memory = Some(ByteSize::mib(128));
        job
    });
    let before = resident_bytes();
    let batch = house.engine.submit_batch(jobs.collect()).unwrap();
    let is_over = AtomicBool::new(false);
    let most = std::thread::scope(|scope| {
        let watching = scope.spawn(|| {
            let mut most = 0_u64;
            while !is_over.load(Ordering::Relaxed) {
                most = most.max(resident_bytes());
                std::thread::sleep(Duration::from_millis(2));
            }
            most
        });
        let codes: Vec<_> =
            batch.wait_blocking().into_iter().map(|end| end.map_err(|it| it.code)).collect();
        is_over.store(true, Ordering::Relaxed);
        assert!(codes.iter().all(|end| matches!(end, Err(Code::Memory))), "{codes:?}");
        watching.join().unwrap()
    });
    let grown = most.saturating_sub(before);
    assert!(grown > 100 << 20, "they took {grown} bytes");
    assert!(grown < 700 << 20, "they took {grown} bytes at once");
}
