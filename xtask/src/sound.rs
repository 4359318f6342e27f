//! What tests and measurements of speech need beside Rust.
//!
//! Owns: the list of Debian's packages, each with its reason.
//! Never: is needed to build or to run the program itself.

use crate::Outcome;
use crate::apt::{Wanted, ensure};

/// Installs what is missing, and says so.
pub(crate) fn prepare() -> Outcome {
    ensure(&Wanted {
        packages: &["ffmpeg", "flite"],
        purpose: "recordings for the tests: spoken and packed here, none lies in the repository",
        oldest: ("flite", (2, 0)),
    })
}
