//! Objects that are there to stay.

use std::borrow::Cow;
use std::collections::BTreeSet;

use crate::snapshot::ClusterSnapshot;

/// Namespaces that are being deleted.
pub(super) fn dying(snapshot: &ClusterSnapshot) -> BTreeSet<&str> {
    let namespaces = snapshot.namespaces.iter();
    namespaces
        .filter(|(_, n)| n.metadata.deletion_timestamp.is_some())
        .map(|((_, name), _)| name.as_str())
        .collect()
}

/// The snapshot without namespaces that are being deleted and without what is in them: their controller deletes it
/// object by object, and nothing new may be put there.
pub(super) fn of(snapshot: &ClusterSnapshot) -> Cow<'_, ClusterSnapshot> {
    let dying = dying(snapshot);
    if dying.is_empty() {
        return Cow::Borrowed(snapshot);
    }
    let stays = |object: &crate::object::Object| {
        let (namespace, name) = object.key();
        let home = if matches!(object, crate::object::Object::Namespace(_)) {
            name
        } else {
            namespace
        };
        !dying.contains(home.as_str())
    };
    let living = snapshot.iter().filter(stays);
    Cow::Owned(ClusterSnapshot::new(snapshot.cluster.clone()).with(living))
}
