//! Private disks (`limits.disk`), by the ids of the list of attacks: what a guest does there stays there, has a size,
//! and is gone when the attempt is.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use expect_test::{Expect, expect};
use pframe_core::fault::Code;
use pframe_core::units::{ByteSize, Fuel};
use pframe_host::Job;
use pframe_tests::house::{House, in_processes, job, with_parameters};
use pframe_tests::program::binary;
use serde_json::json;

/// The size of each disk here.
const SIZE: ByteSize = ByteSize::mib(8);

fn house() -> House {
    House::with(|builder| builder.worker_program(binary()))
}

fn disk(deed: &str) -> Job {
    let mut job = with_parameters(job("disk", "abc"), json!({ "do": deed }));
    job.limits.disk = Some(SIZE);
    job
}

#[track_caller]
fn check(deed: &str, expect: &Expect) {
    expect.assert_eq(&house().run(disk(deed)).text());
}

#[test]
fn a_disk_is_there_where_the_job_asked_for_one_and_works_like_any() {
    let house = house();
    assert_eq!(house.run(disk("preopens")).text(), "/scratch\n");
    assert_eq!(house.run(disk("honest")).text(), "one\ntwo\n1 left\n");
    let mut without = disk("preopens");
    without.limits.disk = None;
    assert_eq!(house.run(without).text(), "");
}

/// Also: symbolic links to the outside (F03), a slash behind them (F04), and other attempts' disks (F21).
#[test]
fn f01_f02_f03_f04_f21_no_path_leads_outside() {
    let text = house().run(disk("paths")).text();
    let open: Vec<_> = text.lines().filter(|line| line.contains("OPEN")).collect();
    assert_eq!(open, [""; 0], "{text}");
    let links: Vec<_> = text.lines().take(5).collect();
    expect![[r#"
        link up: made
        link up2: made
        link crooked: made
        link absolute: not-permitted
        link process: not-permitted
    "#]]
    .assert_eq(&format!("{}\n", links.join("\n")));
    assert_eq!(text.lines().count(), 5 + (19 + 3 * 4) * 15, "every operation on every path");
}

#[test]
fn f06_links_in_circles_and_in_long_chains_end() {
    check(
        "links",
        &expect![[r#"
        circle: loop
        5 links: found
        50 links: loop
    "#]],
    );
}

#[test]
fn f11_times_that_no_clock_shows_are_set_or_refused() {
    check(
        "times",
        &expect![[r#"
        0.0: set, seen
        18446744073709551615.0: overflow, seen
        9223372036854775808.0: overflow, seen
        18446744073709551615.4294967295: overflow, seen
        0.4294967295: set, seen
        1099511627776.999999999: set, seen
    "#]],
    );
}

#[test]
fn f12_a_disk_that_is_full_says_so_and_has_room_again() {
    let text = house().run(disk("fill")).text();
    let (written, rest) = text.split_once(' ').unwrap();
    let written: u64 = written.parse().unwrap();
    assert!(written <= SIZE.bytes() && written > SIZE.bytes() / 2, "{written}");
    expect![[r#"
        bytes, then insufficient-space
        after that 10 bytes
    "#]]
    .assert_eq(rest);
}

#[test]
fn f12_a_handler_that_fails_on_a_full_disk_ran_out_of_disk() {
    let fault = house().run(disk("fill-and-fail")).fault();
    assert_eq!(fault.code, Code::Disk);
    expect!["limits.disk"].assert_eq(&fault.hit.clone().unwrap().limit);
    assert!(fault.guest_message.is_some(), "what it said stays with it: {fault:?}");
}

#[test]
fn f13_files_larger_than_every_disk_are_refused_or_hold_nothing() {
    let text = house().run(disk("sparse")).text();
    // In a worker no file may be longer than the disk; on a thread it may, and holes take no room.
    let (size, write) = match in_processes() {
        true => ("file-too-large", "file-too-large"),
        false => ("set", "written"),
    };
    assert_eq!(text.lines().next(), Some(&*format!("size 4611686018427387904: {size}")));
    assert!(text.contains(&format!("write at 4611686018427387904: {write}\n")), "{text}");
    assert!(text.contains("write at 18446744073709551615: invalid\n"), "{text}");
}

#[test]
fn f15_directories_inside_each_other_end_with_the_disk_and_leave_nothing() {
    let house = house();
    let text = house.run(disk("deep")).text();
    expect![[r#"
        2047 deep, then insufficient-space
    "#]]
    .assert_eq(&text);
    assert_eq!(house.run(disk("leave")).text(), "");
}

#[test]
fn f15_files_have_a_number() {
    check(
        "many",
        &expect![[r#"
        2047 files, then insufficient-space
    "#]],
    );
}

#[test]
fn f16_names_are_stored_as_they_are() {
    check(
        "names",
        &expect![[r#"
        256 bytes: name-too-long
        9 of 9 names
    "#]],
    );
}

#[test]
fn f17_open_files_are_handles_and_handles_have_a_limit() {
    let fault = house().run(disk("handles")).fault();
    assert_eq!(fault.code, Code::Handles, "{fault}");
    assert_eq!(fault.hit.unwrap().value, "256");
}

#[test]
fn f17_few_directories_are_listed_at_once() {
    let fault = house().run(disk("listings")).fault();
    assert_eq!(fault.code, Code::Handles, "{fault}");
    let hit = fault.hit.unwrap();
    assert_eq!((&*hit.limit, &*hit.value), ("directories listed at once", "8"));
}

#[test]
fn c14_what_files_cost_is_the_attempts_own_processor_time() {
    let mut job = disk("list-forever");
    job.limits.cpu = Some(Duration::from_millis(300));
    let end = house().run(job);
    assert!(end.took < Duration::from_secs(5), "{:?}", end.took);
    assert_eq!(end.fault().code, Code::Cpu);
}

/// While somebody on this machine renames things all the time, the kernel sends whoever goes up a path the long way round.
#[test]
fn f07_paths_are_found_in_a_storm_of_renames() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name);
    std::fs::write(path("a"), "").unwrap();
    let is_over = AtomicBool::new(false);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            while !is_over.load(Ordering::Relaxed) {
                let _ = std::fs::rename(path("a"), path("b"));
                let _ = std::fs::rename(path("b"), path("a"));
            }
        });
        let end = house().run(disk("up-and-down"));
        is_over.store(true, Ordering::Relaxed);
        assert_eq!(end.text(), "there and back\n");
    });
}

#[test]
fn f19_a_read_is_no_larger_than_the_file_whatever_was_asked() {
    check(
        "read-huge",
        &expect![[r#"
        5 bytes
        1001 entries
    "#]],
    );
}

#[test]
fn f22_s04_nothing_of_an_attempt_is_seen_by_the_next() {
    let house = house();
    for _ in 0..3 {
        assert_eq!(house.run(disk("leave")).text(), "");
    }
}

#[test]
fn a_disk_that_does_not_fit_into_the_machine_is_refused() {
    let mut job = disk("honest");
    job.limits.disk = Some(ByteSize::gib(1000));
    let fault = house().run(job).fault();
    assert_eq!(fault.code, Code::TooBig, "{fault}");
}

/// A disk with room for a result of so many bytes.
fn leaving(deed: &str, bytes: ByteSize) -> Job {
    let parameters = json!({ "do": deed, "bytes": bytes.bytes() });
    let mut job = with_parameters(job("disk", "abc"), parameters);
    job.limits.disk = Some(ByteSize(bytes.bytes() + ByteSize::mib(1).bytes()));
    job
}

/// Byte `at` of every result that is left.
fn byte(at: usize) -> u8 {
    u8::try_from((at & 0xf_ffff) % 251).unwrap()
}

#[test]
fn a_file_that_is_left_for_it_is_the_result() {
    let house = house();
    for bytes in [ByteSize::ZERO, ByteSize(1000), ByteSize::mib(3)] {
        let result = house.run(leaving("result", bytes)).result.unwrap();
        assert_eq!(result.len() as u64, bytes.bytes());
        assert!(result.iter().enumerate().all(|(at, &found)| found == byte(at)));
    }
    assert_eq!(house.run(leaving("result-twice", ByteSize(10))).text(), "written");
}

#[test]
fn a_command_leaves_its_result_like_any_handler() {
    let mut job = with_parameters(job("command", "a\nb\n"), json!({ "leave": true }));
    job.limits.disk = Some(SIZE);
    assert_eq!(house().run(job).text(), "2 lines\n");
}

#[test]
fn f25_a_result_that_is_left_keeps_the_limits_of_results() {
    let house = house();
    let mut too_large = leaving("result", ByteSize::mib(3));
    too_large.limits.output = Some(ByteSize::mib(1));
    let fault = house.run(too_large).fault();
    assert_eq!((fault.code, &*fault.hit.unwrap().value), (Code::Output, "1 MiB"));
    let written = house.run(leaving("result", ByteSize::mib(3))).report.fuel;
    let mut too_costly = leaving("result", ByteSize::mib(3));
    too_costly.limits.fuel = Some(Fuel(written.0 - 100_000));
    assert_eq!(house.run(too_costly).fault().code, Code::Fuel);
}

#[test]
fn f24_f25_what_cannot_be_a_result_is_refused() {
    let house = house();
    let mut shown = String::new();
    for deed in ["result-is-folder", "result-is-link", "result-has-neighbour"] {
        let fault = house.run(leaving(deed, ByteSize(100))).fault();
        shown += &format!("{}: {}\n", fault.code, fault.detail);
    }
    expect![[r#"
        PF320: `/scratch/out/result` is a directory
        PF320: `/scratch/out/result` is a link
        PF320: `/scratch/out` holds more than `result`
    "#]]
    .assert_eq(&shown);
}
