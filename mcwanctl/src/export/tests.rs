use kube::api::DynamicObject;
use mcwan_k8s::kinds::wan::{WANPolicy, WANPolicySpec};
use mcwan_k8s::names::DEFAULT_ANNOTATION;
use serde_json::json;

use super::wait::Waited;
use super::{ServiceName, policy};

fn named(name: &str) -> WANPolicy {
    WANPolicy::new(name, WANPolicySpec::default())
}

#[test]
fn a_service_is_named_by_namespace_and_name_and_by_nothing_else() {
    assert_eq!(
        "secure/payment".parse::<ServiceName>().unwrap().to_string(),
        "secure/payment"
    );
    for wrong in [
        "payment",
        "/payment",
        "secure/",
        "a/b/c",
        "Secure/payment",
        "secure payment",
        "",
    ] {
        assert!(wrong.parse::<ServiceName>().is_err(), "{wrong:?}");
    }
}

#[test]
fn a_policy_that_does_not_exist_is_refused_with_those_that_do() {
    let policies = [named("business"), named("default")];
    let refused = policy(Some("bussiness"), &policies)
        .unwrap_err()
        .to_string();
    assert_eq!(
        refused,
        "there is no WANPolicy bussiness; there is business, default"
    );
    assert!(policy(Some("business"), &[]).is_err());
    assert_eq!(policy(Some("business"), &policies).unwrap(), None);
}

#[test]
fn an_export_without_a_policy_is_doubted_where_none_is_the_default() {
    let mut policies = [named("business")];
    assert!(policy(None, &policies).unwrap().is_some());
    let marks =
        std::collections::BTreeMap::from([(DEFAULT_ANNOTATION.to_owned(), "true".to_owned())]);
    policies[0].metadata.annotations = Some(marks);
    assert_eq!(policy(None, &policies).unwrap(), None);
}

fn export(generation: i64, conditions: &serde_json::Value) -> DynamicObject {
    serde_json::from_value(json!({
        "apiVersion": "multicluster.x-k8s.io/v1beta1",
        "kind": "ServiceExport",
        "metadata": { "namespace": "secure", "name": "payment", "generation": generation },
        "status": { "conditions": conditions },
    }))
    .unwrap()
}

fn condition(type_: &str, status: &str, reason: &str) -> serde_json::Value {
    json!({
        "type": type_, "status": status, "reason": reason, "message": format!("because of {reason}"),
        "lastTransitionTime": "2026-11-22T12:00:00Z", "observedGeneration": 1,
    })
}

fn said(export: &DynamicObject) -> String {
    let service = "secure/payment".parse().unwrap();
    let mut text = Vec::new();
    Waited::of(export).write(&service, &mut text).unwrap();
    String::from_utf8(text).unwrap()
}

#[test]
fn an_export_is_good_when_it_is_valid_and_ready_whatever_else_is_said() {
    let good = json!([
        condition("Valid", "True", "Valid"),
        condition("Ready", "True", "Ready")
    ]);
    assert!(Waited::of(&export(1, &good)).is_good());
    let conflict = json!([
        condition("Valid", "True", "Valid"),
        condition("Ready", "True", "Ready"),
        condition("Conflict", "True", "PortConflict"),
    ]);
    assert!(Waited::of(&export(1, &conflict)).is_good());
    assert!(
        said(&export(1, &conflict)).contains("conflict: PortConflict: because of PortConflict")
    );
}

#[test]
fn an_export_that_is_not_good_says_which_condition_and_why() {
    let invalid = json!([
        condition("Valid", "False", "NoService"),
        condition("Ready", "False", "Pending")
    ]);
    assert!(said(&export(1, &invalid)).contains("not Valid: NoService: because of NoService"));
    let pending = json!([
        condition("Valid", "True", "Valid"),
        condition("Ready", "False", "Pending")
    ]);
    assert!(said(&export(1, &pending)).contains("not Ready: Pending"));
    assert!(said(&export(1, &json!([]))).contains("no controller has said anything"));
}

#[test]
fn what_was_said_of_an_older_version_of_an_export_does_not_count() {
    let good = json!([
        condition("Valid", "True", "Valid"),
        condition("Ready", "True", "Ready")
    ]);
    assert!(!Waited::of(&export(2, &good)).is_good());
}
