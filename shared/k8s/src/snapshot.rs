//! One cluster's objects at one moment, sorted.

use std::ops::{Deref, DerefMut};

use crate::object::{Object, fields::Objects};

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
