//! `pframe-host tasks list`
//!
//! Owns: every task type that jobs may name, wherever it is known from, usable or not.
//! Never: compiles anything; it says what is compiled already.

use std::path::PathBuf;
use std::process::ExitCode;

use pframe_core::fault::Fault;
use pframe_core::ids::Digest;
use pframe_core::units::ByteSize;
use serde_json::{Value, json};

use super::arguments::JsonFlag;
use super::failure::Failure;
use super::jobs::configured;
use super::porch::Porch;
use super::print::{print, print_json};
use crate::engine::Prepared;
use crate::registry::{self, admit};
use crate::reporter::amounts::about;
use crate::reporter::table::grid;
use crate::reporter::told::{say, tell_fault};

pub(super) fn list(porch: &Porch, flag: JsonFlag) -> Result<ExitCode, Failure> {
    let prepared = porch.engine().prepare()?;
    let mut rows = of_configuration(porch, &prepared);
    let catalog = porch.catalog()?;
    rows.extend(catalog.listed().iter().map(|listed| of_catalog(porch, &prepared, listed)));
    if flag.json {
        print_json(&rows.iter().map(Row::json).collect::<Value>())?;
    } else if rows.is_empty() {
        say(
            "there are no task types: the configuration names none (`pframe-host config show` says where it was read), and `storage.tasks_dir` is not set or empty, and nothing was added (`pframe-host tasks add`)",
        );
    } else {
        let header = ["task", "version", "from", "component", "sha256", "size", "state"];
        print(&grid(&header, rows.iter().map(Row::cells), &[5]))?;
    }
    for row in &rows {
        if let Some(Err(fault)) = &row.found {
            tell_fault(fault, &format!("task {}", row.task));
        }
    }
    Ok(ExitCode::SUCCESS)
}

/// One task type.
struct Row {
    task: String,
    version: Option<String>,
    from: &'static str,
    component: Option<PathBuf>,
    about: Option<String>,
    /// Digest, size, and whether its artefact is in the cache; or why it cannot be used.
    found: Option<Result<(Digest, ByteSize, bool), Fault>>,
}

fn of_configuration(porch: &Porch, prepared: &Prepared) -> Vec<Row> {
    let row = |(name, job_type): (&_, &pframe_core::config::JobType)| Row {
        task: format!("{name}"),
        version: None,
        from: "configuration",
        component: job_type.component.as_ref().map(PathBuf::from),
        about: None,
        found: configured(porch, name).map(|(path, pinned)| look(porch, prepared, &path, pinned)),
    };
    porch.config.job_types.iter().map(row).collect()
}

fn of_catalog(porch: &Porch, prepared: &Prepared, listed: &registry::Listed) -> Row {
    let place = || listed.place.display().to_string();
    let entry = listed.entry.as_ref();
    Row {
        task: listed.name.as_ref().map_or_else(place, ToString::to_string),
        version: listed.version.as_ref().map(ToString::to_string),
        from: entry.map_or("folder", |entry| entry.shelf.name()),
        component: Some(entry.map_or_else(|_| listed.place.clone(), |it| it.component.clone())),
        about: entry.ok().and_then(|entry| entry.described.about.clone()),
        found: Some(match entry {
            Ok(entry) => look(porch, prepared, &entry.component, entry.pinned),
            Err(fault) => Err(fault.clone()),
        }),
    }
}

fn look(
    porch: &Porch,
    prepared: &Prepared,
    component: &std::path::Path,
    pinned: Option<Digest>,
) -> Result<(Digest, ByteSize, bool), Fault> {
    let admitted = admit(component, pinned, porch.config.storage.component_bytes_max)?;
    let is_cached = prepared.workbench().registry().is_cached(&admitted.digest);
    Ok((admitted.digest, ByteSize(admitted.bytes.len() as u64), is_cached))
}

impl Row {
    fn cells(&self) -> [String; 7] {
        let dash = || "–".to_owned();
        let (digest, size, state) = match &self.found {
            None => (dash(), dash(), "no component: jobs bring one".into()),
            Some(Err(fault)) => (dash(), dash(), fault.code.title().into()),
            Some(Ok((digest, size, is_compiled))) => {
                let state = if *is_compiled { "compiled" } else { "not compiled yet" };
                (digest.to_string()[..12].to_owned(), about(*size), state.into())
            }
        };
        let component = self.component.as_ref().map_or_else(dash, |it| it.display().to_string());
        let version = self.version.clone().unwrap_or_else(dash);
        [self.task.clone(), version, self.from.into(), component, digest, size, state]
    }

    fn json(&self) -> Value {
        let found = self.found.as_ref();
        let known = found.and_then(|found| found.as_ref().ok());
        json!({
            "task": self.task,
            "version": self.version,
            "from": self.from,
            "component": self.component,
            "description": self.about,
            "sha256": known.map(|(digest, ..)| digest),
            "bytes": known.map(|(_, size, _)| size),
            "compiled": known.map(|(.., is_compiled)| is_compiled),
            "fault": found.and_then(|found| found.as_ref().err()),
        })
    }
}
