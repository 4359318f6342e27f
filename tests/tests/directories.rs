//! Directories of this machine that the operator grants by name (`dir: NAME`), by the ids of the list of attacks: what
//! lies in them can be read, nothing changes, and nothing leads outside.

use std::fs;
use std::os::unix::fs::symlink;
use std::os::unix::net::UnixListener;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use expect_test::expect;
use pframe_core::fault::Code;
use pframe_core::job::Grant;
use pframe_core::units::ByteSize;
use pframe_host::Job;
use pframe_tests::house::{House, config, job, with_parameters};
use pframe_tests::program::{Place, binary};
use rustix::fs::{CWD, FileType, Mode, mknodat};
use serde_json::json;
use tempfile::TempDir;

/// A folder with a directory that is granted as `corpus`, beside a secret.
struct Ground {
    folder: TempDir,
}

impl Ground {
    fn new() -> Self {
        let ground = Self { folder: tempfile::tempdir().unwrap() };
        fs::create_dir_all(ground.path("corpus/folder/empty")).unwrap();
        fs::write(ground.path("corpus/file"), "plain").unwrap();
        fs::write(ground.path("corpus/folder/inner"), "inside").unwrap();
        fs::write(ground.path("secret"), "a secret").unwrap();
        ground
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// An engine whose operator grants it.
    fn house(&self) -> House {
        let text = format!(
            "directories: {{ corpus: {{ path: '{}', mode: read }}, gone: {{ path: '{}' }}, other: {{ path: '{}' }} }}\n\
             tenants: {{ acme: {{ grants: [ 'dir: corpus', 'dir: gone' ] }} }}",
            self.path("corpus").display(),
            self.path("gone").display(),
            self.path("corpus/folder").display(),
        );
        House::with(|builder| builder.config(config(&text)).worker_program(binary()))
    }

    fn run(&self, deed: &str) -> String {
        self.house().run(asking(deed, "corpus")).text()
    }

    /// Everything in the directory: names, contents, times.
    fn state(&self) -> String {
        let mut lines = Vec::new();
        let mut folders = vec![self.path("corpus")];
        while let Some(folder) = folders.pop() {
            for entry in fs::read_dir(&folder).unwrap().flatten() {
                let metadata = entry.metadata().unwrap();
                if metadata.is_dir() {
                    folders.push(entry.path());
                }
                let modified = metadata.modified().unwrap();
                let content = fs::read(entry.path()).unwrap_or_default();
                lines.push(format!("{:?} {modified:?} {content:?}", entry.path()));
            }
        }
        lines.sort();
        lines.join("\n")
    }
}

fn asking(deed: &str, name: &str) -> Job {
    let mut job = with_parameters(job("disk", "abc"), json!({ "do": deed }));
    job.tenant = "acme".parse().unwrap();
    job.grants = vec![Grant::Directory(name.into())];
    job
}

#[test]
fn a_directory_is_there_where_it_was_asked_for_and_granted() {
    let ground = Ground::new();
    let house = ground.house();
    assert_eq!(house.run(asking("preopens", "corpus")).text(), "/in/corpus\n");
    expect![[r#"
        /in/corpus/file: plain
        /in/corpus/folder/inner: inside
    "#]]
    .assert_eq(&house.run(asking("read", "corpus")).text());
    let mut with_disk = asking("preopens", "corpus");
    with_disk.limits.disk = Some(ByteSize::mib(1));
    assert_eq!(house.run(with_disk).text(), "/scratch\n/in/corpus\n");
    let mut unasked = asking("preopens", "corpus");
    unasked.grants.clear();
    assert_eq!(house.run(unasked).text(), "");
}

#[test]
fn what_is_not_granted_or_not_there_is_refused_before_anything_runs() {
    let ground = Ground::new();
    let house = ground.house();
    let mut shown = String::new();
    for name in ["other", "unknown", "gone"] {
        let fault = house.engine.submit(asking("read", name)).unwrap_err();
        shown += &format!("{}: {}\n", fault.code, fault.detail);
    }
    fs::write(ground.path("gone"), "a file").unwrap();
    let fault = house.engine.submit(asking("read", "gone")).unwrap_err();
    shown += &format!("{}: {}\n", fault.code, fault.detail);
    expect![[r#"
        PF104: tenant `acme` is not allowed `dir: other`
        PF104: tenant `acme` is not allowed `dir: unknown`
        PF116: `dir: gone`: there is no such directory
        PF116: `dir: gone`: it is not a directory
    "#]]
    .assert_eq(&shown);
    assert!(!shown.contains(ground.folder.path().to_str().unwrap()), "nobody hears where it lies");
}

/// A job that was accepted may find that the directory has gone since.
#[test]
fn a_directory_that_vanishes_fails_the_attempt_alone() {
    let ground = Ground::new();
    let house = ground.house();
    let planned = house.engine.plan(&asking("read", "corpus")).unwrap();
    fs::rename(ground.path("corpus"), ground.path("away")).unwrap();
    let ended = house.engine.submit_planned(planned).unwrap().wait_blocking();
    assert_eq!(ended.unwrap_err().code, Code::DirectoryMissing);
    fs::rename(ground.path("away"), ground.path("corpus")).unwrap();
    assert!(house.run(asking("read", "corpus")).result.is_ok());
}

/// Also: symbolic links to the outside (F03), with slashes behind them (F04), and who is beside it (F21).
#[test]
fn f01_f02_f03_f04_f21_no_path_leads_outside() {
    let ground = Ground::new();
    let link = |to: &Path, name: &str| symlink(to, ground.path("corpus").join(name)).unwrap();
    link(Path::new(".."), "link-up");
    link(Path::new("/etc"), "link-absolute");
    link(Path::new("folder/../../.."), "link-crooked");
    link(Path::new("/proc/self"), "link-process");
    link(&ground.path("secret"), "link-secret");
    let before = ground.state();
    let text = ground.run("outside");
    assert_eq!(text.lines().count(), (18 + 5 * 6) * 15, "every operation on every path");
    // A link itself can be looked at, which says nothing of where it leads.
    let opened: Vec<_> = text.lines().filter(|line| line.contains("OPEN")).collect();
    assert_eq!(opened, [""; 0], "{text}");
    assert_eq!(ground.state(), before);
}

#[test]
fn f06_links_in_circles_end_and_links_inside_are_followed() {
    let ground = Ground::new();
    symlink("b", ground.path("corpus/a")).unwrap();
    symlink("a", ground.path("corpus/b")).unwrap();
    symlink("folder/inner", ground.path("corpus/good")).unwrap();
    expect![[r#"
        a: loop, loop, seen
        b: loop, loop, seen
        file: open, open, seen
        folder: open, open, seen
        good: open, loop, seen
    "#]]
    .assert_eq(&ground.run("open-all"));
}

/// While somebody swaps a directory and a link that leads outside.
#[test]
fn f07_a_race_between_directory_and_link_never_leads_outside() {
    let ground = Ground::new();
    let at = |name: &str| ground.path("corpus").join(name);
    fs::create_dir(at("swap")).unwrap();
    fs::write(at("swap/name"), "inside").unwrap();
    fs::create_dir(ground.path("outside")).unwrap();
    fs::write(ground.path("outside/name"), "OUTSIDE").unwrap();
    symlink("../outside", at("link")).unwrap();
    let is_over = AtomicBool::new(false);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            while !is_over.load(Ordering::Relaxed) {
                for (from, to) in
                    [("swap", "held"), ("link", "swap"), ("swap", "link"), ("held", "swap")]
                {
                    fs::rename(at(from), at(to)).unwrap();
                }
            }
        });
        let end = ground.house().run(asking("race", "corpus"));
        is_over.store(true, Ordering::Relaxed);
        let text = end.text();
        assert!(text.contains("inside\n"), "{text}");
        assert!(!text.contains("OUTSIDE"), "{text}");
    });
}

#[test]
fn f08_nothing_moves_between_a_disk_and_what_can_only_be_read() {
    let ground = Ground::new();
    let before = ground.state();
    let mut job = asking("across", "corpus");
    job.limits.disk = Some(ByteSize::mib(1));
    expect![[r#"
        link out: not-permitted
        link in: not-permitted
        rename out: not-permitted
        rename in: not-permitted
    "#]]
    .assert_eq(&ground.house().run(job).text());
    assert_eq!(ground.state(), before);
}

#[test]
fn f10_no_operation_changes_what_can_only_be_read() {
    let ground = Ground::new();
    let before = ground.state();
    expect![[r#"
        open to write: not-permitted
        open and truncate: not-permitted
        open and create: not-permitted
        open and create what is there: not-permitted
        open and create alone: not-permitted
        create in a folder: not-permitted
        write: not-permitted
        write by stream: not-permitted
        append by stream: not-permitted
        set size: not-permitted
        set size to what it is: not-permitted
        set times: not-permitted
        set times of the folder: not-permitted
        set times by path: not-permitted
        rename: not-permitted
        rename into the folder: not-permitted
        link: not-permitted
        symlink: not-permitted
        make a directory: not-permitted
        remove a file: not-permitted
        remove a directory: not-permitted
    "#]]
    .assert_eq(&ground.run("write"));
    assert_eq!(ground.state(), before);
}

/// To open a pipe waits until somebody writes into it; to open some devices does something.
#[test]
fn f20_pipes_sockets_and_devices_are_not_opened_and_nobody_waits() {
    let ground = Ground::new();
    let at = |name: &str| ground.path("corpus").join(name);
    mknodat(CWD, at("pipe"), FileType::Fifo, Mode::RUSR | Mode::WUSR, 0).unwrap();
    let _socket = UnixListener::bind(at("socket")).unwrap();
    symlink("pipe", at("to-pipe")).unwrap();
    // Only root can make one; a link to one leads outside.
    symlink("/dev/zero", at("to-zero")).unwrap();
    let mut job = asking("open-all", "corpus");
    job.limits.timeout = Some(Duration::from_secs(5));
    expect![[r#"
        file: open, open, seen
        folder: open, open, seen
        pipe: not-permitted, not-permitted, seen
        socket: not-permitted, not-permitted, seen
        to-pipe: not-permitted, loop, seen
        to-zero: not-permitted, loop, seen
    "#]]
    .assert_eq(&ground.house().run(job).text());
}

#[test]
fn f17_few_directories_are_listed_at_once_and_not_too_many_names() {
    let ground = Ground::new();
    let fault = ground.house().run(asking("list", "corpus")).fault();
    assert_eq!(fault.code, Code::Handles, "{fault}");
    for number in 0..40_000 {
        fs::write(ground.path(&format!("corpus/file{number}")), "").unwrap();
    }
    expect![[r#"
        2 listings, then insufficient-memory
    "#]]
    .assert_eq(&ground.run("list"));
}

#[test]
fn many_attempts_find_the_same_directory() {
    let ground = Ground::new();
    let house = ground.house();
    let jobs: Vec<_> =
        (0..8).map(|_| house.engine.submit(asking("read", "corpus")).unwrap()).collect();
    for job in jobs {
        let text = job.wait_blocking().unwrap().bytes().unwrap();
        assert!(String::from_utf8(text).unwrap().contains("/in/corpus/file: plain\n"));
    }
}

/// What the worker's own jail adds is seen where nothing else would stop it: by `selftest` and `jail.rs`.
#[test]
fn plan_and_configuration_tell_of_directories() {
    let place = Place::new();
    place.bring(["disk"]);
    fs::create_dir(place.path("corpus")).unwrap();
    place.write(
        "pframe.yaml",
        format!(
            "directories: {{ corpus: {{ path: '{}' }} }}\ntenants: {{ acme: {{ grants: [ 'dir: corpus' ] }} }}\n",
            place.path("corpus").display()
        ),
    );
    place.write(
        "jobs.yaml",
        "version: 1\ntasks: { disk: { component: disk.wasm } }\njobs:\n\
         - { id: a, task_type: disk, tenant: acme, input_data: { text: x }, parameters: { do: read }, grants: [ dir: corpus ] }\n",
    );
    let planned = place.run(&["plan", "jobs.yaml"]).expect_code(0);
    let text = String::from_utf8(planned.stdout).unwrap();
    assert!(text.contains("grants     `dir: corpus`"), "{text}");
    assert!(
        text.contains(
            "the directories granted by `dir` to read, and nothing else: wasi:filesystem"
        ),
        "{text}"
    );
    let ran = place.run(&["run", "jobs.yaml", "-q"]).expect_code(0);
    assert_eq!(ran.stdout, b"", "it is empty");
    let journal = fs::read(place.state().join("journal.sqlite")).unwrap();
    let path = place.path("corpus");
    let path = path.to_str().unwrap().as_bytes();
    assert!(!journal.windows(path.len()).any(|window| window == path), "the path is not recorded");
}
