//! `chunking`: how a job's input is cut.
//!
//! Owns: the strategies under all their names, and which key belongs to which.
//! Never: cuts.

use std::ops::RangeInclusive;
use std::time::Duration;

use super::{bounds, keys};
use crate::document::{Checker, Fields, Node};
use crate::job::{Boundary, Chunking, Overlap};
use crate::units::ByteSize;

/// The name of a strategy.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Strategy {
    None,
    Size,
    Time,
    Content,
    Custom,
}

const STRATEGIES: &[(&str, Strategy)] = &[
    ("none", Strategy::None),
    ("size", Strategy::Size),
    ("time", Strategy::Time),
    ("content", Strategy::Content),
    ("custom", Strategy::Custom),
    ("size_based", Strategy::Size),
    ("time_based", Strategy::Time),
    ("content_based", Strategy::Content),
];

const BOUNDARIES: &[(&str, Boundary)] =
    &[("byte", Boundary::Byte), ("line", Boundary::Line), ("record", Boundary::Record)];

/// The strategies under all their names.
pub(crate) fn strategies() -> &'static [(&'static str, Strategy)] {
    STRATEGIES
}

/// The range of a chunk's size.
pub(crate) fn size_range() -> RangeInclusive<ByteSize> {
    bounds::CHUNK_SIZE_MIN..=bounds::CHUNK_SIZE_MAX
}

/// The range of a chunk's length.
pub(crate) fn length_range() -> RangeInclusive<Duration> {
    bounds::CHUNK_LENGTH_MIN..=bounds::CHUNK_LENGTH_MAX
}

/// What is stated about chunks; `None` where it is not.
#[derive(Debug, Clone, Default)]
pub(crate) struct Stated {
    pub(crate) size: Option<ByteSize>,
    pub(crate) length: Option<Duration>,
    pub(crate) boundary: Option<Boundary>,
    pub(crate) separator: Option<String>,
}

impl Stated {
    /// The strategy with what is stated and the defaults of the rest.
    pub(crate) fn chunking(self, strategy: Strategy) -> Chunking {
        let size = self.size.unwrap_or(bounds::CHUNK_SIZE_DEFAULT);
        match strategy {
            Strategy::None => Chunking::None,
            Strategy::Custom => Chunking::Custom,
            Strategy::Time => {
                Chunking::Time { length: self.length.unwrap_or(bounds::CHUNK_LENGTH_DEFAULT) }
            }
            Strategy::Size => {
                Chunking::Size { size, boundary: self.boundary.unwrap_or(Boundary::Line) }
            }
            Strategy::Content => Chunking::Content {
                separator: self.separator.unwrap_or_else(|| "\n".to_owned()),
                size,
            },
        }
    }
}

impl Strategy {
    /// The keys that mean something with it.
    fn keys(self) -> &'static [&'static str] {
        match self {
            Self::None | Self::Custom => &[],
            Self::Size => &["size", "boundary", "overlap"],
            Self::Content => &["size", "separator", "overlap"],
            Self::Time => &["length", "overlap"],
        }
    }
}

/// What `chunking` says.
#[derive(Debug, Default)]
pub(crate) struct Cutting {
    pub(crate) chunking: Option<Chunking>,
    pub(crate) overlap: Option<Overlap>,
    pub(crate) batch: Option<u32>,
}

/// Reads `chunking`: the strategy, where one is stated, and what goes with it.
pub(crate) fn chunking(checker: &mut Checker<'_>, node: &Node) -> Cutting {
    let Some(fields) = checker.fields(node, &keys::CHUNKING) else {
        return Cutting::default();
    };
    let strategy =
        checker.optional(fields, "strategy", |checker, node| checker.choice(node, STRATEGIES));
    if let Some(strategy) = strategy {
        refuse_foreign_keys(checker, fields, strategy);
    } else if fields.get("strategy").is_none() {
        require_strategy(checker, fields);
    }
    let stated = stated(checker, fields);
    let chunking = strategy.map(|strategy| stated.chunking(strategy));
    let overlap = chunking.as_ref().and_then(|chunking| overlap(checker, fields, chunking));
    Cutting { chunking, overlap, batch: batch(checker, fields) }
}

/// Reads how much of its neighbours a chunk repeats: no more than a chunk is long.
pub(crate) fn overlap(
    checker: &mut Checker<'_>,
    fields: Fields<'_>,
    chunking: &Chunking,
) -> Option<Overlap> {
    checker.optional(fields, "overlap", |checker, node| match chunking {
        Chunking::Size { size, .. } | Chunking::Content { size, .. } => {
            checker.size(node, ByteSize::ZERO..=*size).map(Overlap::Bytes)
        }
        Chunking::Time { length } => {
            checker.duration(node, Duration::ZERO..=*length).map(Overlap::Time)
        }
        Chunking::None | Chunking::Custom => None,
    })
}

fn stated(checker: &mut Checker<'_>, fields: Fields<'_>) -> Stated {
    Stated {
        size: checker.optional(fields, "size", |checker, node| checker.size(node, size_range())),
        length: checker
            .optional(fields, "length", |checker, node| checker.duration(node, length_range())),
        boundary: checker.optional(fields, "boundary", boundary),
        separator: checker.optional(fields, "separator", separator),
    }
}

/// Reads where a chunk may end.
pub(crate) fn boundary(checker: &mut Checker<'_>, node: &Node) -> Option<Boundary> {
    checker.choice(node, BOUNDARIES)
}

/// Reads the text that ends a record.
pub(crate) fn separator(checker: &mut Checker<'_>, node: &Node) -> Option<String> {
    match node.as_written() {
        Some(text) if (1..=bounds::SEPARATOR_BYTES_MAX).contains(&text.len()) => {
            Some(text.to_owned())
        }
        Some(_) => {
            let advice = format!("write 1 to {} bytes", bounds::SEPARATOR_BYTES_MAX);
            checker.problem(node.place, "the separator is empty or too long", advice);
            None
        }
        None => checker.wrong_kind(node, "text"),
    }
}

fn refuse_foreign_keys(checker: &mut Checker<'_>, fields: Fields<'_>, strategy: Strategy) {
    let name = STRATEGIES.iter().find(|(_, known)| *known == strategy).map_or("", |(name, _)| name);
    let advice = match strategy.keys() {
        [] => "delete it, or choose another strategy".to_owned(),
        keys => format!("`{name}` takes `{}`", keys.join("` and `")),
    };
    for key in ["size", "boundary", "separator", "length", "overlap"] {
        if let Some(node) = fields.get(key).filter(|_| !strategy.keys().contains(&key)) {
            let message = format!("`{key}` means nothing with the strategy `{name}`");
            checker.problem(node.place, message, advice.clone());
        }
    }
}

fn require_strategy(checker: &mut Checker<'_>, fields: Fields<'_>) {
    let only_batch = fields.get("batch").is_some()
        && ["size", "boundary", "separator", "length", "overlap"]
            .iter()
            .all(|key| fields.get(key).is_none());
    if !only_batch {
        let advice = "write `strategy: none`, `size`, `time`, `content` or `custom`";
        checker.problem(fields.place(), "`strategy` is missing", advice);
    }
}

fn batch(checker: &mut Checker<'_>, fields: Fields<'_>) -> Option<u32> {
    checker.optional(fields, "batch", |checker, node| {
        let fields = checker.fields(node, &keys::BATCH)?;
        checker.required(fields, "files", "write `batch: { files: 100 }`", |checker, node| {
            checker.count(node, 1..=bounds::BATCH_FILES_MAX)
        })
    })
}
