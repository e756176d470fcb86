//! A checker for structural schemas, as far as the vendored CRDs use them: type, required, enum, pattern, lengths, bounds,
//! unknown fields, and keys of list maps. CEL rules are not evaluated.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use regex::Regex;
use serde_json::Value;

/// Schemas by group and kind, of the served version `v1`.
#[derive(Debug)]
pub(crate) struct Schemas(pub(crate) BTreeMap<(String, String), Value>);

impl Schemas {
    /// Reads the vendored CRDs of the Gateway API.
    pub(crate) fn gateway_api() -> Self {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../config/crd/gateway-api");
        let mut schemas = BTreeMap::new();
        for entry in std::fs::read_dir(&root).unwrap() {
            let text = std::fs::read_to_string(entry.unwrap().path()).unwrap();
            let crd: Value = serde_saphyr::from_str(&text).unwrap();
            let spec = &crd["spec"];
            let versions = spec["versions"].as_array().unwrap();
            let v1 = versions.iter().find(|v| v["name"] == "v1").unwrap();
            let word = |v: &Value| v.as_str().unwrap().to_owned();
            let key = (word(&spec["group"]), word(&spec["names"]["kind"]));
            schemas.insert(key, v1["schema"]["openAPIV3Schema"].clone());
        }
        Self(schemas)
    }

    /// What is wrong with an object. None: there is no schema for its kind.
    pub(crate) fn mistakes(&self, object: &Value) -> Option<Vec<String>> {
        let (group, _) = object["apiVersion"].as_str()?.split_once('/')?;
        let key = (group.to_owned(), object["kind"].as_str()?.to_owned());
        let schema = self.0.get(&key)?;
        let mut mistakes = Vec::new();
        let mut object = object.clone();
        // The API server checks metadata on its own.
        object.as_object_mut()?.remove("metadata");
        check(schema, &object, "", &mut mistakes);
        Some(mistakes)
    }
}

fn check(schema: &Value, value: &Value, at: &str, out: &mut Vec<String>) {
    let mut wrong = |what: String| out.push(format!("{at}: {what}"));
    if let Some(kind) = schema["type"].as_str()
        && !is_a(kind, value)
    {
        wrong(format!("not of type {kind}: {value}"));
        return;
    }
    if let Some(allowed) = schema["enum"].as_array()
        && !allowed.contains(value)
    {
        wrong(format!("{value} is none of {allowed:?}"));
    }
    match value {
        Value::String(text) => string(schema, text).into_iter().for_each(wrong),
        Value::Number(number) => {
            let number = number.as_f64().unwrap();
            let bound = |key: &str| schema[key].as_f64();
            if bound("minimum").is_some_and(|m| number < m)
                || bound("maximum").is_some_and(|m| number > m)
            {
                wrong(format!("{number} is out of bounds"));
            }
        }
        Value::Array(items) => {
            count(schema, "Items", items.len())
                .into_iter()
                .for_each(&mut wrong);
            keys(schema, items).into_iter().for_each(&mut wrong);
            for (i, item) in items.iter().enumerate() {
                check(&schema["items"], item, &format!("{at}[{i}]"), out);
            }
        }
        Value::Object(fields) => object(schema, fields, at, out),
        Value::Null | Value::Bool(_) => {}
    }
}

fn is_a(kind: &str, value: &Value) -> bool {
    match kind {
        "object" => value.is_object(),
        "array" => value.is_array(),
        "string" => value.is_string(),
        "boolean" => value.is_boolean(),
        "integer" => value.is_i64() || value.is_u64(),
        "number" => value.is_number(),
        other => panic!("unknown type {other}"),
    }
}

fn string(schema: &Value, text: &str) -> Option<String> {
    let pattern = schema["pattern"].as_str().map(|p| Regex::new(p).unwrap());
    if pattern.as_ref().is_some_and(|p| !p.is_match(text)) {
        return Some(format!("{text:?} does not match {pattern:?}"));
    }
    count(schema, "Length", text.chars().count())
}

/// `minItems`, `maxItems`, `minLength`, `maxLength`, `minProperties`, `maxProperties`.
fn count(schema: &Value, what: &str, count: usize) -> Option<String> {
    let count = u64::try_from(count).unwrap();
    let bound = |key: String| schema[key].as_u64();
    let few = bound(format!("min{what}")).is_some_and(|m| count < m);
    let many = bound(format!("max{what}")).is_some_and(|m| count > m);
    (few || many).then(|| format!("number of {what} is {count}"))
}

/// Items of a list map differ in their keys.
fn keys(schema: &Value, items: &[Value]) -> Option<String> {
    let keys = schema["x-kubernetes-list-map-keys"].as_array()?;
    let mut seen = BTreeSet::new();
    let twice = items.iter().find_map(|item| {
        let key: Vec<String> = keys
            .iter()
            .map(|k| item[k.as_str().unwrap()].to_string())
            .collect();
        (!seen.insert(key.clone())).then_some(key)
    })?;
    Some(format!("{twice:?} comes twice"))
}

fn object(
    schema: &Value,
    fields: &serde_json::Map<String, Value>,
    at: &str,
    out: &mut Vec<String>,
) {
    out.extend(count(schema, "Properties", fields.len()).map(|w| format!("{at}: {w}")));
    for required in schema["required"].as_array().into_iter().flatten() {
        if !fields.contains_key(required.as_str().unwrap()) {
            out.push(format!("{at}: {required} is missing"));
        }
    }
    for (name, value) in fields {
        let place = format!("{at}.{name}");
        if let Some(schema) = schema["properties"].get(name) {
            check(schema, value, &place, out);
        } else if schema["additionalProperties"].is_object() {
            check(&schema["additionalProperties"], value, &place, out);
        } else if schema["x-kubernetes-preserve-unknown-fields"] != true
            && !(at.is_empty() && name == "metadata")
        {
            out.push(format!("{place}: unknown field"));
        }
    }
}
