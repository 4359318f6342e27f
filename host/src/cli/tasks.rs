//! `pframe-host tasks list` and `tasks compile`
//!
//! Owns: task types and components as an operator sees them; `inspect` has a file of its own.
//! Never: runs a component.

use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Instant;

use pframe_core::config::JobType;
use pframe_core::fault::Fault;
use pframe_core::ids::{Digest, TaskName, TenantName};
use pframe_core::units::{ByteSize, show_duration};
use serde_json::{Value, json};

use super::arguments::{CompileArguments, JsonFlag, TasksCommand};
use super::failure::Failure;
use super::inspect::inspect;
use super::porch::Porch;
use super::print::{print, print_json};
use crate::engine::Prepared;
use crate::registry::admit;
use crate::reporter::amounts::about;
use crate::reporter::table::grid;
use crate::reporter::told::{say, tell_fault};

pub(super) fn tasks(porch: &Porch, command: &TasksCommand) -> Result<ExitCode, Failure> {
    match command {
        TasksCommand::List(flag) => list(porch, *flag),
        TasksCommand::Inspect(arguments) => inspect(porch, arguments),
        TasksCommand::Compile(arguments) => compile(porch, arguments),
    }
}

/// The component that is meant: a task type of the configuration, else a file.
pub(super) fn component_of(porch: &Porch, named: &str) -> (PathBuf, Option<Digest>) {
    let name = named.parse::<TaskName>().ok();
    let job_type = name.and_then(|name| porch.config.job_types.get(&name));
    let component = job_type.and_then(|job_type| Some((job_type.component.as_ref()?, job_type)));
    match component {
        Some((path, job_type)) => (porch.config_dir().join(path), job_type.sha256),
        None => (PathBuf::from(named), None),
    }
}

/// One task type of the configuration.
struct Listed<'a> {
    name: &'a TaskName,
    component: Option<&'a str>,
    /// Digest, size, and whether its artefact is in the cache; or why it cannot be used.
    found: Option<Result<(Digest, ByteSize, bool), Fault>>,
}

fn list(porch: &Porch, flag: JsonFlag) -> Result<ExitCode, Failure> {
    let prepared = porch.engine().prepare()?;
    let job_types = porch.config.job_types.iter();
    let listed: Vec<_> = job_types.map(|(name, of)| look(porch, &prepared, name, of)).collect();
    if flag.json {
        print_json(&listed.iter().map(Listed::json).collect::<Value>())?;
    } else if listed.is_empty() {
        say(
            "the configuration names no task types; `pframe-host config show` says where it was read",
        );
    } else {
        let header = ["task", "component", "sha256", "size", "state"];
        print(&grid(&header, listed.iter().map(Listed::row), &[3]))?;
    }
    let faults =
        listed.iter().filter_map(|task| Some((task.name, task.found.as_ref()?.as_ref().err()?)));
    faults.for_each(|(name, fault)| tell_fault(fault, &format!("task {name}")));
    Ok(ExitCode::SUCCESS)
}

fn look<'a>(
    porch: &Porch,
    prepared: &Prepared,
    name: &'a TaskName,
    job_type: &'a JobType,
) -> Listed<'a> {
    let component = job_type.component.as_deref();
    let bytes_max = porch.config.storage.component_bytes_max;
    let found = component.map(|path| {
        let admitted = admit(&porch.config_dir().join(path), job_type.sha256, bytes_max)?;
        let is_cached = prepared.workbench().registry().is_cached(&admitted.digest);
        Ok((admitted.digest, ByteSize(admitted.bytes.len() as u64), is_cached))
    });
    Listed { name, component, found }
}

impl Listed<'_> {
    fn row(&self) -> [String; 5] {
        let dash = || "–".to_owned();
        let (digest, size, state) = match &self.found {
            None => (dash(), dash(), "no component: jobs bring one".into()),
            Some(Err(fault)) => (dash(), dash(), fault.code.title().into()),
            Some(Ok((digest, size, is_compiled))) => {
                let state = if *is_compiled { "compiled" } else { "not compiled yet" };
                (digest.to_string()[..12].to_owned(), about(*size), state.into())
            }
        };
        let component = self.component.map_or_else(dash, str::to_owned);
        [self.name.to_string(), component, digest, size, state]
    }

    fn json(&self) -> Value {
        let found = self.found.as_ref();
        let known = found.and_then(|found| found.as_ref().ok());
        json!({
            "task": self.name,
            "component": self.component,
            "sha256": known.map(|(digest, ..)| digest),
            "bytes": known.map(|(_, size, _)| size),
            "compiled": known.map(|(.., is_compiled)| is_compiled),
            "fault": found.and_then(|found| found.as_ref().err()),
        })
    }
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
    let (path, pinned) = component_of(porch, named);
    let admitted = admit(&path, pinned, porch.config.storage.component_bytes_max)?;
    let (digest, registry) = (admitted.digest, prepared.workbench().registry());
    let was_cached = registry.is_cached(&digest);
    let started = Instant::now();
    registry.add(&TenantName::default_tenant(), admitted)?;
    let took = show_duration(started.elapsed());
    let how = if was_cached { "was compiled before, loaded" } else { "compiled" };
    Ok(format!("{how} in {took} (sha256 {digest})"))
}
