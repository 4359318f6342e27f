//! The projects that `new` writes, one for each language.
//!
//! Owns: what each consists of, and the one command that builds it.
//! Never: writes a file.

use super::Page;
use super::sdks;
use crate::cli::arguments::Lang;

macro_rules! template {
    ($path:literal) => {
        include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/templates/", $path))
    };
}

/// Everything about the project of a language.
pub(super) struct Language {
    /// What must be there before it can be built, as one would type it.
    tools: &'static str,
    /// Builds it.
    pub(super) build: &'static str,
    /// Where the component lies then.
    component: &'static str,
    /// Where the SDK's own words are, or what to read next.
    next: &'static str,
    /// Its own files: path and text.
    files: &'static [(&'static str, &'static str)],
    /// The SDK, and where it lies in the project.
    sdk: (&'static str, &'static [sdks::File]),
}

const CARGO: &str = "cargo build --release --target wasm32-wasip2";

const RUST: Language = Language {
    tools: "$ rustup target add wasm32-wasip2",
    build: CARGO,
    component: "target/wasm32-wasip2/release/{{ident}}.wasm",
    next: "The handler is `src/lib.rs`; `pframe-guest/README.md` says what it can use.",
    files: &[
        ("Cargo.toml", template!("rust/Cargo.toml.in")),
        ("src/lib.rs", template!("rust/lib.rs")),
        ("pframe-guest/Cargo.toml", template!("rust/pframe-guest.toml.in")),
        (".gitignore", "/target/\n"),
    ],
    sdk: ("pframe-guest", sdks::RUST),
};

const COMMAND: Language = Language {
    tools: "$ rustup target add wasm32-wasip2",
    build: CARGO,
    component: "target/wasm32-wasip2/release/{{name}}.wasm",
    next: "The chunk is the program's stdin, its stdout is the result, `PFRAME_PARAMETERS` holds the parameters as JSON, and an exit code other than 0 \
           is a failure. Any language that makes WASI 0.2 components does.",
    files: &[
        ("Cargo.toml", template!("command/Cargo.toml.in")),
        ("src/main.rs", template!("command/main.rs")),
        (".gitignore", "/target/\n"),
    ],
    sdk: ("", &[]),
};

const PYTHON: Language = Language {
    tools: "$ pip install componentize-py==0.25.1",
    build: "componentize-py -d wit/task.wit -w task componentize app -o {{ident}}.wasm",
    component: "{{ident}}.wasm",
    next: "The handler is `app.py`; `pframe_guest/README.md` says what it can use. With a class `Collector` beside it the world (`-w`) is \
           `task-with-collector`, with a class `Chunker` it is `task-with-chunker`, with both `full-task`.",
    files: &[("app.py", template!("python/app.py")), (".gitignore", "/*.wasm\n__pycache__/\n")],
    sdk: ("pframe_guest", sdks::PYTHON),
};

const JAVASCRIPT: Language = Language {
    tools: "$ npm install",
    build: "npm run build",
    component: "build/{{ident}}.wasm",
    next: "The handler is `app.js`; `pframe-guest/README.md` says what it can use. With an `export const collector` the world in `package.json` is \
           `task-with-collector`, with an `export const chunker` it is `task-with-chunker`, with both `full-task`.",
    files: &[
        ("app.js", template!("javascript/app.js")),
        ("package.json", template!("javascript/package.json.in")),
        (".gitignore", "/build/\nnode_modules/\n"),
    ],
    sdk: ("pframe-guest", sdks::JAVASCRIPT),
};

const C: Language = Language {
    tools: "$ apt-get install make clang-22 lld-22 libclang-rt-22-dev-wasm32 wasi-libc      # and Rust has wasm-component-ld",
    build: "make",
    component: "build/{{ident}}.wasm",
    next: "The handler is `{{ident}}.c`; `pframe/README.md` says what it can use.",
    files: &[
        ("{{ident}}.c", template!("c/handler.c")),
        ("Makefile", template!("c/Makefile.in")),
        (".gitignore", "/build/\n"),
    ],
    sdk: ("pframe", sdks::C),
};

impl Language {
    pub(super) fn of(lang: Lang) -> &'static Self {
        match lang {
            Lang::Rust => &RUST,
            Lang::Python => &PYTHON,
            Lang::Javascript => &JAVASCRIPT,
            Lang::C => &C,
            Lang::Command => &COMMAND,
        }
    }

    /// Every file of a project of this name.
    pub(super) fn pages(&self, name: &str) -> Vec<Page> {
        let common = [
            ("README.md", template!("README.md")),
            ("jobs.yaml", template!("jobs.yaml")),
            ("sample.txt", template!("sample.txt")),
        ];
        let own = common.iter().chain(self.files);
        let mut pages: Vec<Page> =
            own.map(|(path, text)| (self.fill(path, name), self.fill(text, name))).collect();
        let (folder, files) = self.sdk;
        pages.extend(
            files.iter().map(|(path, text)| (format!("{folder}/{path}"), (*text).to_owned())),
        );
        if !files.is_empty() {
            pages.extend(
                sdks::WIT.iter().map(|(path, text)| (format!("wit/{path}"), (*text).to_owned())),
            );
        }
        pages
    }

    /// The text with its blanks filled in, those inside of what is filled in too.
    fn fill(&self, text: &str, name: &str) -> String {
        text.replace("{{tools}}", self.tools)
            .replace("{{build}}", self.build)
            .replace("{{component}}", self.component)
            .replace("{{next}}", self.next)
            .replace("{{ident}}", &name.replace('-', "_"))
            .replace("{{name}}", name)
    }
}

#[cfg(test)]
mod tests {
    use clap::ValueEnum;

    use super::*;

    #[test]
    fn every_blank_is_filled_in() {
        for lang in Lang::value_variants() {
            for (path, text) in Language::of(*lang).pages("top-words") {
                for blank in ["tools", "build", "component", "next", "ident", "name"] {
                    let blank = format!("{{{{{blank}}}}}");
                    assert!(!path.contains(&blank) && !text.contains(&blank), "{lang:?}: {path}");
                }
            }
        }
    }

    #[test]
    fn the_sdk_for_rust_has_the_dependencies_that_it_is_tested_with() {
        let workspace = include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/../Cargo.toml"));
        let manifest = template!("rust/pframe-guest.toml.in");
        let dependencies = manifest.split("[dependencies]").nth(1).unwrap();
        let lines = dependencies.lines().take_while(|line| !line.starts_with("[features]"));
        for line in lines.filter(|line| line.contains(" = ") && !line.starts_with('[')) {
            let line = line.replace(", optional = true", "");
            assert!(workspace.contains(&line), "{line}");
        }
    }
}
