//! The attacks, by the ids of the list of hostile cases.
//!
//! Owns: what each does, under which limits, and the ends that are right for it. `c` processor and liveness, `m`
//! memory, `a` lies about the canonical ABI, `h` handles, `f` files, `n` network, `t` time and chance, `o` output, `b`
//! components that should not compile, `s` other tenants.

use std::time::Duration;

use pframe_core::fault::Code;
use wasm_encoder::{
    Component, ComponentImportSection, ComponentTypeRef, ComponentTypeSection, ComponentValType,
};

use crate::guest::{Guest, IMPORTS, component};
use crate::wasi;

/// An attack.
#[derive(Debug, Clone, Copy)]
pub struct Case {
    /// Its id and name: `c01_a_loop_in_the_handler`.
    pub name: &'static str,
    /// Components, each an attack of its own with the same end.
    pub variants: fn() -> Vec<Vec<u8>>,
    /// What it runs under.
    pub bounds: Bounds,
    /// How it must end.
    pub ends: Ends,
}

/// Limits of an attack.
#[derive(Debug, Clone, Copy)]
pub struct Bounds {
    /// Of one attempt.
    pub timeout: Duration,
    /// Units of fuel, if they are limited.
    pub fuel: Option<u64>,
    /// Processor time, if it is limited.
    pub cpu: Option<Duration>,
    /// Bytes of memory, if they are fewer than usual.
    pub memory: Option<u64>,
    /// Bytes of output, if they are fewer than usual.
    pub output: Option<u64>,
}

/// Right ends of an attack.
#[derive(Debug, Clone, Copy)]
pub enum Ends {
    /// Refused, or ended, with one of these codes.
    With(&'static [Code]),
    /// Harmless, with this output.
    Writing(&'static str),
}

const USUAL: Bounds = Bounds {
    timeout: Duration::from_millis(300),
    fuel: None,
    cpu: None,
    memory: None,
    output: None,
};

const fn case(name: &'static str, variants: fn() -> Vec<Vec<u8>>, ends: Ends) -> Case {
    Case { name, variants, bounds: USUAL, ends }
}

const fn bounded(case: Case, bounds: Bounds) -> Case {
    Case { bounds, ..case }
}

use Ends::{With, Writing};

/// Every attack of the list.
pub const CASES: &[Case] = &[
    case("c01_a_loop_in_the_handler", c01, With(&[Code::Deadline])),
    bounded(
        case("c01_a_loop_with_a_fuel_limit", c01, With(&[Code::Fuel])),
        Bounds { fuel: Some(1_000_000), ..USUAL },
    ),
    bounded(
        case("c01_a_loop_with_a_limit_of_processor_time", c01, With(&[Code::Cpu])),
        Bounds { cpu: Some(Duration::from_millis(50)), ..USUAL },
    ),
    case("c02_a_loop_in_the_start_function", c02, With(&[Code::Deadline])),
    bounded(
        case("c02_a_start_function_burns_fuel_too", c02, With(&[Code::Fuel])),
        Bounds { fuel: Some(1_000_000), ..USUAL },
    ),
    case("c03_a_loop_in_the_allocator_that_the_host_calls", c03, With(&[Code::Deadline])),
    case("c04_a_loop_after_the_return", c04, With(&[Code::Deadline])),
    case("c11_bulk_operations_over_the_whole_memory", c11, With(&[Code::Deadline])),
    bounded(
        case("c12_growing_by_a_huge_step_mints_no_fuel", c12, With(&[Code::Fuel])),
        Bounds { fuel: Some(100_000), ..USUAL },
    ),
    bounded(
        case("c14_cheap_calls_that_cost_the_host_burn_fuel", c14, With(&[Code::Fuel])),
        Bounds { fuel: Some(100_000), ..USUAL },
    ),
    bounded(
        case("c14_cheap_calls_that_cost_the_host_take_processor_time", c14, With(&[Code::Cpu])),
        Bounds { cpu: Some(Duration::from_millis(50)), ..USUAL },
    ),
    case("c15_h14_calling_out_while_the_host_calls_in", c15, With(&[Code::Trap])),
    case("c16_sleeping_for_ever", c16, With(&[Code::Deadline])),
    case("c17_polling_what_is_ready_for_ever", c17, With(&[Code::Deadline])),
    bounded(
        case("m01_growing_for_ever", m01, With(&[Code::Memory])),
        Bounds { memory: Some(10 << 20), ..USUAL },
    ),
    case("m02_a_memory_that_starts_at_4_gib", m02, With(&[Code::Memory])),
    case("m04_tables_without_end", m04, With(&[Code::Tables])),
    case(
        "m04_a_table_that_starts_with_all_elements",
        m04_start,
        With(&[Code::Tables, Code::Instances, Code::CompileFailed]),
    ),
    case("m05_more_memories_than_a_component_may_have", m05, With(&[Code::Instances])),
    bounded(
        case(
            "m08_a_hundred_thousand_pieces_of_data",
            m08,
            With(&[
                Code::CompileLimit,
                Code::CompileFailed,
                Code::ComponentMalformed,
                Code::Instances,
            ]),
        ),
        USUAL,
    ),
    case(
        "m09_m11_recursion_with_a_host_call_at_every_depth",
        m09,
        With(&[Code::StackOverflow, Code::Memory]),
    ),
    case("a01_a03_texts_outside_of_memory_or_too_long", a01, With(&[Code::Trap])),
    case("a04_results_that_are_misaligned_or_outside", a04, With(&[Code::Trap])),
    case("a05_texts_that_are_not_utf8", a05, With(&[Code::Trap])),
    case("a09_an_allocator_that_lies", a09, With(&[Code::Trap])),
    case("a12_a_trap_after_the_return", a12, With(&[Code::Trap])),
    case("a13_cases_that_do_not_exist", a13, With(&[Code::Trap])),
    case("a16_a_piece_of_output_that_is_far_too_large", a16, With(&[Code::HostcallData])),
    case("a16_pieces_of_output_outside_of_memory", a16_outside, With(&[Code::Trap])),
    case("a21_texts_between_two_components_arrive", a21_honest, Writing("")),
    case("a21_texts_that_lie_between_two_components", a21, With(&[Code::Trap])),
    case("h01_forged_and_freed_handles", h01, With(&[Code::Trap])),
    case("h02_a_handle_of_another_kind", h02, With(&[Code::Trap])),
    case("h03_handles_without_end", h03, With(&[Code::Handles])),
    case("h05_a_borrow_that_is_kept_past_the_call", h05, With(&[Code::Trap])),
    case("h18_polling_nothing", h18, With(&[Code::Trap])),
    case("f02_no_directory_is_handed_over_unasked", f02, Writing("")),
    case("n01_a_socket_is_denied_by_the_interfaces_own_error", n01, Writing("")),
    case("s05_the_environment_is_empty", s05, Writing("")),
    case("t01_a_tebibyte_of_random_bytes", t01, With(&[Code::Random])),
    bounded(
        case("o01_output_without_end", o01, With(&[Code::Output])),
        Bounds { output: Some(1 << 20), ..USUAL },
    ),
    case("o04_more_zeroes_than_a_stream_takes", o04, With(&[Code::Trap])),
    case("o05_more_bytes_than_a_stream_takes", o05, With(&[Code::Trap, Code::HostcallData])),
    case("o10_ending_before_there_is_a_result", o10, With(&[Code::NoResult])),
    case("s01_an_instance_finds_nothing_of_the_one_before", s01, Writing("0")),
    case(
        "b01_components_that_are_cut_short",
        b01,
        With(&[Code::ComponentMalformed, Code::NotAComponent, Code::ExportMissing]),
    ),
    case(
        "b03_b04_files_that_are_no_components",
        b03,
        With(&[Code::NotAComponent, Code::ComponentMalformed]),
    ),
    case("b06_b07_unknown_imports", b06, With(&[Code::ImportUnknown])),
    case(
        "b09_a_hundred_thousand_imports_and_names_of_a_hundred_kilobytes",
        b09,
        With(&[
            Code::ComponentMalformed,
            Code::ImportUnknown,
            Code::CompileLimit,
            Code::CompileFailed,
        ]),
    ),
    case("b16_instances_that_double", b16, With(&[Code::Instances])),
    case(
        "b19_a_table_of_ten_million_functions",
        b19,
        With(&[Code::Tables, Code::Instances, Code::ComponentMalformed, Code::CompileFailed]),
    ),
    case("b21_debugging_data_that_is_a_bomb", b21, Writing("canary")),
    case(
        "b23_c09_m03_m14_features_that_are_off",
        b23,
        With(&[Code::FeatureUnsupported, Code::ComponentMalformed]),
    ),
];

/// What [`honest`] writes.
pub const SONG: &str = "canary";

/// A handler that means no harm and writes [`SONG`]: the neighbour of the attacks.
pub fn honest() -> Vec<u8> {
    let length = SONG.len();
    main_module(&format!(
        r#"(data (i32.const 512) "{SONG}")
        (func (export "run") (param i32 i32 i32) (result i32)
          (call $write (i32.const 512) (i32.const {length}) (i32.const 256))
          (call $drop (local.get 0)) (i32.const 64))"#
    ))
    .bytes()
}

/// A handler that does nothing, for lies told elsewhere.
const HONEST_RUN: &str = r#"(func (export "run") (param i32 i32 i32) (result i32)
    (call $drop (local.get 0)) (i32.const 64))"#;
const LOOP: &str = "(loop $again (br $again))";

fn main_module(fields: &str) -> Guest {
    Guest::new(&format!("{IMPORTS} {fields}"))
}

fn one(guest: &Guest) -> Vec<Vec<u8>> {
    vec![guest.bytes()]
}

fn each<T>(values: impl IntoIterator<Item = T>, guest: impl Fn(T) -> Guest) -> Vec<Vec<u8>> {
    values.into_iter().map(|value| guest(value).bytes()).collect()
}

fn c01() -> Vec<Vec<u8>> {
    one(&Guest::running(LOOP))
}

fn c02() -> Vec<Vec<u8>> {
    one(&main_module(&format!("(func $start {LOOP}) (start $start) {HONEST_RUN}")))
}

fn c03() -> Vec<Vec<u8>> {
    let libc = r#"(memory (export "memory") 1)
        (func (export "realloc") (param i32 i32 i32 i32) (result i32)
          (loop $again (br $again)) (i32.const 0))"#;
    one(&Guest::running("").libc(libc))
}

fn c04() -> Vec<Vec<u8>> {
    let post = format!(r#"(func (export "post") (param i32) {LOOP})"#);
    one(&main_module(&format!("{HONEST_RUN} {post}")).post_return("post"))
}

fn c11() -> Vec<Vec<u8>> {
    one(&Guest::running(
        "(drop (memory.grow (i32.const 1600)))
        (loop $again
          (memory.fill (i32.const 0) (i32.const 7) (i32.const 104857600))
          (memory.copy (i32.const 0) (i32.const 1) (i32.const 104857599))
          (br $again))",
    ))
}

fn c12() -> Vec<Vec<u8>> {
    let grow = "(loop $again
        (drop (table.grow $table (ref.null func) (i32.const -1)))
        (br $again))";
    one(&main_module(&format!(
        r#"(table $table 1 10 funcref)
        (func (export "run") (param i32 i32 i32) (result i32) {grow} (i32.const 64))"#
    )))
}

fn c14() -> Vec<Vec<u8>> {
    let body = "(loop $again
        (call $read (local.get $chunk) (i64.const 0) (i32.const 1) (i32.const 256))
        (br $again))";
    let libc = r#"(memory (export "memory") 1)
        (func (export "realloc") (param i32 i32 i32 i32) (result i32) (i32.const 1024))"#;
    one(&Guest::running(body).libc(libc))
}

fn c15() -> Vec<Vec<u8>> {
    let libc = r#"(import "early" "size" (func $size (param i32) (result i64)))
        (memory (export "memory") 1)
        (func (export "realloc") (param i32 i32 i32 i32) (result i32)
          (drop (call $size (i32.const 1))) (i32.const 1024))"#;
    let post = r#"(func (export "post") (param i32) (drop (call $size (i32.const 1))))"#;
    vec![
        Guest::running("").libc(libc).bytes(),
        main_module(&format!("{HONEST_RUN} {post}")).post_return("post").bytes(),
    ]
}

/// A handler with the clock.
fn with_clock(body: &str) -> Guest {
    main_module(&format!(
        r#"(import "host" "subscribe" (func $subscribe (param i64) (result i32)))
        (import "host" "block" (func $block (param i32)))
        (func (export "run") (param i32 i32 i32) (result i32)
          {body} (call $drop (local.get 0)) (i32.const 64))"#
    ))
    .before(wasi::CLOCK)
    .host("subscribe", "$subscribe")
    .host("block", "$block")
}

fn c16() -> Vec<Vec<u8>> {
    one(&with_clock("(call $block (call $subscribe (i64.const -1)))"))
}

fn c17() -> Vec<Vec<u8>> {
    one(&with_clock(
        "(local i32) (local.set 3 (call $subscribe (i64.const 0)))
        (loop $again (call $block (local.get 3)) (br $again))",
    ))
}

fn m01() -> Vec<Vec<u8>> {
    let second = main_module(
        r#"(memory $second 0)
        (func (export "run") (param i32 i32 i32) (result i32)
          (loop $again
            (drop (memory.grow (i32.const 1))) (drop (memory.grow $second (i32.const 1)))
            (br $again))
          (i32.const 64))"#,
    );
    let one = Guest::running("(loop $again (drop (memory.grow (i32.const 1))) (br $again))");
    vec![one.bytes(), second.bytes()]
}

fn m02() -> Vec<Vec<u8>> {
    let libc = r#"(memory (export "memory") 65536)
        (func (export "realloc") (param i32 i32 i32 i32) (result i32) (i32.const 1024))"#;
    one(&Guest::running("").libc(libc))
}

fn m04() -> Vec<Vec<u8>> {
    let tables = r#"(core module $tables (table $table 1 funcref)
          (func (export "grow")
            (drop (table.grow $table (ref.null func) (i32.const 100000)))))
        (core instance $one (instantiate $tables)) (alias core export $one "grow" (core func $one))
        (core instance $two (instantiate $tables)) (alias core export $two "grow" (core func $two))"#;
    let guest = main_module(
        r#"(import "host" "one" (func $one)) (import "host" "two" (func $two))
        (func (export "run") (param i32 i32 i32) (result i32)
          (loop $again (call $one) (call $two) (br $again)) (i32.const 64))"#,
    );
    one(&guest.before(tables).host("one", "$one").host("two", "$two"))
}

fn m04_start() -> Vec<Vec<u8>> {
    one(&main_module(&format!("(table 4294967295 funcref) {HONEST_RUN}")))
}

fn m05() -> Vec<Vec<u8>> {
    let instances = "(core instance (instantiate $block))".repeat(100);
    one(&Guest::running("").before(&format!("(core module $block (memory 1)) {instances}")))
}

fn m08() -> Vec<Vec<u8>> {
    let pieces = r#"(data "x")"#.repeat(100_001);
    one(&Guest::running("").before(&format!("(core module (memory 1) {pieces})")))
}

fn m09() -> Vec<Vec<u8>> {
    one(&main_module(
        r#"(func $deeper (param $chunk i32)
          (drop (call $size (local.get $chunk)))
          (call $job-id (local.get $chunk) (i32.const 256))
          (call $deeper (local.get $chunk)))
        (func (export "run") (param i32 i32 i32) (result i32)
          (call $deeper (local.get 0)) (i32.const 64))"#,
    ))
}

/// A handler that fails with a text at this place.
fn failing_with((pointer, length): (i64, i64)) -> Guest {
    main_module(&format!(
        r#"(data (i32.const 600) "\c0\80\ed\a0\80\ff")
        (func (export "run") (param i32 i32 i32) (result i32)
          (call $drop (local.get 0))
          (i32.store8 (i32.const 256) (i32.const 1))
          (i32.store8 (i32.const 260) (i32.const 2))
          (i32.store (i32.const 264) (i32.const {pointer}))
          (i32.store (i32.const 268) (i32.const {length}))
          (i32.const 256))"#
    ))
}

fn a01() -> Vec<Vec<u8>> {
    let lies =
        [(70_000, 10), (65_530, 100), (-1, 1), (0, -1), (0, 1 << 28), (0, i64::from(i32::MAX))];
    each(lies, failing_with)
}

fn a04() -> Vec<Vec<u8>> {
    each([65, 66, 67, 65_536, -4, -1], |pointer| {
        main_module(&format!(
            r#"(func (export "run") (param i32 i32 i32) (result i32)
              (call $drop (local.get 0)) (i32.const {pointer}))"#
        ))
    })
}

fn a05() -> Vec<Vec<u8>> {
    each([(600, 2), (602, 3), (605, 1), (600, 6)], failing_with)
}

fn a09() -> Vec<Vec<u8>> {
    each(["(i32.const 65535)", "(i32.const 65536)", "(i32.const -1)", "unreachable"], |body| {
        Guest::running("").libc(&format!(
            r#"(memory (export "memory") 1)
            (func (export "realloc") (param i32 i32 i32 i32) (result i32) {body})"#
        ))
    })
}

fn a12() -> Vec<Vec<u8>> {
    let run = r#"(data (i32.const 512) "a result")
        (func (export "run") (param i32 i32 i32) (result i32)
          (call $write (i32.const 512) (i32.const 8) (i32.const 256))
          (call $drop (local.get 0)) (i32.const 64))
        (func (export "post") (param i32) unreachable)"#;
    one(&main_module(run).post_return("post"))
}

fn a13() -> Vec<Vec<u8>> {
    each([(256, 2), (256, 255), (260, 3), (260, 255)], |(address, value)| {
        main_module(&format!(
            r#"(func (export "run") (param i32 i32 i32) (result i32)
              (call $drop (local.get 0))
              (i32.store8 (i32.const 256) (i32.const 1))
              (i32.store8 (i32.const {address}) (i32.const {value}))
              (i32.const 256))"#
        ))
    })
}

fn a16() -> Vec<Vec<u8>> {
    one(&Guest::running(
        "(drop (memory.grow (i32.const 2000)))
        (call $write (i32.const 0) (i32.const 104857600) (i32.const 256))",
    ))
}

fn a16_outside() -> Vec<Vec<u8>> {
    each([(65_000, 1000), (-1, 1), (0, -1)], |(pointer, length)| {
        Guest::running(&format!(
            "(call $write (i32.const {pointer}) (i32.const {length}) (i32.const 256))"
        ))
    })
}

/// An inner component takes a text from another one, which lies about where it is and how long.
fn between((pointer, length): (i64, i64)) -> Guest {
    let parts = format!(
        r#"(component $taker
              (core module $m
                (memory (export "memory") 1)
                (func (export "realloc") (param i32 i32 i32 i32) (result i32) (i32.const 1024))
                (func (export "take") (param i32 i32)))
              (core instance $i (instantiate $m))
              (func (export "take") (param "text" string)
                (canon lift (core func $i "take") (memory (core memory $i "memory"))
                  (realloc (core func $i "realloc")) string-encoding=utf16)))
            (instance $taker (instantiate $taker))
            (component $liar
              (import "take" (func $take (param "text" string)))
              (core module $libc (memory (export "memory") 1)
                (data (i32.const 600) "\ff\fe\c0\80"))
              (core instance $libc (instantiate $libc))
              (core func $take (canon lower (func $take) (memory (core memory $libc "memory"))))
              (core module $m
                (import "host" "take" (func $take (param i32 i32)))
                (func $lie (call $take (i32.const {pointer}) (i32.const {length})))
                (start $lie))
              (core instance $host (export "take" (func $take)))
              (core instance $i (instantiate $m (with "host" (instance $host)))))
            (instance $liar (instantiate $liar (with "take" (func $taker "take"))))"#
    );
    main_module(HONEST_RUN).before(&parts)
}

fn a21() -> Vec<Vec<u8>> {
    let lies = [(65_530, 100), (-1, 1), (0, -1), (0, 1 << 29), (600, 4), (602, 2)];
    each(lies, between)
}

fn a21_honest() -> Vec<Vec<u8>> {
    each([(0, 0), (0, 4), (0, 599)], between)
}

fn h01() -> Vec<Vec<u8>> {
    let mut all = Vec::new();
    for handle in ["0", "7", "4096", "-1", "1073741824"] {
        all.push(Guest::running(&format!("(drop (call $size (i32.const {handle})))")));
        all.push(Guest::running(&format!("(call $drop (i32.const {handle}))")));
    }
    all.push(Guest::running("(call $drop (local.get $chunk))"));
    all.push(main_module(
        r#"(func (export "run") (param i32 i32 i32) (result i32)
          (call $drop (local.get 0)) (drop (call $size (local.get 0))) (i32.const 64))"#,
    ));
    all.iter().map(Guest::bytes).collect()
}

fn h02() -> Vec<Vec<u8>> {
    let list_of_one = |handle: &str| {
        format!(
            "(i32.store (i32.const 512) {handle})
            (call $poll (i32.const 512) (i32.const 1) (i32.const 256))"
        )
    };
    vec![
        with_streams(&list_of_one("(call $get-stdout)")).bytes(),
        with_streams(&list_of_one("(local.get 0)")).bytes(),
        with_streams("(call $drop (call $get-stdout))").bytes(),
        with_streams("(drop (call $size (call $get-stdout)))").bytes(),
    ]
}

fn h03() -> Vec<Vec<u8>> {
    one(&with_clock("(loop $again (drop (call $subscribe (i64.const -1))) (br $again))"))
}

fn h05() -> Vec<Vec<u8>> {
    one(&main_module(r#"(func (export "run") (param i32 i32 i32) (result i32) (i32.const 64))"#))
}

/// A handler with streams.
fn with_streams(body: &str) -> Guest {
    main_module(&format!(
        r#"(import "host" "poll" (func $poll (param i32 i32 i32)))
        (import "host" "get-stdout" (func $get-stdout (result i32)))
        (import "host" "zeroes" (func $zeroes (param i32 i64 i32)))
        (import "host" "print" (func $print (param i32 i32 i32 i32)))
        (func (export "run") (param i32 i32 i32) (result i32)
          {body} (call $drop (local.get 0)) (i32.const 64))"#
    ))
    .before(wasi::STREAMS)
    .host("poll", "$poll")
    .host("get-stdout", "$get-stdout")
    .host("zeroes", "$zeroes")
    .host("print", "$print")
}

fn h18() -> Vec<Vec<u8>> {
    one(&with_streams("(call $poll (i32.const 0) (i32.const 0) (i32.const 256))"))
}

/// A handler with one function of WASI, of this core type, that traps unless `check` finds the answer harmless.
fn with_function(wasi: &str, name: &str, core_type: &str, body: &str) -> Guest {
    main_module(&format!(
        r#"(import "host" "{name}" (func ${name} {core_type}))
        (func (export "run") (param i32 i32 i32) (result i32)
          {body} (call $drop (local.get 0)) (i32.const 64))"#
    ))
    .before(wasi)
    .host(name, &format!("${name}"))
}

/// Ends the handler if the list whose address and length lie at 256 has an entry.
const UNLESS_EMPTY: &str = "(if (i32.load (i32.const 260)) (then unreachable))";

fn f02() -> Vec<Vec<u8>> {
    let body = format!("(call $directories (i32.const 256)) {UNLESS_EMPTY}");
    one(&with_function(wasi::DIRECTORIES, "directories", "(param i32)", &body))
}

fn s05() -> Vec<Vec<u8>> {
    let body = format!("(call $environment (i32.const 256)) {UNLESS_EMPTY}");
    one(&with_function(wasi::ENVIRONMENT, "environment", "(param i32)", &body))
}

fn n01() -> Vec<Vec<u8>> {
    // Byte 0 is 1 for an error, byte 4 its code: 1 is `access-denied`.
    let body = "(call $socket (i32.const 0) (i32.const 256))
        (if (i32.ne (i32.load8_u (i32.const 256)) (i32.const 1)) (then unreachable))
        (if (i32.ne (i32.load8_u (i32.const 260)) (i32.const 1)) (then unreachable))";
    one(&with_function(wasi::SOCKETS, "socket", "(param i32 i32)", body))
}

fn t01() -> Vec<Vec<u8>> {
    let body = "(call $random (i64.const 1099511627776) (i32.const 256))";
    one(&with_function(wasi::RANDOM, "random", "(param i64 i32)", body))
}

fn o01() -> Vec<Vec<u8>> {
    one(&Guest::running(
        "(loop $again
          (call $write (i32.const 0) (i32.const 65536) (i32.const 256))
          (br $again))",
    ))
}

fn o04() -> Vec<Vec<u8>> {
    each(["-1", "9223372036854775807", "1099511627776", "1048576"], |count| {
        with_streams(&format!(
            "(call $zeroes (call $get-stdout) (i64.const {count}) (i32.const 256))"
        ))
    })
}

fn o05() -> Vec<Vec<u8>> {
    one(&with_streams(
        "(drop (memory.grow (i32.const 100)))
        (call $print (call $get-stdout) (i32.const 0) (i32.const 5000000) (i32.const 256))",
    ))
}

fn o10() -> Vec<Vec<u8>> {
    each([0, 1], |status| {
        let body = format!("(call $exit (i32.const {status}))");
        with_function(wasi::EXIT, "exit", "(param i32)", &body)
    })
}

fn s01() -> Vec<Vec<u8>> {
    let guest = main_module(
        r#"(global $mark (mut i32) (i32.const 0))
        (table $table 4 funcref)
        (elem declare func $size)
        (func (export "run") (param i32 i32 i32) (result i32)
          (i32.store8 (i32.const 512)
            (i32.add (i32.const 48)
              (i32.or (global.get $mark)
                (i32.or (i32.load (i32.const 40000))
                  (i32.eqz (ref.is_null (table.get $table (i32.const 3))))))))
          (call $write (i32.const 512) (i32.const 1) (i32.const 256))
          (global.set $mark (i32.const 1))
          (i32.store (i32.const 40000) (i32.const 1))
          (table.set $table (i32.const 3) (ref.func $size))
          (call $drop (local.get 0)) (i32.const 64))"#,
    );
    // The same one often: it meets what it left itself.
    vec![guest.bytes(); 50]
}

fn b01() -> Vec<Vec<u8>> {
    let sound = Guest::running("").bytes();
    let cuts = (0..16).chain((16..sound.len()).step_by(sound.len() / 20));
    cuts.map(|length| sound[..length].to_vec()).collect()
}

fn b03() -> Vec<Vec<u8>> {
    vec![
        component("(module)"),
        Vec::new(),
        b"\0".to_vec(),
        b"\x7fELF\x02\x01\x01\0\0\0\0\0\0\0\0\0".to_vec(),
        b"(component)".to_vec(),
        b"\x1f\x8b\x08\0\0\0\0\0".to_vec(),
        b"\0asm\x0e\0\x01\0".to_vec(),
        b"\0asm".to_vec(),
    ]
}

fn b06() -> Vec<Vec<u8>> {
    let unknown = r#"
        (import "wasi:cli/environment@0.9.0" (instance))
        (import "acme:secret/door@1.0.0" (instance (export "open" (func))))
        (import "pframe:task/input@2.0.0" (instance))
        (import "plain" (func))"#;
    one(&Guest::running("").before(unknown))
}

fn b09() -> Vec<Vec<u8>> {
    let mut types = ComponentTypeSection::new();
    types.function().params::<[_; 0], ComponentValType>([]).result(None);
    let mut imports = ComponentImportSection::new();
    for number in 0..100_001 {
        imports.import(format!("i{number}"), ComponentTypeRef::Func(0));
    }
    let mut many = Component::new();
    many.section(&types).section(&imports);
    let long = format!(r#"(import "{}" (func))"#, "x".repeat(100_001));
    let names = format!(r#"(core module (func (export "{}")))"#, "y".repeat(100_001));
    let mut all = each([long, names], |before| Guest::running("").before(&before));
    all.push(many.finish());
    all
}

fn b16() -> Vec<Vec<u8>> {
    let mut text =
        String::from("(component $a0 (core module $m) (core instance (instantiate $m)))");
    for level in 1..=14 {
        let below = level - 1;
        text += &format!(
            "(component $a{level} (alias outer 1 $a{below} (component $b))
              (instance (instantiate $b)) (instance (instantiate $b)))"
        );
    }
    text += "(instance (instantiate $a14))";
    one(&Guest::running("").before(&text))
}

fn b19() -> Vec<Vec<u8>> {
    one(&main_module(&format!("(table 10000001 funcref) {HONEST_RUN}")))
}

/// Debugging information is not read, so that what it says does not matter.
fn b21() -> Vec<Vec<u8>> {
    let names = [".debug_info", ".debug_abbrev", ".debug_line", "name", "sourceMappingURL"];
    let noise = r"\ff\ff\ff\7f".repeat(200_000);
    let sections = names.map(|name| format!(r#"(@custom "{name}" "{noise}")"#)).concat();
    let mut bytes = honest();
    let module = component(&format!("(component (core module {sections}))"));
    // The honest handler, with the module of the other component behind it.
    bytes.extend_from_slice(&module[8..]);
    vec![bytes]
}

fn b23() -> Vec<Vec<u8>> {
    let features = [
        "(memory i64 1)",
        "(memory 1 1 shared)",
        "(func $f (return_call $f))",
        "(tag) (func (throw 0))",
        "(type (struct))",
        "(func (param (ref func)))",
        "(global i32 (i32.add (i32.const 1) (i32.const 2)))",
        "(func (param v128) (result v128) (i8x16.relaxed_swizzle (local.get 0) (local.get 0)))",
    ];
    each(features, |fields| Guest::running("").before(&format!("(core module {fields})")))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn every_case_has_a_name_of_its_own_and_components_that_can_be_made() {
        let names: BTreeSet<&str> = CASES.iter().map(|case| case.name).collect();
        assert_eq!(names.len(), CASES.len());
        for case in CASES {
            assert!(!(case.variants)().is_empty(), "{}", case.name);
        }
    }
}
