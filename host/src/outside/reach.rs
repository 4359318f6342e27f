//! What may be reached: the hosts that were granted, at addresses that are public or were granted themselves.
//!
//! Owns: reading host and port from a URL, and the two looks at a connection: at its name before anything happens, and at
//! its address before it is made.
//! Never: resolves a name twice, or connects to an address that was not looked at.

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use pframe_core::hosts::{HostPattern, host_name};
use tokio::net::TcpStream;

use super::address::{Place, place, plain};
use super::error::HttpError;
use super::names::Names;

/// Addresses of one name that are tried, one after the other.
const ADDRESSES_MAX: usize = 4;
/// The longest URL.
const URL_BYTES_MAX: usize = 8 << 10;

/// Whom a request is for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Target {
    pub(super) host: Host,
    pub(super) port: u16,
    pub(super) is_tls: bool,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Host {
    Name(String),
    Address(IpAddr),
}

impl Target {
    /// Read from an absolute URL.
    pub(crate) fn of(url: &http::Uri) -> Result<Self, HttpError> {
        let authority = url.authority().ok_or(HttpError::UriInvalid)?;
        let path = url.path_and_query().map_or(0, |path| path.as_str().len());
        if authority.as_str().len() + path > URL_BYTES_MAX {
            return Err(HttpError::UriTooLong);
        }
        let is_tls = match url.scheme_str() {
            Some("https") => true,
            Some("http") => false,
            _ => return Err(HttpError::UriInvalid),
        };
        // A name and a password before the host are a way to make one host look like another.
        if authority.as_str().contains('@') {
            return Err(HttpError::UriInvalid);
        }
        let port = match authority.port() {
            Some(port) => port.as_u16(),
            None if authority.as_str().ends_with(':') => return Err(HttpError::UriInvalid),
            None if is_tls => 443,
            None => 80,
        };
        let text = authority.host();
        let bare = text.strip_prefix('[').and_then(|text| text.strip_suffix(']')).unwrap_or(text);
        let host = match (bare.parse::<IpAddr>(), host_name(text)) {
            (Ok(address), _) => Host::Address(plain(address)),
            (Err(_), Some(name)) => Host::Name(name),
            (Err(_), None) => return Err(HttpError::UriInvalid),
        };
        Ok(Self { host, port, is_tls })
    }

    /// The value of the header `host`, and what a grant for it would name.
    pub(crate) fn host_text(&self) -> String {
        let host = match &self.host {
            Host::Name(name) => name.clone(),
            Host::Address(IpAddr::V4(address)) => address.to_string(),
            Host::Address(IpAddr::V6(address)) => format!("[{address}]"),
        };
        match (self.port, self.is_tls) {
            (443, true) | (80, false) => host,
            (port, _) => format!("{host}:{port}"),
        }
    }
}

/// What was granted. Clones share it.
#[derive(Debug, Clone, Default)]
pub(crate) struct Reach {
    granted: Arc<[HostPattern]>,
    /// What the operator's own settings name, wherever that is.
    own: Option<Arc<Target>>,
}

impl Reach {
    pub(crate) fn new(granted: &[HostPattern]) -> Self {
        Self { granted: granted.into(), own: None }
    }

    /// One host that the operator himself named, not a job: it may be an inner one.
    pub(crate) fn own(target: Target) -> Self {
        Self { granted: Arc::default(), own: Some(Arc::new(target)) }
    }

    fn is_own(&self, target: &Target) -> bool {
        self.own.as_deref() == Some(target)
    }

    /// The first look: was this host granted?
    pub(crate) fn check(&self, target: &Target) -> Result<(), HttpError> {
        let port = target.port;
        let is_granted = match &target.host {
            _ if self.is_own(target) => true,
            Host::Name(name) => self.granted.iter().any(|hosts| hosts.has_name(name, port)),
            Host::Address(address) => self.has_address(*address, port),
        };
        if is_granted { Ok(()) } else { Err(HttpError::Denied) }
    }

    fn has_address(&self, address: IpAddr, port: u16) -> bool {
        self.granted.iter().any(|hosts| hosts.has_address(address, port))
    }

    /// The second look: may this address be connected to?
    fn may_connect(&self, address: IpAddr, target: &Target) -> bool {
        match place(address) {
            Place::Public => true,
            Place::Private(_) => self.is_own(target) || self.has_address(address, target.port),
            Place::Nowhere(_) => false,
        }
    }

    /// Resolves, once; looks at what came back; connects to that.
    pub(super) async fn connect(
        &self,
        names: &Names,
        target: &Target,
    ) -> Result<TcpStream, HttpError> {
        self.check(target)?;
        let addresses = match &target.host {
            Host::Address(address) => vec![*address],
            Host::Name(name) => names.look_up(name).await?,
        };
        let allowed = addresses.into_iter().map(plain);
        let allowed = allowed.filter(|address| self.may_connect(*address, target));
        let mut error = HttpError::AddressProhibited;
        for address in allowed.take(ADDRESSES_MAX) {
            match TcpStream::connect(SocketAddr::new(address, target.port)).await {
                Ok(stream) => return Ok(stream),
                Err(cause) if cause.kind() == std::io::ErrorKind::ConnectionRefused => {
                    error = HttpError::Refused;
                }
                Err(_) => error = HttpError::Unreachable,
            }
        }
        Err(error)
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;
    use std::net::TcpListener;
    use std::sync::Mutex;

    use super::*;

    fn reach(granted: &[&str]) -> Reach {
        let patterns: Vec<HostPattern> = granted.iter().map(|it| it.parse().unwrap()).collect();
        Reach::new(&patterns)
    }

    fn target(url: &str) -> Result<Target, HttpError> {
        Target::of(&url.parse().map_err(|_| HttpError::UriInvalid)?)
    }

    fn told(names: &[(&str, &[&str])]) -> Names {
        let answers = |list: &[&str]| list.iter().map(|it| it.parse().unwrap()).collect();
        let names = names.iter().map(|(name, list)| ((*name).to_owned(), answers(list)));
        Names::Told(Mutex::new(names.collect::<BTreeMap<_, Vec<IpAddr>>>()))
    }

    fn connect(reach: &Reach, names: &Names, url: &str) -> Result<SocketAddr, HttpError> {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let target = target(url)?;
        runtime.block_on(reach.connect(names, &target)).map(|stream| stream.peer_addr().unwrap())
    }

    #[test]
    fn a_url_says_host_and_port_and_nothing_else() {
        for (url, authority) in [
            ("http://Example.ORG./a", "example.org"),
            ("https://example.org:443/", "example.org"),
            ("https://example.org:80/", "example.org:80"),
            ("http://[::1]:8080/", "[::1]:8080"),
            ("http://[::ffff:10.0.0.1]/", "10.0.0.1"),
        ] {
            assert_eq!(target(url).map(|it| it.host_text()), Ok(authority.to_owned()), "{url}");
        }
        for url in [
            "http://user@example.org/",
            "http://example.org:evil@10.0.0.1/",
            "ftp://example.org/",
            "http://127.1/",
            "http://0x7f000001/",
            "http://2130706433/",
            "http://exa%6dple.org/",
            "http://[fe80::1%25eth0]/",
            "/only/a/path",
        ] {
            assert_eq!(target(url), Err(HttpError::UriInvalid), "{url}");
        }
        let long = format!("http://example.org/{}", "a".repeat(URL_BYTES_MAX));
        assert_eq!(target(&long), Err(HttpError::UriTooLong));
    }

    #[test]
    fn only_granted_hosts_pass_the_first_look() {
        let reach = reach(&["*.example.org", "127.0.0.1:8080"]);
        let check = |url: &str| target(url).and_then(|target| reach.check(&target));
        assert_eq!(check("https://api.example.org/"), Ok(()));
        assert_eq!(check("http://127.0.0.1:8080/"), Ok(()));
        for url in [
            "https://example.com/",
            "https://api.example.org:8443/",
            "http://127.0.0.1/",
            "http://127.0.0.2:8080/",
            "http://localhost:8080/",
            "http://169.254.169.254/",
            "http://8.8.8.8/",
        ] {
            assert_eq!(check(url), Err(HttpError::Denied), "{url}");
        }
    }

    #[test]
    fn n04_a_granted_name_that_leads_inside_is_refused_after_resolution() {
        let reach = reach(&["*.example.org"]);
        for address in [
            "127.0.0.1",
            "10.0.0.1",
            "169.254.169.254",
            "::1",
            "fd00::1",
            "0.0.0.0",
            "::ffff:127.0.0.1",
        ] {
            let names = told(&[("a.example.org", &[address])]);
            let refused = connect(&reach, &names, "http://a.example.org/");
            assert_eq!(refused, Err(HttpError::AddressProhibited), "{address}");
        }
    }

    #[test]
    fn a_name_leads_inside_where_the_address_was_granted_too() {
        let server = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = server.local_addr().unwrap().port();
        let names = told(&[("wiki.corp", &["127.0.0.1"])]);
        let (name, range) = (format!("wiki.corp:{port}"), format!("127.0.0.0/8:{port}"));
        let url = format!("http://wiki.corp:{port}/");
        assert_eq!(connect(&reach(&[&name]), &names, &url), Err(HttpError::AddressProhibited));
        let reached = connect(&reach(&[&name, &range]), &names, &url);
        assert_eq!(reached, Ok(server.local_addr().unwrap()));
    }

    #[test]
    fn n06_a_name_is_resolved_once() {
        let server = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = server.local_addr().unwrap().port();
        // Whoever asked twice would get the second answer.
        let names = told(&[("a.org", &["127.0.0.1", "127.0.0.2"])]);
        let (name, address) = (format!("a.org:{port}"), format!("127.0.0.1:{port}"));
        let reached = connect(&reach(&[&name, &address]), &names, &format!("http://a.org:{port}/"));
        assert_eq!(reached.map(|it| it.ip().to_string()), Ok("127.0.0.1".to_owned()));
        let again = connect(&reach(&[&name, &address]), &names, &format!("http://a.org:{port}/"));
        assert_eq!(again, Err(HttpError::AddressProhibited));
    }

    #[test]
    fn nobody_is_reached_even_where_every_address_was_granted() {
        let everything = reach(&["0.0.0.0/0", "::/0"]);
        for url in
            ["http://0.0.0.0/", "http://[::]/", "http://224.0.0.1/", "http://255.255.255.255/"]
        {
            assert_eq!(
                connect(&everything, &Names::System, url),
                Err(HttpError::AddressProhibited),
                "{url}"
            );
        }
    }
}
