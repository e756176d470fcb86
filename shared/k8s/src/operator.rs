//! What the controller decides: everything that it writes, as a function of what it sees.
//!
//! [`decide`] runs [`offer`], [`render`] and [`translate`] over a [`World`] and says which
//! objects there should be. [`diff()`] compares them with those that there are. Nothing here does I/O or looks at a clock;
//! `mcwan-controller` watches, calls these two, and carries the [`Change`]s out.
//!
//! # Rules
//!
//! * **Only with the label.** An object without `app.kubernetes.io/managed-by: mc-wan` is neither changed nor deleted. The
//!   exception are the two Gateways, which a user may have made to say where they listen: our listeners and the
//!   annotations of them are added to those, nothing else, and they are never deleted.
//! * **Only kinds that are rendered** are deleted ([`stage`](Change::stage) lists them). A Namespace never is.
//! * **No write without a difference.** Each applied object carries the digest of what was applied
//!   ([`names::APPLIED_ANNOTATION`]). It is applied again when the digest differs (something that is no longer wanted must
//!   go, too), or when a field that is wanted is not as wanted. [`Memory`] spares the comparison of what was compared
//!   before, and bridges the time until a write comes back through the watch.
//! * **Make before break.** Applied first, in the order in which objects lean on each other; the outbox last, so that peers
//!   learn of a service once its way in is there. Deleted after that, in reverse order.
//! * **What is being deleted is left alone**: objects with a deletion time, and everything in such a namespace. Exports
//!   in it no longer count.
//!
//! # How many writes
//!
//! A change of the number of ready endpoints of one exported service changes, in the exporting cluster, its
//! `PublishedService`, and in every cluster the `HTTPRoute`s of that service on the egress gateway (one for each
//! HTTP port and each 16 rules). All else stays: names, ports, addresses and all other services.

mod awaited;
mod diff;
mod digest;
mod living;
mod memory;
mod own_part;
mod subset;

use jiff::Timestamp;
use k8s_openapi::api::core::v1::Namespace;

use crate::names;
use crate::object::Object;
use crate::offer::{PeerOffer, offer};
use crate::outbox::{cluster_set, publish};
use crate::problem::Problem;
use crate::render::render;
use crate::served::Served;
use crate::snapshot::ClusterSnapshot;
use crate::status::{Facts, PeerFacts, StatusWrite, statuses};
use crate::translate::{Scope, translate};

pub use awaited::{ADMIN_ANNOTATION, ADMIN_PORT, Awaited, awaited};
pub use diff::{Apply, Change, Delete, diff, verbs};
pub use digest::Digest;
pub use memory::Memory;

/// What the controller sees.
#[derive(Debug, Clone, Copy)]
pub struct World<'a> {
    /// The cluster's objects, those included that were applied before.
    pub snapshot: &'a ClusterSnapshot,
    /// What the peers offer, or last offered.
    pub peers: &'a [PeerOffer],
    /// Objects to keep beside those that are decided here: the last known copies of what the peers publish.
    pub copies: &'a [Object],
    /// What is known of each peer.
    pub facts: &'a [PeerFacts],
    /// What each live gateway serves.
    pub served: &'a [Served],
    /// Problems that were seen elsewhere: objects that cannot be read, payloads that are refused, applies that fail.
    pub problems: &'a [Problem],
    /// Now.
    pub now: Timestamp,
}

/// What there should be.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Decision {
    /// Every object that the controller keeps in its cluster, with its label.
    pub objects: Vec<Object>,
    /// Statuses that should be written.
    pub statuses: Vec<StatusWrite>,
    /// What is wrong, sorted, without duplicates.
    pub problems: Vec<Problem>,
    /// Gateways that have not yet confirmed what they serve.
    pub awaited: Vec<Awaited>,
}

/// Decides. Cannot fail: bad objects become problems and leave the others alone.
#[must_use]
pub fn decide(world: &World<'_>) -> Decision {
    let snapshot = living::of(world.snapshot);
    let (offered, mut problems) = offer(&snapshot);
    let (mut objects, more) = render(&snapshot, world.peers);
    problems.extend(more);
    problems.extend_from_slice(world.problems);
    problems.sort_unstable();
    problems.dedup();
    let translation = translate(world.snapshot, &Scope::apart());
    let statuses = statuses(&Facts {
        snapshot: world.snapshot,
        rendered: &objects,
        translation: &translation,
        problems: &problems,
        served: world.served,
        peers: world.facts,
        now: world.now,
    });
    objects.push(own_namespace());
    objects.extend(publish(&offered, cluster_set(&snapshot)));
    objects.extend_from_slice(world.copies);
    problems.extend(translation.problems);
    problems.sort_unstable();
    problems.dedup();
    Decision {
        objects,
        statuses,
        problems,
        awaited: awaited(world.snapshot, world.served),
    }
}

/// The namespace that the controller lives in. One that a user made is not touched: it has no label.
fn own_namespace() -> Object {
    let (key, value) = names::MANAGED_BY;
    let mut namespace = Namespace::default();
    namespace.metadata.name = Some(names::NAMESPACE.to_owned());
    let labels = namespace.metadata.labels.get_or_insert_default();
    labels.insert(key.to_owned(), value.to_owned());
    namespace.into()
}

#[cfg(test)]
mod tests;
