//! What stands between the program and its surroundings: configuration, directories, environment.
//!
//! Owns: where files are looked for when nobody said where.
//! Never: writes.

use std::collections::BTreeMap;
use std::io::{IsTerminal, Read};
use std::path::{Path, PathBuf};

use etcetera::BaseStrategy;
use pframe_core::config::{Config, Isolation, Knob, Layers, SchedulerKind, load};
use pframe_core::fault::{Code, Fault};
use pframe_core::ids::Digest;
use pframe_core::job::{Grant, STANDARD_STREAM};
use pframe_core::oci::OciReference;

use super::arguments::SettingFlags;
use super::credentials::{bucket_settings, registry_logins};
use super::failure::Failure;
use crate::engine::EngineBuilder;
use crate::registry::{Catalog, TaskStore, pull};
use crate::{Engine, reporter};

/// The name of the configuration file in the current directory.
const LOCAL_CONFIG: &str = "pframe.yaml";
/// The system's configuration file.
const SYSTEM_CONFIG: &str = "/etc/pframe/config.yaml";
/// This very program.
pub(super) const OWN_PROGRAM: &str = "/proc/self/exe";
/// Bytes of a file that people write, at most.
const FILE_BYTES_MAX: u64 = 16 << 20;

/// The surroundings, read once.
pub(super) struct Porch {
    /// The configuration in force.
    pub(super) config: Config,
    /// The file it came from.
    pub(super) config_file: Option<PathBuf>,
    /// Journal, results, logs.
    pub(super) state_dir: PathBuf,
    /// Compiled components.
    pub(super) cache_dir: PathBuf,
    /// Models for speech recognition.
    pub(super) models_dir: PathBuf,
    /// Task types that jobs may name without bringing them along.
    pub(super) tasks_dir: Option<PathBuf>,
    /// Task types that were added.
    pub(super) task_store: TaskStore,
    /// Whether a component may be pulled because a job file names it. Else only what was pulled before is taken.
    pub(super) may_pull: bool,
}

impl Porch {
    /// Reads configuration and environment.
    pub(super) fn open(flags: &SettingFlags) -> Result<Self, Failure> {
        let config_file = find_config(flags.config.as_deref())?;
        let content = match &config_file {
            Some(path) => Some(read_small(path, Code::ConfigInvalid)?),
            None => None,
        };
        let name = config_file.as_ref().map(|path| path.display().to_string()).unwrap_or_default();
        let environment: Vec<(String, String)> = std::env::vars_os()
            .filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)))
            .collect();
        let layers = Layers {
            file: content.as_ref().map(|content| (name.as_str(), content.as_slice())),
            environment: &environment,
            flags: &flags.given,
        };
        let config = load(&layers).map_err(Failure::config)?;
        reporter::log::start(config.monitoring.log_level, says_log_level(&flags.given, &config));
        config.remarks.iter().for_each(|remark| reporter::told::say(&format!("note: {remark}")));
        let Directories { state, cache, models, tasks } = directories(&config)?;
        let tasks_dir = config.storage.tasks_dir.as_ref().map(PathBuf::from);
        let (state_dir, cache_dir, models_dir) = (state, cache, models);
        let task_store = TaskStore::new(tasks);
        Ok(Self {
            config,
            config_file,
            state_dir,
            cache_dir,
            models_dir,
            tasks_dir,
            task_store,
            may_pull: true,
        })
    }

    /// The task types that are there now.
    pub(super) fn catalog(&self) -> Result<Catalog, Fault> {
        let folder = self.tasks_dir.as_deref();
        Catalog::open(folder, &self.task_store, self.config.storage.component_bytes_max)
    }

    /// An engine's builder with everything that is known here.
    pub(super) fn engine(&self) -> EngineBuilder {
        let builder = Engine::builder()
            .config(self.config.clone())
            .cache_dir(self.cache_dir.clone())
            .models_dir(self.models_dir.clone())
            .environment(grantable_environment(&self.config));
        let builder = match bucket_settings(&self.config) {
            Ok(settings) => builder.buckets(settings),
            Err(why) => builder.without_buckets(&why),
        };
        // The running program itself, even if its file was replaced meanwhile.
        match Path::new(OWN_PROGRAM).exists() {
            true => builder.worker_program(OWN_PROGRAM),
            false => builder,
        }
    }

    /// The schedulers that run are `threads` and `processes`; another is refused, or fallen back from.
    pub(super) fn check_scheduler(&self, fallback: bool) -> Result<(), Failure> {
        match self.config.scheduler {
            SchedulerKind::Threads => Ok(()),
            SchedulerKind::Processes => {
                if self.config.isolation != Isolation::Strict {
                    reporter::told::say(&format!(
                        "note: isolation is `{}`: workers run without some layers; `pframe-host selftest --layers` names them",
                        self.config.isolation
                    ));
                }
                Ok(())
            }
            kind @ SchedulerKind::Distributed if fallback => {
                reporter::told::say(&format!(
                    "note: `{kind}` does not exist yet; running `threads`"
                ));
                Ok(())
            }
            kind @ SchedulerKind::Distributed => Err(Failure::Usage(format!(
                "the scheduler `{kind}` does not exist yet; use `--scheduler threads` or `processes`, or `--fallback`"
            ))),
        }
    }

    /// The component behind a reference into a registry: as it was pulled before, else pulled now and kept. `wanted` is the
    /// digest that it must have.
    pub(super) fn fetch(
        &self,
        reference: &OciReference,
        wanted: Option<Digest>,
    ) -> Result<(PathBuf, Digest), Fault> {
        if let Some(found) = self.task_store.pulled(reference)? {
            return Ok(found);
        }
        if !self.may_pull {
            let detail = format!(
                "`{reference}` was not pulled yet, and nothing is pulled here; `pframe-host tasks pull {reference}` does it"
            );
            return Err(Fault::new(Code::ComponentMissing).detail(detail));
        }
        reporter::told::say(&format!("pulling `{reference}`"));
        let logins = registry_logins()?;
        let pulled = pull(reference, self.config.storage.component_bytes_max, &logins)?;
        match wanted.filter(|wanted| *wanted != pulled.admitted.digest) {
            Some(wanted) => Err(Fault::new(Code::DigestMismatch).detail(format!(
                "`{reference}` has sha256 {}, pinned is {wanted}",
                pulled.admitted.digest
            ))),
            None => self.task_store.keep_pull(reference, &pulled),
        }
    }

    /// Where paths in the configuration count from.
    pub(super) fn config_dir(&self) -> PathBuf {
        let parent = self.config_file.as_deref().and_then(Path::parent);
        parent.map_or_else(|| PathBuf::from("."), Path::to_owned)
    }
}

/// What a person is told who types where data is expected.
const NO_TYPING: &str = "stdin is a terminal; pipe data into it, or name a file";
/// What is said where stdin was read already.
const IS_JOB_FILE: &str = "stdin is the job file itself; put the data into a file";

/// An engine's builder for jobs that may name stdin as their input, unless the job file came from there.
pub(super) fn with_stdin(builder: EngineBuilder, job_file: Option<&Path>) -> EngineBuilder {
    if job_file == Some(Path::new(STANDARD_STREAM)) {
        return builder.without_stdin(IS_JOB_FILE);
    }
    match std::io::stdin().is_terminal() {
        true => builder.without_stdin(NO_TYPING),
        false => builder.stdin(std::io::stdin()),
    }
}

/// Reads a file that a person wrote: regular (or `-` for stdin) and of bounded size.
pub(super) fn read_small(path: &Path, code: Code) -> Result<Vec<u8>, Failure> {
    let refuse = |why: &str| {
        let path = path.display().to_string();
        Failure::Unreadable { code, path, why: why.to_owned() }
    };
    let mut bytes = Vec::new();
    if path == Path::new(STANDARD_STREAM) {
        if std::io::stdin().is_terminal() {
            return Err(refuse(NO_TYPING));
        }
        let stdin = std::io::stdin().lock();
        stdin
            .take(FILE_BYTES_MAX + 1)
            .read_to_end(&mut bytes)
            .map_err(|e| refuse(&e.to_string()))?;
    } else {
        let metadata = std::fs::metadata(path).map_err(|error| match error.kind() {
            std::io::ErrorKind::NotFound => refuse("there is no such file"),
            _ => refuse(&error.to_string()),
        })?;
        if metadata.is_dir() {
            return Err(refuse("this is a directory"));
        }
        if !metadata.is_file() {
            return Err(refuse("not a regular file"));
        }
        let file = std::fs::File::open(path).map_err(|error| refuse(&error.to_string()))?;
        file.take(FILE_BYTES_MAX + 1)
            .read_to_end(&mut bytes)
            .map_err(|e| refuse(&e.to_string()))?;
    }
    if bytes.len() as u64 > FILE_BYTES_MAX {
        return Err(refuse("larger than 16 MiB"));
    }
    Ok(bytes)
}

fn find_config(asked: Option<&Path>) -> Result<Option<PathBuf>, Failure> {
    let from_environment = std::env::var_os("PFRAME_CONFIG").filter(|value| !value.is_empty());
    if let Some(path) = asked.map(Path::to_owned).or(from_environment.map(PathBuf::from)) {
        return Ok(Some(path));
    }
    let users = strategy()?.config_dir().join("pframe/config.yaml");
    let candidates = [PathBuf::from(LOCAL_CONFIG), users, PathBuf::from(SYSTEM_CONFIG)];
    Ok(candidates.into_iter().find(|path| path.is_file()))
}

fn strategy() -> Result<etcetera::base_strategy::Xdg, Failure> {
    etcetera::base_strategy::Xdg::new().map_err(|error| {
        Failure::Usage(format!(
            "no home directory ({error}); set HOME, or --state-dir and --cache-dir"
        ))
    })
}

struct Directories {
    state: PathBuf,
    cache: PathBuf,
    models: PathBuf,
    tasks: PathBuf,
}

fn directories(config: &Config) -> Result<Directories, Failure> {
    let strategy = strategy()?;
    let state_default =
        || strategy.state_dir().unwrap_or_else(|| strategy.data_dir()).join("pframe");
    let state = config.storage.state_dir.as_ref().map_or_else(state_default, PathBuf::from);
    let cache_default = || strategy.cache_dir().join("pframe");
    let cache = config.storage.cache_dir.as_ref().map_or_else(cache_default, PathBuf::from);
    let models_default = || strategy.data_dir().join("pframe/models");
    let models = config.speech.models_dir.as_ref().map_or_else(models_default, PathBuf::from);
    let tasks_default = || strategy.data_dir().join("pframe/tasks");
    let tasks = config.storage.task_store.as_ref().map_or_else(tasks_default, PathBuf::from);
    Ok(Directories { state, cache, models, tasks })
}

/// Values of the variables that some tenant may be granted; the rest of the environment stays here.
fn grantable_environment(config: &Config) -> BTreeMap<String, String> {
    let grants = config.tenants.values().flat_map(|tenant| &tenant.grants);
    let value = |name: &str| Some((name.to_owned(), std::env::var(name).ok()?));
    grants.filter_map(Grant::variable).filter_map(value).collect()
}

/// True where somebody asked for a level; else only warnings are worth a line beside the progress.
fn says_log_level(flags: &[(&'static Knob, String)], config: &Config) -> bool {
    const PATH: &str = "parallel_processing.monitoring.log_level";
    let is_default = config.origin(PATH) == Some(&pframe_core::config::Origin::Default);
    flags.iter().any(|(knob, _)| knob.path == PATH) || !is_default
}
