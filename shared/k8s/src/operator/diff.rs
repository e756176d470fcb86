//! What there should be against what there is.

use std::collections::BTreeSet;

use jiff::Timestamp;
use serde_json::Value;

use super::own_part::{body, is_ours, own_part};
use super::{Decision, Digest, Memory, living, subset};
use crate::kinds;
use crate::names;
use crate::object::Object;
use crate::problem::ObjectRef;
use crate::snapshot::ClusterSnapshot;
use crate::status::StatusWrite;

/// One write.
#[derive(Debug, Clone, PartialEq)]
pub enum Change {
    /// Server-side apply.
    Apply(Apply),
    /// Delete.
    Delete(Delete),
    /// JSON merge patch of a status.
    Status(StatusWrite),
}

/// A server-side apply, as the one field manager of the controller and with force.
#[derive(Debug, Clone, PartialEq)]
pub struct Apply {
    /// The object.
    pub object: ObjectRef,
    /// What is applied.
    pub body: Value,
    /// Digest of it, which `body` carries as annotation.
    pub digest: Digest,
    /// `metadata.resourceVersion` of the object that is there; none if there is none.
    pub over: Option<String>,
}

/// A delete of exactly the object that was looked at.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Delete {
    /// The object.
    pub object: ObjectRef,
    /// Precondition: `metadata.uid`.
    pub uid: String,
    /// Precondition: `metadata.resourceVersion`. Without the label, for one, it has another.
    pub resource_version: String,
}

/// Stages of applies; those of deletes come after them, in reverse.
const STAGES: u8 = 16;

impl Change {
    /// The object that is written.
    #[must_use]
    pub const fn object(&self) -> &ObjectRef {
        match self {
            Self::Apply(apply) => &apply.object,
            Self::Delete(delete) => &delete.object,
            Self::Status(write) => &write.object,
        }
    }

    /// Changes of a stage may be made at the same time; a stage begins when the one before is through.
    #[must_use]
    pub fn stage(&self) -> u8 {
        let place = stage(self.object()).unwrap_or_default();
        match self {
            Self::Apply(_) => place,
            Self::Delete(_) => (2 * STAGES).saturating_sub(place),
            Self::Status(_) => 2 * STAGES + 1,
        }
    }
}

/// What the controller does to objects of a kind beside reading them: verbs of the API. A Namespace is never deleted.
#[must_use]
pub fn verbs(group: &str, kind: &str) -> &'static [&'static str] {
    let object = ObjectRef {
        group: group.to_owned(),
        kind: kind.to_owned(),
        namespace: String::new(),
        name: String::new(),
    };
    match stage(&object) {
        None => &[],
        Some(_) if kind == "Namespace" => &["create", "patch"],
        Some(_) => &["create", "patch", "delete"],
    }
}

/// Place of a kind among the objects that lean on each other; none for kinds that are not the controller's to write.
fn stage(object: &ObjectRef) -> Option<u8> {
    let group = object.group.as_str();
    let stage = match (group, object.kind.as_str()) {
        ("", "Namespace") | ("gateway.networking.k8s.io", "GatewayClass") => 0,
        ("", "Service") => 1,
        ("discovery.k8s.io", "EndpointSlice") => 2,
        ("gateway.networking.k8s.io", "ReferenceGrant") => 3,
        ("gateway.networking.k8s.io", "Gateway") => 4,
        ("gateway.networking.k8s.io", "ListenerSet") => 5,
        ("gateway.networking.k8s.io", "HTTPRoute") => 6,
        ("multicluster.x-k8s.io" | kinds::GROUP, "ServiceImport") => 7,
        (kinds::GROUP, "PublishedService") => 8,
        (kinds::GROUP, "PublishedCluster") => 9,
        _ => return None,
    };
    Some(stage)
}

/// The writes that make `there` as wanted, in the order in which they should be made (see [`Change::stage`]); none when it
/// is. The decision is one over the same snapshot.
///
/// A status waits until nothing else is to be written to its object, which would change the version that it was computed
/// from. What is found to be as wanted is kept in `memory`, so that it needs no second look.
#[must_use]
pub fn diff(
    decision: &Decision,
    there: &ClusterSnapshot,
    memory: &mut Memory,
    now: Timestamp,
) -> Vec<Change> {
    let dying = living::dying(there);
    let touchable = |object: &Object| {
        let left_alone = object.meta().deletion_timestamp.is_some();
        !left_alone && !dying.contains(object.key().0.as_str())
    };
    let mut names = BTreeSet::new();
    let mut changes = Vec::new();
    for object in &decision.objects {
        let old = there.same(object);
        names.insert(object.reference());
        if touchable(object) && old.as_ref().is_none_or(touchable) {
            let change = apply(object, old.as_ref(), memory, now);
            changes.extend(change.map(Change::Apply));
        }
    }
    let unwanted = there.iter().filter(|o| may_delete(o) && touchable(o));
    let deletes = unwanted
        .filter_map(|o| delete(&o))
        .filter(|d| !names.contains(&d.object) && !memory.is_deleted(&d.object, &d.uid, now));
    changes.extend(deletes.map(Change::Delete));
    let busy: BTreeSet<&ObjectRef> = changes.iter().map(Change::object).collect();
    let statuses: Vec<Change> = decision
        .statuses
        .iter()
        .filter(|s| {
            !busy.contains(&s.object)
                && !memory.is_awaited(&s.object, s.resource_version.as_deref(), now)
        })
        .cloned()
        .map(Change::Status)
        .collect();
    changes.extend(statuses);
    memory.keep(|object| names.contains(object) || there.find(object).is_some());
    changes.sort_by(|a, b| (a.stage(), a.object()).cmp(&(b.stage(), b.object())));
    changes
}

/// The apply of an object, unless the one that is there is as wanted or not ours.
fn apply(
    wanted: &Object,
    there: Option<&Object>,
    memory: &mut Memory,
    now: Timestamp,
) -> Option<Apply> {
    if there.is_some_and(|t| !may_write(t)) {
        return None;
    }
    let object = wanted.reference();
    let part = own_part(wanted, there);
    let digest = Digest::of(&part);
    if memory.is_settled(&object, digest, there, now) {
        return None;
    }
    let body = body(&part, digest);
    let over = there.and_then(|t| t.meta().resource_version.clone());
    if there.is_some_and(|t| is_as_wanted(&body, t)) {
        memory.found(object, digest, over.unwrap_or_default());
        return None;
    }
    Some(Apply {
        object,
        body,
        digest,
        over,
    })
}

/// Whether all that would be applied is there already. The digest in the body's annotation makes sure that nothing of an
/// earlier apply is left.
fn is_as_wanted(body: &Value, there: &Object) -> bool {
    // The kind is the same; the version may be another that the API serves.
    let fields = body.as_object().into_iter().flatten();
    let mut fields = fields.filter(|(name, _)| !matches!(name.as_str(), "apiVersion" | "kind"));
    let Ok(there) = serde_json::to_value(there) else {
        return false;
    };
    fields.all(|(name, value)| subset::holds(value, there.get(name).unwrap_or(&Value::Null)))
}

/// Whether an object that is there may be applied to: it is ours, or one of the two Gateways that may be a user's.
fn may_write(there: &Object) -> bool {
    let (namespace, name) = there.key();
    let users = matches!(there, Object::Gateway(_))
        && namespace == names::NAMESPACE
        && matches!(name.as_str(), names::INGRESS | names::EGRESS);
    is_ours(there.meta()) || users
}

/// Whether an object that is not wanted may go. An import whose rules the user has overridden may not: the user wrote them.
fn may_delete(there: &Object) -> bool {
    let overridden = matches!(there, Object::ServiceImport(import) if import.spec.http.is_some());
    let namespace = matches!(there, Object::Namespace(_));
    is_ours(there.meta()) && !overridden && !namespace
}

/// The delete of an object of a kind that is the controller's to write.
fn delete(there: &Object) -> Option<Delete> {
    let object = there.reference();
    stage(&object)?;
    let meta = there.meta();
    Some(Delete {
        object,
        uid: meta.uid.clone().unwrap_or_default(),
        resource_version: meta.resource_version.clone().unwrap_or_default(),
    })
}
