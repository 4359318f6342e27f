//! Debian's packages that are needed beside Rust.
//!
//! Owns: the two lists, each with its reason.
//! Never: asks for more than the step at hand needs.

use crate::Outcome;
use crate::apt::{Wanted, ensure};

/// What the program is built with: installs what is missing, and says so.
pub(crate) fn for_building() -> Outcome {
    ensure(&Wanted {
        packages: &["cmake", "g++"],
        purpose: "whisper.cpp is built from its sources (`--no-default-features` does without)",
        oldest: ("cmake", (3, 12)),
    })
}

/// What the tests need besides.
pub(crate) fn for_testing() -> Outcome {
    for_building()?;
    ensure(&Wanted {
        packages: &["ffmpeg", "flite", "libpocketsphinx3", "pocketsphinx-en-us"],
        purpose: "recordings for the tests are spoken and packed here, and heard; none lies in the repository",
        oldest: ("flite", (2, 0)),
    })
}
