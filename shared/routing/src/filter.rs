//! Filters as values. The gateway applies them; this module says what they mean.

mod cors;
mod headers;
mod path;
mod redirect;

use http::{HeaderName, HeaderValue};
use serde::{Serialize, Serializer};

use crate::spec::BackendName;

pub use cors::Preflight;
pub use headers::HeaderTarget;
pub use redirect::RedirectFrom;

/// Changes of a header map: set, then add, then remove (Gateway API `HTTPHeaderFilter`).
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash, Serialize)]
pub struct HeaderModifier {
    /// Overwrites.
    #[serde(skip_serializing_if = "Vec::is_empty", serialize_with = "headers")]
    pub set: Vec<(HeaderName, HeaderValue)>,
    /// Appends.
    #[serde(skip_serializing_if = "Vec::is_empty", serialize_with = "headers")]
    pub add: Vec<(HeaderName, HeaderValue)>,
    /// Removes.
    #[serde(skip_serializing_if = "Vec::is_empty", serialize_with = "names")]
    pub remove: Vec<HeaderName>,
}

impl HeaderModifier {
    /// Whether there is nothing to do.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.set.is_empty() && self.add.is_empty() && self.remove.is_empty()
    }
}

fn headers<S: Serializer>(list: &[(HeaderName, HeaderValue)], s: S) -> Result<S::Ok, S::Error> {
    s.collect_seq(
        list.iter()
            .map(|(n, v)| format!("{n}: {}", String::from_utf8_lossy(v.as_bytes()))),
    )
}

fn names<S: Serializer>(list: &[HeaderName], s: S) -> Result<S::Ok, S::Error> {
    s.collect_seq(list.iter().map(HeaderName::as_str))
}

/// `URLRewrite`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash, Serialize)]
pub struct UrlRewrite {
    /// New Host.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub hostname: Option<String>,
    /// New path.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub path: Option<PathModifier>,
}

/// How a path is changed (`HTTPPathModifier`).
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum PathModifier {
    /// The whole path; the query stays.
    ReplaceFullPath(String),
    /// The part that a `PathPrefix` match took.
    ReplacePrefixMatch(String),
}

/// `RequestRedirect`.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize)]
pub struct Redirect {
    /// New scheme, `http` or `https`; None keeps the request's.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub scheme: Option<String>,
    /// New host; None keeps the request's.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub hostname: Option<String>,
    /// New path; None keeps the request's.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub path: Option<PathModifier>,
    /// New port; None: the port rules of `HTTPRequestRedirectFilter` decide.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub port: Option<u16>,
    /// 301, 302, 303, 307 or 308.
    pub status: u16,
}

/// `RequestMirror`: a copy whose answer nobody waits for.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize)]
pub struct Mirror {
    /// Where the copy goes.
    pub backend: BackendName,
    /// Share of requests copied: `numerator` of `denominator`.
    pub numerator: u32,
    /// See `numerator`; never 0.
    pub denominator: u32,
}

impl Mirror {
    /// Whether this request is copied. `draw(n)` returns a number below `n`; it is not called when the answer is certain.
    #[must_use]
    pub fn samples(&self, draw: &mut impl FnMut(u64) -> u64) -> bool {
        self.numerator >= self.denominator
            || self.numerator > 0 && draw(self.denominator.into()) < self.numerator.into()
    }
}

/// Cross-origin resource sharing (Gateway API `HTTPCORSFilter`; WHATWG Fetch §3.2).
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash, Serialize)]
pub struct Cors {
    /// Origins that may read answers: `*`, exact, or with a `*.` host wildcard.
    pub allow_origins: Vec<String>,
    /// Methods, or `*`.
    pub allow_methods: Vec<String>,
    /// Request headers, or `*`.
    pub allow_headers: Vec<String>,
    /// Response headers that scripts may read, or `*`.
    pub expose_headers: Vec<String>,
    /// Whether credentials are allowed.
    pub allow_credentials: bool,
    /// Seconds that a preflight answer may be cached.
    pub max_age: u32,
}

#[cfg(test)]
mod tests {
    use super::Mirror;
    use crate::spec::BackendName;

    fn mirror(numerator: u32, denominator: u32) -> Mirror {
        Mirror {
            backend: BackendName {
                namespace: "n".into(),
                service: "s".into(),
                port: 80,
            },
            numerator,
            denominator,
        }
    }

    /// `HTTPRouteRequestPercentageMirror`: 20 %, 25 of 50 and 35 %.
    #[test]
    fn a_mirror_takes_its_share_of_all_draws() {
        for (numerator, denominator) in [(20, 100), (25, 50), (35, 100), (1, u32::MAX)] {
            let last = u64::from(denominator) - 1;
            let taken = [0, u64::from(numerator) - 1, u64::from(numerator), last]
                .map(|n| mirror(numerator, denominator).samples(&mut |below| n.min(below - 1)));
            assert_eq!(
                taken,
                [true, true, false, false],
                "{numerator}/{denominator}"
            );
        }
    }

    #[test]
    fn all_and_none_need_no_draw() {
        let mut never = |_: u64| -> u64 { panic!("drawn") };
        assert!(mirror(100, 100).samples(&mut never));
        assert!(mirror(7, 0).samples(&mut never));
        assert!(!mirror(0, 100).samples(&mut never));
    }
}
