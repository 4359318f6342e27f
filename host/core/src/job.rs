//! A job in its two shapes: as asked for ([`JobRequest`]) and as accepted ([`JobSpec`]).
//!
//! Owns: the words that both use: how an input is cut and outputs become one result, what is granted, what a chunk is.
//! Never: reads a file; the host resolves inputs and components and makes the spec from the request.

mod request;
mod spec;

use std::time::Duration;

use serde::{Deserialize, Serialize};

pub use self::request::{
    ComponentPlace, FileRequest, InputRequest, JobFile, JobRequest, LimitsRequest,
    RequirementsRequest, TaskDeclaration,
};
pub use self::spec::{JobSpec, Requirements, Source, SourcePlace, TaskRef, WebVersion};
use crate::buckets::BucketPrefix;
use crate::hosts::HostPattern;
use crate::units::ByteSize;

/// Chunks of one job at most: the plan is kept whole in memory and in the journal.
pub const CHUNKS_MAX: usize = 1_000_000;
/// Priorities lie between this and its negative.
pub const PRIORITY_MAX: i32 = 1000;

/// How stdin is named among a job's files, and stdout as its output.
pub const STANDARD_STREAM: &str = "-";

/// How an input is cut into chunks.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "strategy", rename_all = "lowercase")]
pub enum Chunking {
    /// One chunk per file.
    None,
    /// Chunks of about `size` bytes, each ended at the next `boundary`.
    Size {
        /// The size aimed at; only a record that is itself longer makes a longer chunk.
        size: ByteSize,
        /// Where a chunk may end.
        boundary: Boundary,
    },
    /// Chunks of whole records, as many as fit into `size`.
    Content {
        /// The bytes that end a record, such as `"\n"` or `"\n\n"`.
        separator: String,
        /// The size aimed at.
        size: ByteSize,
    },
    /// Spans of time of a recording, which is decoded for that; cut in silence where there is one nearby.
    Time {
        /// The length aimed at.
        length: Duration,
    },
    /// The handler's own `chunker` decides.
    Custom,
}

/// Where a chunk cut by size may end.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Boundary {
    /// After any byte.
    Byte,
    /// After a line feed.
    Line,
    /// After an empty line.
    Record,
}

impl Boundary {
    /// The bytes after which a chunk may end; `None` means any.
    pub fn separator(self) -> Option<&'static [u8]> {
        match self {
            Self::Byte => None,
            Self::Line => Some(b"\n"),
            Self::Record => Some(b"\n\n"),
        }
    }
}

/// How much of its neighbours a chunk repeats, so that what lies across a cut is seen whole by one of them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Overlap {
    /// Bytes of the chunk before it: whole records, as many as fit.
    Bytes(ByteSize),
    /// Time of the chunks before and after it.
    Time(Duration),
}

/// How the outputs of many chunks become one result.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Collect {
    /// By the handler's own collector.
    Handler,
    /// Joined, in the order of the chunks.
    Concat,
    /// One JSON array of all values that the chunks wrote.
    JsonArray,
    /// A file for each chunk, with a manifest; a tar archive where the result has no folder of its own.
    Files,
    /// Not at all: the work was done for what it did, not for what it wrote.
    None,
}

/// Whether the results of a job's attempts are kept, and may be those of earlier ones.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Caching {
    /// Everything runs, and nothing is kept.
    #[default]
    Off,
    /// What ran before, with the same component on the same bytes with the same parameters, does not run again.
    Use,
    /// Everything runs, and what it makes takes the place of what was kept.
    Renew,
}

/// A way out of the sandbox that a job asks for, such as `env: LANG`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(tag = "kind", content = "of", rename_all = "kebab-case")]
pub enum Grant {
    /// One environment variable of the host.
    Env(String),
    /// The real time instead of the moment of acceptance.
    Clock,
    /// Real randomness instead of bytes seeded by the chunk.
    Random,
    /// Recognition of speech, by any model.
    Speech,
    /// Recognition of speech by the model of this name.
    Model(String),
    /// The directory that the operator has given this name, to read.
    Directory(String),
    /// Requests over HTTP to these hosts.
    Http(HostPattern),
    /// Inputs from, and results to, these objects of S3; the host's doing, never the guest's.
    S3(BucketPrefix),
    /// The tenant's key-value store of this name.
    KeyValue(String),
    /// The directory that the operator has given this name, to put files into once an attempt has ended well.
    Write(String),
}

macro_rules! kinds {
    ($($(#[$about:meta])* $name:ident: $variant:ident of $of:ty;)*) => {
        impl Grant {
            $(
                $(#[$about])*
                pub fn $name(&self) -> Option<&$of> {
                    match self {
                        Self::$variant(of) => Some(of),
                        _ => None,
                    }
                }
            )*
        }
    };
}

kinds! {
    /// The variable, where it is about one.
    variable: Env of str;
    /// The model, where it is about one.
    model: Model of str;
    /// The directory to read, where it is about one.
    directory: Directory of str;
    /// The directory to put files into, where it is about one.
    write: Write of str;
    /// The store, where it is about one.
    store: KeyValue of str;
    /// The hosts, where it is about some.
    hosts: Http of HostPattern;
    /// The objects, where it is about some.
    objects: S3 of BucketPrefix;
}

/// One chunk: a half-open range of one source, in bytes.
///
/// Where the source is cut by time, these are bytes of the recording as samples: 16 kHz, mono, 16 bits, so 32 for each
/// millisecond. Such chunks overlap where a cut may go through a word.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Slice {
    /// Index into the job's inputs.
    pub source: u32,
    /// First byte.
    pub start: u64,
    /// One past the last byte.
    pub end: u64,
}

impl Slice {
    /// Length in bytes.
    pub fn len(&self) -> u64 {
        self.end - self.start
    }

    /// True where there is nothing to read.
    pub fn is_empty(&self) -> bool {
        self.start == self.end
    }
}
