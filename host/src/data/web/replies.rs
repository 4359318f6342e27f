//! What servers answer, and what it means for a source.
//!
//! Owns: reading versions, ranges and types from header fields, and which fault an answer is.
//! Never: believes a field that it cannot read.

use std::ops::Range;

use http::header::{CONTENT_RANGE, CONTENT_TYPE, ETAG, LAST_MODIFIED, LOCATION};
use http::{HeaderMap, HeaderName, Response, StatusCode, Uri};
use pframe_core::fault::{Code, Fault};
use pframe_core::hosts::url_shown;
use pframe_core::job::WebVersion;
use pframe_core::units::ByteSize;

use super::WHOLE_BYTES_MAX;
use crate::outside::HttpError;

pub(super) fn network(name: &str, what: &str) -> Fault {
    Fault::new(Code::Network).detail(format!("`{name}`: {what}"))
}

pub(super) fn missing(name: &str, what: &dyn std::fmt::Display) -> Fault {
    // Whoever writes a password before the host shall not find it in a log.
    Fault::new(Code::InputMissing).detail(format!("`{}`: {what}", url_shown(name)))
}

/// What a person is shown of a URL: what stands behind `?` may be a secret.
pub(super) fn shown(url: &str) -> &str {
    url.split(['?', '#']).next().unwrap_or(url)
}

pub(super) fn parse(url: &str) -> Result<Uri, Fault> {
    let bare = url.split('#').next().unwrap_or(url);
    bare.parse().map_err(|_| missing(url, &HttpError::UriInvalid))
}

/// Whether to try again depends on who is to blame.
pub(super) fn unreachable(name: &str, error: &HttpError) -> Fault {
    match error {
        HttpError::Denied | HttpError::AddressProhibited => {
            Fault::new(Code::GrantRefused).detail(format!("`{name}`: {error}"))
        }
        HttpError::UriInvalid | HttpError::UriTooLong => missing(name, error),
        HttpError::ResponseTooLong(_) => {
            let most = ByteSize(WHOLE_BYTES_MAX);
            let what =
                format!("the server sends more than was asked for, or than {most} without ranges");
            Fault::new(Code::TooBig).detail(format!("`{name}`: {what}"))
        }
        error => network(name, &error.to_string()),
    }
}

/// What a status means that is no success.
pub(super) fn refusal<B>(name: &str, response: &Response<B>) -> Fault {
    let status = response.status();
    if status.is_redirection() {
        let to = response.headers().get(LOCATION).and_then(|to| to.to_str().ok()).unwrap_or("?");
        let what = format!("it moved to `{}`; name that", shown(to).escape_debug());
        return missing(name, &what);
    }
    let what = format!("the server answered {status}");
    match status.is_server_error() || status == StatusCode::TOO_MANY_REQUESTS {
        true => network(name, &what),
        false => missing(name, &what),
    }
}

fn text(headers: &HeaderMap, name: HeaderName) -> Option<&str> {
    headers.get(name)?.to_str().ok()
}

/// What tells this version from others. A weak tag does not: bytes behind it may differ.
pub(super) fn version(headers: &HeaderMap) -> Option<WebVersion> {
    let tag = text(headers, ETAG).filter(|tag| tag.starts_with('"'));
    let tag = tag.map(|tag| WebVersion::Tag(tag.to_owned()));
    tag.or_else(|| Some(WebVersion::Modified(text(headers, LAST_MODIFIED)?.to_owned())))
}

/// `bytes 0-99/1000`: which bytes, of how many.
pub(super) fn content_range(headers: &HeaderMap) -> Option<(Range<u64>, Option<u64>)> {
    let (range, size) = text(headers, CONTENT_RANGE)?.strip_prefix("bytes ")?.split_once('/')?;
    let (first, last) = range.split_once('-')?;
    let (first, last): (u64, u64) = (first.parse().ok()?, last.parse().ok()?);
    let size = if size == "*" { None } else { Some(size.parse().ok()?) };
    Some((first..last.checked_add(1)?, size))
}

pub(super) fn media_type(headers: &HeaderMap) -> Option<String> {
    let whole = text(headers, CONTENT_TYPE)?;
    let media_type = whole.split(';').next()?.trim();
    let is_plain = media_type.len() <= 127 && media_type.bytes().all(|it| it.is_ascii_graphic());
    (is_plain && !media_type.is_empty()).then(|| media_type.to_ascii_lowercase())
}

#[cfg(test)]
mod tests {
    use super::super::is_url;
    use super::*;

    fn headers(fields: &[(HeaderName, &str)]) -> HeaderMap {
        let field = |(name, value): &(HeaderName, &str)| (name.clone(), value.parse().unwrap());
        fields.iter().map(field).collect()
    }

    #[test]
    fn what_servers_say_of_ranges_and_versions_is_read_with_care() {
        let range = |text: &str| content_range(&headers(&[(CONTENT_RANGE, text)]));
        assert_eq!(range("bytes 0-0/10"), Some((0..1, Some(10))));
        assert_eq!(range("bytes 5-9/*"), Some((5..10, None)));
        for text in ["bytes */10", "items 0-1/2", "bytes 0-18446744073709551615/1", "bytes a-b/c"] {
            assert_eq!(range(text), None, "{text}");
        }
        let both = [(ETAG, "\"a\""), (LAST_MODIFIED, "yesterday")];
        assert_eq!(version(&headers(&both)), Some(WebVersion::Tag("\"a\"".into())));
        let weak = [(ETAG, "W/\"a\""), (LAST_MODIFIED, "yesterday")];
        assert_eq!(version(&headers(&weak)), Some(WebVersion::Modified("yesterday".into())));
        assert_eq!(version(&headers(&[(ETAG, "W/\"a\"")])), None);
        assert_eq!(
            media_type(&headers(&[(CONTENT_TYPE, "Text/Plain; charset=x")])).as_deref(),
            Some("text/plain")
        );
    }

    #[test]
    fn what_stands_behind_a_question_mark_is_not_shown() {
        assert_eq!(shown("https://a.org/b?signature=secret#x"), "https://a.org/b");
        assert!(is_url("HTTPS://a.org") && is_url("http://a.org") && !is_url("file:///a"));
    }
}
