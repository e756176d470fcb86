//! `config/crd/` holds what the types say, in a form that an API server takes.

#![expect(
    clippy::panic,
    clippy::unwrap_used,
    reason = "a test that cannot read its input fails"
)]

use std::path::{Path, PathBuf};

use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition;
use mcwan_k8s::kinds::crds;
use serde_json::{Value, json};

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../config/crd")
}

fn definition(name: &str) -> CustomResourceDefinition {
    let files = crds::files();
    files
        .into_iter()
        .find(|(path, _)| path.ends_with(name))
        .unwrap_or_else(|| panic!("no {name}"))
        .1
}

#[test]
fn the_files_are_what_the_types_say() {
    for (path, crd) in crds::files() {
        let (path, text) = (folder().join(path), crds::to_yaml(&crd));
        if std::env::var_os("UPDATE").is_some() {
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(&path, &text).unwrap();
        }
        let found = std::fs::read_to_string(&path).unwrap_or_default();
        assert!(
            found == text,
            "{} differs from the types; rewrite it with UPDATE=1",
            path.display()
        );
        let read: CustomResourceDefinition = serde_saphyr::from_str(&found).unwrap();
        assert_eq!(read.spec.names, crd.spec.names);
    }
}

#[test]
fn nobody_elses_files_stand_among_them() {
    let generated: Vec<PathBuf> = crds::files()
        .into_iter()
        .map(|(path, _)| folder().join(path))
        .collect();
    for group in ["own", "mcs", "about"] {
        for file in std::fs::read_dir(folder().join(group)).unwrap() {
            let path = file.unwrap().path();
            assert!(
                generated.contains(&path),
                "{} is of no kind",
                path.display()
            );
        }
    }
}

#[test]
fn both_versions_of_the_mcs_and_about_apis_are_served_and_v1beta1_is_stored() {
    for name in [
        "x-k8s.io_serviceexports.yaml",
        "serviceimports.yaml",
        "clusterproperties.yaml",
    ] {
        let name = if name == "serviceimports.yaml" {
            "x-k8s.io_serviceimports.yaml"
        } else {
            name
        };
        let crd = definition(name);
        let versions: Vec<_> = crd
            .spec
            .versions
            .iter()
            .map(|v| (v.name.as_str(), v.served, v.storage))
            .collect();
        assert_eq!(
            versions,
            [("v1alpha1", true, false), ("v1beta1", true, true)],
            "{name}"
        );
        assert_eq!(
            crds::schema(&crd, "v1alpha1"),
            crds::schema(&crd, "v1beta1")
        );
    }
}

/// What a structural schema demands of every node: a type, unless it is one of the two open kinds; and no `$ref`.
/// <https://kubernetes.io/docs/tasks/extend-kubernetes/custom-resources/custom-resource-definitions/#specifying-a-structural-schema>
#[test]
fn schemas_are_structural() {
    for (path, crd) in crds::files() {
        for version in &crd.spec.versions {
            structural(&crds::schema(&crd, &version.name).unwrap(), &path);
        }
    }
}

fn structural(node: &Value, path: &str) {
    let open = [
        "x-kubernetes-int-or-string",
        "x-kubernetes-preserve-unknown-fields",
    ];
    let is_open = open.iter().any(|key| node.get(*key) == Some(&json!(true)));
    assert!(
        is_open || node["type"].is_string(),
        "{path}: no type in {node}"
    );
    for forbidden in [
        "$ref",
        "definitions",
        "oneOf",
        "allOf",
        "anyOf",
        "uniqueItems",
    ] {
        assert!(
            node.get(forbidden).is_none_or(|v| *v == json!(false)),
            "{path}: {forbidden} in {node}"
        );
    }
    for (name, property) in node["properties"].as_object().into_iter().flatten() {
        // The API server knows what metadata is.
        if !(path.ends_with(".yaml") && name == "metadata") {
            structural(property, &format!("{path}.{name}"));
        }
    }
    for key in ["items", "additionalProperties"] {
        if let Some(child) = node.get(key).filter(|c| c.is_object()) {
            structural(child, &format!("{path}.{key}"));
        }
    }
}

/// Value of a JSON pointer in the spec of WANPolicy.
fn wan_policy(pointer: &str) -> Value {
    let schema = crds::schema(&definition("wanpolicies.yaml"), "v1alpha1").unwrap();
    schema
        .pointer(&format!("/properties/spec/properties{pointer}"))
        .cloned()
        .unwrap_or_else(|| panic!("no {pointer}"))
}

#[test]
fn wan_policies_have_the_limits_and_defaults_of_their_table() {
    for (pointer, expected) in [
        ("/port/minimum", json!(1024.0)),
        ("/port/maximum", json!(65535.0)),
        ("/dscp/x-kubernetes-int-or-string", json!(true)),
        ("/dscp/maximum", json!(63.0)),
        ("/dscp/not/enum", json!([48, 56])),
        ("/priority/maximum", json!(1000.0)),
        ("/sla/properties/latency-ms/maximum", json!(60000.0)),
        ("/sla/properties/loss-percent/type", json!("number")),
        ("/failover/properties/fallback/maxItems", json!(4)),
        ("/failover/properties/holdDown/default", json!("60s")),
        ("/failover/properties/maxHoldDown/default", json!("20m")),
        (
            "/failover/properties/whenNoneMeets/enum",
            json!(["BestPath", "Stay", "Reject"]),
        ),
        ("/probe/properties/window/minimum", json!(10.0)),
        ("/connections/properties/min/default", json!(1)),
        ("/connections/properties/max/default", json!(4)),
        ("/connections/properties/maxAge/default", json!("10m")),
        ("/connections/properties/maxStreams/default", json!(100)),
    ] {
        assert_eq!(wan_policy(pointer), expected, "{pointer}");
    }
    assert_eq!(
        wan_policy("/port/x-kubernetes-validations/0/rule"),
        json!("self == oldSelf")
    );
}

#[test]
fn exports_and_imports_need_no_spec() {
    for name in [
        "l7mp.io_serviceexports.yaml",
        "x-k8s.io_serviceexports.yaml",
        "l7mp.io_serviceimports.yaml",
    ] {
        let crd = definition(name);
        for version in &crd.spec.versions {
            let schema = crds::schema(&crd, &version.name).unwrap();
            let required = schema["required"].as_array().cloned().unwrap_or_default();
            assert!(!required.contains(&json!("spec")), "{name}");
        }
    }
}
