//! A large result that is left on a private disk. One test in a binary of its own, because it measures the whole process.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use pframe_core::units::ByteSize;
use pframe_tests::house::{House, job, with_parameters};
use pframe_tests::process::resident_bytes;
use pframe_tests::program::binary;
use serde_json::json;

/// In the slow run one of 2 GiB.
#[test]
fn a_large_result_that_is_left_is_never_in_memory() {
    let is_slow = std::env::var_os("PFRAME_SLOW").is_some();
    let bytes = if is_slow { ByteSize::gib(2) } else { ByteSize::mib(128) };
    let parameters = json!({ "do": "result", "bytes": bytes.bytes() });
    let mut job = with_parameters(job("disk", "abc"), parameters);
    job.limits.disk = Some(ByteSize(bytes.bytes() + ByteSize::mib(1).bytes()));
    job.limits.output = Some(bytes);
    job.limits.timeout = Some(Duration::from_secs(100));
    let house = House::with(|builder| builder.worker_program(binary()));
    let before = resident_bytes();
    let handle = house.engine.submit(job).unwrap();
    let is_over = AtomicBool::new(false);
    std::thread::scope(|scope| {
        let most = scope.spawn(|| {
            let mut most = 0;
            while !is_over.load(Ordering::Relaxed) {
                most = most.max(resident_bytes());
                std::thread::sleep(Duration::from_millis(5));
            }
            most
        });
        let result = handle.wait_blocking();
        is_over.store(true, Ordering::Relaxed);
        assert_eq!(result.unwrap().size(), bytes);
        let grown = most.join().unwrap().saturating_sub(before);
        assert!(grown < 48 << 20, "{grown} bytes for a result of {bytes}");
    });
}
