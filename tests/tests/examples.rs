//! Every example does what its first line says, and what README shows is what one gets.

use std::fs;
use std::path::PathBuf;

use expect_test::{Expect, expect};
use pframe_tests::program::{Ended, Place};
use pframe_tests::root;
use serde_json::Value;

/// Every YAML file in `examples/`, each of which has a test here.
const EXAMPLES: [&str; 9] = [
    "demo.yaml",
    "first-handler.yaml",
    "json-stats.yaml",
    "limits.yaml",
    "paragraphs.yaml",
    "pframe.yaml",
    "tolerant.yaml",
    "top-words.yaml",
    "word-count.yaml",
];

fn example(name: &str) -> String {
    root().join("examples").join(name).to_str().expect("a path in UTF-8").to_owned()
}

fn run(name: &str) -> Ended {
    Place::new().run(&["run", &example(name), "--quiet"])
}

fn check(name: &str, expect: &Expect) {
    let ended = run(name).expect_code(0);
    assert_eq!(ended.stderr, "");
    expect.assert_eq(&String::from_utf8(ended.stdout).expect("the result is text"));
}

fn json(bytes: &[u8]) -> Value {
    serde_json::from_slice(bytes).expect("the result is JSON")
}

fn read(path: &str) -> String {
    fs::read_to_string(root().join(path)).expect("a file of this repository")
}

#[test]
fn every_example_has_its_test() {
    let folder = fs::read_dir(root().join("examples")).expect("the folder of examples");
    let files = folder.map(|file| PathBuf::from(file.expect("an entry").file_name()));
    let yaml = files.filter(|file| file.extension().is_some_and(|it| it == "yaml"));
    let mut names: Vec<_> = yaml.map(|file| file.display().to_string()).collect();
    names.sort();
    assert_eq!(names, EXAMPLES);
}

#[test]
fn word_count_counts_exactly_however_it_is_cut() {
    check(
        "word-count.yaml",
        &expect![[r#"
            {"total_words":239,"distinct_words":140,"top":[{"word":"the","count":13},{"word":"of","count":12},{"word":"a","count":10}]}
        "#]],
    );
}

#[test]
fn the_same_handler_writes_the_same_in_every_language() {
    let three = "13 the\n12 of\n10 a\n";
    let ended = run("top-words.yaml").expect_code(0);
    assert_eq!(String::from_utf8_lossy(&ended.stdout), three.repeat(4));
}

#[test]
fn every_paragraph_is_a_chunk() {
    check(
        "paragraphs.yaml",
        &expect![[r#"
        0..311 5
        0..593 9
        0..118 2
        119..380 4
    "#]],
    );
}

#[test]
fn the_first_handler_finds_its_lines_in_order() {
    check(
        "first-handler.yaml",
        &expect![[r#"
            It is a truth universally acknowledged, that a single man in possession
            first entering a neighbourhood, this truth is so well fixed in the minds
        "#]],
    );
}

#[test]
fn json_stats_skips_and_counts_the_line_that_is_not_json() {
    let ended = run("json-stats.yaml").expect_code(0);
    let stats = json(&ended.stdout);
    assert_eq!((&stats["lines"], &stats["invalid_lines"]), (&6.into(), &1.into()));
    assert_eq!(stats["fields"]["user.country"]["distinct"], 2);
    assert_eq!(stats["fields"]["took_ms"]["mean"], 63.0);
}

#[test]
fn a_limit_that_is_hit_is_named_once_and_not_retried() {
    let ended = run("limits.yaml").expect_code(4);
    assert_eq!(ended.stdout, b"");
    assert!(ended.stderr.contains("limits.fuel is 20K, used at least 20K"), "{}", ended.stderr);
    assert!(!ended.stderr.contains("#2"), "no second attempt: {}", ended.stderr);
}

#[test]
fn a_tolerant_job_ends_well_and_lists_what_failed() {
    let ended = run("tolerant.yaml").expect_code(0);
    assert_eq!(json(&ended.stdout)["lines"], 4);
    assert!(ended.stderr.contains("error[PF308]"), "{}", ended.stderr);
    assert!(ended.stderr.contains("byte 311 of `events.jsonl`"), "{}", ended.stderr);
}

/// The demo's own job file, on an input of a few lines instead of 80 MiB.
#[test]
fn the_demo_writes_both_results_where_it_says() {
    let place = Place::new();
    let handlers = root().join("target/handlers");
    let text = read("examples/demo.yaml")
        .replace("../target/handlers", handlers.to_str().expect("a path in UTF-8"))
        .replace("../target/demo", "demo");
    place.write("demo.yaml", text);
    place.write("demo/texts/novel-01.txt", "to be or not to be\n");
    place.write("demo/events/day-01.jsonl", "{\"took_ms\":1}\n{\"took_ms\":2}\n");
    for _ in 0..2 {
        place.run(&["run", "demo.yaml", "--quiet"]).expect_code(0);
        let words = json(&place.read("demo/results/top-words.json").expect("the words"));
        assert_eq!(words["top"][0]["count"], 2);
        let stats = json(&place.read("demo/results/events.json").expect("the statistics"));
        assert_eq!(stats["fields"]["took_ms"]["mean"], 1.5);
    }
}

#[test]
fn the_configuration_loads_and_brings_a_task_type_along() {
    let place = Place::new();
    let config = example("pframe.yaml");
    let shown = place.run(&["--config", &config, "config", "show"]).expect_code(0);
    assert!(String::from_utf8_lossy(&shown.stdout).contains("max_workers"), "{shown:?}");
    place.write(
        "jobs.yaml",
        "version: 1\njobs: [{ id: a, task_type: word-count, input_data: { text: one two } }]\n",
    );
    let ended = place.run(&["--config", &config, "run", "jobs.yaml", "--quiet"]).expect_code(0);
    assert_eq!(json(&ended.stdout)["total_words"], 2);
}

#[test]
fn readme_shows_the_first_handler_and_its_job_file_as_they_are() {
    let readme = read("README.md");
    for path in ["examples/first-handler/src/lib.rs", "examples/first-handler.yaml"] {
        let file = read(path);
        // The first line says what it is, which README does in its own words.
        let (_, code) = file.split_once('\n').expect("a file of several lines");
        assert!(readme.contains(code.trim()), "README.md does not show {path} as it is");
    }
}

#[test]
fn readme_shows_the_handler_of_each_language_as_it_is() {
    let readme = read("README.md");
    let (_, section) = readme.split_once("## In any language").expect("there is that section");
    for (language, path) in [
        ("rust", "rust/src/lib.rs"),
        ("python", "python/app.py"),
        ("javascript", "javascript/app.js"),
        ("c", "c/top_words.c"),
    ] {
        let (_, code) = section.split_once(&format!("```{language}\n")).expect("a piece of code");
        let (code, _) = code.split_once("\n```").expect("it ends");
        let file = read(&format!("examples/top-words/{path}"));
        assert!(file.contains(code), "README.md does not show {path} as it is");
    }
}

#[test]
fn readme_shows_the_fault_that_one_gets() {
    let readme = read("README.md");
    let shown = readme.split("```").find(|block| block.contains("error[PF302]"));
    let fault = shown.and_then(|block| block.split_once("error[PF302]")).expect("a fault is shown");
    let ended = run("limits.yaml");
    for line in fault.1.lines().filter(|line| line.starts_with("  ")) {
        assert!(ended.stderr.contains(line), "`{line}` is not in: {}", ended.stderr);
    }
}

#[test]
fn readme_names_every_command() {
    let readme = read("README.md");
    let help = Place::new().run(&["--help"]).expect_code(0);
    let help = String::from_utf8(help.stdout).expect("help is text");
    let commands = help.split("Commands:").nth(1).and_then(|rest| rest.split("\n\n").next());
    for line in commands.expect("help lists the commands").lines() {
        let Some(name) = line.strip_prefix("  ").and_then(|line| line.split(' ').next()) else {
            continue;
        };
        let is_named = readme.contains(&format!("`{name}`"))
            || readme.contains(&format!("`{name} "))
            || ["", "help"].contains(&name);
        assert!(is_named, "README.md does not name `{name}`");
    }
}
