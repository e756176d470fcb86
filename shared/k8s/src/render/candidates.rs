//! The backends of a rule: which tunnels and clusters may take its requests, and in which order.

use std::collections::BTreeMap;

use mcwan_gateway_api::httproutes::HttpRouteRulesBackendRefs;

use super::merge::{MultiService, Port};
use super::output::Output;
use super::{MAX_BACKENDS, View, policies, report};
use crate::kinds::wan::HttpRule;
use crate::offer::PeerOffer;
use crate::policy::Accepted;
use crate::problem::Problem;

/// Largest weight (Gateway API v1.7.0).
const MAX_WEIGHT: u32 = 1_000_000;

/// A backend and its place in the order of preference.
struct Candidate {
    tier: usize,
    ready: u32,
    reference: HttpRouteRulesBackendRefs,
}

/// The backends of a rule for one port: the local Service, then policy by policy the peers that expose the port.
///
/// The weights are the ready endpoints of the local Service and of the clusters behind the most preferred policy that
/// leads anywhere; all others have weight 0.
pub(super) fn backends(
    view: &View<'_>,
    service: &MultiService<'_>,
    port: &Port<'_>,
    rule: &HttpRule,
    out: &mut Output,
) -> Vec<HttpRouteRulesBackendRefs> {
    let mut candidates: Vec<Candidate> = local(view, service, port).into_iter().collect();
    let mut preferred = None;
    for (tier, policy) in view
        .policies
        .chain(rule.backend_refs.as_slice())
        .into_iter()
        .enumerate()
    {
        for (peer, ready) in exposing(view, port) {
            if !reachable(policy, peer, out) {
                continue;
            }
            let weight = if *preferred.get_or_insert(tier) == tier {
                ready
            } else {
                0
            };
            let Some(target) = view.targets.get(peer.cluster.as_str()) else {
                continue;
            };
            candidates.push(Candidate {
                tier: tier + 1,
                ready,
                reference: reference(target, None, policy.port, weight),
            });
        }
    }
    if candidates.len() > MAX_BACKENDS {
        out.problem(too_many(service, candidates.len()));
        shorten(&mut candidates);
    }
    candidates.into_iter().map(|c| c.reference).collect()
}

/// Whether this cluster serves the port itself.
pub(super) fn is_local(view: &View<'_>, port: &Port<'_>) -> bool {
    port.ready.contains_key(view.members.own.cluster.as_str())
}

/// The local Service, in an exporting cluster.
fn local(view: &View<'_>, service: &MultiService<'_>, port: &Port<'_>) -> Option<Candidate> {
    let &ready = port.ready.get(view.members.own.cluster.as_str())?;
    let reference = reference(
        service.name,
        Some(service.namespace),
        port.offered.port,
        ready,
    );
    Some(Candidate {
        tier: 0,
        ready,
        reference,
    })
}

/// Peers that expose the port, sorted, with their ready endpoints.
fn exposing<'v>(view: &'v View<'_>, port: &Port<'_>) -> Vec<(&'v PeerOffer, u32)> {
    let ready: &BTreeMap<&str, u32> = &port.ready;
    ready
        .iter()
        .filter_map(|(cluster, &ready)| Some((view.members.peers.get(*cluster)?, ready)))
        .collect()
}

/// Whether a peer can be reached through a policy; says why if not.
fn reachable(policy: &Accepted, peer: &PeerOffer, out: &mut Output) -> bool {
    let problem = if peer.gateways.is_empty() {
        Some(no_gateway(&peer.cluster))
    } else {
        policies::disagreement(policy, peer)
    };
    let reachable = problem.is_none();
    problem.into_iter().for_each(|p| out.problem(p));
    reachable
}

fn reference(
    service: &str,
    namespace: Option<&str>,
    port: u16,
    weight: u32,
) -> HttpRouteRulesBackendRefs {
    HttpRouteRulesBackendRefs {
        filters: None,
        group: None,
        kind: None,
        name: service.to_owned(),
        namespace: namespace.map(str::to_owned),
        port: Some(i32::from(port)),
        weight: i32::try_from(weight.min(MAX_WEIGHT)).ok(),
    }
}

/// Leaves out the least preferred: from the last tier, those without ready endpoints first, then the last.
fn shorten(candidates: &mut Vec<Candidate>) {
    while candidates.len() > MAX_BACKENDS {
        let last = candidates.last().map_or(0, |c| c.tier);
        let idle = candidates
            .iter()
            .rposition(|c| c.tier == last && c.ready == 0);
        candidates.remove(idle.unwrap_or(candidates.len() - 1));
    }
}

fn too_many(service: &MultiService<'_>, count: usize) -> Problem {
    let message = format!(
        "a rule would have {count} backends, one for each policy and cluster; the least preferred beyond {MAX_BACKENDS} are left out"
    );
    Problem::error(
        report::service_import(service.id()),
        ("Ready", "TooManyBackends"),
        message,
    )
    .advise("name fewer policies in the rule, or export the service from fewer clusters")
}

fn no_gateway(cluster: &str) -> Problem {
    let message =
        format!("cluster {cluster} exports services but offers no address of its ingress gateway");
    Problem::error(report::peer(cluster), ("Ready", "NoGatewayAddress"), message).advise(format!(
        "give gateway mc-wan/mc-wan-ingress of cluster {cluster} an address (spec.addresses, or a load balancer)"
    ))
}
