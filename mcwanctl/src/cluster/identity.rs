//! Which cluster it is: what it says of itself, and what its controller says to its peers.

use std::fmt;

use mcwan_k8s::kinds::about::CLUSTER_ID;
use mcwan_k8s::names;
use mcwan_k8s::snapshot::ClusterSnapshot;

/// The cluster has no one id.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Ambiguous(Vec<(String, &'static str)>);

impl fmt::Display for Ambiguous {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let said: Vec<String> = self
            .0
            .iter()
            .map(|(id, by)| format!("{id:?} by its {by}"))
            .collect();
        write!(f, "the cluster goes by different ids: {}", said.join(", "))
    }
}

impl std::error::Error for Ambiguous {}

/// The cluster's id: by its `ClusterProperty`, and by the `PublishedCluster` of its controller; none where neither is there.
///
/// # Errors
/// When they differ.
pub(crate) fn cluster_id(snapshot: &ClusterSnapshot) -> Result<Option<String>, Ambiguous> {
    let property = snapshot
        .cluster_properties
        .get(&(String::new(), CLUSTER_ID.to_owned()))
        .map(|property| (property.spec.value.clone(), "ClusterProperty"));
    let published = snapshot.published_clusters.iter();
    let published = published
        .filter(|((namespace, _), _)| namespace == names::NAMESPACE)
        .map(|(_, cluster)| (cluster.spec.cluster.clone(), "PublishedCluster"));
    let mut said: Vec<(String, &'static str)> = property.into_iter().chain(published).collect();
    let Some((first, _)) = said.first().cloned() else {
        return Ok(None);
    };
    if said.iter().all(|(id, _)| *id == first) {
        Ok(Some(first))
    } else {
        said.dedup();
        Err(Ambiguous(said))
    }
}
