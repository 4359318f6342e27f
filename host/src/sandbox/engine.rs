//! The one wasmtime engine of this process and its settings.
//!
//! Owns: which WebAssembly features exist, how much the pool reserves, and the linker.
//! Never: two engines in one process; type indices of two were mixed up once (RUSTSEC-2026-0222).

use std::sync::Arc;

use pframe_core::fault::{Code, Fault};
use pframe_core::units::ByteSize;
use wasmtime::component::Linker;
use wasmtime::{
    Config, Engine, InstanceAllocationStrategy, PoolingAllocationConfig, Strategy,
    WasmBacktraceDetails,
};

use super::state::AttemptState;
use super::ticker::Ticker;
use crate::capability;

/// Stack for WebAssembly frames. Beyond it the guest gets a stack overflow.
const WASM_STACK_BYTES: usize = 512 << 10;
/// Stack of one attempt. What WebAssembly does not take is left for host functions below a full guest stack.
const ATTEMPT_STACK_BYTES: usize = 2 << 20;
/// Table elements in one table of the pool.
const TABLE_ELEMENTS_MAX: usize = 1_000_000;
/// Core instances of one component; a Python component needs 13.
const CORE_INSTANCES_MAX: u32 = 64;
/// Linear memories of one component: its own and an adapter's.
const MEMORIES_MAX: u32 = 4;
/// Tables of one component.
const TABLES_MAX: u32 = 16;
/// Bytes of a linear memory that stay mapped between attempts. 64 to 256 KiB is twice as fast as
/// none on small handlers, a MiB is slower again (DESIGN §8).
const MEMORY_KEPT_BYTES: usize = 128 << 10;
/// Bytes of a stack that stay mapped between attempts; all of it is zeroed. Small handlers need less than 32 KiB of it,
/// and to zero 128 KiB each time costs them a tenth of their time.
const STACK_KEPT_BYTES: usize = 32 << 10;
/// Bytes of a table that stay mapped between attempts.
const TABLE_KEPT_BYTES: usize = 64 << 10;

/// What the sandbox is sized for.
#[derive(Debug, Clone, Copy)]
pub(crate) struct SandboxSettings {
    /// Attempts that are alive at once.
    pub(crate) attempts: u32,
    /// The most memory that one attempt can be granted.
    pub(crate) memory_max: ByteSize,
}

/// The engine, its linker and its clock. Cloned handles share them.
#[derive(Clone)]
pub(crate) struct Sandbox {
    engine: Engine,
    linker: Arc<Linker<AttemptState>>,
    ticker: Arc<Ticker>,
}

impl Sandbox {
    /// Reserves the pool, shrinking it when the machine has not the address space for all of it.
    pub(crate) fn new(settings: SandboxSettings) -> Result<Self, Fault> {
        let engine = reserve(settings)?;
        let mut linker = Linker::new(&engine);
        capability::link(&mut linker)
            .map_err(|error| Fault::new(Code::Bug).detail(format!("linking: {error:#}")))?;
        let ticker = Arc::new(Ticker::new(&engine));
        Ok(Self { engine, linker: Arc::new(linker), ticker })
    }

    pub(crate) fn engine(&self) -> &Engine {
        &self.engine
    }

    pub(crate) fn linker(&self) -> &Linker<AttemptState> {
        &self.linker
    }

    pub(crate) fn ticker(&self) -> &Arc<Ticker> {
        &self.ticker
    }
}

fn reserve(settings: SandboxSettings) -> Result<Engine, Fault> {
    let mut attempts = settings.attempts.max(1);
    loop {
        match Engine::new(&config(attempts, settings.memory_max)) {
            Ok(engine) => return Ok(engine),
            Err(error) if attempts == 1 => {
                return Err(Fault::new(Code::StateUnusable)
                    .detail(format!("cannot reserve memory for one sandbox: {error:#}")));
            }
            Err(error) => {
                attempts /= 2;
                tracing::warn!(attempts, %error, "less address space than wanted, the pool shrinks");
            }
        }
    }
}

/// An engine that only compiles: the same code, and no pool, because a compiler's address space is bounded.
pub(crate) fn compiler() -> wasmtime::Result<Engine> {
    Engine::new(&compiled_for())
}

fn config(attempts: u32, memory_max: ByteSize) -> Config {
    let mut config = compiled_for();
    config.allocation_strategy(InstanceAllocationStrategy::Pooling(pool(attempts, memory_max)));
    config
}

/// Everything that decides what compiled code looks like, and what engines can load it.
fn compiled_for() -> Config {
    let mut config = Config::new();
    config
        .strategy(Strategy::Cranelift)
        .consume_fuel(true)
        .epoch_interruption(true)
        .concurrency_support(false)
        .max_wasm_stack(WASM_STACK_BYTES)
        .async_stack_size(ATTEMPT_STACK_BYTES)
        .async_stack_zeroing(true)
        .memory_init_cow(true)
        .wasm_backtrace_details(WasmBacktraceDetails::Disable)
        .wasm_backtrace_max_frames(std::num::NonZeroUsize::new(20));
    allow_features(&mut config);
    config
}

/// Names every proposal that is on and turns every other off: the advisories of 2026 sit in what is off.
fn allow_features(config: &mut Config) {
    config
        .wasm_simd(true)
        .wasm_bulk_memory(true)
        .wasm_multi_value(true)
        .wasm_component_model(true)
        .wasm_tail_call(false)
        .wasm_relaxed_simd(false)
        // Adapters between the components of one component need it, and `Limiter` counts all memories together.
        .wasm_multi_memory(true)
        .wasm_memory64(false)
        // Python's components place their shared libraries with sums of constants.
        .wasm_extended_const(true)
        .wasm_custom_page_sizes(false)
        .wasm_wide_arithmetic(false);
    config.wasm_features(wasmtime::WasmFeatures::REFERENCE_TYPES, true);
    for off in [
        wasmtime::WasmFeatures::THREADS,
        wasmtime::WasmFeatures::SHARED_EVERYTHING_THREADS,
        wasmtime::WasmFeatures::FUNCTION_REFERENCES,
        wasmtime::WasmFeatures::GC,
        wasmtime::WasmFeatures::EXCEPTIONS,
        wasmtime::WasmFeatures::LEGACY_EXCEPTIONS,
        wasmtime::WasmFeatures::STACK_SWITCHING,
        wasmtime::WasmFeatures::CM_ASYNC,
        wasmtime::WasmFeatures::CM_ERROR_CONTEXT,
        wasmtime::WasmFeatures::CM_GC,
    ] {
        config.wasm_features(off, false);
    }
}

fn pool(attempts: u32, memory_max: ByteSize) -> PoolingAllocationConfig {
    let mut pool = PoolingAllocationConfig::new();
    pool.total_component_instances(attempts)
        // Room for every attempt to have all that one may have: no guest takes a neighbour's.
        .total_core_instances(attempts.saturating_mul(CORE_INSTANCES_MAX))
        .total_memories(attempts.saturating_mul(MEMORIES_MAX))
        .total_tables(attempts.saturating_mul(TABLES_MAX))
        .total_stacks(attempts.saturating_mul(2))
        .max_core_instances_per_component(CORE_INSTANCES_MAX)
        .max_memories_per_component(MEMORIES_MAX)
        .max_memories_per_module(MEMORIES_MAX)
        .max_tables_per_component(TABLES_MAX)
        .max_tables_per_module(TABLES_MAX)
        .table_elements(TABLE_ELEMENTS_MAX)
        .max_memory_size(usize::try_from(memory_max.bytes()).unwrap_or(usize::MAX).min(4 << 30))
        .async_stack_keep_resident(STACK_KEPT_BYTES)
        .linear_memory_keep_resident(MEMORY_KEPT_BYTES)
        .table_keep_resident(TABLE_KEPT_BYTES)
        // Where the kernel can say which pages were touched, only those are cleaned: twice as fast.
        .pagemap_scan(wasmtime::Enabled::Auto)
        .max_unused_warm_slots(attempts.div_ceil(2));
    pool
}
