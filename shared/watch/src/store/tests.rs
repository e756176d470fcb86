use mcwan_k8s::object::kinds;
use serde_json::{Value, json};

use super::*;

fn wanted(name: &str, required: bool) -> Wanted {
    let mut found = kinds().iter().filter(|k| k.kind == name);
    Wanted {
        kind: found.next().unwrap(),
        namespace: None,
        name: None,
        required,
    }
}

fn store() -> Store {
    Store::new(
        "c1".to_owned(),
        &[wanted("Service", true), wanted("Namespace", true)],
    )
}

fn key(name: &str) -> Key {
    ("shop".to_owned(), name.to_owned())
}

fn service(name: &str, port: &Value) -> Read {
    let value = json!({
        "metadata": {"name": name, "namespace": "shop"},
        "spec": {"ports": [{"port": port}]},
    });
    wanted("Service", true).kind.read(value)
}

fn list(names: &[&str]) -> BTreeMap<Key, Read> {
    let services = names.iter().map(|n| (key(n), service(n, &json!(80))));
    services.collect()
}

const NOW: SystemTime = SystemTime::UNIX_EPOCH;

fn names(store: &Store) -> Vec<String> {
    let services = store.snapshot.services.keys();
    services.map(|(_, name)| name.clone()).collect()
}

#[test]
fn there_is_no_snapshot_before_every_kind_was_listed() {
    let mut store = store();
    assert!(store.listed(0, "v1", list(&["a"]), NOW));
    assert!(store.snapshot().is_none());
    assert!(store.listed(1, "v1", BTreeMap::new(), NOW));
    assert_eq!(store.snapshot().unwrap().services.len(), 1);
}

#[test]
fn a_list_replaces_all_and_says_whether_it_changed_anything() {
    let mut store = store();
    store.listed(0, "v1", list(&["a", "b"]), NOW);
    assert!(!store.listed(0, "v1", list(&["a", "b"]), NOW));
    assert!(store.listed(0, "v1", list(&["b", "c"]), NOW));
    assert_eq!(names(&store), ["b", "c"]);
    assert!(store.deleted("Service").is_empty(), "nobody saw a deletion");
}

#[test]
fn a_snapshot_that_someone_holds_does_not_change() {
    let mut store = store();
    store.listed(0, "v1", list(&["a"]), NOW);
    store.listed(1, "v1", BTreeMap::new(), NOW);
    let before = store.snapshot().unwrap();
    assert!(store.applied(0, key("b"), service("b", &json!(80))));
    assert!(!store.applied(0, key("b"), service("b", &json!(80))));
    assert_eq!(before.services.len(), 1);
    assert_eq!(store.snapshot().unwrap().services.len(), 2);
}

#[test]
fn failures_change_no_object() {
    let mut store = store();
    store.listed(0, "v1", list(&["a"]), NOW);
    assert!(store.failed(0, "away", NOW));
    assert!(!store.failed(0, "away", NOW), "the same again is no news");
    assert!(store.absent(0, NOW));
    assert_eq!(names(&store), ["a"]);
    let state = &store.states()[0];
    assert!(state.synced() && !state.is_current() && !state.is_absent);
    assert_eq!(state.trouble.as_ref().unwrap().failures, 3);
    assert!(store.watching(0));
    assert!(store.states()[0].is_current());
}

#[test]
fn a_kind_that_is_not_served_counts_as_empty_until_it_is() {
    let mut store = store();
    store.listed(1, "v1", BTreeMap::new(), NOW);
    assert!(store.absent(0, NOW));
    assert!(!store.absent(0, NOW));
    assert!(store.snapshot().is_some());
    assert!(store.listed(0, "v1", list(&["a"]), NOW));
    assert!(!store.states()[0].is_absent);
    assert_eq!(names(&store), ["a"]);
}

#[test]
fn an_object_that_cannot_be_read_keeps_its_last_good_version() {
    let mut store = store();
    store.listed(0, "v1", list(&["a"]), NOW);
    assert!(store.applied(0, key("a"), service("a", &json!("eighty"))));
    assert!(store.applied(0, key("b"), service("b", &json!("eighty"))));
    assert_eq!(names(&store), ["a"]);
    let hints: Vec<String> = store.problems().into_iter().map(|p| p.hint).collect();
    assert!(
        hints[0].contains("its last good version stays"),
        "{hints:?}"
    );
    assert!(hints[1].contains("it is left out"), "{hints:?}");
    assert!(store.applied(0, key("b"), service("b", &json!(81))));
    assert_eq!(store.problems().len(), 1);
    assert!(store.delete(0, &key("a")));
    assert!(store.problems().is_empty());
    assert_eq!(names(&store), ["b"]);
}

#[test]
fn a_seen_deletion_is_remembered_until_the_object_comes_back() {
    let mut store = store();
    store.listed(0, "v1", list(&["a", "b"]), NOW);
    store.delete(0, &key("a"));
    assert_eq!(store.deleted("Service"), BTreeSet::from([key("a")]));
    store.listed(0, "v1", list(&["b"]), NOW);
    assert_eq!(store.deleted("Service"), BTreeSet::from([key("a")]));
    store.applied(0, key("a"), service("a", &json!(80)));
    assert!(store.deleted("Service").is_empty());
}

#[test]
fn deletions_are_forgotten_oldest_first() {
    let mut store = store();
    for i in 0..=DELETIONS {
        store.delete(0, &key(&format!("s{i:05}")));
    }
    let deleted = store.deleted("Service");
    assert_eq!(deleted.len(), DELETIONS);
    assert!(!deleted.contains(&key("s00000")));
}
