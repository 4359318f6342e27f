//! Worker processes that die, hang, lie, or are asked to serve two masters.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::time::{Duration, Instant};

use pframe_core::config::{Isolation, SchedulerKind};
use pframe_core::fault::Code;
use pframe_core::ids::JobId;
use pframe_host::{EngineBuilder, Job};
use pframe_tests::house::{House, config, evil_n, files_job, isolation, job, wait, with_timeout};
use pframe_tests::process::{look, workers_of};
use pframe_tests::program::binary;
use rustix::process::{Pid, Signal, kill_process};

/// How long anything here may take.
const PATIENCE: Duration = Duration::from_secs(20);

/// A house whose attempts run in workers, whatever the others do.
fn house() -> House {
    House::with(in_workers)
}

fn in_workers(builder: EngineBuilder) -> EngineBuilder {
    let builder = builder.scheduler(SchedulerKind::Processes).isolation(isolation());
    builder.worker_program(binary())
}

fn sleeper(milliseconds: u64) -> Job {
    evil_n("sleep-ms", milliseconds)
}

fn signal(process: i32, signal: Signal) {
    kill_process(Pid::from_raw(process).expect("a process id"), signal).expect("it is there");
}

/// This test runs in a process of its own: no other test's workers are its children.
fn alone(test: &str) -> bool {
    const INSIDE: &str = "PFRAME_TEST_ALONE";
    if std::env::var_os(INSIDE).is_some() {
        return true;
    }
    let own = std::env::current_exe().expect("a test knows where it lies");
    let output = std::process::Command::new(own)
        .args(["--exact", test, "--nocapture"])
        .env(INSIDE, "1")
        .output()
        .expect("the test starts again");
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{said}\n{}", String::from_utf8_lossy(&output.stderr));
    assert!(said.contains("1 passed"), "{said}");
    false
}

fn me() -> i32 {
    i32::try_from(std::process::id()).expect("a process id")
}

/// The only worker there is, once the job has started in it.
fn worker_of(house: &House, job: &JobId) -> i32 {
    house.diary.wait_for_start(job);
    let until = Instant::now() + PATIENCE;
    loop {
        // A worker that is ready has its three threads.
        let ready = workers_of(me()).into_iter().find(|worker| {
            let threads = fs::read_dir(format!("/proc/{worker}/task"));
            threads.is_ok_and(|threads| threads.count() == 3)
        });
        if let Some(worker) = ready {
            std::thread::sleep(Duration::from_millis(100));
            return worker;
        }
        assert!(Instant::now() < until, "no worker appeared");
        std::thread::sleep(Duration::from_millis(5));
    }
}

#[test]
fn x02_a_worker_that_is_killed_costs_one_attempt() {
    if !alone("x02_a_worker_that_is_killed_costs_one_attempt") {
        return;
    }
    let house = house();
    let handle = house.engine.submit(sleeper(800)).unwrap();
    signal(worker_of(&house, handle.id()), Signal::KILL);
    wait(&handle).expect("it is tried again");
    let report = handle.report().unwrap();
    assert_eq!(report.attempts, 2);
    assert_eq!(report.attempt_faults.keys().copied().collect::<Vec<_>>(), [Code::WorkerKilled]);
}

#[test]
fn x03_a_stopped_worker_is_missed_and_replaced() {
    if !alone("x03_a_stopped_worker_is_missed_and_replaced") {
        return;
    }
    let house = house();
    let handle = house.engine.submit(sleeper(600)).unwrap();
    let worker = worker_of(&house, handle.id());
    signal(worker, Signal::STOP);
    wait(&handle).expect("it is tried again");
    let report = handle.report().unwrap();
    assert_eq!(report.attempt_faults.keys().copied().collect::<Vec<_>>(), [Code::WorkerStuck]);
    assert_eq!(look(worker), None, "the stopped worker is gone");
}

#[test]
fn x03_a_worker_that_sleeps_through_a_deadline_is_killed() {
    if !alone("x03_a_worker_that_sleeps_through_a_deadline_is_killed") {
        return;
    }
    let house = house();
    let started = Instant::now();
    let handle =
        house.engine.submit(with_timeout(sleeper(60_000), Duration::from_millis(500))).unwrap();
    signal(worker_of(&house, handle.id()), Signal::STOP);
    assert_eq!(wait(&handle).unwrap_err().code, Code::Deadline);
    assert!(started.elapsed() < Duration::from_secs(5), "it took {:?}", started.elapsed());
}

#[test]
fn x16_a_component_that_takes_two_workers_down_is_quarantined_and_others_go_on() {
    if !alone("x16_a_component_that_takes_two_workers_down_is_quarantined_and_others_go_on") {
        return;
    }
    // The first process of a namespace is deaf to this signal from outside.
    let house = House::with(|builder| in_workers(builder).isolation(Isolation::Off));
    let handle = house.engine.submit(sleeper(2_000)).unwrap();
    for _ in 0..2 {
        signal(worker_of(&house, handle.id()), Signal::ABORT);
        std::thread::sleep(Duration::from_millis(300));
    }
    assert_eq!(wait(&handle).unwrap_err().code, Code::Quarantined);
    let again = house.run(sleeper(1));
    assert_eq!(again.fault().code, Code::Quarantined);
    assert_eq!(house.run(job("tiny", "abc")).text(), "3");
}

#[test]
fn s08_tenants_and_components_never_share_a_worker_and_warm_ones_serve_again() {
    if !alone("s08_tenants_and_components_never_share_a_worker_and_warm_ones_serve_again") {
        return;
    }
    let house = house();
    let of_tenant = |tenant: &str, task: &str| {
        let mut job = job(task, "abc");
        job.tenant = tenant.parse().unwrap();
        job
    };
    let run = |job| house.run(job).bytes();
    run(of_tenant("one", "tiny"));
    let first = workers_of(me());
    assert_eq!(first.len(), 1);
    run(of_tenant("one", "tiny"));
    assert_eq!(workers_of(me()), first, "the warm one serves again");
    run(of_tenant("two", "tiny"));
    run(of_tenant("one", "word_count"));
    assert_eq!(workers_of(me()).len(), 3);
    for tenant in 0..20 {
        run(of_tenant(&format!("tenant-{tenant}"), "tiny"));
    }
    let warm = workers_of(me()).len();
    assert!(warm <= 5, "{warm} workers are kept");
    drop(house);
    assert_eq!(workers_of(me()), Vec::<i32>::new(), "nobody outlives the engine");
}

/// A program that answers a host with these bytes, after saying which process it is.
fn liar(folder: &Path, bytes: &str) -> std::path::PathBuf {
    let path = folder.join("liar");
    // The number of its process as a number of seven bits each, as postcard writes it: three bytes are enough for all.
    let script = format!(
        "#!/bin/sh\np=$$\na=$((p % 128 + 128)); b=$((p / 128 % 128 + 128)); c=$((p / 16384))\n\
         printf \"\\\\003\\\\000\\\\000\\\\000\\\\000\\\\000\\\\001\\\\000$(printf '\\\\%03o\\\\%03o\\\\%03o' $a $b $c)\" >&0\n\
         {bytes}\nexec sleep 30\n"
    );
    fs::write(&path, script).unwrap();
    fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
    path
}

#[test]
fn x14_a_worker_that_talks_nonsense_is_ended_at_once() {
    // Compiled before, by an honest program.
    assert_eq!(house().run(job("tiny", "abc")).text(), "3");
    let nonsense = [
        ("noise", "head -c 100000 /dev/urandom >&0"),
        ("a length that is too long", "printf '\\377\\377\\377\\377\\000\\000\\001\\000' >&0"),
        ("descriptors", "printf '\\001\\000\\000\\000\\001\\000\\001\\000x' >&0"),
        ("another version", "printf '\\001\\000\\000\\000\\000\\000\\007\\000x' >&0"),
        (
            "a message that does not exist",
            "printf '\\001\\000\\000\\000\\000\\000\\001\\000\\177' >&0",
        ),
        (
            "an end without an order",
            "printf '\\002\\000\\000\\000\\000\\000\\001\\000\\010\\000' >&0",
        ),
        (
            "orders that nobody gave",
            "printf '\\002\\000\\000\\000\\000\\000\\001\\000\\000\\000' >&0
             printf '\\003\\000\\000\\000\\000\\000\\001\\000\\010\\001\\144' >&0",
        ),
        (
            "a thousand and one keys of a store at once",
            "printf '\\002\\000\\000\\000\\000\\000\\001\\000\\000\\000' >&0
             printf '\\357\\003\\000\\000\\000\\000\\001\\000\\013\\001s\\000\\351\\007' >&0
             head -c 1001 /dev/zero >&0",
        ),
    ];
    for (what, bytes) in nonsense {
        let folder = tempfile::tempdir().unwrap();
        let program = liar(folder.path(), bytes);
        let settings = "parallel_processing: { retry_policy: { base_delay: 0.01 } }";
        let house = House::with(|builder| {
            in_workers(builder).worker_program(program).config(config(settings))
        });
        let end = house.run(job("tiny", "abc"));
        let took = end.took;
        let code = end.fault().code;
        assert!(matches!(code, Code::Protocol | Code::Quarantined), "{what}: {code}");
        assert!(took < PATIENCE, "{what}: it took {took:?}");
    }
}

#[test]
fn x14_times_that_a_worker_invents_are_not_believed_and_hurt_nobody() {
    assert_eq!(house().run(job("tiny", "abc")).text(), "3");
    // `Ready`, then the ends of two orders that each claim 584 billion years, and that nothing ran.
    let forever = "\\377\\377\\377\\377\\377\\377\\377\\377\\377\\001\\000";
    let ended = |order: u8| {
        format!(
            "\\054\\000\\000\\000\\000\\000\\001\\000\\007\\00{order}\\000\\000\\000{forever}{forever}{}\\001{}",
            "\\000".repeat(5),
            "\\000".repeat(11)
        )
    };
    let (first, second) = (ended(0), ended(1));
    let bytes = format!(
        "sleep 1; printf '\\002\\000\\000\\000\\000\\000\\001\\000\\000\\000{first}{second}' >&0"
    );
    let folder = tempfile::tempdir().unwrap();
    let program = liar(folder.path(), &bytes);
    let house = House::with(|builder| in_workers(builder).worker_program(program));
    let paths = ["a", "b"].map(|name| folder.path().join(name));
    paths.iter().for_each(|path| fs::write(path, "abc").unwrap());
    let mut job = files_job("tiny", [&paths[0], &paths[1]]);
    job.batch = Some(2);
    let end = house.run(job);
    assert!(end.took < PATIENCE, "it took {:?}", end.took);
    assert!(end.report.busy < PATIENCE, "{:?} were charged", end.report.busy);
    assert!(end.report.cpu < PATIENCE, "{:?} were charged", end.report.cpu);
    assert_eq!(end.report.chunks_cached, 0, "only the host knows what did not run");
    assert_eq!(end.bytes(), b"", "what it says of its own tenant's results counts");
}
