//! Where values come from, and which layer wins.
//!
//! Owns: the order default < file < environment < flags; reading one setting through all layers.
//! Never: lets a higher layer hide what is wrong in a lower one.

use std::fmt;
use std::sync::Arc;

use super::knobs::{KNOBS, Knob, OTHER_VARIABLES};
use super::values::Entry;
use crate::document::{Checker, Node, Value, closest, shown};

/// What the porch has found, lowest first.
#[derive(Debug, Clone, Copy, Default)]
pub struct Layers<'a> {
    /// Name and content of the configuration file, where there is one.
    pub file: Option<(&'a str, &'a [u8])>,
    /// The variables of the environment; those without `PFRAME_` in front are ignored, as are empty ones.
    pub environment: &'a [(String, String)],
    /// Flags that were given, each with its knob from [`KNOBS`].
    pub flags: &'a [(&'static Knob, String)],
}

/// Where a value came from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Origin {
    /// Built in.
    Default,
    /// The configuration file.
    File {
        /// Its name.
        name: Arc<str>,
        /// The line, from 1.
        line: u32,
    },
    /// An environment variable.
    Variable(&'static str),
    /// A flag on the command line.
    Flag(&'static str),
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Default => f.write_str("default"),
            Self::File { name, line } => write!(f, "{name}:{line}"),
            Self::Variable(name) | Self::Flag(name) => f.write_str(name),
        }
    }
}

/// A value from outside the file.
struct Override {
    knob: &'static Knob,
    node: Node,
    origin: Origin,
}

/// Reads settings through all layers and writes down where each came from.
pub(super) struct Reader<'p, 'n> {
    pub(super) checker: Checker<'p>,
    file: Option<(Arc<str>, &'n Node)>,
    overrides: Vec<Override>,
    pub(super) entries: Vec<Entry>,
}

impl<'p, 'n> Reader<'p, 'n> {
    pub(super) fn new(checker: Checker<'p>, layers: &Layers<'_>, root: Option<&'n Node>) -> Self {
        let variables = layers.environment.iter().filter(|(_, value)| !value.is_empty());
        let variables = variables.filter_map(|(name, value)| {
            let knob = KNOBS.iter().find(|knob| knob.variable == name)?;
            Some(Override {
                knob,
                node: Node::plain(value),
                origin: Origin::Variable(knob.variable),
            })
        });
        let flags = layers.flags.iter().map(|(knob, value)| Override {
            knob,
            node: Node::plain(value),
            origin: Origin::Flag(knob.flag),
        });
        Self {
            checker,
            file: layers.file.map(|(name, _)| Arc::from(name)).zip(root),
            overrides: variables.chain(flags).collect(),
            entries: Vec::new(),
        }
    }

    /// The value at `path`: of the highest layer that states a valid one, else `default`.
    ///
    /// Every layer is read, so that each of them hears of its own mistakes.
    pub(super) fn setting<T>(
        &mut self,
        path: &'static str,
        default: T,
        read: impl Fn(&mut Checker<'_>, &Node) -> Option<T>,
        show: impl Fn(&T) -> String,
    ) -> T {
        let (mut value, mut origin) = (default, Origin::Default);
        if let Some((name, node)) = self.in_file(path)
            && let Some(read) = self.checker.at(path, |checker| read(checker, node))
        {
            (value, origin) = (read, Origin::File { name, line: node.place.line });
        }
        for higher in self.overrides.iter().filter(|higher| higher.knob.path == path) {
            let name = higher.origin.to_string();
            if let Some(read) = self.checker.outside(&name, |checker| read(checker, &higher.node)) {
                (value, origin) = (read, higher.origin.clone());
            }
        }
        self.entries.push(Entry { path: path.to_owned(), value: show(&value), origin });
        value
    }

    /// The node at a dotted path of the file; null counts as not stated.
    pub(super) fn in_file(&self, path: &str) -> Option<(Arc<str>, &'n Node)> {
        let (name, root) = self.file.as_ref()?;
        let node = path.split('.').try_fold(*root, |node, key| child(node, key))?;
        (node.value != Value::Null).then(|| (name.clone(), node))
    }

    /// Writes down every leaf below `node` as an entry of the file.
    pub(super) fn record(&mut self, path: &str, name: &Arc<str>, node: &Node) {
        if let Value::Map(entries) = &node.value {
            for entry in entries {
                self.record(&format!("{path}.{}", entry.key), name, &entry.value);
            }
            return;
        }
        let value = match (node.as_written(), node.to_json()) {
            (Some(written), _) => written.to_owned(),
            (None, Ok(json)) => json.to_string(),
            (None, Err(_)) => node.kind().to_owned(),
        };
        let origin = Origin::File { name: name.clone(), line: node.place.line };
        self.entries.push(Entry { path: path.to_owned(), value, origin });
    }
}

fn child<'n>(node: &'n Node, key: &str) -> Option<&'n Node> {
    match &node.value {
        Value::Map(entries) => {
            entries.iter().find(|entry| entry.key == key).map(|entry| &entry.value)
        }
        _ => None,
    }
}

/// Words about variables that look like settings and are none.
pub(super) fn remarks(environment: &[(String, String)]) -> Vec<String> {
    let is_known = |name: &str| {
        OTHER_VARIABLES.contains(&name) || KNOBS.iter().any(|knob| knob.variable == name)
    };
    environment
        .iter()
        .filter(|(name, _)| name.starts_with("PFRAME_") && !is_known(name))
        .map(|(name, _)| match closest_variable(name) {
            Some(known) => format!("{} is ignored; did you mean `{known}`?", shown(name)),
            None => format!("{} is ignored; no setting has this name", shown(name)),
        })
        .collect()
}

/// Compared without the prefix, which would make all of them alike.
fn closest_variable(name: &str) -> Option<&'static str> {
    let bare = |name: &'static str| name.trim_start_matches("PFRAME_");
    let wanted = name.trim_start_matches("PFRAME_");
    let found = closest(wanted, KNOBS.iter().map(|knob| bare(knob.variable)))?;
    KNOBS.iter().map(|knob| knob.variable).find(|variable| bare(variable) == found)
}
