//! Components that are made to hurt the compiler: it has a process, limits and an end of its own.

use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use pframe_core::fault::{Code, Fault};
use pframe_host::Job;
use pframe_tests::canary::beside_a_canary;
use pframe_tests::component::Guest;
use pframe_tests::house::{House, job, task, unique_id};
use pframe_tests::program::binary;

/// What a compiler may take, with the time to start and end it on a busy machine.
const PATIENCE: Duration = Duration::from_secs(100);
/// What the host itself may grow by: it holds the component's bytes and what was made of them.
const GROWTH_MAX: u64 = 256 << 20;

/// The section of a component that holds a core module.
const CORE_MODULE: u8 = 1;

fn resident_bytes() -> u64 {
    let statm = std::fs::read_to_string("/proc/self/statm").expect("/proc is there");
    let pages = statm.split(' ').nth(1).and_then(|text| text.parse::<u64>().ok());
    pages.expect("a number of pages") * 4096
}

/// Registers an honest component that brings such a core module along, twice, beside a canary.
#[track_caller]
fn explode(module: &[u8]) -> Result<(), Fault> {
    // One after the other: the host's memory is measured.
    static TURN: Mutex<()> = Mutex::new(());
    let _turn = TURN.lock().unwrap_or_else(PoisonError::into_inner);
    // Guests on threads, compilers in children.
    let cache = tempfile::tempdir().expect("a folder");
    let house = House::with(|builder| builder.worker_program(binary()).cache_dir(cache.path()));
    let bytes = [Guest::running("").bytes(), section(CORE_MODULE, module)].concat();
    let name = task(&format!("bomb-{}", unique_id()));
    let before = resident_bytes();
    let started = Instant::now();
    let ended = beside_a_canary(&house, || house.engine.register_component(&name, bytes.clone()));
    let took = started.elapsed();
    assert!(took < PATIENCE, "it took {took:?}");
    let grown = resident_bytes().saturating_sub(before);
    assert!(grown < GROWTH_MAX, "the host grew by {grown} bytes");
    let again = Instant::now();
    let second = house.engine.register_component(&name, bytes);
    assert!(again.elapsed() < Duration::from_secs(2), "it was not remembered");
    assert_eq!(ended.is_ok(), second.is_ok());
    if ended.is_ok() {
        assert_eq!(house.run(Job { task: name, ..job("tiny", "") }).text(), "");
    }
    ended.map(drop)
}

/// A number as WebAssembly writes it.
fn leb128(mut number: usize) -> Vec<u8> {
    let mut bytes = Vec::new();
    loop {
        let low = u8::try_from(number & 0x7f).expect("seven bits");
        number >>= 7;
        if number == 0 {
            bytes.push(low);
            return bytes;
        }
        bytes.push(low | 0x80);
    }
}

fn section(id: u8, content: &[u8]) -> Vec<u8> {
    [&[id], &*leb128(content.len()), content].concat()
}

/// A core module: so many functions of one body.
fn module(functions: usize, body: &[u8]) -> Vec<u8> {
    let types = section(1, &[1, 0x60, 0, 0]);
    let declared = [leb128(functions), vec![0; functions]].concat();
    let sized = [leb128(body.len()), body.to_vec()].concat();
    let code = [leb128(functions), sized.repeat(functions)].concat();
    let header = b"\0asm\x01\0\0\0".to_vec();
    [header, types, section(3, &declared), section(10, &code)].concat()
}

#[test]
fn b10_one_function_of_4_mib() {
    let mut body = vec![0];
    body.extend(b"\x41\x01\x1a".repeat((4 << 20) / 3));
    body.push(0x0b);
    let ended = explode(&module(1, &body));
    assert!(ended.is_ok() || is_about_the_component(&ended), "{ended:?}");
}

#[test]
fn b11_fifty_thousand_locals_in_each_of_a_thousand_functions() {
    let locals = [vec![1], leb128(49_999), vec![0x7f, 0x0b]].concat();
    let ended = explode(&module(1_000, &locals));
    assert!(ended.is_ok() || is_about_the_component(&ended), "{ended:?}");
}

#[test]
fn b13_a_hundred_thousand_blocks_in_blocks() {
    // A million take the compiler to its limit of a minute: `cargo xtask test --slow` waits for that.
    let depth = if std::env::var_os("PFRAME_SLOW").is_some() { 1_000_000 } else { 100_000 };
    let mut body = vec![0];
    body.extend(b"\x02\x40".repeat(depth));
    body.extend(b"\x0b".repeat(depth + 1));
    let ended = explode(&module(1, &body));
    assert!(ended.is_ok() || is_about_the_component(&ended), "{ended:?}");
}

/// So many values on the stack at once, then added up from the last to the first, in many functions.
fn living_values(values: usize, functions: usize) -> Vec<u8> {
    let mut body = [vec![1], leb128(values), vec![0x7f]].concat();
    for local in 0..values {
        body.extend([&[0x20], &*leb128(local)].concat());
    }
    body.extend(b"\x6a".repeat(values - 1));
    body.extend(b"\x1a\x0b");
    module(functions, &body)
}

/// A tenant's bombs fill his own two places, and the next tenant finds one free.
#[test]
fn b24_many_bombs_of_one_tenant_hold_up_nobody_else() {
    let cache = tempfile::tempdir().expect("a folder");
    let house = House::with(|builder| builder.worker_program(binary()).cache_dir(cache.path()));
    let honest = |number: usize| Guest::running(&"(nop)".repeat(number)).bytes();
    let compile = |tenant: &str, bytes: Vec<u8>| {
        let (tenant, name) = (tenant.parse().unwrap(), task(&format!("b24-{}", unique_id())));
        let started = Instant::now();
        let ended = house.engine.register_component_of(&tenant, &name, bytes);
        (ended, started.elapsed())
    };
    let (_, alone) = compile("good", honest(1));
    let exploded = std::sync::atomic::AtomicUsize::new(0);
    std::thread::scope(|scope| {
        for number in 0..6 {
            let (compile, exploded) = (&compile, &exploded);
            scope.spawn(move || {
                let bomb = section(CORE_MODULE, &living_values(3_000 + number, 100));
                let _ = compile("evil", [honest(100 + number), bomb].concat());
                exploded.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
            });
        }
        std::thread::sleep(Duration::from_millis(300));
        for number in 2..5 {
            let (ended, took) = compile("good", honest(number));
            assert!(ended.is_ok(), "{ended:?}");
            assert!(took < alone * 4 + Duration::from_secs(1), "{took:?}, {alone:?} alone");
        }
        // The crowd's own wish for a component that everybody wants stands behind its bombs, and holds up nobody.
        let popular = honest(7);
        let of_the_crowd = scope.spawn({
            let (compile, popular) = (&compile, popular.clone());
            move || compile("evil", popular)
        });
        std::thread::sleep(Duration::from_millis(100));
        let (ended, took) = compile("good", popular);
        assert!(ended.is_ok(), "{ended:?}");
        assert!(took < alone * 4 + Duration::from_secs(1), "{took:?}, {alone:?} alone");
        drop(of_the_crowd);
        let done = exploded.load(std::sync::atomic::Ordering::Relaxed);
        // Two fill both places of the crowd still.
        assert!(done < 5, "{done} bombs are through: they were too small to tell");
    });
}

#[test]
fn b18_a_function_whose_values_all_live_to_its_end() {
    let ended = explode(&living_values(20_000, 50));
    assert!(ended.is_ok() || is_about_the_component(&ended), "{ended:?}");
}

fn is_about_the_component(ended: &Result<(), Fault>) -> bool {
    let codes =
        [Code::CompileFailed, Code::CompileLimit, Code::ComponentMalformed, Code::Instances];
    ended.as_ref().is_err_and(|fault| codes.contains(&fault.code))
}
