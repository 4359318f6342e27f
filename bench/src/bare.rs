//! The bare loop: the same component, called by nothing but wasmtime.
//!
//! Owns: the yardstick. It has what any safe host must have (a fresh store for each call, the pooling
//! allocator, fuel and epoch on, an async call) and nothing else.
//! Never: schedules, records, measures, or limits memory.

use std::time::{Duration, Instant};

use wasmtime::component::{Component, HasSelf, Linker, Resource, ResourceTable};
use wasmtime::{Config, Engine, InstanceAllocationStrategy, PoolingAllocationConfig, Store};

mod generated {
    wasmtime::component::bindgen!({
        path: "../wit",
        world: "pframe:task/task",
        imports: { default: trappable },
        exports: { default: async },
        with: { "pframe:task/input.chunk": super::Text },
    });
}

use generated::pframe::task::{input, output, progress, types};
use generated::{Task, TaskPre};

/// A chunk in memory.
#[expect(unreachable_pub, reason = "the generated bindings re-export it")]
pub struct Text(&'static [u8]);

#[derive(Default)]
struct Host {
    table: ResourceTable,
    output: Vec<u8>,
}

type Read = wasmtime::Result<Result<Vec<u8>, types::ReadError>>;

impl types::Host for Host {}
impl input::Host for Host {}

impl input::HostChunk for Host {
    fn job_id(&mut self, _: Resource<Text>) -> wasmtime::Result<String> {
        Ok(String::new())
    }
    fn index(&mut self, _: Resource<Text>) -> wasmtime::Result<u32> {
        Ok(0)
    }
    fn count(&mut self, _: Resource<Text>) -> wasmtime::Result<u32> {
        Ok(1)
    }
    fn attempt(&mut self, _: Resource<Text>) -> wasmtime::Result<u32> {
        Ok(1)
    }
    fn source(&mut self, _: Resource<Text>) -> wasmtime::Result<String> {
        Ok(String::new())
    }
    fn media_type(&mut self, _: Resource<Text>) -> wasmtime::Result<Option<String>> {
        Ok(None)
    }
    fn size(&mut self, chunk: Resource<Text>) -> wasmtime::Result<u64> {
        Ok(self.table.get(&chunk)?.0.len() as u64)
    }
    fn span(&mut self, _: Resource<Text>) -> wasmtime::Result<types::Span> {
        Ok(types::Span { start: 0, end: 0, unit: types::Unit::Bytes })
    }
    fn read(&mut self, chunk: Resource<Text>, offset: u64, length: u32) -> Read {
        let text = self.table.get(&chunk)?.0;
        let start = usize::try_from(offset)?.min(text.len());
        let end = (start + length as usize).min(text.len());
        Ok(Ok(text[start..end].to_vec()))
    }
    fn drop(&mut self, chunk: Resource<Text>) -> wasmtime::Result<()> {
        self.table.delete(chunk)?;
        Ok(())
    }
}

impl input::HostSource for Host {
    fn name(&mut self, _: Resource<input::Source>) -> wasmtime::Result<String> {
        Ok(String::new())
    }
    fn media_type(&mut self, _: Resource<input::Source>) -> wasmtime::Result<Option<String>> {
        Ok(None)
    }
    fn size(&mut self, _: Resource<input::Source>) -> wasmtime::Result<u64> {
        Ok(0)
    }
    fn read(&mut self, _: Resource<input::Source>, _: u64, _: u32) -> Read {
        Ok(Ok(Vec::new()))
    }
    fn drop(&mut self, _: Resource<input::Source>) -> wasmtime::Result<()> {
        Ok(())
    }
}

impl input::HostPartials for Host {
    fn count(&mut self, _: Resource<input::Partials>) -> wasmtime::Result<u32> {
        Ok(0)
    }
    fn size(&mut self, _: Resource<input::Partials>, _: u32) -> wasmtime::Result<u64> {
        Ok(0)
    }
    fn read(&mut self, _: Resource<input::Partials>, _: u32, _: u64, _: u32) -> Read {
        Ok(Ok(Vec::new()))
    }
    fn drop(&mut self, _: Resource<input::Partials>) -> wasmtime::Result<()> {
        Ok(())
    }
}

impl output::Host for Host {
    fn write(&mut self, bytes: Vec<u8>) -> wasmtime::Result<Result<(), String>> {
        self.output.extend_from_slice(&bytes);
        Ok(Ok(()))
    }
}

impl progress::Host for Host {
    fn report(&mut self, _: f32, _: Option<String>) -> wasmtime::Result<()> {
        Ok(())
    }
}

/// The bare loop over one component.
pub(crate) struct Bare {
    engine: Engine,
    task: TaskPre<Host>,
}

impl Bare {
    /// Compiles the component under the settings of the host.
    pub(crate) fn new(component: &std::path::Path) -> Self {
        let mut pool = PoolingAllocationConfig::new();
        pool.linear_memory_keep_resident(128 << 10).async_stack_keep_resident(32 << 10);
        pool.total_component_instances(64).total_stacks(64);
        pool.table_keep_resident(64 << 10);
        pool.pagemap_scan(wasmtime::Enabled::Auto);
        let mut config = Config::new();
        config.consume_fuel(true).epoch_interruption(true).concurrency_support(false);
        config.async_stack_size(2 << 20).max_wasm_stack(512 << 10).async_stack_zeroing(true);
        config.allocation_strategy(InstanceAllocationStrategy::Pooling(pool));
        let engine = Engine::new(&config).expect("an engine");
        let component = Component::from_file(&engine, component).expect("a built handler");
        let mut linker = Linker::<Host>::new(&engine);
        Task::add_to_linker::<_, HasSelf<Host>>(&mut linker, |host| host).expect("linking");
        let task =
            TaskPre::new(linker.instantiate_pre(&component).expect("linking")).expect("exports");
        Self { engine, task }
    }

    /// Calls it `count` times on one thread.
    pub(crate) fn run(&self, count: u32) -> Duration {
        let runtime = tokio::runtime::Builder::new_current_thread().build().expect("a runtime");
        runtime.block_on(async {
            let started = Instant::now();
            for _ in 0..count {
                self.call().await;
            }
            started.elapsed()
        })
    }

    /// Calls it `count` times, shared evenly by `threads` threads.
    pub(crate) fn run_on(&self, threads: u32, count: u32) -> Duration {
        let started = Instant::now();
        std::thread::scope(|scope| {
            for _ in 0..threads {
                scope.spawn(|| self.run(count / threads));
            }
        });
        started.elapsed()
    }

    async fn call(&self) {
        let mut store = Store::new(&self.engine, Host::default());
        store.set_fuel(u64::MAX).expect("fuel is on");
        store.set_epoch_deadline(1_000_000);
        let task = self.task.instantiate_async(&mut store).await.expect("an instance");
        let chunk = store.data_mut().table.push(Text(b"to be or not to be")).expect("room");
        let chunk = Resource::new_borrow(chunk.rep());
        let result = task.pframe_task_handler().call_run(&mut store, chunk, "{}").await;
        assert!(matches!(result, Ok(Ok(()))), "the handler returns");
    }
}
