//! `pframe-host selftest --layers`
//!
//! Owns: the answer to "is untrusted code safe on this very machine", by trying it.
//! Never: says that a layer holds without a child process that put it on.

use std::path::Path;
use std::process::ExitCode;

use pframe_core::fault::Fault;
use serde_json::json;

use super::arguments::SelftestArguments;
use super::failure::{Failure, MACHINE};
use super::hostile::hostile;
use super::porch::OWN_PROGRAM;
use super::print::{print, print_json};
use crate::process::jail::{Layer, LayerState};
use crate::process::probe::{Attack, Fate, Stage, probe};

pub(super) fn selftest(arguments: &SelftestArguments) -> Result<ExitCode, Failure> {
    if arguments.hostile {
        return hostile(arguments.json);
    }
    let program = Path::new(OWN_PROGRAM);
    let failed = |fault| Failure::at("selftest")(fault);
    let left_out =
        arguments.without.iter().map(|name| layer(name)).collect::<Result<Vec<_>, _>>()?;
    // A worker with directories may do more than one without: what counts is the worse of both.
    let is_loading = arguments.stage == "loading";
    let first = if is_loading { Stage::Loading } else { Stage::Running };
    let (layers, _) = probe(program, &left_out, None, first).map_err(failed)?;
    let fate = |name, attack: Attack| {
        let stages = if is_loading { &[Stage::Loading] } else { attack.stages() };
        let fates = stages.iter().map(|stage| Ok(probe(program, &left_out, Some(name), *stage)?.1));
        let fates = fates.collect::<Result<Vec<_>, Fault>>()?;
        Ok((name, fates.into_iter().max().unwrap_or(Fate::Refused)))
    };
    let attacks: Vec<(&str, Fate)> = Attack::ALL
        .iter()
        .map(|(name, attack)| fate(*name, *attack))
        .collect::<Result<_, _>>()
        .map_err(failed)?;
    if arguments.json {
        print_json(&as_json(&layers, &attacks))?;
    } else {
        print(&as_text(&layers, &attacks))?;
    }
    let is_safe = layers.iter().all(|state| state.missing.is_none())
        && attacks.iter().all(|(_, fate)| *fate != Fate::Worked);
    Ok(if is_safe { ExitCode::SUCCESS } else { ExitCode::from(MACHINE) })
}

fn layer(name: &str) -> Result<Layer, Failure> {
    let known: Vec<_> = Layer::ALL.iter().map(|layer| layer.name()).collect();
    Layer::find(name)
        .ok_or_else(|| Failure::Usage(format!("there is no layer `{name}`: {}", known.join(", "))))
}

fn as_json(layers: &[LayerState], attacks: &[(&str, Fate)]) -> serde_json::Value {
    let layer = |state: &LayerState| json!({ "layer": state.layer.name(), "holds": state.missing.is_none(), "why": state.missing });
    let attack = |(name, fate): &(&str, Fate)| json!({ "attack": name, "ended": word(fate) });
    json!({
        "layers": layers.iter().map(layer).collect::<Vec<_>>(),
        "attacks": attacks.iter().map(attack).collect::<Vec<_>>(),
    })
}

fn as_text(layers: &[LayerState], attacks: &[(&str, Fate)]) -> String {
    let mut text = String::from("layers around a worker process\n");
    for state in layers {
        match &state.missing {
            None => text.push_str(&format!("  holds    {}\n", state.layer.name())),
            Some(why) => {
                text.push_str(&format!("  MISSING  {}: {why}\n", state.layer.name()));
                for line in advice(state.layer) {
                    text.push_str(&format!("             {line}\n"));
                }
            }
        }
    }
    text.push_str("what a worker that was taken over may do\n");
    for (name, fate) in attacks {
        text.push_str(&format!("  {:<8} {name}\n", word(fate)));
    }
    let holding = layers.iter().filter(|state| state.missing.is_none()).count();
    let stopped = attacks.iter().filter(|(_, fate)| *fate != Fate::Worked).count();
    text.push_str(&format!(
        "{holding} of {} layers hold, {stopped} of {} attacks are stopped\n",
        Layer::ALL.len(),
        attacks.len(),
    ));
    text
}

fn word(fate: &Fate) -> &'static str {
    match fate {
        Fate::Killed => "killed",
        Fate::Refused => "refused",
        Fate::Worked => "WORKED",
    }
}

/// What gives a layer back, by where the host runs.
fn advice(layer: Layer) -> &'static [&'static str] {
    match layer {
        Layer::Namespaces | Layer::EmptyRoot => &[
            "docker run --security-opt seccomp=unconfined --security-opt apparmor=unconfined …",
            "systemd: RestrictNamespaces=no, and no SystemCallFilter that forbids @mount",
            "Kubernetes: securityContext: { seccompProfile: { type: Unconfined } }",
            "Debian and Ubuntu: sysctl kernel.unprivileged_userns_clone=1, kernel.apparmor_restrict_unprivileged_userns=0",
            "or go without this layer: --isolation container",
        ],
        Layer::Landlock => &[
            "a kernel of 5.19 or newer with CONFIG_SECURITY_LANDLOCK, and `landlock` in its lsm= list",
            "docker before 20.10.10: --security-opt seccomp=unconfined",
        ],
        Layer::SystemCalls => &["a kernel with CONFIG_SECCOMP_FILTER"],
        Layer::ResourceLimits | Layer::NotDumpable | Layer::NoCapabilities => {
            &["docker: no --cap-add or --ulimit that the host itself may not lower"]
        }
        Layer::Environment
        | Layer::Descriptors
        | Layer::DeathWithParent
        | Layer::NoNewPrivileges => &["a Linux kernel of 5.9 or newer"],
    }
}
