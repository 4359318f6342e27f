//! Inputs behind a URL: fetched by the host for tenants that may, read by ranges, and never other than what was accepted.

use std::io::Write;
use std::net::TcpStream;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use expect_test::expect;
use pframe_core::fault::Code;
use pframe_core::job::{Boundary, Chunking};
use pframe_core::units::ByteSize;
use pframe_host::{Job, JobInput};
use pframe_tests::house::{House, config, evil, job, with_parameters};
use pframe_tests::web::{Request, Server, respond};
use serde_json::json;

/// A house whose tenant `acme` may fetch from this server.
fn house_for(server: &Server) -> House {
    let text = format!("tenants: {{ acme: {{ grants: [ 'http: {}' ] }} }}", server.host());
    House::with(|builder| builder.config(config(&text)))
}

/// The evil guest copies what is behind this path, in chunks of about 64 KiB.
fn copy_of(server: &Server, path: &str) -> Job {
    Job {
        input: JobInput::Files(vec![format!("http://{}{path}", server.host()).into()]),
        tenant: "acme".parse().unwrap(),
        chunking: Some(Chunking::Size { size: ByteSize::kib(64), boundary: Boundary::Line }),
        ..evil("echo")
    }
}

fn lines(bytes: usize) -> Vec<u8> {
    let line = |number: usize| format!("line {number} of a text that is cut after lines\n");
    let mut text: Vec<u8> = (0..).map(line).take(bytes / 40).collect::<String>().into_bytes();
    text.truncate(bytes);
    text
}

/// The range that a request asks for.
fn range(request: &Request) -> Option<(usize, usize)> {
    let (first, last) = request.header("range").strip_prefix("bytes=")?.split_once('-')?;
    Some((first.parse().ok()?, last.parse().ok()?))
}

/// True where more is asked for than a look.
fn is_chunk(request: &Request) -> bool {
    range(request).is_some_and(|(first, last)| last - first > 20_000)
}

/// As an honest server with ranges and tags answers.
fn honest(content: &[u8], tag: &str, request: &Request, stream: &mut TcpStream) {
    let wanted = request.header("if-match");
    if !wanted.is_empty() && wanted != tag {
        return respond(stream, 412, &[], b"");
    }
    match range(request) {
        Some((first, _)) if first >= content.len() => respond(stream, 416, &[], b""),
        Some((first, last)) => {
            let last = last.min(content.len() - 1);
            let range = format!("bytes {first}-{last}/{}", content.len());
            let fields =
                [("content-range", &*range), ("etag", tag), ("content-type", "text/plain")];
            respond(stream, 206, &fields, &content[first..=last]);
        }
        None => respond(stream, 200, &[("etag", tag)], content),
    }
}

#[test]
fn a_file_behind_a_url_is_cut_and_read_by_ranges() {
    let content = Arc::new(lines(300_000));
    let of_server = Arc::clone(&content);
    let server = Server::start(move |request, stream| honest(&of_server, "\"1\"", request, stream));
    let end = house_for(&server).run(copy_of(&server, "/text?signature=secret"));
    assert_eq!(end.report.chunks, 5);
    assert_eq!(end.report.spec.inputs[0].name, format!("http://{}/text", server.host()));
    assert_eq!(end.report.spec.inputs[0].media_type.as_deref(), Some("text/plain"));
    assert!(end.bytes() == *content, "every byte came, once");
    let requests = server.requests();
    let asked: usize =
        requests.iter().filter_map(range).map(|(first, last)| last + 1 - first).sum();
    assert!(asked < content.len() + 5 * 17_000, "{asked} bytes were asked for");
    assert!(requests.len() <= 1 + 2 * 5, "{} requests", requests.len());
    assert!(requests[1..].iter().all(|request| request.header("if-match") == "\"1\""));
}

#[test]
fn a_tenant_fetches_from_granted_hosts_alone_and_nothing_is_asked_before_that() {
    let server = Server::start(|request, stream| honest(b"text", "\"1\"", request, stream));
    let house = house_for(&server);
    let refused = |url: &str, tenant: &str| {
        let input = JobInput::Files(vec![url.into()]);
        let job = Job { input, tenant: tenant.parse().unwrap(), ..evil("echo") };
        let fault = house.engine.submit(job).unwrap_err();
        format!("{} {}", fault.code, fault.detail.replace(&server.host(), "SERVER"))
    };
    let own = format!("http://{}/", server.host());
    let shown = [
        refused(&own, "default"),
        refused("http://169.254.169.254/latest/meta-data/", "acme"),
        refused("http://127.0.0.1/", "acme"),
        refused(&format!("http://user:secret@{}/", server.host()), "acme"),
    ];
    expect![[r#"
        PF104 tenant `default` may not fetch from `SERVER`; `http: SERVER` among its grants in the configuration allows it
        PF104 tenant `acme` may not fetch from `169.254.169.254`; `http: 169.254.169.254` among its grants in the configuration allows it
        PF104 tenant `acme` may not fetch from `127.0.0.1`; `http: 127.0.0.1` among its grants in the configuration allows it
        PF102 `…@SERVER/`: this is no URL that can be asked for"#]].assert_eq(&shown.join("\n"));
    assert_eq!(server.requests().len(), 0);
}

#[test]
fn a_file_that_changes_later_is_the_fault_input_changed() {
    let content = lines(300_000);
    let server = Server::start(move |request, stream| {
        // Once somebody reads chunks, it is another file.
        honest(&content, if is_chunk(request) { "\"new\"" } else { "\"old\"" }, request, stream);
    });
    let fault = house_for(&server).run(copy_of(&server, "/text")).fault();
    assert_eq!(fault.code, Code::InputChanged);
}

#[test]
fn a_server_without_ranges_is_asked_for_the_whole_once() {
    let content = Arc::new(lines(200_000));
    let of_server = Arc::clone(&content);
    let server = Server::start(move |_, stream| respond(stream, 200, &[], &of_server));
    let end = house_for(&server).run(copy_of(&server, "/text"));
    assert!(end.report.chunks > 2);
    assert!(end.bytes() == *content);
    // One to measure, which is let fall, and one for all of it.
    assert_eq!(server.requests().len(), 2);
}

#[test]
fn a_date_is_as_good_as_a_tag() {
    let content = Arc::new(lines(100_000));
    let of_server = Arc::clone(&content);
    const DATE: &str = "Sat, 28 Nov 2026 04:16:04 GMT";
    let server = Server::start(move |request, stream| {
        let (first, last) = range(request).unwrap();
        let last = last.min(of_server.len() - 1);
        let range = format!("bytes {first}-{last}/{}", of_server.len());
        let fields = [("content-range", &*range), ("last-modified", DATE), ("etag", "W/\"weak\"")];
        respond(stream, 206, &fields, &of_server[first..=last]);
    });
    assert!(house_for(&server).run(copy_of(&server, "/text")).bytes() == *content);
    assert!(server.requests()[1..].iter().all(|it| it.header("if-unmodified-since") == DATE));
}

#[test]
fn a_server_that_fails_for_a_while_is_asked_again() {
    let content = Arc::new(lines(100_000));
    let (of_server, asked) = (Arc::clone(&content), AtomicUsize::new(0));
    let server = Server::start(move |request, stream| {
        match is_chunk(request) && asked.fetch_add(1, Ordering::Relaxed) < 2 {
            true => respond(stream, 503, &[], b""),
            false => honest(&of_server, "\"1\"", request, stream),
        }
    });
    let job = Job { retries_max: Some(4), ..copy_of(&server, "/text") };
    let end = house_for(&server).run(job);
    assert!(end.report.retries >= 1, "{}", end.report.retries);
    assert!(end.bytes() == *content);
}

#[test]
fn a_connection_that_breaks_is_taken_up_where_it_broke() {
    let content = Arc::new(lines(60_000));
    let (of_server, asked) = (Arc::clone(&content), AtomicUsize::new(0));
    let server = Server::start(move |request, stream| {
        if asked.fetch_add(1, Ordering::Relaxed) != 1 {
            return honest(&of_server, "\"1\"", request, stream);
        }
        let (first, last) = range(request).unwrap();
        let head = format!(
            "HTTP/1.1 206 x\r\ncontent-length: {}\r\ncontent-range: bytes {first}-{last}/{}\r\netag: \"1\"\r\n\r\n",
            last + 1 - first,
            of_server.len()
        );
        stream.write_all(head.as_bytes()).unwrap();
        stream.write_all(&of_server[first..20_000]).unwrap();
    });
    let end = house_for(&server).run(copy_of(&server, "/text"));
    assert!(end.bytes() == *content);
    assert_eq!(range(&server.requests()[2]), Some((20_000, 59_999)));
}

#[test]
fn servers_that_refuse_redirect_or_lie_are_told_apart() {
    let server = Server::start(|request, stream| {
        let is_first = request.header("range") == "bytes=0-0";
        let part = |range: &str, body: &[u8], stream: &mut TcpStream| {
            respond(stream, 206, &[("content-range", range), ("etag", "\"1\"")], body);
        };
        match (request.path.as_str(), is_first) {
            ("/gone", _) => respond(stream, 404, &[], b""),
            ("/moved", _) => {
                respond(stream, 302, &[("location", "http://169.254.169.254/?a")], b"")
            }
            ("/busy", _) => respond(stream, 503, &[], b""),
            (_, true) => part("bytes 0-0/9", b"a", stream),
            ("/other", false) => part("bytes 1-9/9", b"abcdefghi", stream),
            ("/larger", false) => part("bytes 0-8/10", b"abcdefghi", stream),
            ("/more", false) => part("bytes 0-8/9", b"abcdefghijk", stream),
            ("/less", false) => part("bytes 0-8/9", b"abc", stream),
            ("/whole", false) => respond(stream, 200, &[("etag", "\"1\"")], b"abcdefghi"),
            _ => respond(stream, 500, &[], b""),
        }
    });
    let house = house_for(&server);
    let mut shown = String::new();
    for path in ["/gone", "/moved", "/busy", "/other", "/larger", "/more", "/less", "/whole"] {
        let fault = match house.engine.submit(copy_of(&server, path)) {
            Err(fault) => fault,
            Ok(handle) => pframe_tests::house::wait(&handle).unwrap_err(),
        };
        shown += &format!("{} {}\n", fault.code, fault.detail.replace(&server.host(), "SERVER"));
    }
    expect![[r#"
        PF102 `http://SERVER/gone`: the server answered 404 Not Found
        PF102 `http://SERVER/moved`: it moved to `http://169.254.169.254/`; name that
        PF415 `http://SERVER/busy`: the server answered 503 Service Unavailable
        PF415 `http://SERVER/other`: the server gives another range than was asked for
        PF103 `http://SERVER/larger`
        PF105 `http://SERVER/more`: the server sends more than was asked for, or than 4 GiB without ranges
        PF415 `http://SERVER/less`: the server gives another range than was asked for
        PF415 `http://SERVER/whole`: the server gives no ranges any more
    "#]].assert_eq(&shown);
}

#[test]
fn a_handlers_own_chunker_sees_what_was_fetched() {
    let content = Arc::new(lines(50_000));
    let of_server = Arc::clone(&content);
    let server = Server::start(move |request, stream| honest(&of_server, "\"1\"", request, stream));
    let custom = Job {
        chunking: Some(Chunking::Custom),
        input: copy_of(&server, "/text").input,
        tenant: "acme".parse().unwrap(),
        ..with_parameters(job("cutter", ""), json!({ "cut": "size", "n": 7000 }))
    };
    let end = house_for(&server).run(custom);
    assert_eq!(end.report.chunks, 8);
    assert!(end.bytes() == *content);
}

#[test]
fn a_result_is_not_sent_to_a_url() {
    let server = Server::start(|request, stream| honest(b"text", "\"1\"", request, stream));
    let output = Some(format!("http://{}/result", server.host()));
    let job = Job { output, ..copy_of(&server, "/text") };
    let fault = house_for(&server).engine.submit(job).unwrap_err();
    assert!(fault.detail.ends_with("and are not sent to another URL"));
}

#[test]
fn nothing_behind_a_url_is_an_empty_input() {
    let server = Server::start(|request, stream| honest(b"", "\"1\"", request, stream));
    assert_eq!(house_for(&server).run(copy_of(&server, "/empty")).text(), "");
}
