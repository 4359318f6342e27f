//! What speech needs beside Rust: cmake to build, the others to test.
//!
//! Owns: the list of Debian's packages, each with its reason.

use crate::Outcome;
use crate::apt::{Wanted, ensure};

/// Installs what is missing, and says so.
pub(crate) fn prepare() -> Outcome {
    ensure(&Wanted {
        packages: &["cmake", "ffmpeg", "flite", "libpocketsphinx3", "pocketsphinx-en-us"],
        purpose: "whisper.cpp is built with cmake, recordings for the tests are spoken and packed here, and heard (180 MB)",
        oldest: ("flite", (2, 0)),
    })
}
