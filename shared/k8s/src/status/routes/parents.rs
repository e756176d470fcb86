//! Entries of `status.parents` and `status.ancestors`: ours change, those of other controllers stay where they are.

use serde::Serialize;
use serde_json::{Value, json};

use crate::names::CONTROLLER;
use crate::translate::GATEWAY_GROUP;

/// Most entries that a status may have (`RouteStatus.parents`).
const MAX_PARENTS: usize = 32;

/// The parents of a status.
pub(in crate::status) struct Parents<'b> {
    namespace: &'b str,
    before: Vec<(&'b Value, Option<Value>)>,
    new: Vec<Value>,
    names: Names,
}

/// What the fields are called.
#[derive(Clone, Copy)]
pub(in crate::status) struct Names {
    /// `parentRef` or `ancestorRef`.
    pub(in crate::status) reference: &'static str,
    /// Most entries that there may be.
    pub(in crate::status) most: usize,
}

/// A reference of a spec as the status repeats it: with group and kind, which the API fills in where they are absent.
pub(in crate::status) fn reference(reference: &impl Serialize) -> Value {
    let mut value = serde_json::to_value(reference).unwrap_or_default();
    if let Some(fields) = value.as_object_mut() {
        let defaults = [("group", GATEWAY_GROUP), ("kind", "Gateway")];
        for (field, default) in defaults {
            fields.entry(field).or_insert_with(|| Value::from(default));
        }
    }
    value
}

impl<'b> Parents<'b> {
    /// The parents of a route in `namespace` as they are.
    pub(in crate::status) fn read(before: &'b [Value], namespace: &'b str) -> Self {
        let names = Names {
            reference: "parentRef",
            most: MAX_PARENTS,
        };
        Self::named(before, namespace, names)
    }

    /// The same of other fields.
    pub(in crate::status) fn named(before: &'b [Value], namespace: &'b str, names: Names) -> Self {
        Self {
            namespace,
            before: before.iter().map(|b| (b, None)).collect(),
            new: Vec::new(),
            names,
        }
    }

    /// Whether any entry is ours.
    pub(in crate::status) fn has_own(&self) -> bool {
        self.before.iter().any(|(entry, _)| is_own(entry))
    }

    /// The conditions of our entry for a parent, if there is one.
    pub(in crate::status) fn conditions(&self, reference: &Value) -> Option<&'b Value> {
        let place = self.place(reference)?;
        self.before.get(place)?.0.get("conditions")
    }

    /// Sets our entry for a parent.
    pub(in crate::status) fn put(&mut self, reference: &Value, conditions: &Value) {
        let mut entry = json!({ "conditions": conditions, "controllerName": CONTROLLER });
        if let Some(fields) = entry.as_object_mut() {
            fields.insert(self.names.reference.to_owned(), reference.clone());
        }
        let place = self.place(reference);
        match place.and_then(|p| self.before.get_mut(p)) {
            Some((_, slot)) => *slot = Some(entry),
            None => self.new.push(entry),
        }
    }

    /// All entries: the others' as they were, ours as they were set, without those of ours that were not.
    pub(in crate::status) fn into_value(self) -> Value {
        let kept = self
            .before
            .into_iter()
            .filter_map(|(old, new)| new.or_else(|| (!is_own(old)).then(|| old.clone())));
        kept.chain(self.new).take(self.names.most).collect()
    }

    fn place(&self, reference: &Value) -> Option<usize> {
        let wanted = self.identity(reference);
        self.before.iter().position(|(entry, _)| {
            is_own(entry) && self.identity(&entry[self.names.reference]) == wanted
        })
    }

    /// What tells parents apart, defaults filled in.
    fn identity(&self, of: &Value) -> [String; 6] {
        let text = |field: &str, default: &str| of[field].as_str().unwrap_or(default).to_owned();
        [
            text("group", GATEWAY_GROUP),
            text("kind", "Gateway"),
            text("namespace", self.namespace),
            text("name", ""),
            text("sectionName", ""),
            of["port"].to_string(),
        ]
    }
}

fn is_own(entry: &Value) -> bool {
    entry["controllerName"] == CONTROLLER
}
