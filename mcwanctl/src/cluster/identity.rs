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

#[cfg(test)]
mod tests {
    use mcwan_k8s::manifest;

    use super::*;

    fn cluster(manifests: &str) -> ClusterSnapshot {
        let parsed = manifest::parse(manifests.as_bytes());
        assert!(parsed.errors.is_empty(), "{:?}", parsed.errors);
        ClusterSnapshot::new("").with(parsed.objects.into_iter().map(|placed| placed.object))
    }

    fn property(id: &str) -> String {
        format!(
            "apiVersion: about.k8s.io/v1beta1\nkind: ClusterProperty\nmetadata: {{ name: {CLUSTER_ID} }}\nspec: {{ value: {id} }}\n---\n"
        )
    }

    fn published(namespace: &str, id: &str) -> String {
        format!(
            "apiVersion: mc-wan.l7mp.io/v1alpha1\nkind: PublishedCluster\nmetadata: {{ name: {id}, namespace: {namespace} }}\n\
             spec: {{ cluster: {id}, gateways: [], policies: [] }}\n---\n"
        )
    }

    #[test]
    fn either_the_property_or_the_controller_says_which_cluster_it_is() {
        let own = names::NAMESPACE;
        assert_eq!(cluster_id(&cluster("")), Ok(None));
        for said in [
            property("west"),
            published(own, "west"),
            property("west") + &published(own, "west"),
        ] {
            assert_eq!(
                cluster_id(&cluster(&said)),
                Ok(Some("west".to_owned())),
                "{said}"
            );
        }
    }

    #[test]
    fn what_is_known_of_peers_is_not_what_the_cluster_is() {
        let copies = published(names::CACHE_NAMESPACE, "east");
        assert_eq!(cluster_id(&cluster(&copies)), Ok(None));
    }

    #[test]
    fn two_ids_are_none_and_both_are_named() {
        let said = property("west") + &published(names::NAMESPACE, "east");
        let error = cluster_id(&cluster(&said)).unwrap_err().to_string();
        assert!(error.contains("\"west\" by its ClusterProperty"), "{error}");
        assert!(
            error.contains("\"east\" by its PublishedCluster"),
            "{error}"
        );
    }
}
