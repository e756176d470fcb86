//! One cluster's objects at one moment, sorted.

use std::ops::{Deref, DerefMut};

use crate::object::{Object, fields::Objects, is_deleted};

/// The objects of one cluster. The same objects put in in any order make equal snapshots.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct ClusterSnapshot {
    /// Cluster id: one RFC 1123 label.
    pub cluster: String,
    objects: Objects,
}

impl ClusterSnapshot {
    /// An empty cluster.
    #[must_use]
    pub fn new(cluster: impl Into<String>) -> Self {
        Self {
            cluster: cluster.into(),
            objects: Objects::default(),
        }
    }

    /// The same cluster with more objects; later ones replace earlier ones of the same kind and name.
    #[must_use]
    pub fn with(mut self, objects: impl IntoIterator<Item = Object>) -> Self {
        objects.into_iter().for_each(|o| self.objects.insert(o));
        self
    }

    /// Whether a namespace is being deleted: nothing can be created in it, and all that is in it is going.
    #[must_use]
    pub fn is_terminating(&self, namespace: &str) -> bool {
        let namespace = self.namespaces.get(&(String::new(), namespace.to_owned()));
        namespace.is_some_and(|n| {
            let phase = n.status.as_ref().and_then(|s| s.phase.as_deref());
            is_deleted(n.as_ref()) || phase == Some("Terminating")
        })
    }
}

impl Deref for ClusterSnapshot {
    type Target = Objects;
    fn deref(&self) -> &Objects {
        &self.objects
    }
}

impl DerefMut for ClusterSnapshot {
    fn deref_mut(&mut self) -> &mut Objects {
        &mut self.objects
    }
}
