//! Attacks on the standard WASI interfaces: clocks, randomness, environment, network, files.
//!
//! Owns: one use of each that a host might forget to deny, limit or make harmless.
//! Never: goes through the standard library where that would hide the interface (Rust's `std` has no sockets on
//! `wasm32-wasip1`, for which Debian's toolchain builds).

use std::io::Write;

use pframe_guest::{Failure, Output};
use wasip2::cli::environment as wasi_environment;
use wasip2::clocks::{monotonic_clock, wall_clock};
use wasip2::filesystem::preopens;
use wasip2::http::outgoing_handler;
use wasip2::http::types::{Fields, OutgoingRequest, Scheme};
use wasip2::random::random as wasi_random;
use wasip2::sockets::network::{IpAddressFamily, IpSocketAddress, Ipv4SocketAddress};
use wasip2::sockets::{instance_network, ip_name_lookup, tcp_create_socket, udp_create_socket};

pub(crate) fn sleep(nanoseconds: u64) {
    monotonic_clock::subscribe_duration(nanoseconds).block();
}

pub(crate) fn poll_busy() -> ! {
    loop {
        monotonic_clock::subscribe_duration(0).block();
    }
}

pub(crate) fn handles(output: &mut Output, count: u64) -> Result<(), Failure> {
    let count = if count == 0 { u64::MAX } else { count };
    let mut kept = Vec::new();
    for _ in 0..count {
        kept.push(monotonic_clock::subscribe_duration(u64::MAX));
    }
    Ok(writeln!(output, "{} handles", kept.len())?)
}

pub(crate) fn random(output: &mut Output, count: u64) -> Result<(), Failure> {
    let count = if count == 0 { 1 << 40 } else { count };
    Ok(writeln!(output, "{} bytes", wasi_random::get_random_bytes(count).len())?)
}

pub(crate) fn random_hex(output: &mut impl Write) -> Result<(), Failure> {
    for byte in wasi_random::get_random_bytes(16) {
        write!(output, "{byte:02x}")?;
    }
    Ok(writeln!(output)?)
}

pub(crate) fn environment(output: &mut Output) -> Result<(), Failure> {
    for argument in wasi_environment::get_arguments() {
        writeln!(output, "argument {argument}")?;
    }
    for (name, value) in wasi_environment::get_environment() {
        writeln!(output, "variable {name}={value}")?;
    }
    Ok(())
}

pub(crate) fn clock(output: &mut impl Write) -> Result<(), Failure> {
    let wall = wall_clock::now();
    writeln!(
        output,
        "{}",
        u128::from(wall.seconds) * 1_000_000_000 + u128::from(wall.nanoseconds)
    )?;
    writeln!(output, "{}", monotonic_clock::now())?;
    Ok(writeln!(output, "{}", monotonic_clock::now())?)
}

pub(crate) fn net(output: &mut Output) -> Result<(), Failure> {
    writeln!(output, "tcp 127.0.0.1:80 {}", connect((127, 0, 0, 1), 80))?;
    writeln!(output, "tcp 169.254.169.254:80 {}", connect((169, 254, 169, 254), 80))?;
    writeln!(output, "udp {}", bind_udp())?;
    Ok(writeln!(output, "lookup {}", look_up("example.com"))?)
}

fn connect(address: (u8, u8, u8, u8), port: u16) -> String {
    let network = instance_network::instance_network();
    let socket = match tcp_create_socket::create_tcp_socket(IpAddressFamily::Ipv4) {
        Ok(socket) => socket,
        Err(error) => return format!("create: {error:?}"),
    };
    if let Err(error) = socket.start_connect(&network, ipv4(address, port)) {
        return format!("connect: {error:?}");
    }
    socket.subscribe().block();
    socket.finish_connect().map_or_else(|error| format!("connect: {error:?}"), |_| "OPEN".into())
}

fn bind_udp() -> String {
    let network = instance_network::instance_network();
    let socket = match udp_create_socket::create_udp_socket(IpAddressFamily::Ipv4) {
        Ok(socket) => socket,
        Err(error) => return format!("create: {error:?}"),
    };
    let outcome = socket.start_bind(&network, ipv4((0, 0, 0, 0), 0));
    outcome.map_or_else(|error| format!("bind: {error:?}"), |()| "OPEN".into())
}

fn look_up(name: &str) -> String {
    let network = instance_network::instance_network();
    let stream = match ip_name_lookup::resolve_addresses(&network, name) {
        Ok(stream) => stream,
        Err(error) => return format!("resolve: {error:?}"),
    };
    stream.subscribe().block();
    let next = stream.resolve_next_address();
    next.map_or_else(|error| format!("resolve: {error:?}"), |_| "OPEN".into())
}

fn ipv4(address: (u8, u8, u8, u8), port: u16) -> IpSocketAddress {
    IpSocketAddress::Ipv4(Ipv4SocketAddress { port, address })
}

pub(crate) fn http(output: &mut Output) -> Result<(), Failure> {
    for authority in ["169.254.169.254", "127.0.0.1", "[::1]", "example.com"] {
        writeln!(output, "http {authority} {}", request(authority))?;
    }
    Ok(())
}

fn request(authority: &str) -> String {
    let request = OutgoingRequest::new(Fields::new());
    let prepared = request
        .set_scheme(Some(&Scheme::Http))
        .and_then(|()| request.set_authority(Some(authority)))
        .and_then(|()| request.set_path_with_query(Some("/")));
    if prepared.is_err() {
        return "not a request".into();
    }
    let response = match outgoing_handler::handle(request, None) {
        Ok(response) => response,
        Err(error) => return format!("{error:?}"),
    };
    response.subscribe().block();
    match response.get() {
        Some(Ok(Ok(_))) => "OPEN".into(),
        Some(Ok(Err(error))) => format!("{error:?}"),
        Some(Err(())) | None => "no response".into(),
    }
}

pub(crate) fn files(output: &mut Output) -> Result<(), Failure> {
    writeln!(output, "preopens {}", preopens::get_directories().len())?;
    for path in ["/etc/passwd", "../../../../etc/passwd", "/proc/self/environ"] {
        let outcome = std::fs::read(path);
        writeln!(output, "read {path}: {}", shown(&outcome.map(|bytes| bytes.len())))?;
    }
    let list = std::fs::read_dir("/").map(Iterator::count);
    writeln!(output, "list /: {}", shown(&list))?;
    let write = std::fs::write("/tmp/evil", "evil").map(|()| 4);
    Ok(writeln!(output, "write /tmp/evil: {}", shown(&write))?)
}

fn shown(outcome: &std::io::Result<usize>) -> String {
    match outcome {
        Ok(count) => format!("OPEN {count}"),
        Err(error) => format!("denied: {error}"),
    }
}
