//! Who the peer is, where its gateways are, and which policies it has.

use std::collections::BTreeSet;
use std::net::IpAddr;

use super::{Expected, MAX_GATEWAYS, Refusal, reason};
use crate::kinds::wan::{PublishedCluster, Sla};
use crate::names::is_label;
use crate::object::reference;
use crate::offer::OfferedPolicy;
use crate::outbox::address;
use crate::outbox::rules::is_policy;

/// Most policies of one peer: as many as a Gateway has listeners.
const MAX_POLICIES: usize = 64;

/// A `PublishedCluster` that is believed.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Published {
    /// Addresses of its ingress gateways, sorted.
    pub gateways: Vec<IpAddr>,
    /// Its policies, sorted by name.
    pub policies: Vec<OfferedPolicy>,
    /// How many services it says it has published.
    pub services: u32,
    /// Whether it had seen all of its cluster.
    pub synced: bool,
}

/// What is taken from a `PublishedCluster`; `None` when it is another cluster's.
pub(crate) fn cluster(
    expected: &Expected,
    object: &PublishedCluster,
    refusals: &mut Vec<Refusal>,
) -> Option<Published> {
    if let Some((reason, message)) = stranger(expected, object) {
        refusals.push(Refusal::whole(reference(object), reason, message));
        return None;
    }
    let spec = &object.spec;
    let part = |reason, message: String| Refusal::part(reference(object), reason, message);
    let mut gateways = BTreeSet::new();
    for address in &spec.gateways {
        match address::refusal(*address) {
            Some(what) => {
                refusals.push(part(
                    reason::ADDRESS,
                    format!("gateway address {address} is {what}"),
                ));
            }
            None if gateways.len() >= MAX_GATEWAYS => {
                let message = format!("more than {MAX_GATEWAYS} gateway addresses");
                refusals.push(part(reason::TOO_MUCH, message));
                break;
            }
            None => {
                gateways.insert(address.to_canonical());
            }
        }
    }
    let (policies, refused) = policies(&spec.policies);
    refusals.extend(
        refused
            .into_iter()
            .map(|message| part(reason::POLICY, message)),
    );
    Some(Published {
        gateways: gateways.into_iter().collect(),
        policies,
        services: spec.services,
        synced: spec.synced,
    })
}

/// Why the object is not the expected cluster's, if it is not.
fn stranger(expected: &Expected, object: &PublishedCluster) -> Option<(&'static str, String)> {
    let name = object.metadata.name.as_deref().unwrap_or_default();
    let spec = &object.spec;
    if spec.cluster != expected.cluster {
        let message = format!("it says it is cluster {:?}", spec.cluster);
        return Some((reason::CLUSTER_ID, message));
    }
    if name != spec.cluster {
        return Some((
            reason::NAME,
            format!("its content is that of cluster {:?}", spec.cluster),
        ));
    }
    match (&expected.cluster_set, &spec.cluster_set) {
        (Some(ours), Some(theirs)) if ours != theirs => {
            let message =
                format!("it is a member of cluster set {theirs:?}, this cluster of {ours:?}");
            Some((reason::CLUSTER_SET, message))
        }
        _ => None,
    }
}

/// Policies that a `WANPolicy` could say, sorted by name, and what is wrong with the others.
fn policies(offered: &[OfferedPolicy]) -> (Vec<OfferedPolicy>, Vec<String>) {
    let (mut taken, mut refused): (Vec<OfferedPolicy>, _) = (Vec::new(), Vec::new());
    for policy in offered {
        let OfferedPolicy {
            name,
            port,
            tunnel,
            dscp,
            sla,
        } = policy;
        let known = taken.iter().any(|p| p.name == *name || p.port == *port);
        if taken.len() >= MAX_POLICIES {
            refused.push(format!("more than {MAX_POLICIES} policies"));
            break;
        }
        if known {
            refused.push(format!(
                "policy {name:?} stands there twice, or its port {port} does"
            ));
        } else if !is_policy(name) || !is_label(tunnel) || *port < 1024 {
            refused.push(format!(
                "policy {name:?} with port {port} and tunnel {tunnel:?} is none"
            ));
        } else if dscp.is_some_and(|d| d > 63) || sla.as_ref().is_some_and(|s| !possible(s)) {
            refused.push(format!(
                "policy {name:?} has a code point or an sla that no policy can have"
            ));
        } else {
            taken.push(policy.clone());
        }
    }
    taken.sort_by(|a, b| a.name.cmp(&b.name));
    (taken, refused)
}

/// Whether the limits are within what the schema of a `WANPolicy` allows.
fn possible(sla: &Sla) -> bool {
    let milliseconds = |value: Option<i32>| value.is_none_or(|v| (1..=60_000).contains(&v));
    milliseconds(sla.latency_ms)
        && milliseconds(sla.jitter_ms)
        && sla.loss_percent.is_none_or(|p| (0.0..=100.0).contains(&p))
}
