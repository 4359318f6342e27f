//! Directories of this machine that guests put files into (`write: NAME`): what they leave below `/out` appears there whole
//! once their attempt has ended well, within a quota, and nothing else of the machine changes.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use expect_test::{Expect, expect};
use pframe_core::fault::{Code, Fault};
use pframe_core::job::{Chunking, Grant};
use pframe_core::units::ByteSize;
use pframe_host::{Job, JobInput};
use pframe_tests::house::{House, config, job, wait, with_parameters};
use pframe_tests::program::{Place, binary};
use serde_json::{Value, json};
use tempfile::TempDir;

/// What all files of the directory may take.
const QUOTA: u64 = 10_240;

/// A folder with a directory that guests put files into as `results`, beside a secret.
struct Ground {
    folder: TempDir,
}

impl Ground {
    fn new() -> Self {
        let ground = Self { folder: tempfile::tempdir().unwrap() };
        for name in ["results", "plain", "second", "gone"] {
            fs::create_dir(ground.path(name)).unwrap();
        }
        fs::write(ground.path("secret"), "a secret").unwrap();
        ground
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn house(&self) -> House {
        let at = |name: &str| self.path(name).display().to_string();
        let text = format!(
            "directories:\n  results: {{ path: '{}', quota: {QUOTA}B }}\n  second: {{ path: '{}', quota: 1MiB }}\n  \
             large: {{ path: '{}', quota: 1GiB }}\n  plain: {{ path: '{}' }}\n\
             tenants: {{ acme: {{ grants: [ 'write: results', 'dir: results', 'write: second', 'write: large' ] }} }}",
            at("results"),
            at("second"),
            at("gone"),
            at("plain"),
        );
        House::with(|builder| builder.config(config(&text)).worker_program(binary()))
    }

    /// Every file of the directory, and every other thing in it, by its path.
    fn files(&self) -> BTreeMap<String, String> {
        self.files_of("results")
    }

    fn files_of(&self, name: &str) -> BTreeMap<String, String> {
        let root = self.path(name);
        let mut found = BTreeMap::new();
        let mut folders = vec![root.clone()];
        while let Some(folder) = folders.pop() {
            for entry in fs::read_dir(&folder).unwrap().flatten() {
                let path = entry.path().strip_prefix(&root).unwrap().display().to_string();
                let kind = entry.file_type().unwrap();
                if kind.is_dir() {
                    found.insert(format!("{path}/"), String::new());
                    folders.push(entry.path());
                } else if kind.is_file() {
                    let content = fs::read(entry.path()).unwrap();
                    found.insert(path, String::from_utf8_lossy(&content).into_owned());
                } else {
                    found.insert(format!("{path} -> elsewhere"), String::new());
                }
            }
        }
        found
    }

    /// The fault, with what must hold then: nothing appeared.
    #[track_caller]
    fn refused(&self, job: Job) -> Fault {
        let before = self.files();
        let fault = self.house().run(job).fault();
        assert_eq!(self.files(), before, "{fault}");
        assert!(!fault.to_string().contains(self.folder.path().to_str().unwrap()), "{fault}");
        fault
    }

    #[track_caller]
    fn check_refused(&self, job: Job, expect: &Expect) {
        let fault = self.refused(job);
        let hit = fault.hit.iter().map(|hit| format!(" ({} is {})", hit.limit, hit.value));
        let hit: String = hit.collect();
        expect.assert_eq(&format!("{}: {}{hit}\n", fault.code, fault.detail));
    }
}

fn asking(parameters: Value, name: &str) -> Job {
    let mut job = with_parameters(job("disk", "abc"), parameters);
    job.tenant = "acme".parse().unwrap();
    job.grants = vec![Grant::Write(name.into())];
    job.limits.disk = Some(ByteSize::mib(1));
    job
}

fn putting(files: &[(&str, &str)]) -> Job {
    let files: BTreeMap<_, _> = files.iter().copied().collect();
    asking(json!({ "do": "put", "files": files }), "results")
}

fn doing(deed: &str, bytes: u64) -> Job {
    asking(json!({ "do": deed, "bytes": bytes }), "results")
}

fn texts<'a>(files: &[(&'a str, &'a str)]) -> BTreeMap<String, String> {
    files.iter().map(|(path, text)| ((*path).to_owned(), (*text).to_owned())).collect()
}

#[test]
fn what_is_left_appears_and_replaces_what_has_the_same_name() {
    let ground = Ground::new();
    let house = ground.house();
    house
        .run(putting(&[("results/a", "one"), ("results/b/c/d", "deep"), ("results/-rf", "")]))
        .text();
    let first = [("a", "one"), ("b/", ""), ("b/c/", ""), ("b/c/d", "deep"), ("-rf", "")];
    assert_eq!(ground.files(), texts(&first));
    let mode = |name| fs::metadata(ground.path(name)).unwrap().permissions().mode() & 0o777;
    assert_eq!((mode("results/a") & 0o700, mode("results/b") & 0o700), (0o600, 0o700));
    // Who reads the old one has the old one.
    let mut old = fs::File::open(ground.path("results/a")).unwrap();
    house.run(putting(&[("results/a", "another"), ("results/b/e", "")])).text();
    let mut text = String::new();
    std::io::Read::read_to_string(&mut old, &mut text).unwrap();
    assert_eq!(text, "one");
    let second =
        [("a", "another"), ("b/", ""), ("b/c/", ""), ("b/c/d", "deep"), ("b/e", ""), ("-rf", "")];
    assert_eq!(ground.files(), texts(&second));
}

#[test]
fn a_guest_finds_its_empty_directory_beside_its_disk() {
    let ground = Ground::new();
    fs::write(ground.path("results/old"), "old").unwrap();
    let house = ground.house();
    let preopens = |grants: &[Grant]| {
        let mut job = asking(json!({ "do": "preopens" }), "");
        job.grants = grants.to_vec();
        house.run(job).text()
    };
    let write = Grant::Write("results".into());
    assert_eq!(preopens(&[]), "/scratch\n");
    assert_eq!(preopens(std::slice::from_ref(&write)), "/scratch\n/out/results\n");
    let both = [write, Grant::Directory("results".into()), Grant::Write("second".into())];
    assert_eq!(preopens(&both), "/scratch\n/out/results\n/out/second\n/in/results\n");
    let mut job = asking(json!({ "do": "entries" }), "");
    job.grants = both.to_vec();
    assert_eq!(house.run(job).text(), "/in/results/old\n");
    assert_eq!(ground.files(), texts(&[("old", "old")]));
    // A result can still be left on the disk.
    let result = house.run(doing("result", 3)).bytes();
    assert_eq!(result, [0, 1, 2]);
}

#[test]
fn what_is_not_granted_or_has_no_disk_is_refused_before_anything_runs() {
    let ground = Ground::new();
    let house = ground.house();
    fs::remove_dir(ground.path("gone")).unwrap();
    let mut shown = String::new();
    let mut refused = |job: Job| {
        let fault = house.engine.submit(job).unwrap_err();
        shown += &format!("{}: {}\n", fault.code, fault.detail);
    };
    for name in ["plain", "unknown", "large"] {
        refused(asking(json!({ "do": "preopens" }), name));
    }
    let mut stranger = putting(&[]);
    stranger.tenant = "other".parse().unwrap();
    refused(stranger);
    for disk in [None, Some(ByteSize::ZERO)] {
        let mut job = putting(&[]);
        job.limits.disk = disk;
        refused(job);
    }
    expect![[r#"
        PF104: tenant `acme` is not allowed `write: plain`
        PF104: tenant `acme` is not allowed `write: unknown`
        PF116: `write: large`: there is no such directory
        PF104: tenant `other` is not allowed `write: results`
        PF101: `write: results` needs a private disk, where files lie until the attempt has ended well: add `limits: { disk: 64MiB }`
        PF101: `write: results` needs a private disk, where files lie until the attempt has ended well: add `limits: { disk: 64MiB }`
    "#]].assert_eq(&shown);
    assert!(!shown.contains(ground.folder.path().to_str().unwrap()), "nobody hears where it lies");
}

/// A job that was accepted may find that the directory has gone since.
#[test]
fn a_directory_that_vanishes_fails_the_attempt_alone() {
    let ground = Ground::new();
    let house = ground.house();
    let planned = house.engine.plan(&putting(&[("results/a", "text")])).unwrap();
    fs::rename(ground.path("results"), ground.path("away")).unwrap();
    let ended = house.engine.submit_planned(planned).unwrap().wait_blocking();
    assert_eq!(ended.unwrap_err().code, Code::DirectoryMissing);
    fs::rename(ground.path("away"), ground.path("results")).unwrap();
    assert_eq!(ground.files(), texts(&[]));
    house.run(putting(&[("results/a", "text")])).text();
}

#[test]
fn an_attempt_that_fails_or_is_stopped_leaves_nothing() {
    let ground = Ground::new();
    let files = json!({ "results/a": "text" });
    let fault = ground.refused(asking(json!({ "do": "put-and-fail", "files": files }), "results"));
    assert_eq!(fault.code, Code::Permanent);
    let mut late = asking(json!({ "do": "put-and-spin", "files": files }), "results");
    late.limits.timeout = Some(Duration::from_millis(300));
    assert_eq!(ground.refused(late).code, Code::Deadline);
    let house = ground.house();
    let cancelled = asking(json!({ "do": "put-and-spin", "files": files }), "results");
    let handle = house.engine.submit(cancelled).unwrap();
    std::thread::sleep(Duration::from_millis(300));
    handle.cancel();
    assert_eq!(wait(&handle).unwrap_err().code, Code::Cancelled);
    assert_eq!(ground.files(), texts(&[]));
}

#[test]
fn every_chunk_and_every_step_leaves_its_own_files() {
    let ground = Ground::new();
    let house = ground.house();
    let mut chunks = putting(&[("results/part-%", "%"), ("results/folder/part-%", "of many")]);
    chunks.input = JobInput::Text("abcdef".into());
    chunks.chunking =
        Some(Chunking::Size { size: ByteSize(1), boundary: pframe_core::job::Boundary::Byte });
    house.run(chunks).text();
    assert_eq!(ground.files().len(), 6 + 1 + 6);
    let steps = json!({ "cut": "size", "n": 2, "leave": true });
    let mut steps = with_parameters(asking(steps.clone(), "results"), steps);
    (steps.task, steps.chunking) = ("cutter".parse().unwrap(), Some(Chunking::Custom));
    assert_eq!(house.run(steps).text(), "abc");
    let files = ground.files();
    for name in ["cut", "run-0", "run-1", "finish"] {
        assert_eq!(files.get(name).map(String::as_str), Some(name));
    }
}

#[test]
fn several_directories_get_all_or_nothing() {
    let ground = Ground::new();
    let both = |text: &str| {
        let mut job = putting(&[("results/a", text), ("second/b", "b")]);
        job.grants.push(Grant::Write("second".into()));
        job
    };
    let fault = ground.refused(both(&"x".repeat(10_241)));
    assert_eq!(fault.code, Code::DirectoryQuota);
    assert_eq!(ground.files_of("second"), texts(&[]));
    ground.house().run(both("x")).text();
    assert_eq!(ground.files(), texts(&[("a", "x")]));
    assert_eq!(ground.files_of("second"), texts(&[("b", "b")]));
}

#[test]
fn no_path_leads_out_of_it() {
    let ground = Ground::new();
    let text = ground.house().run(doing("put-outside", 0)).text();
    let open: Vec<_> = text.lines().filter(|line| line.contains("OPEN")).collect();
    assert_eq!(open, [""; 0], "{text}");
    assert_eq!(text.lines().count(), 5 + (19 + 3 * 4) * 15, "every operation on every path");
    assert_eq!(ground.files(), texts(&[("inside/", ""), ("inside/file", "")]));
}

#[test]
fn a_link_that_a_guest_leaves_is_refused_and_not_followed() {
    let ground = Ground::new();
    for to in ["..", "../../secret", "file", "nowhere"] {
        let job = asking(json!({ "do": "put-link", "files": { to: "" } }), "results");
        let fault = ground.refused(job);
        assert_eq!((fault.code, &*fault.detail), (Code::BadFiles, "`/out/results/link` is a link"));
    }
    // One that begins with a slash cannot even be made.
    let job = asking(json!({ "do": "put-link", "files": { "/etc/passwd": "" } }), "results");
    assert_eq!(ground.house().run(job).text(), "/etc/passwd: not-permitted\n");
}

#[test]
fn hard_links_become_files_of_their_own() {
    let ground = Ground::new();
    ground.house().run(doing("put-hard-links", 0)).text();
    assert_eq!(ground.files(), texts(&[("one", "mine"), ("two", "mine")]));
    fs::write(ground.path("results/one"), "changed").unwrap();
    assert_eq!(ground.files()["two"], "mine");
}

#[test]
fn what_is_too_deep_too_many_or_full_of_holes_is_refused() {
    let ground = Ground::new();
    ground.check_refused(doing("put-deep", 33), &expect![[r#"
        PF330: `/out/results/d/d/d/d/d/d/d/d/d/d/d/d/d/d/d/d/d/d/d/d/d/d/d/d/d/d/d/d/d/d/d/d/d` lies more than 32 directories deep
    "#]]);
    let mut many = doing("put-many", 20_000);
    many.limits.disk = Some(ByteSize::mib(100));
    let told = ground.house().run(many).text();
    assert_eq!((&*told, ground.files().len()), ("9996 files, then insufficient-space\n", 9996));
    ground.check_refused(
        doing("put-sparse", (1 << 20) + 1),
        &expect![[r#"
        PF318: files below `/out` are longer than the disk: they have holes (limits.disk is 1 MiB)
    "#]],
    );
    ground.house().run(doing("put-deep", 32)).text();
}

#[test]
fn names_are_plain_text() {
    let ground = Ground::new();
    for name in ["two\nlines", "\u{1b}[2Jred", "\u{202e}txt.exe", "a/tab\tbed"] {
        let fault = ground.refused(putting(&[(&format!("results/{name}"), "")]));
        assert_eq!(fault.code, Code::BadFiles, "{fault}");
        assert!(!fault.to_string().contains(char::is_control), "{fault:?}");
    }
    // What the host calls files on their way: nobody shall take one for those.
    for name in [".pframe-out-0123456789abcdef", ".pframe-out-0123456789abcdef/0", ".pframe-out-"] {
        let fault = ground.refused(putting(&[(&format!("results/{name}"), "")]));
        assert_eq!(fault.code, Code::BadFiles, "{fault}");
    }
    let odd = ["-rf", "CON", "e\u{301}", " ", "...", ".hidden", "a/.pframe-out-0123456789abcdef"];
    let odd = odd.map(|name| (format!("results/{name}"), String::new()));
    let odd: Vec<_> = odd.iter().map(|(name, text)| (&**name, &**text)).collect();
    ground.house().run(putting(&odd)).text();
    assert_eq!(ground.files().len(), odd.len() + 1);
}

#[test]
fn nothing_of_another_kind_is_replaced_and_no_link_of_the_operator_is_followed() {
    let ground = Ground::new();
    fs::create_dir(ground.path("results/folder")).unwrap();
    fs::write(ground.path("results/file"), "kept").unwrap();
    symlink("../secret", ground.path("results/link")).unwrap();
    symlink("..", ground.path("results/up")).unwrap();
    symlink("folder", ground.path("results/inside")).unwrap();
    let mut shown = String::new();
    for path in ["folder", "file/x", "link", "up/secret", "inside/x", "link/x"] {
        // Beside it one that would do.
        let path = format!("results/{path}");
        let fault = ground.refused(putting(&[(&path, "new"), ("results/a", "fine")]));
        shown += &format!("{}: {}\n", fault.code, fault.detail);
    }
    expect![[r#"
        PF330: `/out/results/folder` cannot replace the directory that stands there
        PF330: `/out/results/file` is a directory, and something else stands there
        PF330: `/out/results/link` cannot replace the link that stands there
        PF330: `/out/results/up` is a directory, and something else stands there
        PF330: `/out/results/inside` is a directory, and something else stands there
        PF330: `/out/results/link` is a directory, and something else stands there
    "#]]
    .assert_eq(&shown);
    assert_eq!(fs::read_to_string(ground.path("secret")).unwrap(), "a secret");
}

#[test]
fn the_quota_holds_to_the_byte_with_what_lies_there_already() {
    let ground = Ground::new();
    let house = ground.house();
    fs::create_dir(ground.path("results/old")).unwrap();
    fs::write(ground.path("results/old/file"), "x".repeat(4000)).unwrap();
    symlink("/", ground.path("results/link")).unwrap();
    ground.check_refused(doing("put-bytes", 6241), &expect![[r#"
        PF331: with `/out/results` it needs 10241 bytes, 4000 lie there already (directories.results.quota is 10 KiB)
    "#]]);
    house.run(doing("put-bytes", 6240)).text();
    // In its own place a file counts once.
    house.run(doing("put-bytes", 6239)).text();
    house.run(doing("put-bytes", 6240)).text();
    ground.check_refused(putting(&[("results/more", "x")]), &expect![[r#"
        PF331: with `/out/results` it needs 10241 bytes, 10240 lie there already (directories.results.quota is 10 KiB)
    "#]]);
    house.run(putting(&[("results/empty", "")])).text();
    // Who makes room has room at once.
    fs::write(ground.path("results/old/file"), "x".repeat(3999)).unwrap();
    house.run(putting(&[("results/more", "x")])).text();
    let fault = house.run(putting(&[("results/more", "xx")])).fault();
    assert_eq!(fault.code, Code::DirectoryQuota);
    assert_eq!(ground.files()["more"], "x");
    ground.check_refused(
        doing("put-bytes", 10_241),
        &expect![[r#"
        PF331: `/out/results` needs 10241 bytes (directories.results.quota is 10 KiB)
    "#]],
    );
}

#[test]
fn attempts_that_end_together_do_not_pass_the_quota_together() {
    let ground = Ground::new();
    let house = ground.house();
    let text = "x".repeat(900);
    let jobs = (0..16).map(|number| {
        let path = format!("results/file{number}");
        house.engine.submit(putting(&[(&path, &text)])).unwrap()
    });
    let jobs: Vec<_> = jobs.collect();
    let ended: Vec<_> = jobs.iter().map(wait).collect();
    let refused = ended.iter().filter_map(|it| it.as_ref().err());
    let codes: Vec<_> = refused.map(|fault| fault.code).collect();
    assert_eq!(codes, [Code::DirectoryQuota; 5]);
    assert_eq!(ground.files().len(), 11);
    assert!(ground.files().values().all(|it| it.len() == 900));
}

/// A host that dies while it puts files in their places: whoever looks sees whole files, and what it left beside goes.
#[test]
fn a_host_that_is_killed_leaves_whole_files_and_the_next_one_tidies_up() {
    let place = Place::new();
    place.bring(["disk"]);
    fs::create_dir(place.path("results")).unwrap();
    let results = place.path("results");
    place.write(
        "pframe.yaml",
        format!(
            "directories: {{ results: {{ path: '{}', quota: 1GiB }} }}\ntenants: {{ acme: {{ grants: [ 'write: results' ] }} }}\n",
            results.display()
        ),
    );
    place.write(
        "jobs.yaml",
        "version: 1\ntasks: { disk: { component: disk.wasm } }\njobs:\n\
         - { id: a, task_type: disk, tenant: acme, input_data: { text: x }, grants: [ 'write: results' ],\n    \
             limits: { disk: 64MiB }, parameters: { do: put-bytes, bytes: 60000000 } }\n",
    );
    // Somebody else's, that only looks like ours, and one of a host that died earlier.
    for name in
        [".pframe-out-nothex", ".pframe-out-00000000000000aa", ".pframe-out-00000000000000bb"]
    {
        fs::create_dir(results.join(name)).unwrap();
    }
    fs::write(results.join(".pframe-out-00000000000000aa/0"), "half").unwrap();
    fs::write(results.join(".pframe-out-00000000000000bb/notes"), "kept").unwrap();
    let is_copying = || {
        let entries = fs::read_dir(&results).unwrap().flatten();
        entries
            .map(|it| it.path().join("0"))
            .any(|it| !it.starts_with(results.join(".pframe-out-00000000000000aa")) && it.exists())
    };
    let program = place.start(&["run", "jobs.yaml"]);
    let started = Instant::now();
    while !is_copying() {
        assert!(started.elapsed() < Duration::from_secs(60), "it never copies");
        std::thread::sleep(Duration::from_millis(1));
    }
    program.kill();
    assert!(!results.join("large").exists(), "it is not whole yet");
    assert!(is_copying(), "nobody was there to remove it");
    place.run(&["resume", "-q"]).expect_code(0);
    assert_eq!(fs::metadata(results.join("large")).unwrap().len(), 60_000_000);
    let mut left: Vec<_> = fs::read_dir(&results)
        .unwrap()
        .flatten()
        .map(|it| it.file_name().into_string().unwrap())
        .collect();
    left.sort();
    assert_eq!(left, [".pframe-out-00000000000000bb", ".pframe-out-nothex", "large"]);
}

#[test]
fn plan_and_configuration_tell_of_it_and_nobody_hears_where_it_lies() {
    let place = Place::new();
    place.bring(["disk"]);
    fs::create_dir(place.path("results")).unwrap();
    let path = place.path("results");
    place.write(
        "pframe.yaml",
        format!(
            "directories: {{ results: {{ path: '{}', mode: write, quota: 1GiB }} }}\ntenants: {{ acme: {{ grants: [ 'write: results' ] }} }}\n",
            path.display()
        ),
    );
    place.write(
        "jobs.yaml",
        "version: 1\ntasks: { disk: { component: disk.wasm } }\njobs:\n\
         - { id: a, task_type: disk, tenant: acme, input_data: { text: x }, limits: { disk: 1MiB },\n    \
             parameters: { do: put, files: { results/a: text } }, grants: [ write: results ] }\n",
    );
    place.run(&["check", "jobs.yaml"]).expect_code(0);
    let planned = place.run(&["plan", "jobs.yaml"]).expect_code(0);
    let text = String::from_utf8(planned.stdout).unwrap();
    assert!(text.contains("grants     `write: results`"), "{text}");
    let offered = "a private /scratch, directories below /out whose files the host puts where `write` leads, and nothing else: wasi:filesystem";
    assert!(text.contains(offered), "{text}");
    let shown = place.run(&["config", "show"]).expect_code(0);
    let shown = String::from_utf8(shown.stdout).unwrap();
    assert!(shown.contains("directories.results"), "{shown}");
    assert!(shown.contains("1GiB"), "{shown}");
    place.run(&["run", "jobs.yaml", "-q"]).expect_code(0);
    assert_eq!(fs::read_to_string(path.join("a")).unwrap(), "text");
    let journal = fs::read(place.state().join("journal.sqlite")).unwrap();
    let text = path.to_str().unwrap().as_bytes();
    assert!(!journal.windows(text.len()).any(|window| window == text), "the path is not recorded");
    assert!(!Path::new("/out").exists());
}
