//! The addresses of the demo, all in 127.0.0.0/8.
//!
//! Ports are given by the manifests (8080, 31111, 31112) and by the contract (10080), so every part of the world has an
//! address of its own. Two demos can run at once: each takes a block of addresses that is free.

use std::net::{IpAddr, Ipv4Addr, SocketAddr, TcpListener};

/// Port of the "business" tunnel, as the seed's `WANPolicy` says.
pub(crate) const BUSINESS: u16 = 31111;
/// Port of the "default" tunnel.
pub(crate) const DEFAULT: u16 = 31112;
/// Port of the payment service.
pub(crate) const SERVICE: u16 = 8080;
/// Where an egress gateway answers for port 80.
pub(crate) const EGRESS: u16 = 10080;
/// Admin port of a gateway.
const ADMIN: u16 = 15020;

/// One block of addresses.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Addresses {
    block: u8,
}

/// Addresses of one cluster's gateways.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct ClusterAddresses {
    /// `mc-wan-ingress`.
    pub ingress: IpAddr,
    /// `mc-wan-egress`.
    pub egress: IpAddr,
}

impl Addresses {
    /// The first block, from a random one on, in which every port is free.
    ///
    /// # Errors
    /// When there is none; says which port is taken.
    pub(crate) fn free() -> anyhow::Result<Self> {
        let first = fastrand::u8(..);
        let mut taken = None;
        // 64 blocks are enough: a port that is taken in all of them is taken on all addresses.
        for step in 0..64 {
            let addresses = Self {
                block: first.wrapping_add(step),
            };
            match addresses.taken() {
                None => return Ok(addresses),
                Some(address) => taken = Some(address),
            }
        }
        let port = taken.map_or(0, |address| address.port());
        anyhow::bail!(
            "port {port} is in use on this machine's loopback addresses; \
             find who has it with `ss -ltnp 'sport = :{port}'`, stop it, and run the demo again"
        )
    }

    fn at(self, host: u8) -> IpAddr {
        IpAddr::V4(Ipv4Addr::new(127, 77, self.block, host))
    }

    /// Addresses of cluster 1 or 2.
    pub(crate) fn cluster(self, number: u8) -> ClusterAddresses {
        ClusterAddresses {
            ingress: self.at(number * 10 + 1),
            egress: self.at(number * 10 + 2),
        }
    }

    /// Admin address of a cluster's gateway.
    pub(crate) fn admin(self, number: u8) -> SocketAddr {
        SocketAddr::new(self.at(number * 10 + 3), ADMIN)
    }

    /// Where the relays listen: cluster-1's ingress as cluster-2 sees it.
    pub(crate) fn wan(self) -> IpAddr {
        self.at(100)
    }

    /// A replica of the backend, from 1.
    pub(crate) fn replica(self, number: u8) -> SocketAddr {
        SocketAddr::new(self.at(200 + number), SERVICE)
    }

    /// The first address that is not free.
    fn taken(self) -> Option<SocketAddr> {
        let tunnels = |ip| [SocketAddr::new(ip, BUSINESS), SocketAddr::new(ip, DEFAULT)];
        let mut needed = vec![self.replica(1), self.replica(2)];
        needed.extend(tunnels(self.wan()));
        for number in [1, 2] {
            let ClusterAddresses { ingress, egress } = self.cluster(number);
            needed.extend(tunnels(ingress));
            needed.push(SocketAddr::new(egress, EGRESS));
            needed.push(self.admin(number));
        }
        needed.into_iter().find(|a| TcpListener::bind(a).is_err())
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;
    use std::net::TcpListener;

    use super::{Addresses, SERVICE};

    #[test]
    fn every_part_has_an_address_of_its_own() {
        let a = Addresses { block: 7 };
        let (one, two) = (a.cluster(1), a.cluster(2));
        let all = [
            one.ingress,
            one.egress,
            two.ingress,
            two.egress,
            a.admin(1).ip(),
            a.admin(2).ip(),
            a.wan(),
            a.replica(1).ip(),
            a.replica(2).ip(),
        ];
        assert_eq!(BTreeSet::from(all).len(), all.len());
    }

    #[test]
    fn a_block_with_a_taken_port_is_passed_over() {
        let first = Addresses::free().unwrap();
        let _held = TcpListener::bind(first.replica(1)).unwrap();
        assert_eq!(first.taken().unwrap().port(), SERVICE);
        assert_ne!(Addresses::free().unwrap(), first);
    }
}
