//! What an object may leave out, in a manifest and in an API server.

use serde_json::{Map, Value};

use super::Kind;
use crate::names;

type Fields = Map<String, Value>;

/// Fills in what kubectl and the API server would, and what our two Gateways need not say.
pub(super) fn fill(kind: &Kind, object: &mut Value) {
    let Some(object) = object.as_object_mut() else {
        return;
    };
    if let Some(metadata) = object.get_mut("metadata").and_then(Value::as_object_mut) {
        namespace(kind, metadata);
    }
    match (&*kind.group, &*kind.kind) {
        ("gateway.networking.k8s.io", "Gateway") => gateway(object),
        // Everything in these specs is optional, and so are they.
        ("multicluster.x-k8s.io", "ServiceExport")
        | (crate::kinds::GROUP, "ServiceExport" | "ServiceImport" | "GatewayConfig") => {
            child(object, "spec");
        }
        _ => {}
    }
}

fn namespace(kind: &Kind, metadata: &mut Fields) {
    if !kind.namespaced {
        metadata.remove("namespace");
    } else if metadata
        .get("namespace")
        .is_none_or(|n| n.is_null() || n.as_str() == Some(""))
    {
        metadata.insert("namespace".to_owned(), "default".into());
    }
}

/// The listeners that are rendered for the two Gateways are added to those in the manifest, so there may be none there.
fn gateway(object: &mut Fields) {
    let text = |key| {
        object
            .get("metadata")
            .and_then(|m| m.get(key))
            .and_then(Value::as_str)
    };
    let ours = text("namespace") == Some(names::NAMESPACE)
        && matches!(text("name"), Some(names::INGRESS | names::EGRESS));
    let Some(spec) = child(object, "spec") else {
        return;
    };
    absent(spec, "listeners", || Value::Array(Vec::new()));
    if ours {
        absent(spec, "gatewayClassName", || names::GATEWAY_CLASS.into());
    }
}

/// The mapping at a key, made if there is none; `None` if there is something else.
fn child<'a>(object: &'a mut Fields, key: &str) -> Option<&'a mut Fields> {
    absent(object, key, || Value::Object(Map::new()));
    object.get_mut(key).and_then(Value::as_object_mut)
}

/// Puts a value where there is none.
fn absent(fields: &mut Fields, key: &str, value: impl FnOnce() -> Value) {
    if fields.get(key).is_none_or(Value::is_null) {
        fields.insert(key.to_owned(), value());
    }
}
