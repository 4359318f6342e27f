//! A component that is ready to run: linked and its exports found, once per digest.
//!
//! Owns: what a component must export and may import.
//! Never: compiles; the registry hands in the compiled component.

use pframe_core::fault::{Code, Fault, GuestText};
use pframe_core::ids::Digest;
use wasmtime::component::{Component, ComponentExportIndex, InstancePre, types::ComponentItem};

use super::engine::Sandbox;
use super::state::AttemptState;
use crate::capability::KNOWN_INTERFACES;

/// The version of `pframe:task` that this host speaks.
const TASK_VERSION: &str = "0.1.0";
/// Unknown imports that an error lists.
const LISTED_MAX: usize = 20;

/// A component ready to run.
pub(crate) struct Task {
    pub(crate) digest: Digest,
    pub(crate) exports: Exports,
    pub(crate) instance: InstancePre<AttemptState>,
    /// Names of the imported interfaces, as the component writes them.
    pub(crate) imports: Vec<String>,
    /// Names of the exported interfaces.
    pub(crate) exported: Vec<String>,
}

/// What a component offers.
pub(crate) enum Exports {
    /// It exports `pframe:task/handler`.
    Handler {
        run: ComponentExportIndex,
        cut: Option<ComponentExportIndex>,
        collect: Option<Collector>,
    },
    /// It exports only `wasi:cli/run`.
    Command { run: ComponentExportIndex },
}

/// The two functions of a collector.
pub(crate) struct Collector {
    pub(crate) combine: ComponentExportIndex,
    pub(crate) finish: ComponentExportIndex,
}

impl Task {
    /// Checks imports and exports and links the component.
    pub(crate) fn link(
        sandbox: &Sandbox,
        digest: Digest,
        component: &Component,
    ) -> Result<Self, Fault> {
        check_imports(sandbox, component)?;
        let exports = find_exports(component)?;
        let instance = sandbox.linker().instantiate_pre(component).map_err(|error| {
            let text = GuestText::new(&format!("{error:#}"));
            Fault::new(Code::ImportUnknown).detail(text.as_str())
        })?;
        let component_type = component.component_type();
        let engine = sandbox.engine();
        let imports = component_type.imports(engine).map(|(name, _)| name.to_owned()).collect();
        let exported = component_type.exports(engine).map(|(name, _)| name.to_owned()).collect();
        Ok(Self { digest, exports, instance, imports, exported })
    }

    /// True where the component brings its own collector.
    pub(crate) fn collects(&self) -> bool {
        matches!(&self.exports, Exports::Handler { collect: Some(_), .. })
    }

    /// True where the component brings its own chunker.
    pub(crate) fn cuts(&self) -> bool {
        matches!(&self.exports, Exports::Handler { cut: Some(_), .. })
    }
}

/// True where this host links an interface of that name and a compatible version.
pub(crate) fn is_known_import(name: &str) -> bool {
    let (interface, version) = name.split_once('@').unwrap_or((name, ""));
    KNOWN_INTERFACES.iter().any(|known| known.name == interface && known.has(version))
}

fn check_imports(sandbox: &Sandbox, component: &Component) -> Result<(), Fault> {
    let component_type = component.component_type();
    let unknown: Vec<String> = component_type
        .imports(sandbox.engine())
        .filter(|(name, item)| !is_type_only(&item.ty) && !is_known_import(name))
        .map(|(name, _)| {
            format!("`{}`", GuestText::new(&name.chars().take(256).collect::<String>()))
        })
        .collect();
    if unknown.is_empty() {
        return Ok(());
    }
    let listed = unknown.iter().take(LISTED_MAX).cloned().collect::<Vec<_>>().join(", ");
    let rest = match unknown.len().saturating_sub(LISTED_MAX) {
        0 => String::new(),
        more => format!(" and {more} more"),
    };
    Err(Fault::new(Code::ImportUnknown).detail(format!("{listed}{rest}")))
}

fn is_type_only(item: &ComponentItem) -> bool {
    matches!(item, ComponentItem::Type(_))
}

fn find_exports(component: &Component) -> Result<Exports, Fault> {
    if let Some(run) = function(component, &task_interface("handler"), "run") {
        let collector = task_interface("collector");
        let collect = function(component, &collector, "combine")
            .zip(function(component, &collector, "finish"))
            .map(|(combine, finish)| Collector { combine, finish });
        let cut = function(component, &task_interface("chunker"), "cut");
        return Ok(Exports::Handler { run, cut, collect });
    }
    // wasmtime matches a wanted `0.2.0` with any compatible export, such as `0.2.6`.
    match function(component, "wasi:cli/run@0.2.0", "run") {
        Some(run) => Ok(Exports::Command { run }),
        None => Err(Fault::new(Code::ExportMissing)),
    }
}

fn task_interface(name: &str) -> String {
    format!("pframe:task/{name}@{TASK_VERSION}")
}

fn function(component: &Component, interface: &str, name: &str) -> Option<ComponentExportIndex> {
    let interface = component.get_export_index(None, interface)?;
    component.get_export_index(Some(&interface), name)
}
