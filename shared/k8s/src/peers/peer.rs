//! One peer: what was read of its outbox, and what is in force.

mod entries;
mod judge;

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;

use super::cache::Recalled;
use super::lease::Lease;
use crate::kinds::wan::{PublishedCluster, PublishedService};
use crate::offer::PeerOffer;
use crate::outbox::{Expected, Published, Refusal, peer_reference, receive_cluster};
use crate::problem::{ObjectRef, Problem};
use crate::status::{Answer, PeerFacts, Verdict};

use entries::Entries;

/// Most refused objects that are named in the problems of a peer; the others are counted.
const NAMED: usize = 10;

/// What was read of a peer's outbox, after a complete list.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Outbox {
    /// By name.
    pub clusters: BTreeMap<String, Arc<PublishedCluster>>,
    /// By name.
    pub services: BTreeMap<String, Arc<PublishedService>>,
    /// Objects that are there but cannot be read, and what is wrong with each.
    pub unreadable: BTreeMap<ObjectRef, String>,
    /// Names of services that were seen to be deleted, and did not come back. What is neither here nor there was missing in
    /// a list.
    pub deleted: BTreeSet<String>,
}

/// One peer. See the [module](super) for what is in force when.
#[derive(Debug, Clone)]
pub struct Peer {
    expected: Expected,
    /// Addresses that the `ClusterPeer` puts in the place of the published ones.
    gateways: Vec<IpAddr>,
    /// What is wrong with the `ClusterPeer`.
    mistakes: Vec<Problem>,
    /// What is wrong with its credentials.
    credentials: Option<Problem>,
    /// The last `PublishedCluster` that was believed.
    published: Option<Published>,
    /// What the outbox said of itself when it was last read.
    read: Option<Read>,
    entries: Entries,
    /// Counts changes of what is in force, but those of `entries`.
    changes: u64,
    lease: Lease,
    connected: Verdict,
    synced: Verdict,
    last_sync: Option<Timestamp>,
}

/// The outbox as it was last read, without its services.
#[derive(Debug, Clone)]
struct Read {
    /// The peer's `PublishedCluster`, if there is one.
    cluster: Option<Arc<PublishedCluster>>,
    /// Why it is not believed, wholly or in part.
    refusals: Vec<Refusal>,
    /// Whether it is believed.
    believed: bool,
    /// How many services there are, readable or not.
    services: usize,
}

impl Peer {
    /// A peer of which nothing is known but what was kept.
    pub(super) fn new(expected: Expected, kept: Recalled, now: Timestamp) -> Self {
        let mut peer = Self {
            expected,
            gateways: Vec::new(),
            mistakes: Vec::new(),
            credentials: None,
            published: kept.published,
            read: None,
            entries: Entries::kept(kept.services),
            changes: 0,
            lease: Lease::default(),
            connected: Verdict::new(Answer::Unknown, "Pending", "not connected yet"),
            synced: Verdict::default(),
            last_sync: None,
        };
        peer.settle(now);
        peer
    }

    /// The `ClusterPeer` says so: its name, and addresses that replace the published ones.
    pub(super) fn describe(
        &mut self,
        expected: Expected,
        gateways: Vec<IpAddr>,
        mistakes: Vec<Problem>,
    ) {
        if self.gateways != gateways {
            self.changes = self.changes.saturating_add(1);
        }
        self.expected = expected;
        self.gateways = gateways;
        self.mistakes = mistakes;
    }

    /// The outbox was read: at first and after each change.
    pub fn observe(&mut self, outbox: &Outbox, now: Timestamp) {
        self.reached();
        self.read_cluster(outbox);
        self.entries.update(&self.expected, outbox, now);
        self.settle(now);
        if self.is_complete(now) {
            self.last_sync = Some(now);
        }
    }

    /// The Lease of the peer's controller was read: when it was renewed, by the peer's clock, and for how long that
    /// counts; `None` if there is no Lease or nobody holds it.
    pub fn lease(&mut self, read: Option<(Timestamp, Duration)>, now: Timestamp) {
        self.reached();
        let was_complete = self.is_complete(now);
        self.lease.seen(read, now);
        self.settle(now);
        if !was_complete && self.is_complete(now) {
            self.last_sync = Some(now);
        }
    }

    /// The peer's API server does not answer, or not to us: reason in `CamelCase`, and what it was.
    pub fn lost(&mut self, reason: &'static str, message: &str, now: Timestamp) {
        self.connected = Verdict::new(Answer::False, reason, message);
        self.settle(now);
    }

    /// There is no way to the peer's API server, because of the user's mistake: what it is, and what to do.
    pub fn unusable(&mut self, reason: &'static str, message: &str, hint: &str, now: Timestamp) {
        let peer = peer_reference(&self.expected.peer);
        let problem = Problem::error(peer, ("Connected", reason), message)
            .in_field("spec.kubeconfigSecretRef")
            .advise(hint);
        self.credentials = Some(problem);
        self.lost(reason, message, now);
    }

    /// The credentials are usable, or are going to be tried.
    pub fn usable(&mut self) {
        self.credentials = None;
    }

    /// Time has passed.
    pub fn tick(&mut self, now: Timestamp) {
        self.settle(now);
    }

    /// What is in force, as the peer published it; `None` if nothing was ever known of it.
    #[must_use]
    pub fn published(&self) -> Option<PeerOffer> {
        let services: Vec<_> = self.entries.in_force().cloned().collect();
        let known = self.published.as_ref();
        self.is_known().then(|| PeerOffer {
            cluster: self.expected.cluster.clone(),
            gateways: known.map(|p| p.gateways.clone()).unwrap_or_default(),
            policies: known.map(|p| p.policies.clone()).unwrap_or_default(),
            services,
        })
    }

    /// What is in force here: with the addresses that the `ClusterPeer` gives, if it gives any.
    #[must_use]
    pub fn offer(&self) -> Option<PeerOffer> {
        let published = self.published()?;
        Some(if self.gateways.is_empty() {
            published
        } else {
            PeerOffer {
                gateways: self.gateways.clone(),
                ..published
            }
        })
    }

    /// Name of the `ClusterPeer`.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.expected.peer
    }

    /// What the status of the `ClusterPeer` says.
    #[must_use]
    pub fn facts(&self) -> PeerFacts {
        let services = self.entries.in_force().count();
        PeerFacts {
            name: self.expected.peer.clone(),
            connected: self.connected.clone(),
            synced: self.synced.clone(),
            last_sync: self.last_sync,
            services: self
                .is_known()
                .then(|| u32::try_from(services).unwrap_or(u32::MAX)),
        }
    }

    /// What is wrong with the `ClusterPeer`, with its credentials, and with what the peer publishes, sorted; of refused
    /// objects the first few.
    #[must_use]
    pub fn problems(&self) -> Vec<Problem> {
        let refusals = self.refusals();
        let named = refusals.iter().take(NAMED);
        let refused = named.map(|refusal| refusal.problem(&self.expected));
        let mistakes = self.mistakes.iter().chain(&self.credentials).cloned();
        let mut problems: Vec<Problem> = mistakes.chain(refused).collect();
        problems.sort_unstable();
        problems.dedup();
        problems
    }

    /// Rises when what is in force changes.
    #[must_use]
    pub const fn revision(&self) -> u64 {
        self.changes.saturating_add(self.entries.revision())
    }

    /// How many times something was refused, by reason, since the process began: each version of an object counts once.
    #[must_use]
    pub const fn refused_in_all(&self) -> &BTreeMap<&'static str, u64> {
        self.entries.refused_in_all()
    }

    /// Whether anything was ever believed of it.
    fn is_known(&self) -> bool {
        self.published.is_some() || self.entries.in_force().next().is_some()
    }

    fn reached(&mut self) {
        self.connected = Verdict::new(Answer::True, "Connected", "the peer's api server answers");
    }

    fn read_cluster(&mut self, outbox: &Outbox) {
        let cluster = outbox.clusters.get(&self.expected.cluster).cloned();
        let services = outbox
            .services
            .len()
            .saturating_add(outbox.unreadable.len());
        if let Some(read) = &mut self.read
            && read.cluster.is_some()
            && read.cluster == cluster
        {
            read.services = services;
            return;
        }
        let mut refusals = Vec::new();
        let known = match &cluster {
            Some(object) => receive_cluster(&self.expected, object, &mut refusals),
            None => {
                // Somebody else's outbox? The object says who it is.
                for other in outbox.clusters.values().take(1) {
                    let _stranger = receive_cluster(&self.expected, other, &mut refusals);
                }
                None
            }
        };
        self.entries.count(&refusals);
        let believed = known.is_some();
        if known.is_some() && self.published != known {
            self.changes = self.changes.saturating_add(1);
            self.published = known;
        }
        self.read = Some(Read {
            cluster,
            refusals,
            believed,
            services,
        });
    }

    /// Everything that is refused now, sorted, what is grave first.
    fn refusals(&self) -> Vec<Refusal> {
        let cluster = self.read.iter().flat_map(|r| &r.refusals);
        let mut all: Vec<Refusal> = cluster.chain(self.entries.refusals()).cloned().collect();
        all.sort_by(|a, b| b.is_grave().cmp(&a.is_grave()).then_with(|| a.cmp(b)));
        all.dedup();
        all
    }
}
