//! What a cluster offers to its peers: the content of its outbox (`PublishedCluster`, `PublishedService`), as values.
//!
//! [`offer`] is pure. Standalone mode computes a peer's offer from the peer's directory; the controller reads it from
//! the peer's API server.

mod endpoints;
mod identity;
mod services;

use std::net::IpAddr;

use k8s_openapi::api::core::v1::SessionAffinityConfig;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::kinds::wan::{HttpRules, Sla};
use crate::names;
use crate::policy::{Accepted, accepted};
use crate::problem::Problem;
use crate::snapshot::ClusterSnapshot;

pub(crate) use identity::addresses;

/// All that one cluster offers.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct PeerOffer {
    /// Cluster id: one RFC 1123 label.
    pub cluster: String,
    /// Addresses of its ingress gateways, sorted.
    pub gateways: Vec<IpAddr>,
    /// Its accepted WAN policies, sorted by name.
    pub policies: Vec<OfferedPolicy>,
    /// Its valid exports, sorted by namespace and name.
    pub services: Vec<OfferedService>,
}

/// A `WANPolicy` as peers must agree on it: what the SD-WAN between them classifies and measures by.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct OfferedPolicy {
    /// Name.
    pub name: String,
    /// Port of the class.
    pub port: u16,
    /// Transport class.
    pub tunnel: String,
    /// Code point of its packets, 0–63; absent: they are not marked.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub dscp: Option<u8>,
    /// What it promises, where it promises anything.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sla: Option<Sla>,
}

/// One exported service.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct OfferedService {
    /// Namespace.
    pub namespace: String,
    /// Name.
    pub name: String,
    /// Creation of the export, seconds since 1970; 0 where unknown. The oldest wins conflicts.
    pub created: i64,
    /// Headless.
    pub headless: bool,
    /// Ports, in the Service's order.
    pub ports: Vec<OfferedPort>,
    /// L7 rules of the export (`spec.http`), if it has any.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub http: Option<HttpRules>,
    /// Service-level policy (`mc-wan.l7mp.io/wan-policy`), if given.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub wan_policy: Option<String>,
    /// Exported labels and annotations (never those of the metadata).
    pub labels: std::collections::BTreeMap<String, String>,
    /// See `labels`.
    pub annotations: std::collections::BTreeMap<String, String>,
    /// `ipFamilies` of the Service.
    pub ip_families: Vec<String>,
    /// `sessionAffinity` of the Service.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub session_affinity: Option<String>,
    /// `sessionAffinityConfig` of the Service.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub session_affinity_config: Option<SessionAffinityConfig>,
    /// `internalTrafficPolicy` of the Service.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub internal_traffic_policy: Option<String>,
    /// `trafficDistribution` of the Service.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub traffic_distribution: Option<String>,
    /// Ready endpoints of a headless Service, at most [`MAX_ENDPOINTS`] in all: who looks up its name gets these. Empty for
    /// all other Services, whose endpoints are nobody else's affair.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 100))]
    pub endpoints: Vec<OfferedEndpoints>,
}

/// Most addresses that a headless service offers, and most that anybody takes from a peer: what one `EndpointSlice` holds.
pub const MAX_ENDPOINTS: usize = 1000;

/// Endpoints of a headless service that listen on the same ports.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct OfferedEndpoints {
    /// Ports that they listen on: what the Service calls `targetPort`.
    #[schemars(length(max = 100))]
    pub ports: Vec<OfferedEndpointPort>,
    /// The endpoints, sorted by address.
    #[schemars(length(max = 1000))]
    pub endpoints: Vec<OfferedEndpoint>,
}

/// A port of an endpoint.
#[derive(
    Debug, Clone, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema,
)]
#[serde(rename_all = "camelCase")]
pub struct OfferedEndpointPort {
    /// Name of the Service's port; empty for an unnamed single port.
    pub name: String,
    /// `TCP`, `UDP` or `SCTP`.
    pub protocol: String,
    /// Application protocol, where given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub app_protocol: Option<String>,
    /// Port number.
    pub port: u16,
}

/// An endpoint of a headless service.
#[derive(
    Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema,
)]
#[serde(rename_all = "camelCase")]
pub struct OfferedEndpoint {
    /// Address, in the exporting cluster's network.
    pub address: IpAddr,
    /// Host name that it is known by beside the service's (a pod of a `StatefulSet`): one RFC 1123 label.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hostname: Option<String>,
}

/// A port of an exported service.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct OfferedPort {
    /// Name; empty for an unnamed single port.
    pub name: String,
    /// `TCP`, `UDP` or `SCTP`.
    pub protocol: String,
    /// Application protocol, where given.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub app_protocol: Option<String>,
    /// Port number.
    pub port: u16,
    /// Ready endpoints behind it.
    pub ready_endpoints: u32,
}

/// Computes what a cluster offers, and what is wrong with its exports, policies and identity, sorted.
#[must_use]
pub fn offer(snapshot: &ClusterSnapshot) -> (PeerOffer, Vec<Problem>) {
    let (policies, mut problems) = accepted(snapshot);
    problems.extend(identity::check(snapshot));
    let services = services::all(snapshot, &mut problems);
    problems.sort_unstable();
    problems.dedup();
    let offered = |p: Accepted| OfferedPolicy {
        sla: sla(snapshot, &p.name),
        name: p.name,
        port: p.port,
        tunnel: p.tunnel,
        dscp: p.dscp,
    };
    let offer = PeerOffer {
        cluster: snapshot.cluster.clone(),
        gateways: addresses(snapshot, names::INGRESS),
        policies: policies.into_iter().map(offered).collect(),
        services,
    };
    (offer, problems)
}

/// What a policy promises; one that promises nothing has none.
pub(crate) fn sla(snapshot: &ClusterSnapshot, policy: &str) -> Option<Sla> {
    let policy = snapshot
        .wan_policies
        .get(&(String::new(), policy.to_owned()))?;
    policy.spec.sla.clone().filter(|s| *s != Sla::default())
}

#[cfg(test)]
mod tests;
