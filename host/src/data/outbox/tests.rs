//! Deliveries whose guest, operator or host does what a guest in its sandbox cannot: links and pipes that appear while one
//! copies, hosts that died, directories that change under way.

use std::cell::Cell;
use std::fs::{self, File};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::symlink;
use std::os::unix::net::UnixListener;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Barrier};
use std::time::Duration;

use pframe_core::fault::{Code, Fault};
use pframe_core::units::ByteSize;
use rustix::fs::{CWD, FileType, FlockOperation, Mode, flock, mknodat};
use tempfile::TempDir;

use super::counting::{Ledger, Trust};
use super::delivery::{Delivery, Parcel, Target, deliver};
use super::left::look;
use super::staging::{Staging, is_unfinished};

/// A guest's disk, a directory of the operator, and a secret beside both.
struct Ground {
    folder: TempDir,
    ledger: Arc<Ledger>,
}

impl Ground {
    fn new() -> Self {
        let ground = Self { folder: tempfile::tempdir().unwrap(), ledger: Arc::default() };
        fs::create_dir(ground.path("left")).unwrap();
        fs::create_dir(ground.path("target")).unwrap();
        fs::write(ground.path("secret"), "SECRET").unwrap();
        ground
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn parcel(&self) -> Parcel {
        let open = |name| File::open(self.path(name)).unwrap();
        let target = Target {
            name: "results".into(),
            root: open("target"),
            quota: ByteSize(1000),
            ledger: Arc::clone(&self.ledger),
        };
        Parcel { outbox: open("left"), target }
    }

    fn deliver(&self) -> Result<(), Fault> {
        self.deliver_while(&|| Ok(()))
    }

    fn deliver_while(&self, check: &dyn Fn() -> Result<(), Fault>) -> Result<(), Fault> {
        deliver(vec![self.parcel()], (ByteSize::mib(1), "a test"), Delivery::Real, check)
    }

    #[track_caller]
    fn check_refused(&self, code: Code, detail: &str) {
        let fault = self.deliver().unwrap_err();
        assert_eq!((fault.code, &*fault.detail), (code, detail));
        assert_eq!(self.names(), [""; 0]);
    }

    /// What lies in the operator's directory, hidden or not.
    fn names(&self) -> Vec<String> {
        let entries = fs::read_dir(self.path("target")).unwrap().flatten();
        let mut names: Vec<_> = entries.map(|it| it.file_name().into_string().unwrap()).collect();
        names.sort();
        names
    }
}

#[test]
fn a_rehearsal_finds_what_is_wrong_and_puts_nothing_in_its_place() {
    let ground = Ground::new();
    let rehearse = || {
        let size = (ByteSize::mib(1), "a test");
        deliver(vec![ground.parcel()], size, Delivery::Rehearsal, &|| Ok(()))
    };
    fs::write(ground.path("left/a"), "text").unwrap();
    rehearse().unwrap();
    assert_eq!(ground.names(), [""; 0]);
    symlink("a", ground.path("left/b")).unwrap();
    assert_eq!(rehearse().unwrap_err().code, ground.deliver().unwrap_err().code);
}

#[test]
fn what_is_no_file_is_refused_and_nobody_waits_for_it() {
    let refused =
        [("pipe", "is no regular file"), ("socket", "is no regular file"), ("link", "is a link")];
    for (name, what) in refused {
        let ground = Ground::new();
        let path = ground.path("left").join(name);
        fs::write(ground.path("left/file"), "fine").unwrap();
        let mut listener = None;
        match name {
            "pipe" => mknodat(CWD, &path, FileType::Fifo, Mode::RUSR | Mode::WUSR, 0).unwrap(),
            "socket" => listener = Some(UnixListener::bind(&path).unwrap()),
            _ => symlink(ground.path("secret"), &path).unwrap(),
        }
        ground.check_refused(Code::BadFiles, &format!("`/out/results/{name}` {what}"));
        drop(listener);
    }
}

#[test]
fn names_that_are_no_text_are_refused() {
    let ground = Ground::new();
    let name = std::ffi::OsStr::from_bytes(b"a\xffb");
    fs::write(ground.path("left").join(name), "").unwrap();
    ground.check_refused(
        Code::BadFiles,
        "`/out/results/a\u{fffd}b` has a name that is no plain text",
    );
}

#[test]
fn paths_are_bounded_each_and_together() {
    let long = "n".repeat(250);
    let deep = |levels: usize| vec![long.clone(); levels].join("/");
    let ground = Ground::new();
    fs::create_dir_all(ground.path("left").join(deep(5))).unwrap();
    let fault = ground.deliver().unwrap_err();
    assert!(fault.detail.ends_with("is longer than 1024 bytes"), "{fault}");
    let ground = Ground::new();
    let folder = ground.path("left").join(deep(3));
    fs::create_dir_all(&folder).unwrap();
    for number in 0..3000 {
        fs::write(folder.join(number.to_string()), "").unwrap();
    }
    ground.check_refused(Code::BadFiles, "`/out/results` has paths of more than 2 MiB together");
}

type Swap = fn(&Ground);

/// Between the look and the copy, by a worker that was taken over.
#[test]
fn a_file_that_becomes_something_else_is_not_copied() {
    let swaps: [(&str, Swap); 4] = [
        ("is a link", |ground| symlink(ground.path("secret"), ground.path("left/file")).unwrap()),
        ("is no regular file", |ground| {
            let path = ground.path("left/file");
            mknodat(CWD, &path, FileType::Fifo, Mode::RUSR | Mode::WUSR, 0).unwrap();
        }),
        ("is no regular file", |ground| fs::create_dir(ground.path("left/file")).unwrap()),
        ("was changed while it was copied", |ground| {
            fs::write(ground.path("left/file"), "less").unwrap();
        }),
    ];
    for (what, swap) in swaps {
        let ground = Ground::new();
        fs::write(ground.path("left/file"), "a longer text").unwrap();
        let parcel = ground.parcel();
        let left = look(&parcel.outbox, "results", &|| Ok(())).unwrap();
        fs::remove_file(ground.path("left/file")).unwrap();
        swap(&ground);
        let fault = Staging::of(&parcel, &left, "a test", &|| Ok(())).err().unwrap();
        assert_eq!(fault.detail, format!("`/out/results/file` {what}"));
        assert_eq!(ground.names(), [""; 0]);
    }
}

#[test]
fn a_file_that_grows_is_copied_as_far_as_it_was_counted() {
    let ground = Ground::new();
    fs::write(ground.path("left/file"), "four").unwrap();
    let checks = Cell::new(0);
    let grow = || {
        checks.set(checks.get() + 1);
        fs::write(ground.path("left/file"), "four".repeat(1000)).unwrap();
        Ok(())
    };
    let parcel = ground.parcel();
    let left = look(&parcel.outbox, "results", &|| Ok(())).unwrap();
    let staging = Staging::of(&parcel, &left, "a test", &grow).unwrap();
    assert!(checks.get() > 0);
    let folder = ground.path("target").join(&ground.names()[0]);
    assert_eq!(fs::read_to_string(folder.join("0")).unwrap(), "four");
    drop(staging);
    assert_eq!(ground.names(), [""; 0]);
}

/// At every look at the clock there is.
#[test]
fn a_delivery_that_has_to_end_leaves_nothing() {
    let ground = Ground::new();
    fs::create_dir(ground.path("left/folder")).unwrap();
    for name in ["a", "folder/b"] {
        fs::write(ground.path("left").join(name), "text").unwrap();
    }
    let mut allowed: u32 = 0;
    loop {
        let left = Cell::new(allowed);
        let check = || {
            let rest = left.get().checked_sub(1).ok_or_else(|| Fault::new(Code::Cancelled))?;
            left.set(rest);
            Ok(())
        };
        match ground.deliver_while(&check) {
            Ok(()) => break,
            Err(fault) => assert_eq!((fault.code, ground.names()), (Code::Cancelled, vec![])),
        }
        allowed += 1;
    }
    assert!(allowed > 3, "it looked {allowed} times");
    assert_eq!(ground.names(), ["a", "folder"]);
}

/// In the last moment: everything lies beside, and it is its turn.
#[test]
fn a_stop_before_the_first_rename_is_heard() {
    let ground = Ground::new();
    fs::write(ground.path("left/file"), "text").unwrap();
    let is_its_turn = || ground.ledger.enter(&|| Err(Fault::new(Code::Bug))).is_err();
    let check = || if is_its_turn() { Err(Fault::new(Code::Cancelled)) } else { Ok(()) };
    assert_eq!(ground.deliver_while(&check).unwrap_err().code, Code::Cancelled);
    assert_eq!(ground.names(), [""; 0]);
}

/// The operator's own doing, at the worst moment: a folder in which files appear becomes a link to another.
#[test]
fn nothing_appears_behind_a_link_that_comes_and_goes() {
    let ground = Ground::new();
    fs::create_dir(ground.path("outside")).unwrap();
    let at = |name: &str| ground.path("target").join(name);
    fs::create_dir(at("swap")).unwrap();
    symlink(ground.path("outside"), at("link")).unwrap();
    fs::create_dir(ground.path("left/swap")).unwrap();
    fs::write(ground.path("left/swap/name"), "text").unwrap();
    let is_over = AtomicBool::new(false);
    let mut delivered = 0;
    std::thread::scope(|scope| {
        scope.spawn(|| {
            while !is_over.load(Ordering::Relaxed) {
                let swaps =
                    [("swap", "held"), ("link", "swap"), ("swap", "link"), ("held", "swap")];
                for (from, to) in swaps {
                    let _ = fs::rename(at(from), at(to));
                    std::thread::sleep(Duration::from_micros(100));
                }
            }
        });
        for _ in 0..300 {
            delivered += usize::from(ground.deliver().is_ok());
        }
        is_over.store(true, Ordering::Relaxed);
    });
    assert!(delivered > 0);
    assert_eq!(fs::read_dir(ground.path("outside")).unwrap().count(), 0);
}

#[test]
fn what_a_dead_host_left_goes_and_what_a_living_one_has_stays() {
    let ground = Ground::new();
    let at = |name: &str| ground.path("target").join(name);
    let [dead, living, strange] =
        ["aa", "bb", "cc"].map(|it| format!(".pframe-out-00000000000000{it}"));
    for folder in [&dead, &living, &strange] {
        fs::create_dir(at(folder)).unwrap();
        fs::write(at(folder).join("0"), "on its way").unwrap();
    }
    fs::write(at(&strange).join("notes"), "somebody else's").unwrap();
    symlink(ground.path("left"), at(".pframe-out-00000000000000dd")).unwrap();
    fs::write(at(".pframe-out-00000000000000ee"), "a file").unwrap();
    let lock = File::open(at(&living)).unwrap();
    flock(&lock, FlockOperation::LockExclusive).unwrap();
    fs::write(ground.path("left/1"), "x".repeat(1000)).unwrap();
    ground.deliver().unwrap();
    assert!(!at(&dead).exists());
    assert_eq!(fs::read_to_string(at(&living).join("0")).unwrap(), "on its way");
    assert_eq!(fs::read_to_string(at(&strange).join("notes")).unwrap(), "somebody else's");
    assert!(at(".pframe-out-00000000000000dd").is_symlink() && ground.path("left/1").exists());
    assert!(is_unfinished(dead.as_bytes()));
    for other in [".pframe-out-", ".pframe-out-00000000000000AA", ".pframe-0000000000000000"] {
        assert!(!is_unfinished(other.as_bytes()), "{other}");
    }
}

/// Each counts before every delivery, and removes what it takes for left over.
#[test]
fn two_hosts_in_one_directory_do_not_take_each_others_files() {
    let grounds = [Ground::new(), Ground::new()];
    std::thread::scope(|scope| {
        for (number, ground) in grounds.iter().enumerate() {
            let shared = grounds[0].path("target");
            scope.spawn(move || {
                for round in 0..150 {
                    let name = format!("{number}-{round}");
                    fs::write(ground.path("left").join(&name), "text").unwrap();
                    let mut parcel = ground.parcel();
                    parcel.target.root = File::open(&shared).unwrap();
                    parcel.target.quota = ByteSize::mib(1);
                    parcel.target.ledger = Arc::default();
                    let mark = number.to_string();
                    deliver(vec![parcel], (ByteSize::mib(1), &mark), Delivery::Real, &|| Ok(()))
                        .unwrap();
                    fs::remove_file(ground.path("left").join(&name)).unwrap();
                }
            });
        }
    });
    let names = grounds[0].names();
    assert!(names.iter().all(|name| !name.starts_with('.')), "{names:?}");
    assert_eq!(names.len(), 300);
}

#[test]
fn nobody_is_refused_by_an_old_sum() {
    let ground = Ground::new();
    fs::write(ground.path("target/old"), "x".repeat(600)).unwrap();
    fs::write(ground.path("left/new"), "x".repeat(400)).unwrap();
    ground.deliver().unwrap();
    let root = File::open(ground.path("target")).unwrap();
    let sum = |trust| {
        let mut held = ground.ledger.enter(&|| Ok(())).unwrap();
        held.counted(&root, trust, &|| Ok(())).unwrap().bytes
    };
    assert_eq!(sum(Trust::Recent), 1000);
    fs::remove_file(ground.path("target/old")).unwrap();
    fs::write(ground.path("left/new"), "x".repeat(900)).unwrap();
    ground.deliver().unwrap();
    assert_eq!((sum(Trust::Recent), sum(Trust::Nothing)), (900, 900));
    fs::write(ground.path("left/more"), "x".repeat(101)).unwrap();
    let fault = ground.deliver().unwrap_err();
    assert_eq!(fault.code, Code::DirectoryQuota);
    assert_eq!(ground.names(), ["new"]);
}

#[test]
fn deliveries_at_once_do_not_pass_the_quota_together() {
    let ground = Ground::new();
    let start = Barrier::new(8);
    let ended: Vec<Result<(), Fault>> = std::thread::scope(|scope| {
        let deliver = |number: usize| {
            let (ground, start) = (&ground, &start);
            scope.spawn(move || {
                let own = Ground::new();
                for file in 0..50 {
                    fs::write(own.path("left").join(format!("{number}-{file}")), "text").unwrap();
                }
                let parcel = Parcel { outbox: own.parcel().outbox, ..ground.parcel() };
                start.wait();
                deliver(vec![parcel], (ByteSize::mib(1), "a test"), Delivery::Real, &|| Ok(()))
            })
        };
        let threads: Vec<_> = (0..8).map(deliver).collect();
        threads.into_iter().map(|thread| thread.join().unwrap()).collect()
    });
    assert_eq!(ended.iter().filter(|it| it.is_ok()).count(), 5);
    assert_eq!(ground.names().len(), 250);
}

#[test]
fn whoever_waits_for_his_turn_hears_that_he_has_to_end() {
    let ground = Ground::new();
    fs::write(ground.path("left/file"), "text").unwrap();
    let held = ground.ledger.enter(&|| Ok(())).unwrap();
    let checks = Cell::new(0);
    let check = || {
        checks.set(checks.get() + 1);
        if checks.get() > 5 { Err(Fault::new(Code::Deadline)) } else { Ok(()) }
    };
    assert_eq!(ground.deliver_while(&check).unwrap_err().code, Code::Deadline);
    assert_eq!(ground.names(), [""; 0]);
    drop(held);
    ground.deliver().unwrap();
}
