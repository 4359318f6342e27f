//! The SDKs, as part of the program: a new project needs nothing but the tools of its language.
//!
//! Owns: the lists of their files; a test keeps them complete.
//! Never: changes a file.

/// The path of a file in its SDK, and its text.
pub(super) type File = (&'static str, &'static str);

macro_rules! files {
    ($folder:literal: $($path:literal),* $(,)?) => {
        &[$(($path, include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/../", $folder, "/", $path)))),*]
    };
}

/// The contract.
pub(super) const WIT: &[File] =
    files!["wit": "task.wit", "deps/audio/audio.wit", "deps/keyvalue/keyvalue.wit"];

/// The crate `pframe-guest`, without its manifest.
pub(super) const RUST: &[File] = files![
    "guest-sdk": "README.md", "src/bindings.rs", "src/chunk.rs", "src/export.rs", "src/failure.rs", "src/heap.rs", "src/lib.rs",
    "src/lines.rs", "src/output.rs", "src/parameters.rs", "src/partials.rs", "src/progress.rs", "src/read.rs", "src/speech.rs",
    "src/task.rs", "src/testing.rs",
];

/// The package `pframe_guest`.
pub(super) const PYTHON: &[File] = &[
    (
        "README.md",
        include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/../guest-sdk/python/README.md")),
    ),
    PYTHON_SOURCES[0],
    PYTHON_SOURCES[1],
    PYTHON_SOURCES[2],
    PYTHON_SOURCES[3],
    PYTHON_SOURCES[4],
];

const PYTHON_SOURCES: &[File] = files![
    "guest-sdk/python/src/pframe_guest": "__init__.py", "chunk.py", "failures.py", "output.py", "task.py",
];

/// The package `pframe-guest`.
pub(super) const JAVASCRIPT: &[File] = files![
    "guest-sdk/javascript": "README.md", "package.json", "src/bytes.js", "src/chunk.js", "src/failures.js", "src/host.d.ts",
    "src/index.js", "src/output.js", "src/task.js", "src/text.js",
];

/// `pframe.h` and what belongs to it.
pub(super) const C: &[File] = files![
    "guest-sdk/c": "README.md", "handler.mk", "pframe.c", "pframe.h", "pframe_parameters.c", "generated/bindings.c",
    "generated/bindings.h", "generated/worlds.h",
];

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;
    use std::fs;
    use std::path::Path;

    use super::*;

    #[test]
    fn no_source_of_an_sdk_is_left_out() {
        let check = |folder: &str, within: &str, files: &[File]| {
            let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("..").join(folder);
            let entries = fs::read_dir(path).unwrap().map(|entry| entry.unwrap());
            let there: BTreeSet<_> = entries
                .filter(|entry| entry.path().is_file())
                .map(|entry| format!("{within}{}", entry.file_name().to_string_lossy()))
                .collect();
            let listed: BTreeSet<_> = files
                .iter()
                .map(|(path, _)| (*path).to_owned())
                .filter(|path| path.starts_with(within) && !path[within.len()..].contains('/'))
                .collect();
            let missing: Vec<_> = there.difference(&listed).collect();
            assert!(missing.is_empty(), "{folder}: {missing:?}");
        };
        check("guest-sdk/src", "src/", RUST);
        check("guest-sdk/python/src/pframe_guest", "", PYTHON);
        check("guest-sdk/javascript/src", "src/", JAVASCRIPT);
        check("guest-sdk/c/generated", "generated/", C);
        check("wit", "", WIT);
    }
}
