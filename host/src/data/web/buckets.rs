//! Objects of S3, and of whatever speaks like it: listed, read by ranges, written whole.
//!
//! Owns: how a bucket is reached: by connections of `outside` to the endpoint that the operator named, signed with what the
//! program was given.
//! Never: lets credentials into a fault, or goes anywhere for some that it was not given.

use std::collections::BTreeMap;
use std::fmt;
use std::future::Future;
use std::ops::Range;
use std::pin::Pin;
use std::sync::Arc;
use std::time::{Duration, Instant};

use futures_util::TryStreamExt;
use globset::GlobBuilder;
use http::header::{HOST, RANGE};
use http_body_util::BodyExt;
use object_store::aws::{AmazonS3, AmazonS3Builder};
use object_store::client::{
    HttpClient, HttpConnector, HttpError as StoreHttpError, HttpErrorKind, HttpRequest,
    HttpResponse, HttpResponseBody, HttpService,
};
use object_store::path::Path;
use object_store::{
    ClientOptions, Error as StoreError, GetOptions, GetRange, MultipartUpload, ObjectMeta,
    ObjectStore, ObjectStoreExt, PutPayload, RetryConfig,
};
use pframe_core::buckets::{BucketPrefix, object};
use pframe_core::fault::{Code, Fault};
use pframe_core::job::{Source, SourcePlace, WebVersion};

use super::{Page, TenantWeb};
use crate::data::inputs::{is_pattern, media_type};
use crate::data::source::{Bytes, ReadProblem};
use crate::outside::{Account, Caller, Caps, HttpError, Outside, Reach, Target, Timeouts};

/// Objects that are looked at for one pattern.
const LISTED_MAX: usize = 100_000;
/// Bytes of an answer that is no part of an object: a page of a list.
const ANSWER_BYTES_MAX: u64 = 16 << 20;
/// Bytes of a result that are sent together; S3 takes no less than 5 MiB, but for the last.
const PART_BYTES: u64 = 8 << 20;
/// Parts of a result at most; S3 takes 10,000.
const PARTS_MAX: u64 = 9_000;
/// Bytes of an error that are shown.
const ERROR_BYTES_MAX: usize = 300;
/// Tries of a request that fails for now, besides the first.
const RETRIES_MAX: usize = 3;
/// The longest silence of a store.
const SILENCE_MAX: Duration = Duration::from_secs(30);
/// What is read of the settings: keys, where the store is, and how its buckets are named.
const SETTINGS: [&str; 9] = [
    "AWS_ACCESS_KEY_ID",
    "AWS_SECRET_ACCESS_KEY",
    "AWS_SESSION_TOKEN",
    "AWS_REGION",
    "AWS_DEFAULT_REGION",
    ENDPOINT,
    "AWS_ENDPOINT_URL_S3",
    HOSTED_STYLE,
    "AWS_SKIP_SIGNATURE",
];
const ENDPOINT: &str = "AWS_ENDPOINT_URL";
const HOSTED_STYLE: &str = "AWS_VIRTUAL_HOSTED_STYLE_REQUEST";
/// What the crate reads as a setting that is off.
const OFF: [&str; 5] = ["0", "false", "off", "no", "n"];
/// Those of them that nobody is shown.
const SECRETS: [&str; 3] = ["AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN"];

/// How stores are reached, as variables `AWS_…`; or why they are not.
#[derive(Clone)]
pub(crate) struct StoreSettings(Result<Arc<BTreeMap<String, String>>, Arc<str>>);

impl Default for StoreSettings {
    fn default() -> Self {
        Self::new(BTreeMap::new())
    }
}

impl fmt::Debug for StoreSettings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("StoreSettings")
    }
}

impl StoreSettings {
    /// Takes what it knows and leaves the rest.
    pub(crate) fn new(variables: BTreeMap<String, String>) -> Self {
        let mut known = variables;
        known.retain(|name, value| SETTINGS.contains(&name.as_str()) && !value.is_empty());
        Self(Ok(Arc::new(known)))
    }

    /// No store is reached, for this reason.
    pub(crate) fn refused(why: &str) -> Self {
        Self(Err(why.into()))
    }

    fn get(&self, name: &str) -> Option<&String> {
        self.0.as_ref().ok()?.get(name)
    }

    /// All of them, or the fault of whoever has none.
    fn known(&self) -> Result<&BTreeMap<String, String>, Fault> {
        self.0.as_deref().map_err(|why| unusable(why))
    }

    /// The text without what nobody is shown: stores repeat keys in their errors.
    fn without_secrets(&self, text: &str) -> String {
        let mut text = text.to_owned();
        for secret in SECRETS.iter().filter_map(|name| self.get(name)) {
            text = text.replace(secret.as_str(), "…");
        }
        text.chars().take(ERROR_BYTES_MAX).flat_map(char::escape_debug).collect()
    }

    /// The endpoint that the operator named, wherever that is; else that of Amazon. What is checked is this one host: a bucket
    /// is part of the path there, never of the name.
    fn reach(&self) -> Result<Reach, Fault> {
        let endpoint = self.get("AWS_ENDPOINT_URL_S3").or_else(|| self.get(ENDPOINT));
        let Some(endpoint) = endpoint else {
            let amazon = "*.amazonaws.com".parse().expect("a pattern of names");
            return Ok(Reach::new(&[amazon]));
        };
        let is_off = |value: &String| OFF.iter().any(|off| value.eq_ignore_ascii_case(off));
        if !self.get(HOSTED_STYLE).is_none_or(is_off) {
            let what =
                format!("`{HOSTED_STYLE}` is for Amazon's own endpoint; unset it, or `{ENDPOINT}`");
            return Err(unusable(&what));
        }
        let url = endpoint.parse().map_err(|_| HttpError::UriInvalid);
        let target = url.and_then(|url| Target::of(&url));
        let target = target.map_err(|error| unusable(&format!("`{ENDPOINT}`: {error}")))?;
        Ok(Reach::own(target))
    }
}

fn unusable(what: &str) -> Fault {
    Fault::new(Code::InputMissing).detail(format!("S3 cannot be used: {what}"))
}

/// True for what lies in a bucket.
pub(crate) fn is_object(text: &str) -> bool {
    text.starts_with("s3://")
}

impl TenantWeb {
    /// The objects that a URL, or a pattern, names: in the order of their keys.
    pub(crate) fn find_objects(&self, url: &str) -> Result<Vec<Source>, Fault> {
        let (bucket, key) = self.checked(url)?;
        let store = self.store(bucket)?;
        if !is_pattern(key) {
            let meta = self.wait_for(url, store.head(&path(url, key)?))?;
            return Ok(vec![source(bucket, &meta)?]);
        }
        let glob = GlobBuilder::new(key).literal_separator(true).build();
        let glob = glob.map_err(|error| missing(url, &error.kind().to_string()))?.compile_matcher();
        let prefix = fixed(key);
        let prefix = if prefix.is_empty() { None } else { Some(path(url, prefix)?) };
        let mut listed = store.list(prefix.as_ref());
        let (mut seen, mut found) = (0, Vec::new());
        while let Some(meta) = self.wait_for(url, listed.try_next())? {
            seen += 1;
            if seen > LISTED_MAX {
                return Err(missing(url, "more than 100,000 objects to look at"));
            }
            if glob.is_match(meta.location.as_ref()) {
                found.push(source(bucket, &meta)?);
            }
        }
        found.sort_by(|one, other| one.name.cmp(&other.name));
        if found.is_empty() {
            Err(missing(url, "the pattern matches no object"))
        } else {
            Ok(found)
        }
    }

    /// Reads a range of an object piece by piece.
    pub(super) fn read_object(
        &self,
        page: &Page,
        range: Range<u64>,
        mut take: impl FnMut(u64, &[u8]) -> Result<(), Fault>,
    ) -> Result<(), Fault> {
        if range.is_empty() {
            return Ok(());
        }
        let (bucket, key) = self.checked(&page.url)?;
        let WebVersion::Tag(tag) = &page.version else {
            return Err(Fault::new(Code::Bug).detail("an object without a tag"));
        };
        let options = GetOptions {
            range: Some(GetRange::Bounded(range.clone())),
            if_match: Some(tag.clone()),
            ..GetOptions::default()
        };
        let store = self.store(bucket)?;
        let location = path(&page.url, key)?;
        let got = self.wait_for(&page.url, store.get_opts(&location, options))?;
        if got.meta.size != page.size {
            return Err(Fault::new(Code::InputChanged).detail(format!("`{}`", page.url)));
        }
        let (mut at, mut pieces) = (range.start, got.into_stream());
        while let Some(piece) = self.wait_for(&page.url, pieces.try_next())? {
            if piece.len() as u64 > range.end - at {
                return Err(super::network(&page.url, "the store gives more than was asked for"));
            }
            take(at, &piece)?;
            at += piece.len() as u64;
        }
        if at < range.end {
            Err(super::network(&page.url, "the object came in part"))
        } else {
            Ok(())
        }
    }

    /// The fault of a result that may not be written there.
    pub(crate) fn check_target(&self, url: &str) -> Result<(), Fault> {
        let (bucket, _) = self.checked(url)?;
        self.store(bucket).map(drop)
    }

    /// Writes a result: whole, or not at all. Doing it twice does no harm.
    pub(crate) fn upload(&self, url: &str, bytes: &Bytes) -> Result<(), Fault> {
        let (bucket, key) = self.checked(url)?;
        let (store, location) = (self.store(bucket)?, path(url, key)?);
        let piece = |offset, length| {
            let read = bytes.read(offset, length);
            read.map(PutPayload::from).map_err(|problem: ReadProblem| {
                Fault::new(Code::InputOutput).detail(format!("reading a stored result: {problem}"))
            })
        };
        if bytes.size() <= PART_BYTES {
            let payload = piece(0, PART_BYTES)?;
            return self.wait_for(url, store.put(&location, payload)).map(drop);
        }
        let mut upload = self.wait_for(url, store.put_multipart(&location))?;
        let part_bytes = PART_BYTES.max(bytes.size().div_ceil(PARTS_MAX));
        let mut send_all = || {
            let mut offset = 0;
            while offset < bytes.size() {
                let part = upload.put_part(piece(offset, part_bytes)?);
                self.wait_for(url, part)?;
                offset += part_bytes;
            }
            self.wait_for(url, upload.complete()).map(drop)
        };
        let sent = send_all();
        if sent.is_err() {
            // A store keeps parts until it is told: if it does not hear this, its own rules remove them.
            let _ = self.wait_for(url, upload.abort());
        }
        sent
    }

    /// Bucket and key of a URL that the tenant may use.
    fn checked<'a>(&self, url: &'a str) -> Result<(&'a str, &'a str), Fault> {
        let (bucket, key) = object(url).map_err(|error| missing(url, &error.to_string()))?;
        let place = if is_pattern(key) { fixed(key) } else { key };
        if self.buckets.iter().any(|allowed: &BucketPrefix| allowed.has(bucket, place)) {
            return Ok((bucket, key));
        }
        let tenant = &self.tenant;
        let detail = format!(
            "tenant `{tenant}` may not use `{url}`; `s3: {bucket}` among its grants in the configuration allows the bucket"
        );
        Err(Fault::new(Code::GrantRefused).detail(detail))
    }

    fn store(&self, bucket: &str) -> Result<AmazonS3, Fault> {
        let settings = &self.web.settings;
        let known = settings.known()?;
        let has = |name| known.contains_key(name);
        let has_keys = has("AWS_ACCESS_KEY_ID") && has("AWS_SECRET_ACCESS_KEY");
        // Without keys the crate would ask the machine's metadata service for some.
        if !has_keys && !has("AWS_SKIP_SIGNATURE") {
            return Err(unusable(
                "set `AWS_ACCESS_KEY_ID` and `AWS_SECRET_ACCESS_KEY`, or have them in a profile",
            ));
        }
        let connector = Connector {
            outside: self.web.outside.clone(),
            reach: settings.reach()?,
            deadline: self.patience.deadline,
        };
        let retry = RetryConfig {
            max_retries: RETRIES_MAX,
            retry_timeout: SILENCE_MAX,
            ..RetryConfig::default()
        };
        let mut builder = AmazonS3Builder::new();
        for (name, value) in known {
            if let Ok(key) = name.to_ascii_lowercase().parse() {
                builder = builder.with_config(key, value);
            }
        }
        let builder = builder.with_bucket_name(bucket).with_retry(retry);
        let built = builder.with_http_connector(connector).build();
        built.map_err(|error| unusable(&settings.without_secrets(&error.to_string())))
    }

    fn wait_for<T>(
        &self,
        url: &str,
        work: impl Future<Output = Result<T, StoreError>>,
    ) -> Result<T, Fault> {
        let done = self.web.outside.wait(&self.patience, async { Ok(work.await) });
        let done = done.map_err(|error| super::unreachable(url, &error))?;
        done.map_err(|error| match &error {
            StoreError::NotFound { .. } => missing(url, "there is no such object"),
            StoreError::Precondition { .. } | StoreError::NotModified { .. } => {
                Fault::new(Code::InputChanged).detail(format!("`{url}`"))
            }
            StoreError::PermissionDenied { .. } | StoreError::Unauthenticated { .. } => {
                missing(url, "the store does not allow it with these credentials")
            }
            _ => super::network(url, &self.web.settings.without_secrets(&error.to_string())),
        })
    }
}

fn missing(url: &str, why: &str) -> Fault {
    Fault::new(Code::InputMissing).detail(format!("`{url}`: {why}"))
}

fn path(url: &str, key: &str) -> Result<Path, Fault> {
    Path::parse(key).map_err(|_| missing(url, "no key of an object"))
}

/// The folders before a pattern's first sign.
fn fixed(key: &str) -> &str {
    let first = key.find(['*', '?', '[', '{']).unwrap_or(key.len());
    key[..first].rsplit_once('/').map_or("", |(folders, _)| folders)
}

fn source(bucket: &str, meta: &ObjectMeta) -> Result<Source, Fault> {
    let name = format!("s3://{bucket}/{}", meta.location);
    let media_type = media_type(std::path::Path::new(&name)).map(str::to_owned);
    let tag = meta.e_tag.clone().ok_or_else(|| missing(&name, "the store gives it no tag"))?;
    let place = match meta.size {
        0 => SourcePlace::Inline(Arc::default()),
        _ => SourcePlace::Web { url: name.clone(), version: WebVersion::Tag(tag) },
    };
    Ok(Source { name, media_type, size: meta.size, place })
}

/// Lets the crate speak over our own connections.
#[derive(Clone)]
struct Connector {
    outside: Outside,
    reach: Reach,
    deadline: Instant,
}

impl fmt::Debug for Connector {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Connector")
    }
}

impl HttpConnector for Connector {
    fn connect(&self, _: &ClientOptions) -> object_store::Result<HttpClient> {
        Ok(HttpClient::new(self.clone()))
    }
}

type Called<'a> = Pin<Box<dyn Future<Output = Result<HttpResponse, StoreHttpError>> + Send + 'a>>;

impl HttpService for Connector {
    fn call<'life0, 'async_trait>(&'life0 self, request: HttpRequest) -> Called<'async_trait>
    where
        'life0: 'async_trait,
        Self: 'async_trait,
    {
        Box::pin(async move {
            let is_part = request.headers().contains_key(RANGE);
            let received = if is_part { u64::MAX } else { ANSWER_BYTES_MAX };
            let caps = Caps { requests: 1, at_once: 1, sent: u64::MAX, received };
            let account = Arc::new(Account::new(caps));
            let (outside, reach) = (self.outside.clone(), self.reach.clone());
            let caller = Caller { outside, reach, account };
            let mut request = request.map(|body| body.map_err(|_| HttpError::Cancelled));
            // It is written from what is connected to; the signature counts the same.
            request.headers_mut().remove(HOST);
            let timeouts = Timeouts {
                connect: None,
                first_byte: Some(SILENCE_MAX),
                between_bytes: Some(SILENCE_MAX),
            };
            let response = caller.call(request, timeouts, self.deadline).await.map_err(failed)?;
            Ok(response.map(|body| HttpResponseBody::new(body.map_err(failed))))
        })
    }
}

fn failed(error: HttpError) -> StoreHttpError {
    let kind = match &error {
        HttpError::Name
        | HttpError::Refused
        | HttpError::Unreachable
        | HttpError::ConnectTimeout => HttpErrorKind::Connect,
        HttpError::ResponseTimeout | HttpError::ReadTimeout => HttpErrorKind::Timeout,
        HttpError::Terminated | HttpError::Incomplete => HttpErrorKind::Interrupted,
        _ => HttpErrorKind::Unknown,
    };
    StoreHttpError::new(kind, error)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn reach(settings: &[(&str, &str)]) -> Result<(), String> {
        let owned = |(name, value): &(&str, &str)| ((*name).to_owned(), (*value).to_owned());
        let settings = StoreSettings::new(settings.iter().map(owned).collect());
        settings.reach().map(drop).map_err(|fault| fault.to_string())
    }

    #[test]
    fn a_bucket_is_no_part_of_the_name_of_an_endpoint() {
        for endpoint in [ENDPOINT, "AWS_ENDPOINT_URL_S3"] {
            let endpoint = (endpoint, "http://store.corp:9000");
            assert_eq!(reach(&[endpoint]), Ok(()));
            for off in OFF {
                assert_eq!(reach(&[endpoint, (HOSTED_STYLE, off)]), Ok(()), "{off}");
            }
            for on in ["true", "TRUE", "1", "yes", "perhaps"] {
                let refused = reach(&[endpoint, (HOSTED_STYLE, on)]).unwrap_err();
                assert!(refused.contains(HOSTED_STYLE), "{on}: {refused}");
            }
        }
        assert_eq!(reach(&[(HOSTED_STYLE, "true")]), Ok(()), "Amazon's own names are all granted");
    }
}
