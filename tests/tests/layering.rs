//! The floor plan in ARCHITECTURE.md holds: a module uses only what stands below it, or to its left on its floor.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

use pframe_tests::root;

/// Two packages, by the folder of their modules.
const CORE: &str = "host/core/src";
const HOST: &str = "host/src";

fn read(path: &Path) -> String {
    fs::read_to_string(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

fn architecture() -> String {
    read(&root().join("ARCHITECTURE.md"))
}

/// Every module of the plan with its place: floors from below, then from left to right.
///
/// A line of the plan is `floor N  Name  a · b · c  a remark`; two spaces end a column.
fn plan(architecture: &str) -> BTreeMap<String, (u8, usize)> {
    let mut plan = BTreeMap::new();
    for line in architecture.lines().filter_map(|line| line.trim_start().strip_prefix("floor ")) {
        let columns: Vec<&str> =
            line.split("  ").map(str::trim).filter(|it| !it.is_empty()).collect();
        let [floor, _name, modules, ..] = columns[..] else { panic!("not a floor: {line}") };
        let floor: u8 = floor.parse().unwrap_or_else(|_| panic!("not a floor: {line}"));
        for (place, module) in modules.split(" · ").enumerate() {
            let twice = plan.insert(module.trim().to_owned(), (floor, place));
            assert_eq!(twice, None, "{module} stands on two floors");
        }
    }
    plan
}

/// The Rust files of a package, each with the module it belongs to; the package's own files have none.
fn files(package: &str) -> Vec<(PathBuf, Option<String>)> {
    let source = root().join(package);
    let mut found = Vec::new();
    let mut folders = vec![source.clone()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(&folder).unwrap().flatten() {
            let path = entry.path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|it| it == "rs") {
                let relative = path.strip_prefix(&source).unwrap();
                let first = relative.components().next().unwrap().as_os_str().to_str().unwrap();
                let module = first.trim_end_matches(".rs");
                let is_root = matches!(module, "lib" | "main" | "bin");
                let module = (!is_root).then(|| module.to_owned());
                found.push((path.clone(), module));
            }
        }
    }
    found.sort();
    found
}

/// The code of a file without its comments.
fn code(path: &Path) -> String {
    let text = read(path);
    let lines = text.lines().map(|line| line.split("//").next().unwrap_or_default());
    lines.collect::<Vec<_>>().join("\n")
}

/// Names right behind `crate::`, also those in braces.
fn used(code: &str) -> BTreeSet<String> {
    let is_name = |it: char| it.is_alphanumeric() || it == '_';
    let head =
        |text: &str| -> String { text.trim().chars().take_while(|it| is_name(*it)).collect() };
    let mut names = BTreeSet::new();
    for rest in code.split("crate::").skip(1) {
        match rest.strip_prefix('{') {
            None => drop(names.insert(head(rest))),
            Some(group) => {
                let mut depth = 0;
                let outer: String = group
                    .chars()
                    .take_while(|it| {
                        depth += i32::from(*it == '{') - i32::from(*it == '}');
                        depth >= 0
                    })
                    .scan(0, |inner, it| {
                        *inner += i32::from(it == '{') - i32::from(it == '}');
                        Some(if *inner > 0 { ' ' } else { it })
                    })
                    .collect();
                names.extend(outer.split(',').map(head).filter(|name| !name.is_empty()));
            }
        }
    }
    names
}

/// Names that a package's root gives to things of its modules, such as `Engine` for `engine::Engine`.
fn reexports(package: &str) -> BTreeMap<String, String> {
    let lib = code(&root().join(package).join("lib.rs"));
    let mut names = BTreeMap::new();
    for statement in lib.split("pub use ").skip(1) {
        let statement = statement.split(';').next().unwrap_or_default();
        let (module, list) = statement.split_once("::").unwrap_or((statement, ""));
        for name in list.trim_matches(['{', '}']).split(',') {
            let name = name.rsplit(" as ").next().unwrap_or_default().trim();
            names.insert(name.to_owned(), module.to_owned());
        }
    }
    names
}

/// Every use of a module by one that may not use it.
fn violations(package: &str, plan: &BTreeMap<String, (u8, usize)>) -> Vec<String> {
    let reexports = reexports(package);
    let mut wrong = Vec::new();
    for (path, module) in files(package) {
        let Some(module) = module else { continue };
        let Some(place) = plan.get(&module) else {
            wrong.push(format!("{module} stands on no floor"));
            continue;
        };
        for name in used(&code(&path)) {
            let target = reexports.get(&name).unwrap_or(&name);
            match plan.get(target) {
                Some(used) if target == &module || used < place => {}
                Some(_) => wrong.push(format!("{module} uses {target} ({})", path.display())),
                None if target == "core" || target == "pframe_core" => {}
                None => wrong.push(format!("{module} uses {target}, which stands on no floor")),
            }
        }
    }
    wrong
}

#[test]
fn a_module_uses_only_what_stands_below_it_or_to_its_left() {
    let plan = plan(&architecture());
    for package in [CORE, HOST] {
        assert_eq!(violations(package, &plan), Vec::<String>::new(), "{package}");
    }
}

#[test]
fn every_module_stands_in_the_plan_and_every_place_is_taken() {
    let plan = plan(&architecture());
    let modules = |package| files(package).into_iter().filter_map(|(_, module)| module);
    let (core, host): (BTreeSet<_>, BTreeSet<_>) =
        (modules(CORE).collect(), modules(HOST).collect());
    let on = |floors: std::ops::Range<u8>| -> BTreeSet<String> {
        plan.iter()
            .filter(|(_, (floor, _))| floors.contains(floor))
            .map(|it| it.0.clone())
            .collect()
    };
    assert_eq!(on(0..2), core);
    assert_eq!(on(2..5), host);
}

#[test]
fn the_check_itself_sees_what_is_wrong() {
    let plan = plan("```\n floor 1  Up    b · c   words\n floor 0  Down  a\n```");
    assert_eq!(plan["a"], (0, 0));
    assert_eq!(plan["c"], (1, 1));
    let code = "use crate::a::{X, Y}; use crate::{b, c::{d, e}, f}; crate::g::h()";
    let names: Vec<_> = used(code).into_iter().collect();
    assert_eq!(names, ["a", "b", "c", "f", "g"]);
}

/// What floors 0 and 1 may not touch, each with its cure.
const BANNED_IN_CORE: [(&str, &str); 12] = [
    ("std::fs", "the host reads files and hands bytes in"),
    ("std::net", "the network lives above"),
    ("std::env", "the porch reads the environment"),
    ("std::thread", "threads live in the hall"),
    ("std::process", "processes live above"),
    ("std::io::stdin", "the porch reads"),
    ("Instant::now", "time is an argument"),
    ("SystemTime", "time is an argument"),
    ("tokio", "async lives above"),
    ("async fn", "async lives above"),
    ("RandomState", "randomness comes from ids"),
    ("println!", "the porch prints"),
];

#[test]
fn the_study_has_no_clock_no_files_and_no_threads() {
    for (path, _) in files(CORE) {
        let code = code(&path);
        for (word, cure) in BANNED_IN_CORE {
            assert!(!code.contains(word), "{} has `{word}`: {cure}", path.display());
        }
    }
}

#[test]
fn no_hash_map_of_the_study_is_iterated() {
    for (path, _) in files(CORE) {
        let code = code(&path);
        let is_hash = |line: &&str| line.contains("HashMap<") || line.contains("HashSet<");
        for line in code.lines().filter(is_hash).filter(|line| line.contains(':')) {
            let name = line.split(':').next().unwrap_or_default();
            let name = name.rsplit([' ', '(']).next().unwrap_or_default();
            for walk in [
                ".iter()",
                ".iter_mut()",
                ".keys()",
                ".values()",
                ".values_mut()",
                ".drain()",
                ".into_iter()",
            ] {
                let walked = format!("{name}{walk}");
                assert!(name.is_empty() || !code.contains(&walked), "{}: {walked}", path.display());
            }
            let walked = format!("in &self.{name}");
            assert!(name.is_empty() || !code.contains(&walked), "{}: {walked}", path.display());
        }
    }
}

#[test]
fn unsafe_code_stands_only_where_the_architecture_says() {
    let architecture = architecture();
    let paragraphs = architecture.split("\n\n").filter(|text| text.contains("`unsafe`"));
    let named: String = paragraphs.collect();
    let mut seen = 0;
    for package in [CORE, HOST, "guest-sdk/src", "xtask/src", "tests/src"] {
        for (path, _) in files(package) {
            let code = code(&path);
            let words = ["unsafe {", "unsafe fn", "unsafe impl", "unsafe extern"];
            if words.iter().any(|word| code.contains(word)) {
                let base = if package == HOST { root().join(HOST) } else { root() };
                let relative = path.strip_prefix(base).unwrap();
                let name = format!("`{}`", relative.display());
                assert!(
                    named.contains(&name),
                    "{} is not named as a place of `unsafe`",
                    path.display()
                );
                seen += 1;
            }
        }
    }
    assert!(seen > 0, "the check sees the place there is");
}

#[test]
fn nothing_that_was_built_lies_in_the_repository() {
    const BYTES_MAX: u64 = 512 << 10;
    const BUILT: [&[u8]; 5] = [b"\x7fELF", b"\0asm", b"PK\x03\x04", b"\x1f\x8b", b"!<arch>"];
    let mut git = std::process::Command::new("git");
    let listed = git.args(["ls-files", "-z"]).current_dir(root()).output().expect("git is there");
    let names = String::from_utf8(listed.stdout).unwrap();
    let mut seen = 0;
    for name in names.split_terminator('\0') {
        let Ok(bytes) = fs::read(root().join(name)) else { continue };
        seen += 1;
        assert!(bytes.len() as u64 <= BYTES_MAX, "{name} has {} bytes", bytes.len());
        // Seeds of the fuzzers look like anything, and are a few bytes.
        let is_seed = name.starts_with("fuzz/seeds/");
        assert!(
            is_seed || !BUILT.iter().any(|magic| bytes.starts_with(magic)),
            "{name} was built elsewhere"
        );
    }
    assert!(seen > 300, "git names {seen} files");
}
