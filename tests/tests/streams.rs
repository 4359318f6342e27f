//! stdin as an input and stdout as an output, and inputs that are pinned: through the built program.

use std::fs;
use std::process::{Command, Stdio};

use expect_test::expect;
use pframe_tests::history::History;
use pframe_tests::program::Place;
use sha2::{Digest as _, Sha256};

fn place(jobs: &str) -> Place {
    let place = Place::new();
    place.bring(["evil"]);
    place.write("jobs.yaml", file(jobs));
    place
}

fn file(jobs: &str) -> String {
    format!("version: 1\ntasks: {{ evil: {{ component: evil.wasm }} }}\njobs:\n{jobs}")
}

const ECHO: &str =
    "- { id: a, task_type: evil, input_data: { files: [\"-\"] }, parameters: { do: echo } }\n";

/// Bytes that are no text, and more than fit into the journal.
fn binary(length: usize) -> Vec<u8> {
    (0..length).map(|at| (at * 7 % 251) as u8).collect()
}

#[test]
fn call_and_run_read_stdin_whatever_it_holds() {
    let place = place(ECHO);
    for bytes in [Vec::new(), b"a word".to_vec(), binary(3 << 20)] {
        let echo = r#"{"do": "echo"}"#;
        let call = ["call", "evil.wasm", "--input", "-", "--parameters", echo];
        let called = place.run_with(&call, &bytes).expect_code(0);
        assert!(called.stdout == bytes, "call with {} bytes", bytes.len());
        let ran = place.run_with(&["run", "jobs.yaml", "-q"], &bytes).expect_code(0);
        assert!(ran.stdout == bytes, "run with {} bytes", bytes.len());
    }
    assert_eq!(stored(&place), 1, "the one result that can still be asked for");
}

/// Files in the results store.
fn stored(place: &Place) -> usize {
    let folders = fs::read_dir(place.state().join("results")).unwrap().flatten();
    let files = folders.filter(|folder| folder.file_name() != "tmp");
    files.map(|folder| fs::read_dir(folder.path()).unwrap().count()).sum()
}

#[test]
fn a_plan_tells_of_stdin_and_leaves_nothing() {
    let place = place(ECHO);
    let planned = place.run_with(&["plan", "jobs.yaml"], "some words").expect_code(0);
    let text = String::from_utf8(planned.stdout).unwrap();
    assert!(text.contains("  input      stdin, 10 B\n"), "{text}");
    assert!(!place.state().exists());
    let checked = place.run_with(&["check", "jobs.yaml"], binary(1 << 20)).expect_code(0);
    assert_eq!(String::from_utf8(checked.stdout).unwrap(), "ok: 1 job, 1 chunk\n");
}

#[test]
fn stdin_that_never_ends_is_refused_at_its_limit() {
    let place = place(ECHO);
    let run = ["run", "jobs.yaml", "--stdin-bytes-max", "1MiB"];
    let zeros = fs::File::open("/dev/zero").unwrap();
    let child = place.command(&run).stdin(Stdio::from(zeros)).output().unwrap();
    let told = String::from_utf8(child.stderr).unwrap();
    assert_eq!(child.status.code(), Some(3), "{told}");
    expect![[r#"
        error[PF105]: the job asks for more than it can have here
          job a
          stdin does not end within its limit; large data belongs into a file
          storage.stdin_bytes_max is 1 MiB, used more
          advice: lower `resource_requirements` and `limits`, raise the host's own limits, or run it on a larger machine
    "#]].assert_eq(&told);
    assert!(!place.state().exists());
}

#[test]
fn stdin_that_is_closed_or_a_folder_is_empty_or_refused() {
    let place = place(ECHO);
    let ended = place.run(&["run", "jobs.yaml", "-q"]).expect_code(0);
    assert_eq!(ended.stdout, b"", "nothing was there");
    let folder = fs::File::open(place.path(".")).unwrap();
    let run = ["run", "jobs.yaml"];
    let ended = place.command(&run).stdin(Stdio::from(folder)).output().unwrap();
    let told = String::from_utf8(ended.stderr).unwrap();
    assert_eq!(ended.status.code(), Some(3), "{told}");
    assert!(told.contains("error[PF102]"), "{told}");
}

/// Somebody who types is not waited for. `script` (of Debian's bsdutils, which is always there) has the terminal.
#[test]
fn a_terminal_is_refused_with_advice() {
    let place = place(ECHO);
    for run in [["run", "jobs.yaml"], ["run", "-"]] {
        let command = place.command(&run);
        let words = std::iter::once(command.get_program()).chain(command.get_args());
        let line: Vec<_> = words.map(|word| word.to_str().unwrap()).collect();
        let mut script = Command::new("script");
        script.args(["-q", "-e", "-c", &line.join(" "), "/dev/null"]);
        script.current_dir(place.path(".")).env("HOME", place.path(".")).stdin(Stdio::null());
        let ended = script.output().expect("`script` is there");
        let told = String::from_utf8(ended.stdout).unwrap();
        assert_eq!(ended.status.code(), Some(3), "{told}");
        let advice = "stdin is a terminal; pipe data into it, or name a file";
        assert!(told.contains(advice), "{told}");
    }
}

#[test]
fn a_job_file_comes_from_stdin_and_then_no_input_does() {
    let place = place("");
    let text =
        "- { id: a, task_type: evil, input_data: { text: a word }, parameters: { do: echo } }\n";
    let ended = place.run_with(&["run", "-", "-q"], file(text)).expect_code(0);
    assert_eq!(ended.stdout, b"a word");
    let ended = place.run_with(&["run", "-", "-q"], file(ECHO)).expect_code(3);
    expect![[r#"
        error[PF102]: an input is missing or cannot be read
          job a
          `-`: stdin is the job file itself; put the data into a file
          advice: check the path; it is relative to the job file
    "#]]
    .assert_eq(&ended.stderr);
}

#[test]
fn x01_stdin_is_still_there_after_a_crash_and_gone_after_the_job() {
    let jobs = "
- { id: first, task_type: evil, input_data: { text: x }, parameters: { do: sleep-ms, n: 2000 } }
- id: second
  task_type: evil
  input_data: { files: [\"-\"] }
  parameters: { do: echo }
  depends_on: [ first ]
  output: { path: out }
";
    for bytes in [b"a word".to_vec(), binary(1 << 20)] {
        let place = place(jobs);
        let mut program = place.start_with(&["run", "jobs.yaml"], &bytes);
        program.wait_for("both jobs", |event| {
            event["event"] == "job-accepted" && event["job"]["id"] == "second"
        });
        program.kill();
        let kept = usize::from(bytes.len() > 64 << 10);
        assert_eq!(stored(&place), kept);
        place.run(&["gc"]).expect_code(0);
        assert_eq!(stored(&place), kept, "an unfinished run needs it");
        place.run(&["resume", "-q"]).expect_code(0);
        History::read(&place.state()).check_done();
        assert!(place.read("out").as_ref() == Some(&bytes));
        assert_eq!(stored(&place), 0);
    }
}

#[test]
fn the_same_stdin_goes_on_with_the_same_run() {
    let jobs = "
- id: a
  task_type: evil
  input_data: { files: [\"-\"] }
  parameters: { do: sleep-ms, n: 1500 }
  output: { path: out }
";
    let place = place(jobs);
    let mut program = place.start_with(&["run", "jobs.yaml"], binary(1 << 20));
    program.wait_for("the start", |event| event["event"] == "attempt-started");
    program.kill();
    let ended = place.run_with(&["run", "jobs.yaml"], binary(1 << 20)).expect_code(0);
    assert!(ended.stderr.contains("continuing: 1 of 1 jobs"), "{}", ended.stderr);
    assert_eq!(stored(&place), 0);
}

#[test]
fn stdout_can_be_asked_for_by_name() {
    let job = |id: &str, rest: &str| {
        format!("- {{ id: {id}, task_type: evil, parameters: {{ do: echo }}, {rest} }}\n")
    };
    let place = place(&format!(
        "{}{}",
        job("a", "input_data: { text: one }, output: { path: \"-\" }"),
        job("b", "input_data: { job: a }, output: { path: \"-\" }"),
    ));
    let ended = place.run(&["run", "jobs.yaml", "-q"]).expect_code(0);
    assert_eq!(ended.stdout, b"oneone", "also what another job works on");
}

#[test]
fn a_pinned_input_is_looked_at_before_anything_runs() {
    let job = |digest: &str| {
        let input = format!("{{ files: [ {{ path: a.txt, sha256: {digest} }} ] }}");
        format!("- {{ id: a, task_type: evil, input_data: {input}, parameters: {{ do: echo }} }}\n")
    };
    let hex = |bytes: &[u8]| {
        let digest: [u8; 32] = Sha256::digest(bytes).into();
        digest.iter().map(|byte| format!("{byte:02x}")).collect::<String>()
    };
    let place = place(&job(&hex(b"as it was")));
    place.write("a.txt", "as it was");
    let ended = place.run(&["run", "jobs.yaml", "-q"]).expect_code(0);
    assert_eq!(ended.stdout, b"as it was");
    place.write("a.txt", "as it is");
    fs::remove_dir_all(place.state()).unwrap();
    let expect = expect![[r#"
        error[PF115]: an input is not the one that was pinned
          job a
          `a.txt`: pinned is sha256 369b74f2003ce39f5829ec7a2f84852b72b610d0312c8951d5d8f7316c9902ba, the file has f5c9477a85fc9f46f91f1e3e3b30aa270b06020ba7497d3c5338ac111d35fa05
          advice: check the file, or pin its new sha256
    "#]];
    for command in ["check", "plan", "run"] {
        let ended = place.run(&[command, "jobs.yaml"]).expect_code(3);
        expect.assert_eq(&ended.stderr);
    }
    assert!(!place.state().exists(), "nothing was accepted");
}
