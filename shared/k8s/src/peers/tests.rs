//! Peers that fail, lie, come and go. Each rule of DESIGN §7 is a test.

mod roster;
mod withdrawal;

use std::sync::Arc;
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};

use super::*;
use crate::kinds::wan::{ClusterPeer, ClusterPeerSpec, PublishedService, SecretRef};
use crate::object::Object;
use crate::offer::{OfferedService, PeerOffer};
use crate::outbox::publish;
use crate::snapshot::ClusterSnapshot;
use crate::status::Answer;

/// Seconds after the beginning of a test.
fn at(seconds: i64) -> Timestamp {
    Timestamp::from_second(1_790_000_000).unwrap() + SignedDuration::from_secs(seconds)
}

fn service(name: &str) -> OfferedService {
    OfferedService {
        namespace: "secure".to_owned(),
        name: name.to_owned(),
        created: 1_780_000_000,
        ..OfferedService::default()
    }
}

/// What cluster-1 offers.
fn offer(services: &[&str]) -> PeerOffer {
    PeerOffer {
        cluster: "cluster-1".to_owned(),
        gateways: vec!["10.77.1.1".parse().unwrap()],
        policies: Vec::new(),
        services: services.iter().copied().map(service).collect(),
    }
}

/// The outbox of cluster-1 as it is read while all is well.
fn outbox(services: &[&str]) -> Outbox {
    let mut outbox = Outbox::default();
    for object in publish(&offer(services), None) {
        match object {
            Object::PublishedCluster(o) => {
                outbox.clusters.insert(o.metadata.name.clone().unwrap(), o);
            }
            Object::PublishedService(o) => {
                outbox.services.insert(o.metadata.name.clone().unwrap(), o);
            }
            other => panic!("{other:?}"),
        }
    }
    outbox
}

/// The same outbox, changed by no controller of its own.
fn without(outbox: &Outbox, services: &[&str]) -> Outbox {
    let mut changed = outbox.clone();
    for name in services {
        changed.services.remove(&format!("secure.{name}")).unwrap();
    }
    changed
}

/// As it is after the deletion of these services was seen.
fn deleted(outbox: &Outbox, services: &[&str]) -> Outbox {
    let mut changed = outbox.clone();
    changed.deleted = services.iter().map(|s| format!("secure.{s}")).collect();
    changed
}

fn forged(name: &str, change: impl FnOnce(&mut PublishedService)) -> Arc<PublishedService> {
    let mut object = outbox(&[name])
        .services
        .pop_first()
        .unwrap()
        .1
        .as_ref()
        .clone();
    change(&mut object);
    Arc::new(object)
}

fn cluster_peer(name: &str, id: &str) -> ClusterPeer {
    let spec = ClusterPeerSpec {
        cluster_id: id.to_owned(),
        kubeconfig_secret_ref: Some(SecretRef {
            name: "access".to_owned(),
            ..SecretRef::default()
        }),
        ..ClusterPeerSpec::default()
    };
    ClusterPeer::new(name, spec)
}

/// cluster-2, which follows cluster-1 under the name `west`.
fn own() -> ClusterSnapshot {
    ClusterSnapshot::new("cluster-2").with([cluster_peer("west", "cluster-1").into()])
}

fn roster(snapshot: &ClusterSnapshot) -> Roster {
    let mut roster = Roster::default();
    roster.update(snapshot, at(0));
    roster
}

fn peer(roster: &mut Roster) -> &mut Peer {
    roster.get_mut("cluster-1").unwrap()
}

/// A roster whose one peer was read and is synced at second 10.
fn synced(services: &[&str]) -> Roster {
    let mut roster = roster(&own());
    let peer = peer(&mut roster);
    peer.observe(&outbox(services), at(0));
    renewed(peer, 0);
    renewed(peer, 10);
    roster
}

/// The peer's controller has just renewed its Lease; its clock is years away from ours.
fn renewed(peer: &mut Peer, seconds: i64) {
    let theirs = Timestamp::from_second(1_000_000_000 + seconds).unwrap();
    peer.lease(Some((theirs, Duration::from_secs(15))), at(seconds));
}

/// Names of the services in force.
fn in_force(roster: &Roster) -> Vec<String> {
    let services = roster.offers().into_iter().flat_map(|o| o.services);
    services.map(|s| s.name).collect()
}

/// Condition `Connected`, condition `Synced`, reason of the latter.
fn conditions(roster: &Roster) -> (Answer, Answer, String) {
    let facts = &roster.facts()[0];
    (
        facts.connected.answer,
        facts.synced.answer,
        facts.synced.reason.clone(),
    )
}

#[test]
fn a_peer_that_is_read_and_alive_is_synced() {
    let mut roster = roster(&own());
    let waiting = |r: &Roster| (conditions(r).1, conditions(r).2);
    assert_eq!(waiting(&roster), (Answer::Unknown, "Pending".to_owned()));
    peer(&mut roster).observe(&outbox(&["a", "b"]), at(1));
    assert_eq!(
        in_force(&roster),
        ["a", "b"],
        "what is offered counts at once"
    );
    renewed(peer(&mut roster), 2);
    assert_eq!(
        waiting(&roster),
        (Answer::Unknown, "Pending".to_owned()),
        "a renewal is a change"
    );
    renewed(peer(&mut roster), 5);
    assert_eq!(
        conditions(&roster),
        (Answer::True, Answer::True, "Synced".to_owned())
    );
    let facts = &roster.facts()[0];
    assert_eq!((facts.services, facts.last_sync), (Some(2), Some(at(5))));
    assert_eq!(roster.offers(), [offer(&["a", "b"])]);
    assert_eq!(roster.problems(), []);
}

#[test]
fn additions_and_changes_count_at_once() {
    let mut roster = synced(&["a"]);
    let mut grown = outbox(&["a", "b"]);
    // The number follows a moment later.
    grown.clusters = outbox(&["a"]).clusters;
    peer(&mut roster).observe(&grown, at(11));
    assert_eq!(in_force(&roster), ["a", "b"]);
    let headless = forged("a", |o| o.spec.service.headless = true);
    grown.services.insert("secure.a".to_owned(), headless);
    peer(&mut roster).observe(&grown, at(12));
    assert!(roster.offers()[0].services[0].headless);
}

#[test]
fn a_refused_payload_changes_nothing_and_is_named_and_counted() {
    let mut roster = synced(&["a", "b"]);
    let mut bad = outbox(&["a", "b"]);
    let foreign = forged("a", |o| "cluster-3".clone_into(&mut o.spec.cluster));
    bad.services
        .insert("secure.a".to_owned(), Arc::clone(&foreign));
    for second in [11, 12] {
        peer(&mut roster).observe(&bad, at(second));
    }
    assert_eq!(
        roster.offers(),
        [offer(&["a", "b"])],
        "what was in force under the name stays"
    );
    assert_eq!(conditions(&roster).2, "ClusterIdMismatch");
    let problems = roster.problems();
    assert_eq!(problems.len(), 1);
    assert!(
        problems[0]
            .message
            .contains("PublishedService mc-wan/secure.a"),
        "{}",
        problems[0]
    );
    let counted = peer(&mut roster).refused_in_all();
    assert_eq!(
        counted.iter().collect::<Vec<_>>(),
        [(&"ClusterIdMismatch", &1)],
        "once for each version"
    );
    peer(&mut roster).observe(&outbox(&["a", "b"]), at(13));
    assert_eq!(
        (conditions(&roster).1, roster.problems()),
        (Answer::True, Vec::new())
    );
}

#[test]
fn a_forged_service_that_was_never_in_force_is_not_let_in() {
    let mut roster = synced(&["a"]);
    let mut bad = outbox(&["a"]);
    let forged = forged("x", |o| {
        o.metadata.name = Some("kube-system.x".to_owned());
        "kube-system".clone_into(&mut o.spec.service.namespace);
    });
    bad.services.insert("kube-system.x".to_owned(), forged);
    peer(&mut roster).observe(&bad, at(11));
    assert_eq!(in_force(&roster), ["a"]);
    assert_eq!(
        conditions(&roster),
        (Answer::True, Answer::False, "ForbiddenNamespace".to_owned())
    );
    peer(&mut roster).observe(&outbox(&["a"]), at(12));
    assert_eq!(conditions(&roster).1, Answer::True);
}

#[test]
fn what_is_trimmed_is_named_and_leaves_the_peer_synced() {
    let mut roster = synced(&["a"]);
    let mut trimmed = outbox(&["a"]);
    let labelled = forged("a", |o| {
        let labels = &mut o.spec.service.labels;
        labels.insert("kubernetes.io/x".to_owned(), String::new());
    });
    trimmed.services.insert("secure.a".to_owned(), labelled);
    peer(&mut roster).observe(&trimmed, at(11));
    assert_eq!(
        conditions(&roster),
        (Answer::True, Answer::True, "ForbiddenKey".to_owned())
    );
    assert!(roster.facts()[0].synced.message.contains("kubernetes.io/x"));
    let cluster = Arc::make_mut(trimmed.clusters.get_mut("cluster-1").unwrap());
    cluster.spec.gateways.push("127.0.0.1".parse().unwrap());
    peer(&mut roster).observe(&trimmed, at(12));
    assert_eq!(
        conditions(&roster),
        (Answer::True, Answer::False, "ForbiddenAddress".to_owned())
    );
    assert_eq!(roster.offers()[0].gateways, offer(&[]).gateways);
}

#[test]
fn only_the_first_few_of_many_refusals_are_named() {
    let mut roster = synced(&[]);
    let mut bad = outbox(&[]);
    for i in 0..100 {
        let name = format!("s{i}");
        let object = forged(&name, |o| "cluster-3".clone_into(&mut o.spec.cluster));
        bad.services.insert(format!("secure.{name}"), object);
    }
    peer(&mut roster).observe(&bad, at(11));
    assert_eq!(roster.problems().len(), 10);
    assert_eq!(peer(&mut roster).refused_in_all()["ClusterIdMismatch"], 100);
    assert!(roster.facts()[0].synced.message.ends_with("and 99 more"));
}

#[test]
fn an_object_that_cannot_be_read_leaves_what_was_in_force() {
    let mut roster = synced(&["a", "b"]);
    let mut bad = without(&outbox(&["a", "b"]), &["a"]);
    let reference = forged("a", |_| ());
    bad.unreadable.insert(
        crate::object::reference(reference.as_ref()),
        "spec: missing".to_owned(),
    );
    peer(&mut roster).observe(&bad, at(11));
    assert_eq!(in_force(&roster), ["a", "b"]);
    assert_eq!(conditions(&roster).2, "Unreadable");
}

#[test]
fn the_addresses_of_the_cluster_peer_replace_the_published_ones_but_not_in_the_copies() {
    let mut named = cluster_peer("west", "cluster-1");
    let addresses = ["192.0.2.7", "127.0.0.1", "host.example"];
    named.spec.gateways = Some(addresses.map(str::to_owned).to_vec());
    let mut roster = roster(&ClusterSnapshot::new("cluster-2").with([named.into()]));
    peer(&mut roster).observe(&outbox(&["a"]), at(1));
    assert_eq!(
        roster.offers()[0].gateways,
        ["192.0.2.7".parse::<std::net::IpAddr>().unwrap()]
    );
    let fields: Vec<_> = roster.problems().into_iter().map(|p| p.field).collect();
    assert_eq!(fields, ["spec.gateways[1]", "spec.gateways[2]"]);
    let copied = roster.copies();
    let Some(Object::PublishedCluster(copy)) = copied.get(1) else {
        panic!("{copied:?}")
    };
    assert_eq!(copy.spec.gateways, offer(&[]).gateways);
}

#[test]
fn the_revision_rises_when_and_only_when_something_in_force_changes() {
    let mut roster = synced(&["a"]);
    let mut last = (roster.revision(), roster.offers());
    let mut step = |roster: &Roster| {
        let now = (roster.revision(), roster.offers());
        assert_eq!(now.0 != last.0, now.1 != last.1, "{last:?} then {now:?}");
        assert!(now.0 >= last.0);
        let changed = now.0 != last.0;
        last = now;
        changed
    };
    peer(&mut roster).observe(&outbox(&["a"]), at(11));
    assert!(!step(&roster));
    renewed(peer(&mut roster), 12);
    peer(&mut roster).lost("Unreachable", "gone", at(13));
    assert!(!step(&roster));
    peer(&mut roster).observe(&outbox(&["a", "b"]), at(14));
    assert!(step(&roster));
    peer(&mut roster).observe(&outbox(&["b"]), at(15));
    assert!(step(&roster));
    let mut moved = outbox(&["b"]);
    let cluster = Arc::make_mut(moved.clusters.get_mut("cluster-1").unwrap());
    cluster.spec.gateways = vec!["10.77.1.2".parse().unwrap()];
    peer(&mut roster).observe(&moved, at(16));
    assert!(step(&roster));
    roster.update(&ClusterSnapshot::new("cluster-2"), at(17));
    assert!(step(&roster));
}
