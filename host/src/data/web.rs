//! Sources behind a URL: measured with one request, read by range, fetched whole where that cannot be had.
//!
//! Owns: that what is read is what was accepted: each range is asked for under the condition that nothing changed, and what
//! came without ranges is known by its digest.
//! Never: asks a host that the job's tenant may not ask, or keeps more in memory than one piece of a body.

mod buckets;
mod replies;

use std::collections::{BTreeMap, VecDeque};
use std::fs::File;
use std::ops::Range;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::time::Duration;

use bytes::Bytes;
use http::header::{ACCEPT_ENCODING, IF_MATCH, IF_UNMODIFIED_SINCE, RANGE};
use http::{HeaderName, HeaderValue, Request, Response, StatusCode, Uri};
use http_body_util::{BodyExt, Empty};
use pframe_core::buckets::BucketPrefix;
use pframe_core::fault::{Code, Fault};
use pframe_core::ids::{Digest, TenantName};
use pframe_core::job::{Grant, Source, SourcePlace, WebVersion};
use pframe_core::units::ByteSize;
use sha2::{Digest as _, Sha256};

pub(crate) use self::buckets::{StoreSettings, is_object};
use self::replies::{
    content_range, media_type, missing, network, parse, refusal, shown, unreachable, version,
};
use crate::outside::{Account, Caller, Caps, Outside, Patience, Reach, Received, Target, Timeouts};

/// Bytes of a source that its server gives only as a whole: it lies in the temporary storage.
const WHOLE_BYTES_MAX: u64 = 4 << 30;
/// Bytes of such sources that are kept although nobody reads them at the moment.
const KEPT_BYTES_MAX: u64 = 8 << 30;
/// Such sources that are kept at most: each is an open file.
const KEPT_MAX: usize = 64;
/// Bytes of all sources that were fetched and are used or kept, and of those that are just coming.
const STAGED_BYTES_MAX: u64 = 64 << 30;
/// Of a source of unknown length so much is counted ahead.
const STAGED_BYTES_STEP: u64 = 16 << 20;
/// Bytes that a look asks for at least.
const LOOK_BYTES: u64 = 16 << 10;
/// The longest silence of a server.
const SILENCE_MAX: Duration = Duration::from_secs(30);
/// Tries of a read whose connection broke, before the attempt is told; it is tried again by its own rules.
const TRIES_MAX: u32 = 3;

/// The web, for all tenants.
#[derive(Debug)]
pub(crate) struct Web {
    outside: Outside,
    /// How stores of objects are reached.
    settings: StoreSettings,
    /// What each tenant was granted; others nothing.
    granted: BTreeMap<TenantName, Granted>,
    directory: PathBuf,
    /// Fetched whole; the one that was used last at the end.
    kept: Mutex<VecDeque<(Digest, Arc<File>, u64)>>,
    /// What was counted for files: it counts as long as they live.
    staged: Mutex<Vec<(Weak<File>, u64)>>,
}

impl Web {
    /// Files lie in this directory, without a name.
    pub(crate) fn new(
        outside: Outside,
        settings: StoreSettings,
        granted: BTreeMap<TenantName, Granted>,
        directory: PathBuf,
    ) -> Self {
        let (kept, staged) = (Mutex::default(), Mutex::default());
        Self { outside, settings, granted, directory, kept, staged }
    }

    /// The web as this tenant may see it.
    pub(crate) fn of(self: &Arc<Self>, tenant: &TenantName, patience: Patience) -> TenantWeb {
        let Granted { reach, buckets } = self.granted.get(tenant).cloned().unwrap_or_default();
        TenantWeb { web: Arc::clone(self), tenant: tenant.clone(), reach, buckets, patience }
    }

    /// Counts bytes that will lie in this file; there is no room for more than [`STAGED_BYTES_MAX`] in all.
    fn stage(&self, file: &Arc<File>, bytes: u64) -> Result<(), Fault> {
        let mut staged = self.staged.lock().unwrap_or_else(PoisonError::into_inner);
        staged.retain(|(file, _)| file.strong_count() > 0);
        let total = staged.iter().fold(bytes, |sum, (_, bytes)| sum.saturating_add(*bytes));
        if total > STAGED_BYTES_MAX {
            let most = ByteSize(STAGED_BYTES_MAX);
            let detail = format!("staging a source: more than {most} of sources at once");
            return Err(Fault::new(Code::DiskFull).detail(detail));
        }
        staged.push((Arc::downgrade(file), bytes));
        Ok(())
    }
}

/// What a tenant may fetch from, and where its results may go.
#[derive(Debug, Clone, Default)]
pub(crate) struct Granted {
    reach: Reach,
    buckets: Arc<[BucketPrefix]>,
}

impl Granted {
    pub(crate) fn new(grants: &[Grant]) -> Self {
        let hosts: Vec<_> = grants.iter().filter_map(Grant::hosts).cloned().collect();
        let buckets = grants.iter().filter_map(Grant::objects).cloned().collect();
        Self { reach: Reach::new(&hosts), buckets }
    }
}

/// The web, for one tenant.
#[derive(Debug, Clone)]
pub(crate) struct TenantWeb {
    web: Arc<Web>,
    tenant: TenantName,
    reach: Reach,
    buckets: Arc<[BucketPrefix]>,
    patience: Patience,
}

#[cfg(test)]
impl TenantWeb {
    /// Nothing may be asked.
    pub(crate) fn denied() -> Self {
        let outside = Outside::new(crate::outside::Names::System);
        let web =
            Web::new(outside, StoreSettings::default(), BTreeMap::new(), std::env::temp_dir());
        Arc::new(web).of(&TenantName::default_tenant(), Patience::of(Duration::from_secs(1)))
    }
}

/// Where a source lies: what is asked for, and what must not have changed.
#[derive(Debug, Clone)]
pub(crate) struct Page {
    pub(crate) url: String,
    pub(crate) version: WebVersion,
    pub(crate) size: u64,
}

/// Looks at a few bytes here and there, of which many lie close together.
#[derive(Debug)]
pub(crate) struct Looks {
    web: TenantWeb,
    page: Page,
    /// What was read last, and where it begins.
    seen: Mutex<(u64, Vec<u8>)>,
}

impl Looks {
    pub(crate) fn new(web: TenantWeb, page: Page) -> Self {
        Self { web, page, seen: Mutex::default() }
    }

    pub(crate) fn size(&self) -> u64 {
        self.page.size
    }

    /// These bytes, which lie within the size.
    pub(crate) fn read(&self, range: Range<u64>) -> Result<Vec<u8>, Fault> {
        let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        let is_there = |seen: &(u64, Vec<u8>)| {
            seen.0 <= range.start && range.end <= seen.0 + seen.1.len() as u64
        };
        if !is_there(&seen) {
            let end = range.end.max(range.start + LOOK_BYTES).min(self.page.size);
            *seen = (range.start, self.web.read(&self.page, range.start..end)?);
        }
        let place = |at: u64| usize::try_from(at - seen.0).expect("it lies in memory");
        Ok(seen.1[place(range.start)..place(range.end)].to_vec())
    }
}

/// True for what is fetched instead of opened.
pub(crate) fn is_url(text: &str) -> bool {
    let is_scheme = |scheme: &str| {
        text.get(..scheme.len()).is_some_and(|start| start.eq_ignore_ascii_case(scheme))
    };
    is_scheme("http://") || is_scheme("https://")
}

impl TenantWeb {
    /// Finds out what a URL leads to, with one request.
    pub(crate) fn measure(&self, url: &str) -> Result<Source, Fault> {
        let uri = parse(url)?;
        self.check(&uri)?;
        let name = shown(url);
        let response = self.ask(&uri, &[(RANGE, "bytes=0-0")], 1)?;
        let media_type = media_type(response.headers());
        let source = |size, version| {
            let place = SourcePlace::Web { url: url.to_owned(), version };
            Source { name: name.to_owned(), media_type: media_type.clone(), size, place }
        };
        match response.status() {
            StatusCode::PARTIAL_CONTENT => {
                let size = content_range(response.headers()).and_then(|(_, size)| size);
                if let (Some(size), Some(version)) = (size, version(response.headers())) {
                    return Ok(source(size, version));
                }
            }
            // Nothing has no first byte.
            StatusCode::RANGE_NOT_SATISFIABLE => {
                let place = SourcePlace::Inline(Arc::default());
                return Ok(Source { name: name.to_owned(), media_type, size: 0, place });
            }
            StatusCode::OK => {}
            _ => return Err(refusal(name, &response)),
        }
        drop(response);
        let (file, size, sha256) = self.fetch_whole(&uri, name)?;
        self.keep(sha256, &file, size);
        Ok(source(size, WebVersion::Whole(sha256)))
    }

    /// Bytes of a source, of which these are wanted: a file with them in their places and holes around.
    pub(crate) fn fetch(&self, page: &Page, range: Range<u64>) -> Result<Arc<File>, Fault> {
        if let WebVersion::Whole(sha256) = page.version {
            return self.whole(page, sha256);
        }
        let file = self.temporary()?;
        self.web.stage(&file, range.end - range.start)?;
        file.set_len(page.size).map_err(|error| disk(&error))?;
        self.read_into(page, range, |at, bytes| {
            file.write_all_at(bytes, at).map_err(|error| disk(&error))
        })?;
        Ok(file)
    }

    /// A few bytes of a source that has ranges.
    fn read(&self, page: &Page, range: Range<u64>) -> Result<Vec<u8>, Fault> {
        let mut read = Vec::new();
        self.read_into(page, range, |_, bytes| {
            read.extend_from_slice(bytes);
            Ok(())
        })?;
        Ok(read)
    }

    /// Reads a range piece by piece; goes on behind what came where a connection breaks.
    fn read_into(
        &self,
        page: &Page,
        range: Range<u64>,
        mut take: impl FnMut(u64, &[u8]) -> Result<(), Fault>,
    ) -> Result<(), Fault> {
        if is_object(&page.url) {
            return self.read_object(page, range, take);
        }
        let uri = parse(&page.url)?;
        self.check(&uri)?;
        let mut at = range.start;
        let mut tries = 0;
        while at < range.end {
            tries += 1;
            let before = at;
            let read = self.read_once(&uri, page, at..range.end, |bytes| {
                take(at, bytes)?;
                at += bytes.len() as u64;
                Ok(())
            });
            match read {
                Err(fault) if fault.code == Code::Network && tries < TRIES_MAX && at > before => {}
                Err(fault) => return Err(fault),
                Ok(()) => {}
            }
        }
        Ok(())
    }

    fn read_once(
        &self,
        uri: &Uri,
        page: &Page,
        range: Range<u64>,
        mut take: impl FnMut(&[u8]) -> Result<(), Fault>,
    ) -> Result<(), Fault> {
        let name = shown(&page.url);
        let wanted = format!("bytes={}-{}", range.start, range.end - 1);
        let (field, value) = match &page.version {
            WebVersion::Tag(tag) => (IF_MATCH, tag),
            WebVersion::Modified(date) => (IF_UNMODIFIED_SINCE, date),
            WebVersion::Whole(_) => {
                return Err(Fault::new(Code::Bug).detail("a range of what has none"));
            }
        };
        let length = range.end - range.start;
        let response = self.ask(uri, &[(RANGE, &wanted), (field, value)], length)?;
        let changed = || Fault::new(Code::InputChanged).detail(format!("`{name}`"));
        match response.status() {
            StatusCode::PARTIAL_CONTENT => {}
            StatusCode::PRECONDITION_FAILED | StatusCode::RANGE_NOT_SATISFIABLE => {
                return Err(changed());
            }
            StatusCode::OK if version(response.headers()).as_ref() == Some(&page.version) => {
                return Err(network(name, "the server gives no ranges any more"));
            }
            StatusCode::OK => return Err(changed()),
            _ => return Err(refusal(name, &response)),
        }
        let is_same = version(response.headers()).is_none_or(|version| version == page.version);
        let (came, size) = content_range(response.headers())
            .ok_or_else(|| network(name, "the server does not say which range it gives"))?;
        if !is_same || size.is_some_and(|size| size != page.size) {
            return Err(changed());
        }
        if came != range {
            return Err(network(name, "the server gives another range than was asked for"));
        }
        let mut left = length;
        let ended = self.each_piece(response, name, |bytes| {
            left = left
                .checked_sub(bytes.len() as u64)
                .ok_or_else(|| network(name, "the server gives more than was asked for"))?;
            take(bytes)
        });
        ended?;
        if left > 0 { Err(network(name, "the response is not whole")) } else { Ok(()) }
    }

    /// From what is kept, or fetched once more.
    fn whole(&self, page: &Page, sha256: Digest) -> Result<Arc<File>, Fault> {
        if let Some(file) = self.kept(sha256) {
            return Ok(file);
        }
        let uri = parse(&page.url)?;
        self.check(&uri)?;
        let name = shown(&page.url);
        let (file, size, digest) = self.fetch_whole(&uri, name)?;
        if digest != sha256 {
            return Err(Fault::new(Code::InputChanged).detail(format!("`{name}`")));
        }
        self.keep(sha256, &file, size);
        Ok(file)
    }

    fn fetch_whole(&self, uri: &Uri, name: &str) -> Result<(Arc<File>, u64, Digest), Fault> {
        let response = self.ask(uri, &[], WHOLE_BYTES_MAX)?;
        if response.status() != StatusCode::OK {
            return Err(refusal(name, &response));
        }
        let file = self.temporary()?;
        let (mut size, mut counted, mut hasher) = (0, 0, Sha256::new());
        self.each_piece(response, name, |bytes| {
            hasher.update(bytes);
            let end = size + bytes.len() as u64;
            while counted < end {
                self.web.stage(&file, STAGED_BYTES_STEP)?;
                counted += STAGED_BYTES_STEP;
            }
            file.write_all_at(bytes, size).map_err(|error| disk(&error))?;
            size = end;
            Ok(())
        })?;
        Ok((file, size, Digest(hasher.finalize().into())))
    }

    fn temporary(&self) -> Result<Arc<File>, Fault> {
        temporary(&self.web.directory).map(Arc::new).map_err(|error| disk(&error))
    }

    fn kept(&self, sha256: Digest) -> Option<Arc<File>> {
        let mut kept = self.web.kept.lock().unwrap_or_else(PoisonError::into_inner);
        let at = kept.iter().position(|(known, ..)| *known == sha256)?;
        let found = kept.remove(at)?;
        let file = Arc::clone(&found.1);
        kept.push_back(found);
        Some(file)
    }

    fn keep(&self, sha256: Digest, file: &Arc<File>, size: u64) {
        let mut kept = self.web.kept.lock().unwrap_or_else(PoisonError::into_inner);
        kept.push_back((sha256, Arc::clone(file), size));
        let mut bytes: u64 = kept.iter().map(|(_, _, size)| size).sum();
        while (bytes > KEPT_BYTES_MAX || kept.len() > KEPT_MAX) && kept.len() > 1 {
            bytes -= kept.pop_front().map_or(0, |(_, _, size)| size);
        }
    }

    /// The fault of a host that the tenant may not ask, before anything is asked.
    fn check(&self, uri: &Uri) -> Result<(), Fault> {
        let target = Target::of(uri).map_err(|error| missing(&uri.to_string(), &error))?;
        self.reach.check(&target).map_err(|_| {
            let (tenant, host) = (&self.tenant, target.host_text());
            let detail = format!(
                "tenant `{tenant}` may not fetch from `{host}`; `http: {host}` among its grants in the configuration allows it"
            );
            Fault::new(Code::GrantRefused).detail(detail)
        })
    }

    /// One request; its body may have so many bytes.
    fn ask(
        &self,
        uri: &Uri,
        fields: &[(HeaderName, &str)],
        bytes_max: u64,
    ) -> Result<Response<Received>, Fault> {
        let name = uri.to_string();
        let name = shown(&name);
        let caps = Caps { requests: 1, at_once: 1, sent: 0, received: bytes_max };
        let caller = Caller {
            outside: self.web.outside.clone(),
            reach: self.reach.clone(),
            account: Arc::new(Account::new(caps)),
        };
        let mut request = Request::new(Empty::<Bytes>::new().map_err(|error| match error {}));
        *request.uri_mut() = uri.clone();
        let headers = request.headers_mut();
        // Packed bytes have other places.
        headers.insert(ACCEPT_ENCODING, HeaderValue::from_static("identity"));
        for (field, value) in fields {
            let value = HeaderValue::from_str(value)
                .map_err(|_| network(name, "the server's own words cannot be sent back"))?;
            headers.insert(field, value);
        }
        let timeouts = Timeouts {
            connect: None,
            first_byte: Some(SILENCE_MAX),
            between_bytes: Some(SILENCE_MAX),
        };
        let deadline = self.patience.deadline;
        let response =
            self.web.outside.wait(&self.patience, caller.call(request, timeouts, deadline));
        response.map_err(|error| unreachable(name, &error))
    }

    fn each_piece(
        &self,
        response: Response<Received>,
        name: &str,
        mut take: impl FnMut(&[u8]) -> Result<(), Fault>,
    ) -> Result<(), Fault> {
        let mut body = response.into_body();
        loop {
            let frame =
                self.web.outside.wait(&self.patience, async { body.frame().await.transpose() });
            let Some(frame) = frame.map_err(|error| unreachable(name, &error))? else {
                return Ok(());
            };
            if let Ok(bytes) = frame.into_data() {
                take(&bytes)?;
            }
        }
    }
}

fn temporary(directory: &Path) -> std::io::Result<File> {
    std::fs::create_dir_all(directory)?;
    tempfile::tempfile_in(directory)
}

fn disk(error: &std::io::Error) -> Fault {
    Fault::new(Code::DiskFull).detail(format!("staging a source: {error}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_lies_in_files_is_bounded_and_counts_until_they_are_let_go() {
        let web = TenantWeb::denied().web;
        let file = || Arc::new(tempfile::tempfile().unwrap());
        let (one, other) = (file(), file());
        web.stage(&one, STAGED_BYTES_MAX - 1).unwrap();
        web.stage(&other, 1).unwrap();
        assert_eq!(web.stage(&other, 1).unwrap_err().code, Code::DiskFull);
        assert_eq!(web.stage(&other, u64::MAX).unwrap_err().code, Code::DiskFull);
        drop(one);
        web.stage(&other, STAGED_BYTES_MAX - 1).unwrap();
    }
}
