//! `pframe-host tasks inspect COMPONENT`
//!
//! Owns: what a component and its description say, and everything for which this host would refuse it.
//! Never: runs it; to know whether it is accepted, it is compiled (and cached).

use std::collections::BTreeSet;
use std::process::ExitCode;
use std::sync::Arc;

use pframe_core::fault::{Code, Fault, GuestText};
use pframe_core::ids::{Digest, TenantName};
use pframe_core::job::Grant;
use pframe_core::tasktype::{ParameterSchema, TaskType};
use pframe_core::units::ByteSize;
use serde_json::{Value, json};
use wasmparser::{ComponentTypeRef, Parser, Payload};

use super::arguments::InspectArguments;
use super::failure::{Failure, exit_code};
use super::porch::Porch;
use super::print::{print, print_json};
use super::tasks::{Located, locate};
use crate::capability::offer::{Offer, offer, opened_by};
use crate::registry::{admit, switched_off};
use crate::reporter::amounts::about;
use crate::reporter::told::{say, tell_fault};
use crate::sandbox::is_known_import;

/// Bytes above which compiling takes long enough to say so.
const SLOW_BYTES: usize = 4 << 20;
/// Imports that a fault lists.
const LISTED_MAX: usize = 20;

pub(super) fn inspect(porch: &Porch, arguments: &InspectArguments) -> Result<ExitCode, Failure> {
    let named = &arguments.component;
    let located = locate(porch, named).map_err(Failure::at(named))?;
    let Located { path, pinned, described, known_as } = located;
    let place = path.display().to_string();
    let bytes_max = porch.config.storage.component_bytes_max;
    let admitted = admit(&path, pinned, bytes_max).map_err(Failure::at(place.clone()))?;
    let prepared = porch.engine().prepare()?;
    let registry = prepared.workbench().registry();
    let was_compiled = registry.is_cached(&admitted.digest);
    if !was_compiled && admitted.bytes.len() > SLOW_BYTES {
        say("compiling, once; this may take a while");
    }
    let (digest, size) = (admitted.digest, ByteSize(admitted.bytes.len() as u64));
    let outside = outside(&admitted.bytes).map_err(Failure::at(place.clone()))?;
    let bytes = admitted.bytes.clone();
    let compiled = registry.add(&TenantName::default_tenant(), admitted).err();
    let is_pinned = pinned.is_some();
    let mut seen = Seen {
        place,
        known_as,
        described,
        digest,
        is_pinned,
        size,
        was_compiled,
        outside,
        refused: Vec::new(),
    };
    seen.refused = seen.refusals(compiled, || switched_off(&bytes));
    if arguments.form.json {
        print_json(&seen.json())?;
    } else {
        print(&seen.text())?;
    }
    seen.refused.iter().for_each(|fault| tell_fault(fault, &seen.place));
    Ok(match seen.refused.first() {
        Some(fault) => ExitCode::from(exit_code(fault.code.origin())),
        None => ExitCode::SUCCESS,
    })
}

/// What a component imports and exports by name.
#[derive(Debug, Default, PartialEq, Eq)]
struct Outside {
    imports: Vec<String>,
    exports: Vec<String>,
}

/// Reads the outermost imports and exports; the components within are their own business.
fn outside(bytes: &[u8]) -> Result<Outside, Fault> {
    let malformed = |error: wasmparser::BinaryReaderError| {
        Fault::new(Code::ComponentMalformed).detail(error.to_string())
    };
    let mut outside = Outside::default();
    let mut depth = 0_usize;
    for payload in Parser::new(0).parse_all(bytes) {
        match payload.map_err(malformed)? {
            Payload::ModuleSection { .. } | Payload::ComponentSection { .. } => depth += 1,
            Payload::End(_) => depth = depth.saturating_sub(1),
            Payload::ComponentImportSection(imports) if depth == 0 => {
                for import in imports {
                    let import = import.map_err(malformed)?;
                    if !matches!(import.ty, ComponentTypeRef::Type(_)) {
                        outside.imports.push(name(import.name.name));
                    }
                }
            }
            Payload::ComponentExportSection(exports) if depth == 0 => {
                for export in exports {
                    outside.exports.push(name(export.map_err(malformed)?.name.name));
                }
            }
            _ => {}
        }
    }
    Ok(outside)
}

fn name(text: &str) -> String {
    GuestText::new(text).as_str().replace('\n', "\\n")
}

struct Seen {
    place: String,
    known_as: Option<String>,
    described: Arc<TaskType>,
    digest: Digest,
    is_pinned: bool,
    size: ByteSize,
    was_compiled: bool,
    outside: Outside,
    refused: Vec<Fault>,
}

impl Seen {
    fn has_export(&self, interface: &str) -> bool {
        self.outside.exports.iter().any(|name| name.starts_with(interface))
    }

    fn kind(&self) -> String {
        let mut parts = Vec::new();
        for (interface, part) in [
            ("pframe:task/handler@", "handler"),
            ("pframe:task/chunker@", "own chunker"),
            ("pframe:task/collector@", "own collector"),
        ] {
            if self.has_export(interface) {
                parts.push(part);
            }
        }
        match parts.is_empty() {
            true if self.has_export("wasi:cli/run@") => "command: its stdin is the chunk".into(),
            true => "neither a handler nor a command".into(),
            false => parts.join(", "),
        }
    }

    /// Everything for which this host refuses it. Compiling finds the first fault only; imports, exports and proposals
    /// that are off are looked for besides.
    fn refusals(
        &self,
        compiled: Option<Fault>,
        features: impl FnOnce() -> Vec<&'static str>,
    ) -> Vec<Fault> {
        let mut refused = Vec::new();
        let unknown: Vec<_> = self
            .outside
            .imports
            .iter()
            .filter(|name| !is_known_import(name))
            .map(|name| format!("`{name}`"))
            .collect();
        if !unknown.is_empty() {
            let more = match unknown.len().saturating_sub(LISTED_MAX) {
                0 => String::new(),
                more => format!(" and {more} more"),
            };
            let listed = unknown[..unknown.len().min(LISTED_MAX)].join(", ");
            refused.push(Fault::new(Code::ImportUnknown).detail(format!("{listed}{more}")));
        }
        if !self.has_export("pframe:task/handler@") && !self.has_export("wasi:cli/run@") {
            refused.push(Fault::new(Code::ExportMissing));
        }
        if let Some(fault) = compiled.filter(|it| !refused.iter().any(|seen| seen.code == it.code))
        {
            let features = if fault.code.origin() == pframe_core::fault::Origin::Job {
                features()
            } else {
                Vec::new()
            };
            refused.push(match features.is_empty() {
                true => fault,
                false => Fault::new(Code::FeatureUnsupported)
                    .detail(format!("it needs {}", features.join(", "))),
            });
        }
        refused
    }

    /// Grants that its imports can make use of, each once.
    fn grants_of_imports(&self) -> BTreeSet<&'static str> {
        self.outside.imports.iter().filter_map(|name| opened_by(name)).collect()
    }

    fn compile_state(&self) -> &'static str {
        match (self.was_compiled, self.refused.is_empty()) {
            (true, _) => "for this engine, before",
            (false, true) => "for this engine, now",
            (false, false) => "no",
        }
    }

    fn text(&self) -> String {
        let pinned = if self.is_pinned { " (as pinned)" } else { "" };
        let verdict = if self.refused.is_empty() { "it runs here" } else { "refused, see below" };
        let mut lines = Vec::new();
        lines.extend(self.known_as.iter().map(|known_as| format!("task       {known_as}")));
        lines.extend(self.described.about.iter().map(|about| {
            format!("about      {}", GuestText::new(about).as_str().replace('\n', " "))
        }));
        lines.extend([
            format!("component  {}", self.place),
            format!("sha256     {}{pinned}", self.digest),
            format!("size       {}", about(self.size)),
            format!("kind       {}", self.kind()),
            format!("compiled   {}", self.compile_state()),
            format!("grants     {}", self.grants_text()),
            format!("verdict    {verdict}"),
        ]);
        lines.push("imports:".into());
        lines.extend(self.outside.imports.iter().map(|name| format!("  {}", import_line(name))));
        lines.push("exports:".into());
        lines.extend(self.outside.exports.iter().map(|name| format!("  {name}")));
        if let Some(schema) = &self.described.parameters {
            lines.push("parameters:".into());
            let text = serde_json::to_string_pretty(schema.as_json()).expect("plain data");
            lines.extend(text.lines().map(|line| format!("  {line}")));
        }
        lines.join("\n")
    }

    fn grants_text(&self) -> String {
        let quoted = |words: &mut dyn Iterator<Item = String>| {
            words.map(|word| format!("`{word}`")).collect::<Vec<_>>().join(", ")
        };
        let needed = quoted(&mut self.described.grants.iter().map(Grant::to_string));
        let usable = quoted(&mut self.grants_of_imports().into_iter().map(str::to_owned));
        match (needed.is_empty(), usable.is_empty()) {
            (true, true) => "none needed".into(),
            (true, false) => format!("its imports can use {usable}; its description asks for none"),
            (false, true) => format!("its description needs {needed}; its imports can use none"),
            (false, false) => {
                format!("its description needs {needed}; its imports can use {usable}")
            }
        }
    }

    fn json(&self) -> Value {
        let import = |name: &String| {
            let (stance, words) = stance(name);
            json!({ "interface": name, "stance": stance, "instead": words, "opened_by": opened_by(name) })
        };
        let asked: Vec<_> = self.described.grants.iter().map(Grant::to_string).collect();
        json!({
            "task": self.known_as,
            "version": self.described.version.as_ref().map(ToString::to_string),
            "description": self.described.about,
            "component": self.place,
            "sha256": self.digest,
            "pinned": self.is_pinned,
            "bytes": self.size,
            "kind": self.kind(),
            "was_cached": self.was_compiled,
            "compiled": self.was_compiled || self.refused.is_empty(),
            "imports": self.outside.imports.iter().map(import).collect::<Vec<_>>(),
            "exports": self.outside.exports,
            "grants": { "of_imports": self.grants_of_imports(), "of_description": asked },
            "parameters": self.described.parameters.as_ref().map(ParameterSchema::as_json),
            "refused": self.refused,
        })
    }
}

/// What this host does with an import, in one word and in more.
fn stance(name: &str) -> (&'static str, Option<&'static str>) {
    match is_known_import(name).then(|| offer(name, &[], false)) {
        None => ("refused", Some("this host does not know it")),
        Some(Offer::Open) => ("open", None),
        Some(Offer::StandIn(words)) => ("stand-in", Some(words)),
        Some(Offer::Denied(words)) => ("denied", Some(words)),
    }
}

fn import_line(name: &str) -> String {
    match stance(name) {
        (_, None) => name.to_owned(),
        ("refused", Some(words)) => format!("{name}  REFUSED: {words}"),
        (stance, Some(words)) => format!("{name}  {stance}: {words}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const COMPONENT: &str = r#"(component
        (import "wasi:http/outgoing-handler@0.2.6" (instance))
        (import "wasi:cli/environment@0.2.6" (instance $environment))
        (import "evil:host/shell@1.0.0" (instance))
        (component (import "not:outside/at-all" (instance)))
        (core module (import "nor" "this" (func)))
        (export "pframe:task/handler@0.1.0" (instance $environment)))"#;

    fn seen() -> Seen {
        let text =
            "version: 1\ndescription: does harm\ngrants: [ clock ]\nparameters: { type: object }\n";
        let described = pframe_core::tasktype::parse(text.as_bytes(), "task.yaml").unwrap();
        let mut seen = Seen {
            place: "evil.wasm".into(),
            known_as: Some("evil@1.0.0 (store)".into()),
            described: described.into(),
            digest: Digest([7; 32]),
            is_pinned: true,
            size: ByteSize::kib(64),
            was_compiled: false,
            outside: outside(&wat::parse_str(COMPONENT).unwrap()).unwrap(),
            refused: Vec::new(),
        };
        let compiled = Fault::new(Code::FeatureUnsupported).detail("the first alone");
        seen.refused = seen.refusals(Some(compiled), || vec!["threads", "tail calls"]);
        seen
    }

    #[test]
    fn only_the_outermost_imports_and_exports_count_each_with_what_becomes_of_it() {
        let expect = expect_test::expect![[r#"
            task       evil@1.0.0 (store)
            about      does harm
            component  evil.wasm
            sha256     0707070707070707070707070707070707070707070707070707070707070707 (as pinned)
            size       64.0 KiB
            kind       handler
            compiled   no
            grants     its description needs `clock`; its imports can use `env: NAME`
            verdict    refused, see below
            imports:
              wasi:http/outgoing-handler@0.2.6  denied: no requests
              wasi:cli/environment@0.2.6  stand-in: no variables, no arguments
              evil:host/shell@1.0.0  REFUSED: this host does not know it
            exports:
              pframe:task/handler@0.1.0
            parameters:
              {
                "type": "object"
              }"#]];
        expect.assert_eq(&seen().text());
    }

    #[test]
    fn everything_that_is_refused_is_told_in_one_report() {
        let told: Vec<_> = seen().refused.iter().map(ToString::to_string).collect();
        assert_eq!(
            told,
            [
                "the component imports what this host does not offer: `evil:host/shell@1.0.0`",
                "the component uses a WebAssembly feature that is switched off here: it needs threads, tail calls",
            ]
        );
        let again = Some(Fault::new(Code::ImportUnknown));
        assert_eq!(seen().refusals(again, || panic!("nobody asks")).len(), 1);
    }

    #[test]
    fn damage_is_a_fault() {
        let mut bytes = wat::parse_str(COMPONENT).unwrap();
        bytes.truncate(40);
        assert_eq!(outside(&bytes).map_err(|fault| fault.code), Err(Code::ComponentMalformed));
    }
}
