//! Builds an engine.
//!
//! Owns: what an engine needs to know before it starts, and sensible values for what nobody said.
//! Never: reads the environment, the home directory or a terminal; a program does that and says so here.

use std::collections::BTreeMap;
use std::io::Read;
use std::path::PathBuf;
use std::sync::{Arc, RwLock};

use pframe_core::config::{Config, Count, Isolation, SchedulerKind, Storage, Tenant};
use pframe_core::fault::Fault;
use pframe_core::ids::TenantName;
use pframe_core::job::CHUNKS_MAX;
use pframe_core::resources::Capacity;
use pframe_core::scheduler::{Settings, TenantSettings};
use pframe_core::units::{ByteSize, CpuCores};

use super::Reporter;
use super::clock::Clock;
use super::control::Control;
use super::hands::{Means, memory_max};
use super::ledger::Ledger;
use super::leftovers::Leftovers;
use super::recovery::{State, Work, recover};
use super::run::{Engine, Shared};
use super::workbench::Workbench;
use crate::capability::progress::ProgressBoard;
use crate::data::cache::ResultCache;
use crate::data::stdin::{Stdin, Stream};
use crate::data::web::{Granted, StoreSettings, Web};
use crate::executor::{CachingExecutor, DeadLetterOffice, Directories, Outboxes, Shelf, Views};
use crate::inbox::Inbox;
use crate::inference::{Inference, InferenceSettings};
use crate::machine::Machine;
use crate::outside::{Names, Outside};
use crate::process::errand::ErrandProgram;
use crate::process::group;
use crate::process::scratch::ScratchMaker;
use crate::recogniser::Models;
use crate::recording::Recordings;
use crate::registry::{Registry, RegistrySettings};
use crate::sandbox::{Sandbox, SandboxSettings};

/// Live sandboxes for each worker thread where nobody says otherwise: some wait in host calls.
const ATTEMPTS_PER_WORKER: u32 = 4;
/// Live sandboxes at most, whatever is asked: each stack costs two of 65,530 memory mappings.
const ATTEMPTS_MAX: u32 = 4096;

/// Collects settings for an [`Engine`].
#[derive(Default)]
pub struct EngineBuilder {
    config: Option<Config>,
    workers: Option<u32>,
    attempts: Option<u32>,
    state_dir: Option<PathBuf>,
    cache_dir: Option<PathBuf>,
    base_dir: Option<PathBuf>,
    pub(super) environment: BTreeMap<String, String>,
    models_dir: Option<PathBuf>,
    pub(super) worker_program: Option<PathBuf>,
    scheduler: Option<SchedulerKind>,
    isolation: Option<Isolation>,
    stdin: Stream,
    names: Names,
    buckets: StoreSettings,
    reporters: Vec<Box<dyn Reporter>>,
}

impl EngineBuilder {
    /// Takes all settings of a configuration.
    pub fn config(mut self, config: Config) -> Self {
        self.config = Some(config);
        self
    }

    /// Guest threads; by default one for each core.
    pub fn workers(mut self, workers: u32) -> Self {
        self.workers = Some(workers);
        self
    }

    /// Live sandboxes; by default four for each guest thread.
    pub fn attempts(mut self, attempts: u32) -> Self {
        self.attempts = Some(attempts);
        self
    }

    /// Keeps journal, results and logs there, so that work survives the process. By default nothing does.
    pub fn state_dir(mut self, directory: impl Into<PathBuf>) -> Self {
        self.state_dir = Some(directory.into());
        self
    }

    /// Keeps compiled components there. By default each process compiles anew.
    pub fn cache_dir(mut self, directory: impl Into<PathBuf>) -> Self {
        self.cache_dir = Some(directory.into());
        self
    }

    /// Keeps models for speech recognition there. By default there is only what Debian's packages bring.
    pub fn models_dir(mut self, directory: impl Into<PathBuf>) -> Self {
        self.models_dir = Some(directory.into());
        self
    }

    /// Where relative paths of jobs count from; by default the current directory.
    pub fn base_dir(mut self, directory: impl Into<PathBuf>) -> Self {
        self.base_dir = Some(directory.into());
        self
    }

    /// Values for the environment variables that tenants may be granted. By default none exists.
    pub fn environment(mut self, variables: BTreeMap<String, String>) -> Self {
        self.environment = variables;
        self
    }

    /// How stores of objects (`s3://`) are reached: variables such as `AWS_ACCESS_KEY_ID` and `AWS_ENDPOINT_URL`, which no
    /// guest sees. By default there is none.
    pub fn buckets(mut self, variables: BTreeMap<String, String>) -> Self {
        self.buckets = StoreSettings::new(variables);
        self
    }

    /// Stores of objects cannot be reached, and jobs that name one are told why.
    pub(crate) fn without_buckets(mut self, why: &str) -> Self {
        self.buckets = StoreSettings::refused(why);
        self
    }

    /// Runs attempts in these hands, whatever the configuration says.
    pub fn scheduler(mut self, scheduler: SchedulerKind) -> Self {
        self.scheduler = Some(scheduler);
        self
    }

    /// What the operating system adds around worker processes, whatever the configuration says.
    pub fn isolation(mut self, isolation: Isolation) -> Self {
        self.isolation = Some(isolation);
        self
    }

    /// The program that worker processes are started from: `pframe-host` of this very version. Needed for
    /// `default_scheduler: processes`.
    pub fn worker_program(mut self, program: impl Into<PathBuf>) -> Self {
        self.worker_program = Some(program.into());
        self
    }

    /// What jobs find that name `-` among their files; read once, when the first of them is planned. By default nothing.
    pub fn stdin(mut self, stream: impl Read + Send + 'static) -> Self {
        self.stdin = Stream::Unread(Box::new(stream));
        self
    }

    /// Tells jobs that name `-` why there is nothing.
    pub(crate) fn without_stdin(mut self, why: &'static str) -> Self {
        self.stdin = Stream::Refused(why);
        self
    }

    /// Resolves the names of hosts as a test says: each look-up of a name takes its next address, and the last one stays.
    #[cfg(feature = "scripted")]
    pub fn names(mut self, names: BTreeMap<String, Vec<std::net::IpAddr>>) -> Self {
        self.names = Names::Told(names.into());
        self
    }

    /// Adds somebody who sees every record.
    pub fn reporter(mut self, reporter: Box<dyn Reporter>) -> Self {
        self.reporters.push(reporter);
        self
    }

    /// Reserves the sandboxes, opens the journal, and starts the threads.
    pub fn build(self) -> Result<Engine, Fault> {
        self.prepare()?.start(None)
    }

    /// Reserves the sandboxes; nothing is written yet.
    pub(crate) fn prepare(mut self) -> Result<Prepared, Fault> {
        let mut config = self.config.take().unwrap_or_else(default_config);
        config.scheduler = self.scheduler.unwrap_or(config.scheduler);
        config.isolation = self.isolation.unwrap_or(config.isolation);
        let machine = Machine::detect();
        let sizes = Sizes::of(&self, &config, &machine);
        let sandbox = Sandbox::new(SandboxSettings {
            attempts: sizes.attempts,
            memory_max: memory_max(&config),
        })?;
        let errands = self.worker_program.clone().map(|path| ErrandProgram {
            path,
            isolation: config.isolation,
            demands_layers: config.scheduler == SchedulerKind::Processes,
        });
        let settings = RegistrySettings {
            cache_dir: self.cache_dir.clone(),
            component_bytes_max: config.storage.component_bytes_max,
            serves_workers: config.scheduler == SchedulerKind::Processes,
            compiler: errands.clone(),
        };
        let staging = temporary_storage(&config);
        let recordings = Recordings::new(errands.clone(), config.speech.recording_max, staging);
        let stdin = Stdin::new(
            std::mem::take(&mut self.stdin),
            config.storage.stdin_bytes_max,
            temporary_storage(&config),
        );
        let inference = InferenceSettings {
            program: errands,
            models: Models::new(self.models_dir_of(&config)),
            seats: count(config.speech.recognisers, &machine),
            waiting_max: config.speech.queued_max as usize,
            weights: weights(&config),
        };
        let outside = Outside::new(std::mem::take(&mut self.names));
        let (granted, temporary) = (granted(&config), temporary_storage(&config));
        let stores = std::mem::take(&mut self.buckets);
        if self.worker_program.is_some() {
            group::settle();
        }
        let scratch = Arc::new(ScratchMaker::new(self.worker_program.clone()));
        let directories = config.directories.clone();
        let views = match config.scheduler {
            SchedulerKind::Processes => Views::Demanded,
            SchedulerKind::Threads | SchedulerKind::Distributed => Views::WherePossible,
        };
        let workbench = Workbench {
            config,
            machine,
            capacity: sizes.capacity,
            workers: sizes.workers,
            outboxes: Arc::new(Outboxes::new(directories.clone())),
            directories: Arc::new(Directories::new(directories, Arc::clone(&scratch), views)),
            scratch,
            recordings: Arc::new(recordings),
            inference: Arc::new(Inference::new(inference)),
            web: Arc::new(Web::new(outside.clone(), stores, granted, temporary)),
            outside,
            registry: Arc::new(Registry::new(sandbox.clone(), settings)),
            sandbox,
            stdin,
            base_dir: self.base_dir.take().unwrap_or_else(|| PathBuf::from(".")),
            tasks: RwLock::default(),
        };
        Ok(Prepared { builder: self, workbench })
    }
}

impl EngineBuilder {
    /// What a program said, else what the configuration says; a directory that is not there holds no models.
    fn models_dir_of(&self, config: &Config) -> PathBuf {
        let configured = config.speech.models_dir.as_ref().map(PathBuf::from);
        self.models_dir.clone().or(configured).unwrap_or_default()
    }
}

/// An engine that could start: tasks can be registered and jobs planned, and nothing was written.
pub(crate) struct Prepared {
    pub(super) builder: EngineBuilder,
    pub(super) workbench: Workbench,
}

impl Prepared {
    pub(crate) fn workbench(&self) -> &Workbench {
        &self.workbench
    }

    /// Adds somebody who sees every record.
    pub(crate) fn reporter(&mut self, reporter: Box<dyn Reporter>) {
        self.builder.reporters.push(reporter);
    }

    /// Opens the journal and starts the threads.
    pub(crate) fn start(self, work: Option<&Work>) -> Result<Engine, Fault> {
        let Self { mut builder, workbench } = self;
        let scratch = temporary_storage(&workbench.config);
        let mut state = State::open(builder.state_dir.as_deref(), &scratch, work)?;
        let components_dir = builder.state_dir.as_ref().map(|state| state.join("components"));
        workbench.registry.keep_copies_in(components_dir)?;
        if state.is_beginning {
            workbench.check_again(&state.records)?;
        }
        let inbox = Arc::new(Inbox::default());
        let ledger = Arc::new(Ledger::new());
        let progress = ProgressBoard::default();
        let environment = std::mem::take(&mut builder.environment);
        let outboxes = Arc::clone(&workbench.outboxes);
        let results = state.results.clone();
        let means = Means { results, logs: state.logs, environment, outboxes };
        let site = workbench.site(means, &progress, &inbox);
        let mut executor = workbench.hands(&site, builder.worker_program.take())?;
        let mut dead_letters = None;
        if let (Some(state_dir), Some(run)) = (&builder.state_dir, state.run) {
            let Storage { result_cache_bytes_max, dead_letter_bytes_max, .. } =
                workbench.config.storage;
            let cache = ResultCache::of_state(state_dir, result_cache_bytes_max);
            let workers = workbench.workers as usize;
            executor = Box::new(CachingExecutor::start(&site, cache, executor, workers)?);
            let state_dir = state_dir.clone();
            let shelf = Shelf { state_dir, run, bytes_max: dead_letter_bytes_max };
            dead_letters = Some(DeadLetterOffice::open(&site, shelf)?);
        }
        let clock = Clock::start(state.newest);
        let (scheduler, recovered) =
            recover(&state.records, scheduler_settings(&workbench), clock, &workbench, &ledger)?;
        if state.is_beginning {
            // Only now: what no host can go on with would stay for ever.
            state.journal.append(&state.records)?;
        }
        builder.reporters.iter_mut().for_each(|reporter| reporter.begin(&state.records));
        let mut leftovers = Leftovers::new(state.results.clone());
        leftovers.recover(&state.records);
        if let Some(office) = &mut dead_letters {
            office.see(&state.records);
        }
        let control = Control {
            leftovers,
            dead_letters,
            clock,
            inbox: Arc::clone(&inbox),
            ledger: Arc::clone(&ledger),
            scheduler,
            journal: state.journal,
            executor,
            reporters: builder.reporters,
            last_seq: state.last_seq,
        };
        let (results, run, jobs_wanted) = (state.results, state.run, state.jobs_wanted);
        let shared = Shared { workbench, inbox, ledger, progress, results, run, jobs_wanted };
        Ok(Engine::start(shared, control, recovered, state.lock))
    }
}

/// Where files go that nobody needs once this process has ended.
pub(super) fn temporary_storage(config: &Config) -> PathBuf {
    config.temp_storage.as_ref().map_or_else(std::env::temp_dir, PathBuf::from)
}

/// One for each core, or as many as the configuration says.
fn count(count: Count, machine: &Machine) -> u32 {
    match count {
        Count::Auto => cores(machine),
        Count::Exactly(count) => count.max(1),
    }
}

fn cores(machine: &Machine) -> u32 {
    (machine.cores.thousandths() / 1000).max(1)
}

fn weights(config: &Config) -> BTreeMap<TenantName, u32> {
    config.tenants.iter().map(|(name, tenant)| (name.clone(), tenant.weight)).collect()
}

/// Where the sources of each tenant's jobs may come from, and their results may go.
fn granted(config: &Config) -> BTreeMap<TenantName, Granted> {
    let granted = |tenant: &Tenant| Granted::new(&tenant.grants);
    config.tenants.iter().map(|(name, tenant)| (name.clone(), granted(tenant))).collect()
}

/// How large everything is.
struct Sizes {
    workers: u32,
    attempts: u32,
    capacity: Capacity,
}

impl Sizes {
    fn of(builder: &EngineBuilder, config: &Config, machine: &Machine) -> Self {
        let workers = builder.workers.unwrap_or_else(|| count(config.workers, machine));
        let attempts = builder.attempts.unwrap_or(match config.attempts {
            Count::Auto => workers.saturating_mul(ATTEMPTS_PER_WORKER),
            Count::Exactly(attempts) => attempts,
        });
        let attempts = attempts.clamp(workers, ATTEMPTS_MAX);
        let gpu_memory = machine.gpus.iter().map(|gpu| gpu.memory.bytes()).sum();
        let capacity = Capacity {
            cpu: CpuCores::whole(workers),
            memory: config.memory_limit.of(machine.usable_memory()),
            gpu_memory: ByteSize(gpu_memory),
            attempts,
        };
        Self { workers, attempts, capacity }
    }
}

fn scheduler_settings(workbench: &Workbench) -> Settings {
    let Workbench { config, machine, .. } = workbench;
    let mut settings = Settings::new(workbench.capacity);
    let default_queued_max = CHUNKS_MAX as u64 * 2;
    for (name, tenant) in &config.tenants {
        let rules = TenantSettings {
            weight: tenant.weight,
            queued_max: tenant.queued_max.or(Some(default_queued_max)),
            running_max: tenant.running_max,
            memory_max: tenant.memory_max.map(|most| most.min(machine.usable_memory())),
        };
        settings.tenants.insert(TenantName::clone(name), rules);
    }
    settings.tenant_default.queued_max = Some(default_queued_max);
    settings
}

fn default_config() -> Config {
    let nothing = pframe_core::config::Layers::default();
    pframe_core::config::load(&nothing).expect("the built-in defaults are valid")
}
