//! From the parser's events to the tree.
//!
//! Owns: the limits on depth and number of nodes; refusing aliases, merge keys, foreign tags, duplicate
//! keys and second documents, each with its place.
//! Never: recurses; an explicit stack of open collections holds the state.

use std::borrow::Cow;

use granit_parser::{Event, Marker, Parser, ScalarStyle, Span, Tag};

use super::problems::Problems;
use super::suggest::shown;
use super::tree::{Entry, Node, Place, Value};
use super::{scalar, syntax};

/// Levels of lists and mappings inside each other. Walks over the tree may recurse this deep.
pub const DEPTH_MAX: usize = 64;
/// The longest key. YAML stops at 1024, JSON does not.
const KEY_CHARS_MAX: usize = 64 << 10;
/// Nodes of one document: what 16 MiB of jobs hold, and less than 1 GiB of memory.
pub const NODES_MAX: usize = 4_000_000;

/// Builds the tree of the only document in `text`, of `nodes_max` nodes at most.
pub(super) fn build(text: &str, nodes_max: usize, problems: &mut Problems) -> Option<Node> {
    let mut builder = Builder {
        problems,
        open: Vec::new(),
        root: None,
        nodes_left: nodes_max,
        nodes_max,
        is_second: false,
    };
    for next in Parser::new_from_str_with_options(text, options()) {
        let goes_on = match next {
            Ok((event, span)) => builder.on_event(event, &span),
            Err(error) => {
                let (message, advice) = syntax::explain(&error);
                builder.problems.add_at(place_at(*error.marker()), &message, advice);
                Flow::Stop
            }
        };
        if goes_on == Flow::Stop {
            return None;
        }
    }
    if builder.root.is_none() {
        builder.problems.add_at(Place::START, "the file is empty", "");
    }
    builder.root
}

fn options() -> granit_parser::Options {
    granit_parser::options! {
        disallow_directives: true,
        emit_comments: false,
        emit_unresolved_aliases: true,
        simple_key_max_lookahead: KEY_CHARS_MAX,
        flow_nesting_limit: DEPTH_MAX,
        block_nesting_limit: DEPTH_MAX,
    }
}

#[derive(PartialEq, Eq)]
enum Flow {
    On,
    Stop,
}

/// A tag and where it stands.
type TagAt = (Tag, Place);

/// A list or mapping whose end has not been seen.
enum Open {
    List { place: Place, items: Vec<Node> },
    Map { place: Place, entries: Vec<Entry>, key: Key },
}

/// What a mapping waits for.
enum Key {
    /// The next key.
    Awaited,
    /// The value of this key.
    Read(String, Place),
    /// The value of a key that was refused; it is dropped.
    Refused,
}

struct Builder<'p> {
    problems: &'p mut Problems,
    open: Vec<Open>,
    root: Option<Node>,
    nodes_left: usize,
    nodes_max: usize,
    is_second: bool,
}

impl Builder<'_> {
    fn on_event(&mut self, event: Event<'_>, span: &Span) -> Flow {
        let place = place_at(span.start);
        let tag_place = span.tag_start.map_or(place, place_at);
        let tag = event.tag().cloned().map(|tag| (tag, tag_place));
        match event {
            Event::DocumentStart(..) => return self.on_document(place),
            Event::Alias(_) | Event::UnresolvedAlias(_) => self.on_alias(place),
            Event::Scalar(text, style, ..) => self.on_scalar(text, style, tag.as_ref(), place),
            Event::SequenceStart(..) => {
                self.check_tag(tag.as_ref(), "seq");
                return self.on_open(Open::List { place, items: Vec::new() }, place);
            }
            Event::MappingStart(..) => {
                self.check_tag(tag.as_ref(), "map");
                let opened = Open::Map { place, entries: Vec::new(), key: Key::Awaited };
                return self.on_open(opened, place);
            }
            Event::SequenceEnd | Event::MappingEnd => {
                self.on_close();
                return Flow::On;
            }
            _ => return Flow::On,
        }
        self.on_counted(place)
    }

    fn on_document(&mut self, place: Place) -> Flow {
        if !std::mem::replace(&mut self.is_second, true) {
            return Flow::On;
        }
        let advice = "keep one document per file, without `---` lines between";
        self.problems.add_at(place, "a second document begins here", advice);
        Flow::Stop
    }

    fn on_counted(&mut self, place: Place) -> Flow {
        if self.nodes_left > 0 {
            self.nodes_left -= 1;
            return Flow::On;
        }
        let message = format!("more than {} values", self.nodes_max);
        self.problems.add_at(place, &message, "split it into several files");
        Flow::Stop
    }

    fn on_alias(&mut self, place: Place) {
        self.problems.add_at(place, "aliases (`*name`) are not read", "write the value out");
        self.attach(Node { place, value: Value::Refused });
    }

    fn on_scalar(
        &mut self,
        text: Cow<'_, str>,
        style: ScalarStyle,
        tag: Option<&TagAt>,
        place: Place,
    ) {
        let is_plain = style == ScalarStyle::Plain;
        if self.awaits_key() {
            self.check_tag(tag, "str");
            return self.on_key(text, is_plain, place);
        }
        let value = match tag {
            None if is_plain => scalar::plain(&text),
            None => Value::Text(text.into_owned()),
            Some(tag) => self.tagged(text, tag),
        };
        self.attach(Node { place, value });
    }

    fn on_key(&mut self, text: Cow<'_, str>, is_plain: bool, place: Place) {
        let key = match &*text {
            "<<" if is_plain => {
                let advice = "write the keys out, or put `<<` in quotes";
                self.problems.add_at(place, "merge keys (`<<`) are not read", advice);
                Key::Refused
            }
            "" | "~" if is_plain => {
                self.problems.add_at(place, "a key is missing before `:`", "");
                Key::Refused
            }
            _ => Key::Read(text.into_owned(), place),
        };
        self.set_key(key);
    }

    /// A tag of the core schema may only confirm what a scalar is, except that `!!str` makes any text.
    fn tagged(&mut self, text: Cow<'_, str>, at: &TagAt) -> Value {
        let (tag, place) = at;
        let plain = scalar::plain(&text);
        let fits = match (tag.core_suffix(), &plain) {
            (Some("str"), _) => return Value::Text(text.into_owned()),
            (Some("int"), Value::Number(number)) => !number.contains(['.', 'e', 'E']),
            (Some("null"), Value::Null)
            | (Some("bool"), Value::Bool(_))
            | (Some("float"), Value::Number(_)) => true,
            (Some(_), _) => false,
            (None, _) => {
                self.refuse_tag(at);
                return Value::Refused;
            }
        };
        if fits {
            return plain;
        }
        let message = format!("{} does not fit its tag {}", shown(&text), shown(&tag.original()));
        self.problems.add_at(*place, &message, "delete the tag");
        Value::Refused
    }

    fn check_tag(&mut self, tag: Option<&TagAt>, expected: &str) {
        if let Some(at) = tag.filter(|(tag, _)| !tag.is_yaml_core_schema_tag(expected)) {
            self.refuse_tag(at);
        }
    }

    fn refuse_tag(&mut self, (tag, place): &TagAt) {
        let message = format!("the tag {} is not read", shown(&tag.original()));
        self.problems.add_at(*place, &message, "delete the tag, or put the value in quotes");
    }

    fn on_open(&mut self, opened: Open, place: Place) -> Flow {
        if self.open.len() == DEPTH_MAX {
            let message = format!("nested deeper than {DEPTH_MAX} levels");
            self.problems.add_at(place, &message, "flatten the document");
            return Flow::Stop;
        }
        self.open.push(opened);
        self.on_counted(place)
    }

    fn on_close(&mut self) {
        let node = match self.open.pop() {
            Some(Open::List { place, items }) => Node { place, value: Value::List(items) },
            Some(Open::Map { place, entries, .. }) => {
                let entries = self.without_duplicates(entries);
                Node { place, value: Value::Map(entries) }
            }
            None => return,
        };
        self.attach(node);
    }

    fn attach(&mut self, node: Node) {
        match self.open.last_mut() {
            None => self.root = Some(node),
            Some(Open::List { items, .. }) => items.push(node),
            Some(Open::Map { entries, key, .. }) => match std::mem::replace(key, Key::Awaited) {
                Key::Read(key, place) => entries.push(Entry { key, place, value: node }),
                Key::Refused => {}
                Key::Awaited => {
                    *key = Key::Refused;
                    let message = format!("a key is text, this one is {}", node.kind());
                    self.problems.add_at(node.place, &message, "");
                }
            },
        }
    }

    fn awaits_key(&self) -> bool {
        matches!(self.open.last(), Some(Open::Map { key: Key::Awaited, .. }))
    }

    fn set_key(&mut self, read: Key) {
        if let Some(Open::Map { key, .. }) = self.open.last_mut() {
            *key = read;
        }
    }

    /// Reports every key that stands twice and keeps the first of each.
    fn without_duplicates(&mut self, mut entries: Vec<Entry>) -> Vec<Entry> {
        let mut order: Vec<usize> = (0..entries.len()).collect();
        order.sort_by(|&left, &right| {
            entries[left].key.cmp(&entries[right].key).then(left.cmp(&right))
        });
        let mut later: Vec<usize> = Vec::new();
        let mut first: Option<usize> = None;
        for index in order {
            match first {
                Some(first) if entries[index].key == entries[first].key => {
                    self.report_duplicate(&entries[first], &entries[index]);
                    later.push(index);
                }
                _ => first = Some(index),
            }
        }
        if !later.is_empty() {
            let mut index = 0;
            later.sort_unstable();
            entries.retain(|_| {
                index += 1;
                later.binary_search(&(index - 1)).is_err()
            });
        }
        entries
    }

    fn report_duplicate(&mut self, first: &Entry, second: &Entry) {
        let message = format!("the key {} stands here twice", shown(&second.key));
        let advice = format!("keep one; the first is in line {}", first.place.line);
        self.problems.add_at(second.place, &message, &advice);
    }
}

fn place_at(marker: Marker) -> Place {
    let number = |count: usize| u32::try_from(count).unwrap_or(u32::MAX);
    Place { line: number(marker.line()).max(1), column: number(marker.col()).saturating_add(1) }
}
