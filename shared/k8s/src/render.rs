//! Exports of the `ClusterSet` rendered as standard Gateway API objects (DESIGN §4).
//!
//! [`render`] is pure and cannot fail: a bad object or offer yields a [`Problem`] and leaves the others alone, and the
//! order of objects and offers does not matter. The work goes in steps, one module each:
//!
//! | step | what it decides |
//! |---|---|
//! | `members` | which offers are believed |
//! | `merge` | one multi-cluster service out of the exports of several clusters (KEP-1645, conflict resolution) |
//! | `rules` | which HTTP rules are in force, and where they come from |
//! | `ports` | which ports are HTTP, and their allocated ports on the egress gateway |
//! | `naming` | names that cannot clash |
//! | `plans`, `pieces`, `candidates` | what becomes of each service: rules cut to the limits of routes, and their backends |
//! | `gateways`, `ingress`, `targets`, `egress`, `import`, `derived` | the objects |
//! | `output` | what may be written: nothing replaces an object that is not ours |
//!
//! # Decisions
//!
//! * **The WAN hop is plain HTTP/2** as long as mTLS is not built (DESIGN §8): the listeners of `mc-wan-ingress` have
//!   protocol HTTP and there is no `BackendTLSPolicy`.
//! * **The two Gateways are merged, not replaced.** What the user wrote (addresses, labels, infrastructure, class, own
//!   listeners) stays; listeners of ours are added and never take a name of the user's. The annotation
//!   [`LISTENERS_ANNOTATION`] says which listeners are ours, so that a later run can tell.
//! * **A namespace exists** when there is a Namespace object, when an object that is not ours lives in it, or when it is
//!   `default`.
//! * **Preference stands in the order and in the weights** of `backendRefs`: the most preferred policy carries the ready
//!   endpoints of each cluster as weights, everything less preferred carries 0. Other implementations send those
//!   nothing; `translate` reads them as failover candidates. The local Service, where there is one, comes first.
//! * **`failover.fallback` of the first policy only** is followed, and on from there breadth first: what the first
//!   policy names itself goes before what its fallbacks name. A first policy that does not exist has no fallback.
//! * **Never open.** A rule whose matches are all unusable is left out; it does not become a rule that takes everything.
//!   A rule whose policies are all unusable stays, without backends (500).
//! * Problems of the exports and policies themselves are reported by [`offer`], not a second time here.

mod candidates;
mod derived;
mod egress;
mod gateways;
mod import;
mod ingress;
mod matches;
mod members;
mod merge;
mod meta;
mod naming;
mod output;
mod pieces;
mod plans;
mod policies;
mod ports;
mod report;
mod rules;
mod targets;

use std::collections::{BTreeMap, BTreeSet};

use crate::names;
use crate::object::{Key, Object};
use crate::offer::{PeerOffer, offer};
use crate::problem::Problem;
use crate::snapshot::ClusterSnapshot;

pub use meta::is_ours;

use members::Members;
use merge::MultiService;
use output::Output;
use policies::Policies;

/// Annotation of the two Gateways: the names of the listeners that were rendered, separated by commas.
pub const LISTENERS_ANNOTATION: &str = "mc-wan.l7mp.io/listeners";

/// Most `backendRefs` in a rule (Gateway API v1.7.0, `maxItems`).
const MAX_BACKENDS: usize = 16;
/// Most rules in a route (same).
const MAX_RULES: usize = 16;
/// Most matches in a rule (same).
const MAX_MATCHES: usize = 64;
/// Most matches in all rules of a route (same, CEL).
const MAX_ROUTE_MATCHES: usize = 128;
/// Most listeners of a `Gateway` or `ListenerSet` (same).
const MAX_LISTENERS: usize = 64;

/// What all steps look at.
struct View<'a> {
    snapshot: &'a ClusterSnapshot,
    members: &'a Members,
    policies: &'a Policies,
    /// Services imported here, sorted by namespace and name.
    services: &'a [MultiService<'a>],
    /// Names of the target Services, by cluster.
    targets: BTreeMap<&'a str, String>,
    /// Listener and port names of the WAN policies.
    sections: BTreeMap<&'a str, String>,
}

/// Objects this cluster should have, sorted by kind, namespace and name, each with the label
/// `app.kubernetes.io/managed-by: mc-wan`; and what is wrong, sorted.
///
/// `peers` are the offers of the other clusters. The snapshot may hold objects that an earlier call rendered: allocated
/// ports and virtual addresses are kept from them. What is wrong with this cluster's own exports and policies is not
/// repeated here: [`offer`] says it.
#[must_use]
pub fn render(snapshot: &ClusterSnapshot, peers: &[PeerOffer]) -> (Vec<Object>, Vec<Problem>) {
    let mut out = Output::new(snapshot);
    let members = Members::read(&offer(snapshot).0, peers, &mut out);
    let policies = Policies::read(snapshot);
    let namespaces = namespaces(snapshot);
    let services = merge::services(&members, &namespaces);
    let view = View {
        snapshot,
        members: &members,
        policies: &policies,
        services: &services,
        targets: members
            .peers
            .keys()
            .map(|c| (c.as_str(), names::target_name(c)))
            .collect(),
        sections: naming::sections(policies.iter().map(|p| p.name.as_str())),
    };
    gateways::render(&view, &mut out);
    ingress::render(&view, &mut out);
    targets::render(&view, &mut out);
    let plans = plans::read(&view, &mut out);
    egress::render(&view, &plans, &mut out);
    import::render(&view, &plans, &mut out);
    out.finish()
}

/// Namespaces that exist in the cluster.
fn namespaces(snapshot: &ClusterSnapshot) -> BTreeSet<String> {
    let named = snapshot
        .namespaces
        .keys()
        .map(|(_, name): &Key| name.clone());
    let lived_in = snapshot
        .iter()
        .filter(|o| !is_ours(o.meta()))
        .map(|o| o.key().0);
    named
        .chain(lived_in)
        .chain(["default".to_owned()])
        .filter(|n| !n.is_empty())
        .collect()
}
