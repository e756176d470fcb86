//! How problems are worded: short constructors, and references to objects that may not be in the snapshot.

use crate::kinds;
use crate::problem::{ObjectRef, Problem, Severity};

/// API group of the MCS kinds.
pub(super) const MCS_GROUP: &str = "multicluster.x-k8s.io";

/// Something that was asked for is not done.
pub(super) fn error(
    object: ObjectRef,
    (condition, reason): (&str, &str),
    message: String,
) -> Problem {
    Problem {
        object,
        field: String::new(),
        condition: condition.to_owned(),
        reason: reason.to_owned(),
        message,
        hint: String::new(),
        severity: Severity::Error,
        parent: String::new(),
    }
}

/// Done, but not as the user may expect.
pub(super) fn warning(object: ObjectRef, what: (&str, &str), message: String) -> Problem {
    Problem {
        severity: Severity::Warning,
        ..error(object, what, message)
    }
}

impl Problem {
    /// The same problem with what to do next.
    pub(super) fn hint(self, hint: impl Into<String>) -> Self {
        Self {
            hint: hint.into(),
            ..self
        }
    }

    /// The same problem at a place in the object.
    pub(super) fn at(self, field: impl Into<String>) -> Self {
        Self {
            field: field.into(),
            ..self
        }
    }
}

/// The official `ServiceImport` of a service: what problems of an import are reported on.
pub(super) fn service_import((namespace, name): (&str, &str)) -> ObjectRef {
    object(MCS_GROUP, "ServiceImport", namespace, name)
}

/// Our `ServiceImport`, which overrides the exported rules.
pub(super) fn local_import((namespace, name): (&str, &str)) -> ObjectRef {
    object(kinds::GROUP, "ServiceImport", namespace, name)
}

/// The `ServiceExport` of a service, official or ours.
pub(super) fn service_export(group: &str, (namespace, name): (&str, &str)) -> ObjectRef {
    object(group, "ServiceExport", namespace, name)
}

/// A WAN policy.
pub(super) fn policy(name: &str) -> ObjectRef {
    object(kinds::GROUP, "WANPolicy", "", name)
}

/// A peer cluster.
pub(super) fn peer(cluster: &str) -> ObjectRef {
    object(kinds::GROUP, "ClusterPeer", "", cluster)
}

fn object(group: &str, kind: &str, namespace: &str, name: &str) -> ObjectRef {
    ObjectRef {
        group: group.to_owned(),
        kind: kind.to_owned(),
        namespace: namespace.to_owned(),
        name: name.to_owned(),
    }
}
