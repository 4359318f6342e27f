//! Every way for an attempt to end has its own code, and the report names the limit, its value and what was used.

use std::time::Duration;

use expect_test::{Expect, expect};
use pframe_core::event::Event;
use pframe_core::fault::{Code, Fault};
use pframe_core::job::LimitsRequest;
use pframe_core::state::JobState;
use pframe_core::units::{ByteSize, CpuCores, Fuel, parse_duration};
use pframe_host::{Job, JobInput};
use pframe_tests::canary::beside_a_canary;
use pframe_tests::component::Guest;
use pframe_tests::house::{
    House, config, evil, evil_n, files_job, house, job, task, unique_id, wait, with_parameters,
    with_timeout,
};
use serde_json::json;

/// How late an attempt may end after its deadline, on a busy machine of two cores.
const GRACE: Duration = Duration::from_secs(2);

fn limited(mut job: Job, limits: LimitsRequest) -> Job {
    job.limits = limits.or(job.limits);
    job
}

/// A fault as one line. What an attempt used is checked against the limit and then left out: it differs from time to time.
fn line(fault: &Fault) -> String {
    let mut line = format!("{} {}", fault.code, fault.code.name());
    if let Some(hit) = &fault.hit {
        assert!(used(&hit.used) >= used(&hit.value), "less used than the limit: {fault}");
        line += &format!(": {} is {}, and no less was used", hit.limit, hit.value);
    }
    if !fault.detail.is_empty() {
        line += &format!(": {}", fault.detail);
    }
    if let Some(message) = &fault.guest_message {
        line += &format!(": {message}");
    }
    line
}

/// A quantity of any kind as a number; limits and uses of one kind compare.
fn used(text: &str) -> u128 {
    let text = text.trim_start_matches("at least ");
    if let Ok(duration) = parse_duration(text) {
        return duration.as_nanos();
    }
    if let Ok(size) = ByteSize::parse(text) {
        return size.bytes().into();
    }
    let (number, thousands) = match text.split_at(text.len() - 1) {
        (number, "K") => (number, 1),
        (number, "M") => (number, 2),
        (number, "G") => (number, 3),
        _ => (text, 0),
    };
    let (whole, tenth) = number.split_once('.').unwrap_or((number, "0"));
    let tenths: u128 = format!("{whole}{tenth}").parse().expect("fuel has at most one decimal");
    tenths * 1000_u128.pow(thousands) / 10
}

fn check(job: Job, expect: &Expect) {
    let end = house().run(job);
    let report = end.report.clone();
    let fault = end.fault();
    expect.assert_eq(&line(&fault));
    assert_eq!((report.state(), report.attempts), (JobState::Failed, 1), "{fault}");
    assert_eq!(report.fault.as_ref(), Some(&fault));
    assert!(report.cpu > Duration::ZERO, "what it used is charged: {report:?}");
    assert!(report.busy >= report.cpu / 2, "a thread cannot use more time than passes: {report:?}");
    assert!(report.memory_peak > ByteSize::ZERO, "what it held is charged: {report:?}");
}

#[test]
fn a_handler_that_returns_has_its_output_and_its_bill() {
    let end = house().run(evil("echo"));
    let report = end.report.clone();
    assert_eq!(end.text(), "abc");
    assert_eq!(report.state(), JobState::Completed);
    assert_eq!((report.input_bytes, report.output_bytes), (ByteSize(3), ByteSize(3)));
    assert!(report.fuel > Fuel(1000) && !report.fuel_at_least, "{:?}", report.fuel);
    assert!(report.cpu > Duration::ZERO && report.memory_peak >= ByteSize::kib(64));
}

#[test]
fn fuel_runs_out() {
    let fuel = |fuel| LimitsRequest { fuel: Some(Fuel(fuel)), ..LimitsRequest::default() };
    let line = expect!["PF302 limit.fuel: limits.fuel is 50M, and no less was used"];
    check(limited(evil("spin"), fuel(50_000_000)), &line);
    let line = expect!["PF302 limit.fuel: limits.fuel is 500K, and no less was used"];
    check(limited(evil("poll-busy"), fuel(500_000)), &line);
    check(limited(evil("stderr-forever"), fuel(500_000)), &line);
}

#[test]
fn the_same_job_uses_the_same_fuel_each_time() {
    let text = "to be or not to be ".repeat(5000);
    let fuel = |()| {
        let id = "counted-again".parse().unwrap();
        house().run(Job { id, ..job("word_count", &text) }).report.fuel
    };
    let first = fuel(());
    assert_eq!([(), (), ()].map(fuel), [first; 3]);
}

#[test]
fn the_deadline_holds_for_a_guest_that_spins_and_for_one_that_sleeps() {
    for deed in ["spin", "sleep", "poll-busy", "progress-flood", "memory-fill"] {
        let job = with_timeout(evil(deed), Duration::from_millis(200));
        let end = house().run(job);
        assert!(end.took < Duration::from_millis(200) + GRACE, "{deed}: {:?}", end.took);
        let expect = expect!["PF303 limit.deadline: timeout is 200 ms, and no less was used"];
        expect.assert_eq(&line(&end.fault()));
    }
}

#[test]
fn processor_time_is_bounded_and_sleep_costs_none() {
    let cpu = LimitsRequest { cpu: Some(Duration::from_millis(100)), ..LimitsRequest::default() };
    let line = expect!["PF307 limit.cpu: limits.cpu is 100 ms, and no less was used"];
    check(limited(evil("spin"), cpu), &line);
    check(limited(evil("stderr-forever"), cpu), &line);
    let end = house().run(limited(evil_n("sleep-ms", 300), cpu));
    assert_eq!(end.text(), "");
}

#[test]
fn memory_is_bounded() {
    let memory = LimitsRequest { memory: Some(ByteSize::mib(32)), ..LimitsRequest::default() };
    let line = expect!["PF304 limit.memory: limits.memory is 32 MiB, and no less was used"];
    check(limited(evil("alloc"), memory), &line);
    check(limited(evil("alloc-abort"), memory), &line);
}

#[test]
fn many_memories_count_together() {
    let block = r#"(core module $block (memory (export "memory") 192 192))
        (core instance (instantiate $block)) (core instance (instantiate $block))"#;
    let guest = Guest::running("").before(block);
    let memory =
        |mib| LimitsRequest { memory: Some(ByteSize::mib(mib)), ..LimitsRequest::default() };
    let end = house().run(limited(house().job_for(&guest), memory(32)));
    assert_eq!(end.report.memory_peak, ByteSize::kib(64 + 2 * 192 * 64));
    assert_eq!(end.text(), "");
    let end = house().run(limited(house().job_for(&guest), memory(24)));
    let expect = expect!["PF304 limit.memory: limits.memory is 24 MiB, and no less was used"];
    expect.assert_eq(&line(&end.fault()));
}

#[test]
fn the_stack_is_bounded() {
    check(evil("recurse"), &expect!["PF305 task.stack_overflow"]);
}

#[test]
fn output_is_bounded_to_the_byte() {
    let output = LimitsRequest { output: Some(ByteSize::mib(3)), ..LimitsRequest::default() };
    let line = expect!["PF306 limit.output: limits.output is 3 MiB, and no less was used"];
    check(limited(evil("write-forever"), output), &line);
    check(limited(evil_n("write-one", (3 << 20) + 1), output), &line);
    let end = house().run(limited(evil_n("write-one", 3 << 20), output));
    assert_eq!(end.bytes(), vec![b'x'; 3 << 20]);
}

#[test]
fn a_piece_of_more_than_a_mebibyte_is_refused_and_the_guest_goes_on() {
    let text = house().run(evil("write-too-long")).text();
    expect![[r#"
        refused: one call takes at most 1048576 bytes
    "#]]
    .assert_eq(&text);
}

#[test]
fn limits_that_wasmtime_tells_by_its_wording_alone_have_their_codes() {
    let piece = Guest::running(
        "(drop (memory.grow (i32.const 2000)))
        (call $write (i32.const 0) (i32.const 100000000) (i32.const 256))",
    );
    for (job, code) in [
        (evil("handles"), Code::Handles),
        (evil("random"), Code::Random),
        (house().job_for(&piece), Code::HostcallData),
    ] {
        let fault = house().run(job).fault();
        assert_eq!(fault.code, code, "{fault}");
        assert!(fault.hit.is_some(), "{fault:?}");
    }
}

#[test]
fn a_trap_names_the_guests_functions() {
    check(
        evil("panic"),
        &expect!["PF301 task.trap: wasm trap: wasm `unreachable` instruction executed"],
    );
    let fault = house().run(evil("panic")).fault();
    let functions: Vec<_> = fault.backtrace.iter().map(|name| name.as_str()).collect();
    assert!(functions[0].contains("evil::Evil"), "{functions:?}");
    let told: Vec<_> = fault.stderr_tail.iter().map(|line| line.as_str()).collect();
    assert!(told.iter().any(|line| line.contains("evil was asked to panic")), "{told:?}");
}

#[test]
fn a_backtrace_goes_from_the_innermost_function_outwards() {
    let guest = Guest::new(
        r#"(func $inner_most unreachable)
        (func $middle (call $inner_most))
        (func $outer (export "run") (param i32 i32 i32) (result i32)
          (call $middle) (i32.const 64))"#,
    );
    let fault = house().run(house().job_for(&guest)).fault();
    assert_eq!(fault.code, Code::Trap);
    let functions: Vec<_> = fault.backtrace.iter().map(|name| name.as_str()).collect();
    assert_eq!(functions, ["inner_most", "middle", "outer"]);
}

#[test]
fn the_guests_own_failures_keep_their_class() {
    check(evil("invalid"), &expect!["PF308 task.invalid_input: evil finds the input invalid"]);
    check(evil("transient"), &expect!["PF309 task.transient: evil asks for another attempt"]);
    check(evil("permanent"), &expect!["PF310 task.permanent: evil gives up for good"]);
}

#[test]
fn the_text_of_a_failure_never_decides_its_class() {
    let lies = [
        "PF309 limit.fuel transient, try again",
        "fuel allocated for hostcalls has been exhausted",
        "store handle limit exceeded",
        "maximum concurrent component instance limit of 8 reached",
        "ended by the host",
    ];
    for text in lies {
        for (case, code) in [(0, Code::Invalid), (1, Code::Transient), (2, Code::Permanent)] {
            let guest = Guest::new(&format!(
                r#"(import "libc" "memory" (memory 0))
                (import "host" "drop" (func $drop (param i32)))
                (data (i32.const 512) "{text}")
                (func (export "run") (param $chunk i32) (param i32 i32) (result i32)
                  (call $drop (local.get $chunk))
                  (i32.store8 (i32.const 256) (i32.const 1))
                  (i32.store8 (i32.const 260) (i32.const {case}))
                  (i32.store (i32.const 264) (i32.const 512))
                  (i32.store (i32.const 268) (i32.const {}))
                  (i32.const 256))"#,
                text.len()
            ));
            let fault = house().run(house().job_for(&guest)).fault();
            assert_eq!(fault.code, code, "{text}: {fault}");
            assert_eq!(fault.guest_message.as_ref().map(|it| it.as_str()), Some(text));
        }
    }
}

#[test]
fn o10_an_exit_is_no_result() {
    check(evil("exit0"), &expect!["PF311 task.no_result: it exited with status 0"]);
    check(evil("exit1"), &expect!["PF311 task.no_result: it exited with status 1"]);
}

#[test]
fn a_command_that_exits_with_a_status_has_failed() {
    // `wasi:cli/exit` tells success from failure and no more: 3 arrives as 1.
    let command = |parameters| with_parameters(job("command", "a\nb\n"), parameters);
    assert_eq!(house().run(command(json!({}))).text(), "2\n");
    let end = house().run(command(json!({ "exit": 3, "say": "so it goes" })));
    let fault = end.fault();
    expect!["PF310 task.permanent: the command ended with status 1"].assert_eq(&line(&fault));
    let told: Vec<_> = fault.stderr_tail.iter().map(|line| line.as_str()).collect();
    assert_eq!(told, ["so it goes"]);
}

#[test]
fn o11_a_panic_message_of_100_mib_is_kept_short() {
    let mut job = evil_n("panic-long", 100_000_000);
    job.limits.memory = Some(ByteSize::gib(1));
    let fault = house().run(job).fault();
    assert_eq!(fault.code, Code::Trap, "{fault}");
    let told: usize = fault.stderr_tail.iter().map(|line| line.as_str().len()).sum();
    assert!((1000..200_000).contains(&told), "{told} bytes");
}

#[test]
fn a_failure_message_of_8_mib_is_no_reason_to_hold_8_mib() {
    let fault = house().run(evil("huge-failure-message")).fault();
    let kept = fault.guest_message.as_ref().map_or(0, |message| message.as_str().len());
    match fault.code {
        Code::Permanent => assert!((1000..5000).contains(&kept), "{kept} bytes"),
        Code::HostcallData => assert_eq!(kept, 0),
        other => panic!("{other}: {fault}"),
    }
}

#[test]
fn a18_what_could_steer_a_terminal_is_escaped() {
    let fault = house().run(evil("ansi-failure-message")).fault();
    let shown = format!("{fault}");
    assert!(shown.contains("red") && shown.contains("job completed"), "{shown}");
    let steering = shown.chars().filter(|it| it.is_control() && *it != '\n');
    assert_eq!(steering.collect::<String>(), "");
    assert!(!shown.contains(['\u{202e}', '\u{2028}']), "{shown}");
}

#[test]
fn o01_endless_talk_is_kept_short_and_blocks_nobody() {
    for deed in ["stdout-forever", "stderr-forever"] {
        let job = with_timeout(evil(deed), Duration::from_millis(300));
        let fault = beside_a_canary(house(), || house().run(job).fault());
        assert_eq!(fault.code, Code::Deadline, "{fault}");
        let told: usize = fault.stderr_tail.iter().map(|line| line.as_str().len()).sum();
        assert!(!fault.stderr_tail.is_empty() && fault.stderr_tail.len() <= 20);
        assert!(told < 20 * 5000, "{deed}: {told} bytes");
    }
}

#[test]
fn the_last_20_lines_of_stderr_come_with_the_fault() {
    let fault = house().run(evil_n("stderr-lines", 1000)).fault();
    let told: Vec<_> = fault.stderr_tail.iter().map(|line| line.as_str()).collect();
    assert_eq!(told.len(), 20);
    assert_eq!((told[0], told[19]), ("line 981 of 1000", "line 1000 of 1000"));
}

#[test]
fn a_job_is_cancelled_while_it_runs() {
    for deed in ["spin", "sleep", "poll-busy", "stdout-forever"] {
        let handle = house().engine.submit(evil(deed)).unwrap();
        house().diary.wait_for_start(handle.id());
        handle.cancel();
        let fault = wait(&handle).unwrap_err();
        assert_eq!(fault.code, Code::Cancelled, "{deed}: {fault}");
        assert_eq!(handle.status(), JobState::Cancelled);
        let report = handle.report().unwrap();
        assert_eq!((report.attempts, report.running()), (1, 0), "{deed}");
    }
}

#[test]
fn a_job_is_cancelled_while_it_waits_its_turn() {
    let house = House::with(|builder| builder.workers(1).attempts(1));
    let running = house.engine.submit(evil("sleep")).unwrap();
    house.diary.wait_for_start(running.id());
    let waiting = house.engine.submit(evil("echo")).unwrap();
    waiting.cancel();
    assert_eq!(wait(&waiting).unwrap_err().code, Code::Cancelled);
    assert_eq!(waiting.report().unwrap().attempts, 0);
    running.cancel();
    assert_eq!(wait(&running).unwrap_err().code, Code::Cancelled);
}

#[test]
fn a_job_is_cancelled_while_it_waits_for_another_try() {
    let retry = "parallel_processing: { retry_policy: { base_delay: 1h, max_delay: 2h } }";
    let house = House::with(|builder| builder.config(config(retry)));
    let mut job = evil("transient");
    job.retries_max = Some(3);
    let handle = house.engine.submit(job).unwrap();
    house.diary.wait_for("a failed attempt", |event| {
        matches!(event, Event::AttemptFailed { attempt, .. } if attempt.job == *handle.id())
    });
    assert_eq!(handle.status(), JobState::Retrying);
    handle.cancel();
    assert_eq!(wait(&handle).unwrap_err().code, Code::Cancelled);
    assert_eq!(handle.report().unwrap().attempts, 1);
}

#[test]
fn cancelling_what_has_ended_changes_nothing() {
    let handle = house().engine.submit(evil("echo")).unwrap();
    assert_eq!(wait(&handle).unwrap(), b"abc");
    handle.cancel();
    handle.cancel();
    house().run(evil("ok"));
    assert_eq!(handle.status(), JobState::Completed);
}

#[test]
fn an_engine_that_goes_away_ends_its_jobs() {
    let house = House::with(|builder| builder);
    let handles = ["spin", "sleep", "ok"].map(|deed| house.engine.submit(evil(deed)).unwrap());
    house.diary.wait_for_start(handles[0].id());
    drop(house);
    for handle in &handles[..2] {
        assert_eq!(wait(handle).unwrap_err().code, Code::Drained);
    }
    assert!(handles[2].try_wait().is_some(), "every handle has an ending");
}

fn refused(job: Job) -> Fault {
    house().engine.submit(job).expect_err("the job should be refused")
}

#[test]
fn what_cannot_run_is_refused_before_anything_happens() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("there.txt");
    std::fs::write(&path, "text").unwrap();
    let missing = folder.path().join("missing.txt");
    let as_folder = Job { output: Some(folder.path().to_str().unwrap().into()), ..evil("ok") };
    let below_a_file = Job { output: Some(path.join("x").to_str().unwrap().into()), ..evil("ok") };
    let unknown = Job::new(unique_id(), task("no-such-task"), JobInput::Text(String::new()));
    let shown = [
        refused(unknown),
        refused(files_job("evil", [&missing])),
        refused(files_job("evil", [folder.path()])),
        refused(as_folder),
        refused(below_a_file),
    ]
    .map(|fault| fault.to_string().replace(folder.path().to_str().unwrap(), "FOLDER"));
    let shown = shown.map(|line| line.split("; known are").next().unwrap_or_default().to_owned());
    expect![[r#"
        no task type has this name: `no-such-task`
        an input is missing or cannot be read: `FOLDER/missing.txt`: there is no such file
        an input is missing or cannot be read: `FOLDER`: this is a directory; a pattern such as `folder/*` names its files
        the job file is not valid: `output.path`: `FOLDER`: this is a directory
        the job file is not valid: `output.path`: `FOLDER/there.txt/x`: its folder cannot be written"#]]
    .assert_eq(&shown.join("\n"));
}

#[test]
fn a_job_that_needs_more_than_the_machine_has_is_told_so() {
    let mut job = evil("ok");
    job.requirements.cpu = Some(CpuCores::whole(64));
    let fault = match house().engine.submit(job) {
        Ok(handle) => wait(&handle).unwrap_err(),
        Err(fault) => fault,
    };
    assert_eq!(fault.code, Code::TooBig, "{fault}");
}

#[test]
fn an_input_that_changes_after_acceptance_is_told_apart() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("input.txt");
    let changes: [(&str, fn(&std::path::Path)); 3] = [
        ("longer", |path| std::fs::write(path, "later and longer").unwrap()),
        ("shorter", |path| std::fs::write(path, "s").unwrap()),
        ("gone", |path| std::fs::remove_file(path).unwrap()),
    ];
    for (name, change) in changes {
        std::fs::write(&path, "before").unwrap();
        let job = with_parameters(files_job("evil", [&path]), json!({ "do": "echo" }));
        let planned = house().engine.plan(&job).unwrap();
        change(&path);
        let handle = house().engine.submit_planned(planned).unwrap();
        let fault = wait(&handle).unwrap_err();
        let expected = if name == "gone" { Code::InputMissing } else { Code::InputChanged };
        assert_eq!(fault.code, expected, "{name}: {fault}");
    }
}

#[test]
fn an_input_that_changes_while_it_is_worked_on_spoils_the_result() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("input.txt");
    std::fs::write(&path, "before").unwrap();
    let job = files_job("evil", [&path]);
    let job = with_parameters(job, json!({ "do": "sleep-ms", "n": 400 }));
    let handle = house().engine.submit(job).unwrap();
    house().diary.wait_for_start(handle.id());
    std::fs::write(&path, "changed meanwhile").unwrap();
    assert_eq!(wait(&handle).unwrap_err().code, Code::InputChanged);
}

#[test]
fn a_result_that_cannot_be_put_in_its_place_is_the_machines_fault() {
    let folder = tempfile::tempdir().unwrap();
    let target = folder.path().join("deep/result.txt");
    let job = Job { output: Some(target.to_str().unwrap().into()), ..evil("echo") };
    let planned = house().engine.plan(&job).unwrap();
    std::fs::write(folder.path().join("deep"), "a file where a folder should be").unwrap();
    let handle = house().engine.submit_planned(planned).unwrap();
    let fault = wait(&handle).unwrap_err();
    assert_eq!(fault.code, Code::DiskFull, "{fault}");
    assert!(fault.detail.contains("result.txt"), "{fault}");
}
