//! The network as a guest finds it: the hosts that were granted, and nothing beside them, whatever it or a server tries.

use std::collections::BTreeMap;
use std::io::Write;
use std::net::{IpAddr, TcpStream};
use std::thread;
use std::time::{Duration, Instant};

use expect_test::expect;
use pframe_core::fault::Code;
use pframe_core::job::Grant;
use pframe_core::units::ByteSize;
use pframe_host::{Job, JobInput};
use pframe_tests::house::{End, House, config, evil, evil_n, house, with_timeout};
use pframe_tests::program::Place;
use pframe_tests::web::{Request, Server, respond};
use serde_json::{Value, json};

/// A house whose tenant `acme` may reach these, and where names lead where the test says.
fn reaching(hosts: &[&str], names: &[(&str, &[&str])]) -> House {
    let grants: Vec<_> = hosts.iter().map(|host| format!("'http: {host}'")).collect();
    let text = format!("tenants: {{ acme: {{ grants: [ {} ] }} }}", grants.join(", "));
    let addresses = |list: &[&str]| list.iter().map(|it| it.parse().unwrap()).collect();
    let names = names.iter().map(|(name, list)| ((*name).to_owned(), addresses(list)));
    let names: BTreeMap<String, Vec<IpAddr>> = names.collect();
    House::with(|builder| builder.config(config(&text)).names(names))
}

fn asking(hosts: &[&str], job: Job) -> Job {
    let grants = hosts.iter().map(|host| Grant::Http(host.parse().unwrap())).collect();
    Job { tenant: "acme".parse().unwrap(), grants, ..job }
}

/// The evil guest sends these requests, with all that its tenant may have.
fn fetch(hosts: &[&str], requests: &Value) -> Job {
    asking(hosts, Job { input: JobInput::Text(requests.to_string()), ..evil("fetch") })
}

fn hello(_: &Request, stream: &mut TcpStream) {
    respond(stream, 200, &[("x-kind", "greeting")], b"hello");
}

fn run(hosts: &[&str], names: &[(&str, &[&str])], requests: &Value) -> End {
    reaching(hosts, names).run(fetch(hosts, requests))
}

#[test]
fn a_granted_host_is_asked_and_its_answer_read() {
    let server = Server::start(|request, stream| {
        let said = format!("{} {} {:?}", request.method, request.path, request.header("x-mine"));
        respond(
            stream,
            201,
            &[("x-kind", "echo")],
            [said.as_bytes(), b" ", &request.body].concat().as_slice(),
        );
    });
    let host = server.host();
    let end = run(
        &[&host],
        &[],
        &json!([
            { "host": host, "path": "/a?b=c", "headers": [["x-mine", "yes"]] },
            { "host": host, "method": "POST", "body": "the body" },
            { "host": host, "method": "PUT", "body": "sized", "headers": [["content-length", "5"]] },
        ]),
    );
    let usage = end.report.http;
    assert_eq!((usage.requests, usage.sent.bytes()), (3, 13));
    expect![[r#"
        201 x-kind=echo 17 bytes "GET /a?b=c \"yes\" "
        201 x-kind=echo 18 bytes "POST / \"\" the body"
        201 x-kind=echo 14 bytes "PUT / \"\" sized"
    "#]]
    .assert_eq(&end.text());
    let seen = server.requests();
    assert_eq!(seen[0].header("host"), host);
    assert_eq!(seen[0].header("connection"), "close");
    assert_eq!(seen[2].header("content-length"), "5");
}

#[test]
fn large_bodies_stream_in_both_directions() {
    let server = Server::start(|request, stream| {
        assert!(request.body.iter().all(|byte| *byte == b'x'));
        respond(stream, 200, &[], &vec![b'y'; request.body.len() * 2]);
    });
    let host = server.host();
    let end =
        run(&[&host], &[], &json!([{ "host": host, "method": "POST", "more_bytes": 5_000_000 }]));
    assert_eq!(end.report.http.received.bytes(), 10_000_000);
    assert_eq!(end.text(), "200 10000000 bytes …\n");
}

#[test]
fn what_is_allowed_but_not_asked_for_is_denied() {
    let server = Server::start(hello);
    let host = server.host();
    let house = reaching(&[&host], &[]);
    let end = house.run(fetch(&[], &json!([{ "host": host }])));
    assert_eq!((end.report.calls_denied, end.text().as_str()), (1, "HttpRequestDenied\n"));
    assert_eq!(server.requests().len(), 0);
}

#[test]
fn what_is_asked_for_but_not_allowed_is_refused_by_name() {
    let house = reaching(&["*.example.org"], &[]);
    let asks = |host: &str| house.engine.submit(fetch(&[host], &json!([])));
    let refused = asks("example.com").unwrap_err();
    assert_eq!(refused.code, Code::GrantRefused);
    assert_eq!(refused.detail, "tenant `acme` is not allowed `http: example.com`");
    assert!(asks("*.org").is_err() && asks("api.example.org:8080").is_err());
    assert!(asks("api.example.org").is_ok(), "a part of what is allowed is allowed");
}

#[test]
fn n01_without_a_grant_every_request_has_the_interfaces_own_error() {
    let end = house().run(evil("http"));
    assert_eq!(end.report.calls_denied, 4);
    assert_eq!(end.text().matches("ErrorCode::HttpRequestDenied").count(), 4);
}

#[test]
fn n02_a_granted_host_opens_no_socket() {
    let server = Server::start(hello);
    let host = server.host();
    let end = reaching(&[&host], &[]).run(asking(&[&host], evil("net")));
    let text = end.text();
    assert_eq!(text.matches("access-denied").count(), 3, "{text}");
    assert!(text.contains("permanent-resolver-failure") && !text.contains("OPEN"), "{text}");
}

#[test]
fn n04_inner_addresses_are_denied_before_and_after_resolution() {
    let inner = [
        "127.0.0.1",
        "169.254.169.254",
        "10.0.0.1",
        "0.0.0.0",
        "::1",
        "fd00::1",
        "fe80::1",
        "::ffff:127.0.0.1",
        "64:ff9b::169.254.169.254",
        "2002:7f00:1::",
    ];
    let names: Vec<_> =
        inner.iter().map(|it| format!("n{}.test", it.replace([':', '.'], "-"))).collect();
    let lists: Vec<[&str; 1]> = inner.iter().map(|it| [*it]).collect();
    let told: Vec<_> =
        names.iter().zip(&lists).map(|(name, list)| (name.as_str(), list.as_slice())).collect();
    let by_name: Vec<_> = names.iter().map(|name| json!({ "host": name })).collect();
    let end = run(&["*.test"], &told, &json!(by_name));
    assert_eq!(end.report.calls_denied as usize, inner.len());
    assert_eq!(end.text(), "DestinationIpProhibited\n".repeat(inner.len()));
    let by_address = json!([
        { "host": "127.0.0.1" }, { "host": "169.254.169.254" }, { "host": "[::1]" }, { "host": "[fd00::1]" },
        { "host": "0.0.0.0" }, { "host": "localhost" }, { "host": "[::ffff:127.0.0.1]" },
    ]);
    let end = run(&["*.test"], &told, &by_address);
    assert_eq!((end.report.calls_denied, end.text()), (7, "HttpRequestDenied\n".repeat(7)));
}

#[test]
fn an_inner_address_is_reached_where_the_operator_names_it() {
    let server = Server::start(hello);
    let (host, name) = (server.host(), format!("wiki.test:{}", server.port()));
    let told: &[(&str, &[&str])] = &[("wiki.test", &["127.0.0.1"])];
    let requests = json!([{ "host": name }]);
    assert_eq!(run(&[&name], told, &requests).text(), "DestinationIpProhibited\n");
    let end = run(&[&name, &host], told, &requests);
    assert_eq!(end.text(), "200 x-kind=greeting 5 bytes \"hello\"\n");
    assert_eq!(server.requests()[0].header("host"), name);
}

#[test]
fn n06_a_name_that_changes_its_mind_is_asked_once() {
    let server = Server::start(hello);
    let (host, name) = (server.host(), format!("rebind.test:{}", server.port()));
    let told: &[(&str, &[&str])] = &[("rebind.test", &["127.0.0.1", "127.0.0.2"])];
    let end = run(&[&name, &host], told, &json!([{ "host": name }, { "host": name }]));
    expect![[r#"
        200 x-kind=greeting 5 bytes "hello"
        DestinationIpProhibited
    "#]]
    .assert_eq(&end.text());
    assert_eq!(server.requests().len(), 1);
}

#[test]
fn n07_a_redirect_is_shown_and_not_followed() {
    let server = Server::start(|_, stream| {
        respond(stream, 302, &[("location", "http://169.254.169.254/latest/meta-data/")], b"");
    });
    let host = server.host();
    let requests =
        json!([{ "host": host }, { "host": "169.254.169.254", "path": "/latest/meta-data/" }]);
    let end = run(&[&host], &[], &requests);
    expect![[r#"
        302 location=http://169.254.169.254/latest/meta-data/ 0 bytes ""
        HttpRequestDenied
    "#]]
    .assert_eq(&end.text());
    assert_eq!(server.requests().len(), 1);
}

#[test]
fn n08_requests_that_blur_where_they_end_or_whom_they_are_for_are_refused() {
    let server = Server::start(hello);
    let host = server.host();
    let with = |name: &str, value: &str| json!({ "host": host, "headers": [[name, value]] });
    let requests = json!([
        with("x-a", "a\r\nx-b: c"),
        with("x-a", "a\0"),
        with("x-a\r\nx-b", "c"),
        with("host", "169.254.169.254"),
        with("connection", "keep-alive"),
        with("transfer-encoding", "chunked"),
        with("proxy-authorization", "x"),
        with("proxy-connection", "x"),
        with("upgrade", "h2c"),
        { "host": host, "path": "http://169.254.169.254/" },
        { "host": host, "path": "/ HTTP/1.1\r\nx: y" },
        { "host": host, "method": "CONNECT" },
        { "host": host, "method": "GET / HTTP/1.1\r\nx" },
        { "host": format!("{host}@169.254.169.254") },
        { "host": format!("169.254.169.254@{host}") },
        { "host": host, "method": "POST", "headers": [["content-length", "9"]] },
        { "host": host, "method": "POST", "headers": [["content-length", "9"]], "body": "short" },
        { "host": host, "method": "POST", "headers": [["content-length", "2"]], "body": "too long" },
        { "host": host, "method": "POST", "body": "body", "trailer": ["x-a", "b"] },
        { "host": host },
    ]);
    let text = run(&[&host], &[], &requests).text();
    expect![[r#"
        header "x-a": HeaderError::InvalidSyntax
        header "x-a": HeaderError::InvalidSyntax
        header "x-a\r\nx-b": HeaderError::InvalidSyntax
        header "host": HeaderError::Forbidden
        header "connection": HeaderError::Forbidden
        header "transfer-encoding": HeaderError::Forbidden
        header "proxy-authorization": HeaderError::Forbidden
        header "proxy-connection": HeaderError::Forbidden
        header "upgrade": HeaderError::Forbidden
        not a path
        not a path
        HttpRequestMethodInvalid
        not a method
        HttpRequestUriInvalid
        HttpRequestUriInvalid
        HttpRequestBodySize(Some(0))
        ConnectionTerminated
        200 x-kind=greeting 5 bytes "hello"
        HttpRequestTrailerSectionSize(None)
        200 x-kind=greeting 5 bytes "hello"
    "#]]
    .assert_eq(&text);
    let seen = server.requests();
    assert!(seen.iter().all(|request| request.header("host") == host), "{seen:?}");
    assert!(seen.iter().all(|request| !request.headers.contains_key("x-b")), "{seen:?}");
}

/// Sends one byte at a time, slowly, for as long as somebody listens.
fn drip(request: &Request, stream: &mut TcpStream) {
    if request.path == "/silent" {
        let _ = std::io::copy(stream, &mut std::io::sink());
        return;
    }
    let _ = stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 1000000\r\n\r\n");
    while stream.write_all(b"x").is_ok() {
        thread::sleep(Duration::from_millis(100));
    }
}

#[test]
fn n10_a_slow_server_costs_no_more_than_the_deadline() {
    let server = Server::start(drip);
    let host = server.host();
    let house = reaching(&[&host], &[]);
    for between in [None, Some(u64::MAX)] {
        let requests = json!([{ "host": host, "between_bytes": between }]);
        let end = house.run(with_timeout(fetch(&[&host], &requests), Duration::from_secs(1)));
        assert!(end.took < Duration::from_secs(4), "{:?}", end.took);
        assert_eq!(end.fault().code, Code::Deadline);
    }
    let requests = json!([
        { "host": host, "between_bytes": 0 },
        { "host": host, "between_bytes": 20_000_000 },
        { "host": host, "first_byte": 0, "path": "/silent" },
    ]);
    let text = house.run(fetch(&[&host], &requests)).text();
    assert_eq!(text.matches("then connection read timeout").count(), 2, "{text}");
    assert!(text.ends_with("HttpResponseTimeout\n"), "{text}");
}

#[test]
fn n10_a_server_that_says_nothing_costs_no_more_than_the_deadline() {
    let server = Server::start(|_, stream| {
        // Waits for the other end to go away.
        let _ = std::io::copy(stream, &mut std::io::sink());
    });
    let host = server.host();
    let house = reaching(&[&host], &[]);
    let job = with_timeout(fetch(&[&host], &json!([{ "host": host }])), Duration::from_secs(1));
    let end = house.run(job);
    assert!(end.took < Duration::from_secs(4), "{:?}", end.took);
    assert_eq!(end.fault().code, Code::Deadline);
}

#[test]
fn n11_an_endless_response_ends_at_the_cap() {
    let server = Server::start(|_, stream| {
        let _ = stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 1000000000000\r\n\r\n");
        let block = vec![0; 1 << 20];
        while stream.write_all(&block).is_ok() {}
    });
    let host = server.host();
    let end = run(&[&host], &[], &json!([{ "host": host }, { "host": host }]));
    let received = end.report.http.received.bytes();
    assert!((256 << 20..257 << 20).contains(&received), "{received}");
    let text = end.text();
    assert_eq!(
        text.matches("then HTTP response body size exceeds limit: 268").count(),
        2,
        "{text}"
    );
}

#[test]
fn n11_what_is_packed_stays_packed() {
    let packed = b"\x1f\x8b\x08 whatever this would become";
    let server = Server::start(move |_, stream| {
        respond(stream, 200, &[("content-encoding", "gzip")], packed);
    });
    let host = server.host();
    let end = run(&[&host], &[], &json!([{ "host": host }]));
    assert_eq!(end.report.http.received, ByteSize(packed.len() as u64));
}

#[test]
fn n11_an_endless_header_and_an_endless_request_end_at_their_caps() {
    let server = Server::start(|request, stream| match request.path.as_str() {
        "/header" => {
            let _ = stream.write_all(b"HTTP/1.1 200 OK\r\n");
            while stream.write_all(b"x-a: aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa\r\n").is_ok() {
            }
        }
        "/wide" => respond(stream, 200, &[("x-wide", &"a".repeat(40_000))], b""),
        _ => respond(stream, 200, &[], b""),
    });
    let host = server.host();
    let requests = json!([
        { "host": host, "path": "/header" },
        { "host": host, "path": "/wide" },
        { "host": host, "path": format!("/{}", "a".repeat(9000)) },
        { "host": host, "method": "POST", "more_bytes": 80_000_000_u64 },
    ]);
    let text = run(&[&host], &[], &requests).text();
    expect![[r#"
        HttpResponseHeaderSectionSize(None)
        HttpResponseHeaderSectionSize(None)
        HttpRequestUriTooLong
        HttpRequestBodySize(Some(67174400))
    "#]]
    .assert_eq(&text);
}

#[test]
fn n12_a_flood_of_requests_waits_for_its_turn() {
    let server = Server::start(|_, stream| {
        thread::sleep(Duration::from_millis(5));
        respond(stream, 200, &[], b"");
    });
    let host = server.host();
    let job = Job {
        input: JobInput::Text(json!([{ "host": host }]).to_string()),
        ..evil_n("fetch-many", 300)
    };
    let end = reaching(&[&host], &[]).run(asking(&[&host], job));
    assert_eq!(end.report.http.requests, 300);
    assert_eq!(end.text(), "300 × 200 0 bytes \"\"\n");
    assert!(server.most_at_once() <= 17, "{}", server.most_at_once());
}

#[test]
fn a_handler_that_ends_takes_its_requests_along() {
    let server = Server::start(|_, stream| {
        let _ = std::io::copy(stream, &mut std::io::sink());
    });
    let host = server.host();
    let house = reaching(&[&host], &[]);
    let job = Job {
        input: JobInput::Text(json!([{ "host": host, "first_byte": 50_000_000 }]).to_string()),
        ..evil_n("fetch-many", 40)
    };
    let end = house.run(asking(&[&host], job));
    assert_eq!(end.text(), "40 × HttpResponseTimeout\n");
    let started = Instant::now();
    assert_eq!(house.run(evil("ok")).text(), "");
    assert!(started.elapsed() < Duration::from_secs(2));
}

#[test]
fn n15_a_proxy_in_the_environment_is_not_used() {
    let server = Server::start(hello);
    let proxy = Server::start(hello);
    let host = server.host();
    let place = Place::new();
    place.bring(["evil"]);
    let requests = json!([{ "host": host }]).to_string();
    let job = json!({
        "version": 1,
        "tasks": { "evil": { "component": "evil.wasm" } },
        "jobs": [{
            "id": "n15", "task_type": "evil", "tenant": "acme", "input_data": { "text": requests },
            "parameters": { "do": "fetch" }, "grants": [format!("http: {host}")], "output": { "path": "out.txt" },
        }],
    });
    place.write("job.json", job.to_string());
    place.write("pframe.yaml", format!("tenants: {{ acme: {{ grants: [ 'http: {host}' ] }} }}"));
    let mut command = place.command(&["run", "job.json", "--config", "pframe.yaml"]);
    for name in ["HTTP_PROXY", "http_proxy", "HTTPS_PROXY", "ALL_PROXY", "all_proxy"] {
        command.env(name, format!("http://{}", proxy.host()));
    }
    let run = command.output().unwrap();
    assert!(run.status.success(), "{}", String::from_utf8_lossy(&run.stderr));
    let text = std::fs::read_to_string(place.path("out.txt")).unwrap();
    assert_eq!(text, "200 x-kind=greeting 5 bytes \"hello\"\n");
    assert_eq!((server.requests().len(), proxy.requests().len()), (1, 0));
}
