//! The demo's results, as a person likes them.
//!
//! Owns: which few figures of a result are shown.
//! Never: hides where the whole of it lies.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

use crate::Outcome;
use crate::talk::show;

#[derive(Deserialize)]
struct Words {
    #[serde(rename = "total_words")]
    total: u64,
    #[serde(rename = "distinct_words")]
    distinct: u64,
    top: Vec<Word>,
}

#[derive(Deserialize)]
struct Word {
    word: String,
    count: u64,
}

#[derive(Deserialize)]
struct Stats {
    lines: u64,
    fields: BTreeMap<String, Field>,
}

#[derive(Deserialize)]
struct Field {
    count: u64,
    distinct: u64,
    min: Option<Value>,
    max: Option<Value>,
    mean: Option<f64>,
}

/// Shows every result that is there.
pub(super) fn show_all(folder: &Path) -> Outcome {
    if let Some(words) = read::<Words>(&folder.join("top-words.json"))? {
        show_words(&words);
    }
    if let Some(stats) = read::<Stats>(&folder.join("events.json"))? {
        show_stats(&stats);
    }
    show(&format!("\nthe results: {}/results", super::FOLDER));
    Ok(())
}

fn read<T: DeserializeOwned>(path: &Path) -> Outcome<Option<T>> {
    if !path.exists() {
        return Ok(None);
    }
    let text =
        fs::read(path).map_err(|error| format!("cannot read {}: {error}", path.display()))?;
    let value = serde_json::from_slice(&text)
        .map_err(|error| format!("{} is no result of this job: {error}", path.display()))?;
    Ok(Some(value))
}

fn show_words(words: &Words) {
    show(&format!("\n{} words, {} different", words.total, words.distinct));
    for Word { word, count } in words.top.iter().take(10) {
        show(&format!("{count:>12}  {word}"));
    }
}

fn show_stats(stats: &Stats) {
    show(&format!("\n{} events", stats.lines));
    show(&format!("{:<14} {:>9} {:>9}  range and mean", "field", "count", "distinct"));
    for (name, field) in &stats.fields {
        let Field { count, distinct, .. } = field;
        let row = format!("{name:<14} {count:>9} {distinct:>9}  {}", range(field));
        show(row.trim_end());
    }
}

fn range(field: &Field) -> String {
    match (&field.min, &field.max, field.mean) {
        (Some(min), Some(max), Some(mean)) => format!("{min} … {max}, mean {mean:.2}"),
        _ => String::new(),
    }
}
