//! Tasks ready to run, by digest: each component is compiled once, however many jobs ask for it at once.
//!
//! Owns: single flight of compilation, the copies of components that a resumed run needs, and the
//! memory of components that cannot be compiled.
//! Never: two compilations of one digest at a time.

use std::collections::HashMap;
use std::os::fd::{AsRawFd, OwnedFd};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError, RwLock};

use pframe_core::fault::{Code, Fault, Origin};
use pframe_core::ids::{Digest, TenantName};
use pframe_core::units::ByteSize;
use wasmtime::component::Component;

use super::admission::{Admitted, admit, admit_bytes};
use super::artefacts::{ArtefactCache, compatibility};
use super::compile::{compile, compile_fault};
use super::turnstile::Turnstile;
use crate::failpoint::pass;
use crate::process::errand::ErrandProgram;
use crate::process::memory;
use crate::sandbox::{Sandbox, Task};

/// Tasks kept ready in memory at most; past it, those that nobody uses are dropped.
const TASKS_MAX: usize = 1000;

/// Where the registry keeps things, and its limit.
#[derive(Debug, Clone)]
pub(crate) struct RegistrySettings {
    /// The artefact cache; `None` compiles anew in each process.
    pub(crate) cache_dir: Option<PathBuf>,
    /// The largest component that is accepted.
    pub(crate) component_bytes_max: ByteSize,
    /// Worker processes will ask for the compiled code.
    pub(crate) serves_workers: bool,
    /// What compilers are started from; `None` compiles in this process.
    pub(crate) compiler: Option<ErrandProgram>,
}

/// One digest's place: whoever holds the lock compiles, the others wait for the outcome.
type Slot = Arc<Mutex<Option<Result<Arc<Task>, Fault>>>>;

/// Copies of components, so that a resumed run finds them.
enum Copies {
    /// Nothing may be written yet; these wait.
    Waiting(Vec<Arc<Admitted>>),
    /// They go here.
    Kept(PathBuf),
    /// This process keeps none.
    Off,
}

/// All tasks of this host.
pub(crate) struct Registry {
    sandbox: Sandbox,
    settings: RegistrySettings,
    cache: Option<ArtefactCache>,
    copies: Mutex<Copies>,
    slots: Mutex<HashMap<Digest, Slot>>,
    ready: RwLock<HashMap<Digest, Arc<Task>>>,
    /// Compiled code as files in memory, for worker processes; empty where there are none.
    artefacts: Mutex<HashMap<Digest, Arc<OwnedFd>>>,
    compilers: Turnstile,
}

impl Registry {
    pub(crate) fn new(sandbox: Sandbox, settings: RegistrySettings) -> Self {
        let cache = settings.cache_dir.as_ref();
        let cache = cache.map(|directory| ArtefactCache::at(directory, sandbox.engine()));
        let copies = Mutex::new(Copies::Waiting(Vec::new()));
        let (slots, ready, artefacts) = (Mutex::default(), RwLock::default(), Mutex::default());
        let compilers = Turnstile::default();
        Self { sandbox, settings, cache, copies, slots, ready, artefacts, compilers }
    }

    /// From now on components are copied to `directory`, or not at all; those that waited first.
    pub(crate) fn keep_copies_in(&self, directory: Option<PathBuf>) -> Result<(), Fault> {
        let mut copies = self.copies.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(directory) = &directory {
            sweep(directory);
        }
        let next = directory.map_or(Copies::Off, Copies::Kept);
        if let (Copies::Waiting(waiting), Copies::Kept(directory)) = (&*copies, &next) {
            waiting.iter().try_for_each(|admitted| keep_copy(directory, admitted))?;
        }
        *copies = next;
        Ok(())
    }

    /// Takes in the component at `path` and makes it ready.
    pub(crate) fn load(
        &self,
        tenant: &TenantName,
        path: &Path,
        pinned: Option<Digest>,
    ) -> Result<Arc<Task>, Fault> {
        let admitted = admit(path, pinned, self.settings.component_bytes_max)?;
        self.add(tenant, admitted)
    }

    /// Makes an admitted component ready. A compiler that it needs counts as the tenant's.
    pub(crate) fn add(&self, tenant: &TenantName, admitted: Admitted) -> Result<Arc<Task>, Fault> {
        if let Some(task) = self.get(&admitted.digest) {
            return Ok(task);
        }
        // In this order: whoever waits for a compiler of his tenant's holds up nobody who wants the same component.
        let _turn = self.needs_compiler(&admitted.digest).then(|| self.compilers.enter(tenant));
        let task = self.ready_once(&admitted.digest, || self.prepare(&admitted))?;
        let mut copies = self.copies.lock().unwrap_or_else(PoisonError::into_inner);
        match &mut *copies {
            Copies::Waiting(waiting) => waiting.push(Arc::new(admitted)),
            Copies::Kept(directory) => keep_copy(directory, &admitted)?,
            Copies::Off => {}
        }
        Ok(task)
    }

    /// A component given as bytes.
    pub(crate) fn add_bytes(
        &self,
        tenant: &TenantName,
        bytes: Vec<u8>,
    ) -> Result<Arc<Task>, Fault> {
        self.add(tenant, admit_bytes(bytes, self.settings.component_bytes_max)?)
    }

    /// Makes ready what an earlier process took in.
    pub(crate) fn restore(&self, tenant: &TenantName, digest: &Digest) -> Result<Arc<Task>, Fault> {
        if let Some(task) = self.get(digest) {
            return Ok(task);
        }
        let path = match &*self.copies.lock().unwrap_or_else(PoisonError::into_inner) {
            Copies::Kept(directory) => copy_path(directory, digest),
            Copies::Waiting(_) | Copies::Off => return Err(Fault::new(Code::ComponentMissing)),
        };
        self.load(tenant, &path, Some(*digest))
    }

    /// A task that is ready.
    pub(crate) fn get(&self, digest: &Digest) -> Option<Arc<Task>> {
        self.ready.read().unwrap_or_else(PoisonError::into_inner).get(digest).cloned()
    }

    /// The compiled code of a task that is ready, for a worker process.
    pub(crate) fn artefact(&self, digest: &Digest) -> Result<OwnedFd, Fault> {
        let artefacts = self.artefacts.lock().unwrap_or_else(PoisonError::into_inner);
        let artefact = artefacts.get(digest).ok_or_else(|| {
            Fault::new(Code::Bug).detail("the component of an accepted job is not ready")
        })?;
        memory::for_reading(&**artefact).map_err(|error| no_memory_file(&error))
    }

    fn keep_artefact(&self, digest: Digest, code: &[u8]) -> Result<(), Fault> {
        if self.settings.serves_workers {
            let file = memory::sealed(code).map_err(|error| no_memory_file(&error))?;
            let mut artefacts = self.artefacts.lock().unwrap_or_else(PoisonError::into_inner);
            artefacts.insert(digest, Arc::new(file));
        }
        Ok(())
    }

    /// True where the compiled artefact is on disk.
    pub(crate) fn is_cached(&self, digest: &Digest) -> bool {
        self.cache.as_ref().is_some_and(|cache| cache.contains(digest))
    }

    fn ready_once(
        &self,
        digest: &Digest,
        prepare: impl FnOnce() -> Result<Task, Fault>,
    ) -> Result<Arc<Task>, Fault> {
        let slot = {
            let mut slots = self.slots.lock().unwrap_or_else(PoisonError::into_inner);
            Arc::clone(slots.entry(*digest).or_default())
        };
        let mut slot = slot.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(outcome) = slot.as_ref() {
            return outcome.clone();
        }
        let outcome = prepare().map(Arc::new);
        if let Ok(task) = &outcome {
            self.keep_ready(*digest, task);
        }
        // What is wrong with a component stays wrong; what was wrong with the machine may pass.
        let is_final =
            outcome.as_ref().err().is_none_or(|fault| fault.code.origin() == Origin::Job);
        if is_final {
            *slot = Some(outcome.clone());
        }
        outcome
    }

    fn keep_ready(&self, digest: Digest, task: &Arc<Task>) {
        let mut ready = self.ready.write().unwrap_or_else(PoisonError::into_inner);
        if ready.len() >= TASKS_MAX {
            let mut slots = self.slots.lock().unwrap_or_else(PoisonError::into_inner);
            // One handle is here and one in its slot: nobody else uses it.
            ready.retain(|_, task| Arc::strong_count(task) > 2);
            slots.retain(|digest, _| ready.contains_key(digest));
            let mut artefacts = self.artefacts.lock().unwrap_or_else(PoisonError::into_inner);
            artefacts.retain(|digest, _| ready.contains_key(digest));
        }
        ready.insert(digest, Arc::clone(task));
    }

    /// True where a child would compile the component, as far as can be seen without waiting.
    fn needs_compiler(&self, digest: &Digest) -> bool {
        let slots = self.slots.lock().unwrap_or_else(PoisonError::into_inner);
        let slot = slots.get(digest).cloned();
        drop(slots);
        let is_settled = slot.is_some_and(|slot| slot.try_lock().is_ok_and(|it| it.is_some()));
        self.settings.compiler.is_some() && !is_settled && !self.is_cached(digest)
    }

    fn prepare(&self, admitted: &Admitted) -> Result<Task, Fault> {
        let (component, code) = match self.cached(&admitted.digest) {
            Some(cached) => cached,
            None => self.compile(admitted)?,
        };
        let task = Task::link(&self.sandbox, admitted.digest, &component)?;
        self.keep_artefact(admitted.digest, &code)?;
        Ok(task)
    }

    fn cached(&self, digest: &Digest) -> Option<(Component, Vec<u8>)> {
        let artefact = self.cache.as_ref()?.get(digest)?;
        let component = load_artefact(self.sandbox.engine(), &artefact)
            .inspect_err(|error| tracing::warn!(%digest, %error, "a cached artefact does not load"))
            .ok()?;
        Some((component, artefact))
    }

    /// Compiles in a child process, or here where there is no program to start one from.
    fn compile(&self, admitted: &Admitted) -> Result<(Component, Vec<u8>), Fault> {
        let engine = self.sandbox.engine();
        let artefact = match &self.settings.compiler {
            Some(program) => compile(program, &admitted.bytes, compatibility(engine))?,
            None => compile_here(engine, &admitted.bytes)?,
        };
        if let Some(cache) = &self.cache {
            cache.put(&admitted.digest, &artefact);
        }
        let component = load_artefact(engine, &artefact).map_err(|error| compile_fault(&error))?;
        Ok((component, artefact))
    }
}

/// Compiles in this process. A compiler that panics on a component has refused it.
fn compile_here(engine: &wasmtime::Engine, component: &[u8]) -> Result<Vec<u8>, Fault> {
    // The compiler owns everything that it touches, and is gone with it.
    let compile = std::panic::AssertUnwindSafe(|| engine.precompile_component(component));
    match std::panic::catch_unwind(compile) {
        Ok(result) => result.map_err(|error| compile_fault(&error)),
        Err(_) => Err(Fault::new(Code::CompileFailed).detail("the compiler panicked")),
    }
}

fn no_memory_file(error: &std::io::Error) -> Fault {
    Fault::new(Code::StateUnusable).detail(format!("a file in memory: {error}"))
}

/// Removes copies that an interrupted host left half written. The state directory has one host at a time.
fn sweep(directory: &Path) {
    let entries = std::fs::read_dir(directory).into_iter().flatten().flatten();
    for entry in entries.filter(|entry| entry.path().extension().is_none_or(|it| it != "wasm")) {
        if let Err(error) = std::fs::remove_file(entry.path()) {
            tracing::warn!(%error, "a leftover of a component's copy cannot be removed");
        }
    }
}

/// Where the copy of a component lies.
pub(crate) fn copy_path(directory: &Path, digest: &Digest) -> PathBuf {
    directory.join(format!("{digest}.wasm"))
}

fn keep_copy(directory: &Path, admitted: &Admitted) -> Result<(), Fault> {
    let path = copy_path(directory, &admitted.digest);
    if path.exists() {
        return Ok(());
    }
    write_whole(&path, &admitted.bytes).map_err(|error| {
        Fault::new(Code::StateUnusable).detail(format!("`{}`: {error}", path.display()))
    })
}

fn write_whole(path: &Path, bytes: &[u8]) -> std::io::Result<()> {
    use std::io::Write;
    let folder = path.parent().expect("a component lies in a folder");
    std::fs::create_dir_all(folder)?;
    let mut file = tempfile::NamedTempFile::new_in(folder)?;
    file.write_all(bytes)?;
    file.as_file().sync_data()?;
    pass("component-copy-before")?;
    file.persist(path)?;
    pass("component-copy-after")?;
    std::fs::File::open(folder)?.sync_all()
}

/// Loads native code that [`ArtefactCache`] sealed.
#[expect(unsafe_code, reason = "the bytes come from this host's own compiler, or carry its seal")]
fn load_artefact(engine: &wasmtime::Engine, artefact: &[u8]) -> wasmtime::Result<Component> {
    // SAFETY: `artefact` was made by `Engine::precompile_component` of an engine with the same compatibility
    // hash: just now, by this process or a compile child of it that said so, or earlier, and then its MAC was
    // verified over these very bytes, in memory, and the hash is part of its folder's name.
    unsafe { Component::deserialize(engine, artefact) }
}

/// Maps native code that the host compiled, sealed against change, and handed over.
#[expect(
    unsafe_code,
    reason = "the descriptor is the host's own, and nobody can write to it any more"
)]
pub(crate) fn load_artefact_file(
    engine: &wasmtime::Engine,
    artefact: &std::fs::File,
) -> wasmtime::Result<Component> {
    // SAFETY: only the host starts workers, and it hands over a memory file that holds what
    // `Engine::precompile_component` made and that was sealed against writing before anybody else saw it.
    let path = format!("/proc/self/fd/{}", artefact.as_raw_fd());
    unsafe { Component::deserialize_file(engine, path) }
}
