//! Addresses that nobody may send us to.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// Why an address is not taken from a peer, if it is not: a peer that names one would have this cluster's gateways talk to
/// themselves or to their own network. IPv6 addresses that only stand for an IPv4 address are judged by that.
#[must_use]
pub fn refusal(address: IpAddr) -> Option<&'static str> {
    match address {
        IpAddr::V4(v4) => v4_refusal(v4),
        IpAddr::V6(v6) => v6_refusal(v6).or_else(|| embedded(v6).and_then(v4_refusal)),
    }
}

fn v4_refusal(address: Ipv4Addr) -> Option<&'static str> {
    let [first, ..] = address.octets();
    let kinds = [
        (address.is_unspecified() || first == 0, "unspecified"),
        (address.is_loopback(), "a loopback address"),
        (address.is_link_local(), "a link-local address"),
        (address.is_multicast(), "a multicast address"),
        (first >= 240, "a broadcast or reserved address"),
    ];
    kinds.into_iter().find(|(is, _)| *is).map(|(_, what)| what)
}

fn v6_refusal(address: Ipv6Addr) -> Option<&'static str> {
    let kinds = [
        (address.is_unspecified(), "unspecified"),
        (address.is_loopback(), "a loopback address"),
        (address.is_unicast_link_local(), "a link-local address"),
        (address.is_multicast(), "a multicast address"),
    ];
    kinds.into_iter().find(|(is, _)| *is).map(|(_, what)| what)
}

/// The IPv4 address inside: mapped (`::ffff:0:0/96`), compatible (`::/96`), translated (`64:ff9b::/96`, RFC 6052), 6to4
/// (`2002::/16`, RFC 3056).
fn embedded(address: Ipv6Addr) -> Option<Ipv4Addr> {
    let [a, b, c, d, e, f, high, low] = address.segments();
    let of = |high: u16, low: u16| {
        let ([w, x], [y, z]) = (high.to_be_bytes(), low.to_be_bytes());
        Ipv4Addr::new(w, x, y, z)
    };
    match (a, b, c, d, e, f) {
        (0, 0, 0, 0, 0, 0 | 0xffff) | (0x64, 0xff9b, 0, 0, 0, 0) => Some(of(high, low)),
        (0x2002, ..) => Some(of(b, c)),
        _ => None,
    }
}
