//! `pframe-host config show`
//!
//! Owns: how the values in force and their origins look.
//! Never: changes one.

use std::process::ExitCode;

use pframe_core::config::{Entry, KNOBS};
use serde_json::json;

use super::arguments::JsonFlag;
use super::failure::Failure;
use super::porch::Porch;
use super::print::{print, print_json};
use crate::reporter::table::grid;

pub(super) fn show(porch: &Porch, flag: JsonFlag) -> Result<ExitCode, Failure> {
    let entries = entries(porch);
    if flag.json {
        print_json(&as_json(&entries))?;
        return Ok(ExitCode::SUCCESS);
    }
    print(&text(&entries))?;
    Ok(ExitCode::SUCCESS)
}

/// The entries, with the directories that the host chose by itself filled in.
fn entries(porch: &Porch) -> Vec<Entry> {
    let chosen = |entry: &Entry| match entry.path.as_str() {
        "storage.state_dir" => porch.state_dir.display().to_string(),
        "storage.cache_dir" => porch.cache_dir.display().to_string(),
        "parallel_processing.temp_storage" if porch.config.temp_storage.is_none() => {
            std::env::temp_dir().display().to_string()
        }
        _ => entry.value.clone(),
    };
    let entries = porch.config.entries().iter();
    entries.map(|entry| Entry { value: chosen(entry), ..entry.clone() }).collect()
}

fn text(entries: &[Entry]) -> String {
    let row = |entry: &Entry| {
        [&entry.path, &entry.value, &entry.origin.to_string()].map(|text| escaped(text))
    };
    grid(&["setting", "value", "from"], entries.iter().map(row), &[])
}

/// A configuration may hold any text; none of it steers the terminal.
fn escaped(text: &str) -> String {
    pframe_core::fault::GuestText::new(text).as_str().replace('\n', "\\n")
}

fn as_json(entries: &[Entry]) -> serde_json::Value {
    let value = |entry: &Entry| {
        let knob = KNOBS.iter().find(|knob| knob.path == entry.path);
        json!({
            "path": entry.path,
            "value": entry.value,
            "origin": entry.origin.to_string(),
            "variable": knob.map(|knob| knob.variable),
            "flag": knob.map(|knob| knob.flag),
        })
    };
    entries.iter().map(value).collect()
}

#[cfg(test)]
mod tests {
    use pframe_core::config::{Layers, load};

    use super::*;

    #[test]
    fn every_value_stands_beside_its_origin() {
        let file = b"parallel_processing:\n  max_workers: 3\n".as_slice();
        let environment = [("PFRAME_MEMORY_LIMIT".to_owned(), "50%".to_owned())];
        let layers =
            Layers { file: Some(("pframe.yaml", file)), environment: &environment, flags: &[] };
        let config = load(&layers).unwrap();
        let text = text(&config.entries()[..4]);
        let expect = expect_test::expect![[r#"
             setting                                 value     from
            ─────────────────────────────────────────────────────────────────
             parallel_processing.default_scheduler   threads   default
             parallel_processing.isolation           strict    default
             parallel_processing.max_workers         3         pframe.yaml:2
             parallel_processing.max_attempts        auto      default"#]];
        expect.assert_eq(&text);
    }
}
