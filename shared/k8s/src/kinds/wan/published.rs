//! The outbox: what this cluster offers to its peers (DESIGN §7). Written by the controller only, in namespace `mc-wan`.

#![expect(
    clippy::duplicated_attributes,
    reason = "of printer columns, which share a type"
)]

use std::net::IpAddr;

use kube::CustomResource;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::kinds::schema;
use crate::offer::{OfferedPolicy, OfferedService};

/// A cluster as its peers see it; the object is named by the cluster id.
#[derive(CustomResource, Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[kube(
    group = "mc-wan.l7mp.io",
    version = "v1alpha1",
    kind = "PublishedCluster",
    plural = "publishedclusters",
    namespaced,
    category = "mc-wan",
    derive = "PartialEq",
    doc = "This cluster as its peers see it. Written by the controller only.",
    printcolumn(name = "Cluster", type_ = "string", json_path = ".spec.cluster"),
    printcolumn(name = "Services", type_ = "integer", json_path = ".spec.services"),
    printcolumn(
        name = "Age",
        type_ = "date",
        json_path = ".metadata.creationTimestamp"
    )
)]
#[serde(rename_all = "camelCase")]
pub struct PublishedClusterSpec {
    /// Cluster id.
    #[schemars(schema_with = "schema::label")]
    pub cluster: String,
    /// The `ClusterSet` that it is a member of, if it says.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cluster_set: Option<String>,
    /// Addresses of its ingress gateways.
    pub gateways: Vec<IpAddr>,
    /// PEM certificates of the authorities that vouch for its gateways.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub trust_bundle: Option<String>,
    /// Its accepted WAN policies.
    pub policies: Vec<OfferedPolicy>,
    /// How many `PublishedService`s it has. A reader believes that a service was withdrawn only while what it reads is not
    /// less than this.
    #[serde(default)]
    pub services: u32,
    /// Whether the controller had seen all of its cluster when it wrote this. Without it a list withdraws nothing.
    #[serde(default)]
    pub synced: bool,
}

/// One exported service; the object is named `<namespace>.<name>`, which is unambiguous: both are labels.
#[derive(CustomResource, Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[kube(
    group = "mc-wan.l7mp.io",
    version = "v1alpha1",
    kind = "PublishedService",
    plural = "publishedservices",
    namespaced,
    category = "mc-wan",
    derive = "PartialEq",
    doc = "A service that this cluster offers to its peers. Written by the controller only.",
    printcolumn(
        name = "Namespace",
        type_ = "string",
        json_path = ".spec.service.namespace"
    ),
    printcolumn(name = "Service", type_ = "string", json_path = ".spec.service.name"),
    printcolumn(
        name = "Age",
        type_ = "date",
        json_path = ".metadata.creationTimestamp"
    )
)]
#[serde(rename_all = "camelCase")]
pub struct PublishedServiceSpec {
    /// Cluster id.
    #[schemars(schema_with = "schema::label")]
    pub cluster: String,
    /// The offer.
    pub service: OfferedService,
}

/// Name of the `PublishedService` of a service.
#[must_use]
pub fn service_object_name(namespace: &str, name: &str) -> String {
    format!("{namespace}.{name}")
}
