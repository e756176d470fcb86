//! Namespaces that exist in the cluster: nothing is imported into others, and none is ever created.

use std::collections::BTreeSet;

use super::meta;
use crate::snapshot::ClusterSnapshot;

/// Namespaces in which objects can be created; one that is being deleted is as good as gone.
///
/// An API server lists all namespaces there are. Files need not: there, a namespace exists too when an object that is not
/// ours lives in it, and `default` always does. Objects from an API server are known by their `uid`.
pub(super) fn existing(snapshot: &ClusterSnapshot) -> BTreeSet<String> {
    let listed = snapshot.namespaces.keys().map(|(_, name)| name.clone());
    let mut existing: BTreeSet<String> = listed.collect();
    let all_are_listed = snapshot
        .namespaces
        .values()
        .any(|n| n.metadata.uid.is_some());
    if !all_are_listed {
        let theirs = snapshot.iter().filter(|o| !meta::is_ours(o.meta()));
        existing.extend(theirs.map(|o| o.key().0));
        existing.insert("default".to_owned());
    }
    existing.retain(|n| !n.is_empty() && !snapshot.is_terminating(n));
    existing
}
