//! A job of very many chunks. One test in a binary of its own, because it measures the whole process.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use pframe_core::job::{Boundary, Chunking};
use pframe_core::units::ByteSize;
use pframe_tests::house::{House, config, files_job};
use pframe_tests::process::resident_bytes;
use serde_json::Value;

/// Bytes of a line, and so of what the chunks write all together: far more than may be held.
const LINE: usize = 16_000;

#[test]
fn results_of_many_chunks_are_collected_in_the_memory_of_a_few() {
    let count = if std::env::var("PFRAME_SLOW").is_ok() { 100_000 } else { 6000 };
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("lines.txt");
    let words: Vec<_> = (0..LINE / 8).map(|number| format!("w{number:06}")).collect();
    let line = words.join(" ") + "\n";
    std::fs::write(&path, line.repeat(count)).unwrap();
    let settings =
        format!("parallel_processing: {{ temp_storage: '{}' }}", folder.path().display());
    let house = House::with(|builder| builder.config(config(&settings)));
    let chunking = Chunking::Size { size: ByteSize(1), boundary: Boundary::Line };
    let mut job = files_job("word_count", [&path]);
    job.chunking = Some(chunking);
    // Warm: what the first job takes is not this one's.
    assert!(house.run(files_job("word_count", [&path])).result.is_ok());
    let before = resident_bytes();
    let is_over = AtomicBool::new(false);
    let most = std::thread::scope(|scope| {
        let watching = scope.spawn(|| {
            let mut most = 0_u64;
            while !is_over.load(Ordering::Relaxed) {
                most = most.max(resident_bytes());
                std::thread::sleep(Duration::from_millis(5));
            }
            most
        });
        let handle = house.engine.submit(job).unwrap();
        let result = handle.wait_blocking().and_then(|output| output.bytes());
        is_over.store(true, Ordering::Relaxed);
        let result: Value = serde_json::from_slice(&result.unwrap()).unwrap();
        assert_eq!(result["total_words"], (LINE / 8 * count) as u64);
        assert_eq!(result["distinct_words"], LINE / 8);
        watching.join().unwrap()
    });
    let grown = most.saturating_sub(before) >> 20;
    eprintln!("{count} chunks wrote some {} MiB, {grown} MiB were held", (count * LINE) >> 20);
    assert!(grown < 110, "{grown} MiB were held");
}
