//! `pframe-host tasks inspect COMPONENT`
//!
//! Owns: what a component says about itself, and what this host thinks of it.
//! Never: runs it; to know whether it is accepted, it is compiled (and cached).

use std::process::ExitCode;

use pframe_core::fault::{Code, Fault, GuestText};
use pframe_core::ids::{Digest, TenantName};
use pframe_core::units::ByteSize;
use serde_json::{Value, json};
use wasmparser::{ComponentTypeRef, Parser, Payload};

use super::arguments::InspectArguments;
use super::failure::{Failure, exit_code};
use super::porch::Porch;
use super::print::{print, print_json};
use super::tasks::component_of;
use crate::capability::offer::{Offer, offer};
use crate::registry::admit;
use crate::reporter::amounts::about;
use crate::reporter::told::{say, tell_fault};
use crate::sandbox::is_known_import;

/// Bytes above which compiling takes long enough to say so.
const SLOW_BYTES: usize = 4 << 20;

pub(super) fn inspect(porch: &Porch, arguments: &InspectArguments) -> Result<ExitCode, Failure> {
    let (path, pinned) = component_of(porch, &arguments.component)?;
    let place = path.display().to_string();
    let bytes_max = porch.config.storage.component_bytes_max;
    let admitted = admit(&path, pinned, bytes_max).map_err(Failure::at(place.clone()))?;
    let prepared = porch.engine().prepare()?;
    let registry = prepared.workbench().registry();
    let is_cached = registry.is_cached(&admitted.digest);
    if !is_cached && admitted.bytes.len() > SLOW_BYTES {
        say("compiling, once; this may take a while");
    }
    let (digest, size) = (admitted.digest, ByteSize(admitted.bytes.len() as u64));
    let outside = outside(&admitted.bytes).map_err(Failure::at(place.clone()))?;
    let refused = registry.add(&TenantName::default_tenant(), admitted).err();
    let seen = Seen { place, digest, size, is_cached, outside, refused };
    if arguments.form.json {
        print_json(&seen.json())?;
    } else {
        print(&seen.text())?;
    }
    match &seen.refused {
        Some(fault) => {
            tell_fault(fault, &seen.place);
            Ok(ExitCode::from(exit_code(fault.code.origin())))
        }
        None => Ok(ExitCode::SUCCESS),
    }
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
    digest: Digest,
    size: ByteSize,
    is_cached: bool,
    outside: Outside,
    refused: Option<Fault>,
}

impl Seen {
    fn kind(&self) -> String {
        let exports =
            |interface: &str| self.outside.exports.iter().any(|name| name.starts_with(interface));
        let mut parts = Vec::new();
        for (interface, part) in [
            ("pframe:task/handler@", "handler"),
            ("pframe:task/chunker@", "own chunker"),
            ("pframe:task/collector@", "own collector"),
        ] {
            if exports(interface) {
                parts.push(part);
            }
        }
        match parts.is_empty() {
            true if exports("wasi:cli/run@") => "command: its stdin is the chunk".into(),
            true => "neither a handler nor a command".into(),
            false => parts.join(", "),
        }
    }

    fn text(&self) -> String {
        let mut lines = vec![
            format!("component  {}", self.place),
            format!("sha256     {}", self.digest),
            format!("size       {}", about(self.size)),
            format!("kind       {}", self.kind()),
            format!(
                "cached     {}",
                if self.is_cached { "yes" } else { "no, it was compiled now" }
            ),
            format!(
                "verdict    {}",
                self.refused.as_ref().map_or("it runs here", |_| "refused, see below")
            ),
        ];
        if self.refused.is_some() && !self.is_cached {
            lines[4] = "cached     no".into();
        }
        lines.push("imports:".into());
        lines.extend(self.outside.imports.iter().map(|name| format!("  {}", import_line(name))));
        lines.push("exports:".into());
        lines.extend(self.outside.exports.iter().map(|name| format!("  {name}")));
        lines.join("\n")
    }

    fn json(&self) -> Value {
        let import = |name: &String| {
            let (stance, words) = stance(name);
            json!({ "interface": name, "stance": stance, "instead": words })
        };
        json!({
            "component": self.place,
            "sha256": self.digest,
            "bytes": self.size,
            "kind": self.kind(),
            "was_cached": self.is_cached,
            "imports": self.outside.imports.iter().map(import).collect::<Vec<_>>(),
            "exports": self.outside.exports,
            "fault": self.refused,
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
        Seen {
            place: "evil.wasm".into(),
            digest: Digest([7; 32]),
            size: ByteSize::kib(64),
            is_cached: false,
            outside: outside(&wat::parse_str(COMPONENT).unwrap()).unwrap(),
            refused: Some(Fault::new(Code::ImportUnknown)),
        }
    }

    #[test]
    fn only_the_outermost_imports_and_exports_count_each_with_what_becomes_of_it() {
        let expect = expect_test::expect![[r#"
            component  evil.wasm
            sha256     0707070707070707070707070707070707070707070707070707070707070707
            size       64.0 KiB
            kind       handler
            cached     no
            verdict    refused, see below
            imports:
              wasi:http/outgoing-handler@0.2.6  denied: no requests
              wasi:cli/environment@0.2.6  stand-in: no variables, no arguments
              evil:host/shell@1.0.0  REFUSED: this host does not know it
            exports:
              pframe:task/handler@0.1.0"#]];
        expect.assert_eq(&seen().text());
    }

    #[test]
    fn damage_is_a_fault() {
        let mut bytes = wat::parse_str(COMPONENT).unwrap();
        bytes.truncate(40);
        assert_eq!(outside(&bytes).map_err(|fault| fault.code), Err(Code::ComponentMalformed));
    }
}
