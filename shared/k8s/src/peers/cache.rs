//! Last-known copies of what is in force: written to namespace `mc-wan-cache` of the own cluster, read at a start.

use std::collections::BTreeMap;

use jiff::Timestamp;
use k8s_openapi::api::core::v1::Namespace;
use kube::core::ObjectMeta;

use crate::kinds::wan::{
    PublishedCluster, PublishedClusterSpec, PublishedService, PublishedServiceSpec,
    service_object_name,
};
use crate::names::{CACHE_NAMESPACE, CLUSTER_LABEL, MANAGED_BY};
use crate::object::Object;
use crate::offer::{OfferedService, PeerOffer};
use crate::outbox::{self, Expected, Published};
use crate::snapshot::ClusterSnapshot;

/// The namespace of the copies, and for each offer a `PublishedCluster` and a `PublishedService` for each service, named
/// `<cluster>` and `<cluster>.<namespace>.<name>`; nothing where there are no offers. All have the label of rendered
/// objects. `published` are offers as the peers published them, without what a `ClusterPeer` puts in the place of a part.
#[must_use]
pub fn copies(published: &[PeerOffer]) -> Vec<Object> {
    let namespace = Namespace {
        metadata: ObjectMeta {
            namespace: None,
            ..meta(CACHE_NAMESPACE.to_owned(), None)
        },
        ..Namespace::default()
    };
    let namespace = (!published.is_empty()).then(|| namespace.into());
    namespace
        .into_iter()
        .chain(published.iter().flat_map(copy))
        .collect()
}

fn copy(offer: &PeerOffer) -> Vec<Object> {
    let cluster = &offer.cluster;
    let spec = PublishedClusterSpec {
        cluster: cluster.clone(),
        gateways: offer.gateways.clone(),
        policies: offer.policies.clone(),
        services: u32::try_from(offer.services.len()).unwrap_or(u32::MAX),
        // A copy says nothing about what the peer publishes now.
        synced: false,
        ..PublishedClusterSpec::default()
    };
    let metadata = meta(cluster.clone(), Some(cluster));
    let services = offer.services.iter().map(|service| {
        let name = service_object_name(&service.namespace, &service.name);
        let spec = PublishedServiceSpec {
            cluster: cluster.clone(),
            service: service.clone(),
        };
        let metadata = meta(format!("{cluster}.{name}"), Some(cluster));
        PublishedService { metadata, spec }.into()
    });
    std::iter::once(PublishedCluster { metadata, spec }.into())
        .chain(services)
        .collect()
}

fn meta(name: String, cluster: Option<&str>) -> ObjectMeta {
    let (key, value) = MANAGED_BY;
    let mut labels = BTreeMap::from([(key.to_owned(), value.to_owned())]);
    labels.extend(cluster.map(|c| (CLUSTER_LABEL.to_owned(), c.to_owned())));
    ObjectMeta {
        namespace: Some(CACHE_NAMESPACE.to_owned()),
        name: Some(name),
        labels: Some(labels),
        ..ObjectMeta::default()
    }
}

/// What was in force of a cluster when the copies were written.
#[derive(Debug, Clone, Default)]
pub(super) struct Recalled {
    /// Who it was.
    pub(super) published: Option<Published>,
    /// Services by the name of their object in the peer's outbox.
    pub(super) services: BTreeMap<String, OfferedService>,
}

/// Reads the copies of one cluster. They are checked like a peer's own objects: somebody may have edited them.
pub(super) fn recall(snapshot: &ClusterSnapshot, expected: &Expected, now: Timestamp) -> Recalled {
    let cluster = &expected.cluster;
    let mut refusals = Vec::new();
    let key = (CACHE_NAMESPACE.to_owned(), cluster.clone());
    let published = snapshot
        .published_clusters
        .get(&key)
        .and_then(|object| outbox::receive_cluster(expected, object, &mut refusals));
    let prefix = format!("{cluster}.");
    let copies = snapshot
        .published_services
        .range((CACHE_NAMESPACE.to_owned(), prefix.clone())..)
        .take_while(|((namespace, name), _)| {
            namespace == CACHE_NAMESPACE && name.starts_with(&prefix)
        });
    let services = copies.filter_map(|((_, name), object)| {
        let name = name.strip_prefix(&prefix)?;
        let mut object = object.as_ref().clone();
        object.metadata.name = Some(name.to_owned());
        let service = outbox::receive_service(expected, &object, now, &mut refusals)?;
        Some((name.to_owned(), service))
    });
    Recalled {
        published,
        services: services.collect(),
    }
}
