//! Hostile guests by the ids of the list of attacks: each ends with its own code, in time, beside an undisturbed neighbour.
//!
//! `c` processor and liveness, `m` memory, `a` lies about the canonical ABI, `h` handles, `n` network, `t` time and
//! chance, `o` output, `b` components that should not compile, `s` other tenants.

use std::time::Duration;

use expect_test::{Expect, expect};
use pframe_core::fault::{Code, Fault};
use pframe_core::job::LimitsRequest;
use pframe_core::units::{ByteSize, Fuel};
use pframe_host::Job;
use pframe_tests::canary::beside_a_canary;
use pframe_tests::component::{Bounds, CASES, Ends, Guest, IMPORTS, component};
use pframe_tests::guest;
use pframe_tests::house::{
    End, House, evil, evil_n, files_job, house, job, task, unique_id, wait, with_timeout,
};
use pframe_tests::random::Random;

/// The deadline of an attack.
const DEADLINE: Duration = Duration::from_millis(300);
/// How much later it may have ended, on a busy machine.
const GRACE: Duration = Duration::from_secs(2);

/// Runs an attack beside a canary.
#[track_caller]
fn attack(job: Job) -> End {
    let end = beside_a_canary(house(), || house().run(with_timeout(job, DEADLINE)));
    assert!(end.took < DEADLINE + GRACE, "it took {:?}", end.took);
    end
}

#[track_caller]
fn check(guest: &Guest, code: Code) -> Fault {
    let fault = attack(house().job_for(guest)).fault();
    assert_eq!(fault.code, code, "{fault}\n{fault:?}");
    fault
}

fn main_module(fields: &str) -> Guest {
    Guest::new(&format!("{IMPORTS} {fields}"))
}

/// A handler that does nothing, for lies told elsewhere.
const HONEST_RUN: &str = r#"(func (export "run") (param i32 i32 i32) (result i32)
    (call $drop (local.get 0)) (i32.const 64))"#;

/// The attacks of the list that `selftest --hostile` runs too.
macro_rules! cases {
    ($($name:ident,)*) => {
        $(#[test]
        fn $name() {
            run_case(stringify!($name));
        })*

        #[test]
        fn every_attack_of_the_list_is_a_test_here() {
            let names: Vec<_> = CASES.iter().map(|case| case.name).collect();
            assert_eq!(names, [$(stringify!($name)),*]);
        }
    };
}

cases! {
    c01_a_loop_in_the_handler,
    c01_a_loop_with_a_fuel_limit,
    c01_a_loop_with_a_limit_of_processor_time,
    c02_a_loop_in_the_start_function,
    c02_a_start_function_burns_fuel_too,
    c03_a_loop_in_the_allocator_that_the_host_calls,
    c04_a_loop_after_the_return,
    c11_bulk_operations_over_the_whole_memory,
    c12_growing_by_a_huge_step_mints_no_fuel,
    c14_cheap_calls_that_cost_the_host_burn_fuel,
    c14_cheap_calls_that_cost_the_host_take_processor_time,
    c15_h14_calling_out_while_the_host_calls_in,
    c16_sleeping_for_ever,
    c17_polling_what_is_ready_for_ever,
    m01_growing_for_ever,
    m02_a_memory_that_starts_at_4_gib,
    m04_tables_without_end,
    m04_a_table_that_starts_with_all_elements,
    m05_more_memories_than_a_component_may_have,
    m08_a_hundred_thousand_pieces_of_data,
    m09_m11_recursion_with_a_host_call_at_every_depth,
    a01_a03_texts_outside_of_memory_or_too_long,
    a04_results_that_are_misaligned_or_outside,
    a05_texts_that_are_not_utf8,
    a09_an_allocator_that_lies,
    a12_a_trap_after_the_return,
    a13_cases_that_do_not_exist,
    a16_a_piece_of_output_that_is_far_too_large,
    a16_pieces_of_output_outside_of_memory,
    a21_texts_between_two_components_arrive,
    a21_texts_that_lie_between_two_components,
    h01_forged_and_freed_handles,
    h02_a_handle_of_another_kind,
    h03_handles_without_end,
    h05_a_borrow_that_is_kept_past_the_call,
    h18_polling_nothing,
    f02_no_directory_is_handed_over_unasked,
    n01_a_socket_is_denied_by_the_interfaces_own_error,
    s05_the_environment_is_empty,
    t01_a_tebibyte_of_random_bytes,
    o01_output_without_end,
    o04_more_zeroes_than_a_stream_takes,
    o05_more_bytes_than_a_stream_takes,
    o10_ending_before_there_is_a_result,
    s01_an_instance_finds_nothing_of_the_one_before,
    b01_components_that_are_cut_short,
    b03_b04_files_that_are_no_components,
    b06_b07_unknown_imports,
    b09_a_hundred_thousand_imports_and_names_of_a_hundred_kilobytes,
    b16_instances_that_double,
    b19_a_table_of_ten_million_functions,
    b21_debugging_data_that_is_a_bomb,
    b23_c09_m03_m14_features_that_are_off,
}

#[track_caller]
fn run_case(name: &str) {
    let case = CASES.iter().find(|case| case.name == name).expect("it is on the list");
    for bytes in (case.variants)() {
        let task = task(&format!("case-{}", unique_id()));
        let result = match house().engine.register_component(&task, bytes) {
            Err(fault) => Err(fault),
            Ok(_) => {
                let mut job = Job { task, ..job("tiny", "abc") };
                let Bounds { timeout, fuel, cpu, memory, output } = case.bounds;
                job.limits.timeout = Some(timeout);
                job.limits.fuel = fuel.map(Fuel);
                job.limits.cpu = cpu;
                job.limits.memory = memory.map(ByteSize);
                job.limits.output = output.map(ByteSize);
                let end = beside_a_canary(house(), || house().run(job));
                assert!(end.took < timeout + GRACE, "it took {:?}", end.took);
                end.result
            }
        };
        match case.ends {
            Ends::With(codes) => {
                let fault = result.expect_err("it should not have a result");
                assert!(codes.contains(&fault.code), "{}: {fault}", fault.code);
            }
            Ends::Writing(text) => assert_eq!(result.unwrap(), text.as_bytes()),
        }
    }
}

#[test]
fn c14_many_cheap_calls_that_cost_the_host() {
    let body = "(loop $again
        (call $read (local.get $chunk) (i64.const 0) (i32.const 1) (i32.const 256))
        (br $again))";
    let libc = r#"(memory (export "memory") 1)
        (func (export "realloc") (param i32 i32 i32 i32) (result i32) (i32.const 1024))"#;
    let guest = Guest::running(body).libc(libc);
    check(&guest, Code::Deadline);
    let mut job = house().job_for(&guest);
    job.limits.cpu = Some(Duration::from_millis(50));
    assert_eq!(attack(job).fault().code, Code::Cpu);
    let mut job = house().job_for(&guest);
    job.limits.fuel = Some(Fuel(100_000));
    let end = attack(job);
    let calls = end.report.input_bytes.bytes();
    assert!((100..250).contains(&calls), "a call costs about 400 units: {calls} calls of 100K");
    assert_eq!(end.fault().code, Code::Fuel);
}

#[test]
fn c16_c17_sleepers_and_busy_pollers_hold_no_thread() {
    for deed in ["sleep", "poll-busy"] {
        let ends = beside_a_canary(house(), || {
            let jobs = (0..6).map(|_| with_timeout(evil(deed), DEADLINE));
            let batch = house().engine.submit_batch(jobs.collect()).unwrap();
            batch.jobs.iter().map(|job| wait(job).unwrap_err().code).collect::<Vec<_>>()
        });
        assert_eq!(ends, [Code::Deadline; 6], "{deed}");
    }
}

#[test]
fn c19_c20_a_spinner_on_every_thread_stops_neither_deadlines_nor_neighbours() {
    let house = House::with(|builder| builder.workers(2).attempts(8));
    let started = std::time::Instant::now();
    beside_a_canary(&house, || {
        let jobs: Vec<_> = (0..6).map(|_| with_timeout(evil("spin"), DEADLINE)).collect();
        let batch = house.engine.submit_batch(jobs).unwrap();
        for job in &batch.jobs {
            let fault = wait(job).unwrap_err();
            assert_eq!(fault.code, Code::Deadline, "{fault}");
            let busy = job.report().unwrap().busy;
            assert!(busy < DEADLINE + Duration::from_millis(500), "{busy:?}");
        }
    });
    assert!(started.elapsed() < 3 * DEADLINE + GRACE, "{:?}", started.elapsed());
}

#[test]
fn c23_a_trap_is_never_tried_again_however_many_retries_are_asked_for() {
    let job = Job { retries_max: Some(u32::MAX), ..evil("panic") };
    let end = attack(job);
    assert_eq!((end.report.attempts, end.fault().code), (1, Code::Trap));
}

#[test]
fn c25_a_storm_of_cancels_leaves_nothing_behind() {
    let house = House::with(|builder| builder.attempts(4));
    let mut random = Random::seeded(25);
    let deeds = ["spin", "sleep", "echo", "poll-busy", "stderr-forever", "panic", "write-forever"];
    let mut handles = Vec::new();
    for _ in 0..400 {
        let deed: &str = random.one_of::<&str>(&deeds);
        let handle = house.engine.submit(with_timeout(evil(deed), DEADLINE)).unwrap();
        if random.below(4) == 0 {
            house.diary.wait_for_start(handle.id());
        }
        handle.cancel();
        handles.push(handle);
    }
    for handle in &handles {
        if let Err(fault) = wait(handle) {
            let is_expected = matches!(fault.code, Code::Cancelled | Code::Trap | Code::Deadline);
            assert!(is_expected, "{fault}");
        }
        assert!(handle.status().is_terminal());
    }
    for _ in 0..8 {
        assert_eq!(house.run(evil("echo")).text(), "abc");
    }
}

#[test]
fn m01_growth_past_the_modules_own_maximum_is_refused_to_the_guest() {
    let libc = r#"(memory (export "memory") 1 2)
        (func (export "realloc") (param i32 i32 i32 i32) (result i32) (i32.const 1024))"#;
    let guest = Guest::running(
        "(if (i32.ne (memory.grow (i32.const 2)) (i32.const -1)) (then unreachable))",
    )
    .libc(libc);
    assert_eq!(attack(house().job_for(&guest)).text(), "");
}

#[test]
fn m02_the_fault_names_the_limit_and_what_was_wanted() {
    let libc = r#"(memory (export "memory") 65536)
        (func (export "realloc") (param i32 i32 i32 i32) (result i32) (i32.const 1024))"#;
    let fault = check(&Guest::running("").libc(libc), Code::Memory);
    expect![
        "the handler asked for more memory than its limit (limits.memory is 256 MiB, 4 GiB used)"
    ]
    .assert_eq(&fault.to_string());
}

#[test]
fn m04_as_many_tables_as_a_module_may_have() {
    let with =
        |count: usize| main_module(&format!("{} {HONEST_RUN}", "(table 1 funcref)".repeat(count)));
    assert_eq!(attack(house().job_for(&with(16))).bytes(), b"");
    refuse(&with(17).bytes(), &[Code::Instances]);
}

#[test]
fn a20_after_a_trap_everything_is_fresh() {
    let guest = Guest::new(&format!(
        r#"{IMPORTS}
        (global $used (mut i32) (i32.const 0))
        (func (export "run") (param i32 i32 i32) (result i32)
          (if (global.get $used) (then (return (i32.const 65))))
          (global.set $used (i32.const 1)) unreachable)"#
    ));
    let task = house().register(&guest).unwrap();
    for _ in 0..10 {
        let fault = house().run(Job { task: task.clone(), ..job("tiny", "") }).fault();
        assert!(fault.detail.contains("unreachable"), "{fault}");
    }
}

/// What would block whoever opens it, or never ends, is refused before anything runs.
#[test]
fn f20_pipes_devices_and_sockets_are_no_inputs() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name);
    let mkfifo = std::process::Command::new("mkfifo").arg(path("pipe")).status().unwrap();
    assert!(mkfifo.success());
    let _socket = std::os::unix::net::UnixListener::bind(path("socket")).unwrap();
    std::os::unix::fs::symlink("/dev/zero", path("link")).unwrap();
    for name in ["pipe", "socket", "link", "."] {
        let fault = house().engine.submit(files_job("evil", [&path(name)])).unwrap_err();
        assert_eq!(fault.code, Code::InputMissing, "{name}: {fault}");
    }
}

#[test]
fn m05_a_module_may_have_two_memories() {
    let two = "(core module $two (memory 1) (memory 1)) (core instance (instantiate $two))";
    assert_eq!(attack(house().job_for(&Guest::running("").before(two))).text(), "");
    let five = format!("(core module {})", "(memory 1)".repeat(5));
    refuse(&Guest::running("").before(&five).bytes(), &[Code::Instances]);
}

#[test]
fn m15_more_jobs_than_slots_wait_and_never_fail() {
    let house = House::with(|builder| builder.attempts(2));
    let jobs = (0..200).map(|_| evil("echo")).collect();
    let batch = house.engine.submit_batch(jobs).unwrap();
    for result in batch.wait_blocking() {
        assert_eq!(result.unwrap().bytes().unwrap(), b"abc");
    }
}

#[test]
fn m18_instantiations_that_fail_half_way_give_their_slots_back() {
    let guest = main_module(&format!("(func $start unreachable) (start $start) {HONEST_RUN}"));
    for _ in 0..100 {
        assert_eq!(house().run(house().job_for(&guest)).fault().code, Code::Trap);
    }
    assert_eq!(house().run(evil("echo")).text(), "abc");
}

#[test]
fn a12_a_trap_after_the_return_leaves_no_result() {
    let run = r#"(data (i32.const 512) "a result")
        (func (export "run") (param i32 i32 i32) (result i32)
          (call $write (i32.const 512) (i32.const 8) (i32.const 256))
          (call $drop (local.get 0)) (i32.const 64))
        (func (export "post") (param i32) unreachable)"#;
    assert_eq!(attack(house().job_for(&main_module(run))).text(), "a result");
    check(&main_module(run).post_return("post"), Code::Trap);
}

#[test]
fn a16_a_piece_that_is_somewhat_too_large_is_refused_to_the_guest() {
    let body = |length: u32| {
        format!(
            "(drop (memory.grow (i32.const 2000)))
            (call $write (i32.const 0) (i32.const {length}) (i32.const 256))
            (if (i32.eqz (i32.load8_u (i32.const 256))) (then unreachable))"
        )
    };
    let fault = check(&Guest::running(&body(100 << 20)), Code::HostcallData);
    expect!["the handler passed more data in one call than its limit (data of one call is 8 MiB, more used)"]
        .assert_eq(&fault.to_string());
    let soft = attack(house().job_for(&Guest::running(&body(2 << 20))));
    assert_eq!(soft.text(), "", "2 MiB are refused to the guest, which goes on");
}

#[test]
fn a17_progress_that_is_no_number_is_nothing() {
    assert_eq!(attack(evil_n("progress-flood", 100)).text(), "");
}

#[test]
fn a_flood_of_progress_costs_the_host_nothing() {
    let fault = attack(evil("progress-flood")).fault();
    assert_eq!(fault.code, Code::Deadline, "{fault}");
}

#[test]
fn h03_the_fault_names_the_limit() {
    let fault = attack(evil("handles")).fault();
    assert_eq!(fault.code, Code::Handles, "{fault}");
    let hit = fault.hit.unwrap();
    assert_eq!(hit.limit, "handles", "{hit:?}");
}

#[test]
fn o04_o05_what_a_stream_does_not_take_costs_the_host_no_memory() {
    let before = pframe_tests::process::resident_bytes();
    run_case("o04_more_zeroes_than_a_stream_takes");
    run_case("o05_more_bytes_than_a_stream_takes");
    let grown = pframe_tests::process::resident_bytes().saturating_sub(before);
    assert!(grown < 64 << 20, "{grown} bytes");
}

#[test]
fn t01_a_mebibyte_is_the_most_there_is() {
    let fault = attack(evil("random")).fault();
    assert_eq!(fault.code, Code::Random, "{fault}");
    assert_eq!(fault.hit.unwrap().value, "1 MiB");
    assert_eq!(house().run(evil_n("random", 1 << 20)).text(), "1048576 bytes\n");
}

#[test]
fn s06_two_hundred_at_once_each_get_their_own_back() {
    let house = House::with(|builder| builder.workers(4).attempts(200));
    let jobs: Vec<Job> = (0..2000)
        .map(|number| {
            let mut job = evil("echo");
            job.input = pframe_host::JobInput::Text(format!("nonce {number}"));
            job
        })
        .collect();
    let batch = house.engine.submit_batch(jobs).unwrap();
    for (number, result) in batch.wait_blocking().into_iter().enumerate() {
        assert_eq!(result.unwrap().bytes().unwrap(), format!("nonce {number}").into_bytes());
    }
}

/// Bytes that must be refused at registration with one of these codes.
#[track_caller]
fn refuse(bytes: &[u8], codes: &[Code]) -> Fault {
    let name = task(&format!("refused-{}", unique_id()));
    let fault = match house().engine.register_component(&name, bytes.to_vec()) {
        Err(fault) => fault,
        Ok(_) => {
            let end = house().run(Job { task: name, ..job("tiny", "abc") });
            end.result.expect_err("it should be refused, at the latest when it runs")
        }
    };
    assert!(codes.contains(&fault.code), "{}: {fault}", fault.code);
    let steering = |it: char| it.is_control() && it != '\n';
    assert!(!fault.to_string().contains(steering), "{fault}");
    assert!(fault.to_string().len() < 10_000, "{} bytes of fault", fault.to_string().len());
    fault
}

#[test]
fn b01_a_component_cut_short_anywhere() {
    let sound = std::fs::read(guest("tiny")).unwrap();
    let cuts = (0..16).chain((16..sound.len()).step_by(sound.len() / 60));
    for length in cuts {
        let fault = refuse(
            &sound[..length],
            &[Code::ComponentMalformed, Code::NotAComponent, Code::ExportMissing],
        );
        assert!(fault.code != Code::ExportMissing || length < 20, "{length}: {fault}");
    }
}

#[test]
fn b01_bits_that_were_turned() {
    let sound = std::fs::read(guest("tiny")).unwrap();
    let mut random = Random::seeded(1);
    for _ in 0..80 {
        let mut bytes = sound.clone();
        let at = usize::try_from(random.below(bytes.len() as u64)).unwrap();
        bytes[at] ^= 1 << random.below(8);
        let name = task(&format!("turned-{}", unique_id()));
        match house().engine.register_component(&name, bytes) {
            Ok(_) => {
                let job = with_timeout(Job { task: name, ..job("tiny", "abc") }, DEADLINE);
                let _any = house().run(job);
            }
            Err(fault) => assert_ne!(fault.code, Code::Bug, "{fault}"),
        }
    }
}

#[test]
fn b03_b04_a_core_module_is_told_from_other_files() {
    let module = component("(module)");
    let cases: [(&str, &[u8]); 8] = [
        ("a core module", &module),
        ("nothing", b""),
        ("a byte", b"\0"),
        ("a native program", b"\x7fELF\x02\x01\x01\0\0\0\0\0\0\0\0\0"),
        ("text", b"(component)"),
        ("compressed", b"\x1f\x8b\x08\0\0\0\0\0"),
        ("another version", b"\0asm\x0e\0\x01\0"),
        ("the magic alone", b"\0asm"),
    ];
    for (name, bytes) in cases {
        let fault = refuse(bytes, &[Code::NotAComponent, Code::ComponentMalformed]);
        assert!(name != "a core module" || fault.code == Code::NotAComponent, "{fault}");
    }
}

#[test]
fn b06_b07_unknown_imports_are_all_listed() {
    let unknown = r#"
        (import "wasi:cli/environment@0.9.0" (instance))
        (import "acme:secret/door@1.0.0" (instance (export "open" (func))))
        (import "pframe:task/input@2.0.0" (instance))
        (import "plain" (func))"#;
    let fault = refuse(&Guest::running("").before(unknown).bytes(), &[Code::ImportUnknown]);
    for name in
        ["wasi:cli/environment@0.9.0", "acme:secret/door@1.0.0", "pframe:task/input@2.0.0", "plain"]
    {
        assert!(fault.detail.contains(&format!("`{name}`")), "{name}: {fault}");
    }
}

#[test]
fn a_component_without_a_handler_says_what_is_missing() {
    refuse(&component("(component)"), &[Code::ExportMissing]);
}

#[test]
fn a_handler_of_another_shape_is_refused_before_or_when_it_runs() {
    let guest = Guest::new(r#"(func (export "run") (param i32) (result i32) (i32.const 0))"#)
        .run_type(r#"(param "number" u32) (result u32)"#);
    refuse(&guest.bytes(), &[Code::ExportMissing]);
}

#[test]
fn b14_components_in_components() {
    let depth = 90;
    let text = format!("{}{}", "(component ".repeat(depth), ")".repeat(depth));
    let fault = refuse(
        &component(&text),
        &[Code::ComponentMalformed, Code::CompileFailed, Code::ExportMissing],
    );
    assert_ne!(fault.code, Code::Bug);
}

#[test]
fn b13_blocks_in_blocks() {
    let depth = 20_000;
    let body = format!("{}{}", "block ".repeat(depth), "end ".repeat(depth));
    let guest = Guest::running("").before(&format!("(core module (func {body}))"));
    let name = task(&format!("nested-{}", unique_id()));
    match house().engine.register_component(&name, guest.bytes()) {
        Ok(_) => assert_eq!(house().run(Job { task: name, ..job("tiny", "") }).text(), ""),
        Err(fault) => assert_ne!(fault.code, Code::Bug, "{fault}"),
    }
}

#[test]
fn b22_names_that_steer_terminals_are_escaped_and_short() {
    let ansi = r"\1b[31mred\1b[0m";
    let fields = format!(r#"(func (export "{ansi}")) {HONEST_RUN}"#);
    let guest = main_module(&fields);
    house().register(&guest).expect("an odd export name of a core module harms nobody");
    let long = "x".repeat(50_000);
    let guest = Guest::running("").before(&format!(r#"(import "{long}" (func))"#));
    let fault = refuse(&guest.bytes(), &[Code::ImportUnknown, Code::ComponentMalformed]);
    assert!(fault.detail.len() < 5000, "{} bytes", fault.detail.len());
}

/// A core module with this content, in a handler.
fn feature(fields: &str, expect: &Expect) {
    let guest = Guest::running("").before(&format!("(core module {fields})"));
    let fault = refuse(&guest.bytes(), &[Code::FeatureUnsupported, Code::ComponentMalformed]);
    let detail = fault.detail.split(" (at offset").next().unwrap_or_default();
    expect.assert_eq(&format!("{} {detail}", fault.code.name()));
}

#[test]
fn b23_c09_m03_m14_features_that_are_off_are_refused_by_name() {
    feature(
        "(memory i64 1)",
        &expect![
            "component.unsupported_feature failed to parse WebAssembly module: memory64 must be enabled for 64-bit memories"
        ],
    );
    feature(
        "(memory 1 1 shared)",
        &expect![
            "component.unsupported_feature failed to parse WebAssembly module: threads must be enabled for shared memories"
        ],
    );
    feature(
        "(func $f (return_call $f))",
        &expect![
            "component.unsupported_feature failed to compile: wasm[1]::function[0]::f: WebAssembly translation error: Invalid input WebAssembly code at offset 889: tail calls support is not enabled"
        ],
    );
    feature(
        "(tag) (func (throw 0))",
        &expect![
            "component.unsupported_feature failed to parse WebAssembly module: exceptions proposal not enabled"
        ],
    );
    feature(
        "(type (struct))",
        &expect![
            "component.unsupported_feature failed to parse WebAssembly module: struct indexed types not supported without the gc feature"
        ],
    );
    feature(
        "(func (param (ref func)))",
        &expect![
            "component.unsupported_feature failed to parse WebAssembly module: function references required for non-nullable types"
        ],
    );
    feature(
        "(func (param v128) (result v128)
          (i8x16.relaxed_swizzle (local.get 0) (local.get 0)))",
        &expect![
            "component.unsupported_feature failed to compile: wasm[1]::function[0]: WebAssembly translation error: Invalid input WebAssembly code at offset 895: relaxed SIMD support is not enabled"
        ],
    );
}

#[test]
fn b25_one_component_registered_from_many_threads_is_one_task() {
    let bytes = Guest::running("").bytes();
    let digests: Vec<_> = std::thread::scope(|scope| {
        let register = |number: u32| {
            let (name, bytes) = (task(&format!("same-{number}")), bytes.clone());
            scope.spawn(move || house().engine.register_component(&name, bytes).unwrap().digest)
        };
        let threads: Vec<_> = (0..32).map(register).collect();
        threads.into_iter().map(|thread| thread.join().unwrap()).collect()
    });
    assert!(digests.iter().all(|digest| *digest == digests[0]));
    let limits = LimitsRequest { fuel: Some(Fuel(1_000_000)), ..LimitsRequest::default() };
    let job = Job { task: task("same-31"), limits, ..job("tiny", "") };
    assert_eq!(house().run(job).text(), "");
}
