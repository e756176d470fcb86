//! Own kinds, group `mc-wan.l7mp.io/v1alpha1`.

use kube::CustomResource;
use mcwan_gateway_api::httproutes::HttpRouteRulesMatches;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// A class of WAN tunnel: the port that the SD-WAN classifies by, and what the tunnel promises.
#[derive(CustomResource, Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[kube(
    group = "mc-wan.l7mp.io",
    version = "v1alpha1",
    kind = "WANPolicy",
    plural = "wanpolicies",
    derive = "PartialEq"
)]
#[serde(rename_all = "camelCase")]
pub struct WANPolicySpec {
    /// Transport class, mapped by the SD-WAN.
    pub tunnel: String,
    /// Port of this class on every ingress gateway.
    pub port: i32,
    /// Failover behaviour.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub failover: Option<Failover>,
    /// Connections kept per peer gateway address.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub connections: Option<Connections>,
}

/// What happens when a tunnel cannot be used.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Failover {
    /// Other policies, in order.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fallback: Option<Vec<String>>,
    /// Time a tunnel must be healthy before traffic returns to it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hold_down: Option<String>,
}

/// Connections of a tunnel.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Connections {
    /// Kept open.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub min: Option<i32>,
    /// At most.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max: Option<i32>,
    /// Replaced at this age.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_age: Option<String>,
    /// Requests in flight per connection.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_streams: Option<i32>,
}

/// The seed's L7-aware export.
#[derive(CustomResource, Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[kube(
    group = "mc-wan.l7mp.io",
    version = "v1alpha1",
    kind = "ServiceExport",
    plural = "serviceexports",
    namespaced,
    derive = "PartialEq"
)]
#[serde(rename_all = "camelCase")]
pub struct ServiceExportSpec {
    /// HTTP rules.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub http: Option<HttpRules>,
}

/// The importing side's view of an exported service.
#[derive(CustomResource, Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[kube(
    group = "mc-wan.l7mp.io",
    version = "v1alpha1",
    kind = "ServiceImport",
    plural = "serviceimports",
    namespaced,
    derive = "PartialEq"
)]
#[serde(rename_all = "camelCase")]
pub struct ServiceImportSpec {
    /// Overrides the exported rules in this cluster.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub http: Option<HttpRules>,
}

/// Rules by which requests are given to WAN policies.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct HttpRules {
    /// In order of writing; precedence is the Gateway API's.
    pub rules: Vec<HttpRule>,
}

/// One rule.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct HttpRule {
    /// Any of these takes the request; none: every request.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub matches: Option<Vec<HttpRouteRulesMatches>>,
    /// WAN policies in order of preference: one object, or a list.
    pub backend_refs: PolicyRefs,
}

/// `backendRefs` of a rule: one object (as the seed writes it) or a list, which is an order of preference.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(untagged)]
pub enum PolicyRefs {
    /// One policy.
    One(PolicyRef),
    /// Several, most preferred first.
    Many(Vec<PolicyRef>),
}

impl Default for PolicyRefs {
    fn default() -> Self {
        Self::Many(Vec::new())
    }
}

impl PolicyRefs {
    /// The references, most preferred first.
    #[must_use]
    pub fn as_slice(&self) -> &[PolicyRef] {
        match self {
            Self::One(r) => std::slice::from_ref(r),
            Self::Many(r) => r,
        }
    }
}

/// A reference to a `WANPolicy`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct PolicyRef {
    /// `mc-wan.l7mp.io`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub group: Option<String>,
    /// `WANPolicy`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub kind: Option<String>,
    /// Name of the policy.
    pub name: String,
}
