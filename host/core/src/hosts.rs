//! Which hosts a grant names: `api.example.org`, `*.example.org`, `127.0.0.1:8080`, `10.0.0.0/8`.
//!
//! Owns: the written form of such a pattern, what it matches, and whether one pattern allows all that another does.
//! Never: resolves a name, or knows which addresses are private.

use core::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// The longest name of a host (RFC 1035).
pub const HOST_NAME_BYTES_MAX: usize = 253;
/// The longest part of it between dots (RFC 1035).
const LABEL_BYTES_MAX: usize = 63;
/// Ports of a pattern that names none: those of `http` and `https`.
const STANDARD_PORTS: [u16; 2] = [80, 443];

/// Hosts that somebody may reach, and at which port.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct HostPattern {
    hosts: Hosts,
    /// `None` means the standard ports of `http` and `https`.
    port: Option<u16>,
}

#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
enum Hosts {
    /// The one of this name.
    Name(String),
    /// Those whose names end so, behind a dot.
    Below(String),
    /// Those with an address in this range. An address alone is a range of one.
    Range { network: IpAddr, bits: u8 },
}

/// Why a text is no pattern of hosts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HostError(&'static str);

impl fmt::Display for HostError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0)
    }
}

impl std::error::Error for HostError {}

impl HostPattern {
    /// True where it names this host, without regard to addresses behind the name.
    pub fn has_name(&self, name: &str, port: u16) -> bool {
        let fits = match &self.hosts {
            Hosts::Name(own) => own == name,
            Hosts::Below(end) => is_below(name, end),
            Hosts::Range { .. } => false,
        };
        fits && self.has_port(port)
    }

    /// True where it names this very address, or a range around it.
    pub fn has_address(&self, address: IpAddr, port: u16) -> bool {
        let Hosts::Range { network, bits } = self.hosts else { return false };
        masked(address, bits) == Some(network) && self.has_port(port)
    }

    /// True where all that `other` names is named here too.
    pub fn covers(&self, other: &Self) -> bool {
        let hosts = match (&self.hosts, &other.hosts) {
            (Hosts::Name(own), Hosts::Name(name)) => own == name,
            (Hosts::Below(end), Hosts::Name(name)) => is_below(name, end),
            (Hosts::Below(end), Hosts::Below(other)) => end == other || is_below(other, end),
            (Hosts::Range { network, bits }, Hosts::Range { network: other, bits: others }) => {
                bits <= others && masked(*other, *bits) == Some(*network)
            }
            (Hosts::Name(_) | Hosts::Below(_) | Hosts::Range { .. }, _) => false,
        };
        let port = self.port == other.port
            || self.port.is_none() && other.port.is_some_and(|port| STANDARD_PORTS.contains(&port));
        hosts && port
    }

    fn has_port(&self, port: u16) -> bool {
        match self.port {
            Some(own) => own == port,
            None => STANDARD_PORTS.contains(&port),
        }
    }
}

fn is_below(name: &str, end: &str) -> bool {
    name.strip_suffix(end).is_some_and(|start| start.len() > 1 && start.ends_with('.'))
}

/// The first address of the range of so many bits around this one.
fn masked(address: IpAddr, bits: u8) -> Option<IpAddr> {
    match address {
        IpAddr::V4(address) => {
            let mask = u32::MAX.checked_shl(32_u32.checked_sub(bits.into())?).unwrap_or(0);
            Some(Ipv4Addr::from_bits(address.to_bits() & mask).into())
        }
        IpAddr::V6(address) => {
            let mask = u128::MAX.checked_shl(128_u32.checked_sub(bits.into())?).unwrap_or(0);
            Some(Ipv6Addr::from_bits(address.to_bits() & mask).into())
        }
    }
}

/// What a person is shown of a URL: neither who asks, before the host, nor what stands behind `?` or `#`, may be more than a
/// log should know. What only looks like a URL is cut the same way.
pub fn url_shown(url: &str) -> String {
    let bare = url.split(['?', '#']).next().unwrap_or(url);
    match bare.rsplit_once('@') {
        Some((_, rest)) => format!("…@{rest}"),
        None => bare.to_owned(),
    }
}

/// The name of a host as it is compared: small letters, no dot at the end. `None` where it is no name.
///
/// What ends in a number is an address in disguise (`127.1`, `0x7f000001`): resolvers would read it as one.
pub fn host_name(text: &str) -> Option<String> {
    let name = text.strip_suffix('.').unwrap_or(text).to_ascii_lowercase();
    let is_label = |label: &str| {
        let is_plain = |it: u8| it.is_ascii_alphanumeric() || matches!(it, b'-' | b'_');
        (1..=LABEL_BYTES_MAX).contains(&label.len())
            && label.bytes().all(is_plain)
            && !label.starts_with('-')
    };
    let last = name.rsplit('.').next().unwrap_or_default();
    let is_number = last.bytes().all(|it| it.is_ascii_digit())
        || last.strip_prefix("0x").is_some_and(|it| it.bytes().all(|it| it.is_ascii_hexdigit()));
    let is_name = name.len() <= HOST_NAME_BYTES_MAX && name.split('.').all(is_label) && !is_number;
    is_name.then_some(name)
}

/// True for names that mean the machine itself, whatever a resolver says.
pub fn is_own_name(name: &str) -> bool {
    name == "localhost" || name.ends_with(".localhost")
}

impl fmt::Display for HostPattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.hosts {
            Hosts::Name(name) => f.write_str(name)?,
            Hosts::Below(end) => write!(f, "*.{end}")?,
            Hosts::Range { network: IpAddr::V4(network), bits: 32 } => write!(f, "{network}")?,
            Hosts::Range { network: IpAddr::V4(network), bits } => write!(f, "{network}/{bits}")?,
            Hosts::Range { network: IpAddr::V6(network), bits: 128 } => write!(f, "[{network}]")?,
            Hosts::Range { network: IpAddr::V6(network), bits } => write!(f, "[{network}/{bits}]")?,
        }
        match self.port {
            Some(port) => write!(f, ":{port}"),
            None => Ok(()),
        }
    }
}

impl From<HostPattern> for String {
    fn from(pattern: HostPattern) -> Self {
        pattern.to_string()
    }
}

impl TryFrom<String> for HostPattern {
    type Error = HostError;

    fn try_from(text: String) -> Result<Self, HostError> {
        text.parse()
    }
}

impl FromStr for HostPattern {
    type Err = HostError;

    fn from_str(text: &str) -> Result<Self, HostError> {
        if text.contains("//") {
            return Err(HostError("a host stands alone, without `https://` and without a path"));
        }
        if let Ok(range) = range(text) {
            return Ok(Self { hosts: range?, port: None });
        }
        let (host, port) = split(text)?;
        if let Ok(range) = range(host) {
            return Ok(Self { hosts: range?, port });
        }
        let (end, is_pattern) = match host.strip_prefix("*.") {
            Some(end) => (end, true),
            None => (host, false),
        };
        if host.contains('/') {
            return Err(HostError("a host stands alone, without a path"));
        }
        let name = host_name(end).ok_or(HostError(
            "a host is a name such as `api.example.org`, `*.example.org`, an address or a range such as `10.0.0.0/8`",
        ))?;
        if is_own_name(&name) {
            return Err(HostError(
                "the machine itself is named by its address, such as `127.0.0.1:8080`",
            ));
        }
        let hosts = if is_pattern { Hosts::Below(name) } else { Hosts::Name(name) };
        Ok(Self { hosts, port })
    }
}

/// Host and port; brackets around an address of IPv6 are taken off.
fn split(text: &str) -> Result<(&str, Option<u16>), HostError> {
    let bad_port = HostError("a port is a number from 1 to 65535");
    let (host, port) = match text.strip_prefix('[') {
        Some(rest) => {
            let (host, rest) = rest.split_once(']').ok_or(HostError("`[` without `]`"))?;
            match rest.strip_prefix(':') {
                Some(port) => (host, Some(port)),
                None if rest.is_empty() => (host, None),
                None => return Err(bad_port),
            }
        }
        None => match text.rsplit_once(':') {
            Some((host, port)) => (host, Some(port)),
            None => (text, None),
        },
    };
    let Some(port) = port else { return Ok((host, None)) };
    match port.parse::<u16>() {
        Ok(number) if number > 0 && port.bytes().all(|it| it.is_ascii_digit()) => {
            Ok((host, Some(number)))
        }
        _ => Err(bad_port),
    }
}

/// An address or a range of them; the outer error means that the text is neither.
fn range(text: &str) -> Result<Result<Hosts, HostError>, ()> {
    let (address, bits) = match text.split_once('/') {
        Some((address, bits)) => (address, Some(bits)),
        None => (text, None),
    };
    let address: IpAddr = address.parse().map_err(|_| ())?;
    let most = if address.is_ipv4() { 32 } else { 128 };
    let bits = match bits {
        None => most,
        Some(bits) => bits.parse::<u8>().map_err(|_| ())?,
    };
    if bits > most {
        return Ok(Err(HostError("the range has too many bits")));
    }
    if let IpAddr::V6(address) = address
        && address.to_ipv4_mapped().is_some()
    {
        return Ok(Err(HostError("write the address as one of IPv4")));
    }
    let is_nobody =
        address.is_unspecified() || address.is_multicast() || address == Ipv4Addr::BROADCAST;
    if is_nobody && bits == most {
        return Ok(Err(HostError("nobody has this address")));
    }
    let network = masked(address, bits).expect("the bits were compared with the address");
    Ok(Ok(Hosts::Range { network, bits }))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pattern(text: &str) -> HostPattern {
        text.parse().unwrap_or_else(|error| panic!("{text}: {error}"))
    }

    #[test]
    fn a_url_is_shown_without_what_may_be_a_secret() {
        for (url, expect) in [
            ("https://a.org/b?signature=secret#x", "https://a.org/b"),
            ("https://a.org/b#secret", "https://a.org/b"),
            ("https://user:pass@a.org/b?c=d@e", "…@a.org/b"),
            ("https://user:p@ss/word@a.org/", "…@a.org/"),
            ("ftp://a.org/b", "ftp://a.org/b"),
        ] {
            assert_eq!(url_shown(url), expect, "{url}");
        }
    }

    #[test]
    fn a_pattern_survives_printing() {
        for text in [
            "api.example.org",
            "api.example.org:8443",
            "*.example.org",
            "127.0.0.1:8080",
            "10.0.0.0/8",
            "10.0.0.0/8:8080",
            "[::1]:8080",
            "[fd00::/8]",
            "[fd00::/8]:80",
            "xn--bcher-kva.example",
        ] {
            assert_eq!(pattern(text).to_string(), text);
            let json = serde_json::to_string(&pattern(text)).unwrap();
            assert_eq!(serde_json::from_str::<HostPattern>(&json).unwrap(), pattern(text));
        }
        for (written, shown) in [
            ("API.Example.Org.", "api.example.org"),
            ("::1", "[::1]"),
            ("fd00::/8", "[fd00::/8]"),
            ("10.1.2.3/8", "10.0.0.0/8"),
        ] {
            assert_eq!(pattern(written).to_string(), shown);
        }
    }

    #[test]
    fn what_is_no_host_is_refused() {
        let long = format!("{}.org", "a".repeat(300));
        for text in [
            "",
            "*",
            "*.",
            ".org",
            "a..b",
            "https://a.org",
            "a.org/path",
            "user@a.org",
            "a b",
            "a.org:0",
            "a.org:99999",
            "a.org:+80",
            "[::1",
            "127.1",
            "0x7f000001",
            "2130706433",
            "a.1",
            "localhost",
            "localhost:80",
            "x.localhost",
            "0.0.0.0",
            "255.255.255.255",
            "224.0.0.1",
            "[::]",
            "[ff02::1]",
            "[::ffff:127.0.0.1]",
            "10.0.0.0/33",
            "bücher.example",
            "a\r\n.org",
            "-a.org",
            &long,
        ] {
            assert!(text.parse::<HostPattern>().is_err(), "{text}");
        }
    }

    #[test]
    fn a_name_matches_itself_and_a_star_what_stands_below() {
        let below = pattern("*.example.org");
        assert!(below.has_name("a.example.org", 443) && below.has_name("a.b.example.org", 80));
        assert!(!below.has_name("example.org", 443) && !below.has_name("badexample.org", 443));
        assert!(!below.has_name(".example.org", 443));
        assert!(!below.has_name("a.example.org", 8080), "another port is another service");
        let own = pattern("a.org:8080");
        assert!(own.has_name("a.org", 8080) && !own.has_name("a.org", 80));
        assert!(!own.has_name("a.org.evil.com", 8080) && !own.has_name("xa.org", 8080));
    }

    #[test]
    fn addresses_match_by_their_first_bits() {
        let range = pattern("172.16.0.0/12");
        assert!(range.has_address("172.31.255.255".parse().unwrap(), 80));
        assert!(!range.has_address("172.32.0.0".parse().unwrap(), 80));
        assert!(!range.has_address("::ffff:172.16.0.1".parse().unwrap(), 80));
        assert!(pattern("0.0.0.0/0").has_address("8.8.8.8".parse().unwrap(), 443));
        assert!(pattern("::/0").has_address("::1".parse().unwrap(), 443));
        assert!(pattern("[::1]:81").has_address("::1".parse().unwrap(), 81));
    }

    #[test]
    fn a_wider_pattern_covers_a_narrower_one() {
        let covers = |one: &str, other: &str| pattern(one).covers(&pattern(other));
        for (one, other) in [
            ("a.org", "a.org"),
            ("a.org", "a.org:443"),
            ("*.org", "a.org"),
            ("*.org", "*.a.org"),
            ("*.org", "*.org"),
            ("10.0.0.0/8:81", "10.2.0.0/16:81"),
            ("10.0.0.0/8", "10.0.0.1"),
        ] {
            assert!(covers(one, other), "{one} {other}");
        }
        for (one, other) in [
            ("a.org", "b.org"),
            ("a.org", "a.org:8080"),
            ("a.org:443", "a.org"),
            ("*.a.org", "a.org"),
            ("*.a.org", "*.org"),
            ("10.2.0.0/16", "10.0.0.0/8"),
            ("*.org", "10.0.0.1"),
            ("10.0.0.0/8", "[fd00::1]"),
        ] {
            assert!(!covers(one, other), "{one} {other}");
        }
    }
}
