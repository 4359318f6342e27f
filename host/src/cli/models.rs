//! `pframe-host models list | add | verify | remove`
//!
//! Owns: models for speech recognition as an operator sees them.
//! Never: loads a model; that happens in a process of its own, when it is needed.

use std::process::ExitCode;

use pframe_core::fault::Fault;
use pframe_core::ids::Digest;
use pframe_core::units::ByteSize;
use serde_json::{Value, json};

use super::arguments::{AddModelArguments, JsonFlag, ModelsCommand};
use super::failure::{Failure, exit_code};
use super::porch::Porch;
use super::print::{print, print_json};
use crate::recogniser::{Family, INSTALL_POCKETSPHINX, Model, Models};
use crate::reporter::amounts::about;
use crate::reporter::table::grid;
use crate::reporter::told::{say, tell_fault};

pub(super) fn models(porch: &Porch, command: &ModelsCommand) -> Result<ExitCode, Failure> {
    let models = Models::new(&porch.models_dir);
    match command {
        ModelsCommand::List(flag) => list(&models, *flag),
        ModelsCommand::Add(arguments) => add(&models, arguments),
        ModelsCommand::Verify { name } => verify(&models, name.as_deref()),
        ModelsCommand::Remove { name } => {
            let model = models.remove(name).map_err(Failure::at(name))?;
            say(&format!("removed `{}`, {}", model.name, about(model.size)));
            Ok(ExitCode::SUCCESS)
        }
    }
}

fn list(models: &Models, flag: JsonFlag) -> Result<ExitCode, Failure> {
    let all = models.list()?;
    if flag.json {
        print_json(&all.iter().map(form).collect::<Value>())?;
        return Ok(ExitCode::SUCCESS);
    }
    if all.is_empty() {
        say(&format!(
            "no models: `pframe-host models add NAME FILE` adds one; `{INSTALL_POCKETSPHINX}` brings `pocketsphinx`"
        ));
        return Ok(ExitCode::SUCCESS);
    }
    let rows = all.iter().map(|model| {
        let languages =
            if model.languages.is_empty() { "–".to_owned() } else { model.languages.join(" ") };
        let digest = model.sha256.to_string();
        [model.name.clone(), model.family.name().into(), languages, about(model.size), digest]
    });
    print(&grid(&["model", "recogniser", "languages", "size", "sha256"], rows, &[3]))?;
    Ok(ExitCode::SUCCESS)
}

fn form(model: &Model) -> Value {
    json!({
        "name": model.name,
        "recogniser": model.family.name(),
        "languages": model.languages,
        "size": model.size,
        "sha256": model.sha256,
    })
}

fn add(models: &Models, arguments: &AddModelArguments) -> Result<ExitCode, Failure> {
    let AddModelArguments { name, file, sha256, family } = arguments;
    let wanted = sha256.as_deref().map(str::parse::<Digest>).transpose();
    let wanted = wanted.map_err(|error| Failure::Usage(format!("`--sha256`: {error}")))?;
    let family = Family::find(family).expect("the arguments know the families");
    let model = models.add(name, file, family, wanted).map_err(Failure::at(name))?;
    let Model { size, sha256, .. } = model;
    say(&format!("added `{name}`, {}, sha256 {sha256}", about(size)));
    Ok(ExitCode::SUCCESS)
}

/// Reads every file once more; all that is wrong is told.
fn verify(models: &Models, name: Option<&str>) -> Result<ExitCode, Failure> {
    let all = match name {
        Some(name) => vec![Model::clone(&*models.find(name).map_err(Failure::at(name))?)],
        None => models.list()?,
    };
    let mut worst: Option<Fault> = None;
    let mut bytes = 0;
    for model in &all {
        match models.open(model) {
            Ok(_) => bytes += model.size.bytes(),
            Err(fault) => {
                tell_fault(&fault, &format!("model {}", model.name));
                worst = Some(fault);
            }
        }
    }
    if let Some(fault) = worst {
        return Ok(ExitCode::from(exit_code(fault.code.origin())));
    }
    let (count, size) = (all.len(), about(ByteSize(bytes)));
    say(&format!("{count} models, {size}: all as they were added"));
    Ok(ExitCode::SUCCESS)
}
