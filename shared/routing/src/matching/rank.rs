//! Precedence of matches: the order of the fields of [`Rank`] *is* the rule of the specification
//! (`gateway.networking.k8s.io/v1` `HTTPRouteRule.matches`, `GRPCRouteRule.matches`).

use std::cmp::Reverse;

use super::{PathMatch, RequestMatch, RouteOrder, prefix_of};
use crate::hostname::{HostPattern, HostRank};

/// Rank of one match of one rule: of all matches that take a request, the smallest wins, across routes.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Rank<'a> {
    /// The route's own hostname, not its intersection with the listener's
    /// (feature `GatewayRouteHostnameIntersectionPrecedence`).
    pub hostname: HostRank,
    /// The kind of path match, and how long a prefix is.
    pub path: PathRank,
    /// A match by method comes first.
    pub method: Reverse<bool>,
    /// More header matches come first.
    pub headers: Reverse<usize>,
    /// More query parameter matches come first.
    pub query: Reverse<usize>,
    /// The oldest route, then its namespace and name, then the first rule.
    pub order: &'a RouteOrder,
    /// The first match of a rule.
    pub position: usize,
}

/// Specificity of a path match: the smaller, the more specific.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum PathRank {
    /// A whole path.
    Exact,
    /// A prefix, the longest first. Among prefixes of one path, the one of more bytes has more characters too.
    Prefix(Reverse<usize>),
    /// A regular expression. The specification leaves its place open; it comes last here.
    Regex,
}

impl PathMatch {
    /// Specificity of the path match. A trailing slash of a prefix does not count.
    #[must_use]
    pub fn rank(&self) -> PathRank {
        match self {
            Self::Exact(_) => PathRank::Exact,
            Self::Prefix(value) => PathRank::Prefix(Reverse(prefix_of(value).len())),
            Self::Regex(_) => PathRank::Regex,
        }
    }
}

impl<'a> Rank<'a> {
    /// Rank of the match at `position` of a rule, under the route's hostname `hostname`.
    #[must_use]
    pub fn new(
        hostname: &HostPattern,
        request: &RequestMatch,
        order: &'a RouteOrder,
        position: usize,
    ) -> Self {
        Self {
            hostname: hostname.rank(),
            path: request.path.rank(),
            method: Reverse(request.method.is_some()),
            headers: Reverse(request.headers.len()),
            query: Reverse(request.query.len()),
            order,
            position,
        }
    }
}
