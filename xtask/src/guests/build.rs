//! Builds the guests that were asked for.
//!
//! Owns: one `cargo build` for each guest, and the order: all compiled before any is finished.
//! Never: decides whether something is fresh; Cargo knows.

use std::path::Path;

use super::Request;
use super::component::{Component, finish};
use super::foreign;
use super::toolchain::{Choice, Toolchain, find};
use crate::Outcome;
use crate::process::{WORK_TIME_MAX, work};
use crate::workspace::{Guest, Kind, guests, root};

/// Builds guests and returns their components: those in Rust, then those in other languages, by name.
pub(crate) fn build(request: &Request) -> Outcome<Vec<Component>> {
    let (in_rust, foreign) = (guests()?, foreign::guests());
    let names = in_rust.iter().map(|guest| &guest.package);
    let names: Vec<&String> = names.chain(foreign.iter().map(|guest| &guest.name)).collect();
    check(&names, &request.only)?;
    let is_wanted = |name: &String| request.only.is_empty() || request.only.contains(name);
    let in_rust: Vec<_> = in_rust.into_iter().filter(|guest| is_wanted(&guest.package)).collect();
    let mut components = Vec::new();
    if !in_rust.is_empty() {
        let toolchain = find(request.toolchain)?;
        for guest in &in_rust {
            compile(&toolchain, guest)?;
        }
        for guest in &in_rust {
            components.push(component(&toolchain, guest)?);
        }
    }
    for guest in foreign.iter().filter(|guest| is_wanted(&guest.name)) {
        components.push(guest.build()?);
    }
    Ok(components)
}

/// Builds a project in Rust that `pframe-host new` wrote: into the place that its job file names.
pub(crate) fn build_project(project: &Path, choice: Choice) -> Outcome<Component> {
    let toolchain = find(choice)?;
    let kind = match project.join("src/lib.rs").is_file() {
        true => Kind::Handler,
        false => Kind::Command,
    };
    work(&mut toolchain.project_command(project, kind), WORK_TIME_MAX)?;
    let name = project.file_name().unwrap_or_default().to_string_lossy();
    let package = name.into_owned();
    let guest = Guest { package, kind };
    let target = toolchain.recipe(kind).target;
    let made = toolchain.folder().join("projects").join(target).join("release");
    let place = project.join("target/wasm32-wasip2/release").join(guest.artifact_name());
    finish(&made.join(guest.artifact_name()), place)
}

/// Refuses names that nobody has.
fn check(names: &[&String], only: &[String]) -> Outcome {
    let Some(stranger) = only.iter().find(|name| !names.contains(name)) else { return Ok(()) };
    let names: Vec<_> = names.iter().map(|name| name.as_str()).collect();
    Err(format!("there is no guest `{stranger}`: {}", names.join(", ")))
}

/// One package at a time: Cargo joins the features of all packages that it builds together, and a component's bytes
/// must not depend on what else was asked for.
fn compile(toolchain: &Toolchain, guest: &Guest) -> Outcome {
    let recipe = toolchain.recipe(guest.kind);
    work(&mut toolchain.build_command(&recipe, &guest.package), WORK_TIME_MAX)
}

fn component(toolchain: &Toolchain, guest: &Guest) -> Outcome<Component> {
    let target = toolchain.recipe(guest.kind).target;
    let artifact = toolchain.folder().join(target).join("guest").join(guest.artifact_name());
    finish(&artifact, root().join("target/handlers").join(guest.file_name()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_unknown_name_lists_those_that_exist() {
        let names = ["evil".to_owned(), "tiny".to_owned()];
        let names: Vec<&String> = names.iter().collect();
        assert_eq!(check(&names, &[]), Ok(()));
        assert_eq!(check(&names, &["tiny".into()]), Ok(()));
        let outcome = check(&names, &["tyni".into()]);
        assert_eq!(outcome, Err("there is no guest `tyni`: evil, tiny".into()));
    }
}
