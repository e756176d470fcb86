//! WAN policies of this cluster, and whether a peer agrees on them.

use std::collections::{BTreeMap, BTreeSet};

use super::output::Output;
use super::{View, report};
use crate::kinds;
use crate::kinds::wan::PolicyRef;
use crate::offer::{self, OfferedPolicy, PeerOffer};
use crate::policy::{Accepted, accepted};
use crate::problem::Problem;
use crate::snapshot::ClusterSnapshot;

/// Accepted WAN policies, by name.
pub(super) struct Policies {
    by_name: BTreeMap<String, Accepted>,
}

impl Policies {
    /// The policies of the cluster. What is wrong with others is reported with the cluster's offer.
    pub(super) fn read(snapshot: &ClusterSnapshot) -> Self {
        let accepted = accepted(snapshot).0.into_iter();
        Self {
            by_name: accepted.map(|p| (p.name.clone(), p)).collect(),
        }
    }

    /// All of them, sorted by name.
    pub(super) fn iter(&self) -> impl Iterator<Item = &Accepted> {
        self.by_name.values()
    }

    /// The policy of services that ask for none.
    pub(super) fn default(&self) -> Option<&str> {
        self.iter().find(|p| p.is_default).map(|p| p.name.as_str())
    }

    /// The policy that a reference names, if it names an accepted one.
    pub(super) fn resolve(&self, reference: &PolicyRef) -> Option<&Accepted> {
        let group = reference.group.as_deref().unwrap_or(kinds::GROUP);
        let kind = reference.kind.as_deref().unwrap_or("WANPolicy");
        (group == kinds::GROUP && kind == "WANPolicy")
            .then(|| self.by_name.get(&reference.name))
            .flatten()
    }

    /// Policies in order of preference: the listed ones, then the fallbacks of the first, breadth first. References
    /// that do not resolve are left out; each policy comes once.
    pub(super) fn chain(&self, listed: &[PolicyRef]) -> Vec<&Accepted> {
        let mut chain: Vec<&Accepted> = Vec::new();
        let mut seen = BTreeSet::new();
        for policy in listed.iter().filter_map(|r| self.resolve(r)) {
            if seen.insert(&policy.name) {
                chain.push(policy);
            }
        }
        let first = listed.first().and_then(|r| self.resolve(r));
        for policy in first.map(|p| self.fallbacks(p)).unwrap_or_default() {
            if seen.insert(&policy.name) {
                chain.push(policy);
            }
        }
        chain
    }

    /// The policies that can be reached from one by `failover.fallback`, breadth first, without itself.
    fn fallbacks<'p>(&'p self, first: &'p Accepted) -> Vec<&'p Accepted> {
        let mut found = vec![first];
        let mut next = 0;
        while let Some(&policy) = found.get(next) {
            for fallback in &policy.fallback {
                let known = found.iter().any(|f| f.name == *fallback);
                found.extend(self.by_name.get(fallback).filter(|_| !known));
            }
            next += 1;
        }
        found.split_off(1)
    }
}

/// Reports where the peers' policies differ from those of this cluster. One that a peer lacks altogether is reported only
/// when it is needed: see [`disagreement`].
pub(super) fn compare(view: &View<'_>, out: &mut Output) {
    for peer in view.members.peers.values() {
        for theirs in &peer.policies {
            if let Some(ours) = view.policies.by_name.get(&theirs.name) {
                out.problems(disagreement(ours, peer));
                out.problems(differences(view.snapshot, ours, theirs, &peer.cluster));
            }
        }
    }
}

/// What a peer has otherwise than this cluster, if it does; then it is left out for this policy.
pub(super) fn disagreement(policy: &Accepted, peer: &PeerOffer) -> Option<Problem> {
    let theirs = peer.policies.iter().find(|p| p.name == policy.name);
    let cluster = &peer.cluster;
    let (field, message) = match theirs {
        None => ("", format!("cluster {cluster} has no such policy")),
        Some(p) if p.port != policy.port => (
            "spec.port",
            format!(
                "port is {} here and {} in cluster {cluster}",
                policy.port, p.port
            ),
        ),
        Some(p) if p.tunnel != policy.tunnel => (
            "spec.tunnel",
            format!(
                "tunnel is {:?} here and {:?} in cluster {cluster}",
                policy.tunnel, p.tunnel
            ),
        ),
        Some(_) => return None,
    };
    Some(
        Problem::error(report::policy(&policy.name), ("Consistent", "PeerMismatch"), message)
            .in_field(field)
            .advise(format!(
                "apply the same policy in both clusters; until then cluster {cluster} is not reached through it"
            )),
    )
}

/// Where a peer promises or marks otherwise: requests still take the tunnel, but the two directions are not treated alike.
fn differences(
    snapshot: &ClusterSnapshot,
    ours: &Accepted,
    theirs: &OfferedPolicy,
    cluster: &str,
) -> Vec<Problem> {
    let promised = offer::sla(snapshot, &ours.name).unwrap_or_default();
    let sla = theirs.sla.clone().unwrap_or_default();
    let fields = [
        ("spec.dscp", shown(ours.dscp), shown(theirs.dscp)),
        (
            "spec.sla.latency-ms",
            shown(promised.latency_ms),
            shown(sla.latency_ms),
        ),
        (
            "spec.sla.jitter-ms",
            shown(promised.jitter_ms),
            shown(sla.jitter_ms),
        ),
        (
            "spec.sla.loss-percent",
            shown(promised.loss_percent),
            shown(sla.loss_percent),
        ),
    ];
    let different = fields.into_iter().filter(|(_, here, there)| here != there);
    different
        .map(|(field, here, there)| {
            let name = field.strip_prefix("spec.").unwrap_or(field);
            let message = format!("{name} is {here} here and {there} in cluster {cluster}");
            Problem::warning(report::policy(&ours.name), ("Consistent", "PeerMismatch"), message)
                .in_field(field)
                .advise("apply the same policy in both clusters: each direction of a tunnel is treated by its sender's")
        })
        .collect()
}

/// A value, or that there is none.
fn shown(value: Option<impl ToString>) -> String {
    value.map_or_else(|| "unset".to_owned(), |v| v.to_string())
}

#[cfg(test)]
mod tests;
