use serde_json::json;

use super::*;

fn find(group: &str, name: &str) -> &'static Kind {
    let mut found = kinds()
        .iter()
        .filter(|k| k.group == group && k.kind == name);
    found.next().unwrap()
}

#[test]
fn every_kind_is_listed_once_and_can_be_written_as_a_url() {
    for kind in kinds() {
        assert_eq!(find(&kind.group, &kind.kind).plural, kind.plural);
        assert!(!kind.plural.is_empty() && kind.plural.chars().all(|c| c.is_ascii_lowercase()));
    }
    let plurals = [
        (
            "gateway.networking.k8s.io",
            "GatewayClass",
            "gatewayclasses",
        ),
        (
            "gateway.networking.k8s.io",
            "BackendTLSPolicy",
            "backendtlspolicies",
        ),
        ("about.k8s.io", "ClusterProperty", "clusterproperties"),
        ("discovery.k8s.io", "EndpointSlice", "endpointslices"),
        ("mc-wan.l7mp.io", "WANPolicy", "wanpolicies"),
    ];
    for (group, name, plural) in plurals {
        assert_eq!(find(group, name).plural, plural);
    }
}

#[test]
fn an_export_without_a_spec_is_read_in_either_version() {
    let kind = find("multicluster.x-k8s.io", "ServiceExport");
    for version in ["v1alpha1", "v1beta1"] {
        assert!(kind.serves(version));
        let value = json!({
            "apiVersion": format!("multicluster.x-k8s.io/{version}"),
            "kind": "ServiceExport",
            "metadata": {"name": "payment", "namespace": "secure"},
        });
        let object = kind.read(value).unwrap();
        assert_eq!(object.key(), ("secure".to_owned(), "payment".to_owned()));
    }
    assert!(!kind.serves("v1"));
}

#[test]
fn an_item_of_a_list_needs_no_kind_and_fields_of_a_later_version_are_passed_over() {
    let value = json!({
        "metadata": {"name": "web", "namespace": "shop", "someday": 1},
        "spec": {"ports": [{"port": 80, "colour": "red"}], "weather": {}},
    });
    let object = find("", "Service").read(value).unwrap();
    assert!(matches!(object, Object::Service(_)));
}

#[test]
fn a_wrong_value_is_named_with_its_field() {
    let value = json!({
        "metadata": {"name": "web", "namespace": "shop"},
        "spec": {"ports": [{"port": "eighty"}]},
    });
    let misread = find("", "Service").read(value).unwrap_err();
    assert_eq!(misread.field, "spec.ports[0].port");
    assert!(misread.message.contains("expected i32"), "{misread}");
}

#[test]
fn what_is_no_object_at_all_is_an_error() {
    for value in [
        json!(null),
        json!([]),
        json!("Service"),
        json!({"metadata": 1}),
    ] {
        assert!(find("", "Service").read(value).is_err());
    }
}
