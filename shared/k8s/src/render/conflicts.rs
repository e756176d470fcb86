//! What the exports of a service disagree on (KEP-1645, conflict resolution), and who is told: the exports of this cluster, or
//! its import where it has none. Every cluster tells its own, so in the end all exports are told.

use std::collections::BTreeSet;

use k8s_openapi::api::core::v1::SessionAffinityConfig;

use super::View;
use super::merge::{MultiService, Port, Source};
use super::output::Output;
use super::report::{self, MCS_GROUP};
use crate::kinds;
use crate::offer::{OfferedPort, OfferedService};
use crate::problem::{ObjectRef, Problem};

/// How long a client stays with an endpoint where the Service does not say: the API server's default, in seconds.
const STAYS: i32 = 10_800;

/// A property that the exports disagree on.
pub(super) struct Conflict {
    /// Reason in the MCS API.
    reason: &'static str,
    /// Name of the property.
    property: &'static str,
    /// How many exports differ from what is used.
    differ: usize,
}

/// Counts, property by property, the exports that do not have what is used.
pub(super) fn find(
    oldest: &OfferedService,
    sources: &[Source<'_>],
    ports: &[Port<'_>],
) -> Vec<Conflict> {
    let merged = shape(ports.iter().map(|p| p.offered));
    let ports = sources
        .iter()
        .filter(|s| shape(&s.service.ports) != merged)
        .count();
    let ports = Conflict {
        reason: "PortConflict",
        property: "ports",
        differ: ports,
    };
    let others = PROPERTIES
        .iter()
        .map(|&(reason, property, differs)| Conflict {
            reason,
            property,
            differ: sources
                .iter()
                .filter(|s| differs(s.service, oldest))
                .count(),
        });
    std::iter::once(ports)
        .chain(others)
        .filter(|c| c.differ > 0)
        .collect()
}

/// Whether an export differs from the oldest one.
type Differs = fn(&OfferedService, &OfferedService) -> bool;

/// Reason, property, and how to tell. What a Service leaves out counts as the API server's default.
const PROPERTIES: [(&str, &str, Differs); 8] = [
    ("TypeConflict", "type", |a, b| a.headless != b.headless),
    ("SessionAffinityConflict", "sessionAffinity", |a, b| {
        affinity(a) != affinity(b)
    }),
    (
        "SessionAffinityConfigConflict",
        "sessionAffinityConfig",
        |a, b| affinity(a) == affinity(b) && stays(a) != stays(b),
    ),
    (
        "InternalTrafficPolicyConflict",
        "internalTrafficPolicy",
        |a, b| traffic_policy(a) != traffic_policy(b),
    ),
    (
        "TrafficDistributionConflict",
        "trafficDistribution",
        |a, b| a.traffic_distribution != b.traffic_distribution,
    ),
    ("IPFamilyConflict", "ipFamilies", other_families),
    ("LabelsConflict", "exportedLabels", |a, b| {
        a.labels != b.labels
    }),
    ("AnnotationsConflict", "exportedAnnotations", |a, b| {
        a.annotations != b.annotations
    }),
];

fn affinity(service: &OfferedService) -> &str {
    service.session_affinity.as_deref().unwrap_or("None")
}

/// Seconds that a client stays with an endpoint, if it does.
fn stays(service: &OfferedService) -> Option<i32> {
    let seconds = |c: &SessionAffinityConfig| c.client_ip.as_ref()?.timeout_seconds;
    let config = service.session_affinity_config.as_ref();
    (affinity(service) == "ClientIP").then(|| config.and_then(seconds).unwrap_or(STAYS))
}

fn traffic_policy(service: &OfferedService) -> &str {
    service
        .internal_traffic_policy
        .as_deref()
        .unwrap_or("Cluster")
}

/// A conflict only where an address family would decide which endpoints can be reached: a headless service's are dialled
/// directly. Behind a virtual address the gateways reach the endpoints of every family for clients of every family.
fn other_families(a: &OfferedService, b: &OfferedService) -> bool {
    let families = |s: &OfferedService| s.ip_families.iter().cloned().collect::<BTreeSet<_>>();
    let known = !a.ip_families.is_empty() && !b.ip_families.is_empty();
    a.headless && b.headless && known && families(a) != families(b)
}

/// Ports as a set, without the number of endpoints.
fn shape<'b>(
    ports: impl IntoIterator<Item = &'b OfferedPort>,
) -> BTreeSet<(&'b str, &'b str, Option<&'b str>, u16)> {
    ports
        .into_iter()
        .map(|p| {
            (
                p.name.as_str(),
                p.protocol.as_str(),
                p.app_protocol.as_deref(),
                p.port,
            )
        })
        .collect()
}

/// Tells the conflicts of a service.
pub(super) fn report(view: &View<'_>, service: &MultiService<'_>, out: &mut Output) {
    for conflict in &service.conflicts {
        for object in blamed(view, service) {
            out.problem(in_conflict(object, service, conflict));
        }
    }
}

/// The objects that a conflict is reported on: this cluster's exports, or the import where it has none.
fn blamed(view: &View<'_>, service: &MultiService<'_>) -> Vec<ObjectRef> {
    if service.exported_by(&view.members.own.cluster).is_none() {
        return vec![report::service_import(service.id())];
    }
    let key = (service.namespace.to_owned(), service.name.to_owned());
    let official = view
        .snapshot
        .mcs_exports
        .contains_key(&key)
        .then_some(MCS_GROUP);
    let own = view
        .snapshot
        .exports
        .contains_key(&key)
        .then_some(kinds::GROUP);
    let groups = official.into_iter().chain(own);
    groups
        .map(|g| report::service_export(g, service.id()))
        .collect()
}

fn in_conflict(object: ObjectRef, service: &MultiService<'_>, conflict: &Conflict) -> Problem {
    let winner = service.sources.first().map_or("", |s| s.cluster);
    let Conflict {
        reason,
        property,
        differ,
    } = conflict;
    let all = service.sources.len();
    let used = if *property == "ports" {
        "using the union, and where ports clash those"
    } else {
        "using that"
    };
    let message = format!(
        "conflicting {property}: {used} of the oldest export, in cluster {winner}; {differ} of {all} clusters disagree"
    );
    Problem::warning(object, ("Conflict", reason), message).advise(format!(
        "make {property} alike in all clusters that export the service"
    ))
}
