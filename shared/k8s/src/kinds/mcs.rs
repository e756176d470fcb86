//! Multi-cluster Services API (KEP-1645), group `multicluster.x-k8s.io`, fields of release v0.5.2.
//!
//! v1alpha1 and v1beta1 have equal fields, so one type serves both: either `apiVersion` is accepted when an object is read,
//! and objects are written as v1beta1, the stored version.

#![expect(
    clippy::duplicated_attributes,
    reason = "of printer columns, which share a type"
)]

use std::collections::BTreeMap;

use k8s_openapi::api::core::v1::SessionAffinityConfig;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Condition;
use kube::CustomResource;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::kinds::optional::optional_spec;
use crate::kinds::schema;

/// Exports the Service of the same name.
#[derive(CustomResource, Debug, Clone, Default, PartialEq, Serialize, JsonSchema)]
#[kube(
    group = "multicluster.x-k8s.io",
    version = "v1beta1",
    kind = "ServiceExport",
    plural = "serviceexports",
    namespaced,
    status = "ServiceExportStatus",
    shortname = "svcex",
    shortname = "svcexport",
    derive = "PartialEq",
    doc = "Exports the Service of the same name to the ClusterSet (KEP-1645).",
    printcolumn(
        name = "Age",
        type_ = "date",
        json_path = ".metadata.creationTimestamp"
    )
)]
#[serde(rename_all = "camelCase")]
pub struct ServiceExportSpec {
    /// Labels that importers see. Those of the metadata are never exported.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub exported_labels: Option<BTreeMap<String, String>>,
    /// Annotations that importers see. Those of the metadata are never exported.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub exported_annotations: Option<BTreeMap<String, String>>,
}

optional_spec!(ServiceExportSpec {
    exported_labels: Option<BTreeMap<String, String>>,
    exported_annotations: Option<BTreeMap<String, String>>,
});

/// Status of an export.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct ServiceExportStatus {
    /// `Valid`, `Ready`, `Conflict`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "schema::conditions")]
    pub conditions: Option<Vec<Condition>>,
}

/// A multi-cluster service as a cluster imports it. Only the controller creates and changes it.
#[derive(CustomResource, Debug, Clone, Default, PartialEq, Serialize, JsonSchema)]
#[kube(
    group = "multicluster.x-k8s.io",
    version = "v1beta1",
    kind = "ServiceImport",
    plural = "serviceimports",
    namespaced,
    status = "ServiceImportStatus",
    shortname = "svcim",
    shortname = "svcimport",
    derive = "PartialEq",
    doc = "A service imported from the clusters of the ClusterSet (KEP-1645).",
    printcolumn(
        name = "Type",
        type_ = "string",
        json_path = ".spec.type",
        description = "The type of this ServiceImport"
    ),
    printcolumn(
        name = "IP",
        type_ = "string",
        json_path = ".spec.ips",
        description = "The VIP for this ServiceImport"
    ),
    printcolumn(
        name = "Age",
        type_ = "date",
        json_path = ".metadata.creationTimestamp"
    )
)]
#[serde(rename_all = "camelCase")]
pub struct ServiceImportSpec {
    /// Ports of the service, over all exporting clusters.
    #[schemars(extend("x-kubernetes-list-type" = "atomic"))]
    pub ports: Vec<ImportPort>,
    /// Virtual addresses, at most one of each family.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 2))]
    pub ips: Option<Vec<String>>,
    /// `ClusterSetIP` or `Headless`.
    #[serde(rename = "type")]
    #[schemars(extend("enum" = ["ClusterSetIP", "Headless"]))]
    pub type_: String,
    /// `None` or `ClientIP`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub session_affinity: Option<String>,
    /// How long a client stays with an endpoint.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub session_affinity_config: Option<SessionAffinityConfig>,
    /// Address families: `IPv4`, `IPv6`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 2))]
    pub ip_families: Option<Vec<String>>,
    /// `Cluster` or `Local`, as in a Service.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub internal_traffic_policy: Option<String>,
    /// E.g. `PreferClose`, as in a Service.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub traffic_distribution: Option<String>,
}

optional_spec!(ServiceImportSpec {
    ports: Vec<ImportPort>,
    ips: Option<Vec<String>>,
    #[serde(rename = "type")]
    type_: String,
    session_affinity: Option<String>,
    session_affinity_config: Option<SessionAffinityConfig>,
    ip_families: Option<Vec<String>>,
    internal_traffic_policy: Option<String>,
    traffic_distribution: Option<String>,
});

/// A port of a `ServiceImport`. There is no `targetPort`: that is the exporting cluster's affair.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ImportPort {
    /// Name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// `TCP` (when unset), `UDP` or `SCTP`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub protocol: Option<String>,
    /// Application protocol, e.g. `kubernetes.io/h2c`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub app_protocol: Option<String>,
    /// Port number.
    pub port: i32,
}

/// Status of an import.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ServiceImportStatus {
    /// Exporting clusters.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(extend("x-kubernetes-list-type" = "map", "x-kubernetes-list-map-keys" = ["cluster"]))]
    pub clusters: Option<Vec<ClusterStatus>>,
    /// `Ready`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "schema::conditions")]
    pub conditions: Option<Vec<Condition>>,
    /// `Present` or `Absent`: whether there are `EndpointSlice`s with the MCS labels.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(regex(pattern = "^(Present|Absent)$"))]
    pub endpoint_slice_objects: Option<String>,
}

/// An exporting cluster.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ClusterStatus {
    /// Cluster id.
    pub cluster: String,
}
