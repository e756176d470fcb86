//! HTTPRoute and GRPCRoute as one type. The generated types have a copy of everything for each kind and place.

use std::collections::BTreeMap;

use mcwan_gateway_api::grpcroutes::{GrpcRoute, GrpcRouteRules, GrpcRouteRulesMatches};
use mcwan_gateway_api::httproutes::{
    HttpRoute, HttpRouteRules, HttpRouteRulesMatches, HttpRouteRulesRetry, HttpRouteRulesTimeouts,
};
use mcwan_routing::rule::RouteKind;

use super::backends::ServiceRef;
use super::filters::source::{HttpFilter, own};
use super::index::{GATEWAY_GROUP, created};
use crate::object::{Key, reference};
use crate::problem::ObjectRef;

/// A route of either kind.
pub(super) struct Route<'a> {
    pub(super) kind: RouteKind,
    pub(super) object: ObjectRef,
    pub(super) namespace: &'a str,
    pub(super) name: &'a str,
    pub(super) created: i64,
    pub(super) labels: Option<&'a BTreeMap<String, String>>,
    pub(super) hostnames: &'a [String],
    pub(super) parents: Vec<ParentRef<'a>>,
    rules: Rules<'a>,
}

enum Rules<'a> {
    Http(&'a [HttpRouteRules]),
    /// An HTTPRoute without `rules`: the CRD's default is one rule without matches and backends.
    Default,
    Grpc(&'a [GrpcRouteRules]),
}

/// A reference to a parent, defaults filled in.
pub(super) struct ParentRef<'a> {
    pub(super) group: &'a str,
    pub(super) kind: &'a str,
    pub(super) namespace: &'a str,
    pub(super) name: &'a str,
    pub(super) section: Option<&'a str>,
    pub(super) port: Option<i32>,
}

/// A weighted reference to a backend, defaults filled in.
pub(super) struct BackendRef<'a> {
    pub(super) to: ServiceRef<'a>,
    pub(super) weight: i32,
    pub(super) filters: Vec<HttpFilter>,
}

/// A rule of either kind.
#[derive(Default)]
pub(super) struct RuleSource<'a> {
    pub(super) name: Option<&'a str>,
    pub(super) matches: Matches<'a>,
    pub(super) filters: Vec<HttpFilter>,
    pub(super) backends: Vec<BackendRef<'a>>,
    pub(super) timeouts: Option<&'a HttpRouteRulesTimeouts>,
    pub(super) retry: Option<&'a HttpRouteRulesRetry>,
}

/// The matches of a rule.
pub(super) enum Matches<'a> {
    Http(&'a [HttpRouteRulesMatches]),
    Grpc(&'a [GrpcRouteRulesMatches]),
}

impl Default for Matches<'_> {
    fn default() -> Self {
        Self::Http(&[])
    }
}

/// Fills in the defaults of a generated `ParentReference`.
macro_rules! parents {
    ($route:expr, $namespace:expr) => {
        $route
            .spec
            .parent_refs
            .iter()
            .flatten()
            .map(|p| ParentRef {
                group: p.group.as_deref().unwrap_or(GATEWAY_GROUP),
                kind: p.kind.as_deref().unwrap_or("Gateway"),
                namespace: p.namespace.as_deref().unwrap_or($namespace),
                name: &p.name,
                section: p.section_name.as_deref(),
                port: p.port,
            })
            .collect()
    };
}

/// Reads what the rules of both kinds have alike.
macro_rules! rule {
    ($rule:expr, $kind:ident) => {
        RuleSource {
            name: $rule.name.as_deref(),
            matches: Matches::$kind($rule.matches.as_deref().unwrap_or_default()),
            filters: own($rule.filters.as_deref()),
            backends: $rule
                .backend_refs
                .iter()
                .flatten()
                .map(|b| BackendRef {
                    to: ServiceRef {
                        group: b.group.as_deref().unwrap_or_default(),
                        kind: b.kind.as_deref().unwrap_or("Service"),
                        namespace: b.namespace.as_deref(),
                        name: &b.name,
                        port: b.port,
                    },
                    weight: b.weight.unwrap_or(1),
                    filters: own(b.filters.as_deref()),
                })
                .collect(),
            timeouts: None,
            retry: None,
        }
    };
}

impl<'a> Route<'a> {
    pub(super) fn http((namespace, name): &'a Key, route: &'a HttpRoute) -> Self {
        Self {
            kind: RouteKind::HTTPRoute,
            object: reference(route),
            namespace,
            name,
            created: created(&route.metadata),
            labels: route.metadata.labels.as_ref(),
            hostnames: route.spec.hostnames.as_deref().unwrap_or_default(),
            parents: parents!(route, namespace),
            rules: route
                .spec
                .rules
                .as_deref()
                .map_or(Rules::Default, Rules::Http),
        }
    }

    pub(super) fn grpc((namespace, name): &'a Key, route: &'a GrpcRoute) -> Self {
        Self {
            kind: RouteKind::GRPCRoute,
            object: reference(route),
            namespace,
            name,
            created: created(&route.metadata),
            labels: route.metadata.labels.as_ref(),
            hostnames: route.spec.hostnames.as_deref().unwrap_or_default(),
            parents: parents!(route, namespace),
            rules: Rules::Grpc(route.spec.rules.as_deref().unwrap_or_default()),
        }
    }

    /// The rules, in order.
    pub(super) fn rules(&self) -> Vec<RuleSource<'a>> {
        match self.rules {
            Rules::Default => vec![RuleSource::default()],
            Rules::Grpc(rules) => rules.iter().map(|r| rule!(r, Grpc)).collect(),
            Rules::Http(rules) => rules
                .iter()
                .map(|r| RuleSource {
                    timeouts: r.timeouts.as_ref(),
                    retry: r.retry.as_ref(),
                    ..rule!(r, Http)
                })
                .collect(),
        }
    }
}

impl ParentRef<'_> {
    /// How problems name the parent: `namespace/name[/section][:port]`, with `ListenerSet ` in front of those.
    pub(super) fn label(&self) -> String {
        let kind = if self.kind == "Gateway" {
            String::new()
        } else {
            format!("{} ", self.kind)
        };
        let section = self.section.map(|s| format!("/{s}")).unwrap_or_default();
        let port = self.port.map(|p| format!(":{p}")).unwrap_or_default();
        format!("{kind}{}/{}{section}{port}", self.namespace, self.name)
    }
}
