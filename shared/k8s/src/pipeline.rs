//! The whole way from the objects of a `ClusterSet` to one cluster's routing table: offer → render → translate.
//!
//! Standalone gateways and `mcwanctl` run it on directories. Pure: the caller reads the files and keeps what was
//! rendered before.

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr};

use mcwan_routing::spec::TableSpec;

use crate::object::Object;
use crate::offer::{PeerOffer, offer};
use crate::problem::Problem;
use crate::render::render;
use crate::snapshot::ClusterSnapshot;
use crate::translate::{Scope, translate};

/// What a standalone process serves: all Gateways of class `mc-wan`, on all addresses where none is given, without
/// privileges. `mcwanctl` takes the same, so that it reports the same problems.
#[must_use]
pub const fn standalone_scope() -> Scope {
    Scope {
        gateways: None,
        privileged_port_offset: 10_000,
        default_address: Some(IpAddr::V4(Ipv4Addr::UNSPECIFIED)),
        standalone: true,
        apart: false,
    }
}

/// What one cluster does with the objects of all.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Outcome {
    /// What the controller would have rendered, sorted by kind, namespace and name. Goes in as `previous` the next time.
    pub objects: Vec<Object>,
    /// What the gateway serves: the rendered objects and the user's own.
    pub table: TableSpec,
    /// What is wrong with this cluster's objects, sorted, without duplicates. A peer's mistakes are its own to report.
    pub problems: Vec<Problem>,
}

/// Computes the outcome for `cluster`, which is empty if `clusters` does not have it.
///
/// `previous` are the objects that an earlier run rendered; allocated ports are kept from them. An object in the
/// cluster's own files wins over a previous one of the same name, and is replaced only where `render` says so.
#[must_use]
pub fn run(
    cluster: &str,
    clusters: &BTreeMap<String, ClusterSnapshot>,
    previous: &[Object],
    scope: &Scope,
) -> Outcome {
    let empty = ClusterSnapshot::new(cluster);
    let own = clusters.get(cluster).unwrap_or(&empty);
    let peers: Vec<PeerOffer> = clusters
        .iter()
        .filter(|(name, _)| *name != cluster)
        .map(|(_, peer)| offer(peer).0)
        .collect();
    let before = ClusterSnapshot::new(cluster)
        .with(previous.iter().cloned())
        .with(own.iter());
    let (objects, mut problems) = render(&before, &peers);
    let translation = translate(&own.clone().with(objects.iter().cloned()), scope);
    problems.extend(offer(own).1);
    problems.extend(translation.problems);
    problems.sort_unstable();
    problems.dedup();
    Outcome {
        objects,
        table: translation.table,
        problems,
    }
}
