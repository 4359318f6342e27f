//! Writes a handler for pframe-host in about ten lines.
//!
//! Owns: what a task sees of its host: chunks, sources, parts, output, progress, failures.
//! Never: decides anything for the task, or hides an error of the host from it.
//!
//! ```
//! use pframe_guest::{Chunk, Failure, Handler, NoParameters, Output};
//! use std::io::Write;
//!
//! struct LineCount;
//!
//! impl Handler for LineCount {
//!     type Parameters = NoParameters;
//!
//!     fn run(chunk: &Chunk, _: NoParameters, output: &mut Output) -> Result<(), Failure> {
//!         let mut lines = chunk.lines();
//!         while lines.next_line()?.is_some() {}
//!         writeln!(output, "{}", lines.number())?;
//!         Ok(())
//!     }
//! }
//!
//! pframe_guest::export!(LineCount);
//! # fn main() {
//! # let result = pframe_guest::testing::run::<LineCount>(b"one\ntwo", "{}");
//! # assert_eq!(result, Ok(b"2\n".to_vec()));
//! # }
//! ```

pub mod bindings;
pub mod testing;

mod chunk;
mod export;
mod failure;
#[cfg(all(feature = "heap", target_family = "wasm"))]
mod heap;
mod lines;
mod output;
mod parameters;
mod partials;
mod progress;
mod read;
#[cfg(feature = "speech")]
pub mod speech;
mod task;

pub use bindings::{ReadError, Span, Unit};
pub use chunk::{Chunk, Source};
pub use export::Exported;
pub use failure::Failure;
pub use lines::Lines;
pub use output::Output;
pub use parameters::{NoParameters, parse_parameters};
pub use partials::{Partial, Partials};
pub use progress::progress;
pub use read::{BLOCK_BYTES_MAX, Blocks, Reader};
pub use task::{Chunker, Collector, Handler};

/// The examples in README.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
