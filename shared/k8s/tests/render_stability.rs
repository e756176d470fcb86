//! What was rendered comes back from the API server, whole or in part, and stands there beside what is no longer wanted. None
//! of that may change what is rendered, but for allocated ports and virtual addresses, which are kept.

#![expect(
    clippy::unwrap_used,
    clippy::panic,
    clippy::format_push_string,
    reason = "a test fails by panicking"
)]

#[path = "goldens/case.rs"]
mod case;
#[path = "goldens/offers.rs"]
mod offers;

use std::collections::BTreeMap;
use std::sync::Arc;

use case::Case;
use kube::core::ObjectMeta;
use mcwan_k8s::names;
use mcwan_k8s::object::{Object, key};
use mcwan_k8s::offer::PeerOffer;
use mcwan_k8s::problem::ObjectRef;
use mcwan_k8s::render::render;
use mcwan_k8s::snapshot::ClusterSnapshot;
use proptest::prelude::*;

/// The cluster after the objects were applied by server-side apply: what the API server gives (uids, virtual addresses), what
/// others wrote (statuses, the spec of an import of ours) and the annotation of what was applied stand in them.
fn applied(cluster: &ClusterSnapshot, rendered: &[Object]) -> ClusterSnapshot {
    let mut after = cluster.clone();
    for object in rendered {
        let mut object = object.clone();
        match &mut object {
            Object::Gateway(new) => {
                let old = cluster.gateways.get(&key(new.as_ref()));
                let status = old.and_then(|g| g.status.clone());
                let new = Arc::make_mut(new);
                new.status = status;
                stamp(&mut new.metadata);
            }
            Object::Service(new) => {
                let old = cluster.services.get(&key(new.as_ref()));
                let old = old.and_then(|s| s.spec.clone()).and_then(|s| s.cluster_ips);
                let address = virtual_address(new.metadata.name.as_deref().unwrap());
                let new = Arc::make_mut(new);
                new.spec.as_mut().unwrap().cluster_ips = Some(old.unwrap_or(vec![address]));
                stamp(&mut new.metadata);
            }
            Object::ServiceImport(new) => {
                let old = cluster.imports.get(&key(new.as_ref()));
                let spec = old.map(|i| i.spec.clone());
                let new = Arc::make_mut(new);
                new.spec = spec.unwrap_or_default();
                stamp(&mut new.metadata);
            }
            Object::McsServiceImport(new) => stamp(&mut Arc::make_mut(new).metadata),
            Object::ListenerSet(new) => stamp(&mut Arc::make_mut(new).metadata),
            Object::HTTPRoute(new) => stamp(&mut Arc::make_mut(new).metadata),
            Object::GatewayClass(new) => stamp(&mut Arc::make_mut(new).metadata),
            _ => {}
        }
        after.insert(object);
    }
    after
}

fn stamp(metadata: &mut ObjectMeta) {
    metadata.uid = Some("0b9e".to_owned());
    let annotations = metadata.annotations.get_or_insert_default();
    annotations.insert(names::APPLIED_ANNOTATION.to_owned(), "digest".to_owned());
}

/// What an allocator would give: any address, but always the same.
fn virtual_address(name: &str) -> String {
    let sum = name.bytes().fold(7_u32, |sum, b| {
        sum.wrapping_mul(31).wrapping_add(u32::from(b))
    });
    format!("10.96.{}.{}", sum / 256 % 256, sum % 256)
}

fn references(objects: &[Object]) -> Vec<ObjectRef> {
    objects.iter().map(Object::reference).collect()
}

/// The objects without official imports, in which virtual addresses stand once there are any.
fn without_addresses(objects: &[Object]) -> Vec<&Object> {
    let without = |o: &&Object| !matches!(o, Object::McsServiceImport(_));
    objects.iter().filter(without).collect()
}

/// The ports of each listener, by set and name.
fn ports(objects: &[Object]) -> BTreeMap<(String, String), i32> {
    let mut ports = BTreeMap::new();
    for object in objects {
        if let Object::ListenerSet(set) = object {
            let name = set.metadata.name.clone().unwrap();
            let listeners = set.spec.listeners.iter();
            ports.extend(listeners.map(|l| ((name.clone(), l.name.clone()), l.port)));
        }
    }
    ports
}

/// What is rendered does not change when it comes back: at once, but for the virtual addresses, and then not at all.
fn settles(cluster: &ClusterSnapshot, offers: &[PeerOffer], what: &str) -> ClusterSnapshot {
    let first = render(cluster, offers);
    let once = applied(cluster, &first.0);
    let second = render(&once, offers);
    assert_eq!(
        without_addresses(&second.0),
        without_addresses(&first.0),
        "{what}"
    );
    assert_eq!(second.1, first.1, "{what}");
    let twice = applied(&once, &second.0);
    assert_eq!(render(&twice, offers), second, "{what}");
    twice
}

/// A part of what was rendered: objects whose number is in the mask.
fn part(objects: &[Object], mask: u64) -> Vec<Object> {
    let chosen = objects
        .iter()
        .enumerate()
        .filter(|(i, _)| mask >> (i % 64) & 1 == 1);
    chosen.map(|(_, o)| o.clone()).collect()
}

#[test]
fn golden_cases_settle_and_half_of_what_was_applied_changes_nothing() {
    for name in case::files("render", ".in.yaml") {
        let Case { cluster, offers } = case::read(&case::file("render", &name, ".in.yaml"));
        let settled = settles(&cluster, &offers, &name);
        let whole = render(&settled, &offers);
        for mask in [
            0x5555_5555_5555_5555,
            0xaaaa_aaaa_aaaa_aaaa,
            0xff00_ff00_ff00_ff00,
        ] {
            let half = applied(&cluster, &part(&whole.0, mask));
            let now = render(&half, &offers);
            assert_eq!(
                without_addresses(&now.0),
                without_addresses(&whole.0),
                "{name}"
            );
            assert_eq!(now.1, whole.1, "{name}");
            let healed = applied(&half, &now.0);
            assert_eq!(render(&healed, &offers), whole, "{name}");
        }
    }
}

/// What the controller rendered does not prove that a namespace exists.
#[test]
fn objects_of_ours_keep_no_namespace_alive() {
    let text = "apiVersion: v1\nkind: Namespace\nmetadata: {name: a}\n";
    let with = |text: &str| {
        let objects = mcwan_k8s::manifest::parse(text.as_bytes()).objects;
        ClusterSnapshot::new("here").with(objects.into_iter().map(|p| p.object))
    };
    let offer = PeerOffer {
        cluster: "one".to_owned(),
        services: serde_json::from_value(serde_json::json!([{
            "namespace": "a", "name": "b", "created": 1, "headless": false, "labels": {}, "annotations": {}, "ipFamilies": [],
            "ports": [{"name": "http", "protocol": "TCP", "port": 80, "readyEndpoints": 1}]
        }]))
        .unwrap(),
        ..PeerOffer::default()
    };
    let offers = [offer];
    let there = render(&with(text), &offers).0;
    let imports = |objects: &[Object]| objects.iter().filter(|o| o.key().0 == "a").count();
    assert!(imports(&there) >= 3, "{:?}", references(&there));
    let gone = render(&applied(&with(""), &there), &offers).0;
    assert_eq!(imports(&gone), 0, "{:?}", references(&gone));
}

/// A live export outlives its Service: the import goes with the Service and comes back with it, on the same ports.
#[test]
fn a_service_that_is_deleted_and_made_anew_under_its_export_comes_back_as_it_was() {
    let export = "apiVersion: multicluster.x-k8s.io/v1beta1\nkind: ServiceExport\nmetadata: {name: b, namespace: a}\n---\n\
                  apiVersion: v1\nkind: Namespace\nmetadata: {name: a}\n---\n\
                  apiVersion: mc-wan.l7mp.io/v1alpha1\nkind: WANPolicy\n\
                  metadata: {name: high, annotations: {mc-wan.l7mp.io/default: 'true'}}\nspec: {tunnel: t, port: 31111}\n";
    let service = "---\napiVersion: v1\nkind: Service\nmetadata: {name: b, namespace: a}\nspec: {ports: [{port: 80}]}\n";
    let with = |text: &str| {
        let parsed = mcwan_k8s::manifest::parse(text.as_bytes());
        assert_eq!(parsed.errors, []);
        ClusterSnapshot::new("here").with(parsed.objects.into_iter().map(|p| p.object))
    };
    let there = settles(&with(&format!("{export}{service}")), &[], "there");
    let before = render(&there, &[]);
    let mut without = there;
    without.services.remove(&("a".to_owned(), "b".to_owned()));
    let gone = render(&without, &[]).0;
    let in_namespace = |objects: &[Object]| objects.iter().filter(|o| o.key().0 == "a").count();
    assert!(in_namespace(&before.0) >= 4, "{:?}", references(&before.0));
    assert_eq!(in_namespace(&gone), 0, "{:?}", references(&gone));
    let back = settles(&with(&format!("{export}{service}")), &[], "back");
    assert_eq!(render(&back, &[]), before);
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, ..ProptestConfig::default() })]

    #[test]
    fn whatever_stood_there_before_the_same_is_rendered_and_ports_stay(
        before in prop::collection::vec(offers::offer(), 0..4),
        now in prop::collection::vec(offers::offer(), 0..4),
        mask in any::<u64>(),
    ) {
        let empty = offers::importer();
        let old = settles(&empty, &before, "before");
        let fresh = render(&empty, &now);
        // Of what stood there before, any part may have been deleted already.
        let stale = applied(&empty, &part(&render(&old, &before).0, mask));
        let beside = render(&stale, &now);
        prop_assert_eq!(references(&beside.0), references(&fresh.0));
        let settled = settles(&empty.with(applied(&stale, &beside.0).iter()), &now, "beside");
        // What is no longer wanted goes, and nothing moves.
        let wanted = references(&beside.0);
        let kept = settled.iter().filter(|o| !names::is_ours(o.meta()) || wanted.contains(&o.reference()));
        let clean = ClusterSnapshot::new("here").with(kept);
        prop_assert_eq!(render(&clean, &now), render(&settled, &now));
        prop_assert_eq!(ports(&render(&clean, &now).0), ports(&beside.0));
    }
}
