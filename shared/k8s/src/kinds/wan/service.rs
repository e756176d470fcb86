//! `ServiceExport` and `ServiceImport` of the own group: what the official kinds lack, the rules by which requests are given
//! to WAN policies.

#![expect(
    clippy::duplicated_attributes,
    reason = "of printer columns, which share a type"
)]

use k8s_openapi::apimachinery::pkg::apis::meta::v1::Condition;
use kube::CustomResource;
use mcwan_gateway_api::httproutes::HttpRouteRulesMatches;
use schemars::JsonSchema;
use serde::{Deserialize, Deserializer, Serialize, de};

use crate::kinds::optional::optional_spec;
use crate::kinds::schema;

/// The seed's L7-aware export: exports the Service of the same name, as the official kind does.
#[derive(CustomResource, Debug, Clone, Default, PartialEq, Serialize, JsonSchema)]
#[kube(
    group = "mc-wan.l7mp.io",
    version = "v1alpha1",
    kind = "ServiceExport",
    plural = "serviceexports",
    namespaced,
    status = "ServiceExportStatus",
    shortname = "wanexport",
    category = "mc-wan",
    derive = "PartialEq",
    doc = "Exports the Service of the same name to the ClusterSet, with rules that give each request to a WANPolicy. An official ServiceExport may stand beside it.",
    printcolumn(
        name = "Valid",
        type_ = "string",
        json_path = ".status.conditions[?(@.type==\"Valid\")].status"
    ),
    printcolumn(
        name = "Ready",
        type_ = "string",
        json_path = ".status.conditions[?(@.type==\"Ready\")].status"
    ),
    printcolumn(
        name = "Age",
        type_ = "date",
        json_path = ".metadata.creationTimestamp"
    )
)]
#[serde(rename_all = "camelCase")]
pub struct ServiceExportSpec {
    /// HTTP rules. None: the policy of the whole service, or the default policy, takes every request.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub http: Option<HttpRules>,
}

optional_spec!(ServiceExportSpec { http: Option<HttpRules> });

/// Status of an export.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct ServiceExportStatus {
    /// `Valid`, `Ready`, `Conflict`, as in the MCS API.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "schema::conditions")]
    pub conditions: Option<Vec<Condition>>,
}

/// The importing side's view of an exported service. The controller creates it; its spec belongs to the importing side.
#[derive(CustomResource, Debug, Clone, Default, PartialEq, Serialize, JsonSchema)]
#[kube(
    group = "mc-wan.l7mp.io",
    version = "v1alpha1",
    kind = "ServiceImport",
    plural = "serviceimports",
    namespaced,
    status = "ServiceImportStatus",
    shortname = "wanimport",
    category = "mc-wan",
    derive = "PartialEq",
    doc = "The importing side's view of an exported service: spec.http overrides the exported rules in this cluster, status.http shows the rules in force.",
    printcolumn(
        name = "Ready",
        type_ = "string",
        json_path = ".status.conditions[?(@.type==\"Ready\")].status"
    ),
    printcolumn(
        name = "Rules",
        type_ = "string",
        json_path = ".status.http.origin.kind"
    ),
    printcolumn(
        name = "Age",
        type_ = "date",
        json_path = ".metadata.creationTimestamp"
    )
)]
#[serde(rename_all = "camelCase")]
pub struct ServiceImportSpec {
    /// Overrides the exported rules in this cluster.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub http: Option<HttpRules>,
}

optional_spec!(ServiceImportSpec { http: Option<HttpRules> });

/// Status of an import; written by the controller only.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct ServiceImportStatus {
    /// The rules in force, and where they come from.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub http: Option<ImportedHttp>,
    /// `Ready`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "schema::conditions")]
    pub conditions: Option<Vec<Condition>>,
}

/// The rules in force.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct ImportedHttp {
    /// Where they come from.
    pub origin: RuleOrigin,
    /// The rules.
    pub rules: Vec<ImportedRule>,
}

/// Where rules come from.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct RuleOrigin {
    /// `ServiceImport` (this cluster's own), `ServiceExport`, `Annotation` or `DefaultPolicy`.
    pub kind: String,
    /// The cluster whose export it is; absent for the importing cluster's own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cluster: Option<String>,
}

/// A rule in force.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct ImportedRule {
    /// Its matches; none: every request.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub matches: Option<Vec<HttpRouteRulesMatches>>,
    /// Names of its policies, most preferred first.
    pub policies: Vec<String>,
}

/// Rules by which requests are given to WAN policies.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct HttpRules {
    /// In order of writing; precedence is the Gateway API's. A request that matches none is denied.
    #[schemars(length(min = 1, max = 64))]
    pub rules: Vec<HttpRule>,
}

/// One rule.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct HttpRule {
    /// Any of these takes the request; none: every request. As in `HTTPRoute`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 64))]
    pub matches: Option<Vec<HttpRouteRulesMatches>>,
    /// WAN policies in order of preference: one object, or a list.
    #[schemars(schema_with = "schema::policy_refs")]
    pub backend_refs: PolicyRefs,
}

/// `backendRefs` of a rule: one object (as the seed writes it) or a list, which is an order of preference.
#[derive(Debug, Clone, PartialEq, Serialize)]
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

/// By hand, because serde's untagged enums forget which field was wrong and where.
impl<'de> Deserialize<'de> for PolicyRefs {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Visitor;

        impl<'de> de::Visitor<'de> for Visitor {
            type Value = PolicyRefs;

            fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str("a reference to a WANPolicy, or a list of them")
            }

            fn visit_map<A: de::MapAccess<'de>>(self, map: A) -> Result<PolicyRefs, A::Error> {
                PolicyRef::deserialize(de::value::MapAccessDeserializer::new(map))
                    .map(PolicyRefs::One)
            }

            fn visit_seq<A: de::SeqAccess<'de>>(self, seq: A) -> Result<PolicyRefs, A::Error> {
                Vec::deserialize(de::value::SeqAccessDeserializer::new(seq)).map(PolicyRefs::Many)
            }
        }

        deserializer.deserialize_any(Visitor)
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
