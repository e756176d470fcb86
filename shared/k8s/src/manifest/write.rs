//! Objects to YAML, as `kubectl apply` takes it.

use serde::ser::{Serialize, SerializeMap, Serializer};
use serde_json::Value;

use crate::object::Object;

/// Writes objects as one file: `apiVersion`, `kind`, `metadata` first, the rest by name; nothing that is null, no empty
/// status. Equal objects give equal text, and [`parse`](super::parse) reads the same objects back.
#[must_use]
pub fn to_yaml<'a>(objects: impl IntoIterator<Item = &'a Object>) -> String {
    let documents: Vec<String> = objects.into_iter().filter_map(document).collect();
    documents.join("---\n")
}

/// One object. `None` cannot happen: every object has text keys and plain values.
fn document(object: &Object) -> Option<String> {
    serde_json::to_value(object).ok().map(value_to_yaml)
}

/// Writes the values of one object; empty if they have no YAML, which cannot happen with values of JSON.
pub(crate) fn value_to_yaml(mut value: Value) -> String {
    prune(&mut value);
    if let Some(fields) = value.as_object_mut()
        && fields.get("status").is_some_and(is_empty)
    {
        fields.remove("status");
    }
    let mut text = serde_saphyr::to_string(&Ordered(&value)).unwrap_or_default();
    if !text.ends_with('\n') {
        text.push('\n');
    }
    text
}

/// Removes nulls from mappings.
fn prune(value: &mut Value) {
    match value {
        Value::Object(fields) => {
            fields.retain(|_, v| !v.is_null());
            fields.values_mut().for_each(prune);
        }
        Value::Array(items) => items.iter_mut().for_each(prune),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}

/// Nothing, at any depth.
fn is_empty(value: &Value) -> bool {
    match value {
        Value::Null => true,
        Value::Object(fields) => fields.values().all(is_empty),
        Value::Array(items) => items.is_empty(),
        Value::Bool(_) | Value::Number(_) | Value::String(_) => false,
    }
}

/// A value whose mappings begin with what a reader looks for first.
struct Ordered<'a>(&'a Value);

/// Place of a key in its mapping.
fn rank(key: &str) -> usize {
    ["apiVersion", "kind", "metadata", "name", "namespace"]
        .iter()
        .position(|first| *first == key)
        .unwrap_or(usize::MAX)
}

impl Serialize for Ordered<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self.0 {
            Value::Object(fields) => {
                let mut entries: Vec<_> = fields.iter().collect();
                entries.sort_by_key(|(key, _)| (rank(key), *key));
                let mut map = serializer.serialize_map(Some(entries.len()))?;
                for (key, value) in entries {
                    map.serialize_entry(key, &Ordered(value))?;
                }
                map.end()
            }
            Value::Array(items) => serializer.collect_seq(items.iter().map(Ordered)),
            scalar => scalar.serialize(serializer),
        }
    }
}
