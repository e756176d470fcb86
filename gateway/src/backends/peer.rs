//! What Pingora is told about an endpoint.

use std::net::SocketAddr;
use std::time::Duration;

use mcwan_routing::spec::BackendProtocol;
use pingora_core::protocols::tls::{ALPN, CustomALPN};
use pingora_core::upstreams::peer::HttpPeer;

/// Limit for making a connection.
pub(super) const CONNECT_TIMEOUT: Duration = Duration::from_secs(2);

/// An HTTP/1 connection that nobody uses is closed after this time; many servers close after 65 to 75 s.
const IDLE_TIMEOUT: Duration = Duration::from_secs(60);

/// Longest that a backend may refuse to take a piece of the request body. Without a limit a client that has gone is
/// not noticed while a write waits.
const WRITE_TIMEOUT: Duration = Duration::from_secs(300);

/// What a request needs from its connection.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct PeerNeeds {
    /// The request asks for an upgrade: HTTP/1.1 over the own connector, whatever the backend's protocol.
    pub upgrade: bool,
    /// Time left for this attempt, None without limit.
    pub time_left: Option<Duration>,
}

/// Peers of one endpoint, made once: an `HttpPeer` is large, and much of it never changes.
#[derive(Debug)]
pub(super) struct Peers {
    plain: HttpPeer,
    upgrade: HttpPeer,
}

/// The pool key of HTTP/1 connections for upgrades, next to that of an endpoint with id `id`. Pingora's own streams
/// must not be taken for them: they lack the order of reads that an upgrade needs. Endpoint ids are even.
pub(super) const fn upgrade_key(id: u64) -> u64 {
    id | 1
}

/// The endpoint's id in a pool key, and whether the key is that for upgrades.
pub(crate) const fn split_key(key: u64) -> (u64, bool) {
    (key & !1, key & 1 == 1)
}

impl Peers {
    pub(super) fn new(address: SocketAddr, protocol: BackendProtocol, id: u64) -> Self {
        let mut plain = HttpPeer::new(address, false, String::new());
        plain.group_key = id;
        plain.options.idle_timeout = Some(IDLE_TIMEOUT);
        let mut upgrade = plain.clone();
        upgrade.group_key = upgrade_key(id);
        // The value is not sent; it makes Pingora ask our connector.
        upgrade.options.alpn = ALPN::Custom(CustomALPN::new(b"mc-wan".to_vec()));
        plain.options.alpn = match protocol {
            BackendProtocol::Http1 => ALPN::H1,
            BackendProtocol::H2c => upgrade.options.alpn.clone(),
        };
        Self { plain, upgrade }
    }

    pub(super) fn peer(&self, needs: PeerNeeds) -> Box<HttpPeer> {
        let template = if needs.upgrade {
            &self.upgrade
        } else {
            &self.plain
        };
        let mut peer = Box::new(template.clone());
        let within = |limit: Duration| needs.time_left.map_or(limit, |left| left.min(limit));
        peer.options.connection_timeout = Some(within(CONNECT_TIMEOUT));
        peer.options.total_connection_timeout = Some(within(CONNECT_TIMEOUT));
        peer.options.read_timeout = needs.time_left;
        peer.options.write_timeout = Some(within(WRITE_TIMEOUT));
        peer
    }
}

#[cfg(test)]
mod tests {
    use pingora_core::upstreams::peer::Peer;

    use super::*;

    fn peers(protocol: BackendProtocol) -> Peers {
        Peers::new("127.0.0.1:80".parse().unwrap(), protocol, 42)
    }

    #[test]
    fn upgrades_never_share_a_connection_with_other_requests() {
        let peers = peers(BackendProtocol::Http1);
        let plain = peers.peer(PeerNeeds::default());
        let upgrade = peers.peer(PeerNeeds {
            upgrade: true,
            time_left: None,
        });
        assert_eq!(plain.options.alpn, ALPN::H1);
        assert!(matches!(upgrade.options.alpn, ALPN::Custom(_)));
        assert_ne!(plain.reuse_hash(), upgrade.reuse_hash());
        assert_eq!(split_key(plain.group_key), (42, false));
        assert_eq!(split_key(upgrade.group_key), (42, true));
    }

    #[test]
    fn http2_goes_to_the_own_connector() {
        let peer = peers(BackendProtocol::H2c).peer(PeerNeeds::default());
        assert!(matches!(peer.options.alpn, ALPN::Custom(_)));
    }

    #[test]
    fn no_limit_exceeds_the_time_left() {
        let left = Duration::from_millis(300);
        let peer = peers(BackendProtocol::Http1).peer(PeerNeeds {
            upgrade: false,
            time_left: Some(left),
        });
        assert_eq!(peer.options.connection_timeout, Some(left));
        assert_eq!(peer.options.total_connection_timeout, Some(left));
        assert_eq!(peer.options.read_timeout, Some(left));
        assert_eq!(peer.options.write_timeout, Some(left));
    }
}
