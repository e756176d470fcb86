//! An object whose status is looked at: what it says now, and what it will say.

use kube::Resource;
use serde::Serialize;
use serde_json::{Map, Value};

use super::StatusWrite;
use super::condition::{Said, Stamp, held};
use crate::object::reference;
use crate::problem::ObjectRef;

/// An object and its status.
#[derive(Debug)]
pub(super) struct Target {
    /// The object.
    pub(super) object: ObjectRef,
    /// `metadata.uid`; empty where unknown.
    pub(super) uid: String,
    /// The status as it is.
    before: Value,
    pub(super) stamp: Stamp,
    resource_version: Option<String>,
    changes: Map<String, Value>,
}

impl Target {
    /// An object and its status, which is an object or nothing.
    pub(super) fn of<K>(object: &K, status: &impl Serialize, now: &str) -> Self
    where
        K: Resource<DynamicType = ()>,
    {
        let meta = object.meta();
        Self {
            object: reference(object),
            uid: meta.uid.clone().unwrap_or_default(),
            before: serde_json::to_value(status).unwrap_or_default(),
            stamp: Stamp {
                generation: meta.generation,
                now: now.to_owned(),
            },
            resource_version: meta.resource_version.clone(),
            changes: Map::new(),
        }
    }

    /// A field of the status as it is; `null` where it is absent.
    pub(super) fn before(&self, field: &str) -> &Value {
        static ABSENT: Value = Value::Null;
        self.before.get(field).unwrap_or(&ABSENT)
    }

    /// The items of a list of the status as it is.
    pub(super) fn list(&self, field: &str) -> &[Value] {
        self.before(field).as_array().map_or(&[], Vec::as_slice)
    }

    /// Whether a condition of the object itself held for this very generation.
    pub(super) fn held(&self, condition: &str) -> bool {
        held(self.before("conditions"), condition, self.stamp.generation)
    }

    /// Sets a field of the status; `null` takes it away.
    pub(super) fn set(&mut self, field: &str, value: Value) {
        self.changes.insert(field.to_owned(), value);
    }

    /// Puts conditions beside those that are there.
    pub(super) fn say(&mut self, said: &Said) {
        let conditions = said.merged(Some(self.before("conditions")), &self.stamp);
        self.set("conditions", conditions);
    }

    /// Whether anything changes beside the fields named.
    pub(super) fn differs_beside(&self, fields: &[&str]) -> bool {
        let mut changes = self.changes.iter();
        changes
            .any(|(field, value)| !fields.contains(&field.as_str()) && value != self.before(field))
    }

    /// Forgets a change.
    pub(super) fn keep(&mut self, field: &str) {
        self.changes.remove(field);
    }

    /// The write; none when it would change nothing.
    pub(super) fn write(self) -> Option<StatusWrite> {
        if !self.differs_beside(&[]) {
            return None;
        }
        let mut status = match self.before {
            Value::Object(fields) => fields,
            _ => Map::new(),
        };
        for (field, value) in self.changes {
            if value.is_null() && !status.contains_key(&field) {
                continue;
            }
            status.insert(field, value);
        }
        Some(StatusWrite {
            object: self.object,
            resource_version: self.resource_version,
            status: Value::Object(status),
        })
    }
}
