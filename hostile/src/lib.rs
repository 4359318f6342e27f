//! Components that attack their host, each with the end that it must find.
//!
//! Owns: the generator of components that no compiler would make ([`Guest`]), and the list of attacks ([`CASES`]), which
//! `pframe-host selftest --hostile` and the tests run.
//! Never: runs anything.

mod attacks;
mod cases;
mod guest;
mod wasi;

pub use attacks::{SONG, honest};
pub use cases::{Bounds, CASES, Case, Ends};
pub use guest::{Guest, IMPORTS, component};
