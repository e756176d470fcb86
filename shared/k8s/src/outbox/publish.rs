//! What a cluster offers, as objects.

use kube::core::ObjectMeta;

use crate::kinds::about::CLUSTER_SET;
use crate::kinds::wan::{
    PublishedCluster, PublishedClusterSpec, PublishedService, PublishedServiceSpec,
    service_object_name,
};
use crate::names::{MANAGED_BY, NAMESPACE};
use crate::object::Object;
use crate::offer::PeerOffer;
use crate::snapshot::ClusterSnapshot;

/// The outbox of a cluster: one `PublishedCluster` and a `PublishedService` for each service, in namespace `mc-wan`, with the
/// label of rendered objects. `cluster_set` is the name of the `ClusterSet`, if the cluster says it.
///
/// Call it only with an offer that was computed from everything the cluster has: what is missing here is withdrawn by every
/// peer.
#[must_use]
pub fn publish(offer: &PeerOffer, cluster_set: Option<&str>) -> Vec<Object> {
    let cluster = PublishedClusterSpec {
        cluster: offer.cluster.clone(),
        cluster_set: cluster_set.map(str::to_owned),
        gateways: offer.gateways.clone(),
        trust_bundle: None,
        policies: offer.policies.clone(),
        services: u32::try_from(offer.services.len()).unwrap_or(u32::MAX),
        synced: true,
    };
    let services = offer.services.iter().map(|service| {
        let spec = PublishedServiceSpec {
            cluster: offer.cluster.clone(),
            service: service.clone(),
        };
        let name = service_object_name(&service.namespace, &service.name);
        PublishedService {
            metadata: meta(name),
            spec,
        }
        .into()
    });
    let name = offer.cluster.clone();
    let first = PublishedCluster {
        metadata: meta(name),
        spec: cluster,
    }
    .into();
    std::iter::once(first).chain(services).collect()
}

/// The `ClusterSet` that a cluster says it is a member of (KEP-2149).
#[must_use]
pub fn cluster_set(snapshot: &ClusterSnapshot) -> Option<&str> {
    let key = (String::new(), CLUSTER_SET.to_owned());
    let property = snapshot.cluster_properties.get(&key)?;
    Some(property.spec.value.as_str()).filter(|value| !value.is_empty())
}

fn meta(name: String) -> ObjectMeta {
    let (key, value) = MANAGED_BY;
    ObjectMeta {
        namespace: Some(NAMESPACE.to_owned()),
        name: Some(name),
        labels: Some([(key.to_owned(), value.to_owned())].into()),
        ..ObjectMeta::default()
    }
}
