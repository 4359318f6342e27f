//! What one store holds: everything that an attempt may touch, and the counters that bound it.
//!
//! Owns: the store's data and the caps that are the same for every attempt.
//! Never: outlives its attempt.

use std::time::Instant;

use pframe_core::fault::{Code, Fault};
use pframe_core::limits::Limits;
use pframe_core::units::show_duration;
use wasmtime::{CallHook, Store, StoreContextMut, UpdateDeadline};
use wasmtime_wasi::{WasiCtxView, WasiView};
use wasmtime_wasi_http::{WasiHttpCtxView, WasiHttpView};

use super::engine::Sandbox;
use super::limiter::Limiter;
use super::meter::CpuTime;
use super::stop::Stop;
use crate::capability::{Capabilities, Guest};

/// Bytes that a guest may pass to the host in one call; lifting charges each.
pub(crate) const HOSTCALL_BYTES_MAX: usize = 8 << 20;
/// Component-model handles of one attempt.
pub(crate) const HANDLES_MAX: usize = 10_000;
/// Fuel for each call from the guest into the host: about what a call costs the host, in guest instructions.
const FUEL_PER_CALL: u64 = 400;
/// Bytes that cross the border for one unit of fuel.
pub(super) const BYTES_PER_FUEL: u64 = 4;

/// When an attempt must end, besides running out of fuel.
pub(crate) struct Watch {
    pub(crate) started: Instant,
    pub(crate) deadline: Instant,
    pub(crate) limits: Limits,
    pub(crate) cpu: CpuTime,
    pub(crate) stop: Stop,
}

impl Watch {
    pub(crate) fn new(limits: Limits, stop: Stop) -> Self {
        let started = Instant::now();
        Self { started, deadline: started + limits.timeout, limits, cpu: CpuTime::default(), stop }
    }

    /// The fault of an attempt past its deadline.
    pub(crate) fn deadline_fault(&self) -> Fault {
        let used = show_duration(self.started.elapsed());
        Fault::new(Code::Deadline).hit("timeout", show_duration(self.limits.timeout), used)
    }

    /// The reason to end now, asked from inside compiled code.
    pub(super) fn verdict(&self) -> Option<Fault> {
        if let Some(fault) = self.stop.requested() {
            return Some(fault);
        }
        if Instant::now() >= self.deadline {
            return Some(self.deadline_fault());
        }
        let (limit, used) = (self.limits.cpu?, self.cpu.now());
        (used > limit).then(|| {
            Fault::new(Code::Cpu).hit("limits.cpu", show_duration(limit), show_duration(used))
        })
    }
}

/// The data of one store.
pub(crate) struct AttemptState {
    capabilities: Capabilities,
    pub(crate) limiter: Limiter,
    pub(crate) watch: Watch,
    fault: Option<Fault>,
    /// How deep guest code is nested: 1 while the guest runs, 2 while the host calls its `realloc`.
    guest_depth: u32,
}

impl AttemptState {
    pub(crate) fn new(capabilities: Capabilities, watch: Watch) -> Self {
        let limiter = Limiter::new(watch.limits.memory);
        Self { capabilities, limiter, watch, fault: None, guest_depth: 0 }
    }

    /// Records why the attempt ends and makes the error that ends it.
    pub(crate) fn end(&mut self, fault: Fault) -> wasmtime::Error {
        self.fault.get_or_insert(fault);
        wasmtime::Error::msg("ended by the host")
    }

    /// The reason recorded by whoever ended the attempt from inside.
    pub(crate) fn take_fault(&mut self) -> Option<Fault> {
        let inner = self.fault.take().or_else(|| self.limiter.take_fault());
        inner.or_else(|| self.capabilities.take_fault())
    }
}

impl Guest for AttemptState {
    fn capabilities(&mut self) -> &mut Capabilities {
        &mut self.capabilities
    }
}

impl WasiView for AttemptState {
    fn ctx(&mut self) -> WasiCtxView<'_> {
        self.capabilities.wasi_view()
    }
}

impl WasiHttpView for AttemptState {
    fn http(&mut self) -> WasiHttpCtxView<'_> {
        self.capabilities.http_view()
    }
}

/// A fresh store with every limit in force.
pub(crate) fn store(
    sandbox: &Sandbox,
    state: AttemptState,
) -> wasmtime::Result<Store<AttemptState>> {
    let fuel = state.watch.limits.fuel.map_or(u64::MAX, |fuel| fuel.0);
    let mut store = Store::new(sandbox.engine(), state);
    store.limiter(|state| &mut state.limiter);
    store.set_fuel(fuel)?;
    store.set_hostcall_fuel(HOSTCALL_BYTES_MAX);
    store.set_max_component_handles(HANDLES_MAX);
    store.set_epoch_deadline(1);
    store.epoch_deadline_callback(at_tick);
    store.call_hook(at_border);
    Ok(store)
}

/// At each tick of the epoch: end, or let the neighbours on this thread have a turn.
///
/// `YieldCustom` with tokio's own yield, because a plain yield is polled again before anything else.
fn at_tick(mut context: StoreContextMut<'_, AttemptState>) -> wasmtime::Result<UpdateDeadline> {
    let state = context.data_mut();
    match state.watch.verdict() {
        Some(fault) => Err(state.end(fault)),
        None => Ok(UpdateDeadline::YieldCustom(1, Box::pin(tokio::task::yield_now()))),
    }
}

/// At each crossing of the border: charges calls into the host when they return, by a fixed table, so that
/// fuel stays deterministic.
///
/// wasmtime tells of its own helpers (growing a memory, a tick of the epoch) like of host functions, but
/// around those compiled code keeps its fuel in a register: to write the counter there would lose what the
/// guest has burnt. So only calls that [`Capabilities`] counted are charged, and only when they return to
/// the outermost guest code; a host function that calls `realloc` is charged once it is done.
fn at_border(
    mut context: StoreContextMut<'_, AttemptState>,
    hook: CallHook,
) -> wasmtime::Result<()> {
    let state = context.data_mut();
    match hook {
        CallHook::CallingWasm => state.guest_depth += 1,
        CallHook::ReturningFromWasm => state.guest_depth -= 1,
        CallHook::CallingHost => {}
        CallHook::ReturningFromHost => return charge(context),
    }
    Ok(())
}

fn charge(mut context: StoreContextMut<'_, AttemptState>) -> wasmtime::Result<()> {
    let state = context.data_mut();
    if !state.capabilities.has_called || state.guest_depth != 1 {
        return Ok(());
    }
    state.capabilities.has_called = false;
    let bytes = std::mem::take(&mut state.capabilities.uncharged_bytes);
    let charge = FUEL_PER_CALL + bytes / BYTES_PER_FUEL;
    let left = context.get_fuel()?;
    if left < charge {
        context.set_fuel(0)?;
        return Err(wasmtime::Trap::OutOfFuel.into());
    }
    context.set_fuel(left - charge)
}
