//! The objects of the server, and their history.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Value, json};

use super::Resource;

/// Namespace and name.
type Key = (String, String);

/// Everything that is stored.
#[derive(Debug, Default)]
pub(super) struct Objects {
    pub(super) resources: BTreeSet<Resource>,
    stored: BTreeMap<String, BTreeMap<Key, Value>>,
    events: Vec<Event>,
    version: u64,
    /// Watches from an older version get 410.
    oldest: u64,
}

/// Something that happened.
#[derive(Debug, Clone)]
pub(super) struct Event {
    pub(super) version: u64,
    pub(super) plural: String,
    pub(super) kind: &'static str,
    pub(super) object: Value,
}

impl Objects {
    pub(super) fn serve(&mut self, resource: Resource) {
        self.resources.insert(resource);
    }

    pub(super) fn unserve(&mut self, plural: &str) {
        self.resources.retain(|r| r.plural != plural);
        self.stored.remove(plural);
    }

    /// The resource behind a path's group, version and plural.
    pub(super) fn resource(&self, group: &str, version: &str, plural: &str) -> Option<&Resource> {
        let mut found = self.resources.iter();
        found.find(|r| r.group == group && r.version == version && r.plural == plural)
    }

    #[expect(clippy::expect_used, reason = "a mistake in a test ends it")]
    pub(super) fn apply(&mut self, mut object: Value) {
        let api_version = object
            .get("apiVersion")
            .and_then(Value::as_str)
            .unwrap_or_default();
        let (group, version) = api_version.split_once('/').unwrap_or(("", api_version));
        let kind = object
            .get("kind")
            .and_then(Value::as_str)
            .unwrap_or_default();
        let mut found = self.resources.iter();
        let resource = found.find(|r| r.group == group && r.version == version && r.kind == kind);
        let plural = resource.expect("the kind is served").plural.clone();
        self.version += 1;
        let key = key(&object);
        let objects = self.stored.entry(plural.clone()).or_default();
        let before = objects.get(&key);
        let uid = before.map_or_else(
            || json!(format!("uid-{}", self.version)),
            |b| b.pointer("/metadata/uid").cloned().unwrap_or_default(),
        );
        let same = before.is_some_and(|b| b.get("spec") == object.get("spec"));
        let generation = before.and_then(|b| b.pointer("/metadata/generation")?.as_i64());
        let generation = generation.unwrap_or(0);
        if let Some(metadata) = object.get_mut("metadata").and_then(Value::as_object_mut) {
            metadata.insert("uid".to_owned(), uid);
            let generation = generation + i64::from(!same);
            metadata.insert("generation".to_owned(), json!(generation.max(1)));
            metadata.insert(
                "resourceVersion".to_owned(),
                json!(self.version.to_string()),
            );
        }
        let kind = if before.is_some() {
            "MODIFIED"
        } else {
            "ADDED"
        };
        objects.insert(key, object.clone());
        self.happened(&plural, kind, object);
    }

    pub(super) fn delete(&mut self, plural: &str, namespace: &str, name: &str) {
        let objects = self.stored.get_mut(plural);
        let key = (namespace.to_owned(), name.to_owned());
        if let Some(mut object) = objects.and_then(|o| o.remove(&key)) {
            self.version += 1;
            if let Some(version) = object.pointer_mut("/metadata/resourceVersion") {
                *version = json!(self.version.to_string());
            }
            self.happened(plural, "DELETED", object);
        }
    }

    pub(super) fn compact(&mut self) {
        self.version += 1;
        self.events.clear();
        self.oldest = self.version;
    }

    pub(super) const fn version(&self) -> u64 {
        self.version
    }

    /// The objects of a kind, in order, perhaps of one namespace and one name.
    pub(super) fn list(&self, plural: &str, namespace: &str, name: &str) -> Vec<Value> {
        let objects = self.stored.get(plural).into_iter().flatten();
        let chosen = objects.filter(|(key, _)| {
            (namespace.is_empty() || key.0 == namespace) && (name.is_empty() || key.1 == name)
        });
        chosen.map(|(_, object)| object.clone()).collect()
    }

    /// What happened to a kind after a version; None when that is no longer known.
    pub(super) fn since(&self, plural: &str, version: u64) -> Option<Vec<Event>> {
        let events = self.events.iter();
        let events = events.filter(|e| e.version > version && e.plural == plural);
        (version >= self.oldest).then(|| events.cloned().collect())
    }

    fn happened(&mut self, plural: &str, kind: &'static str, object: Value) {
        self.events.push(Event {
            version: self.version,
            plural: plural.to_owned(),
            kind,
            object,
        });
    }
}

/// Namespace and name of an object.
pub(super) fn key(object: &Value) -> Key {
    let text = |field: &str| {
        let value = object.get("metadata").and_then(|m| m.get(field));
        value.and_then(Value::as_str).unwrap_or_default().to_owned()
    };
    (text("namespace"), text("name"))
}
