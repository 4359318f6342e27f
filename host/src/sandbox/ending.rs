//! Why an attempt ended: from wasmtime's error, or from the limit that was recorded before it, to a fault.
//!
//! Owns: the mapping, which looks at types first and at wasmtime's own wording only where it has no type.
//! Never: looks at text that a guest wrote.

use pframe_core::fault::{Code, Fault, GuestText};
use pframe_core::units::{ByteSize, Fuel};
use wasmtime::{FrameInfo, Trap, WasmBacktrace};
use wasmtime_wasi::I32Exit;

use super::state::{AttemptState, HANDLES_MAX, HOSTCALL_BYTES_MAX};
use crate::capability::{Guest, RANDOM_BYTES_MAX};

/// Frames of a guest backtrace that a report shows.
const FRAMES_MAX: usize = 8;

/// Names the fault behind an error of wasmtime.
pub(crate) fn fault_of(error: &wasmtime::Error, state: &mut AttemptState, fuel: Fuel) -> Fault {
    if let Some(recorded) = state.take_fault() {
        return recorded;
    }
    if let Some(I32Exit(status)) = error.downcast_ref::<I32Exit>() {
        return Fault::new(Code::NoResult).detail(format!("it exited with status {status}"));
    }
    let mut fault = match error.downcast_ref::<Trap>() {
        Some(Trap::OutOfFuel) => out_of_fuel(state, fuel),
        Some(Trap::StackOverflow) => Fault::new(Code::StackOverflow),
        Some(trap) => Fault::new(Code::Trap).detail(trap.to_string()),
        None => untyped(error, state),
    };
    fault.backtrace = backtrace(error);
    fault
}

fn out_of_fuel(state: &AttemptState, used: Fuel) -> Fault {
    match state.watch.limits.fuel {
        Some(limit) => Fault::new(Code::Fuel).hit("limits.fuel", limit, format!("at least {used}")),
        None => Fault::new(Code::Bug).detail("fuel ran out although it was not limited"),
    }
}

/// Limits of wasmtime that have no public error type in 48.0.8. Each text is pinned by a test with a real guest.
fn untyped(error: &wasmtime::Error, state: &mut AttemptState) -> Fault {
    let text = error.root_cause().to_string();
    if text.contains("fuel allocated for hostcalls has been exhausted") {
        let limit = ByteSize(HOSTCALL_BYTES_MAX as u64);
        return Fault::new(Code::HostcallData).hit("data of one call", limit, "more");
    }
    if text.contains("store handle limit exceeded") {
        return Fault::new(Code::Handles).hit("handles", HANDLES_MAX, "more");
    }
    if text.contains("resource table has no free keys") {
        let limit = state.capabilities().resources_max();
        return Fault::new(Code::Handles).hit("handles", limit, "more");
    }
    if text.starts_with("requested len") && text.contains("exceeds limit") {
        let limit = ByteSize(RANDOM_BYTES_MAX);
        return Fault::new(Code::Random).hit("random bytes of one call", limit, "more");
    }
    if text.contains("maximum concurrent") {
        return Fault::new(Code::PoolExhausted);
    }
    if text.contains("instance count too high")
        || text.contains("memory count too high")
        || text.contains("table count too high")
    {
        return Fault::new(Code::Instances);
    }
    // What is left are violations of the canonical ABI (bad pointers, bad handles, bad text): traps in
    // all but name. The text is wasmtime's, but may quote the guest.
    Fault::new(Code::Trap).detail(GuestText::new(&text).as_str())
}

/// The guest's own functions, innermost first. What a panic runs through on its way out is left out:
/// it is the same in every panic and would push the interesting frames off the list.
fn backtrace(error: &wasmtime::Error) -> Vec<GuestText> {
    let Some(backtrace) = error.downcast_ref::<WasmBacktrace>() else { return Vec::new() };
    let names: Vec<String> = backtrace.frames().iter().map(name_of).collect();
    let own = names.iter().position(|name| !is_panic_machinery(name)).unwrap_or(0);
    names[own..].iter().take(FRAMES_MAX).map(|name| GuestText::new(name)).collect()
}

fn name_of(frame: &FrameInfo) -> String {
    match frame.func_name() {
        Some(name) => format!("{:#}", rustc_demangle::demangle(name)),
        None => format!("function {}", frame.func_index()),
    }
}

fn is_panic_machinery(name: &str) -> bool {
    const STARTS: [&str; 9] = [
        "abort",
        "std::",
        "<std::",
        "core::panicking",
        "core::option::",
        "core::result::",
        "alloc::alloc::",
        "__rustc",
        "rust_",
    ];
    STARTS.iter().any(|start| name.starts_with(start))
}
