//! The part of an object that the controller writes.

use std::collections::BTreeMap;

use kube::core::ObjectMeta;
use mcwan_gateway_api::gateways::Gateway;
use serde_json::Value;

use super::Digest;
use crate::kinds::{mcs, wan};
use crate::names;
use crate::object::Object;
use crate::render::LISTENERS_ANNOTATION;

/// Whether an object carries the label of what the controller writes.
pub(super) fn is_ours(meta: &ObjectMeta) -> bool {
    let labels = meta.labels.as_ref();
    labels
        .and_then(|l| l.get(names::MANAGED_BY.0))
        .map(String::as_str)
        == Some(names::MANAGED_BY.1)
}

/// What is applied of a wanted object beside the one that is there, without the annotation of its digest.
///
/// Never a status: that has a way of its own. Of a Gateway, what `render` added to what the user wrote. Of our own
/// `ServiceImport`, no spec: it belongs to the importing side.
pub(super) fn own_part(wanted: &Object, there: Option<&Object>) -> Object {
    match wanted {
        Object::Gateway(gateway) => {
            let users = there.is_some_and(|t| !is_ours(t.meta()));
            gateway_part(gateway, users).into()
        }
        Object::McsServiceImport(import) => mcs::ServiceImport {
            status: None,
            metadata: import.metadata.clone(),
            spec: import.spec.clone(),
        }
        .into(),
        Object::ServiceImport(import) => wan::ServiceImport {
            status: None,
            metadata: import.metadata.clone(),
            spec: wan::ServiceImportSpec::default(),
        }
        .into(),
        other => other.clone(),
    }
}

fn gateway_part(gateway: &Gateway, users: bool) -> Gateway {
    let annotations = gateway.metadata.annotations.as_ref();
    let ours = annotations
        .and_then(|a| a.get(LISTENERS_ANNOTATION))
        .cloned();
    let names: Vec<&str> = ours.iter().flat_map(|n| n.split(',')).collect();
    let mut part = gateway.clone();
    part.status = None;
    part.spec.addresses = None;
    part.spec.infrastructure = None;
    part.spec.tls = None;
    part.spec
        .listeners
        .retain(|l| names.contains(&l.name.as_str()));
    part.metadata = ObjectMeta {
        namespace: gateway.metadata.namespace.clone(),
        name: gateway.metadata.name.clone(),
        annotations: ours.map(|o| BTreeMap::from([(LISTENERS_ANNOTATION.to_owned(), o)])),
        labels: (!users).then(|| {
            let (key, value) = names::MANAGED_BY;
            BTreeMap::from([(key.to_owned(), value.to_owned())])
        }),
        ..ObjectMeta::default()
    };
    part
}

/// The body of the apply: the part with the digest as annotation.
pub(super) fn body(part: &Object, digest: Digest) -> Value {
    // Objects have text keys and plain values: they always have a JSON form.
    let mut body = serde_json::to_value(part).unwrap_or_default();
    let metadata = body
        .as_object_mut()
        .and_then(|b| b.entry("metadata").or_insert_with(empty).as_object_mut());
    let annotations =
        metadata.and_then(|m| m.entry("annotations").or_insert_with(empty).as_object_mut());
    if let Some(annotations) = annotations {
        let digest = Value::String(digest.to_string());
        annotations.insert(names::APPLIED_ANNOTATION.to_owned(), digest);
    }
    body
}

fn empty() -> Value {
    Value::Object(serde_json::Map::new())
}
