//! `pframe-host tasks compile`, and who does the other commands of `tasks`
//!
//! Owns: which component somebody means who names one on the command line.
//! Never: runs a component.

use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Instant;

use pframe_core::fault::{Code, Fault};
use pframe_core::ids::{Digest, TaskName, TenantName};
use pframe_core::oci::{self, OciReference};
use pframe_core::tasktype::TaskType;
use pframe_core::units::show_duration;

use super::arguments::{CompileArguments, TasksCommand};
use super::failure::Failure;
use super::inspect::inspect;
use super::jobs::configured;
use super::porch::Porch;
use super::print::print;
use super::tasks_list::list;
use super::tasks_store;
use crate::engine::Prepared;
use crate::registry::admit;
use crate::reporter::told::tell_fault;

pub(super) fn tasks(porch: &Porch, command: &TasksCommand) -> Result<ExitCode, Failure> {
    match command {
        TasksCommand::List(flag) => list(porch, *flag),
        TasksCommand::Inspect(arguments) => inspect(porch, arguments),
        TasksCommand::Compile(arguments) => compile(porch, arguments),
        TasksCommand::Add(arguments) => tasks_store::add(porch, arguments),
        TasksCommand::Pull(arguments) => tasks_store::pull(porch, arguments),
        TasksCommand::Verify { name } => tasks_store::verify(porch, name.as_deref()),
        TasksCommand::Remove { name } => tasks_store::remove(porch, name),
    }
}

/// The component that somebody means, and what is known about it besides.
pub(super) struct Located {
    pub(super) path: PathBuf,
    pub(super) pinned: Option<Digest>,
    pub(super) described: Arc<TaskType>,
    /// As what it is known, and where: `word-count@1.2.0 (store)`.
    pub(super) known_as: Option<String>,
}

/// Finds what a registry has, a task type of the configuration, else one of the catalog, else a file.
pub(super) fn locate(porch: &Porch, named: &str) -> Result<Located, Fault> {
    let file = || Located {
        path: PathBuf::from(named),
        pinned: None,
        described: Arc::default(),
        known_as: None,
    };
    if named.starts_with(oci::SCHEME) {
        let refuse = |error| Fault::new(Code::PullRefused).detail(format!("{error}"));
        let reference: OciReference = named.parse().map_err(refuse)?;
        let (path, sha256) = porch.fetch(&reference, None)?;
        return Ok(Located { path, pinned: Some(sha256), known_as: Some(named.into()), ..file() });
    }
    let Ok(name) = named.parse::<TaskName>() else { return Ok(file()) };
    if let Some((path, pinned)) = configured(porch, &name) {
        let known_as = Some(format!("{name} (configuration)"));
        return Ok(Located { path, pinned, described: Arc::default(), known_as });
    }
    let catalog = porch.catalog()?;
    Ok(match catalog.find(&name)? {
        Some(entry) => Located {
            path: entry.component.clone(),
            pinned: entry.pinned,
            described: Arc::clone(&entry.described),
            known_as: Some(format!("{} ({})", entry.full_name(), entry.shelf.name())),
        },
        None => file(),
    })
}

fn compile(porch: &Porch, arguments: &CompileArguments) -> Result<ExitCode, Failure> {
    let prepared = porch.engine().prepare()?;
    let mut last: Option<(String, Fault)> = None;
    for named in &arguments.components {
        match compile_one(porch, &prepared, named) {
            Ok(words) => print(&format!("{named}: {words}"))?,
            Err(fault) => {
                if let Some((place, fault)) = last.replace((named.clone(), fault)) {
                    tell_fault(&fault, &place);
                }
            }
        }
    }
    match last {
        Some((place, fault)) => Err(Failure::at(place)(fault)),
        None => Ok(ExitCode::SUCCESS),
    }
}

fn compile_one(porch: &Porch, prepared: &Prepared, named: &str) -> Result<String, Fault> {
    let Located { path, pinned, .. } = locate(porch, named)?;
    let admitted = admit(&path, pinned, porch.config.storage.component_bytes_max)?;
    let (digest, registry) = (admitted.digest, prepared.workbench().registry());
    let was_cached = registry.is_cached(&digest);
    let started = Instant::now();
    registry.add(&TenantName::default_tenant(), admitted)?;
    let took = show_duration(started.elapsed());
    let how = if was_cached { "was compiled before, loaded" } else { "compiled" };
    Ok(format!("{how} in {took} (sha256 {digest})"))
}
