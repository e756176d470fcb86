//! Peers: `ClusterPeer`.

use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};

use super::condition::{Said, Verdict};
use super::problems::Found;
use super::target::Target;
use super::{PeerFacts, StatusWrite, World};
use crate::kinds::wan::ClusterPeer;
use crate::problem::ObjectRef;

/// How far `lastSyncTime` may lag behind while nothing else changes: a write for each confirmation would be one every few
/// seconds.
const LAG: SignedDuration = SignedDuration::from_mins(10);

/// The statuses of all peers that something is known of.
pub(super) fn statuses(world: &World<'_>) -> Vec<StatusWrite> {
    let peers = world.facts.snapshot.cluster_peers.iter();
    peers
        .filter_map(|((_, name), peer)| {
            let mut known = world.facts.peers.iter().filter(|p| p.name == *name);
            // Facts twice about one peer are a mistake; the order in which they come must not matter even so.
            let first = known.next()?;
            let known = known.fold(first, |a, b| if order(b) < order(a) { b } else { a });
            status(world, peer, known)
        })
        .collect()
}

fn order(facts: &PeerFacts) -> String {
    format!("{facts:?}")
}

fn status(world: &World<'_>, peer: &ClusterPeer, known: &PeerFacts) -> Option<StatusWrite> {
    let mut target = Target::of(peer, &peer.status, &world.now);
    let found = problems(world, &target.object, &peer.spec.cluster_id);
    let ready = Verdict::yes("Ready", "all that the peer offers can be used");
    let said = Said::new()
        .say(
            "Connected",
            found.about("Connected").verdict(known.connected.clone()),
        )
        .say(
            "Synced",
            found.about("Synced").verdict(known.synced.clone()),
        )
        .say(
            "Ready",
            found.beside(&["Connected", "Synced"]).verdict(ready),
        );
    target.say(&said);
    if let Some(generation) = target.stamp.generation {
        target.set("observedGeneration", json!(generation));
    }
    if let Some(services) = known.services {
        target.set(
            "services",
            json!(i32::try_from(services).unwrap_or(i32::MAX)),
        );
    }
    if let Some(last) = known.last_sync {
        target.set("lastSyncTime", json!(super::seconds(last)));
        if !target.differs_beside(&["lastSyncTime"])
            && is_recent(target.before("lastSyncTime"), last)
        {
            target.keep("lastSyncTime");
        }
    }
    target.write()
}

/// Problems name a peer by its cluster, which need not be the object's name.
fn problems<'a>(world: &World<'a>, object: &ObjectRef, cluster: &str) -> Found<'a> {
    let by_cluster = ObjectRef {
        name: cluster.to_owned(),
        ..object.clone()
    };
    let mut found = world.problems.on(object);
    if by_cluster != *object {
        found.extend(world.problems.on(&by_cluster));
    }
    found
}

/// Whether the time in the status is near enough, on either side: clocks are set back too.
fn is_recent(before: &Value, last: Timestamp) -> bool {
    let written = before.as_str();
    let written = written.and_then(|t| t.parse::<Timestamp>().ok());
    written.is_some_and(|w| last.duration_since(w).abs() < LAG)
}
