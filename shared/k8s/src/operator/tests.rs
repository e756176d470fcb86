//! What holds for every decision and its differences.

use std::path::Path;

use jiff::Timestamp;
use proptest::prelude::*;
use serde_json::{Value, json};

use super::*;
use crate::manifest;
use crate::problem::ObjectRef;

const NOW: Timestamp = Timestamp::UNIX_EPOCH;

fn cluster(name: &str, files: &[&str]) -> ClusterSnapshot {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let objects = files.iter().flat_map(|file| {
        let manifest = manifest::parse(&std::fs::read(root.join(file)).unwrap());
        assert_eq!(manifest.errors, [], "{file}");
        manifest.objects.into_iter().map(|p| p.object)
    });
    ClusterSnapshot::new(name).with(objects)
}

/// Cluster-1 of the seed, which exports `payment`.
fn exporter() -> ClusterSnapshot {
    let files = [
        "../../config/samples/wanpolicy.yaml",
        "../../config/samples/serviceexport.yaml",
        "tests/goldens/parts/payment.yaml",
        "tests/goldens/parts/gateway-1.yaml",
    ];
    cluster("cluster-1", &files)
}

/// Cluster-2 of the seed, which has the namespace.
fn importer() -> ClusterSnapshot {
    let files = [
        "../../config/samples/wanpolicy.yaml",
        "tests/goldens/parts/secure.yaml",
    ];
    cluster("cluster-2", &files)
}

fn peers_of(snapshot: &ClusterSnapshot) -> Vec<PeerOffer> {
    let others = [exporter(), importer()].into_iter();
    others
        .filter(|o| o.cluster != snapshot.cluster)
        .map(|o| offer(&o).0)
        .collect()
}

fn decision(snapshot: &ClusterSnapshot) -> Decision {
    let peers = peers_of(snapshot);
    decide(&World {
        snapshot,
        peers: &peers,
        copies: &[],
        facts: &[],
        served: &[],
        problems: &[],
        now: NOW,
    })
}

/// The decision without statuses, which have tests of their own.
fn objects_only(snapshot: &ClusterSnapshot) -> Decision {
    Decision {
        statuses: Vec::new(),
        ..decision(snapshot)
    }
}

fn changes(snapshot: &ClusterSnapshot) -> Vec<Change> {
    diff(
        &objects_only(snapshot),
        snapshot,
        &mut Memory::default(),
        NOW,
    )
}

fn read(value: &Value) -> Object {
    let mut manifest = manifest::parse(value.to_string().as_bytes());
    assert_eq!(manifest.errors, [], "{value}");
    manifest.objects.remove(0).object
}

/// What server-side apply does with our part, as far as we write: mappings are merged, lists with names too.
fn merge(there: &mut Value, applied: &Value) {
    match (there, applied) {
        (Value::Object(there), Value::Object(applied)) => {
            for (name, value) in applied {
                merge(there.entry(name.clone()).or_insert(Value::Null), value);
            }
        }
        (Value::Array(there), Value::Array(applied))
            if applied
                .iter()
                .all(|i| i["port"].is_i64() && i["name"].is_string()) =>
        {
            there.retain(|t| applied.iter().all(|a| a["name"] != t["name"]));
            there.extend(applied.iter().cloned());
        }
        (there, applied) => *there = applied.clone(),
    }
}

/// The cluster after the changes were made, with a new version of each object that was written.
fn after(snapshot: &ClusterSnapshot, changes: &[Change]) -> ClusterSnapshot {
    let mut snapshot = snapshot.clone();
    for (number, change) in changes.iter().enumerate() {
        let old = snapshot.find(change.object());
        match change {
            Change::Delete(_) => snapshot.remove(&old.unwrap()),
            Change::Status(_) => {}
            Change::Apply(apply) => {
                let mut value = old.map_or(Value::Null, |o| serde_json::to_value(o).unwrap());
                let uid = value["metadata"]["uid"].clone();
                merge(&mut value, &apply.body);
                value["metadata"]["uid"] = if uid.is_null() {
                    json!(format!("u{number}"))
                } else {
                    uid
                };
                value["metadata"]["resourceVersion"] = json!(format!("{}-{number}", apply.digest));
                snapshot.insert(read(&value));
            }
        }
    }
    snapshot
}

/// The cluster once nothing is left to do.
fn settled(snapshot: &ClusterSnapshot) -> ClusterSnapshot {
    let mut snapshot = snapshot.clone();
    for _ in 0..4 {
        let changes = changes(&snapshot);
        if changes.is_empty() {
            return snapshot;
        }
        snapshot = after(&snapshot, &changes);
    }
    panic!("still not settled: {:#?}", changes(&snapshot));
}

/// The object of the same kind and name with something else in its JSON.
fn edited(
    snapshot: &ClusterSnapshot,
    object: &Object,
    edit: impl FnOnce(&mut Value),
) -> ClusterSnapshot {
    let mut value = serde_json::to_value(object).unwrap();
    edit(&mut value);
    value["metadata"]["resourceVersion"] = json!("edited");
    snapshot.clone().with([read(&value)])
}

fn find(snapshot: &ClusterSnapshot, kind: &str, name: &str) -> Object {
    let mut all = snapshot.iter();
    all.find(|o| o.reference().kind == kind && o.key().1 == name)
        .unwrap()
}

fn names(changes: &[Change]) -> Vec<String> {
    let verb = |c: &Change| match c {
        Change::Apply(_) => "apply",
        Change::Delete(_) => "delete",
        Change::Status(_) => "status",
    };
    changes
        .iter()
        .map(|c| format!("{} {}", verb(c), c.object()))
        .collect()
}

#[test]
fn what_was_applied_is_not_applied_again() {
    for snapshot in [exporter(), importer()] {
        let first = changes(&snapshot);
        assert!(first.len() > 5, "{:?}", names(&first));
        let settled = settled(&snapshot);
        assert_eq!(changes(&settled), []);
    }
}

#[test]
fn changes_are_made_in_the_order_in_which_objects_lean_on_each_other() {
    let first = changes(&importer());
    let kinds: Vec<&str> = first.iter().map(|c| c.object().kind.as_str()).collect();
    let place = |kind| kinds.iter().position(|k| *k == kind).unwrap();
    assert_eq!(place("Namespace"), 0);
    assert!(place("Service") < place("EndpointSlice"));
    assert!(place("EndpointSlice") < place("Gateway"));
    assert!(place("ListenerSet") < place("HTTPRoute"));
    assert!(place("HTTPRoute") < place("ServiceImport"));
}

#[test]
fn what_is_no_longer_wanted_is_deleted_after_all_else_and_in_reverse() {
    let full = settled(&exporter());
    let export = find(&full, "ServiceExport", "payment");
    let mut without = full;
    without.remove(&export);
    let changes = changes(&without);
    let deletes: Vec<&Change> = changes
        .iter()
        .filter(|c| matches!(c, Change::Delete(_)))
        .collect();
    assert!(deletes.len() >= 4, "{:?}", names(&changes));
    assert!(
        changes
            .iter()
            .skip(changes.len() - deletes.len())
            .all(|c| matches!(c, Change::Delete(_)))
    );
    let stages: Vec<u8> = changes.iter().map(Change::stage).collect();
    assert!(stages.is_sorted(), "{stages:?}");
    let place = |kind: &str| {
        deletes
            .iter()
            .position(|c| c.object().kind == kind)
            .unwrap()
    };
    assert!(place("HTTPRoute") < place("Service"));
    let left = settled(&without);
    let made = |o: &Object| own_part::is_ours(o.meta()) && o.reference().name.contains("payment");
    assert_eq!(
        left.iter()
            .filter(made)
            .map(|o| o.reference())
            .collect::<Vec<_>>(),
        []
    );
}

#[test]
fn deletes_name_the_very_object_that_was_seen() {
    let full = settled(&exporter());
    let mut without = full.clone();
    without.remove(&find(&full, "ServiceExport", "payment"));
    for change in changes(&without) {
        if let Change::Delete(delete) = change {
            let seen = without.find(&delete.object).unwrap();
            assert_eq!(Some(&delete.uid), seen.meta().uid.as_ref());
            assert_eq!(
                Some(&delete.resource_version),
                seen.meta().resource_version.as_ref()
            );
        }
    }
}

#[test]
fn an_object_that_lost_its_label_is_no_longer_touched() {
    let full = settled(&exporter());
    let route = find(&full, "HTTPRoute", "payment-secure");
    let theirs = edited(&full, &route, |v| v["metadata"]["labels"] = json!({}));
    let touched = |snapshot: &ClusterSnapshot| {
        changes(snapshot)
            .iter()
            .any(|c| *c.object() == route.reference())
    };
    assert!(!touched(&theirs));
    let mut without = theirs;
    without.remove(&find(&full, "ServiceExport", "payment"));
    assert!(!touched(&without));
}

#[test]
fn an_edit_by_hand_is_taken_back() {
    let full = settled(&exporter());
    let route = find(&full, "HTTPRoute", "payment-secure");
    let broken = edited(&full, &route, |v| v["spec"]["rules"] = json!([]));
    assert_eq!(
        names(&changes(&broken)),
        [format!("apply {}", route.reference())]
    );
}

#[test]
fn fields_that_the_server_adds_are_not_taken_back() {
    let full = settled(&exporter());
    let service = find(&full, "Service", &names::derived_name("secure", "payment"));
    let more = edited(&full, &service, |v| {
        v["spec"]["type"] = json!("ClusterIP");
        v["spec"]["ports"][0]["targetPort"] = json!(8080);
        v["metadata"]["labels"]["theirs"] = json!("too");
    });
    assert_eq!(names(&changes(&more)), [] as [String; 0]);
}

#[test]
fn of_a_users_gateway_only_our_listeners_are_written() {
    let snapshot = exporter();
    let first = changes(&snapshot);
    let applied = first.iter().find_map(|c| match c {
        Change::Apply(a) if a.object.name == names::INGRESS => Some(&a.body),
        _ => None,
    });
    let body = applied.unwrap();
    let theirs = find(&snapshot, "Gateway", names::INGRESS);
    assert!(!own_part::is_ours(theirs.meta()));
    assert_eq!(body["metadata"].get("labels"), None);
    assert_eq!(body["spec"].get("addresses"), None);
    let mut left = settled(&snapshot);
    for policy in snapshot.wan_policies.values().cloned() {
        left.remove(&Object::WANPolicy(policy));
    }
    let deleted = changes(&left).into_iter().any(|c| matches!(c, Change::Delete(d) if d.object.kind == "Gateway" && d.object.name == names::INGRESS));
    assert!(!deleted);
}

#[test]
fn a_namespace_that_is_being_deleted_is_left_alone() {
    let full = settled(&exporter());
    let namespace = find(&full, "Namespace", "secure");
    let dying = edited(&full, &namespace, |v| {
        v["metadata"]["deletionTimestamp"] = json!("2026-01-01T00:00:00Z");
    });
    let inside: Vec<String> = changes(&dying)
        .iter()
        .map(|c| c.object().clone())
        .filter(|o: &ObjectRef| o.namespace == "secure" || o.name == "secure")
        .map(|o| o.to_string())
        .collect();
    assert_eq!(inside, [] as [String; 0]);
    let changes = changes(&dying);
    assert!(
        names(&changes).contains(&"delete HTTPRoute mc-wan/payment-secure".to_owned()),
        "{:?}",
        names(&changes)
    );
}

#[test]
fn an_overridden_import_outlives_its_export() {
    let import = json!({
        "apiVersion": "mc-wan.l7mp.io/v1alpha1", "kind": "ServiceImport",
        "metadata": {"name": "gone", "namespace": "secure", "uid": "u", "resourceVersion": "1",
            "labels": {"app.kubernetes.io/managed-by": "mc-wan"}},
        "spec": {}
    });
    let plain = settled(&importer()).with([read(&import)]);
    assert_eq!(
        names(&changes(&plain)),
        ["delete ServiceImport secure/gone"]
    );
    let mut import = import;
    import["spec"] = json!({"http": {"rules": []}});
    let overridden = settled(&importer()).with([read(&import)]);
    assert_eq!(names(&changes(&overridden)), [] as [String; 0]);
}

#[test]
fn a_changed_number_of_pods_is_written_where_the_weights_stand_and_nowhere_else() {
    let mut snapshot = settled(&exporter());
    let slice = snapshot
        .endpoint_slices
        .values()
        .find(|s| !own_part::is_ours(&s.metadata))
        .unwrap();
    let mut more = slice.as_ref().clone();
    let mut endpoint = more.endpoints[0].clone();
    endpoint.addresses = vec!["10.99.99.99".to_owned()];
    more.endpoints.push(endpoint);
    snapshot.insert(more.into());
    let routes = snapshot
        .http_routes
        .values()
        .filter(|r| {
            own_part::is_ours(&r.metadata)
                && r.metadata.namespace.as_deref() == Some(names::NAMESPACE)
        })
        .count();
    let changes = changes(&snapshot);
    assert!(!changes.is_empty());
    assert!(changes.len() <= routes + 1, "{:?}", names(&changes));
    let allowed = |c: &Change| matches!(c.object().kind.as_str(), "HTTPRoute" | "PublishedService");
    assert!(changes.iter().all(allowed), "{:?}", names(&changes));
}

#[test]
fn a_write_that_has_not_come_back_is_not_repeated_until_it_is_doubted() {
    let snapshot = importer();
    let wanted = objects_only(&snapshot);
    let mut memory = Memory::default();
    for change in diff(&wanted, &snapshot, &mut memory, NOW) {
        if let Change::Apply(apply) = change {
            memory.applied(&apply, "7", NOW);
        }
    }
    let later = |seconds| NOW + jiff::SignedDuration::from_secs(seconds);
    assert_eq!(diff(&wanted, &snapshot, &mut memory.clone(), later(1)), []);
    assert!(diff(&wanted, &snapshot, &mut memory, later(60)).len() > 5);
}

#[test]
fn what_the_server_wrote_otherwise_is_not_written_again_and_again() {
    let full = settled(&exporter());
    let wanted = objects_only(&full);
    let route = find(&full, "HTTPRoute", "payment-secure");
    let odd = edited(&full, &route, |v| v["spec"]["rules"] = json!([]));
    let mut memory = Memory::default();
    let mut changes = diff(&wanted, &odd, &mut memory, NOW);
    let Some(Change::Apply(apply)) = changes.pop() else {
        panic!("{changes:?}");
    };
    memory.applied(&apply, "edited", NOW);
    let later = NOW + jiff::SignedDuration::from_secs(3600);
    assert_eq!(diff(&wanted, &odd, &mut memory, later), []);
}

#[test]
fn a_delete_is_sent_once() {
    let full = settled(&exporter());
    let mut without = full.clone();
    without.remove(&find(&full, "ServiceExport", "payment"));
    let wanted = objects_only(&without);
    let mut memory = Memory::default();
    let first = diff(&wanted, &without, &mut memory, NOW);
    for change in &first {
        match change {
            Change::Delete(delete) => memory.deleted(delete, NOW),
            Change::Apply(apply) => memory.applied(apply, "8", NOW),
            Change::Status(write) => memory.told(write, NOW),
        }
    }
    assert_eq!(diff(&wanted, &without, &mut memory, NOW), []);
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, ..ProptestConfig::default() })]

    /// Whatever is missing, edited or unlabelled: nothing without the label is touched, and the rest settles.
    #[test]
    fn any_damage_is_repaired_without_touching_what_is_not_ours(picks in proptest::collection::vec((any::<prop::sample::Index>(), 0u8..4), 0..12)) {
        let full = settled(&exporter());
        let objects: Vec<Object> = full.iter().collect();
        let mut damaged = full;
        for (index, how) in picks {
            let object = index.get(&objects);
            if !own_part::is_ours(object.meta()) {
                continue;
            }
            damaged = match how {
                0 => { let mut d = damaged; d.remove(object); d }
                1 => edited(&damaged, object, |v| v["metadata"]["labels"] = json!({"a": "b"})),
                2 => edited(&damaged, object, |v| v["metadata"]["annotations"] = json!({})),
                _ => edited(&damaged, object, |v| v["metadata"]["labels"]["extra"] = json!("x")),
            };
        }
        for change in changes(&damaged) {
            if let Some(there) = damaged.find(change.object()) {
                let users_gateway = there.reference().kind == "Gateway";
                prop_assert!(own_part::is_ours(there.meta()) || users_gateway, "{:?}", change.object());
            }
        }
        prop_assert_eq!(changes(&settled(&damaged)), []);
    }
}
