//! One GET to a registry: bounded in time and bytes, redirected only to where it may go.
//!
//! Owns: time limits, redirects, and the token or password that opens a registry.
//! Never: follows a redirect from encrypted to plain, or from this machine to another without encryption; takes what opens one
//! host along to another.

use std::io::Read;
use std::time::{Duration, Instant};

use http::Uri;
use pframe_core::fault::{Code, Fault};
use pframe_core::logins::{Login, Logins};
use pframe_core::oci::{OciReference, is_local};
use pframe_core::units::ByteSize;
use serde::Deserialize;
use ureq::tls::{RootCerts, TlsConfig};
use ureq::{Agent, Body};

use super::challenge::{Challenge, Realm};
use super::manifest::shown;
use super::visitor::{Visitor, check_realm};

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
pub(super) struct Client<'a> {
    agent: Agent,
    base: String,
    visitor: Visitor<'a>,
    /// What stands behind `Authorization`, once the registry asked for it.
    key: Option<String>,
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

impl<'a> Client<'a> {
    pub(super) fn new(reference: &OciReference, logins: &'a Logins) -> Self {
        let tls = TlsConfig::builder().root_certs(RootCerts::PlatformVerifier).build();
        let config = Agent::config_builder()
            .tls_config(tls)
            .http_status_as_error(false)
            .max_redirects(0)
            .max_redirects_will_error(false)
            .timeout_connect(Some(CONNECT_TIME_MAX))
            .timeout_recv_response(Some(ANSWER_TIME_MAX))
            .user_agent(concat!("pframe-host/", env!("CARGO_PKG_VERSION")));
        // A proxy would be told in clear text what is for this machine alone.
        let config = match reference.is_local() {
            true => config.proxy(None).build(),
            false => config.build(),
        };
        let scheme = if reference.is_local() { "http" } else { "https" };
        let (registry, repository) = (reference.registry(), reference.repository());
        Self {
            agent: Agent::new_with_config(config),
            base: format!("{scheme}://{registry}/v2/{repository}/"),
            visitor: Visitor::new(reference, logins),
            key: None,
            deadline: Instant::now() + PULL_TIME_MAX,
        }
    }

    /// The whole answer. A registry that asks who is there is told, or the answer is a fault.
    pub(super) fn get(&mut self, asked: Asked<'_>) -> Result<Vec<u8>, Fault> {
        let address = format!("{}{}", self.base, asked.path);
        let mut answer = self.follow(&address, asked.accept, self.key.as_deref())?;
        if answer.status() == 401 && self.key.is_none() {
            self.key = Some(self.find_key(&answer)?);
            answer = self.follow(&address, asked.accept, self.key.as_deref())?;
        }
        match answer.status().as_u16() {
            200 => read(answer.into_body(), asked.bytes_max),
            404 => Err(Fault::new(Code::PullRefused).detail("there is nothing")),
            401 | 403 => Err(self.visitor.denied()),
            status => Err(unreachable(format!("it answers with status {status}"))),
        }
    }

    /// What the registry's challenge asks for; a token, where there is a choice.
    fn find_key(&self, refusal: &http::Response<Body>) -> Result<String, Fault> {
        let headers = refusal.headers().get_all("www-authenticate");
        let texts = headers.iter().filter_map(|header| header.to_str().ok());
        let challenges: Vec<_> = texts.filter_map(Challenge::parse).collect();
        let realm = challenges.iter().find_map(|challenge| match challenge {
            Challenge::Bearer(realm) => Some(realm.clone()),
            Challenge::Basic => None,
        });
        match (realm, self.visitor.login()) {
            (Some(realm), login) => self.fetch_token(realm, login),
            (None, Some(login)) if challenges.contains(&Challenge::Basic) => {
                login.basic().ok_or_else(|| self.visitor.denied())
            }
            (None, _) => Err(self.visitor.denied()),
        }
    }

    /// A token for the login, else the one that anybody gets.
    fn fetch_token(&self, mut realm: Realm, login: Option<&Login>) -> Result<String, Fault> {
        let (service, registry) = (parsed(&realm.address)?, parsed(&self.base)?);
        check_target(&service, &registry)?;
        if login.is_some() {
            check_realm(&service, &registry)?;
            realm.scope = Some(self.visitor.scope());
        }
        let answer = match login {
            Some(Login::Identity(identity)) => self.exchange(&service, &realm, identity)?,
            Some(login @ Login::Password { .. }) => {
                self.follow(&realm.token_address(), "", login.basic().as_deref())?
            }
            None => self.follow(&realm.token_address(), "", None)?,
        };
        if matches!(answer.status().as_u16(), 401 | 403) {
            return Err(self.visitor.denied());
        }
        let bytes = read(answer.into_body(), (TOKEN_BYTES_MAX, "the answer with a token"))?;
        let token: Option<Token> = serde_json::from_slice(&bytes).ok();
        let token = token.and_then(|it| it.token.or(it.access_token));
        // What goes into a header must be a header.
        let is_plain = |token: &String| token.bytes().all(|byte| byte.is_ascii_graphic());
        let token = token.filter(is_plain).ok_or_else(|| unreachable("it gives no token"))?;
        Ok(format!("Bearer {token}"))
    }

    /// Exchanges an identity token, which lies in the body and is therefore never redirected.
    fn exchange(
        &self,
        service: &Uri,
        realm: &Realm,
        identity: &str,
    ) -> Result<http::Response<Body>, Fault> {
        let form = realm.form(&[
            ("grant_type", "refresh_token"),
            ("client_id", "pframe-host"),
            ("refresh_token", identity),
        ]);
        let request = self.agent.post(service);
        let request = request.header("content-type", "application/x-www-form-urlencoded");
        let request = request.config().timeout_global(Some(self.time_left()?)).build();
        request.send(form).map_err(|error| unreachable(error.to_string()))
    }

    /// Follows redirects. The key stays with the host that it was meant for.
    fn follow(
        &self,
        address: &str,
        accept: &str,
        key: Option<&str>,
    ) -> Result<http::Response<Body>, Fault> {
        let mut at = parsed(address)?;
        let mut key = key;
        for _ in 0..=REDIRECTS_MAX {
            let answer = self.ask(&at, accept, key)?;
            if !answer.status().is_redirection() {
                return Ok(answer);
            }
            let target = answer.headers().get("location").and_then(|it| it.to_str().ok());
            let target = target.ok_or_else(|| unreachable("it redirects to nowhere"))?;
            let next = joined(&at, target)?;
            check_target(&next, &at)?;
            if next.authority() != at.authority() {
                key = None;
            }
            at = next;
        }
        Err(unreachable(format!("it redirects more than {REDIRECTS_MAX} times")))
    }

    fn ask(
        &self,
        at: &Uri,
        accept: &str,
        key: Option<&str>,
    ) -> Result<http::Response<Body>, Fault> {
        let mut request = self.agent.get(at);
        if !accept.is_empty() {
            request = request.header("accept", accept);
        }
        if let Some(key) = key {
            request = request.header("authorization", key);
        }
        let answer = request.config().timeout_global(Some(self.time_left()?)).build().call();
        answer.map_err(|error| unreachable(error.to_string()))
    }

    fn time_left(&self) -> Result<Duration, Fault> {
        match self.deadline.saturating_duration_since(Instant::now()) {
            Duration::ZERO => Err(unreachable(format!("it took longer than {PULL_TIME_MAX:?}"))),
            left => Ok(left),
        }
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
    let is_plain = |uri: &Uri| uri.authority().is_some_and(|it| !it.as_str().contains('@'));
    let uri = uri.filter(|uri| uri.scheme().is_some() && is_plain(uri));
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
