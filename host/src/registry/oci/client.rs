//! One GET to a registry: bounded in time and bytes, redirected only to where it may go.
//!
//! Owns: time limits, redirects, and tokens that anybody is given.
//! Never: follows a redirect from encrypted to plain, or from this machine to another without encryption.

use std::io::Read;
use std::time::{Duration, Instant};

use http::Uri;
use pframe_core::fault::{Code, Fault};
use pframe_core::oci::{OciReference, is_local};
use pframe_core::units::ByteSize;
use serde::Deserialize;
use ureq::tls::{RootCerts, TlsConfig};
use ureq::{Agent, Body};

use super::challenge::token_address;
use super::manifest::shown;

/// A connection is made within this time.
const CONNECT_TIME_MAX: Duration = Duration::from_secs(10);
/// An answer begins within this time.
const ANSWER_TIME_MAX: Duration = Duration::from_secs(30);
/// A whole pull, however many answers it takes.
const PULL_TIME_MAX: Duration = Duration::from_mins(10);
/// Redirects of one answer.
const REDIRECTS_MAX: usize = 5;
/// The longest answer that holds a token.
const TOKEN_BYTES_MAX: ByteSize = ByteSize::kib(64);

/// Speaks with one registry, for one pull.
pub(super) struct Client {
    agent: Agent,
    base: String,
    token: Option<String>,
    deadline: Instant,
}

/// What is asked for, and how long the answer may be.
#[derive(Clone, Copy)]
pub(super) struct Asked<'a> {
    /// Behind `/v2/REPOSITORY/`.
    pub(super) path: &'a str,
    /// Media types; may be empty.
    pub(super) accept: &'a str,
    /// The longest answer, and the name of that limit.
    pub(super) bytes_max: (ByteSize, &'static str),
}

#[derive(Deserialize)]
struct Token {
    token: Option<String>,
    access_token: Option<String>,
}

pub(super) fn unreachable(what: impl Into<String>) -> Fault {
    Fault::new(Code::RegistryUnreachable).detail(what)
}

impl Client {
    pub(super) fn new(reference: &OciReference) -> Self {
        let tls = TlsConfig::builder().root_certs(RootCerts::PlatformVerifier).build();
        let config = Agent::config_builder()
            .tls_config(tls)
            .http_status_as_error(false)
            .max_redirects(0)
            .max_redirects_will_error(false)
            .timeout_connect(Some(CONNECT_TIME_MAX))
            .timeout_recv_response(Some(ANSWER_TIME_MAX))
            .user_agent(concat!("pframe-host/", env!("CARGO_PKG_VERSION")))
            .build();
        let scheme = if reference.is_local() { "http" } else { "https" };
        let (registry, repository) = (reference.registry(), reference.repository());
        Self {
            agent: Agent::new_with_config(config),
            base: format!("{scheme}://{registry}/v2/{repository}/"),
            token: None,
            deadline: Instant::now() + PULL_TIME_MAX,
        }
    }

    /// The whole answer. A registry that wants a token gives one, or the answer is a fault.
    pub(super) fn get(&mut self, asked: Asked<'_>) -> Result<Vec<u8>, Fault> {
        let address = format!("{}{}", self.base, asked.path);
        let mut answer = self.follow(&address, asked.accept, self.token.as_deref())?;
        if answer.status() == 401 && self.token.is_none() {
            let challenge =
                answer.headers().get("www-authenticate").and_then(|it| it.to_str().ok());
            let address_of_token = challenge.and_then(token_address);
            let wanted = || unreachable("it wants credentials, and this program has none for it");
            self.token = Some(self.fetch_token(&address_of_token.ok_or_else(wanted)?)?);
            answer = self.follow(&address, asked.accept, self.token.as_deref())?;
        }
        match answer.status().as_u16() {
            200 => read(answer.into_body(), asked.bytes_max),
            404 => Err(Fault::new(Code::PullRefused).detail("there is nothing")),
            401 | 403 => Err(unreachable("it does not let anybody read that")),
            status => Err(unreachable(format!("it answers with status {status}"))),
        }
    }

    fn fetch_token(&self, address: &str) -> Result<String, Fault> {
        check_target(&parsed(address)?, &parsed(&self.base)?)?;
        let answer = self.follow(address, "", None)?;
        let bytes = read(answer.into_body(), (TOKEN_BYTES_MAX, "the answer with a token"))?;
        let token: Option<Token> = serde_json::from_slice(&bytes).ok();
        let token = token.and_then(|it| it.token.or(it.access_token));
        // What goes into a header must be a header.
        let is_plain = |token: &String| token.bytes().all(|byte| byte.is_ascii_graphic());
        token.filter(is_plain).ok_or_else(|| unreachable("it gives no token to anybody"))
    }

    /// Follows redirects. The token stays with the host that it was meant for.
    fn follow(
        &self,
        address: &str,
        accept: &str,
        token: Option<&str>,
    ) -> Result<http::Response<Body>, Fault> {
        let mut at = parsed(address)?;
        let mut token = token;
        for _ in 0..=REDIRECTS_MAX {
            let answer = self.ask(&at, accept, token)?;
            if !answer.status().is_redirection() {
                return Ok(answer);
            }
            let target = answer.headers().get("location").and_then(|it| it.to_str().ok());
            let target = target.ok_or_else(|| unreachable("it redirects to nowhere"))?;
            let next = joined(&at, target)?;
            check_target(&next, &at)?;
            if next.authority() != at.authority() {
                token = None;
            }
            at = next;
        }
        Err(unreachable(format!("it redirects more than {REDIRECTS_MAX} times")))
    }

    fn ask(
        &self,
        at: &Uri,
        accept: &str,
        token: Option<&str>,
    ) -> Result<http::Response<Body>, Fault> {
        let left = self.deadline.saturating_duration_since(Instant::now());
        if left.is_zero() {
            return Err(unreachable(format!("it took longer than {PULL_TIME_MAX:?}")));
        }
        let mut request = self.agent.get(at);
        if !accept.is_empty() {
            request = request.header("accept", accept);
        }
        if let Some(token) = token {
            request = request.header("authorization", format!("Bearer {token}"));
        }
        let answer = request.config().timeout_global(Some(left)).build().call();
        answer.map_err(|error| unreachable(error.to_string()))
    }
}

/// Reads to the end, or to the byte that is too much.
fn read(body: Body, (bytes_max, limit): (ByteSize, &str)) -> Result<Vec<u8>, Fault> {
    let too_large =
        |size: ByteSize| Err(Fault::new(Code::ComponentTooLarge).hit(limit, bytes_max, size));
    if let Some(length) = body.content_length().filter(|length| *length > bytes_max.bytes()) {
        return too_large(ByteSize(length));
    }
    let mut bytes = Vec::new();
    let reader = body.into_reader();
    let read = reader.take(bytes_max.bytes() + 1).read_to_end(&mut bytes);
    read.map_err(|error| unreachable(format!("its answer breaks off: {error}")))?;
    match bytes.len() as u64 > bytes_max.bytes() {
        true => too_large(ByteSize(bytes.len() as u64)),
        false => Ok(bytes),
    }
}

fn parsed(address: &str) -> Result<Uri, Fault> {
    let uri = address.parse::<Uri>().ok();
    let uri = uri.filter(|uri| uri.scheme().is_some() && uri.host().is_some());
    uri.ok_or_else(|| unreachable(format!("it names {}, which is no address", shown(address))))
}

/// The target of a redirect: a whole address, or a path of the same host.
fn joined(at: &Uri, target: &str) -> Result<Uri, Fault> {
    match (target.starts_with('/') && !target.starts_with("//"), at.scheme_str(), at.authority()) {
        (true, Some(scheme), Some(authority)) => parsed(&format!("{scheme}://{authority}{target}")),
        _ => parsed(target),
    }
}

/// Encrypted, or on this machine and asked by something on this machine.
fn check_target(next: &Uri, from: &Uri) -> Result<(), Fault> {
    let is_here = |uri: &Uri| uri.host().is_some_and(is_local);
    let may_go = match next.scheme_str() {
        Some("https") => true,
        Some("http") => is_here(next) && is_here(from),
        _ => false,
    };
    if may_go {
        return Ok(());
    }
    let (what, next) = ("it sends one elsewhere without encryption", next.to_string());
    Err(Fault::new(Code::PullRefused).detail(format!("{what}, to {}", shown(&next))))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(from: &str, target: &str, expect: Option<&str>) {
        let from = parsed(from).unwrap();
        let next = joined(&from, target);
        let next = next.and_then(|next| check_target(&next, &from).map(|()| next.to_string()));
        assert_eq!(next.ok().as_deref(), expect, "{from} {target}");
    }

    #[test]
    fn a_redirect_stays_encrypted_and_does_not_lead_into_this_machine() {
        let (outside, here) = ("https://example.com/v2/x", "http://localhost:5000/v2/x");
        check(outside, "/y", Some("https://example.com/y"));
        check(outside, "https://storage.example/y", Some("https://storage.example/y"));
        check(outside, "http://example.com/y", None);
        check(outside, "http://localhost/y", None);
        check(outside, "file:///etc/passwd", None);
        check(outside, "//example.org/y", None);
        check(here, "/y", Some("http://localhost:5000/y"));
        check(here, "http://127.0.0.1:1/y", Some("http://127.0.0.1:1/y"));
        check(here, "http://169.254.169.254/y", None);
        check(here, "http://localhost.example.com/y", None);
    }
}
