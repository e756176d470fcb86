//! The objects that problems are reported on; they need not be in the snapshot.

use crate::kinds;
use crate::problem::ObjectRef;

/// API group of the MCS kinds.
pub(super) const MCS_GROUP: &str = "multicluster.x-k8s.io";

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
