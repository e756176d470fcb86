//! `ClusterPeer`: another cluster of the `ClusterSet`; `GatewayConfig`: how gateways are deployed.

#![expect(
    clippy::duplicated_attributes,
    reason = "of printer columns, which share a type"
)]

use std::collections::BTreeMap;

use k8s_openapi::api::core::v1::ResourceRequirements;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{Condition, Time};
use kube::CustomResource;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::kinds::optional::optional_spec;
use crate::kinds::schema;

/// Another cluster of the `ClusterSet`. The object's name is only a name; `clusterId` is the identity.
#[derive(CustomResource, Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[kube(
    group = "mc-wan.l7mp.io",
    version = "v1alpha1",
    kind = "ClusterPeer",
    plural = "clusterpeers",
    status = "ClusterPeerStatus",
    shortname = "cpeer",
    category = "mc-wan",
    derive = "PartialEq",
    doc = "Another cluster of the ClusterSet: how its outbox is read, where its gateways are, and who vouches for them.",
    printcolumn(name = "Cluster", type_ = "string", json_path = ".spec.clusterId"),
    printcolumn(
        name = "Connected",
        type_ = "string",
        json_path = ".status.conditions[?(@.type==\"Connected\")].status"
    ),
    printcolumn(
        name = "Synced",
        type_ = "string",
        json_path = ".status.conditions[?(@.type==\"Synced\")].status"
    ),
    printcolumn(
        name = "Age",
        type_ = "date",
        json_path = ".metadata.creationTimestamp"
    )
)]
#[serde(rename_all = "camelCase")]
pub struct ClusterPeerSpec {
    /// Cluster id of the peer: one RFC 1123 label. What the peer publishes must bear the same id.
    #[schemars(schema_with = "schema::label")]
    pub cluster_id: String,
    /// Secret with a kubeconfig that may read the peer's outbox and nothing else.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub kubeconfig_secret_ref: Option<SecretRef>,
    /// Addresses of the peer's ingress gateways as seen from here, where the published ones do not fit (NAT).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 16))]
    pub gateways: Option<Vec<String>>,
    /// PEM certificates of the authorities that may vouch for this peer, and for this peer only. Unset: the published ones.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub trust_bundle: Option<String>,
}

/// A key of a Secret.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct SecretRef {
    /// Name of the Secret.
    #[schemars(length(min = 1, max = 253))]
    pub name: String,
    /// Its namespace; `mc-wan` when unset.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 63))]
    pub namespace: Option<String>,
    /// Key in the Secret; `kubeconfig` when unset.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 253))]
    pub key: Option<String>,
}

/// Status of a peer; written by the controller only.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ClusterPeerStatus {
    /// Generation of the spec that the status is about.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub observed_generation: Option<i64>,
    /// `Connected`, `Synced`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "schema::conditions")]
    pub conditions: Option<Vec<Condition>>,
    /// The last time that the whole outbox was read.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_sync_time: Option<Time>,
    /// Services that the peer offers.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub services: Option<i32>,
    /// Health of each tunnel to the peer.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(extend("x-kubernetes-list-type" = "map", "x-kubernetes-list-map-keys" = ["policy"]))]
    pub tunnels: Option<Vec<PeerTunnel>>,
}

/// Health of one tunnel to a peer.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct PeerTunnel {
    /// Name of the `WANPolicy`.
    pub policy: String,
    /// `Unknown`, `Healthy`, `Violated` or `Down`.
    pub state: String,
    /// When it came into this state.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub since: Option<Time>,
}

/// Parameters of the gateways of a `GatewayClass` or `Gateway`.
#[derive(CustomResource, Debug, Clone, Default, PartialEq, Serialize, JsonSchema)]
#[kube(
    group = "mc-wan.l7mp.io",
    version = "v1alpha1",
    kind = "GatewayConfig",
    plural = "gatewayconfigs",
    namespaced,
    shortname = "gwconfig",
    category = "mc-wan",
    derive = "PartialEq",
    doc = "How the gateways of a GatewayClass (parametersRef) or a Gateway (infrastructure.parametersRef) are deployed.",
    printcolumn(name = "Replicas", type_ = "integer", json_path = ".spec.replicas"),
    printcolumn(name = "Service", type_ = "string", json_path = ".spec.service.type"),
    printcolumn(
        name = "Age",
        type_ = "date",
        json_path = ".metadata.creationTimestamp"
    )
)]
#[serde(rename_all = "camelCase")]
pub struct GatewayConfigSpec {
    /// Pods of a gateway; 1–100, 2 when unset.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = 100))]
    pub replicas: Option<i32>,
    /// Resources of a gateway's container.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub resources: Option<ResourceRequirements>,
    /// The Service in front of a gateway.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub service: Option<ServiceSettings>,
    /// Addresses by which peers reach the gateway, where the Service's own do not fit.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 16))]
    pub addresses: Option<Vec<String>>,
}

optional_spec!(GatewayConfigSpec {
    replicas: Option<i32>,
    resources: Option<ResourceRequirements>,
    service: Option<ServiceSettings>,
    addresses: Option<Vec<String>>,
});

/// The Service in front of a gateway.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ServiceSettings {
    /// `ClusterIP`, `NodePort` or `LoadBalancer`.
    #[serde(default, rename = "type", skip_serializing_if = "Option::is_none")]
    #[schemars(regex(pattern = "^(ClusterIP|NodePort|LoadBalancer)$"))]
    pub type_: Option<String>,
    /// Annotations, e.g. for a cloud's load balancer.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub annotations: Option<BTreeMap<String, String>>,
}
