//! Debian's packages that are needed beside Rust.
//!
//! Owns: the three lists, each with its reason.
//! Never: asks for more than the step at hand needs.

use crate::Outcome;
use crate::apt::{Wanted, ensure};

/// What the program is built with: installs what is missing, and says so.
pub(crate) fn for_building() -> Outcome {
    ensure(&Wanted {
        packages: &["cmake", "g++"],
        purpose: "whisper.cpp and libopus are built from their sources (`--no-default-features` does without)",
        oldest: ("cmake", (3, 12)),
    })
}

/// What the tests need besides.
pub(crate) fn for_testing() -> Outcome {
    for_building()?;
    ensure(&Wanted {
        packages: &["docker-registry"],
        purpose: "components are pushed to a registry on this machine and pulled from it",
        oldest: ("docker-registry", (2, 7)),
    })?;
    ensure(&Wanted {
        packages: &[
            "ffmpeg",
            "flite",
            "imagemagick",
            "libpocketsphinx3",
            "librsvg2-bin",
            "pocketsphinx-en-us",
        ],
        purpose: "recordings, pictures and videos for the tests are made here, and checked by other programs; none lies in the repository",
        oldest: ("flite", (2, 0)),
    })
}

/// What the host is measured against: the ways that people had before.
pub(crate) fn for_measuring() -> Outcome {
    for_testing()?;
    ensure(&Wanted {
        packages: &["parallel", "pocketsphinx", "python3-pocketsphinx"],
        purpose: "recognition of speech is measured against GNU parallel and a Python thread pool",
        oldest: ("pocketsphinx", (0, 0)),
    })
}
