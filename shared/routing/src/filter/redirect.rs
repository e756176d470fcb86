//! The `Location` of a redirect.

use super::path::with_query;
use super::{PathModifier, Redirect};
use crate::hostname::without_port;

/// The request that is redirected.
#[derive(Debug, Clone, Copy)]
pub struct RedirectFrom<'a> {
    /// `http` or `https`, as the client spoke to the listener.
    pub scheme: &'a str,
    /// Host as the client sent it, with or without port. May be empty (HTTP/1.0).
    pub host: &'a str,
    /// Port of the listener, as the Gateway object says it.
    pub listener_port: u16,
    /// Path without query.
    pub path: &'a str,
    /// Query without `?`.
    pub query: Option<&'a str>,
    /// What a `PathPrefix` match took.
    pub prefix: Option<&'a str>,
}

impl Redirect {
    /// The `Location` header (`HTTPRequestRedirectFilter`). Relative when neither the filter nor the request names a
    /// host.
    #[must_use]
    pub fn location(&self, from: &RedirectFrom<'_>) -> String {
        let path = self
            .path
            .as_ref()
            .map(|modifier| modifier.path(from.prefix, from.path));
        let path = with_query(path.as_deref().unwrap_or(from.path), from.query);
        let scheme = self.scheme.as_deref().unwrap_or(from.scheme);
        let host = self
            .hostname
            .as_deref()
            .unwrap_or_else(|| without_port(from.host));
        if host.is_empty() {
            // A relative location that begins with `//` would name a host.
            return format!("/{}", path.trim_start_matches('/'));
        }
        let port = self.port_for(scheme, from.listener_port);
        let slash = if path.starts_with('/') { "" } else { "/" };
        match port {
            Some(port) => format!("{scheme}://{host}:{port}{slash}{path}"),
            None => format!("{scheme}://{host}{slash}{path}"),
        }
    }

    /// The port that the location shows; None for the well-known port of its scheme, which must not be shown.
    ///
    /// "If no port is specified: if redirect scheme is not-empty, the redirect port MUST be the well-known port associated
    /// with the redirect scheme […]; if redirect scheme is empty, the redirect port MUST be the Gateway Listener port."
    fn port_for(&self, scheme: &str, listener_port: u16) -> Option<u16> {
        let known = well_known(scheme);
        let port = match (self.port, &self.scheme) {
            (Some(port), _) => port,
            (None, Some(_)) => known.unwrap_or(listener_port),
            (None, None) => listener_port,
        };
        (Some(port) != known).then_some(port)
    }

    /// Whether the location depends on what a `PathPrefix` match took.
    #[must_use]
    pub const fn needs_prefix(&self) -> bool {
        matches!(self.path, Some(PathModifier::ReplacePrefixMatch(_)))
    }
}

/// Port of a scheme.
fn well_known(scheme: &str) -> Option<u16> {
    match scheme {
        "http" => Some(80),
        "https" => Some(443),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::{PathModifier, Redirect, RedirectFrom};

    fn redirect(scheme: Option<&str>, port: Option<u16>) -> Redirect {
        Redirect {
            scheme: scheme.map(Into::into),
            hostname: Some("example.org".into()),
            path: None,
            port,
            status: 302,
        }
    }

    fn from(scheme: &'static str, listener_port: u16) -> RedirectFrom<'static> {
        RedirectFrom {
            scheme,
            host: "shop.example.com:8080",
            listener_port,
            path: "/a",
            query: None,
            prefix: None,
        }
    }

    /// `HTTPRouteRedirectPortAndScheme`.
    #[test]
    fn ports_follow_the_rules_of_the_specification() {
        for (listener, port_of_listener, scheme, port, want) in [
            ("http", 80, None, None, "http://example.org/a"),
            ("http", 80, None, Some(80), "http://example.org/a"),
            ("http", 80, None, Some(8080), "http://example.org:8080/a"),
            ("http", 80, Some("https"), None, "https://example.org/a"),
            (
                "http",
                80,
                Some("https"),
                Some(443),
                "https://example.org/a",
            ),
            (
                "http",
                80,
                Some("https"),
                Some(8443),
                "https://example.org:8443/a",
            ),
            ("http", 8080, None, None, "http://example.org:8080/a"),
            ("http", 8080, None, Some(80), "http://example.org/a"),
            ("http", 8080, None, Some(8080), "http://example.org:8080/a"),
            ("http", 8080, Some("https"), None, "https://example.org/a"),
            (
                "http",
                8080,
                Some("https"),
                Some(443),
                "https://example.org/a",
            ),
            (
                "http",
                8080,
                Some("https"),
                Some(8443),
                "https://example.org:8443/a",
            ),
            ("https", 443, None, None, "https://example.org/a"),
            ("https", 443, None, Some(443), "https://example.org/a"),
            ("https", 443, None, Some(8443), "https://example.org:8443/a"),
            ("https", 443, Some("http"), None, "http://example.org/a"),
            ("https", 443, Some("http"), Some(80), "http://example.org/a"),
            (
                "https",
                443,
                Some("http"),
                Some(8080),
                "http://example.org:8080/a",
            ),
        ] {
            let got = redirect(scheme, port).location(&from(listener, port_of_listener));
            assert_eq!(
                got, want,
                "{listener}:{port_of_listener} {scheme:?} {port:?}"
            );
        }
    }

    #[test]
    fn the_requests_host_is_kept_without_its_port() {
        let mut filter = redirect(None, None);
        filter.hostname = None;
        assert_eq!(
            filter.location(&from("http", 80)),
            "http://shop.example.com/a"
        );
        let literal = RedirectFrom {
            host: "[::1]:8080",
            ..from("http", 8080)
        };
        assert_eq!(filter.location(&literal), "http://[::1]:8080/a");
    }

    /// `HTTPRouteRedirectPath`.
    #[test]
    fn paths_change_and_queries_stay() {
        let mut filter = redirect(None, None);
        filter.path = Some(PathModifier::ReplacePrefixMatch("/replacement".into()));
        assert!(filter.needs_prefix());
        let request = RedirectFrom {
            path: "/original-prefix/lemon",
            query: Some("a=b"),
            prefix: Some("/original-prefix"),
            ..from("http", 80)
        };
        assert_eq!(
            filter.location(&request),
            "http://example.org/replacement/lemon?a=b"
        );
        filter.path = Some(PathModifier::ReplaceFullPath("/full".into()));
        assert!(!filter.needs_prefix());
        assert_eq!(filter.location(&request), "http://example.org/full?a=b");
        filter.path = None;
        assert_eq!(
            filter.location(&request),
            "http://example.org/original-prefix/lemon?a=b"
        );
    }

    #[test]
    fn a_request_without_host_gets_a_relative_location_that_names_none() {
        let mut filter = redirect(None, None);
        filter.hostname = None;
        let request = RedirectFrom {
            host: "",
            path: "//evil.example/x",
            ..from("http", 80)
        };
        assert_eq!(filter.location(&request), "/evil.example/x");
    }

    #[test]
    fn the_asterisk_form_still_gives_a_url() {
        let request = RedirectFrom {
            path: "*",
            ..from("http", 80)
        };
        assert_eq!(
            redirect(None, None).location(&request),
            "http://example.org/*"
        );
    }
}
