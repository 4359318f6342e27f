//! Inputs from, and results to, a store that speaks S3.

use std::collections::BTreeMap;

use expect_test::expect;
use pframe_core::event::Event;
use pframe_core::fault::Code;
use pframe_core::job::{Boundary, Chunking};
use pframe_core::units::ByteSize;
use pframe_host::{Job, JobInput};
use pframe_tests::bucket::Bucket;
use pframe_tests::house::{End, House, config, evil, evil_n};

const SECRET: &str = "wJalrXUtnFEMI-secret";

fn house_for(bucket: &Bucket, grants: &str) -> House {
    let text = format!("tenants: {{ acme: {{ grants: [ {grants} ] }} }}");
    let settings = [
        ("AWS_ACCESS_KEY_ID", "AKIDEXAMPLE".to_owned()),
        ("AWS_SECRET_ACCESS_KEY", SECRET.to_owned()),
        ("AWS_ENDPOINT_URL", format!("http://{}", bucket.server.host())),
    ];
    let settings: BTreeMap<_, _> =
        settings.into_iter().map(|(name, value)| (name.to_owned(), value)).collect();
    House::with(|builder| builder.config(config(&text)).buckets(settings))
}

fn of(url: &str, job: Job) -> Job {
    let input = JobInput::Files(vec![url.into()]);
    Job { input, tenant: "acme".parse().unwrap(), ..job }
}

fn lines(count: usize) -> Vec<u8> {
    (0..count)
        .map(|number| format!("line {number} of an object\n"))
        .collect::<String>()
        .into_bytes()
}

#[test]
fn an_object_is_cut_and_read_by_ranges() {
    let content = lines(10_000);
    let bucket = Bucket::start("data", &[("in/text.txt", &content)]);
    let job = of("s3://data/in/text.txt", evil("echo"));
    let chunking = Some(Chunking::Size { size: ByteSize::kib(64), boundary: Boundary::Line });
    let end = house_for(&bucket, "'s3: data/in'").run(Job { chunking, ..job });
    assert!(end.report.chunks > 2);
    assert_eq!(end.report.spec.inputs[0].media_type.as_deref(), Some("text/plain"));
    assert!(end.bytes() == content);
    let requests = bucket.server.requests();
    assert!(requests.iter().all(|request| {
        request.header("authorization").starts_with("AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/")
    }));
    let reads = requests.iter().filter(|request| request.method == "GET");
    assert!(reads.clone().count() > 2 && reads.clone().all(|it| !it.header("if-match").is_empty()));
}

#[test]
fn a_pattern_gives_its_objects_in_the_order_of_their_keys() {
    let objects: [(&str, &[u8]); 5] = [
        ("in/b.txt", b"b"),
        ("in/a.txt", b"a"),
        ("in/c.md", b"c"),
        ("in/deep/d.txt", b"d"),
        ("in-too/e.txt", b"e"),
    ];
    let bucket = Bucket::start("data", &objects);
    let house = house_for(&bucket, "'s3: data'");
    assert_eq!(house.run(of("s3://data/in/*.txt", evil("echo"))).text(), "ab");
    assert_eq!(house.run(of("s3://data/in/**/*.txt", evil("echo"))).text(), "abd");
    let missing = house.engine.submit(of("s3://data/in/*.pdf", evil("echo"))).unwrap_err();
    assert_eq!(missing.code, Code::InputMissing);
}

#[test]
fn a_small_and_a_large_result_appear_whole() {
    let bucket = Bucket::start("data", &[]);
    let house = house_for(&bucket, "'s3: data/out'");
    let to = |key: &str, job: Job| Job {
        output: Some(format!("s3://data/out/{key}")),
        tenant: "acme".parse().unwrap(),
        ..job
    };
    let end = house.run(to("small", evil_n("write-one", 1000)));
    wait_until_published(&house, &end);
    assert_eq!(bucket.object("out/small").map(|bytes| bytes.len()), Some(1000));
    let end = house.run(to("large", evil_n("write-one", 20_000_000)));
    wait_until_published(&house, &end);
    assert_eq!(bucket.object("out/large").map(|bytes| bytes.len()), Some(20_000_000));
    assert_eq!(bucket.uploads(), 0);
}

/// Until this job's result was sent.
fn wait_until_published(house: &House, end: &End) {
    let id = &end.report.spec.id;
    house.diary.wait_for("a published result", |event| {
        matches!(event, Event::ResultPublished { .. }) && event.job() == id
    });
}

#[test]
fn a_result_that_cannot_be_sent_leaves_nothing() {
    let bucket = Bucket::start("data", &[]);
    bucket.refuse_part(2);
    let house = house_for(&bucket, "'s3: data/out'");
    let job = Job {
        output: Some("s3://data/out/large".into()),
        tenant: "acme".parse().unwrap(),
        ..evil_n("write-one", 20_000_000)
    };
    let end = house.run(job);
    let shown = format!("{:?}", end.result.map(|bytes| bytes.len()));
    assert_eq!((bucket.object("out/large"), bucket.uploads()), (None, 0), "{shown}");
    assert!(!shown.contains(SECRET) && !shown.contains("AKIDEXAMPLE"), "{shown}");
}

#[test]
fn a_tenant_uses_granted_objects_alone() {
    let bucket = Bucket::start("data", &[("in/a.txt", b"a"), ("other/b.txt", b"b")]);
    let house = house_for(&bucket, "'s3: data/in'");
    let mut shown = String::new();
    let mut refused = |job: Job| {
        let fault = house.engine.submit(job).unwrap_err();
        shown += &format!("{} {}\n", fault.code, fault.detail);
    };
    for url in [
        "s3://data/other/b.txt",
        "s3://data/*/b.txt",
        "s3://data/in/../other/b.txt",
        "s3://date/in/a.txt",
    ] {
        refused(of(url, evil("echo")));
    }
    let tenant = "default".parse().unwrap();
    refused(Job { tenant, ..of("s3://data/in/a.txt", evil("echo")) });
    let output = Some("s3://data/out/result".to_owned());
    refused(Job { output, ..of("s3://data/in/a.txt", evil("echo")) });
    assert_eq!(
        bucket.server.requests().len(),
        1,
        "for the input of the last: {:?}",
        bucket.server.requests()
    );
    refused(of("s3://data/in/none.txt", evil("echo")));
    expect![[r#"
        PF104 tenant `acme` may not use `s3://data/other/b.txt`; `s3: data` among its grants in the configuration allows the bucket
        PF104 tenant `acme` may not use `s3://data/*/b.txt`; `s3: data` among its grants in the configuration allows the bucket
        PF102 `s3://data/in/../other/b.txt`: a key has no empty part, no `.` and no `..`
        PF104 tenant `acme` may not use `s3://date/in/a.txt`; `s3: date` among its grants in the configuration allows the bucket
        PF104 tenant `default` may not use `s3://data/in/a.txt`; `s3: data` among its grants in the configuration allows the bucket
        PF104 tenant `acme` may not use `s3://data/out/result`; `s3: data` among its grants in the configuration allows the bucket
        PF102 `s3://data/in/none.txt`: there is no such object
    "#]].assert_eq(&shown);
}

#[test]
fn an_object_that_changes_later_is_the_fault_input_changed() {
    let bucket = Bucket::start("data", &[("in/a.txt", b"before")]);
    let house = house_for(&bucket, "'s3: data/in'");
    let first = evil_n("sleep-ms", 300);
    let second = Job { after: vec![first.id.clone()], ..of("s3://data/in/a.txt", evil("echo")) };
    let batch = house.engine.submit_batch(vec![first, second]).unwrap();
    bucket.put("in/a.txt", b"after!");
    let ends = batch.wait_blocking();
    assert_eq!(ends[1].as_ref().map_err(|fault| fault.code).err(), Some(Code::InputChanged));
    assert_eq!(house.run(of("s3://data/in/a.txt", evil("echo"))).text(), "after!");
}

#[test]
fn without_keys_nobody_is_asked_for_some() {
    let config = config("tenants: { acme: { grants: [ 's3: data' ] } }");
    let house = House::with(|builder| builder.config(config));
    let fault = house.engine.submit(of("s3://data/a", evil("echo"))).unwrap_err();
    assert_eq!(fault.code, Code::InputMissing);
    assert!(fault.detail.contains("set `AWS_ACCESS_KEY_ID`"), "{}", fault.detail);
}
