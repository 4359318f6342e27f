//! The operating system's sandbox around workers: each layer bites by itself, and a taken-over worker gets nowhere.
//!
//! `selftest --layers` lets a child process put the layers on and try the attacks for real. Leaving layers out shows
//! which of them stopped an attack, and that the attack works at all where nothing stops it.

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader};
use std::process::{Command, Stdio};
use std::time::Duration;

use pframe_core::config::Isolation;
use pframe_tests::house::isolation;
use pframe_tests::process::workers_of;
use pframe_tests::program::Place;
use serde_json::Value;

/// Inside a container that forbids namespaces there is nothing to see here; the note on stderr says so.
fn is_possible() -> bool {
    isolation() == Isolation::Strict
}

/// How each attack ended without some layers.
fn attacks_without(layers: &str) -> BTreeMap<String, String> {
    attacks(&[], layers)
}

fn attacks(more: &[&str], layers: &str) -> BTreeMap<String, String> {
    let place = Place::new();
    let mut arguments = vec!["selftest", "--layers", "--json"];
    arguments.extend(more);
    if !layers.is_empty() {
        arguments.extend(["--without", layers]);
    }
    let output = place.command(&arguments).output().expect("the program starts");
    let answer: Value = serde_json::from_slice(&output.stdout).expect("JSON");
    let attacks = answer["attacks"].as_array().expect("a list");
    let text = |value: &Value| value.as_str().expect("a text").to_owned();
    attacks.iter().map(|attack| (text(&attack["attack"]), text(&attack["ended"]))).collect()
}

#[track_caller]
fn check(without: &str, attack: &str, ended: &str) {
    if !is_possible() {
        return;
    }
    assert_eq!(attacks_without(without)[attack], ended, "`{attack}` without `{without}`");
}

#[test]
fn s11_every_attack_of_a_taken_over_worker_is_stopped() {
    for (attack, ended) in attacks_without("").into_iter().filter(|_| is_possible()) {
        assert_ne!(ended, "WORKED", "{attack}");
    }
}

#[test]
fn s11_the_list_of_system_calls_kills_who_leaves_it() {
    for attack in
        ["fork", "execute", "executable-memory", "new-namespace", "ring", "network-socket"]
    {
        check("", attack, "killed");
    }
    for attack in ["fork", "executable-memory", "new-namespace", "unix-socket"] {
        check("system-calls", attack, "WORKED");
    }
}

/// Code that was compiled for an attacker is looked at before the root directory is gone.
#[test]
fn s11_while_it_loads_a_worker_can_do_no_more_than_loading_takes() {
    if !is_possible() {
        return;
    }
    let ended = attacks(&["--stage", "loading"], "");
    for attack in [
        "network-socket",
        "unix-socket",
        "execute",
        "trace",
        "new-namespace",
        "ring",
        "kernel-program",
        "keys",
        "page-faults",
        "signal-outside",
    ] {
        assert_eq!(ended[attack], "killed", "{attack}");
    }
    assert_eq!(attacks(&["--stage", "loading"], "system-calls")["unix-socket"], "WORKED");
}

#[test]
fn f01_the_root_directory_is_empty_and_landlock_guards_a_full_one() {
    check("system-calls", "read-file", "refused");
    check("system-calls,landlock", "list-root", "refused");
    check("system-calls,empty-root", "read-file", "refused");
    check("system-calls,empty-root,landlock", "read-file", "WORKED");
}

#[test]
fn f21_no_devices_are_made_on_a_private_disk() {
    check("", "make-device", "killed");
    check("system-calls,no-capabilities", "make-device", "refused");
}

/// What a worker is handed of a directory: nobody writes through it, and nothing lies above it, whatever else is lost.
#[test]
fn f01_f10_a_granted_directory_holds_by_itself() {
    for attack in ["write-granted", "leave-granted"] {
        check("", attack, "refused");
        check("system-calls,landlock,empty-root", attack, "refused");
        check("system-calls,landlock,namespaces", attack, "WORKED");
    }
}

#[test]
fn n02_the_network_is_not_there() {
    check("system-calls,landlock", "network-socket", "refused");
    check("system-calls,namespaces", "network-socket", "refused");
    check("system-calls,namespaces,landlock", "network-socket", "WORKED");
}

#[test]
fn s11_no_other_process_is_in_sight() {
    check("system-calls", "see-processes", "refused");
    check("system-calls", "signal-outside", "refused");
    check("system-calls,namespaces", "see-processes", "WORKED");
}

#[test]
fn s11_no_right_is_left_even_inside_the_namespace() {
    check("system-calls", "use-capability", "refused");
    check("system-calls", "mount", "refused");
    check("system-calls,no-capabilities", "use-capability", "WORKED");
}

#[test]
fn s10_nobody_looks_into_it_and_it_gains_no_rights() {
    check("system-calls", "be-dumped", "refused");
    check("system-calls,not-dumpable,no-capabilities,namespaces", "be-dumped", "WORKED");
    check("system-calls", "gain-privileges", "refused");
    check("system-calls,landlock,no-new-privileges", "gain-privileges", "WORKED");
    check("system-calls", "raise-limit", "refused");
}

/// The host itself was handed a variable and an open file that are nobody else's business.
#[test]
fn s05_a_worker_inherits_neither_variables_nor_files() {
    if !is_possible() {
        return;
    }
    let place = Place::new();
    place.bring(["evil"]);
    place.write(
        "jobs.yaml",
        "version: 1\ntasks: { evil: { component: evil.wasm } }\n\
         jobs: [ { id: a, task_type: evil, input_data: { text: x }, parameters: { do: sleep-ms, n: 3000 } } ]\n",
    );
    let run = place.command(&[
        "run",
        "jobs.yaml",
        "--json",
        "--scheduler",
        "processes",
        "--isolation",
        "strict",
    ]);
    let mut outer = Command::new("bash");
    outer.args(["-c", "exec 50</etc/passwd; exec \"$@\"", "bash"]);
    outer.arg(run.get_program()).args(run.get_args()).current_dir(place.path("."));
    outer.env("SECRET", "of the host").stdout(Stdio::piped()).stderr(Stdio::null());
    let mut host = outer.spawn().expect("bash is part of every Debian");
    let mut events = BufReader::new(host.stdout.take().expect("stdout is a pipe")).lines();
    let is_start = |line: &std::io::Result<String>| {
        line.as_ref().is_ok_and(|it| it.contains("attempt-started"))
    };
    assert!(events.any(|line| is_start(&line)), "the attempt starts");
    let pid = i32::try_from(host.id()).expect("a process id");
    let files = |process: i32| -> Option<String> {
        let entries = std::fs::read_dir(format!("/proc/{process}/fd")).ok()?;
        let targets = entries.map(|entry| std::fs::read_link(entry.ok()?.path()).ok());
        Some(targets.flatten().map(|it| it.display().to_string() + "\n").collect())
    };
    let variables = |process: i32| std::fs::read(format!("/proc/{process}/environ")).ok();
    // Once it is in its jail, which takes a moment, a worker's own files are few.
    let mut seen = None;
    for _ in 0..200 {
        std::thread::sleep(Duration::from_millis(10));
        let workers = workers_of(pid);
        let worker =
            workers.first().and_then(|worker| Some((files(*worker)?, variables(*worker)?)));
        let is_jailed = worker
            .as_ref()
            .is_some_and(|(files, _)| files.contains("pagemap") || files.contains("socket"));
        if is_jailed && !worker.as_ref().is_some_and(|(files, _)| files.contains("passwd")) {
            seen = worker;
            break;
        }
    }
    let of_host = (files(pid).unwrap_or_default(), variables(pid).unwrap_or_default());
    let _ = host.kill();
    let _ = host.wait();
    assert!(of_host.0.contains("/etc/passwd"), "the host has it: {}", of_host.0);
    assert!(String::from_utf8_lossy(&of_host.1).contains("SECRET"));
    match seen {
        Some((_, variables)) => assert_eq!(variables, b"", "a worker has no variable"),
        None if !rustix::process::geteuid().is_root() => eprintln!("note: only root may look"),
        None => panic!("a worker keeps the host's file open"),
    }
}

#[test]
fn a_layer_that_does_not_exist_is_named_with_those_that_do() {
    let place = Place::new();
    let arguments = ["selftest", "--layers", "--without", "magic"];
    let output = place.command(&arguments).output().expect("the program starts");
    assert_eq!(output.status.code(), Some(2));
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(said.contains("`magic`") && said.contains("landlock"), "{said}");
}

/// Runs the program where no namespace can be made any more.
fn run_without_namespaces(place: &Place, more: &[&str]) -> std::process::Output {
    let mut inner = place.command(&["run", "jobs.yaml", "-q", "--scheduler", "processes"]);
    inner.args(more);
    let script = "echo 0 > /proc/sys/user/max_user_namespaces && exec \"$@\"";
    let mut outer = Command::new("unshare");
    outer.args(["--user", "--map-root-user", "sh", "-c", script, "sh"]);
    outer.arg(inner.get_program()).args(inner.get_args());
    outer.current_dir(inner.get_current_dir().expect("a place has a folder"));
    outer.output().expect("unshare is part of every Debian")
}

#[test]
fn x23_without_a_layer_the_strict_mode_refuses_and_says_which() {
    if !is_possible() {
        return;
    }
    let place = Place::new();
    place.bring(["tiny"]);
    let jobs = "version: 1\ntasks: { tiny: { component: tiny.wasm } }\n\
                jobs: [ { id: one, task_type: tiny, input_data: { text: hello }, limits: { disk: 0 } } ]\n";
    place.write("jobs.yaml", jobs);
    let strict = run_without_namespaces(&place, &["--isolation", "strict"]);
    let said = String::from_utf8_lossy(&strict.stderr);
    assert_eq!(strict.status.code(), Some(5), "{said}");
    assert!(said.contains("PF406") && said.contains("`namespaces`"), "{said}");
    assert_eq!(strict.stdout, b"");
    place.write("jobs.yaml", jobs.replace("disk: 0", "disk: 1MiB"));
    let refused = run_without_namespaces(&place, &["--isolation", "container"]);
    let said = String::from_utf8_lossy(&refused.stderr);
    assert_eq!(refused.status.code(), Some(5), "{said}");
    assert!(said.contains("PF406") && said.contains("`limits.disk`"), "{said}");
    place.write("jobs.yaml", jobs);
    let container = run_without_namespaces(&place, &["--isolation", "container"]);
    let said = String::from_utf8_lossy(&container.stderr);
    assert_eq!((container.status.code(), &*container.stdout), (Some(0), b"5".as_slice()), "{said}");
    assert!(said.contains("isolation is `container`"), "{said}");
}
