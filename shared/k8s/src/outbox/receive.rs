//! A peer's objects, none of them believed.

mod cluster;
mod endpoints;
mod service;

use jiff::Timestamp;

use crate::kinds::GROUP;
use crate::kinds::wan::{PublishedCluster, PublishedService};
use crate::offer::PeerOffer;
use crate::problem::{ObjectRef, Problem};

pub use cluster::Published;
pub(crate) use cluster::cluster;
pub(crate) use service::service;

/// Most services that are taken from one peer.
pub const MAX_SERVICES: usize = 10_000;
/// Most gateway addresses of one peer.
pub const MAX_GATEWAYS: usize = 16;

/// Reasons of refusals: a fixed set, so that a metric may count by them.
pub mod reason {
    /// Another cluster id than the `ClusterPeer` states.
    pub const CLUSTER_ID: &str = "ClusterIdMismatch";
    /// Another `ClusterSet` than ours.
    pub const CLUSTER_SET: &str = "ClusterSetMismatch";
    /// The object is named otherwise than its content.
    pub const NAME: &str = "NameMismatch";
    /// A name that is not one.
    pub const INVALID_NAME: &str = "InvalidName";
    /// A namespace whose services are never shared.
    pub const NAMESPACE: &str = "ForbiddenNamespace";
    /// An address that a peer may not name.
    pub const ADDRESS: &str = "ForbiddenAddress";
    /// A label or annotation that may not travel.
    pub const KEY: &str = "ForbiddenKey";
    /// A label, annotation or setting that is not valid.
    pub const VALUE: &str = "InvalidValue";
    /// A port that no Service can have.
    pub const PORT: &str = "InvalidPort";
    /// A policy that is not valid.
    pub const POLICY: &str = "InvalidPolicy";
    /// Rules out of bounds.
    pub const RULES: &str = "InvalidRules";
    /// A time of creation that cannot be.
    pub const TIME: &str = "ImplausibleTime";
    /// More than is taken from one peer, or too large an object.
    pub const TOO_MUCH: &str = "TooLarge";
    /// Not an object of its kind.
    pub const UNREADABLE: &str = "Unreadable";
}

/// Whom we expect to hear.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Expected {
    /// Name of the `ClusterPeer`; problems are reported on it.
    pub peer: String,
    /// The cluster id that it states.
    pub cluster: String,
    /// The `ClusterSet` of this cluster, if it says one.
    pub cluster_set: Option<String>,
}

/// Something of a payload that is not taken.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Refusal {
    /// The peer's object.
    pub object: ObjectRef,
    /// One of [`reason`].
    pub reason: &'static str,
    /// What was refused, and why.
    pub message: String,
    /// Whether nothing of the object is taken.
    pub whole: bool,
}

impl Refusal {
    /// The whole object is refused.
    fn whole(object: ObjectRef, reason: &'static str, message: impl Into<String>) -> Self {
        let message = bounded(&message.into());
        Self {
            object,
            reason,
            message,
            whole: true,
        }
    }

    /// A part of the object is left out.
    fn part(object: ObjectRef, reason: &'static str, message: impl Into<String>) -> Self {
        Self {
            whole: false,
            ..Self::whole(object, reason, message)
        }
    }

    /// An object that cannot be read at all.
    pub(crate) fn unreadable(object: ObjectRef, message: &str) -> Self {
        Self::whole(object, reason::UNREADABLE, message)
    }

    /// One object more than is taken.
    pub(crate) fn too_many(object: ObjectRef) -> Self {
        let message = format!("the peer offers more than {MAX_SERVICES} services");
        Self::whole(object, reason::TOO_MUCH, message)
    }

    /// Whether something that the peer offers is missing because of it: a whole object, or a way to it.
    #[must_use]
    pub fn is_grave(&self) -> bool {
        self.whole || self.reason == reason::ADDRESS
    }

    /// As a problem of the `ClusterPeer`.
    #[must_use]
    pub fn problem(&self, expected: &Expected) -> Problem {
        let what = ("Synced", self.reason);
        let object = bounded(&self.object.to_string());
        let message = format!("{object} of cluster {}: {}", expected.cluster, self.message);
        let peer = peer_reference(&expected.peer);
        let message = if self.whole {
            format!("{message}; it is not used")
        } else {
            format!("{message}; that part is left out")
        };
        let cluster = &expected.cluster;
        if self.is_grave() {
            Problem::error(peer, what, message).advise(format!(
                "look into cluster {cluster}: it publishes what no controller of its own would"
            ))
        } else {
            Problem::warning(peer, what, message).advise(format!(
                "remove it from the export in cluster {cluster}, if it was meant at all"
            ))
        }
    }
}

/// A `ClusterPeer` of this cluster.
pub(crate) fn peer_reference(name: &str) -> ObjectRef {
    ObjectRef {
        group: GROUP.to_owned(),
        kind: "ClusterPeer".to_owned(),
        namespace: String::new(),
        name: name.to_owned(),
    }
}

/// What a peer offers, out of its whole outbox, and what was refused, as problems of the `ClusterPeer`, sorted.
///
/// `now` bounds times: nothing was exported in the future. Without a usable `PublishedCluster` there are no gateways and no
/// policies, but services all the same.
#[must_use]
pub fn receive(
    expected: &Expected,
    published: Option<&PublishedCluster>,
    services: &[PublishedService],
    now: Timestamp,
) -> (PeerOffer, Vec<Problem>) {
    let mut refusals = Vec::new();
    let identity = published
        .and_then(|p| cluster(expected, p, &mut refusals))
        .unwrap_or_default();
    let mut offer = PeerOffer {
        cluster: expected.cluster.clone(),
        gateways: identity.gateways,
        policies: identity.policies,
        services: Vec::new(),
    };
    for object in services {
        if offer.services.len() >= MAX_SERVICES {
            refusals.push(Refusal::too_many(crate::object::reference(object)));
            break;
        }
        offer
            .services
            .extend(service(expected, object, now, &mut refusals));
    }
    offer
        .services
        .sort_by(|a, b| (&a.namespace, &a.name).cmp(&(&b.namespace, &b.name)));
    offer
        .services
        .dedup_by(|b, a| (&a.namespace, &a.name) == (&b.namespace, &b.name));
    let mut problems: Vec<Problem> = refusals.iter().map(|r| r.problem(expected)).collect();
    problems.sort_unstable();
    problems.dedup();
    (offer, problems)
}

/// Text of a peer for people to read: of bounded length, without control characters.
fn bounded(text: &str) -> String {
    const LENGTH: usize = 300;
    let shown: String = text
        .chars()
        .filter(|c| !c.is_control())
        .take(LENGTH)
        .collect();
    if text.chars().count() > LENGTH {
        shown + "…"
    } else {
        shown
    }
}
