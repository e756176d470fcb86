//! About API (KEP-2149), group `about.k8s.io`. v1alpha1 and v1beta1 have equal fields, so one type serves both.

use kube::CustomResource;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Name of the property that holds the cluster's id.
pub const CLUSTER_ID: &str = "cluster.clusterset.k8s.io";
/// Name of the property that holds the `ClusterSet`'s name.
pub const CLUSTER_SET: &str = "clusterset.k8s.io";

/// A property of the cluster: `cluster.clusterset.k8s.io`, `clusterset.k8s.io`.
#[derive(
    CustomResource, Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema,
)]
#[kube(
    group = "about.k8s.io",
    version = "v1beta1",
    kind = "ClusterProperty",
    plural = "clusterproperties",
    derive = "PartialEq",
    doc = "A property of the cluster (KEP-2149).",
    printcolumn(name = "value", type_ = "string", json_path = ".spec.value"),
    printcolumn(
        name = "age",
        type_ = "date",
        json_path = ".metadata.creationTimestamp"
    )
)]
pub struct ClusterPropertySpec {
    /// The value; at most 128 KiB.
    #[schemars(length(min = 1, max = 131072))]
    pub value: String,
}
