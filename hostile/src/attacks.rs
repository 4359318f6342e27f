//! What each attack is made of: a function for each id, which makes one component for each variant.
//!
//! Owns: the hostile components themselves, and the honest one that must not suffer.
//! Never: says how an attack must end; the list in `cases.rs` does.

use wasm_encoder::{
    Component, ComponentImportSection, ComponentTypeRef, ComponentTypeSection, ComponentValType,
};

use crate::guest::{Guest, IMPORTS, component};
use crate::wasi;

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

pub(crate) fn c01() -> Vec<Vec<u8>> {
    one(&Guest::running(LOOP))
}

pub(crate) fn c02() -> Vec<Vec<u8>> {
    one(&main_module(&format!("(func $start {LOOP}) (start $start) {HONEST_RUN}")))
}

pub(crate) fn c03() -> Vec<Vec<u8>> {
    let libc = r#"(memory (export "memory") 1)
        (func (export "realloc") (param i32 i32 i32 i32) (result i32)
          (loop $again (br $again)) (i32.const 0))"#;
    one(&Guest::running("").libc(libc))
}

pub(crate) fn c04() -> Vec<Vec<u8>> {
    let post = format!(r#"(func (export "post") (param i32) {LOOP})"#);
    one(&main_module(&format!("{HONEST_RUN} {post}")).post_return("post"))
}

pub(crate) fn c11() -> Vec<Vec<u8>> {
    one(&Guest::running(
        "(drop (memory.grow (i32.const 1600)))
        (loop $again
          (memory.fill (i32.const 0) (i32.const 7) (i32.const 104857600))
          (memory.copy (i32.const 0) (i32.const 1) (i32.const 104857599))
          (br $again))",
    ))
}

pub(crate) fn c12() -> Vec<Vec<u8>> {
    let grow = "(loop $again
        (drop (table.grow $table (ref.null func) (i32.const -1)))
        (br $again))";
    one(&main_module(&format!(
        r#"(table $table 1 10 funcref)
        (func (export "run") (param i32 i32 i32) (result i32) {grow} (i32.const 64))"#
    )))
}

pub(crate) fn c14() -> Vec<Vec<u8>> {
    let body = "(loop $again
        (call $read (local.get $chunk) (i64.const 0) (i32.const 1) (i32.const 256))
        (br $again))";
    let libc = r#"(memory (export "memory") 1)
        (func (export "realloc") (param i32 i32 i32 i32) (result i32) (i32.const 1024))"#;
    one(&Guest::running(body).libc(libc))
}

pub(crate) fn c15() -> Vec<Vec<u8>> {
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

pub(crate) fn c16() -> Vec<Vec<u8>> {
    one(&with_clock("(call $block (call $subscribe (i64.const -1)))"))
}

pub(crate) fn c17() -> Vec<Vec<u8>> {
    one(&with_clock(
        "(local i32) (local.set 3 (call $subscribe (i64.const 0)))
        (loop $again (call $block (local.get 3)) (br $again))",
    ))
}

pub(crate) fn m01() -> Vec<Vec<u8>> {
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

pub(crate) fn m02() -> Vec<Vec<u8>> {
    let libc = r#"(memory (export "memory") 65536)
        (func (export "realloc") (param i32 i32 i32 i32) (result i32) (i32.const 1024))"#;
    one(&Guest::running("").libc(libc))
}

pub(crate) fn m04() -> Vec<Vec<u8>> {
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

pub(crate) fn m04_start() -> Vec<Vec<u8>> {
    one(&main_module(&format!("(table 4294967295 funcref) {HONEST_RUN}")))
}

pub(crate) fn m05() -> Vec<Vec<u8>> {
    let instances = "(core instance (instantiate $block))".repeat(100);
    one(&Guest::running("").before(&format!("(core module $block (memory 1)) {instances}")))
}

pub(crate) fn m08() -> Vec<Vec<u8>> {
    let pieces = r#"(data "x")"#.repeat(100_001);
    one(&Guest::running("").before(&format!("(core module (memory 1) {pieces})")))
}

pub(crate) fn m09() -> Vec<Vec<u8>> {
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

pub(crate) fn a01() -> Vec<Vec<u8>> {
    let lies =
        [(70_000, 10), (65_530, 100), (-1, 1), (0, -1), (0, 1 << 28), (0, i64::from(i32::MAX))];
    each(lies, failing_with)
}

pub(crate) fn a04() -> Vec<Vec<u8>> {
    each([65, 66, 67, 65_536, -4, -1], |pointer| {
        main_module(&format!(
            r#"(func (export "run") (param i32 i32 i32) (result i32)
              (call $drop (local.get 0)) (i32.const {pointer}))"#
        ))
    })
}

pub(crate) fn a05() -> Vec<Vec<u8>> {
    each([(600, 2), (602, 3), (605, 1), (600, 6)], failing_with)
}

pub(crate) fn a09() -> Vec<Vec<u8>> {
    each(["(i32.const 65535)", "(i32.const 65536)", "(i32.const -1)", "unreachable"], |body| {
        Guest::running("").libc(&format!(
            r#"(memory (export "memory") 1)
            (func (export "realloc") (param i32 i32 i32 i32) (result i32) {body})"#
        ))
    })
}

pub(crate) fn a12() -> Vec<Vec<u8>> {
    let run = r#"(data (i32.const 512) "a result")
        (func (export "run") (param i32 i32 i32) (result i32)
          (call $write (i32.const 512) (i32.const 8) (i32.const 256))
          (call $drop (local.get 0)) (i32.const 64))
        (func (export "post") (param i32) unreachable)"#;
    one(&main_module(run).post_return("post"))
}

pub(crate) fn a13() -> Vec<Vec<u8>> {
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

pub(crate) fn a16() -> Vec<Vec<u8>> {
    one(&Guest::running(
        "(drop (memory.grow (i32.const 2000)))
        (call $write (i32.const 0) (i32.const 104857600) (i32.const 256))",
    ))
}

pub(crate) fn a16_outside() -> Vec<Vec<u8>> {
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

pub(crate) fn a21() -> Vec<Vec<u8>> {
    let lies = [(65_530, 100), (-1, 1), (0, -1), (0, 1 << 29), (600, 4), (602, 2)];
    each(lies, between)
}

pub(crate) fn a21_honest() -> Vec<Vec<u8>> {
    each([(0, 0), (0, 4), (0, 599)], between)
}

pub(crate) fn h01() -> Vec<Vec<u8>> {
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

pub(crate) fn h02() -> Vec<Vec<u8>> {
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

pub(crate) fn h03() -> Vec<Vec<u8>> {
    one(&with_clock("(loop $again (drop (call $subscribe (i64.const -1))) (br $again))"))
}

pub(crate) fn h05() -> Vec<Vec<u8>> {
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

pub(crate) fn h18() -> Vec<Vec<u8>> {
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

pub(crate) fn f02() -> Vec<Vec<u8>> {
    let body = format!("(call $directories (i32.const 256)) {UNLESS_EMPTY}");
    one(&with_function(wasi::DIRECTORIES, "directories", "(param i32)", &body))
}

pub(crate) fn s05() -> Vec<Vec<u8>> {
    let body = format!("(call $environment (i32.const 256)) {UNLESS_EMPTY}");
    one(&with_function(wasi::ENVIRONMENT, "environment", "(param i32)", &body))
}

pub(crate) fn n01() -> Vec<Vec<u8>> {
    // Byte 0 is 1 for an error, byte 4 its code: 1 is `access-denied`.
    let body = "(call $socket (i32.const 0) (i32.const 256))
        (if (i32.ne (i32.load8_u (i32.const 256)) (i32.const 1)) (then unreachable))
        (if (i32.ne (i32.load8_u (i32.const 260)) (i32.const 1)) (then unreachable))";
    one(&with_function(wasi::SOCKETS, "socket", "(param i32 i32)", body))
}

pub(crate) fn t01() -> Vec<Vec<u8>> {
    let body = "(call $random (i64.const 1099511627776) (i32.const 256))";
    one(&with_function(wasi::RANDOM, "random", "(param i64 i32)", body))
}

pub(crate) fn o01() -> Vec<Vec<u8>> {
    one(&Guest::running(
        "(loop $again
          (call $write (i32.const 0) (i32.const 65536) (i32.const 256))
          (br $again))",
    ))
}

pub(crate) fn o04() -> Vec<Vec<u8>> {
    each(["-1", "9223372036854775807", "1099511627776", "1048576"], |count| {
        with_streams(&format!(
            "(call $zeroes (call $get-stdout) (i64.const {count}) (i32.const 256))"
        ))
    })
}

pub(crate) fn o05() -> Vec<Vec<u8>> {
    one(&with_streams(
        "(drop (memory.grow (i32.const 100)))
        (call $print (call $get-stdout) (i32.const 0) (i32.const 5000000) (i32.const 256))",
    ))
}

pub(crate) fn o10() -> Vec<Vec<u8>> {
    each([0, 1], |status| {
        let body = format!("(call $exit (i32.const {status}))");
        with_function(wasi::EXIT, "exit", "(param i32)", &body)
    })
}

pub(crate) fn s01() -> Vec<Vec<u8>> {
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

pub(crate) fn b01() -> Vec<Vec<u8>> {
    let sound = Guest::running("").bytes();
    let cuts = (0..16).chain((16..sound.len()).step_by(sound.len() / 20));
    cuts.map(|length| sound[..length].to_vec()).collect()
}

pub(crate) fn b03() -> Vec<Vec<u8>> {
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

pub(crate) fn b06() -> Vec<Vec<u8>> {
    let unknown = r#"
        (import "wasi:cli/environment@0.9.0" (instance))
        (import "acme:secret/door@1.0.0" (instance (export "open" (func))))
        (import "pframe:task/input@2.0.0" (instance))
        (import "plain" (func))"#;
    one(&Guest::running("").before(unknown))
}

pub(crate) fn b09() -> Vec<Vec<u8>> {
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

pub(crate) fn b16() -> Vec<Vec<u8>> {
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

pub(crate) fn b19() -> Vec<Vec<u8>> {
    one(&main_module(&format!("(table 10000001 funcref) {HONEST_RUN}")))
}

/// Debugging information is not read, so that what it says does not matter.
pub(crate) fn b21() -> Vec<Vec<u8>> {
    let names = [".debug_info", ".debug_abbrev", ".debug_line", "name", "sourceMappingURL"];
    let noise = r"\ff\ff\ff\7f".repeat(200_000);
    let sections = names.map(|name| format!(r#"(@custom "{name}" "{noise}")"#)).concat();
    let mut bytes = honest();
    let module = component(&format!("(component (core module {sections}))"));
    // The honest handler, with the module of the other component behind it.
    bytes.extend_from_slice(&module[8..]);
    vec![bytes]
}

pub(crate) fn b23() -> Vec<Vec<u8>> {
    let features = [
        "(memory i64 1)",
        "(memory 1 1 shared)",
        "(func $f (return_call $f))",
        "(tag) (func (throw 0))",
        "(type (struct))",
        "(func (param (ref func)))",
        "(func (param v128) (result v128) (i8x16.relaxed_swizzle (local.get 0) (local.get 0)))",
    ];
    each(features, |fields| Guest::running("").before(&format!("(core module {fields})")))
}
