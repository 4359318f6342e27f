//! The schema of parameters: that part of JSON Schema (2020-12) which is checked here, read strictly.
//!
//! Owns: which words a schema may have, and what they may say.
//! Never: follows a reference, so that a schema is a tree and checking it ends.

use regex::{Regex, RegexBuilder};
use serde_json::{Number, Value as Json};

use super::keys;
use crate::document::{Checker, Entry, Fields, Node, Value, shown};

/// Alternatives of one `anyOf` at most: each value is checked against all of them.
pub const ALTERNATIVES_MAX: usize = 16;
/// Memory of one compiled pattern at most.
const PATTERN_BYTES_MAX: usize = 1 << 20;

/// What parameters must look like.
#[derive(Debug, Clone, PartialEq)]
pub struct ParameterSchema {
    pub(super) rule: Rule,
    as_written: Json,
}

/// One schema with those of what is in it.
#[derive(Debug, Clone, PartialEq, Default)]
pub(super) struct Rule {
    pub(super) kinds: Vec<Kind>,
    pub(super) choices: Option<Vec<Json>>,
    pub(super) properties: Vec<(String, Rule)>,
    pub(super) required: Vec<String>,
    pub(super) others: Others,
    pub(super) items: Option<Box<Rule>>,
    pub(super) alternatives: Vec<Rule>,
    pub(super) bounds: Vec<(Bound, Number)>,
    pub(super) pattern: Option<Pattern>,
}

/// What an object may have besides its `properties`.
#[derive(Debug, Clone, PartialEq, Default)]
pub(super) enum Others {
    #[default]
    Any,
    Refused,
    Like(Box<Rule>),
}

/// A kind of value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Null,
    Boolean,
    Integer,
    Number,
    String,
    Array,
    Object,
}

const KINDS: &[(&str, Kind)] = &[
    ("null", Kind::Null),
    ("boolean", Kind::Boolean),
    ("integer", Kind::Integer),
    ("number", Kind::Number),
    ("string", Kind::String),
    ("array", Kind::Array),
    ("object", Kind::Object),
];

/// What is compared with a number.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Bound {
    Least,
    Most,
    Above,
    Below,
    LengthLeast,
    LengthMost,
    ItemsLeast,
    ItemsMost,
}

const BOUNDS: &[(&str, Bound)] = &[
    ("minimum", Bound::Least),
    ("maximum", Bound::Most),
    ("exclusiveMinimum", Bound::Above),
    ("exclusiveMaximum", Bound::Below),
    ("minLength", Bound::LengthLeast),
    ("maxLength", Bound::LengthMost),
    ("minItems", Bound::ItemsLeast),
    ("maxItems", Bound::ItemsMost),
];

impl Bound {
    fn counts(self) -> bool {
        match self {
            Self::LengthLeast | Self::LengthMost | Self::ItemsLeast | Self::ItemsMost => true,
            Self::Least | Self::Most | Self::Above | Self::Below => false,
        }
    }
}

/// A pattern that finds its matches in linear time.
#[derive(Debug, Clone)]
pub(super) struct Pattern(pub(super) Regex);

impl PartialEq for Pattern {
    fn eq(&self, other: &Self) -> bool {
        self.0.as_str() == other.0.as_str()
    }
}

impl ParameterSchema {
    /// Reads a schema; what is wrong with it is noted, and left out.
    pub(crate) fn read(checker: &mut Checker<'_>, node: &Node) -> Self {
        let as_written = node.to_json().unwrap_or(Json::Null);
        Self { rule: rule(checker, node).unwrap_or_default(), as_written }
    }

    /// As it was written.
    pub fn as_json(&self) -> &Json {
        &self.as_written
    }
}

fn rule(checker: &mut Checker<'_>, node: &Node) -> Option<Rule> {
    let fields = checker.fields(node, &keys::SCHEMA)?;
    Some(Rule {
        kinds: checker.optional(fields, "type", kinds).unwrap_or_default(),
        choices: choices(checker, fields),
        properties: checker.optional(fields, "properties", properties).unwrap_or_default(),
        required: checker.optional(fields, "required", names).unwrap_or_default(),
        others: checker.optional(fields, "additionalProperties", others).unwrap_or_default(),
        items: checker.optional(fields, "items", rule).map(Box::new),
        alternatives: checker.optional(fields, "anyOf", alternatives).unwrap_or_default(),
        bounds: BOUNDS
            .iter()
            .filter_map(|&(word, bound)| {
                let read = |checker: &mut Checker<'_>, node: &Node| number(checker, node, bound);
                Some((bound, checker.optional(fields, word, read)?))
            })
            .collect(),
        pattern: checker.optional(fields, "pattern", pattern),
    })
}

fn kinds(checker: &mut Checker<'_>, node: &Node) -> Option<Vec<Kind>> {
    let Value::List(items) = &node.value else {
        return checker.choice(node, KINDS).map(|kind| vec![kind]);
    };
    let read = |(index, item)| checker.at_index(index, |checker| checker.choice(item, KINDS));
    items.iter().enumerate().map(read).collect()
}

/// `enum`, or `const` as the only choice. A null is a value here.
fn choices(checker: &mut Checker<'_>, fields: Fields<'_>) -> Option<Vec<Json>> {
    let only = fields
        .raw("const")
        .map(|node| checker.at("const", |checker| json(checker, node)).map(|value| vec![value]));
    let listed = checker.optional(fields, "enum", |checker, node| {
        let items = checker.items(node, "a list of values")?;
        if items.is_empty() {
            checker.problem(node.place, "the list is empty", "no value would fit; delete it");
        }
        let read = |(index, item)| checker.at_index(index, |checker| json(checker, item));
        items.iter().enumerate().map(read).collect()
    });
    only.flatten().or(listed)
}

fn json(checker: &mut Checker<'_>, node: &Node) -> Option<Json> {
    match node.to_json() {
        Ok(value) => Some(value),
        Err(at) => {
            let text = at.as_written().unwrap_or_default();
            checker.problem(
                at.place,
                format!("{} has no JSON form", shown(text)),
                "put it in quotes",
            );
            None
        }
    }
}

fn properties(checker: &mut Checker<'_>, node: &Node) -> Option<Vec<(String, Rule)>> {
    let entries = checker.mapping(node, "`properties`")?.entries();
    let read = |Entry { key, value, .. }: &Entry| {
        let rule = checker.at_name(key, |checker| rule(checker, value))?;
        Some((key.clone(), rule))
    };
    Some(entries.iter().filter_map(read).collect())
}

fn names(checker: &mut Checker<'_>, node: &Node) -> Option<Vec<String>> {
    let items = checker.items(node, "a list of names")?;
    let read = |(index, item)| checker.at_index(index, |checker| checker.text(item));
    items.iter().enumerate().map(read).collect()
}

fn others(checker: &mut Checker<'_>, node: &Node) -> Option<Others> {
    match node.value {
        Value::Bool(true) => Some(Others::Any),
        Value::Bool(false) => Some(Others::Refused),
        _ => rule(checker, node).map(|rule| Others::Like(Box::new(rule))),
    }
}

fn alternatives(checker: &mut Checker<'_>, node: &Node) -> Option<Vec<Rule>> {
    let items = checker.items(node, "a list of schemas")?;
    if items.is_empty() || items.len() > ALTERNATIVES_MAX {
        let message = format!("{} alternatives", items.len());
        checker.problem(node.place, message, format!("write 1 to {ALTERNATIVES_MAX}"));
        return None;
    }
    let read = |(index, item)| checker.at_index(index, |checker| rule(checker, item));
    items.iter().enumerate().map(read).collect()
}

fn number(checker: &mut Checker<'_>, node: &Node, bound: Bound) -> Option<Number> {
    let what = if bound.counts() { "a whole number from 0" } else { "a number" };
    match (&node.value, node.to_json()) {
        (Value::Number(_), Ok(Json::Number(number))) if !bound.counts() || number.is_u64() => {
            Some(number)
        }
        _ => checker.wrong_kind(node, what),
    }
}

fn pattern(checker: &mut Checker<'_>, node: &Node) -> Option<Pattern> {
    let text = checker.text(node)?;
    match RegexBuilder::new(&text).size_limit(PATTERN_BYTES_MAX).build() {
        Ok(regex) => Some(Pattern(regex)),
        Err(error) => {
            let why = error.to_string();
            let advice = why.lines().last().unwrap_or_default().trim_start_matches("error: ");
            checker.problem(node.place, format!("{} is no pattern", shown(&text)), advice);
            None
        }
    }
}
