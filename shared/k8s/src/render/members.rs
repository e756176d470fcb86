//! Which offers are believed: a peer's payload is checked before anything is made of it (DESIGN §7).

use std::cmp::Ordering;
use std::collections::{BTreeMap, BTreeSet};

use serde::Serialize;

use super::output::Output;
use super::report;
use crate::names::{is_label, is_private_namespace};
use crate::offer::{OfferedService, PeerOffer};
use crate::problem::Problem;

/// The clusters of the `ClusterSet` with their offers in canonical order.
pub(super) struct Members {
    /// What this cluster offers.
    pub(super) own: PeerOffer,
    /// What the others offer, by cluster.
    pub(super) peers: BTreeMap<String, PeerOffer>,
}

impl Members {
    /// Takes in all offers. Offers that cannot be used are reported and left out, whole or in part.
    pub(super) fn read(own: &PeerOffer, peers: &[PeerOffer], out: &mut Output) -> Self {
        let mut members = Self {
            own: canonical(own, out),
            peers: BTreeMap::new(),
        };
        // Canonical first: what is compared must not depend on the order inside an offer either.
        let mut sorted: Vec<PeerOffer> = peers.iter().map(|p| canonical(p, out)).collect();
        sorted.sort_by(|a, b| a.cluster.cmp(&b.cluster).then_with(|| by_content(a, b)));
        for peer in sorted {
            members.take_in(peer, out);
        }
        members
    }

    fn take_in(&mut self, peer: PeerOffer, out: &mut Output) {
        let name = &peer.cluster;
        let wrong = if !is_label(name) {
            "its name is not a dns label of at most 63 characters"
        } else if *name == self.own.cluster {
            "it has the name of this cluster"
        } else if self.peers.contains_key(name) {
            "another cluster has the same name"
        } else {
            self.peers.insert(name.clone(), peer);
            return;
        };
        let message = format!("the offer of cluster {name:?} is not used: {wrong}");
        out.problem(
            Problem::error(report::peer(name), ("Synced", "InvalidClusterName"), message)
                .advise("give every cluster of the cluster set a name of its own, at most 63 of a-z, 0-9 and -"),
        );
    }

    /// All offers, this cluster's too, sorted by cluster.
    pub(super) fn all(&self) -> impl Iterator<Item = &PeerOffer> {
        let mut all: Vec<_> = self.peers.values().chain([&self.own]).collect();
        all.sort_by_key(|o| &o.cluster);
        all.into_iter()
    }
}

/// The offer sorted, without duplicates, and without services that may not be imported.
fn canonical(offer: &PeerOffer, out: &mut Output) -> PeerOffer {
    let mut gateways = offer.gateways.clone();
    gateways.sort_unstable();
    gateways.dedup();
    let mut policies = offer.policies.clone();
    policies.sort_by(|a, b| (&a.name, a.port, &a.tunnel).cmp(&(&b.name, b.port, &b.tunnel)));
    policies.dedup_by(|b, a| a.name == b.name);
    let mut services: Vec<OfferedService> = Vec::new();
    let mut seen = BTreeSet::new();
    for service in sorted(&offer.services) {
        match refusal(service) {
            Some(reason) => out.problem(refused(&offer.cluster, service, reason)),
            None if seen.insert((&service.namespace, &service.name)) => {
                services.push(usable(&offer.cluster, service, out));
            }
            None => {}
        }
    }
    PeerOffer {
        cluster: offer.cluster.clone(),
        gateways,
        policies,
        services,
    }
}

fn sorted(services: &[OfferedService]) -> Vec<&OfferedService> {
    let mut sorted: Vec<_> = services.iter().collect();
    sorted.sort_by(|a, b| {
        let names = (&a.namespace, &a.name).cmp(&(&b.namespace, &b.name));
        names.then_with(|| by_content(*a, *b))
    });
    sorted
}

/// An order of values that say different things under the same name, so that the order in which they come does not
/// matter.
fn by_content<T: Serialize>(a: &T, b: &T) -> Ordering {
    let text = |value| serde_json::to_string(value).unwrap_or_default();
    text(a).cmp(&text(b))
}

/// The service without ports that no Service can have.
fn usable(cluster: &str, service: &OfferedService, out: &mut Output) -> OfferedService {
    let mut service = service.clone();
    let offered = service.ports.len();
    let mut seen = BTreeSet::new();
    service.ports.retain(|p| {
        let protocol = matches!(p.protocol.as_str(), "TCP" | "UDP" | "SCTP");
        let name = p.name.is_empty() || is_label(&p.name);
        protocol && name && p.port != 0 && seen.insert((p.protocol.clone(), p.port))
    });
    if service.ports.len() < offered {
        let why = "it has ports that no service can have; they are left out";
        out.problem(refused(cluster, &service, ("InvalidPort", why)));
    }
    service
}

/// Why a service is not imported, if it is not.
fn refusal(service: &OfferedService) -> Option<(&'static str, &'static str)> {
    let OfferedService {
        namespace, name, ..
    } = service;
    if !is_label(namespace) || !is_label(name) {
        return Some((
            "InvalidName",
            "its namespace or name is not a dns label of at most 63 characters; it is not used",
        ));
    }
    is_private_namespace(namespace).then_some((
        "ForbiddenNamespace",
        "services of kube-* and mc-wan are never shared between clusters; it is not used",
    ))
}

fn refused(cluster: &str, service: &OfferedService, (reason, why): (&str, &str)) -> Problem {
    let OfferedService {
        namespace, name, ..
    } = service;
    let message = format!("service {namespace}/{name} offered by cluster {cluster:?}: {why}");
    Problem::error(report::peer(cluster), ("Synced", reason), message).advise(format!(
        "withdraw the export in cluster {cluster}; a cluster that offers such a service may be misconfigured"
    ))
}
