//! What a guest finds outside of its sandbox: nothing that differs from run to run, unless it was asked for and allowed.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use expect_test::expect;
use pframe_core::fault::Code;
use pframe_core::job::Grant;
use pframe_core::units::ByteSize;
use pframe_host::Job;
use pframe_tests::house::{House, config, evil, evil_n, house};

const TENANTS: &str = "
tenants:
  acme: { grants: [ 'clock', 'random', 'env: LANG' ] }
  poor: { grants: [ 'clock' ] }
";

fn with_tenants() -> House {
    let environment = [("LANG", "de_DE"), ("SECRET", "s3cret")];
    let environment = environment.map(|(name, value)| (name.into(), value.into()));
    House::with(|builder| builder.config(config(TENANTS)).environment(environment.into()))
}

fn of(tenant: &str, grants: &[Grant], job: Job) -> Job {
    Job { tenant: tenant.parse().unwrap(), grants: grants.to_vec(), ..job }
}

/// The job under a name that comes again.
fn named(name: &str, job: Job) -> Job {
    Job { id: name.parse().unwrap(), ..job }
}

#[test]
fn an_ungranted_guest_is_reproducible() {
    let random = |name| house().run(named(name, evil("random-hex"))).text();
    let first = random("reproducible");
    assert_eq!(first.trim().len(), 32);
    assert_eq!(random("reproducible"), first, "the same job sees the same bytes");
    assert_ne!(random("another"), first, "another job sees others");
    let end = house().run(evil("clock"));
    let accepted_ns = u128::from(end.report.spec.accepted_at.0) * 1000;
    let text = end.text();
    assert_eq!(text, format!("{accepted_ns}\n0\n1000000\n"));
    assert_eq!(house().run(evil("env")).text(), "", "no arguments, no variables");
}

#[test]
fn the_clock_the_dice_and_the_environment_are_real_where_they_are_granted() {
    let house = with_tenants();
    let now = || SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
    let before = now();
    let text = house.run(of("acme", &[Grant::Clock], evil("clock"))).text();
    let numbers: Vec<u64> = text.lines().map(|line| line.parse().unwrap()).collect();
    let wall = Duration::from_nanos(numbers[0]);
    assert!(before <= wall && wall <= now(), "{before:?} {wall:?}");
    assert!(numbers[1] < numbers[2], "time passes");
    let random = || {
        let job = of("acme", &[Grant::Random], evil("random-hex"));
        house.run(named("dice", job)).text()
    };
    assert_ne!(random(), random());
    let env = of("acme", &[Grant::Env("LANG".into())], evil("env"));
    assert_eq!(house.run(env).text(), "variable LANG=de_DE\n");
}

#[test]
fn what_is_allowed_but_not_asked_for_is_not_given() {
    let house = with_tenants();
    assert_eq!(house.run(of("acme", &[], evil("env"))).text(), "");
    let random = || house.run(named("unasked", of("acme", &[], evil("random-hex")))).text();
    assert_eq!(random(), random());
}

#[test]
fn what_is_asked_for_but_not_allowed_is_refused_by_name() {
    let house = with_tenants();
    let mut shown = String::new();
    for (tenant, grant) in [
        ("poor", Grant::Random),
        ("poor", Grant::Env("LANG".into())),
        ("acme", Grant::Env("SECRET".into())),
        ("stranger", Grant::Clock),
    ] {
        let refused = house.engine.submit(of(tenant, &[grant], evil("ok"))).unwrap_err();
        assert_eq!(refused.code, Code::GrantRefused);
        shown += &format!("{}\n", refused.detail);
    }
    expect![[r#"
        tenant `poor` is not allowed `random`
        tenant `poor` is not allowed `env: LANG`
        tenant `acme` is not allowed `env: SECRET`
        tenant `stranger` is not allowed `clock`
    "#]]
    .assert_eq(&shown);
}

#[test]
fn n01_n02_n03_sockets_are_denied_with_the_interfaces_own_error() {
    let end = house().run(evil("net"));
    assert!(end.report.calls_denied >= 3, "{}", end.report.calls_denied);
    expect![[r#"
        tcp 127.0.0.1:80 create: ErrorCode { code: 1, name: "access-denied", message: "Access denied.\n\n            POSIX equivalent: EACCES, EPERM" }
        tcp 169.254.169.254:80 create: ErrorCode { code: 1, name: "access-denied", message: "Access denied.\n\n            POSIX equivalent: EACCES, EPERM" }
        udp create: ErrorCode { code: 1, name: "access-denied", message: "Access denied.\n\n            POSIX equivalent: EACCES, EPERM" }
        lookup resolve: ErrorCode { code: 20, name: "permanent-resolver-failure", message: "A permanent failure in name resolution occurred." }
    "#]].assert_eq(&end.text());
}

#[test]
fn n04_http_is_denied_with_the_interfaces_own_error() {
    let end = house().run(evil("http"));
    assert_eq!(end.report.calls_denied, 4);
    expect![[r#"
        http 169.254.169.254 ErrorCode::HttpRequestDenied
        http 127.0.0.1 ErrorCode::HttpRequestDenied
        http [::1] ErrorCode::HttpRequestDenied
        http example.com ErrorCode::HttpRequestDenied
    "#]]
    .assert_eq(&end.text());
}

#[test]
fn there_is_no_file_system() {
    expect![[r#"
        preopens 0
        read /etc/passwd: denied: No such file or directory (os error 44)
        read ../../../../etc/passwd: denied: No such file or directory (os error 44)
        read /proc/self/environ: denied: No such file or directory (os error 44)
        list /: denied: No such file or directory (os error 44)
        write /tmp/evil: denied: No such file or directory (os error 44)
    "#]]
    .assert_eq(&house().run(evil("fs")).text());
    assert!(!std::path::Path::new("/tmp/evil").exists());
}

#[test]
fn reading_past_the_chunk_is_out_of_range() {
    expect![[r#"
        at the end: 0 bytes
        beyond the end: out-of-range
        far beyond: out-of-range
    "#]]
    .assert_eq(&house().run(evil("read-oob")).text());
    expect![[r#"
        4 GiB: too-long
        1 MiB and a byte: too-long
    "#]]
    .assert_eq(&house().run(evil("read-huge")).text());
}

#[test]
fn writing_for_ever_ends_at_the_output_limit() {
    let mut job = evil("write-forever");
    job.limits.output = Some(ByteSize::mib(1));
    let fault = house().run(job).fault();
    assert_eq!((fault.code, fault.hit.unwrap().value.as_str()), (Code::Output, "1 MiB"));
}

#[test]
fn endless_talk_is_kept_short() {
    let fault = house().run(evil_n("stderr-lines", 100_000)).fault();
    assert_eq!(fault.stderr_tail.len(), 20);
    assert_eq!(fault.stderr_tail[19].as_str(), "line 100000 of 100000");
}

#[test]
fn t04_a_guest_that_waits_for_the_end_of_time_waits_for_its_deadline() {
    let mut job = evil_n("sleep-ms", u64::MAX);
    job.limits.timeout = Some(Duration::from_millis(200));
    assert_eq!(house().run(job).fault().code, Code::Deadline);
}
