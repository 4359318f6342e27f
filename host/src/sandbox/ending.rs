//! Why an attempt ended: from wasmtime's error, or from the limit that was recorded before it, to a fault.
//!
//! Owns: the mapping, which looks at types first and at wasmtime's own wording only where it has no type.
//! Never: looks at text that a guest wrote.

use pframe_core::fault::{Code, Fault, GuestText};
use pframe_core::units::{ByteSize, Fuel};
use wasmtime::{Trap, WasmBacktrace};
use wasmtime_wasi::I32Exit;

use super::state::{AttemptState, HANDLES_MAX, HOSTCALL_BYTES_MAX};
use crate::capability::RANDOM_BYTES_MAX;

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
        None => untyped(error),
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
fn untyped(error: &wasmtime::Error) -> Fault {
    let text = error.root_cause().to_string();
    if text.contains("fuel allocated for hostcalls has been exhausted") {
        let limit = ByteSize(HOSTCALL_BYTES_MAX as u64);
        return Fault::new(Code::HostcallData).hit("data of one call", limit, "more");
    }
    if text.contains("store handle limit exceeded") || text.contains("resource table has no free keys") {
        return Fault::new(Code::Handles).hit("handles", HANDLES_MAX, "more");
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

fn backtrace(error: &wasmtime::Error) -> Vec<GuestText> {
    let Some(backtrace) = error.downcast_ref::<WasmBacktrace>() else { return Vec::new() };
    let frames = backtrace.frames().iter().take(FRAMES_MAX);
    frames
        .map(|frame| match frame.func_name() {
            Some(name) => GuestText::new(&rustc_demangle(name)),
            None => GuestText::new(&format!("function {}", frame.func_index())),
        })
        .collect()
}

/// Drops the hash that rustc appends (`…::h0123456789abcdef`); other names pass as they are.
fn rustc_demangle(name: &str) -> String {
    match name.rsplit_once("::h") {
        Some((path, hash)) if hash.len() == 16 && hash.bytes().all(|b| b.is_ascii_hexdigit()) => {
            path.to_owned()
        }
        _ => name.to_owned(),
    }
}
