//! A filter as it is written. The generated types have a copy for each place a filter can stand in; this is the one
//! that they are all read into.

use serde::{Deserialize, Serialize};

use crate::translate::finding::{Fault, UNSUPPORTED_VALUE};

/// A filter of an HTTPRoute or a GRPCRoute, on a rule or on a backend.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(in crate::translate) struct HttpFilter {
    #[serde(rename = "type")]
    pub(super) kind: String,
    pub(super) request_header_modifier: Option<HeadersSource>,
    pub(super) response_header_modifier: Option<HeadersSource>,
    pub(super) request_mirror: Option<MirrorSource>,
    pub(super) request_redirect: Option<RedirectSource>,
    pub(super) url_rewrite: Option<RewriteSource>,
    pub(super) cors: Option<CorsSource>,
    pub(super) extension_ref: Option<ExtensionSource>,
}

/// `HTTPHeaderFilter`.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
pub(super) struct HeadersSource {
    pub(super) set: Vec<HeaderSource>,
    pub(super) add: Vec<HeaderSource>,
    pub(super) remove: Vec<String>,
}

/// `HTTPHeader`.
#[derive(Debug, Clone, Deserialize)]
pub(super) struct HeaderSource {
    pub(super) name: String,
    pub(super) value: String,
}

/// `HTTPRequestMirrorFilter`.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct MirrorSource {
    pub(super) backend_ref: ObjectSource,
    pub(super) percent: Option<i32>,
    pub(super) fraction: Option<FractionSource>,
}

/// `Fraction`.
#[derive(Debug, Clone, Copy, Deserialize)]
pub(super) struct FractionSource {
    pub(super) numerator: i32,
    pub(super) denominator: Option<i32>,
}

/// `BackendObjectReference`.
#[derive(Debug, Clone, Deserialize)]
pub(super) struct ObjectSource {
    pub(super) group: Option<String>,
    pub(super) kind: Option<String>,
    pub(super) namespace: Option<String>,
    pub(super) name: String,
    pub(super) port: Option<i32>,
}

/// `HTTPRequestRedirectFilter`.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(super) struct RedirectSource {
    pub(super) scheme: Option<String>,
    pub(super) hostname: Option<String>,
    pub(super) path: Option<PathSource>,
    pub(super) port: Option<i32>,
    pub(super) status_code: Option<i64>,
}

/// `HTTPURLRewriteFilter`.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
pub(super) struct RewriteSource {
    pub(super) hostname: Option<String>,
    pub(super) path: Option<PathSource>,
}

/// `HTTPPathModifier`.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct PathSource {
    #[serde(rename = "type")]
    pub(super) kind: String,
    pub(super) replace_full_path: Option<String>,
    pub(super) replace_prefix_match: Option<String>,
}

/// `HTTPCORSFilter`.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(super) struct CorsSource {
    pub(super) allow_origins: Vec<String>,
    pub(super) allow_methods: Vec<String>,
    pub(super) allow_headers: Vec<String>,
    pub(super) expose_headers: Vec<String>,
    pub(super) allow_credentials: bool,
    pub(super) max_age: Option<i64>,
}

/// `LocalObjectReference`.
#[derive(Debug, Clone, Deserialize)]
pub(super) struct ExtensionSource {
    pub(super) group: String,
    pub(super) kind: String,
    pub(super) name: String,
}

/// Reads filters of any generated type. One that cannot be read stays, as a filter of no type, so that it is not
/// skipped.
pub(in crate::translate) fn own<T: Serialize>(filters: Option<&[T]>) -> Vec<HttpFilter> {
    let filters = filters.unwrap_or_default().iter();
    filters
        .map(|f| {
            serde_json::to_value(f)
                .and_then(serde_json::from_value)
                .unwrap_or_default()
        })
        .collect()
}

impl HttpFilter {
    /// Whether only the field of its type is filled in.
    pub(super) fn holds_only_its_own(&self) -> Result<(), Fault> {
        let fields = [
            (
                "RequestHeaderModifier",
                self.request_header_modifier.is_some(),
            ),
            (
                "ResponseHeaderModifier",
                self.response_header_modifier.is_some(),
            ),
            ("RequestMirror", self.request_mirror.is_some()),
            ("RequestRedirect", self.request_redirect.is_some()),
            ("URLRewrite", self.url_rewrite.is_some()),
            ("CORS", self.cors.is_some()),
            ("ExtensionRef", self.extension_ref.is_some()),
        ];
        let foreign = fields
            .iter()
            .find(|(kind, there)| *there && *kind != self.kind);
        foreign.map_or(Ok(()), |(other, _)| {
            Err(Fault::new(
                UNSUPPORTED_VALUE,
                format!(
                    "a filter of type {} has settings of type {other}",
                    self.kind
                ),
                "use one filter for each type",
            ))
        })
    }
}
