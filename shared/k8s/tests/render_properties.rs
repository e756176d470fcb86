//! What holds for everything that is rendered: legal and distinct names, objects that the official CRDs accept, the same
//! result in any order, and nothing new the second time.

#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test fails by panicking"
)]

#[path = "goldens/case.rs"]
mod case;
#[path = "goldens/offers.rs"]
mod offers;
#[path = "goldens/schema.rs"]
mod schema;

use std::collections::BTreeSet;
use std::sync::Arc;

use case::Case;
use mcwan_k8s::names;
use mcwan_k8s::object::{Object, key};
use mcwan_k8s::problem::Problem;
use mcwan_k8s::render::render;
use mcwan_k8s::snapshot::ClusterSnapshot;
use proptest::prelude::*;
use schema::Schemas;
use serde_json::Value;

fn run(case: &Case) -> (Vec<Object>, Vec<Problem>) {
    render(&case.cluster, &case.offers)
}

fn cases() -> Vec<(String, Case)> {
    let names = case::files("render", ".in.yaml");
    assert!(!names.is_empty());
    let read = |n: &String| case::read(&case::file("render", n, ".in.yaml"));
    names.iter().map(|n| (n.clone(), read(n))).collect()
}

/// What is wrong with a set of rendered objects.
fn mistakes(objects: &[Object], schemas: &Schemas) -> Vec<String> {
    let mut wrong = Vec::new();
    let mut seen = BTreeSet::new();
    for object in objects {
        let reference = object.reference();
        if !seen.insert(reference.clone()) {
            wrong.push(format!("{reference} comes twice"));
        }
        wrong.extend(
            metadata_mistakes(object)
                .into_iter()
                .map(|m| format!("{reference}: {m}")),
        );
        let json = serde_json::to_value(object).unwrap();
        wrong.extend(rules_mistakes(&json).map(|m| format!("{reference}: {m}")));
        let checked = schemas.mistakes(&json);
        if json["apiVersion"] == "gateway.networking.k8s.io/v1" {
            let found = checked.expect("every rendered gateway api kind has a schema");
            wrong.extend(found.into_iter().map(|m| format!("{reference}{m}")));
        }
    }
    wrong
}

fn metadata_mistakes(object: &Object) -> Vec<String> {
    let mut wrong = Vec::new();
    let (namespace, name) = object.key();
    let service = matches!(object, Object::Service(_));
    let legal = if service {
        names::is_label(&name) && name.starts_with(|c: char| c.is_ascii_lowercase())
    } else {
        names::is_subdomain(&name)
    };
    let class = matches!(object, Object::GatewayClass(_));
    if !legal || (namespace.is_empty() != class) || !(class || names::is_label(&namespace)) {
        wrong.push("its name or namespace is not legal".to_owned());
    }
    let labels = object.meta().labels.clone().unwrap_or_default();
    // Those that the user may have made.
    let shared = matches!(object, Object::Gateway(_) | Object::ServiceImport(_));
    if !names::is_ours(object.meta()) && !shared {
        wrong.push("it lacks our label".to_owned());
    }
    let value = regex::Regex::new("^([A-Za-z0-9]([-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?)?$").unwrap();
    wrong.extend(
        labels
            .iter()
            .filter(|l| !value.is_match(l.1))
            .map(|l| format!("label {l:?}")),
    );
    wrong
}

/// CEL rules of the CRDs that rendering could break.
fn rules_mistakes(json: &Value) -> impl Iterator<Item = String> {
    let listeners = json["spec"]["listeners"].as_array().into_iter().flatten();
    let places: Vec<String> = listeners
        .map(|l| format!("{} {} {}", l["port"], l["protocol"], l["hostname"]))
        .collect();
    let distinct: BTreeSet<&String> = places.iter().collect();
    let same = (distinct.len() < places.len()).then(|| format!("listeners alike: {places:?}"));
    let rules = json["spec"]["rules"].as_array().into_iter().flatten();
    let matches: usize = rules
        .map(|r| r["matches"].as_array().map_or(1, Vec::len))
        .sum();
    let many = (matches > 128).then(|| format!("{matches} matches in a route"));
    same.into_iter().chain(many)
}

/// The case with objects and offers in another order.
fn shuffled(case: &Case, by: usize) -> Case {
    let mut objects: Vec<Object> = case.cluster.iter().collect();
    let mut offers = case.offers.clone();
    objects.reverse();
    if !objects.is_empty() {
        let middle = by % objects.len();
        objects.rotate_left(middle);
    }
    if !offers.is_empty() {
        let middle = by % offers.len();
        offers.rotate_left(middle);
    }
    for offer in &mut offers {
        offer.services.reverse();
        offer.policies.reverse();
        offer.gateways.reverse();
    }
    let cluster = ClusterSnapshot::new(case.cluster.cluster.clone()).with(objects);
    Case { cluster, offers }
}

#[test]
fn every_golden_case_is_accepted_by_the_official_crds() {
    let schemas = Schemas::gateway_api();
    for (name, case) in cases() {
        let wrong = mistakes(&run(&case).0, &schemas);
        assert!(wrong.is_empty(), "{name}: {wrong:#?}");
    }
}

#[test]
fn the_schema_checker_finds_what_is_wrong() {
    let schemas = Schemas::gateway_api();
    let route = |spec: Value| {
        let object = serde_json::json!({
            "apiVersion": "gateway.networking.k8s.io/v1", "kind": "HTTPRoute", "metadata": {}, "spec": spec
        });
        schemas.mistakes(&object).unwrap().len()
    };
    assert_eq!(route(serde_json::json!({"parentRefs": [{"name": "a"}]})), 0);
    assert_eq!(route(serde_json::json!({"parentRefs": [{}]})), 1);
    assert_eq!(route(serde_json::json!({"parentRefs": [{"name": ""}]})), 1);
    assert_eq!(route(serde_json::json!({"hostnames": ["A"]})), 1);
    assert_eq!(route(serde_json::json!({"hostnames": 1})), 1);
    assert_eq!(route(serde_json::json!({"rules": []})), 1);
    assert_eq!(
        route(serde_json::json!({"rules": vec![serde_json::json!({}); 17]})),
        1
    );
    assert_eq!(route(serde_json::json!({"filter": 1})), 1);
    assert_eq!(
        route(serde_json::json!({"rules": [{"matches": [{"method": "FETCH"}]}]})),
        1
    );
    assert_eq!(
        route(serde_json::json!({"rules": [{"backendRefs": [{"name": "a", "port": 0}]}]})),
        1
    );
    let header = serde_json::json!({"name": "a", "value": "b"});
    let twice = serde_json::json!({"rules": [{"matches": [{"headers": [header, header]}]}]});
    assert_eq!(route(twice), 1);
}

#[test]
fn golden_cases_render_alike_in_any_order() {
    for (name, case) in cases() {
        let want = run(&case);
        for by in 0..5 {
            assert_eq!(run(&shuffled(&case, by)), want, "{name}");
        }
    }
}

#[test]
fn rendering_what_was_rendered_changes_nothing() {
    for (name, case) in cases() {
        let want = run(&case);
        let cluster = applied(&case.cluster, &want.0);
        assert_eq!(run(&Case { cluster, ..case }), want, "{name}");
    }
}

/// The cluster after the objects were applied: what only the API server writes stays.
fn applied(cluster: &ClusterSnapshot, rendered: &[Object]) -> ClusterSnapshot {
    let mut objects = rendered.to_vec();
    for object in &mut objects {
        match object {
            Object::Gateway(new) => {
                let status = cluster
                    .gateways
                    .get(&key(new.as_ref()))
                    .and_then(|g| g.status.clone());
                Arc::make_mut(new).status = status;
            }
            Object::Service(new) => {
                let old = cluster
                    .services
                    .get(&key(new.as_ref()))
                    .and_then(|s| s.spec.clone());
                let spec = Arc::make_mut(new).spec.as_mut().unwrap();
                spec.cluster_ips = old.and_then(|s| s.cluster_ips);
            }
            _ => {}
        }
    }
    cluster.clone().with(objects)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, ..ProptestConfig::default() })]

    #[test]
    fn whatever_peers_offer_renders_legally_and_in_any_order(
        offers in prop::collection::vec(offers::offer(), 0..5),
        by in 0_usize..100,
    ) {
        let schemas = Schemas::gateway_api();
        let case = Case { cluster: offers::importer(), offers };
        let result = run(&case);
        prop_assert_eq!(mistakes(&result.0, &schemas), Vec::<String>::new());
        prop_assert_eq!(&run(&shuffled(&case, by)), &result);
        let cluster = applied(&case.cluster, &result.0);
        prop_assert_eq!(&run(&Case { cluster, ..case }), &result);
    }
}
