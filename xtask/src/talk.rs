//! What a command says.
//!
//! Owns: the two streams: data on stdout, talk on stderr.
//! Never: decides what is said.

use std::io::Write;

/// Says something to the person who waits.
pub(crate) fn say(text: &str) {
    // A closed stderr is no reason to stop building.
    let _ = writeln!(std::io::stderr(), "{text}");
}

/// Writes one line of a command's result.
pub(crate) fn show(line: &str) {
    // `cargo xtask guests | head` closes stdout early, which is fine.
    let _ = writeln!(std::io::stdout(), "{line}");
}
