//! Walks a tree, takes typed values out of it and notes everything that is wrong on the way.
//!
//! Owns: the path to where the walk is, unknown keys with their suggestions, missing keys, wrong kinds.
//! Never: stops at a problem; whoever asks gets `None` and goes on with the next field.

use std::fmt::Write as _;
use std::ops::RangeInclusive;

use super::problems::{Problem, Problems, Spot};
use super::suggest::{closest, shown};
use super::tree::{Entry, Node, Place, Value};

/// The keys of one kind of mapping.
pub(crate) struct Section {
    /// What the mapping is, with its article: `a job`.
    pub(crate) what: &'static str,
    /// The keys it knows.
    pub(crate) keys: &'static [&'static str],
    /// Keys that people write here although they belong elsewhere, with advice.
    pub(crate) strangers: &'static [(&'static str, &'static str)],
}

/// The entries of a mapping.
#[derive(Clone, Copy)]
pub(crate) struct Fields<'n> {
    entries: &'n [Entry],
    place: Place,
    known: &'static [&'static str],
}

impl<'n> Fields<'n> {
    /// The value of `key`, even where it is null.
    pub(crate) fn raw(&self, key: &str) -> Option<&'n Node> {
        self.entries.iter().find(|entry| entry.key == key).map(|entry| &entry.value)
    }

    /// The value of `key`; one that is null counts as not stated.
    pub(crate) fn get(&self, key: &str) -> Option<&'n Node> {
        self.raw(key).filter(|node| node.value != Value::Null)
    }

    fn has_typo_of(&self, key: &str) -> bool {
        let is_typo = |entry: &Entry| {
            !self.known.contains(&entry.key.as_str())
                && closest(&entry.key, self.known.iter().copied()) == Some(key)
        };
        self.entries.iter().any(is_typo)
    }

    /// All entries, in the order of the file.
    pub(crate) fn entries(&self) -> &'n [Entry] {
        self.entries
    }

    /// Where the mapping begins.
    pub(crate) fn place(&self) -> Place {
        self.place
    }
}

/// One step of the path.
enum Segment {
    Key(&'static str),
    Name(String),
    Index(usize),
}

/// The walk: where it is and what it has noted.
pub(crate) struct Checker<'p> {
    problems: &'p mut Problems,
    path: Vec<Segment>,
    outside: Option<String>,
}

impl<'p> Checker<'p> {
    /// Starts at the root.
    pub(crate) fn new(problems: &'p mut Problems) -> Self {
        Self { problems, path: Vec::new(), outside: None }
    }

    /// Notes a problem at `place`.
    pub(crate) fn problem(
        &mut self,
        place: Place,
        message: impl Into<String>,
        advice: impl Into<String>,
    ) {
        let Self { problems, path, outside } = self;
        problems.add(|| Problem {
            spot: outside.clone().map_or(Spot::At(place), Spot::Named),
            path: printed(path),
            message: message.into(),
            advice: advice.into(),
        });
    }

    /// Does `check` one key further down.
    pub(crate) fn at<T>(&mut self, key: &'static str, check: impl FnOnce(&mut Self) -> T) -> T {
        self.inside(Segment::Key(key), check)
    }

    /// Does `check` below a name that the file chose.
    pub(crate) fn at_name<T>(&mut self, name: &str, check: impl FnOnce(&mut Self) -> T) -> T {
        self.inside(Segment::Name(name.chars().take(60).collect()), check)
    }

    /// Does `check` at an item of a list.
    pub(crate) fn at_index<T>(&mut self, index: usize, check: impl FnOnce(&mut Self) -> T) -> T {
        self.inside(Segment::Index(index), check)
    }

    /// Does `check` on a value that comes from outside the file: problems carry `name` in place of line and column.
    pub(crate) fn outside<T>(&mut self, name: &str, check: impl FnOnce(&mut Self) -> T) -> T {
        let before = self.outside.replace(name.to_owned());
        let value = check(self);
        self.outside = before;
        value
    }

    fn inside<T>(&mut self, segment: Segment, check: impl FnOnce(&mut Self) -> T) -> T {
        self.path.push(segment);
        let value = check(self);
        self.path.pop();
        value
    }

    /// The entries of a mapping in which every key is known; unknown ones are noted.
    pub(crate) fn fields<'n>(&mut self, node: &'n Node, section: &Section) -> Option<Fields<'n>> {
        let fields = Fields { known: section.keys, ..self.mapping(node, section.what)? };
        for entry in fields.entries {
            if !section.keys.contains(&entry.key.as_str()) {
                self.unknown_key(entry, section);
            }
        }
        Some(fields)
    }

    /// The entries of a mapping with keys of the file's own choice.
    pub(crate) fn mapping<'n>(&mut self, node: &'n Node, what: &str) -> Option<Fields<'n>> {
        match &node.value {
            Value::Map(entries) => Some(Fields { entries, place: node.place, known: &[] }),
            _ => self.wrong_kind(node, &format!("{what} (a mapping)")),
        }
    }

    /// Notes a key that the section does not know.
    pub(crate) fn unknown_key(&mut self, entry: &Entry, section: &Section) {
        let Self { problems, path, outside } = self;
        problems.add(|| Problem {
            spot: outside.clone().map_or(Spot::At(entry.place), Spot::Named),
            path: printed(path),
            message: format!("unknown key {}", shown(&entry.key)),
            advice: advice_for(&entry.key, section),
        });
    }

    /// The items of a list.
    pub(crate) fn items<'n>(&mut self, node: &'n Node, what: &str) -> Option<&'n [Node]> {
        match &node.value {
            Value::List(items) => Some(items),
            _ => self.wrong_kind(node, what),
        }
    }

    /// What `read` makes of the value of `key`, where it is stated.
    pub(crate) fn optional<T>(
        &mut self,
        fields: Fields<'_>,
        key: &'static str,
        read: impl FnOnce(&mut Self, &Node) -> Option<T>,
    ) -> Option<T> {
        let node = fields.get(key)?;
        self.at(key, |checker| read(checker, node))
    }

    /// The same for a key that must be there; one that is there with a typo is told only once.
    pub(crate) fn required<T>(
        &mut self,
        fields: Fields<'_>,
        key: &'static str,
        advice: &str,
        read: impl FnOnce(&mut Self, &Node) -> Option<T>,
    ) -> Option<T> {
        if fields.get(key).is_none() && !fields.has_typo_of(key) {
            self.problem(fields.place, format!("`{key}` is missing"), advice);
        }
        self.optional(fields, key, read)
    }

    /// Text that is not empty and holds no zero byte; a number or boolean counts as it was written.
    pub(crate) fn text(&mut self, node: &Node) -> Option<String> {
        let Some(text) = node.as_written() else {
            return self.wrong_kind(node, "text");
        };
        if text.is_empty() || text.contains('\0') {
            let message =
                if text.is_empty() { "the text is empty" } else { "a zero byte in the text" };
            self.problem(node.place, message, "");
            return None;
        }
        Some(text.to_owned())
    }

    /// Text that `parse` turns into a value.
    pub(crate) fn parsed<T, E: std::fmt::Display>(
        &mut self,
        node: &Node,
        parse: impl FnOnce(&str) -> Result<T, E>,
    ) -> Option<T> {
        let text = self.text(node)?;
        match parse(&text) {
            Ok(value) => Some(value),
            Err(error) => {
                self.problem(node.place, error.to_string(), "");
                None
            }
        }
    }

    /// `true` or `false`.
    pub(crate) fn boolean(&mut self, node: &Node) -> Option<bool> {
        match node.value {
            Value::Bool(value) => Some(value),
            _ => self.wrong_kind(node, "`true` or `false`"),
        }
    }

    /// A whole number within `range`.
    pub(crate) fn whole(&mut self, node: &Node, range: RangeInclusive<i64>) -> Option<i64> {
        let (least, most) = (*range.start(), *range.end());
        match node.as_whole() {
            Some(number) if range.contains(&number) => Some(number),
            _ if !matches!(node.value, Value::Number(_)) => {
                self.wrong_kind(node, &format!("a whole number from {least} to {most}"))
            }
            _ => self.out_of_range(node, &format!("a whole number from {least} to {most}")),
        }
    }

    /// The same for what is counted in 32 bits.
    pub(crate) fn count(&mut self, node: &Node, range: RangeInclusive<u32>) -> Option<u32> {
        let range = i64::from(*range.start())..=i64::from(*range.end());
        self.whole(node, range).and_then(|number| u32::try_from(number).ok())
    }

    /// One word of a list.
    pub(crate) fn choice<T: Copy>(&mut self, node: &Node, choices: &[(&str, T)]) -> Option<T> {
        let text = self.text(node)?;
        if let Some((_, value)) = choices.iter().find(|(word, _)| *word == text) {
            return Some(*value);
        }
        let words: Vec<&str> = choices.iter().map(|(word, _)| *word).collect();
        let advice = match closest(&text, words.iter().copied()) {
            Some(word) => format!("did you mean `{word}`?"),
            None => format!("write one of `{}`", words.join("`, `")),
        };
        self.problem(node.place, format!("{} is not known here", shown(&text)), advice);
        None
    }

    /// Notes that something else was expected; what was refused before is not told twice.
    pub(crate) fn wrong_kind<T>(&mut self, node: &Node, expected: &str) -> Option<T> {
        if node.value != Value::Refused {
            let found = match node.as_written() {
                Some(text) => format!("{} {}", node.kind(), shown(text)),
                None => node.kind().to_owned(),
            };
            self.problem(node.place, format!("expected {expected}, found {found}"), "");
        }
        None
    }

    /// Notes a number or quantity outside its range.
    pub(crate) fn out_of_range<T>(&mut self, node: &Node, range: &str) -> Option<T> {
        let message = format!("{} is out of range", shown(node.as_written().unwrap_or_default()));
        self.problem(node.place, message, format!("write {range}"));
        None
    }
}

fn advice_for(key: &str, section: &Section) -> String {
    if let Some((_, advice)) = section.strangers.iter().find(|(stranger, _)| *stranger == key) {
        return (*advice).to_owned();
    }
    match closest(key, section.keys.iter().copied()) {
        Some(known) => format!("did you mean `{known}`?"),
        None => format!("{} has `{}`", section.what, section.keys.join("`, `")),
    }
}

fn printed(path: &[Segment]) -> String {
    let mut printed = String::new();
    for segment in path {
        let dot = if printed.is_empty() { "" } else { "." };
        let written = match segment {
            Segment::Key(key) => write!(printed, "{dot}{key}"),
            Segment::Name(name) => write!(printed, "{dot}{}", name.escape_debug()),
            Segment::Index(index) => write!(printed, "[{index}]"),
        };
        written.expect("writing to a String cannot fail");
    }
    printed
}
