//! About API (KEP-2149), group `about.k8s.io`.

use kube::CustomResource;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// A property of the cluster: `cluster.clusterset.k8s.io`, `clusterset.k8s.io`.
#[derive(CustomResource, Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[kube(
    group = "about.k8s.io",
    version = "v1beta1",
    kind = "ClusterProperty",
    plural = "clusterproperties",
    derive = "PartialEq"
)]
pub struct ClusterPropertySpec {
    /// The value.
    pub value: String,
}
