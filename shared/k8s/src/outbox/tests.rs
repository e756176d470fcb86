//! What is published, and what of a peer's payload is believed.

mod forged;
mod properties;

use jiff::Timestamp;
use serde_json::json;

use super::*;
use crate::kinds::wan::{PublishedCluster, PublishedService};
use crate::object::Object;
use crate::offer::{OfferedPolicy, OfferedPort, OfferedService, PeerOffer};
use crate::render::is_ours;

/// A time in 2026, by which everything in these tests was exported.
pub(super) fn now() -> Timestamp {
    Timestamp::from_second(1_790_000_000).unwrap()
}

pub(super) fn expected() -> Expected {
    Expected {
        peer: "west".to_owned(),
        cluster: "cluster-1".to_owned(),
        cluster_set: Some("set".to_owned()),
    }
}

pub(super) fn service(namespace: &str, name: &str) -> OfferedService {
    OfferedService {
        namespace: namespace.to_owned(),
        name: name.to_owned(),
        created: 1_780_000_000,
        ports: vec![OfferedPort {
            name: "http".to_owned(),
            protocol: "TCP".to_owned(),
            app_protocol: None,
            port: 8080,
            ready_endpoints: 3,
        }],
        ..OfferedService::default()
    }
}

pub(super) fn offer() -> PeerOffer {
    PeerOffer {
        cluster: "cluster-1".to_owned(),
        gateways: vec!["10.77.1.1".parse().unwrap()],
        policies: vec![OfferedPolicy {
            name: "high".to_owned(),
            port: 31111,
            tunnel: "business".to_owned(),
            dscp: None,
            sla: None,
        }],
        services: vec![service("secure", "payment"), service("web", "front")],
    }
}

/// The two kinds of published objects, taken apart.
pub(super) fn taken_apart(objects: Vec<Object>) -> (PublishedCluster, Vec<PublishedService>) {
    let (mut cluster, mut services) = (None, Vec::new());
    for object in objects {
        match object {
            Object::PublishedCluster(o) => cluster = Some(o.as_ref().clone()),
            Object::PublishedService(o) => services.push(o.as_ref().clone()),
            other => panic!("{other:?}"),
        }
    }
    (cluster.unwrap(), services)
}

#[test]
fn what_is_published_is_received_as_it_was_offered() {
    let (cluster, services) = taken_apart(publish(&offer(), Some("set")));
    let (received, problems) = receive(&expected(), Some(&cluster), &services, now());
    assert_eq!(received, offer());
    assert_eq!(problems, []);
}

#[test]
fn published_objects_are_ours_and_named_by_their_content() {
    let objects = publish(&offer(), None);
    let keys: Vec<_> = objects.iter().map(Object::key).collect();
    let name = |name: &str| ("mc-wan".to_owned(), name.to_owned());
    assert_eq!(
        keys,
        [name("cluster-1"), name("secure.payment"), name("web.front")]
    );
    assert!(objects.iter().all(|o| is_ours(o.meta())));
}

#[test]
fn an_unchanged_offer_is_published_as_equal_objects() {
    assert_eq!(
        publish(&offer(), Some("set")),
        publish(&offer(), Some("set"))
    );
}

#[test]
fn a_change_of_ready_endpoints_touches_one_object() {
    let mut changed = offer();
    changed.services[1].ports[0].ready_endpoints = 4;
    let (before, after) = (publish(&offer(), None), publish(&changed, None));
    let differ: Vec<_> = before.iter().zip(&after).filter(|(a, b)| a != b).collect();
    assert_eq!((before.len(), differ.len()), (after.len(), 1));
    assert_eq!(differ[0].0.key().1, "web.front");
}

#[test]
fn the_published_cluster_says_how_many_services_there_are() {
    let (cluster, _) = taken_apart(publish(&offer(), Some("set")));
    assert_eq!((cluster.spec.services, cluster.spec.synced), (2, true));
    assert_eq!(cluster.spec.cluster_set.as_deref(), Some("set"));
}

#[test]
fn without_a_published_cluster_services_are_received_all_the_same() {
    let (_, services) = taken_apart(publish(&offer(), None));
    let (received, problems) = receive(&expected(), None, &services, now());
    assert_eq!(received.services, offer().services);
    assert_eq!((received.gateways.len(), problems.len()), (0, 0));
}
