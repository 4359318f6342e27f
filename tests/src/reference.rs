//! What the shipped handlers should say, computed the plain way.
//!
//! Owns: one straightforward implementation of each handler's README, sharing no code with it.
//! Never: is fast, or clever.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Map, Value, json};

/// How often each word comes, in the words of `tasks/word-count/README.md`.
pub type Words = BTreeMap<String, u64>;

/// Counts the words of a text.
pub fn words(text: &[u8]) -> Words {
    let characters: Vec<char> = String::from_utf8_lossy(text).chars().collect();
    let is_inner = |at: usize| {
        at > 0
            && matches!(characters[at], '\'' | '’')
            && characters[at - 1].is_alphanumeric()
            && characters.get(at + 1).is_some_and(|next| next.is_alphanumeric())
    };
    let mut words = Words::new();
    let mut word = String::new();
    for (at, character) in characters.iter().enumerate() {
        if character.is_alphanumeric() {
            word.extend(character.to_lowercase());
        } else if is_inner(at) {
            word.push('\'');
        } else if !word.is_empty() {
            *words.entry(std::mem::take(&mut word)).or_default() += 1;
        }
    }
    if !word.is_empty() {
        *words.entry(word).or_default() += 1;
    }
    words
}

/// Adds up the counts of several texts.
pub fn sum(parts: impl IntoIterator<Item = Words>) -> Words {
    let mut sum = Words::new();
    for (word, count) in parts.into_iter().flatten() {
        *sum.entry(word).or_default() += count;
    }
    sum
}

/// The report of `word-count`, to the byte.
pub fn word_report(words: &Words, top: usize) -> String {
    let mut ranked: Vec<_> = words.iter().collect();
    ranked.sort_by(|one, other| other.1.cmp(one.1).then(one.0.cmp(other.0)));
    let entries: Vec<_> = ranked
        .iter()
        .take(if top == 0 { usize::MAX } else { top })
        .map(|(word, count)| format!(r#"{{"word":"{word}","count":{count}}}"#))
        .collect();
    format!(
        "{{\"total_words\":{},\"distinct_words\":{},\"top\":[{}]}}\n",
        words.values().sum::<u64>(),
        words.len(),
        entries.join(",")
    )
}

/// The report of `json-stats` with `on_invalid: skip`.
///
/// Sums are plain additions of doubles, so only numbers with exact sums may be compared.
pub fn json_report(text: &[u8]) -> Value {
    let mut fields: BTreeMap<String, Vec<Value>> = BTreeMap::new();
    let (mut lines, mut blank, mut invalid) = (0, 0, 0);
    for line in text.split_inclusive(|&byte| byte == b'\n') {
        lines += 1;
        match serde_json::from_slice(line) {
            _ if line.trim_ascii().is_empty() => blank += 1,
            Ok(Value::Object(object)) => flatten("", object, &mut fields),
            _ => invalid += 1,
        }
    }
    let fields: Map<String, Value> =
        fields.into_iter().map(|(path, values)| (path, field(&values))).collect();
    json!({ "lines": lines, "blank_lines": blank, "invalid_lines": invalid, "fields": fields })
}

fn flatten(prefix: &str, object: Map<String, Value>, fields: &mut BTreeMap<String, Vec<Value>>) {
    for (key, value) in object {
        let path = format!("{prefix}{}", key.replace('.', "\\."));
        fields.entry(path.clone()).or_default().push(value.clone());
        if let Value::Object(inner) = value {
            flatten(&format!("{path}."), inner, fields);
        }
    }
}

fn field(values: &[Value]) -> Value {
    let count = |kind: fn(&Value) -> bool| values.iter().filter(|value| kind(value)).count();
    let mut numbers: Vec<_> = values.iter().filter(|value| value.is_number()).collect();
    let double = |value: &Value| value.as_f64().expect("a number is a double");
    numbers.sort_by(|one, other| double(one).total_cmp(&double(other)));
    let scalars = values.iter().filter(|it| it.is_number() || it.is_string() || it.is_boolean());
    let distinct: BTreeSet<String> = scalars
        .map(|value| value.as_f64().map_or_else(|| value.to_string(), |it| format!("{it:?}")))
        .collect();
    let sum: f64 = numbers.iter().map(|number| double(number)).sum();
    #[expect(clippy::cast_precision_loss, reason = "a test counts far below 2^53")]
    let mean = (!numbers.is_empty()).then(|| sum / numbers.len() as f64);
    // The handler prints a whole number as an integer, however it was written.
    #[expect(clippy::cast_possible_truncation, clippy::float_cmp, reason = "exact by the check")]
    let shown = |number: Option<&&Value>| {
        let number = *number?;
        let whole = double(number) as i64;
        #[expect(clippy::cast_precision_loss, reason = "compared with the double it came from")]
        let is_whole = number.is_f64() && whole as f64 == double(number);
        Some(if is_whole { json!(whole) } else { number.clone() })
    };
    json!({
        "count": values.len(), "numbers": numbers.len(), "strings": count(Value::is_string),
        "booleans": count(Value::is_boolean), "nulls": count(Value::is_null),
        "arrays": count(Value::is_array), "objects": count(Value::is_object),
        "distinct": distinct.len(), "min": shown(numbers.first()), "max": shown(numbers.last()),
        "mean": mean,
    })
}
