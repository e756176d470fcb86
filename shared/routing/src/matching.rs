//! Request matches and their precedence (Gateway API `HTTPRouteRule.matches`).

use http::{HeaderMap, HeaderName, Method};
use regex::Regex;
use serde::{Serialize, Serializer};

/// What a match looks at. Borrowed from the request.
#[derive(Debug, Clone, Copy)]
pub struct RequestView<'a> {
    /// Host without port, any case.
    pub host: &'a str,
    /// Path, percent-encoded as received, without query.
    pub path: &'a str,
    /// Query without `?`.
    pub query: Option<&'a str>,
    /// Method.
    pub method: &'a Method,
    /// Headers.
    pub headers: &'a HeaderMap,
}

/// All conditions of one match; all must hold.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct RequestMatch {
    /// Condition on the path.
    pub path: PathMatch,
    /// Condition on the method.
    #[serde(skip_serializing_if = "Option::is_none", serialize_with = "method")]
    pub method: Option<Method>,
    /// Conditions on headers; one entry a name.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub headers: Vec<HeaderMatch>,
    /// Conditions on query parameters; one entry a name.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub query: Vec<QueryMatch>,
}

#[expect(clippy::ref_option, reason = "serde's signature")]
fn method<S: Serializer>(m: &Option<Method>, s: S) -> Result<S::Ok, S::Error> {
    match m {
        Some(m) => s.serialize_str(m.as_str()),
        None => s.serialize_none(),
    }
}

/// Condition on the path.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum PathMatch {
    /// This path, case sensitive.
    Exact(String),
    /// This prefix, segment by segment; a trailing slash is ignored (`/abc` and `/abc/` are equal).
    Prefix(String),
    /// The whole path matches.
    Regex(Pattern),
}

/// Condition on a string.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum StringMatch {
    /// Equal, case sensitive.
    Exact(String),
    /// The whole value matches.
    Regex(Pattern),
}

/// Condition on a header.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct HeaderMatch {
    /// Name.
    #[serde(serialize_with = "header_name")]
    pub name: HeaderName,
    /// Condition on the value; several values of one header are joined with `,` first.
    pub value: StringMatch,
}

fn header_name<S: Serializer>(n: &HeaderName, s: S) -> Result<S::Ok, S::Error> {
    s.serialize_str(n.as_str())
}

/// Condition on a query parameter.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct QueryMatch {
    /// Name, case sensitive, percent-decoded.
    pub name: String,
    /// Condition on the first value of that name, percent-decoded.
    pub value: StringMatch,
}

/// A compiled regular expression that matches a whole value. Linear in the input; the size of the program is bounded.
#[derive(Debug, Clone)]
pub struct Pattern {
    source: String,
    regex: Regex,
}

/// Largest compiled program of one expression, in bytes.
pub const PATTERN_SIZE_LIMIT: usize = 256 * 1024;

impl PartialEq for Pattern {
    fn eq(&self, other: &Self) -> bool {
        self.source == other.source
    }
}

impl Serialize for Pattern {
    fn serialize<S: Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
        s.serialize_str(&self.source)
    }
}

/// Order among matches that are equally specific: the oldest route, then its name, then the order in the route.
#[derive(Debug, Clone, Default, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct RouteOrder {
    /// Creation time in seconds since 1970. 0 where unknown.
    pub created: i64,
    /// Namespace of the route.
    pub namespace: String,
    /// Name of the route.
    pub name: String,
    /// Kind, so that an `HTTPRoute` and a `GRPCRoute` of one name have an order.
    pub kind: Option<crate::rule::RouteKind>,
    /// Rule in the route.
    pub rule: u32,
}
