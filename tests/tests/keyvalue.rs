//! Key-value stores as handlers find them: what attempts share, what tenants do not, and where each bound is.

use std::time::Duration;

use expect_test::expect;
use pframe_core::fault::Code;
use pframe_core::job::{Boundary, Chunking, Grant};
use pframe_core::units::{ByteSize, Fuel};
use pframe_host::{Job, JobInput};
use pframe_tests::house::{House, config, evil, house, with_timeout};
use serde_json::{Value, json};

const TENANTS: &str = "
tenants:
  acme: { grants: [ 'keyvalue: cache', 'keyvalue: counts' ] }
  other: { grants: [ 'keyvalue: cache' ] }
  poor: {}
";

fn with_tenants() -> House {
    House::with(|builder| builder.config(config(TENANTS)))
}

/// The evil guest makes these calls, for a tenant with these stores.
fn keep(tenant: &str, stores: &[&str], calls: &[Value]) -> Job {
    let lines: Vec<_> = calls.iter().map(Value::to_string).collect();
    let grants = stores.iter().map(|name| Grant::KeyValue((*name).to_owned())).collect();
    let input = JobInput::Text(lines.join("\n"));
    Job { tenant: tenant.parse().unwrap(), grants, input, ..evil("keep") }
}

fn call(name: &str, with: Value) -> Value {
    json!({ name: with })
}

#[test]
fn every_call_does_what_the_interface_says() {
    let calls = [
        call("open", json!("cache")),
        call("get", json!(["cache", "a"])),
        call("set", json!(["cache", "a", "one"])),
        call("set", json!(["cache", "a", "two"])),
        call("get", json!(["cache", "a"])),
        call("exists", json!(["cache", "a"])),
        call("exists", json!(["cache", "b"])),
        call("set-many", json!(["cache", [["b", "2"], ["", "no name"]]])),
        call("get-many", json!(["cache", ["b", "none", "a", "a"]])),
        call("increment", json!(["cache", "b", 40])),
        call("increment", json!(["cache", "new", 7])),
        call("get", json!(["cache", "b"])),
        call("list", json!("cache")),
        call("delete", json!(["cache", "b"])),
        call("delete-many", json!(["cache", ["new", "none"]])),
        call("list", json!("cache")),
        call("list", json!("counts")),
    ];
    let end = with_tenants().run(keep("acme", &["cache", "counts"], &calls));
    assert_eq!(end.report.calls_denied, 0);
    expect![[r#"
        open
        -
        done
        done
        two
        true
        false
        done
        b=2 - a=two a=two
        42
        7
        42
        pages 4, 4 keys:  a b new
        done
        done
        pages 2, 2 keys:  a
        pages 0, 0 keys: 
    "#]]
    .assert_eq(&end.text());
}

#[test]
fn a_hundred_chunks_count_in_one_place_and_none_is_lost() {
    let house = with_tenants();
    let calls = vec![call("increment", json!(["counts", "seen", 3])); 100];
    let chunking = Some(Chunking::Size { size: ByteSize(1), boundary: Boundary::Line });
    let job = Job { chunking, ..keep("acme", &["counts"], &calls) };
    let end = house.run(job);
    assert_eq!(end.report.chunks, 100);
    let mut seen: Vec<u64> = end.text().lines().map(|line| line.parse().unwrap()).collect();
    seen.sort_unstable();
    assert_eq!(seen, (1..=100).map(|count| count * 3).collect::<Vec<_>>());
    let after = keep("acme", &["counts"], &[call("get", json!(["counts", "seen"]))]);
    assert_eq!(house.run(after).text(), "300\n", "another job of the tenant sees it");
}

#[test]
fn k01_two_tenants_with_a_store_of_one_name_see_nothing_of_each_other() {
    let house = with_tenants();
    let set = |tenant, value| {
        let calls =
            [call("set", json!(["cache", "k", value])), call("set", json!(["cache", value, ""]))];
        assert_eq!(house.run(keep(tenant, &["cache"], &calls)).text(), "done\ndone\n");
    };
    let look = |tenant| {
        let calls = [call("get", json!(["cache", "k"])), call("list", json!("cache"))];
        house.run(keep(tenant, &["cache"], &calls)).text()
    };
    set("acme", "mine");
    assert_eq!(look("other"), "-\npages 0, 0 keys: \n");
    set("other", "yours");
    assert_eq!(look("acme"), "mine\npages 2, 2 keys: k mine\n");
    assert_eq!(look("other"), "yours\npages 2, 2 keys: k yours\n");
    let end = house.run(keep("other", &["cache"], &[call("delete", json!(["cache", "k"]))]));
    assert_eq!(end.text(), "done\n");
    assert_eq!(look("acme"), "mine\npages 2, 2 keys: k mine\n");
}

#[test]
fn k02_what_was_not_granted_is_not_opened() {
    let house = with_tenants();
    let names = ["counts", "cache", "", "Cache", "cache ", "../cache", "acme/cache", "default"];
    let opens = names.map(|name| call("open", json!(name)));
    let end = house.run(keep("acme", &["cache"], &opens));
    assert_eq!(end.report.calls_denied, 7);
    expect![[r#"
        Error::NoSuchStore
        open
        Error::NoSuchStore
        Error::NoSuchStore
        Error::NoSuchStore
        Error::NoSuchStore
        Error::NoSuchStore
        Error::NoSuchStore
    "#]]
    .assert_eq(&end.text());
    let end = house.run(keep("acme", &[], &opens[..2]));
    assert_eq!((end.report.calls_denied, end.text().matches("AccessDenied").count()), (2, 2));
    let long = house.run(keep("acme", &["cache"], &[call("open", json!("x".repeat(2_000_000)))]));
    assert_eq!(long.text(), "Error::NoSuchStore\n");
}

#[test]
fn a_store_that_the_tenant_is_not_allowed_is_refused_by_name() {
    let house = with_tenants();
    for tenant in ["poor", "other"] {
        let refused = house.engine.submit(keep(tenant, &["counts"], &[])).unwrap_err();
        assert_eq!(refused.code, Code::GrantRefused);
        let detail = format!("tenant `{tenant}` is not allowed `keyvalue: counts`");
        assert_eq!(refused.detail, detail);
    }
}

#[test]
fn k03_each_bound_is_an_error_in_words() {
    let many = |n: usize| (0..n).map(|index| index.to_string()).collect::<Vec<_>>();
    let mib = 1 << 20;
    let calls = [
        call("set-sized", json!(["cache", 1024, 1])),
        call("set-sized", json!(["cache", 1025, 1])),
        call("set-sized", json!(["cache", 3_000_000, 1])),
        call("set-sized", json!(["cache", 1, mib])),
        call("set-sized", json!(["cache", 1, mib + 1])),
        call("set-sized", json!(["cache", 1, 7 * mib])),
        call("get", json!(["cache", "k".repeat(1025)])),
        call("increment", json!(["cache", "k".repeat(1025), 1])),
        call("get-empty", json!(["cache", 1000])),
        call("get-empty", json!(["cache", 1001])),
        call("get-empty", json!(["cache", 300_000])),
        call("delete-many", json!(["cache", many(1001)])),
        call("set", json!(["cache", "word", "seven"])),
        call("increment", json!(["cache", "word", 1])),
        call("set", json!(["cache", "most", u64::MAX.to_string()])),
        call("increment", json!(["cache", "most", 1])),
        call("increment", json!(["cache", "most", 0])),
        call("list-from", json!(["cache", u64::MAX])),
    ];
    let end = with_tenants().run(keep("acme", &["cache"], &calls));
    expect![[r#"
        done
        error: a key has at most 1024 bytes
        error: a key has at most 1024 bytes
        done
        error: a value has at most 1048576 bytes
        error: a value has at most 1048576 bytes
        error: a key has at most 1024 bytes
        error: a key has at most 1024 bytes
        1000 values
        error: a batch has at most 1000 keys
        error: a batch has at most 1000 keys
        error: a batch has at most 1000 keys
        done
        error: the value is not a number in decimal digits
        done
        error: the sum does not fit into 64 bits
        18446744073709551615
        0 keys, then None
    "#]]
    .assert_eq(&end.text());
}

/// Batches of values of 64 KiB.
fn fill(store: &str, prefix: &str, n: u32) -> Value {
    call(
        "fill",
        json!({ "store": store, "prefix": prefix, "n": n, "bytes": 64 << 10, "batch": 16 }),
    )
}

#[test]
fn k04_a_full_tenant_is_refused_more_and_gets_back_what_it_deletes() {
    let house = with_tenants();
    let stores = ["cache", "counts"];
    let calls = [
        fill("cache", "a", 250),
        fill("cache", "b", 250),
        call("set-sized", json!(["counts", 1, 1 << 20])),
        call("get-many", json!(["cache", (0..250).map(|it| format!("a{it}")).collect::<Vec<_>>()])),
        call("exists", json!(["cache", "a249"])),
    ];
    let end = house.run(keep("acme", &stores, &calls));
    let full = "error: the stores of this tenant are full (16 MiB); delete keys";
    let large = "error: their values have more than 4194304 bytes; ask for fewer";
    assert_eq!(end.text(), format!("set 250 keys\n{full}\n{full}\n{large}\ntrue\n"));
    let other = keep("other", &["cache"], &[fill("cache", "a", 200)]);
    assert_eq!(house.run(other).text(), "set 200 keys\n", "another tenant has its own room");
    let gone: Vec<_> = (0..250).map(|it| format!("a{it}")).collect();
    let calls = [call("delete-many", json!(["cache", gone])), fill("counts", "c", 200)];
    let end = house.run(keep("acme", &stores, &calls));
    assert_eq!(end.text(), "done\nset 200 keys\n");
}

#[test]
fn k05_a_huge_list_comes_in_pages_and_a_store_has_so_many_keys() {
    let house = with_tenants();
    let many = |n: u32| {
        let with = json!({ "store": "cache", "prefix": "k", "n": n, "bytes": 0, "batch": 1000 });
        call("fill", with)
    };
    let calls =
        [many(50_001), call("list", json!("cache")), call("list-from", json!(["cache", 0]))];
    let end = house.run(keep("acme", &["cache"], &calls));
    let pages = " 1000".repeat(50);
    let expect = format!(
        "error: a store has at most 50000 keys\npages{pages}, 50000 keys\n1000 keys, then Some(1000)\n"
    );
    assert_eq!(end.text(), expect);
}

#[test]
fn k06_stores_that_hold_something_are_counted_and_empty_ones_are_not() {
    let names: Vec<_> = (0..20).map(|index| format!("s{index}")).collect();
    let grants: Vec<_> = names.iter().map(|name| format!("'keyvalue: {name}'")).collect();
    let text = format!("tenants: {{ acme: {{ grants: [ {} ] }} }}", grants.join(", "));
    let house = House::with(|builder| builder.config(config(&text)));
    let mut calls: Vec<_> = names.iter().map(|name| call("open", json!(name))).collect();
    calls.extend(names.iter().map(|name| call("set", json!([name, "k", ""]))));
    calls.push(call("delete", json!(["s0", "k"])));
    calls.push(call("set", json!(["s19", "k", ""])));
    let stores: Vec<_> = names.iter().map(String::as_str).collect();
    let end = house.run(keep("acme", &stores, &calls));
    let refused = "error: a tenant has at most 16 stores that hold something\n";
    let expect = ["open\n".repeat(20), "done\n".repeat(16), refused.repeat(4), "done\n".repeat(2)];
    assert_eq!(end.text(), expect.concat());
}

#[test]
fn k07_a_guest_that_spins_on_a_store_ends_by_its_fuel() {
    let house = with_tenants();
    let mut job = keep("acme", &["cache"], &[call("spin", json!("cache"))]);
    job.limits.fuel = Some(Fuel(5_000_000));
    let end = house.run(job);
    assert!(end.took < Duration::from_secs(20), "{:?}", end.took);
    assert_eq!(end.fault().code, Code::Fuel);
}

#[test]
fn k07_a_guest_that_spins_on_a_store_ends_at_its_deadline_and_when_it_is_cancelled() {
    let house = with_tenants();
    let spin = || keep("acme", &["cache"], &[call("spin", json!("cache"))]);
    let end = house.run(with_timeout(spin(), Duration::from_secs(1)));
    assert!(end.took < Duration::from_secs(4), "{:?}", end.took);
    assert_eq!(end.fault().code, Code::Deadline);
    let handle = house.engine.submit(spin()).unwrap();
    house.diary.wait_for_start(handle.id());
    handle.cancel();
    assert_eq!(pframe_tests::house::wait(&handle).unwrap_err().code, Code::Cancelled);
}

#[test]
fn k08_bytes_either_way_cost_fuel() {
    let house = with_tenants();
    let fuel = |calls: &[Value]| {
        let end = house.run(keep("acme", &["cache"], calls));
        assert!(!end.report.fuel_at_least);
        end.report.fuel.0
    };
    fuel(&[call("set-sized", json!(["cache", 1, 1 << 20]))]);
    let small = fuel(&[call("exists", json!(["cache", "k"]))]);
    let large = fuel(&[call("get", json!(["cache", "k"]))]);
    assert!(large > small + (1 << 20) / 4, "{large} for a value of 1 MiB, {small} for a question");
}

#[test]
fn k09_handles_to_stores_are_bounded_like_all_and_free_once_they_are_dropped() {
    let house = with_tenants();
    let calls = [call("reopen", json!(["cache", 20_000]))];
    assert_eq!(house.run(keep("acme", &["cache"], &calls)).text(), "opened 20000 times\n");
    let hoard = house.run(keep("acme", &["cache"], &[call("hoard", json!("cache"))])).fault();
    assert_eq!(hoard.code, Code::Handles);
}

#[test]
fn what_an_attempt_did_before_it_failed_stays_done() {
    let house = with_tenants();
    let calls = [call("increment", json!(["cache", "tries", 1])), json!("no such call")];
    let job = Job { retries_max: Some(2), ..keep("acme", &["cache"], &calls) };
    house.run(job).fault();
    let get = keep("acme", &["cache"], &[call("get", json!(["cache", "tries"]))]);
    let tries: u32 = house.run(get).text().trim().parse().unwrap();
    assert!(tries >= 1, "{tries}");
    assert_eq!(
        with_tenants().run(keep("acme", &["cache"], &[call("list", json!("cache"))])).text(),
        "pages 0, 0 keys: \n",
        "another host begins with nothing"
    );
}

#[test]
fn a_guest_that_imports_stores_and_calls_none_needs_no_grant() {
    assert_eq!(house().run(evil("ok")).text(), "");
}
