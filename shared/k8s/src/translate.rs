//! Gateway API objects to the routing table. The only translation there is: traffic and status come from it.

use std::collections::BTreeSet;
use std::net::IpAddr;

use mcwan_routing::spec::TableSpec;

use crate::problem::Problem;
use crate::snapshot::ClusterSnapshot;

/// Which Gateways a process serves, and how it binds.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Scope {
    /// The Gateways to serve, as (namespace, name). None: all of class `mc-wan` (standalone).
    pub gateways: Option<BTreeSet<(String, String)>>,
    /// Added to ports below 1024, which need privileges: 10000, or 0 to bind them as they are.
    pub privileged_port_offset: u16,
    /// Where a Gateway without `spec.addresses` listens. `mc-wan-egress` listens on the loopback address instead when
    /// this is the unspecified address and `standalone` is set: it must not be reachable from the WAN.
    pub default_address: Option<IpAddr>,
    /// One process plays all Gateways of a cluster on an ordinary machine.
    pub standalone: bool,
}

/// The result of a translation.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Translation {
    /// The routing table.
    pub table: TableSpec,
    /// What is wrong, sorted.
    pub problems: Vec<Problem>,
}

/// Translates. Cannot fail: bad objects become problems and leave the others alone.
#[must_use]
pub fn translate(snapshot: &ClusterSnapshot, scope: &Scope) -> Translation {
    let _ = (snapshot, scope);
    todo!("translate")
}
