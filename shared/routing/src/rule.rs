//! A rule: filters, then backends in tiers, or an answer of its own.

use std::time::Duration;

use serde::Serialize;

use crate::filter::{Cors, HeaderModifier, Mirror, Redirect, UrlRewrite};
use crate::spec::BackendName;

/// One rule of a route. Shared by all its matches and hostnames.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Rule {
    /// Which object and rule this is.
    pub name: RuleName,
    /// The service the request is for; labels of metrics and logs. None when the rule has several unrelated backends.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub service: Option<ServiceName>,
    /// Filters of the rule.
    #[serde(skip_serializing_if = "Filters::is_empty")]
    pub filters: Filters,
    /// What happens after the filters.
    pub action: Action,
    /// Time limits.
    #[serde(skip_serializing_if = "Timeouts::is_empty")]
    pub timeouts: Timeouts,
    /// Retries that the route asks for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub retry: Option<Retry>,
}

/// Identity of a rule, for logs, metrics and dumps.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize)]
pub struct RuleName {
    /// `HTTPRoute` or `GRPCRoute`.
    pub kind: RouteKind,
    /// Namespace of the route.
    pub namespace: String,
    /// Name of the route.
    pub route: String,
    /// Position of the rule in the route, from 0.
    pub index: u32,
    /// `rules[].name`, where given.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
}

impl std::fmt::Display for RuleName {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}/{}/{}", self.namespace, self.route, self.index)
    }
}

/// Kind of a route.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize)]
pub enum RouteKind {
    /// `HTTPRoute`.
    HTTPRoute,
    /// `GRPCRoute`.
    GRPCRoute,
}

/// A Kubernetes Service, or a multi-cluster service, by name.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize)]
pub struct ServiceName {
    /// Namespace.
    pub namespace: String,
    /// Name.
    pub name: String,
}

/// Filters that apply to a request whichever backend takes it.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash, Serialize)]
pub struct Filters {
    /// Changes of request headers.
    #[serde(skip_serializing_if = "HeaderModifier::is_empty")]
    pub request_headers: HeaderModifier,
    /// Changes of response headers.
    #[serde(skip_serializing_if = "HeaderModifier::is_empty")]
    pub response_headers: HeaderModifier,
    /// Host and path rewrite.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rewrite: Option<UrlRewrite>,
    /// Copies of the request.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub mirrors: Vec<Mirror>,
    /// Cross-origin resource sharing (GEP-1767).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cors: Option<Cors>,
}

impl Filters {
    /// Whether there is nothing to do.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }
}

/// What a rule does with a request.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Action {
    /// Send it to a backend.
    Forward(Forward),
    /// Answer with a redirect.
    Redirect(Redirect),
}

/// Backends in order of preference.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize)]
pub struct Forward {
    /// Whether a request may go on to the next candidate when one cannot take it. False for ordinary weighted
    /// backends: there each backend keeps its share, whatever its state (Gateway API, `HTTPBackendRef` weight).
    pub failover: bool,
    /// Tiers, most preferred first; within a tier by weight. Empty, or without any weight: 500.
    pub tiers: Vec<Tier>,
}

/// Candidates of equal preference.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize)]
pub struct Tier {
    /// What makes the tier one: a WAN policy, or the local cluster (None).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub policy: Option<String>,
    /// Weighted members.
    pub choices: Vec<Choice>,
}

/// One weighted backend.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize)]
pub struct Choice {
    /// Share within the tier. 0: never in a tier without failover; last in a tier with failover.
    pub weight: u32,
    /// Where to.
    pub target: Target,
    /// Filters for this backend only (`backendRefs[].filters`).
    #[serde(skip_serializing_if = "Filters::is_empty")]
    pub filters: Filters,
}

/// The target of a choice.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Target {
    /// A known backend.
    Backend(BackendName),
    /// A port of an imported service: its own rules choose the backend, from [`crate::spec::TableSpec::imports`].
    Import(BackendName),
    /// A reference that does not resolve: its share of requests is answered with 500.
    Invalid(String),
}

/// Time limits of a rule (GEP-1742). None: no limit.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, Serialize)]
pub struct Timeouts {
    /// From the first byte of the request to the last byte of the response, all attempts included.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub request: Option<Duration>,
    /// One attempt.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub backend_request: Option<Duration>,
}

impl Timeouts {
    /// Whether there is no limit.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }
}

/// Retries that a route asks for (GEP-1731).
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize)]
pub struct Retry {
    /// Response codes to retry on, sorted.
    pub codes: Vec<u16>,
    /// Retries after the first attempt. 0: never.
    pub attempts: u32,
    /// Least time between attempts.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub backoff: Option<Duration>,
}
