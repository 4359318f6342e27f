//! Hosts and workers that die at any moment, disks that fail at every border of durable work, and the proof that the
//! checker of histories would notice.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::process::{Command, Stdio};
use std::time::Duration;

use pframe_core::config::Isolation;
use pframe_core::state::JobState;
use pframe_host::failpoint::BORDERS;
use pframe_tests::history::History;
use pframe_tests::house::isolation;
use pframe_tests::mixed::{mixed, outcome, undisturbed};
use pframe_tests::process::workers_of;
use pframe_tests::program::{Place, Running};
use pframe_tests::random::Random;
use rusqlite::Connection;
use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;

/// Deaths of one history, of hosts or of a worker and its host. A chunk that was lost three times is given up, by design.
const DEATHS: u64 = 2;

/// Histories of one test; two tests run side by side.
fn histories() -> u64 {
    if std::env::var_os("PFRAME_SLOW").is_some() { 100 } else { 13 }
}

/// Lets the program live for a while: up to some event, or for some time (starting up and recovering make no events).
/// The answer is what it showed.
fn live(program: &mut Running, random: &mut Random) -> Vec<Value> {
    if random.below(3) == 0 {
        std::thread::sleep(Duration::from_millis(random.below(120)));
        return Vec::new();
    }
    let events = random.below(130);
    (0..events).map_while(|_| program.event()).collect()
}

/// Whoever is killed: the host, or one of its workers, after which the host goes on for a while.
fn die(place: &Place, command: &[&str], random: &mut Random, kills_workers: bool) -> Vec<Value> {
    let mut program = place.start(command);
    let mut shown = live(&mut program, random);
    if kills_workers {
        let host = i32::try_from(program.id()).expect("a process id");
        let workers = workers_of(host);
        if !workers.is_empty() {
            // It may be gone by now.
            let victim = Pid::from_raw(*random.one_of(&workers)).expect("a process id");
            let _ = kill_process(victim, Signal::KILL);
        }
        shown.extend(live(&mut program, random));
    }
    program.kill();
    shown
}

fn survive_deaths(seeds: std::ops::Range<u64>, kills_workers: bool) {
    let expect = undisturbed();
    let isolation = isolation().name();
    let with_workers = ["--scheduler", "processes", "--isolation", isolation];
    let more: &[&str] = if kills_workers { &with_workers } else { &[] };
    let (run_again, resume) =
        ([&["run", "jobs.yaml"], more].concat(), [&["resume"], more].concat());
    for seed in seeds {
        println!("seed {seed}");
        let mut random = Random::seeded(seed);
        let place = mixed();
        let mut command = &run_again;
        for _ in 0..if kills_workers { DEATHS / 2 } else { DEATHS } {
            let shown = die(&place, command, &mut random, kills_workers);
            if place.state().join("journal.sqlite").exists() {
                let history = History::read(&place.state());
                history.check();
                history.check_shown(&shown);
            } else {
                assert_eq!(shown, [Value::Null; 0], "what was shown is recorded");
            }
            command = *random.one_of(&[&run_again, &resume]);
        }
        place.run(&run_again);
        History::read(&place.state()).check_done();
        let (results, endings) = outcome(&place);
        if endings != expect.1 {
            let odd = endings.iter().filter(|(job, end)| expect.1.get(*job) != Some(end));
            let told = odd.map(|(job, _)| place.run(&["status", job]).stdout);
            let told: Vec<_> = told.map(|it| String::from_utf8_lossy(&it).into_owned()).collect();
            panic!("seed {seed}: other ends: {}", told.join("\n"));
        }
        assert!(results == expect.0, "seed {seed}: other results");
    }
}

#[test]
fn x01_a_killed_host_goes_on_and_ends_like_one_that_was_never_killed() {
    survive_deaths(1000..1000 + histories(), false);
}

/// A worker dies, and its host soon after.
#[test]
fn x02_killed_workers_and_hosts_change_nothing() {
    survive_deaths(2000..2000 + histories(), true);
}

/// Jobs that cross every border: small and large results, files of their own and for a directory, standard error, a failure.
const BRIEF: &str = r#"
version: 1
tasks:
  evil: { component: evil.wasm }
  disk: { component: disk.wasm }
jobs:
  - id: large
    task_type: evil
    input_data: { files: [a.txt, b.txt] }
    parameters: { do: write-one, n: 100000 }
    cache: true
    output: { path: out/large }
  - id: small
    task_type: evil
    input_data: { files: [a.txt] }
    parameters: { do: echo }
    output: { path: out/small }
  - id: talking
    task_type: evil
    input_data: { text: abc }
    parameters: { do: stderr-lines, n: 3 }
  - id: leaving
    task_type: disk
    tenant: acme
    depends_on: small
    input_data: { text: abc }
    parameters: { do: put, files: { out/left: "a file for a directory" } }
    limits: { disk: 1MiB }
    grants: [ "write: out" ]
"#;

fn brief() -> Place {
    let place = Place::new();
    place.bring(["evil", "disk"]);
    place.write("jobs.yaml", BRIEF);
    place.write("pframe.yaml", settings(&place));
    std::fs::create_dir(place.path("out")).unwrap();
    place.write("a.txt", "first");
    place.write("b.txt", "second");
    place
}

fn settings(place: &Place) -> String {
    let out = place.path("out").display().to_string();
    format!(
        "directories: {{ out: {{ path: '{out}', quota: 1MiB }} }}\n\
         tenants: {{ acme: {{ grants: [ 'write: out' ] }} }}\n"
    )
}

/// Borders of `run`, and those of `gc`.
fn borders() -> (Vec<&'static str>, Vec<&'static str>) {
    let is_of_gc = |border: &&'static str| {
        matches!(*border, "journal-forget-before" | "journal-forget-after" | "journal-shrink")
    };
    let (gc, run) = BORDERS.into_iter().partition(is_of_gc);
    (run, gc)
}

/// A cache that cannot be written costs time; a log or a bundle that cannot be kept is only said; what nobody needs goes with
/// `gc`.
const TOLERATED: [&str; 6] = [
    "artefact-before",
    "artefact-after",
    "log-keep",
    "leftover-remove",
    "cache-rename",
    "bundle-rename",
];

/// Runs into trouble at every border, and then again without.
fn survive_trouble(action: &str, moments: &[&str]) {
    let place = brief();
    place.run(&["run", "jobs.yaml", "-q"]).expect_code(4);
    let expect = outcome(&place);
    for border in borders().0 {
        for moment in moments {
            let setting = format!("{border}={moment}return({action})");
            let place = match border.starts_with("artefact") {
                true => brief().with_own_cache(),
                false => brief(),
            };
            let ended = place.run_in(&["run", "jobs.yaml", "-q"], ("FAILPOINTS", &setting));
            match action {
                "abort" if moment.is_empty() => {
                    assert_eq!(ended.code, None, "{setting}: the border was reached");
                }
                "abort" => {
                    assert!(matches!(ended.code, None | Some(4)), "{setting}: {}", ended.stderr)
                }
                // An error that stays is told, but where losing the step loses nothing.
                _ if moment.is_empty() => {
                    let expect = if TOLERATED.contains(&border) { 4 } else { 5 };
                    assert_eq!(ended.code, Some(expect), "{setting}: {}", ended.stderr);
                    assert_eq!(expect == 5, ended.stderr.contains("error[PF40"), "{setting}");
                }
                _ => assert!(
                    matches!(ended.code, Some(4 | 5)),
                    "{setting}: {:?} {}",
                    ended.code,
                    ended.stderr
                ),
            }
            if place.state().join("journal.sqlite").exists() {
                History::read(&place.state()).check();
            }
            place.run(&["run", "jobs.yaml", "-q"]).expect_code(4);
            History::read(&place.state()).check_done();
            assert_eq!(outcome(&place), expect, "{setting}");
        }
    }
}

#[test]
fn x01_death_at_every_border() {
    survive_trouble("abort", &["", "1*off->", "3*off->"]);
}

#[test]
fn x12_an_error_of_the_disk_at_every_border() {
    survive_trouble("eio", &["", "1*", "2*off->1*"]);
}

#[test]
fn x12_a_full_disk_at_every_border() {
    survive_trouble("enospc", &["", "1*"]);
}

#[test]
fn x25_trouble_while_old_runs_are_removed() {
    for border in borders().1 {
        for action in ["abort", "eio", "enospc"] {
            let place = brief();
            place.run(&["run", "jobs.yaml", "-q"]).expect_code(4);
            let settings = settings(&place) + "storage: { retention: { age: 0s } }\n";
            place.write("pframe.yaml", settings);
            let setting = format!("{border}=return({action})");
            let ended = place.run_in(&["gc"], ("FAILPOINTS", &setting));
            let expect = if action == "abort" { None } else { Some(5) };
            assert_eq!(ended.code, expect, "{setting}: {}", ended.stderr);
            place.run(&["gc"]).expect_code(0);
            let left = History::read(&place.state()).runs();
            assert_eq!(left, 0, "{setting}");
            place.run(&["run", "jobs.yaml", "-q"]).expect_code(4);
        }
    }
}

/// The negative control: a journal that says that it wrote and did not is found out.
#[test]
fn a_write_that_was_skipped_is_noticed() {
    let place = brief();
    place.run_in(
        &["run", "jobs.yaml", "-q"],
        ("FAILPOINTS", "journal-append-pretended=2*off->1*return"),
    );
    let gap = caught(|| History::read(&place.state()).check());
    assert!(gap.contains("without gaps"), "{gap}");
    let place = brief();
    let mut program = place
        .start_in(&["run", "jobs.yaml"], ("FAILPOINTS", "journal-append-pretended=1*off->return"));
    let shown: Vec<_> = std::iter::from_fn(|| program.event()).collect();
    program.kill();
    let history = History::read(&place.state());
    history.check();
    assert!(caught(|| history.check_shown(&shown)).ends_with("was shown and is lost"));
}

/// Lies told to the journal, each with the rule that must find it.
#[test]
fn the_rules_of_the_checker_bite() {
    let lies = [
        ("DELETE FROM events WHERE seq = 3", "numbered from 1 without gaps"),
        (
            "DELETE FROM events WHERE job = 'small' AND body LIKE '%result-published%'; \
             UPDATE events SET seq = (SELECT count(*) FROM events e WHERE e.seq <= events.seq)",
            "never published",
        ),
        (
            "UPDATE events SET body = replace(body, 'result-published', 'job-completed') \
             WHERE body LIKE '%result-published%'",
            "comes after the end of",
        ),
        (
            "UPDATE events SET body = replace(body, '\"large/1#1\"', '\"large/0#1\"')",
            "starts beside another",
        ),
        (
            "UPDATE events SET body = replace(body, '#1\"', '#0\"') \
             WHERE body LIKE '%attempt-started%'",
            "comes late",
        ),
        (
            "UPDATE events SET body = replace(body, '\"job\":\"large\"', '\"job\":\"nobody\"') \
             WHERE body LIKE '%chunks-planned%'",
            "before nobody was accepted",
        ),
        (
            "UPDATE events SET at = 0 WHERE seq = (SELECT max(seq) FROM events)",
            "time never goes back",
        ),
        ("UPDATE runs SET finished_at = NULL", "the last run is over"),
        ("UPDATE events SET bytes = x'00' WHERE bytes IS NOT NULL", "left == right"),
    ];
    for (lie, rule) in lies {
        let place = brief();
        place.run(&["run", "jobs.yaml", "-q"]).expect_code(4);
        History::read(&place.state()).check_done();
        let journal = Connection::open(place.state().join("journal.sqlite")).unwrap();
        journal.execute_batch(lie).unwrap();
        assert!(journal.changes() > 0, "{lie}");
        drop(journal);
        let found = caught(|| History::read(&place.state()).check_done());
        assert!(found.contains(rule), "{lie}: {found}");
    }
    let place = brief();
    place.run_in(&["run", "jobs.yaml", "-q"], ("FAILPOINTS", "publish-begin=return(abort)"));
    History::read(&place.state()).check();
    std::fs::remove_dir_all(place.state().join("results")).unwrap();
    assert!(caught(|| History::read(&place.state()).check()).starts_with("result "));
}

/// What a rule says that was broken.
#[track_caller]
fn caught(check: impl FnOnce()) -> String {
    let panic = catch_unwind(AssertUnwindSafe(check)).expect_err("the checker noticed nothing");
    let text = panic.downcast_ref::<String>().cloned();
    text.unwrap_or_else(|| panic.downcast_ref::<&str>().copied().unwrap_or_default().to_owned())
}

/// Runs a script in namespaces of its own, where it may mount over the state directory.
fn with_mounts(place: &Place, script: &str) -> Option<std::process::Output> {
    if isolation() != Isolation::Strict {
        eprintln!("note: no mounts can be made here");
        return None;
    }
    let run = place.command(&["run", "jobs.yaml", "-q"]);
    let mut outer = Command::new("unshare");
    outer.args(["--user", "--map-root-user", "--mount", "bash", "-c", script, "bash"]);
    outer.arg(run.get_program()).args(run.get_args()).current_dir(place.path("."));
    outer.env("STATE", place.state()).stdin(Stdio::null());
    Some(outer.output().expect("unshare is part of every Debian"))
}

#[test]
fn x12_a_disk_that_is_really_full_loses_nothing() {
    let place = brief();
    std::fs::create_dir(place.state()).unwrap();
    let script = r#"
        mount -t tmpfs -o size=$((KIB))k tmpfs "$STATE" || exit 99
        "$@"; echo "full: $?"
        mount -o remount,size=100m "$STATE" || exit 98
        "$@"; echo "again: $?"
        cp -a "$STATE/." "$STATE.kept"
    "#;
    let mut was_full = 0;
    for kib in [16, 100, 300, 500, 700, 750, 800, 850, 900, 950, 1000, 1050, 1100] {
        let kept = place.path("state.kept");
        let _ = std::fs::remove_dir_all(&kept);
        let _ = std::fs::remove_dir_all(place.path("out"));
        std::fs::create_dir(place.path("out")).unwrap();
        let Some(output) = with_mounts(&place, &script.replace("KIB", &kib.to_string())) else {
            return;
        };
        let (said, talk) =
            (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
        assert!(said.ends_with("again: 4\n"), "{kib} KiB: {said} {talk}");
        assert!(!talk.contains("panicked"), "{kib} KiB: {talk}");
        was_full += u32::from(talk.contains("PF402"));
        History::read(&kept).check_done();
        assert_eq!(place.read("out/small").as_deref(), Some(b"first".as_slice()), "{kib} KiB");
        assert_eq!(place.read("out/large").map(|bytes| bytes.len()), Some(200_000), "{kib} KiB");
    }
    assert!(was_full >= 3, "it was full {was_full} times");
}

#[test]
fn x12_a_run_that_a_full_disk_brought_down_to_its_last_word_begins_anew() {
    let place = brief();
    let full = "result-write=return(enospc);journal-finish-before=return(enospc)";
    place.run_in(&["run", "jobs.yaml", "-q"], ("FAILPOINTS", full)).expect_code(5);
    assert_eq!(place.read("out/large"), None);
    // Every job has ended, one of them for want of room, and that the run is over could not be written down.
    place.run(&["run", "jobs.yaml", "-q"]).expect_code(4);
    assert_eq!(place.read("out/large").map(|bytes| bytes.len()), Some(200_000));
    History::read(&place.state()).check_done();
}

#[test]
fn x06_a_state_directory_that_can_only_be_read_is_refused() {
    let place = brief();
    place.run(&["run", "jobs.yaml", "-q"]).expect_code(4);
    let script = r#"mount --bind "$STATE" "$STATE" && mount -o remount,bind,ro "$STATE" && "$@""#;
    let Some(output) = with_mounts(&place, script) else { return };
    let talk = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(5), "{talk}");
    assert!(talk.contains("PF405") || talk.contains("PF402"), "{talk}");
    History::read(&place.state()).check_done();
}

#[test]
fn x06_a_journal_of_a_newer_program_is_refused_and_left_alone() {
    let place = brief();
    place.run(&["run", "jobs.yaml", "-q"]).expect_code(4);
    let journal = Connection::open(place.state().join("journal.sqlite")).unwrap();
    journal.pragma_update(None, "user_version", 99).unwrap();
    drop(journal);
    for command in [&["run", "jobs.yaml", "-q"][..], &["resume"], &["status"], &["gc"]] {
        let ended = place.run(command).expect_code(5);
        assert!(
            ended.stderr.contains("PF405") && ended.stderr.contains("version 99"),
            "{}",
            ended.stderr
        );
    }
    History::read(&place.state()).check_done();
}

/// O07: whoever reads goes away in the middle.
#[test]
fn o07_x13_nobody_reads_what_the_host_says_and_the_work_is_done_all_the_same() {
    for arguments in [&["run", "jobs.yaml", "--json"][..], &["run", "jobs.yaml"]] {
        let place = brief();
        let mut program = place.command(arguments).spawn().unwrap();
        drop((program.stdout.take(), program.stderr.take()));
        let status = program.wait().unwrap();
        assert_eq!(status.code(), Some(4), "{arguments:?}");
        History::read(&place.state()).check_done();
    }
}

#[test]
fn x11_a_host_with_few_descriptors_says_so_or_manages() {
    let place = brief();
    place.run(&["run", "jobs.yaml", "-q"]).expect_code(4);
    let expect = outcome(&place);
    for scheduler in ["threads", "processes"] {
        for limit in [12, 16, 20, 24, 32, 48] {
            let place = brief();
            let arguments = [
                "run",
                "jobs.yaml",
                "-q",
                "--scheduler",
                scheduler,
                "--isolation",
                isolation().name(),
            ];
            let run = place.command(&arguments);
            let mut limited = Command::new("prlimit");
            limited
                .arg(format!("--nofile={limit}:{limit}"))
                .arg(run.get_program())
                .args(run.get_args());
            limited.current_dir(place.path("."));
            let output = limited.output().expect("util-linux is part of every Debian");
            let talk = String::from_utf8_lossy(&output.stderr);
            assert!(!talk.contains("panicked"), "{scheduler}, {limit}: {talk}");
            let code = output.status.code();
            assert!(matches!(code, Some(2 | 4 | 5)), "{scheduler}, {limit}: {code:?} {talk}");
            if place.state().join("journal.sqlite").exists() {
                History::read(&place.state()).check();
            }
            place.run(&["run", "jobs.yaml", "-q"]).expect_code(4);
            History::read(&place.state()).check_done();
            assert_eq!(outcome(&place), expect, "{scheduler}, {limit}");
        }
    }
}

#[test]
fn x21_a_temporary_directory_that_cannot_be_used_is_not_needed() {
    let place = brief();
    place.run_in(&["run", "jobs.yaml", "-q"], ("TMPDIR", "/proc/1/nowhere")).expect_code(4);
    History::read(&place.state()).check_done();
    assert_eq!(place.read("out/large").map(|bytes| bytes.len()), Some(200_000));
}

/// A bug of the host's own, under one attempt: that attempt fails, and nothing else.
#[test]
fn x22_a_host_function_that_panics_takes_only_its_attempt_along() {
    let place = brief();
    let mut program = place.command(&["run", "jobs.yaml", "-q", "--scheduler", "threads"]);
    let output = program.env("FAILPOINTS", "host-function=1*panic").output().unwrap();
    let talk = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(1), "{talk}");
    assert!(talk.contains("PF501") && talk.contains("the host panicked"), "{talk}");
    let history = History::read(&place.state());
    history.check_done();
    let ended_well =
        history.endings().values().filter(|(state, _)| *state == JobState::Completed).count();
    assert!(ended_well >= 1, "{talk}");
    place.run(&["run", "jobs.yaml", "-q"]).expect_code(4);
}
