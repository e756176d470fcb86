//! Which peers are followed: one for each cluster id.

use std::collections::BTreeMap;
use std::net::IpAddr;

use jiff::Timestamp;

use super::cache::{copies, recall};
use super::peer::Peer;
use crate::access::KUBECONFIG_KEY;
use crate::kinds::wan::ClusterPeer;
use crate::names::{NAMESPACE, is_label};
use crate::object::{Object, created, reference};
use crate::offer::PeerOffer;
use crate::outbox::{Expected, MAX_GATEWAYS, address_refusal, cluster_set};
use crate::problem::Problem;
use crate::snapshot::ClusterSnapshot;
use crate::status::{Answer, PeerFacts, Verdict};

/// Where the kubeconfig of a peer is.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Credentials {
    /// Namespace of the Secret.
    pub namespace: String,
    /// Name of the Secret.
    pub name: String,
    /// Key in the Secret.
    pub key: String,
}

/// All peers of a cluster.
#[derive(Debug, Clone, Default)]
pub struct Roster {
    peers: BTreeMap<String, Peer>,
    credentials: BTreeMap<String, Option<Credentials>>,
    left_out: Vec<(PeerFacts, Problem)>,
    /// Revisions of peers that were forgotten.
    forgotten: u64,
}

impl Roster {
    /// Takes the `ClusterPeer`s of a snapshot of the own cluster. A peer that is new begins with the copies that the
    /// snapshot holds of it; one that no `ClusterPeer` names any more is forgotten, and with it all that it offered.
    ///
    /// Of several `ClusterPeer`s with one cluster id the oldest is followed, then the first by name. One with the own
    /// cluster's id, or with none that is valid, is not followed.
    pub fn update(&mut self, snapshot: &ClusterSnapshot, now: Timestamp) {
        let mut named: Vec<&ClusterPeer> =
            snapshot.cluster_peers.values().map(AsRef::as_ref).collect();
        named.sort_by_key(|p| (created(*p), name(p)));
        self.left_out.clear();
        let mut holders: BTreeMap<&str, &ClusterPeer> = BTreeMap::new();
        for peer in named {
            let id = peer.spec.cluster_id.as_str();
            match refused(snapshot, peer, holders.get(id).copied()) {
                Some(refusal) => self.left_out.push(left_out(peer, refusal)),
                None => {
                    holders.insert(id, peer);
                }
            }
        }
        let forgotten = self
            .peers
            .extract_if(.., |id, _| !holders.contains_key(id.as_str()));
        for (_, peer) in forgotten {
            self.forgotten = self
                .forgotten
                .saturating_add(peer.revision())
                .saturating_add(2);
        }
        self.credentials
            .retain(|id, _| holders.contains_key(id.as_str()));
        for (id, peer) in holders {
            self.follow(snapshot, id, peer, now);
        }
    }

    fn follow(
        &mut self,
        snapshot: &ClusterSnapshot,
        id: &str,
        named: &ClusterPeer,
        now: Timestamp,
    ) {
        let expected = Expected {
            peer: name(named).to_owned(),
            cluster: id.to_owned(),
            cluster_set: cluster_set(snapshot).map(str::to_owned),
        };
        let (gateways, mistakes) = gateways(named);
        let peer = self.peers.entry(id.to_owned()).or_insert_with(|| {
            let kept = recall(snapshot, &expected, now);
            Peer::new(expected.clone(), kept, now)
        });
        peer.describe(expected, gateways, mistakes);
        let found = credentials(named);
        let before = self.credentials.insert(id.to_owned(), found.clone());
        if found.is_none() {
            let message = "no kubeconfig is named, so nothing is read from the peer";
            let hint = "put a kubeconfig into a Secret and name it, or let `mcwanctl link` do so";
            peer.unusable("NoKubeconfig", message, hint, now);
        } else if before == Some(None) {
            peer.usable();
        }
    }

    /// Cluster ids of the peers that are followed, and where their kubeconfigs are.
    pub fn followed(&self) -> impl Iterator<Item = (&str, Option<&Credentials>)> {
        self.credentials
            .iter()
            .map(|(id, credentials)| (id.as_str(), credentials.as_ref()))
    }

    /// The peer of a cluster id.
    pub fn get_mut(&mut self, cluster: &str) -> Option<&mut Peer> {
        self.peers.get_mut(cluster)
    }

    /// The peers that are followed, by cluster id.
    pub fn peers(&self) -> impl Iterator<Item = (&str, &Peer)> {
        self.peers.iter().map(|(id, peer)| (id.as_str(), peer))
    }

    /// Rises when [`Roster::offers`] or [`Roster::copies`] change.
    #[must_use]
    pub fn revision(&self) -> u64 {
        let known = self
            .peers
            .values()
            .map(|peer| peer.revision().saturating_add(1));
        known.fold(self.forgotten, u64::saturating_add)
    }

    /// What is in force of the peers, sorted by cluster id.
    #[must_use]
    pub fn offers(&self) -> Vec<PeerOffer> {
        self.peers.values().filter_map(Peer::offer).collect()
    }

    /// What the statuses of all `ClusterPeer`s say, sorted by name.
    #[must_use]
    pub fn facts(&self) -> Vec<PeerFacts> {
        let left_out = self.left_out.iter().map(|(facts, _)| facts.clone());
        let mut facts: Vec<_> = self
            .peers
            .values()
            .map(Peer::facts)
            .chain(left_out)
            .collect();
        facts.sort_by(|a, b| a.name.cmp(&b.name));
        facts
    }

    /// What is wrong with `ClusterPeer`s, their credentials and what the peers publish, sorted.
    #[must_use]
    pub fn problems(&self) -> Vec<Problem> {
        let left_out = self.left_out.iter().map(|(_, problem)| problem.clone());
        let mut problems: Vec<_> = self
            .peers
            .values()
            .flat_map(Peer::problems)
            .chain(left_out)
            .collect();
        problems.sort_unstable();
        problems
    }

    /// The copies to keep of what is in force: see [`copies`].
    #[must_use]
    pub fn copies(&self) -> Vec<Object> {
        let published: Vec<PeerOffer> = self.peers.values().filter_map(Peer::published).collect();
        copies(&published)
    }
}

fn name(peer: &ClusterPeer) -> &str {
    peer.metadata.name.as_deref().unwrap_or_default()
}

/// Why a `ClusterPeer` is not followed: reason, message and hint.
type Refused = (&'static str, String, &'static str);

/// `holder` is the older `ClusterPeer` with the same id, if there is one.
fn refused(
    snapshot: &ClusterSnapshot,
    peer: &ClusterPeer,
    holder: Option<&ClusterPeer>,
) -> Option<Refused> {
    let id = &peer.spec.cluster_id;
    if !is_label(id) {
        let message = format!("{id:?} is not a cluster id");
        return Some((
            "InvalidClusterId",
            message,
            "a cluster id is one dns label of at most 63 characters",
        ));
    }
    if *id == snapshot.cluster {
        let message = format!("{id} is this cluster itself");
        return Some((
            "OwnCluster",
            message,
            "name the id that the other cluster's controller runs with",
        ));
    }
    let holder = holder?;
    let message = format!(
        "ClusterPeer {} names cluster {id} already, and it is older",
        name(holder)
    );
    Some((
        "DuplicateCluster",
        message,
        "delete one of the two, or correct its cluster id",
    ))
}

fn left_out(peer: &ClusterPeer, (reason, message, hint): Refused) -> (PeerFacts, Problem) {
    let verdict = Verdict::new(Answer::False, reason, message.clone());
    let problem = Problem::error(reference(peer), ("Connected", reason), message)
        .in_field("spec.clusterId")
        .advise(hint);
    let facts = PeerFacts {
        name: name(peer).to_owned(),
        connected: verdict.clone(),
        synced: verdict,
        last_sync: None,
        services: None,
    };
    (facts, problem)
}

fn credentials(peer: &ClusterPeer) -> Option<Credentials> {
    let secret = peer.spec.kubeconfig_secret_ref.as_ref()?;
    let or = |said: &Option<String>, default: &str| {
        let said = said.as_deref().filter(|s| !s.is_empty());
        said.unwrap_or(default).to_owned()
    };
    Some(Credentials {
        namespace: or(&secret.namespace, NAMESPACE),
        name: secret.name.clone(),
        key: or(&secret.key, KUBECONFIG_KEY),
    })
}

/// Addresses that replace the published ones, sorted, and what is wrong with others.
fn gateways(peer: &ClusterPeer) -> (Vec<IpAddr>, Vec<Problem>) {
    let (mut addresses, mut mistakes) = (Vec::new(), Vec::new());
    for (i, text) in peer.spec.gateways.iter().flatten().enumerate() {
        let wrong = match text.parse::<IpAddr>() {
            Ok(address) => match address_refusal(address) {
                Some(what) => format!("{address} is {what}"),
                None if addresses.len() >= MAX_GATEWAYS => {
                    format!("more than {MAX_GATEWAYS} addresses")
                }
                None => {
                    addresses.push(address.to_canonical());
                    continue;
                }
            },
            Err(_not_an_address) => format!("{text:?} is not an ip address"),
        };
        let problem = Problem::error(reference(peer), ("Synced", "InvalidAddress"), wrong);
        mistakes.push(problem.in_field(format!("spec.gateways[{i}]")).advise(
            "name the addresses by which this cluster reaches the peer's ingress gateways",
        ));
    }
    addresses.sort_unstable();
    addresses.dedup();
    (addresses, mistakes)
}
