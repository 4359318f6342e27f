//! Task types that jobs name without bringing them along: by name, by version, by digest.

use std::fs;

use pframe_tests::guest;
use pframe_tests::program::{Ended, Place};
use serde_json::Value;
use sha2::{Digest as _, Sha256};

/// The smallest handler, which writes how many bytes it read; `mark` makes it another component.
fn tiny(mark: &str) -> Vec<u8> {
    let mut bytes = fs::read(guest("tiny")).unwrap();
    let name = "mark";
    let size = u8::try_from(1 + name.len() + mark.len()).unwrap();
    bytes.extend([0, size, u8::try_from(name.len()).unwrap()]);
    bytes.extend(name.as_bytes());
    bytes.extend(mark.as_bytes());
    bytes
}

fn sha256(bytes: &[u8]) -> String {
    Sha256::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect()
}

/// A place with a folder of task types, and one job that names this one.
fn asking(task: &str) -> Place {
    let place = Place::new();
    fs::create_dir(place.path("types")).unwrap();
    asking_for(&place, task, "");
    place
}

fn asking_for(place: &Place, task: &str, more: &str) {
    let job = format!(
        "version: 1\njobs:\n- id: a\n  task_type: \"{task}\"\n  input_data: {{ text: hello }}\n{more}"
    );
    place.write("jobs.yaml", job);
}

#[track_caller]
fn run(place: &Place, command: &[&str], code: i32) -> Ended {
    place.run_in(command, ("PFRAME_TASKS_DIR", "types")).expect_code(code)
}

fn json(ended: &Ended) -> Value {
    serde_json::from_slice(&ended.stdout).unwrap()
}

/// The component that a job would run with.
#[track_caller]
fn planned(place: &Place) -> String {
    let plan = json(&run(place, &["plan", "jobs.yaml", "--json"], 0));
    plan["component"].as_str().unwrap().to_owned()
}

#[track_caller]
fn refused(place: &Place, code: &str, words: &[&str]) -> String {
    let talk = run(place, &["check", "jobs.yaml"], 3).stderr;
    for words in [&[code], words].concat() {
        assert!(talk.contains(words), "`{words}` is not in: {talk}");
    }
    talk
}

#[test]
fn a_job_names_a_task_type_of_the_folder_and_its_defaults_hold() {
    let place = asking("small_one");
    place.write("types/small-one.wasm", tiny(""));
    place.write(
        "types/small-one.yaml",
        "version: 1\ndescription: counts bytes\nlimits: { memory: 2MiB, fuel: 7M }\ntimeout: 7s\nchunking: { strategy: size, size: 2B, boundary: byte, batch: { files: 3 } }\nresource_requirements: { cpu_cores: 0.5 }\n",
    );
    let ended = run(&place, &["run", "jobs.yaml", "--quiet"], 0);
    assert_eq!(ended.stdout, b"221");
    let plan = json(&run(&place, &["plan", "jobs.yaml", "--json"], 0));
    assert_eq!(plan["component"], sha256(&tiny("")));
    assert_eq!((&plan["chunks"], &plan["limits"]["fuel"]), (&3.into(), &7_000_000.into()));
    // The configuration's words come before those of the description, and the job's before both.
    place.write("pframe.yaml", "job_types: { small-one: { limits: { fuel: 8M }, timeout: 8s } }\n");
    asking_for(&place, "small-one", "  limits: { fuel: 9M }\n");
    let text = run(&place, &["plan", "jobs.yaml"], 0).stdout;
    let text = String::from_utf8(text).unwrap();
    assert!(text.contains("memory 2 MiB, fuel 9M, timeout 8.0 s"), "{text}");
    let shown = String::from_utf8(run(&place, &["config", "show"], 0).stdout).unwrap();
    assert!(shown.contains("PFRAME_TASKS_DIR"), "{shown}");
}

#[test]
fn a_folder_of_its_own_holds_a_description_and_one_component() {
    let place = asking("mine");
    place.write("types/mine/task.yaml", "version: 1\n");
    refused(&place, "PF220", &["0 components lie beside it"]);
    place.write("types/mine/anything.wasm", tiny("a"));
    assert_eq!(planned(&place), sha256(&tiny("a")));
    place.write("types/mine/other.wasm", tiny("b"));
    refused(&place, "PF220", &["2 components lie beside it"]);
    place.write("types/mine/task.yaml", "version: 1\ncomponent: other.wasm\n");
    assert_eq!(planned(&place), sha256(&tiny("b")));
    place.write(
        "types/mine/task.yaml",
        format!("version: 1\ncomponent: other.wasm\nsha256: {}\n", sha256(b"")),
    );
    refused(&place, "PF208", &["pinned"]);
}

#[test]
fn the_job_file_comes_before_the_configuration_and_that_before_the_folder() {
    let place = asking("x");
    place.write("types/x.wasm", tiny("folder"));
    place.write("configured.wasm", tiny("configuration"));
    place.write("own.wasm", tiny("file"));
    assert_eq!(planned(&place), sha256(&tiny("folder")));
    place.write("pframe.yaml", "job_types: { x: { component: configured.wasm } }\n");
    assert_eq!(planned(&place), sha256(&tiny("configuration")));
    asking_for(&place, "x", "tasks: { x: { component: own.wasm } }\n");
    assert_eq!(planned(&place), sha256(&tiny("file")));
}

#[test]
fn the_highest_version_that_fits_is_taken() {
    let place = asking("x");
    place.write("types/x.wasm", tiny("none"));
    place.write("types/x@1.2.0.wasm", tiny("1.2.0"));
    place.write("types/x@1.10.0.wasm", tiny("1.10.0"));
    place.write("types/newest/task.yaml", "version: 1\n");
    place.write("types/x@2.0.0-rc.1/task.yaml", "version: 1\ntask_version: 2.0.0-rc.1\n");
    place.write("types/x@2.0.0-rc.1/x.wasm", tiny("2.0.0-rc.1"));
    for (asked, expect) in [
        ("x", "1.10.0"),
        ("x@1", "1.10.0"),
        ("x@^1.2", "1.10.0"),
        ("x@~1.2", "1.2.0"),
        ("x@1.2.0", "1.2.0"),
        ("x@2.0.0-rc.1", "2.0.0-rc.1"),
    ] {
        asking_for(&place, asked, "");
        assert_eq!(planned(&place), sha256(&tiny(expect)), "{asked}");
    }
    asking_for(&place, &format!("sha256:{}", sha256(&tiny("1.2.0"))), "");
    assert_eq!(planned(&place), sha256(&tiny("1.2.0")));
    asking_for(&place, &format!("sha256:{}", sha256(b"")), "");
    refused(&place, "PF210", &[]);
    asking_for(&place, "y", "");
    refused(&place, "PF210", &["`y`; there is `newest`, `x`"]);
    asking_for(&place, "x@3", "");
    refused(&place, "PF210", &["a version ^3", "1.2.0", "1.10.0", "one without a version"]);
    asking_for(&place, "x@latest", "");
    refused(&place, "PF210", &["`latest` is no version"]);
    // What is broken under another name is nobody's trouble but its own.
    asking_for(&place, "newest", "");
    refused(&place, "PF220", &["0 components"]);
}

#[test]
fn what_might_be_meant_and_cannot_be_read_is_not_passed_over() {
    let place = asking("x");
    place.write("types/x@1.0.0.wasm", tiny("1"));
    place.write("types/x@2.0.0.wasm", tiny("2"));
    place.write("types/x@2.0.0.yaml", "version: 1\nlimit: {}\ntask_version: 2.0.1\n");
    refused(&place, "PF220", &["2.0.0.yaml:2:1", "did you mean `limits`?"]);
    asking_for(&place, "x@1", "");
    assert_eq!(planned(&place), sha256(&tiny("1")));
    place.write("types/x@2.0.0.yaml", "version: 1\ntask_version: 2.0.1\n");
    asking_for(&place, "x@2", "");
    refused(&place, "PF220", &["`task_version` is 2.0.1, and the file is named 2.0.0"]);
}

#[test]
fn two_components_of_one_name_and_version_are_refused() {
    let place = asking("x@1");
    place.write("types/x@1.0.0.wasm", tiny("1"));
    place.write("types/other/task.yaml", "version: 1\n");
    place.write("types/x/task.yaml", "version: 1\ntask_version: 1.0.0\n");
    place.write("types/x/x.wasm", tiny("1"));
    // The same component twice is one.
    assert_eq!(planned(&place), sha256(&tiny("1")));
    place.write("types/x/x.wasm", tiny("another"));
    refused(&place, "PF221", &["`x@1.0.0` is both"]);
}

const TAKES: &str = "version: 1
grants: [ clock ]
parameters:
  type: object
  required: [ top ]
  additionalProperties: false
  properties: { top: { type: integer, maximum: 9 }, words: { items: { type: string } } }
";

#[test]
fn parameters_are_checked_before_anything_runs_each_with_its_place() {
    let place = asking("x");
    place.write("types/x.wasm", tiny(""));
    place.write("types/x.yaml", TAKES);
    let talk = refused(&place, "PF120", &["jobs.yaml:3:3: parameters: `top` is missing"]);
    assert!(talk.contains("job a"), "{talk}");
    asking_for(&place, "x", "  parameters:\n    topp: 1\n    top: 10\n    words: [ a, 1 ]\n");
    refused(
        &place,
        "PF120",
        &[
            "jobs.yaml:7:11: parameters.topp: no such parameter; did you mean `top`?",
            "jobs.yaml:8:10: parameters.top: expected a number up to 9, found 10",
            "jobs.yaml:9:17: parameters.words[1]: expected text, found `1`",
        ],
    );
    let ended = run(&place, &["run", "jobs.yaml"], 3);
    assert!(ended.stderr.contains("PF120"), "{}", ended.stderr);
    assert!(!place.state().exists(), "nothing was written");
    place.write("pframe.yaml", "job_types: { x: { parameters: { top: many } } }\n");
    asking_for(&place, "x", "");
    refused(&place, "PF120", &["configuration, job type of `x`: parameters.top"]);
    place.write("pframe.yaml", "job_types: { x: { parameters: { top: 9 } } }\n");
    assert_eq!(run(&place, &["run", "jobs.yaml", "--quiet"], 0).stdout, b"5");
}

#[test]
fn a_grant_that_a_task_type_needs_is_told_and_not_given() {
    let place = asking("x");
    place.write("types/x.wasm", tiny(""));
    place.write("types/x.yaml", TAKES);
    asking_for(&place, "x", "  parameters: { top: 1 }\n");
    let note = "the task type needs `clock`, and the job does not ask for it";
    let checked = run(&place, &["check", "jobs.yaml"], 0);
    assert!(checked.stderr.contains(&format!("job a: {note}")), "{}", checked.stderr);
    let plan = String::from_utf8(run(&place, &["plan", "jobs.yaml"], 0).stdout).unwrap();
    assert!(plan.contains(note) && plan.contains("grants     none"), "{plan}");
    // Who asks is given it only if the operator allows it.
    asking_for(&place, "x", "  parameters: { top: 1 }\n  grants: [ clock ]\n");
    refused(&place, "PF104", &["not allowed `clock`"]);
    place.write("pframe.yaml", "tenants: { default: { grants: [ clock ] } }\n");
    let checked = run(&place, &["check", "jobs.yaml"], 0);
    assert!(!checked.stderr.contains("note"), "{}", checked.stderr);
}

#[test]
fn the_list_shows_what_can_be_used_and_what_cannot() {
    let place = asking("x").with_own_cache();
    place.write("types/x@1.0.0.wasm", tiny("1"));
    place.write("types/y.wasm", b"\x7fELF");
    place.write("types/z.yaml", "version: 3\n");
    place.write("types/no name.wasm", tiny("1"));
    place.write("types/README.md", "nothing to run");
    let list = |place: &Place| json(&run(place, &["tasks", "list", "--json"], 0));
    let listed = list(&place);
    let row = |task: &str| {
        let rows = listed.as_array().unwrap();
        rows.iter().find(|row| row["task"].as_str().unwrap().ends_with(task)).unwrap()
    };
    assert_eq!(listed.as_array().unwrap().len(), 4, "{listed}");
    assert_eq!((&row("x")["version"], &row("x")["compiled"]), (&"1.0.0".into(), &false.into()));
    assert_eq!(row("y")["fault"]["code"], "PF202");
    assert_eq!(row("z")["fault"]["code"], "PF220");
    assert_eq!(row("no name.wasm")["fault"]["code"], "PF220");
    run(&place, &["tasks", "compile", "x"], 0);
    let listed = list(&place);
    assert!(listed.to_string().contains("\"compiled\":true"), "{listed}");
}

#[test]
fn what_was_added_to_the_store_is_found_by_name_version_and_digest() {
    let place = asking("x@1");
    place.write("one.wasm", tiny("1"));
    place.write("two.wasm", tiny("2"));
    place.write("task.yaml", TAKES);
    let one = sha256(&tiny("1"));
    let added = run(&place, &["tasks", "add", "x@1.0.0", "one.wasm", "--sha256", &one], 0);
    assert!(added.stderr.contains("added `x@1.0.0`, "), "{}", added.stderr);
    run(&place, &["tasks", "add", "x@1.1.0", "two.wasm", "--description", "task.yaml"], 0);
    // The schema came along.
    refused(&place, "PF120", &["`top` is missing"]);
    asking_for(&place, "x", "  parameters: { top: 1 }\n");
    assert_eq!(planned(&place), sha256(&tiny("2")));
    asking_for(&place, "x@1.0.0", "");
    assert_eq!(planned(&place), one);
    fs::remove_file(place.path("one.wasm")).unwrap();
    asking_for(&place, &format!("sha256:{one}"), "");
    assert_eq!(run(&place, &["run", "jobs.yaml", "--quiet"], 0).stdout, b"5");
    let listed = json(&run(&place, &["tasks", "list", "--json"], 0));
    let rows: Vec<_> =
        listed.as_array().unwrap().iter().map(|row| (&row["version"], &row["from"])).collect();
    assert_eq!(rows, [(&"1.0.0".into(), &"store".into()), (&"1.1.0".into(), &"store".into())]);
    // A folder and a store may have the same component by the same name, and no other.
    place.write("types/x@1.0.0.wasm", tiny("1"));
    asking_for(&place, "x@1.0.0", "");
    assert_eq!(planned(&place), one);
    place.write("types/x@1.0.0.wasm", tiny("another"));
    refused(&place, "PF221", &["`x@1.0.0` is both"]);
    run(&place, &["tasks", "remove", "x@1.1.0"], 0);
    run(&place, &["tasks", "remove", "x"], 0);
    run(&place, &["tasks", "remove", "x"], 3);
}

#[test]
fn the_store_takes_nothing_under_a_wrong_name_or_digest_and_notices_damage() {
    let place = asking("x");
    place.write("one.wasm", tiny("1"));
    place.write("two.wasm", tiny("2"));
    place.write("core.wasm", b"\0asm\x01\0\0\0");
    place.write("task.yaml", "version: 1\ntask_version: 2.0.0\n");
    let store = place.path(".local/share/pframe/tasks");
    let wrong = sha256(b"");
    for (arguments, code, words) in [
        (vec!["x", "one.wasm", "--sha256", &wrong], 3, "PF208"),
        (vec!["x", "core.wasm"], 3, "PF202"),
        (vec!["x", "missing.wasm"], 3, "PF201"),
        (vec!["x", "one.wasm", "--component-bytes-max", "1KiB"], 3, "PF204"),
        (vec!["x@^1", "one.wasm"], 2, "three numbers"),
        (vec!["../x", "one.wasm"], 2, "a name has only"),
        (vec!["x@1.0.0", "one.wasm", "--description", "task.yaml"], 2, "says version 2.0.0"),
    ] {
        let ended = run(&place, &[&["tasks", "add"], &*arguments].concat(), code);
        assert!(ended.stderr.contains(words), "{arguments:?}: {}", ended.stderr);
        assert!(!store.exists(), "{arguments:?} left something");
    }
    run(&place, &["tasks", "add", "x@1.0.0", "one.wasm"], 0);
    run(&place, &["tasks", "add", "x@1.0.0", "one.wasm"], 0);
    let ended = run(&place, &["tasks", "add", "x@1.0.0", "two.wasm"], 3);
    assert!(ended.stderr.contains("PF222"), "{}", ended.stderr);
    let ended = run(&place, &["tasks", "verify"], 0);
    assert!(ended.stderr.contains("1 task type, "), "{}", ended.stderr);
    fs::write(store.join(format!("{}.wasm", sha256(&tiny("1")))), tiny("swapped")).unwrap();
    let ended = run(&place, &["tasks", "verify", "x"], 3);
    assert!(ended.stderr.contains("PF208"), "{}", ended.stderr);
    refused(&place, "PF208", &["pinned is"]);
}

#[test]
fn inspect_tells_everything_about_a_task_type_in_one_report() {
    let place = asking("x").with_own_cache();
    place.write("types/x@1.0.0.wasm", fs::read(guest("evil")).unwrap());
    place.write("types/x@1.0.0.yaml", format!("{TAKES}description: misbehaves\n"));
    let digest = sha256(&fs::read(guest("evil")).unwrap());
    for named in ["x", "x@1", &format!("sha256:{digest}")] {
        let seen = json(&run(&place, &["tasks", "inspect", named, "--json"], 0));
        assert_eq!(
            (&seen["task"], &seen["sha256"]),
            (&"x@1.0.0 (folder)".into(), &digest.clone().into())
        );
        assert_eq!(seen["grants"]["of_description"][0], "clock");
        assert_eq!(seen["parameters"]["required"][0], "top");
        assert_eq!(
            (&seen["was_cached"], &seen["refused"]),
            (&(named != "x").into(), &Value::Array(vec![]))
        );
    }
    let text = String::from_utf8(run(&place, &["tasks", "inspect", "x"], 0).stdout).unwrap();
    for words in [
        "about      misbehaves",
        "compiled   for this engine, before",
        "needs `clock`",
        "\"maximum\": 9",
    ] {
        assert!(text.contains(words), "`{words}` is not in {text}");
    }
    let file = run(&place, &["tasks", "inspect", "types/x@1.0.0.wasm", "--json"], 0);
    assert_eq!(json(&file)["task"], Value::Null);
}

#[test]
fn inspect_names_all_that_is_refused() {
    let place = asking("x");
    let component = wat::parse_str(
        r#"(component
            (import "evil:host/shell@1.0.0" (instance)) (import "evil:host/disk@1.0.0" (instance))
            (core module (memory 1 1 shared) (func $f (return_call $f))))"#,
    );
    place.write("types/x.wasm", component.unwrap());
    let ended = run(&place, &["tasks", "inspect", "x", "--json"], 3);
    let seen = json(&ended);
    let refused: Vec<_> =
        seen["refused"].as_array().unwrap().iter().map(|it| &it["code"]).collect();
    assert_eq!(refused, ["PF206", "PF205", "PF207"]);
    for words in ["shell", "disk", "tail calls, threads"] {
        assert!(ended.stderr.contains(words), "`{words}` is not in {}", ended.stderr);
    }
}
