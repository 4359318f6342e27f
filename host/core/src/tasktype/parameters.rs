//! Parameters against their schema: everything that does not fit, each with the way to it.
//!
//! Owns: what each word of a schema means for a value.
//! Never: stops at the first thing that does not fit.

use std::cmp::Ordering;
use std::fmt;

use serde_json::{Map, Number, Value as Json};

use super::schema::{Bound, Kind, Others, ParameterSchema, Rule};
use crate::document::{PROBLEMS_MAX, closest, shown};

/// Choices that a message lists.
const CHOICES_TOLD_MAX: usize = 12;

/// One step from the parameters to what is in them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Step {
    /// Into an object.
    Key(String),
    /// Into a list.
    Index(usize),
}

/// Something that does not fit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Violation {
    /// From the parameters to the value.
    pub path: Vec<Step>,
    /// What does not fit, and what would.
    pub message: String,
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("parameters")?;
        for step in &self.path {
            match step {
                Step::Key(key) => write!(f, ".{}", key.escape_debug())?,
                Step::Index(index) => write!(f, "[{index}]")?,
            }
        }
        write!(f, ": {}", self.message)
    }
}

impl ParameterSchema {
    /// Everything that does not fit, up to [`PROBLEMS_MAX`](crate::document::PROBLEMS_MAX).
    pub fn violations(&self, parameters: &Json) -> Vec<Violation> {
        let mut walk = Walk { path: Vec::new(), found: Vec::new() };
        walk.check(&self.rule, parameters);
        walk.found
    }
}

struct Walk {
    path: Vec<Step>,
    found: Vec<Violation>,
}

impl Walk {
    /// Nothing more would be told, so nothing more need be looked for.
    fn is_full(&self) -> bool {
        self.found.len() >= PROBLEMS_MAX
    }

    fn note(&mut self, message: String) {
        if !self.is_full() {
            self.found.push(Violation { path: self.path.clone(), message });
        }
    }

    fn inside(&mut self, step: Step, rule: &Rule, value: &Json) {
        self.path.push(step);
        self.check(rule, value);
        self.path.pop();
    }

    fn check(&mut self, rule: &Rule, value: &Json) {
        if !rule.kinds.is_empty() && !rule.kinds.iter().any(|kind| kind.is_of(value)) {
            let expected: Vec<_> = rule.kinds.iter().map(|kind| kind.words()).collect();
            self.note(format!("expected {}, found {}", expected.join(" or "), found(value)));
            return;
        }
        if let Some(choices) =
            rule.choices.as_ref().filter(|it| !it.iter().any(|it| same(it, value)))
        {
            self.note(not_a_choice(choices, value));
        }
        for (bound, limit) in &rule.bounds {
            if let Some(message) = bound.broken(limit, value) {
                self.note(message);
            }
        }
        match value {
            Json::String(text) => {
                if let Some(pattern) = rule.pattern.as_ref().filter(|it| !it.0.is_match(text)) {
                    self.note(format!("{} does not match `{}`", shown(text), pattern.0));
                }
            }
            Json::Array(items) => {
                for (index, item) in items.iter().enumerate() {
                    if self.is_full() {
                        return;
                    }
                    if let Some(rule) = &rule.items {
                        self.inside(Step::Index(index), rule, item);
                    }
                }
            }
            Json::Object(members) => self.object(rule, members),
            Json::Null | Json::Bool(_) | Json::Number(_) => {}
        }
        self.alternatives(&rule.alternatives, value);
    }

    fn object(&mut self, rule: &Rule, members: &Map<String, Json>) {
        for name in rule.required.iter().filter(|name| !members.contains_key(*name)) {
            self.note(format!("`{}` is missing", name.escape_debug()));
        }
        for (name, value) in members {
            if self.is_full() {
                return;
            }
            let known = rule.properties.iter().find(|(known, _)| known == name);
            let step = Step::Key(name.clone());
            match (known, &rule.others) {
                (Some((_, rule)), _) => self.inside(step, rule, value),
                (None, Others::Like(rule)) => self.inside(step, rule, value),
                (None, Others::Any) => {}
                (None, Others::Refused) => {
                    let message = unknown(name, rule);
                    self.path.push(step);
                    self.note(message);
                    self.path.pop();
                }
            }
        }
    }

    /// Where nothing fits, the alternative that is nearest says why: the one with the fewest complaints.
    fn alternatives(&mut self, alternatives: &[Rule], value: &Json) {
        let mut nearest: Option<Vec<Violation>> = None;
        for rule in alternatives {
            let mut walk = Walk { path: self.path.clone(), found: Vec::new() };
            walk.check(rule, value);
            if walk.found.is_empty() {
                return;
            }
            if nearest.as_ref().is_none_or(|nearest| walk.found.len() < nearest.len()) {
                nearest = Some(walk.found);
            }
        }
        let Some(nearest) = nearest else { return };
        self.note(format!("fits none of {} alternatives; the nearest says:", alternatives.len()));
        let room = PROBLEMS_MAX.saturating_sub(self.found.len());
        self.found.extend(nearest.into_iter().take(room));
    }
}

fn unknown(name: &str, rule: &Rule) -> String {
    let known = || rule.properties.iter().map(|(name, _)| name.as_str());
    let advice = match closest(name, known()) {
        Some(known) => format!("did you mean `{known}`?"),
        None if rule.properties.is_empty() => "there are none".to_owned(),
        None => format!("there are `{}`", known().collect::<Vec<_>>().join("`, `")),
    };
    format!("no such parameter; {advice}")
}

fn not_a_choice(choices: &[Json], value: &Json) -> String {
    let mut told: Vec<_> =
        choices.iter().take(CHOICES_TOLD_MAX).map(|it| shown(&it.to_string())).collect();
    if choices.len() > CHOICES_TOLD_MAX {
        told.push("…".into());
    }
    format!("expected {}, found {}", told.join(" or "), found(value))
}

fn found(value: &Json) -> String {
    match value {
        Json::Null => "nothing".into(),
        Json::Bool(_) | Json::Number(_) => shown(&value.to_string()),
        Json::String(text) => format!("the text {}", shown(text)),
        Json::Array(_) => "a list".into(),
        Json::Object(_) => "a mapping".into(),
    }
}

impl Kind {
    fn is_of(self, value: &Json) -> bool {
        match (self, value) {
            (Self::Integer, Json::Number(number)) => is_whole(number),
            (Self::Null, Json::Null)
            | (Self::Boolean, Json::Bool(_))
            | (Self::Number, Json::Number(_))
            | (Self::String, Json::String(_))
            | (Self::Array, Json::Array(_))
            | (Self::Object, Json::Object(_)) => true,
            (
                Self::Null
                | Self::Boolean
                | Self::Integer
                | Self::Number
                | Self::String
                | Self::Array
                | Self::Object,
                _,
            ) => false,
        }
    }

    fn words(self) -> &'static str {
        match self {
            Self::Null => "nothing",
            Self::Boolean => "`true` or `false`",
            Self::Integer => "a whole number",
            Self::Number => "a number",
            Self::String => "text",
            Self::Array => "a list",
            Self::Object => "a mapping",
        }
    }
}

/// `1.0` is whole, as JSON Schema has it.
fn is_whole(number: &Number) -> bool {
    number.is_i64() || number.is_u64() || number.as_f64().is_some_and(|it| it.fract() == 0.0)
}

/// Numbers are equal by their value, everything else by what it is.
fn same(one: &Json, other: &Json) -> bool {
    match (one, other) {
        (Json::Number(one), Json::Number(other)) => {
            compare(one, other).is_some_and(Ordering::is_eq)
        }
        _ => one == other,
    }
}

/// Whole numbers exactly, others as doubles.
fn compare(one: &Number, other: &Number) -> Option<Ordering> {
    let whole = |number: &Number| {
        number.as_i64().map(i128::from).or_else(|| number.as_u64().map(i128::from))
    };
    match (whole(one), whole(other)) {
        (Some(one), Some(other)) => Some(one.cmp(&other)),
        _ => one.as_f64()?.partial_cmp(&other.as_f64()?),
    }
}

impl Bound {
    /// Why a value is outside; a bound says nothing about values of another kind.
    fn broken(self, limit: &Number, value: &Json) -> Option<String> {
        let (measured, what) = match (self, value) {
            (Self::Least | Self::Most | Self::Above | Self::Below, Json::Number(number)) => {
                (number.clone(), "a number")
            }
            (Self::LengthLeast | Self::LengthMost, Json::String(text)) => {
                (Number::from(text.chars().count()), "text with a number of characters")
            }
            (Self::ItemsLeast | Self::ItemsMost, Json::Array(items)) => {
                (Number::from(items.len()), "a list with a number of items")
            }
            _ => return None,
        };
        let order = compare(&measured, limit);
        let (fits, words) = match self {
            Self::Least | Self::LengthLeast | Self::ItemsLeast => {
                (order.is_some_and(Ordering::is_ge), "from")
            }
            Self::Most | Self::LengthMost | Self::ItemsMost => {
                (order.is_some_and(Ordering::is_le), "up to")
            }
            Self::Above => (order.is_some_and(Ordering::is_gt), "above"),
            Self::Below => (order.is_some_and(Ordering::is_lt), "below"),
        };
        (!fits).then(|| format!("expected {what} {words} {limit}, found {measured}"))
    }
}
