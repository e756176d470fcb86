//! Request matches (Gateway API `HTTPRouteRule.matches`). Their precedence is in [`rank`].

pub mod rank;

mod pattern;
mod query;

use std::borrow::Cow;

use http::{HeaderMap, HeaderName, HeaderValue, Method};
use serde::{Serialize, Serializer};

pub use pattern::{PATTERN_SIZE_LIMIT, Pattern, PatternError};
pub use query::first_value;

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

impl RequestMatch {
    /// Whether all conditions hold.
    #[must_use]
    pub fn matches(&self, request: &RequestView<'_>) -> bool {
        self.path.matches(request.path)
            && self.method.as_ref().is_none_or(|m| m == request.method)
            && self.headers.iter().all(|h| h.matches(request.headers))
            && self.query.iter().all(|q| q.matches(request.query))
    }
}

impl PathMatch {
    /// Whether `path` (without query) is taken.
    #[must_use]
    pub fn matches(&self, path: &str) -> bool {
        match self {
            Self::Exact(value) => value == path,
            Self::Prefix(value) => path.strip_prefix(prefix_of(value)).is_some_and(|rest| {
                rest.is_empty() || rest.starts_with('/') || prefix_of(value).is_empty()
            }),
            Self::Regex(pattern) => pattern.matches(path),
        }
    }
}

/// The part of a `PathPrefix` value that counts: without trailing slashes, so `/` is empty and takes everything.
#[must_use]
pub fn prefix_of(value: &str) -> &str {
    value.trim_end_matches('/')
}

impl StringMatch {
    /// Whether a value of raw bytes is taken.
    #[must_use]
    pub fn matches(&self, value: &[u8]) -> bool {
        match self {
            Self::Exact(want) => want.as_bytes() == value,
            Self::Regex(pattern) => pattern.matches(value),
        }
    }
}

impl HeaderMatch {
    /// Whether the header is there and its value is taken. Several lines of one header count as one value, joined by
    /// `,` (RFC 9110 §5.3).
    #[must_use]
    pub fn matches(&self, headers: &HeaderMap) -> bool {
        joined(headers, &self.name).is_some_and(|value| self.value.matches(&value))
    }
}

/// All values of a header as one. Copies only when there are several.
fn joined<'a>(headers: &'a HeaderMap, name: &HeaderName) -> Option<Cow<'a, [u8]>> {
    let mut values = headers.get_all(name).iter().map(HeaderValue::as_bytes);
    let mut all = Cow::Borrowed(values.next()?);
    for value in values {
        let buffer = all.to_mut();
        buffer.push(b',');
        buffer.extend_from_slice(value);
    }
    Some(all)
}

impl QueryMatch {
    /// Whether the parameter is there and its first value is taken.
    #[must_use]
    pub fn matches(&self, query: Option<&str>) -> bool {
        query
            .and_then(|q| first_value(q, &self.name))
            .is_some_and(|value| self.value.matches(&value))
    }
}

#[cfg(test)]
mod tests;
