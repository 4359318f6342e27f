//! Builds the guests that were asked for.
//!
//! Owns: one `cargo build` for each guest, and the order: all compiled before any is finished.
//! Never: decides whether something is fresh; Cargo knows.

use super::Request;
use super::component::{Component, finish};
use super::toolchain::{Toolchain, find};
use crate::Outcome;
use crate::process::{WORK_TIME_MAX, work};
use crate::workspace::{Guest, guests, root};

/// Builds guests and returns their components, by name.
pub(crate) fn build(request: &Request) -> Outcome<Vec<Component>> {
    let guests = wanted(guests()?, &request.only)?;
    let toolchain = find(request.toolchain)?;
    for guest in &guests {
        compile(&toolchain, guest)?;
    }
    guests.iter().map(|guest| component(&toolchain, guest)).collect()
}

fn wanted(guests: Vec<Guest>, only: &[String]) -> Outcome<Vec<Guest>> {
    if let Some(name) = only.iter().find(|name| guests.iter().all(|guest| guest.package != **name))
    {
        let names: Vec<_> = guests.iter().map(|guest| guest.package.as_str()).collect();
        return Err(format!("there is no guest `{name}`: {}", names.join(", ")));
    }
    let is_wanted = |guest: &Guest| only.is_empty() || only.contains(&guest.package);
    Ok(guests.into_iter().filter(is_wanted).collect())
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
    use crate::workspace::Kind;

    fn guest(package: &str) -> Guest {
        Guest { package: package.into(), kind: Kind::Handler }
    }

    #[test]
    fn only_those_named_are_built() {
        let all = vec![guest("evil"), guest("tiny")];
        assert_eq!(wanted(all.clone(), &[]), Ok(all.clone()));
        assert_eq!(wanted(all, &["tiny".into()]), Ok(vec![guest("tiny")]));
    }

    #[test]
    fn an_unknown_name_lists_those_that_exist() {
        let outcome = wanted(vec![guest("evil"), guest("tiny")], &["tyni".into()]);
        assert_eq!(outcome, Err("there is no guest `tyni`: evil, tiny".into()));
    }
}
