//! Objects whose `spec` is absent or null are read as typed objects, as clients of an API server read them.

#![expect(
    clippy::unwrap_used,
    reason = "a test that cannot read its input fails"
)]

use std::fmt::Debug;

use mcwan_k8s::kinds::{mcs, wan};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

/// Reads an object with this spec; `None`: it has no such field.
fn read<K: DeserializeOwned>(spec: Option<Value>) -> Result<K, serde_json::Error> {
    let mut object =
        json!({"apiVersion": "a/v1", "kind": "K", "metadata": {"name": "a", "namespace": "b"}});
    if let Some(spec) = spec {
        object
            .as_object_mut()
            .unwrap()
            .insert("spec".to_owned(), spec);
    }
    serde_json::from_value(object)
}

/// An object without a spec is like one with an empty spec, and what is written is read again.
fn reads<K: DeserializeOwned + Serialize + PartialEq + Debug>() {
    let empty: K = read(Some(json!({}))).unwrap();
    assert_eq!(read::<K>(None).unwrap(), empty);
    assert_eq!(read::<K>(Some(Value::Null)).unwrap(), empty);
    let written = serde_json::to_value(&empty).unwrap();
    assert_eq!(serde_json::from_value::<K>(written).unwrap(), empty);
    assert!(read::<K>(Some(json!("text"))).is_err());
}

#[test]
fn exports_imports_and_configurations_need_no_spec() {
    reads::<mcs::ServiceExport>();
    reads::<wan::ServiceExport>();
    reads::<wan::ServiceImport>();
    reads::<wan::GatewayConfig>();
}

#[test]
fn an_official_import_needs_no_spec_but_a_spec_needs_a_type() {
    assert_eq!(read::<mcs::ServiceImport>(None).unwrap().spec.type_, "");
    let spec = json!({"type": "Headless", "ports": [{"port": 80}], "ipFamilies": ["IPv6"]});
    let import: mcs::ServiceImport = read(Some(spec)).unwrap();
    assert_eq!(
        (import.spec.type_.as_str(), import.spec.ports.len()),
        ("Headless", 1)
    );
    assert_eq!(import.spec.ip_families, Some(vec!["IPv6".to_owned()]));
    let error = read::<mcs::ServiceImport>(Some(json!({"ports": []}))).unwrap_err();
    assert!(
        error.to_string().contains("missing field `type`"),
        "{error}"
    );
}

#[test]
fn fields_of_a_spec_are_read() {
    let spec = json!({"exportedLabels": {"a": "b"}, "exportedAnnotations": {"c": "d"}});
    let export: mcs::ServiceExport = read(Some(spec)).unwrap();
    assert_eq!(export.spec.exported_labels.unwrap()["a"], "b");
    assert_eq!(export.spec.exported_annotations.unwrap()["c"], "d");
    let spec = json!({"http": {"rules": [{"backendRefs": {"name": "high"}}]}});
    let export: wan::ServiceExport = read(Some(spec.clone())).unwrap();
    assert_eq!(export.spec.http.unwrap().rules.len(), 1);
    let import: wan::ServiceImport = read(Some(spec)).unwrap();
    assert_eq!(import.spec.http.unwrap().rules.len(), 1);
    let config: wan::GatewayConfig = read(Some(json!({"replicas": 3}))).unwrap();
    assert_eq!(config.spec.replicas, Some(3));
}
