//! What an address is: of the public internet, of somebody's own network, or of nobody.
//!
//! Owns: the table of ranges, after the registries of special-purpose addresses (IANA, RFC 6890 and its successors), and the
//! forms in which an address of IPv6 hides one of IPv4.
//! Never: resolves a name, or knows what was granted.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// Whose address it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Place {
    /// Anybody's on the internet.
    Public,
    /// Reached only where it, or a range around it, was granted; with the reason.
    Private(&'static str),
    /// Never reached: it names nobody, or many.
    Nowhere(&'static str),
}

type Range<T> = (T, u32, Place);

/// Networks of IPv4 that are not public; the first that fits counts.
const V4: &[Range<[u8; 4]>] = &[
    ([0, 0, 0, 0], 8, Place::Nowhere("unspecified")),
    ([10, 0, 0, 0], 8, Place::Private("private")),
    ([100, 64, 0, 0], 10, Place::Private("shared by a provider")),
    ([127, 0, 0, 0], 8, Place::Private("loopback")),
    // Looks public: Azure answers machines there, for what 169.254.169.254 does not (its "WireServer").
    ([168, 63, 129, 16], 32, Place::Private("platform of a cloud")),
    ([169, 254, 0, 0], 16, Place::Private("link-local")),
    ([172, 16, 0, 0], 12, Place::Private("private")),
    ([192, 0, 0, 0], 24, Place::Private("of protocols")),
    ([192, 0, 2, 0], 24, Place::Private("documentation")),
    ([192, 31, 196, 0], 24, Place::Private("of protocols")),
    ([192, 52, 193, 0], 24, Place::Private("of protocols")),
    ([192, 88, 99, 0], 24, Place::Private("6to4 relay")),
    ([192, 168, 0, 0], 16, Place::Private("private")),
    ([192, 175, 48, 0], 24, Place::Private("of protocols")),
    ([198, 18, 0, 0], 15, Place::Private("benchmarking")),
    ([198, 51, 100, 0], 24, Place::Private("documentation")),
    ([203, 0, 113, 0], 24, Place::Private("documentation")),
    ([224, 0, 0, 0], 4, Place::Nowhere("multicast")),
    ([240, 0, 0, 0], 4, Place::Nowhere("reserved")),
];

/// Networks of IPv6 that are not public; the first that fits counts.
const V6: &[Range<[u16; 8]>] = &[
    ([0, 0, 0, 0, 0, 0, 0, 0], 128, Place::Nowhere("unspecified")),
    ([0, 0, 0, 0, 0, 0, 0, 1], 128, Place::Private("loopback")),
    ([0x64, 0xff9b, 1, 0, 0, 0, 0, 0], 48, Place::Private("translated locally")),
    ([0x2001, 0, 0, 0, 0, 0, 0, 0], 23, Place::Private("of protocols, or a tunnel")),
    ([0x2001, 0xdb8, 0, 0, 0, 0, 0, 0], 32, Place::Private("documentation")),
    ([0x2620, 0x4f, 0x8000, 0, 0, 0, 0, 0], 48, Place::Private("of protocols")),
    ([0x3fff, 0, 0, 0, 0, 0, 0, 0], 20, Place::Private("documentation")),
    ([0xfc00, 0, 0, 0, 0, 0, 0, 0], 7, Place::Private("unique-local")),
    ([0xfe80, 0, 0, 0, 0, 0, 0, 0], 10, Place::Private("link-local")),
    ([0xfec0, 0, 0, 0, 0, 0, 0, 0], 10, Place::Private("site-local")),
    ([0xff00, 0, 0, 0, 0, 0, 0, 0], 8, Place::Nowhere("multicast")),
];

/// Where all of today's internet lies.
const GLOBAL: Range<[u16; 8]> = ([0x2000, 0, 0, 0, 0, 0, 0, 0], 3, Place::Public);

/// Whose address this is.
pub(crate) fn place(address: IpAddr) -> Place {
    match address {
        IpAddr::V4(address) => place_v4(address),
        IpAddr::V6(address) => place_v6(address),
    }
}

/// The same address in its plainest form: one of IPv4 may come wrapped for a socket of IPv6.
pub(crate) fn plain(address: IpAddr) -> IpAddr {
    address.to_canonical()
}

fn place_v4(address: Ipv4Addr) -> Place {
    let fits = |range: &&Range<[u8; 4]>| {
        let shift = 32 - range.1;
        u32::from_be_bytes(range.0) >> shift == address.to_bits() >> shift
    };
    V4.iter().find(fits).map_or(Place::Public, |range| range.2)
}

fn is_within(address: Ipv6Addr, range: &Range<[u16; 8]>) -> bool {
    let shift = 128 - range.1;
    Ipv6Addr::from(range.0).to_bits() >> shift == address.to_bits() >> shift
}

fn place_v6(address: Ipv6Addr) -> Place {
    if let Some(range) = V6.iter().find(|range| is_within(address, range)) {
        return range.2;
    }
    if let Some(hidden) = hidden(address) {
        return place_v4(hidden);
    }
    match is_within(address, &GLOBAL) {
        true => Place::Public,
        false => Place::Private("not of the public internet"),
    }
}

/// The address of IPv4 that gateways, or this system itself, would reach for one of IPv6.
fn hidden(address: Ipv6Addr) -> Option<Ipv4Addr> {
    let parts = address.segments();
    let v4 = |high: u16, low: u16| Ipv4Addr::from_bits(u32::from(high) << 16 | u32::from(low));
    let last = v4(parts[6], parts[7]);
    let is_last = matches!(
        parts,
        // Compatible (RFC 4291), mapped, and translated without state (RFC 7915).
        [0, 0, 0, 0, 0, 0 | 0xffff, ..] | [0, 0, 0, 0, 0xffff, 0, ..]
        // NAT64 (RFC 6052).
            | [0x64, 0xff9b, 0, 0, 0, 0, ..]
        // ISATAP (RFC 5214), below any network.
            | [_, _, _, _, 0 | 0x200, 0x5efe, ..]
    );
    match parts {
        // 6to4 (RFC 3056).
        [0x2002, high, low, ..] => Some(v4(high, low)),
        _ => is_last.then_some(last),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str) -> Place {
        place(text.parse().unwrap_or_else(|_| panic!("not an address: {text}")))
    }

    #[test]
    fn the_public_internet_is_public() {
        for text in [
            "1.1.1.1",
            "8.8.8.8",
            "9.255.255.255",
            "11.0.0.0",
            "100.63.255.255",
            "100.128.0.0",
            "126.255.255.255",
            "128.0.0.0",
            "168.63.129.15",
            "168.63.129.17",
            "169.253.255.255",
            "172.15.255.255",
            "172.32.0.0",
            "192.0.3.0",
            "192.167.255.255",
            "198.17.255.255",
            "198.20.0.0",
            "203.0.114.0",
            "223.255.255.255",
            "2606:4700::1111",
            "2a00:1450::1",
            "2001:4860:4860::8888",
            "2400::1",
            "::ffff:8.8.8.8",
            "64:ff9b::8.8.8.8",
            "2002:808:808::1",
        ] {
            assert_eq!(check(text), Place::Public, "{text}");
        }
    }

    #[test]
    fn n04_own_networks_are_private_in_both_families() {
        for (text, why) in [
            ("10.0.0.0", "private"),
            ("10.255.255.255", "private"),
            ("100.64.0.1", "shared by a provider"),
            ("127.0.0.1", "loopback"),
            ("127.255.255.255", "loopback"),
            ("168.63.129.16", "platform of a cloud"),
            ("169.254.169.254", "link-local"),
            ("172.16.0.1", "private"),
            ("172.31.255.255", "private"),
            ("192.168.1.1", "private"),
            ("192.0.0.8", "of protocols"),
            ("192.0.2.1", "documentation"),
            ("198.51.100.1", "documentation"),
            ("203.0.113.1", "documentation"),
            ("198.18.0.1", "benchmarking"),
            ("198.19.255.255", "benchmarking"),
            ("192.88.99.1", "6to4 relay"),
            ("::1", "loopback"),
            ("fc00::1", "unique-local"),
            ("fd00:ec2::254", "unique-local"),
            ("fe80::1", "link-local"),
            ("fec0::1", "site-local"),
            ("2001:db8::1", "documentation"),
            ("3fff::1", "documentation"),
            ("2001::1", "of protocols, or a tunnel"),
            ("2001:2::1", "of protocols, or a tunnel"),
            ("64:ff9b:1::1", "translated locally"),
            ("100::1", "not of the public internet"),
            ("5f00::1", "not of the public internet"),
        ] {
            assert_eq!(check(text), Place::Private(why), "{text}");
        }
    }

    #[test]
    fn n04_an_address_that_hides_another_is_judged_by_it() {
        for text in [
            "::ffff:127.0.0.1",
            "::ffff:168.63.129.16",
            "::ffff:169.254.169.254",
            "::127.0.0.1",
            "::10.0.0.1",
            "::ffff:0:10.0.0.1",
            "64:ff9b::169.254.169.254",
            "64:ff9b::10.0.0.1",
            "2002:7f00:1::",
            "2002:a9fe:a9fe::1",
            "2606:4700::5efe:10.0.0.1",
            "2606:4700::200:5efe:127.0.0.1",
        ] {
            assert!(matches!(check(text), Place::Private(_)), "{text}: {:?}", check(text));
        }
        assert_eq!(check("64:ff9b::0.0.0.0"), Place::Nowhere("unspecified"));
    }

    #[test]
    fn nobody_and_everybody_are_nowhere() {
        for text in [
            "0.0.0.0",
            "0.1.2.3",
            "224.0.0.1",
            "239.255.255.255",
            "240.0.0.1",
            "255.255.255.255",
            "::",
            "ff02::1",
            "ff0e::1",
            "::ffff:0.0.0.0",
        ] {
            assert!(matches!(check(text), Place::Nowhere(_)), "{text}: {:?}", check(text));
        }
    }

    #[test]
    fn a_wrapped_address_is_unwrapped() {
        let mapped: IpAddr = "::ffff:10.0.0.1".parse().unwrap();
        assert_eq!(plain(mapped).to_string(), "10.0.0.1");
        let compatible: IpAddr = "::10.0.0.1".parse().unwrap();
        assert_eq!(plain(compatible), compatible, "only sockets' own form is unwrapped");
    }
}
