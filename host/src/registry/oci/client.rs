//! One GET to a registry: bounded in time and bytes, redirected only to where it may go.
//!
//! Owns: time limits, redirects, and the token or password that opens a registry.
//! Never: follows a redirect from encrypted to plain, or from this machine to another without encryption; takes what opens one
//! host along to another.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::header::{ACCEPT, AUTHORIZATION, CONTENT_TYPE, LOCATION, USER_AGENT, WWW_AUTHENTICATE};
use http::{Request, Response, Uri, request};
use http_body::Body;
use http_body_util::{BodyExt, Full};
use pframe_core::fault::{Code, Fault};
use pframe_core::logins::{Login, Logins};
use pframe_core::oci::{OciReference, is_local};
use pframe_core::units::ByteSize;
use serde::Deserialize;

use super::challenge::{Challenge, Realm};
use super::manifest::shown;
use super::visitor::{Visitor, check_realm};
use crate::outside::{
    Account, Caller, Caps, HttpError, Names, Outside, Patience, Reach, Received, Target, Timeouts,
};

/// A connection is made, an answer begins, and goes on, within these times.
const TIMEOUTS: Timeouts = Timeouts {
    connect: Some(Duration::from_secs(10)),
    first_byte: Some(Duration::from_secs(30)),
    between_bytes: Some(Duration::from_secs(30)),
};
/// A whole pull, however many answers it takes.
const PULL_TIME_MAX: Duration = Duration::from_mins(10);
/// Redirects of one answer.
const REDIRECTS_MAX: usize = 5;
/// The longest answer that holds a token.
const TOKEN_BYTES_MAX: ByteSize = ByteSize::kib(64);
/// One request; what is read of its answer is bounded where it is read.
const CAPS: Caps = Caps { requests: 1, at_once: 1, sent: u64::MAX, received: u64::MAX };

/// Speaks with one registry, for one pull.
pub(super) struct Client<'a> {
    outside: Outside,
    base: String,
    visitor: Visitor<'a>,
    /// What stands behind `Authorization`, once the registry asked for it.
    key: Option<String>,
    patience: Patience,
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

fn failed(error: &HttpError) -> Fault {
    unreachable(error.to_string())
}

impl<'a> Client<'a> {
    pub(super) fn new(reference: &OciReference, logins: &'a Logins) -> Self {
        let scheme = if reference.is_local() { "http" } else { "https" };
        let (registry, repository) = (reference.registry(), reference.repository());
        Self {
            outside: Outside::new(Names::default()),
            base: format!("{scheme}://{registry}/v2/{repository}/"),
            visitor: Visitor::new(reference, logins),
            key: None,
            patience: Patience::of(PULL_TIME_MAX),
        }
    }

    /// The whole answer. A registry that asks who is there is told, or the answer is a fault.
    pub(super) fn get(&mut self, asked: Asked<'_>) -> Result<Vec<u8>, Fault> {
        let address = format!("{}{}", self.base, asked.path);
        let registry = parsed(&address)?;
        let (mut from, mut answer) = self.follow(&address, asked.accept, self.key.as_deref())?;
        let is_own = |from: &Uri| from.authority() == registry.authority();
        // Where a redirect leads nobody may ask who is there: that host would choose who is told the login.
        if answer.status() == 401 && self.key.is_none() && is_own(&from) {
            self.key = Some(self.find_key(&answer)?);
            (from, answer) = self.follow(&address, asked.accept, self.key.as_deref())?;
        }
        match answer.status().as_u16() {
            200 => self.read(answer.into_body(), asked.bytes_max),
            404 => Err(Fault::new(Code::PullRefused).detail("there is nothing")),
            401 | 403 if is_own(&from) => Err(self.visitor.denied()),
            status => Err(unreachable(format!("it answers with status {status}"))),
        }
    }

    /// What the registry's challenge asks for; a token, where there is a choice.
    fn find_key(&self, refusal: &Response<Received>) -> Result<String, Fault> {
        let headers = refusal.headers().get_all(WWW_AUTHENTICATE);
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
                self.follow(&realm.token_address(), "", login.basic().as_deref())?.1
            }
            None => self.follow(&realm.token_address(), "", None)?.1,
        };
        if matches!(answer.status().as_u16(), 401 | 403) {
            return Err(self.visitor.denied());
        }
        let bytes = self.read(answer.into_body(), (TOKEN_BYTES_MAX, "the answer with a token"))?;
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
    ) -> Result<Response<Received>, Fault> {
        let form = realm.form(&[
            ("grant_type", "refresh_token"),
            ("client_id", "pframe-host"),
            ("refresh_token", identity),
        ]);
        let request = Request::post(service);
        self.send(request.header(CONTENT_TYPE, "application/x-www-form-urlencoded"), form)
    }

    /// Follows redirects, to an answer and where it is from. The key stays with the host that it was meant for.
    fn follow(
        &self,
        address: &str,
        accept: &str,
        key: Option<&str>,
    ) -> Result<(Uri, Response<Received>), Fault> {
        let mut at = parsed(address)?;
        let mut key = key;
        for _ in 0..=REDIRECTS_MAX {
            let answer = self.ask(&at, accept, key)?;
            if !answer.status().is_redirection() {
                return Ok((at, answer));
            }
            let target = answer.headers().get(LOCATION).and_then(|it| it.to_str().ok());
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

    fn ask(&self, at: &Uri, accept: &str, key: Option<&str>) -> Result<Response<Received>, Fault> {
        let mut request = Request::get(at);
        if !accept.is_empty() {
            request = request.header(ACCEPT, accept);
        }
        if let Some(key) = key {
            request = request.header(AUTHORIZATION, key);
        }
        self.send(request, String::new())
    }

    /// Waits for the head of an answer, from wherever the registry is: the operator's network may have it inside.
    fn send(&self, request: request::Builder, body: String) -> Result<Response<Received>, Fault> {
        let body = Full::new(Bytes::from(body)).map_err(|error| match error {});
        let request =
            request.header(USER_AGENT, concat!("pframe-host/", env!("CARGO_PKG_VERSION")));
        let request = request.body(body).map_err(|error| unreachable(error.to_string()))?;
        let target = Target::of(request.uri()).map_err(|error| failed(&error))?;
        let (reach, account) = (Reach::own(target), Arc::new(Account::new(CAPS)));
        let caller = Caller { outside: self.outside.clone(), reach, account };
        let called = caller.call(request, TIMEOUTS, self.patience.deadline);
        self.outside.wait(&self.patience, called).map_err(|error| failed(&error))
    }

    /// Reads to the end, or to the piece that is too much.
    fn read(&self, mut body: Received, bound: (ByteSize, &str)) -> Result<Vec<u8>, Fault> {
        let (bytes_max, limit) = bound;
        let check = |size: u64| match size > bytes_max.bytes() {
            true => Err(Fault::new(Code::ComponentTooLarge).hit(limit, bytes_max, ByteSize(size))),
            false => Ok(()),
        };
        check(body.size_hint().lower())?;
        let mut bytes = Vec::new();
        loop {
            let frame = async { body.frame().await.transpose() };
            let frame = self.outside.wait(&self.patience, frame);
            let frame =
                frame.map_err(|error| unreachable(format!("its answer breaks off: {error}")));
            let Some(frame) = frame? else { return Ok(bytes) };
            bytes.extend_from_slice(frame.data_ref().map_or(&[], |piece| piece));
            check(bytes.len() as u64)?;
        }
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
