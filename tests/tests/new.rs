//! `pframe-host new`: what it writes is built by the one command that it names, and runs.

use std::fs;
use std::path::Path;
use std::process::Command;

use pframe_tests::program::Place;
use pframe_tests::root;

/// Runs the commands that the project's README names, but for those that install something.
fn build(folder: &Path, lang: &str) {
    let readme = fs::read_to_string(folder.join("README.md")).unwrap();
    let mut commands = readme.lines().filter_map(|line| line.strip_prefix("$ "));
    let first = commands.next().expect("what must be there");
    let second = commands.next().expect("what builds it");
    let tools = root().join("target/python-tools/bin");
    let path = format!("{}:{}", tools.display(), std::env::var("PATH").unwrap());
    let run = |command: &str| {
        let mut shell = Command::new("bash");
        shell.args(["-ec", command]).current_dir(folder).env("PATH", &path);
        let output = shell.output().expect("a shell starts");
        assert!(output.status.success(), "{lang}: {command}: {output:?}");
    };
    match lang {
        // Which compiler for WebAssembly there is, xtask knows.
        "rust" | "command" => {
            assert_eq!(second, "cargo build --release --target wasm32-wasip2");
            let mut xtask = Command::new(env!("CARGO"));
            xtask.current_dir(root()).args(["xtask", "guests", "--project"]).arg(folder);
            let output = xtask.output().expect("cargo starts");
            assert!(output.status.success(), "{lang}: {output:?}");
        }
        "javascript" => {
            run(first);
            run(second);
        }
        _ => run(second),
    }
}

#[test]
fn a_new_project_of_every_language_is_built_by_one_command_and_runs() {
    for lang in ["rust", "python", "javascript", "c", "command"] {
        let place = Place::new();
        let name = format!("find-{lang}");
        let ended = place.run(&["new", &name, "--lang", lang]).expect_code(0);
        assert!(ended.stdout.is_empty() && ended.stderr.contains("run jobs.yaml"), "{ended:?}");
        build(&place.path(&name), lang);
        let jobs = format!("{name}/jobs.yaml");
        let ended = place.run(&["run", &jobs, "-q"]).expect_code(0);
        let expect = "It is a truth universally acknowledged, that a single man in possession\n\
                      first entering a neighbourhood, this truth is so well fixed in the minds\n";
        assert_eq!(String::from_utf8_lossy(&ended.stdout), expect, "{lang}");
    }
}

#[test]
fn a_bad_name_a_strange_language_and_a_folder_in_use_are_refused() {
    let place = Place::new();
    place.write("used/file", "mine");
    for (arguments, code, words) in [
        (["new", "Bad Name", "--lang", "c"], 2, "cannot be the name of a handler"),
        (
            ["new", "good", "--lang", "cobol"],
            2,
            "possible values: rust, python, javascript, c, command",
        ),
        (["new", "used", "--lang", "c"], 5, "the folder holds something"),
    ] {
        let ended = place.run(&arguments).expect_code(code);
        assert!(ended.stderr.contains(words), "{}", ended.stderr);
    }
    assert_eq!(fs::read_dir(place.path("used")).unwrap().count(), 1);
    assert!(!place.path("good").exists());
}
