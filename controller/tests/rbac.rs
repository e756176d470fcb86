//! The roles in `config/rbac` say what the code does, no more and no less.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::collections::BTreeSet;
use std::path::Path;

use k8s_openapi::api::rbac::v1::PolicyRule;
use mcwan_k8s::operator::verbs;
use mcwan_watch::{Selection, Wanted};
use serde_json::Value;

/// Group, resource and verb.
type Right = (String, String, String);

/// Kinds whose status the controller writes.
const STATUS: [(&str, &str); 15] = [
    ("gateway.networking.k8s.io", "backendtlspolicies"),
    ("gateway.networking.k8s.io", "gatewayclasses"),
    ("gateway.networking.k8s.io", "gateways"),
    ("gateway.networking.k8s.io", "grpcroutes"),
    ("gateway.networking.k8s.io", "httproutes"),
    ("gateway.networking.k8s.io", "listenersets"),
    ("gateway.networking.k8s.io", "tcproutes"),
    ("gateway.networking.k8s.io", "tlsroutes"),
    ("gateway.networking.k8s.io", "udproutes"),
    ("mc-wan.l7mp.io", "clusterpeers"),
    ("mc-wan.l7mp.io", "serviceexports"),
    ("mc-wan.l7mp.io", "serviceimports"),
    ("mc-wan.l7mp.io", "wanpolicies"),
    ("multicluster.x-k8s.io", "serviceexports"),
    ("multicluster.x-k8s.io", "serviceimports"),
];

fn right(group: &str, resource: &str, verb: &str) -> Right {
    (group.to_owned(), resource.to_owned(), verb.to_owned())
}

/// The rights that the roles of a kind in a file give.
fn granted(file: &str, kind: &str) -> BTreeSet<Right> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../config/rbac")
        .join(file);
    let text = std::fs::read_to_string(path).unwrap();
    let documents = text
        .split("\n---\n")
        .map(|d| serde_saphyr::from_str::<Value>(d).unwrap());
    let roles = documents.filter(|d| d.get("kind").and_then(Value::as_str) == Some(kind));
    let rules = roles.flat_map(|r| {
        serde_json::from_value::<Vec<PolicyRule>>(r.get("rules").unwrap().clone()).unwrap()
    });
    rules.flat_map(|rule| rights(&rule)).collect()
}

fn rights(rule: &PolicyRule) -> Vec<Right> {
    let mut rights = Vec::new();
    for group in rule.api_groups.iter().flatten() {
        for resource in rule.resources.iter().flatten() {
            rights.extend(rule.verbs.iter().map(|verb| right(group, resource, verb)));
        }
    }
    rights
}

fn watched(wanted: &Wanted) -> Vec<Right> {
    let kind = wanted.kind;
    ["list", "watch"]
        .iter()
        .map(|verb| right(&kind.group, &kind.plural, verb))
        .collect()
}

#[test]
fn the_controller_may_watch_what_it_watches_and_write_what_it_writes() {
    let selection = Selection::controller();
    let mut used: BTreeSet<Right> = selection.wanted().iter().flat_map(watched).collect();
    for wanted in selection.wanted() {
        let kind = wanted.kind;
        used.extend(
            verbs(&kind.group, &kind.kind)
                .iter()
                .map(|verb| right(&kind.group, &kind.plural, verb)),
        );
    }
    used.extend(
        STATUS
            .iter()
            .map(|(group, plural)| right(group, &format!("{plural}/status"), "patch")),
    );
    assert_eq!(granted("controller.yaml", "ClusterRole"), used);
}

#[test]
fn in_its_own_namespace_it_may_hold_its_lease_and_read_the_kubeconfigs_of_peers() {
    let mut used: BTreeSet<Right> = ["create", "get", "update"]
        .iter()
        .map(|verb| right("coordination.k8s.io", "leases", verb))
        .collect();
    used.extend(
        Selection::secret("mc-wan", "peer")
            .wanted()
            .iter()
            .flat_map(watched),
    );
    assert_eq!(granted("controller.yaml", "Role"), used);
}

#[test]
fn a_gateway_may_only_watch() {
    let used: BTreeSet<Right> = Selection::gateway()
        .wanted()
        .iter()
        .flat_map(watched)
        .collect();
    assert_eq!(granted("gateway.yaml", "ClusterRole"), used);
    assert_eq!(granted("gateway.yaml", "Role"), BTreeSet::new());
}
