//! Exports of the `ClusterSet` rendered as standard Gateway API objects (DESIGN §4).
//!
//! [`render`] is pure and cannot fail: a bad object or offer yields a [`Problem`] and leaves the others alone, and the
//! order of objects and offers does not matter. The work goes in steps, one module each:
//!
//! | step | what it decides |
//! |---|---|
//! | `members` | which offers are believed |
//! | `namespaces` | where services are imported |
//! | `merge` | one multi-cluster service out of the exports of several clusters (KEP-1645, conflict resolution) |
//! | `conflicts` | what the exports disagree on, and who is told |
//! | `rules` | which HTTP rules are in force, and where they come from |
//! | `ports` | which ports are HTTP, and their allocated ports on the egress gateway |
//! | `naming` | names that cannot clash |
//! | `plans`, `pieces`, `candidates` | what becomes of each service: rules cut to the limits of routes, and their backends |
//! | `gateways`, `ingress`, `targets`, `egress`, `import`, `own_import`, `derived`, `headless` | the objects |
//! | `output` | what may be written: nothing replaces an object that is not ours |
//!
//! # Decisions
//!
//! * **The WAN hop is plain HTTP/2** as long as mTLS is not built (DESIGN §8): the listeners of `mc-wan-ingress` have
//!   protocol HTTP and there is no `BackendTLSPolicy`.
//! * **The two Gateways are merged, not replaced.** What the user wrote (addresses, labels, infrastructure, class, own
//!   listeners) stays; listeners of ours are added and never take a name of the user's. The annotation
//!   [`LISTENERS_ANNOTATION`] says which listeners are ours, so that a later run can tell.
//! * **Nothing that was rendered decides what is rendered**, but for allocated ports and virtual addresses, so that rendered
//!   objects may come back in the snapshot, all or some of them, or those of an earlier state, and nothing flaps.
//! * **What the user wrote under a name of ours** is never replaced. A Gateway, or a `ServiceImport` of the own group, that
//!   lacks our label is rendered as it is with our listeners or our status in it, and without the label: whoever applies
//!   objects applies to such a Gateway our listeners and their annotation, and to nothing else that lacks the label.
//! * **An official `ServiceImport` that is not ours** means that somebody else imports the service here: nothing else of the
//!   service's importing side is rendered then.
//! * **No owner references.** They would need uids, which only the API server knows; objects go because they are no longer
//!   rendered, which also works when their `ServiceImport` is recreated.
//! * **Preference stands in the order and in the weights** of `backendRefs`: the most preferred policy carries the ready
//!   endpoints of each cluster as weights, everything less preferred carries 0. Other implementations send those
//!   nothing; `translate` reads them as failover candidates. The local Service, where there is one, comes first.
//! * **`failover.fallback` of the first policy only** is followed, and on from there breadth first: what the first
//!   policy names itself goes before what its fallbacks name. A first policy that does not exist has no fallback.
//! * **Never open.** A rule whose matches are all unusable is left out; it does not become a rule that takes everything.
//!   A rule whose policies are all unusable stays, without backends (500).
//! * Problems of the exports and policies themselves are reported by [`offer`], not a second time here.

mod candidates;
mod conflicts;
mod derived;
mod egress;
mod gateways;
mod headless;
mod import;
mod ingress;
mod matches;
mod members;
mod merge;
mod meta;
mod namespaces;
mod naming;
mod output;
mod own_import;
mod pieces;
mod plans;
mod policies;
mod ports;
mod report;
mod rules;
mod targets;

use std::collections::BTreeMap;

use crate::names;
use crate::object::Object;
use crate::offer::{PeerOffer, offer};
use crate::problem::Problem;
use crate::snapshot::ClusterSnapshot;

pub use crate::names::is_ours;

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

/// Objects this cluster should have, sorted by kind, namespace and name; and what is wrong, sorted. Each has the label
/// `app.kubernetes.io/managed-by: mc-wan`, except what the user made: see the decisions above.
///
/// `peers` are the offers of the other clusters. The snapshot may hold objects that an earlier call rendered: allocated
/// ports and virtual addresses are kept from them. What is wrong with this cluster's own exports and policies is not
/// repeated here: [`offer`] says it.
#[must_use]
pub fn render(snapshot: &ClusterSnapshot, peers: &[PeerOffer]) -> (Vec<Object>, Vec<Problem>) {
    let mut out = Output::new(snapshot);
    let members = Members::read(&offer(snapshot).0, peers, &mut out);
    let policies = Policies::read(snapshot);
    let merged = merge::services(&members, &namespaces::existing(snapshot));
    let (services, foreign): (Vec<_>, Vec<_>) = merged
        .into_iter()
        .partition(|s| !import::is_foreign(snapshot, s));
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
    for service in services.iter().chain(&foreign) {
        conflicts::report(&view, service, &mut out);
    }
    for service in &foreign {
        out.not_ours(report::service_import(service.id()));
    }
    policies::compare(&view, &mut out);
    gateways::render(&view, &mut out);
    ingress::render(&view, &mut out);
    targets::render(&view, &mut out);
    let plans = plans::read(&view, &mut out);
    egress::render(&view, &plans, &mut out);
    import::render(&view, &plans, &mut out);
    own_import::render(&view, &plans, &mut out);
    out.finish()
}
