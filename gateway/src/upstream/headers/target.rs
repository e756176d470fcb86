//! The request target: one authority, one path.

use http::Uri;
use http::header::HOST;
use http::uri::{Authority, PathAndQuery, Scheme};
use pingora_error::Result;
use pingora_http::RequestHeader;
use pingora_http::authority::{RawTargetAuthority, raw_target_authority};

use super::refuse;

/// `:scheme`, `:authority` and `:path`.
///
/// `Host` is what the proxy decided by and may have rewritten, so it wins over the authority of the request line, which
/// the downstream side has compared with `Host` before any rewrite.
pub(super) fn uri(request: &RequestHeader, https: bool) -> Result<Uri> {
    let target = raw_target_authority(request.raw_path());
    if matches!(target, RawTargetAuthority::AmbiguousAuthority) {
        return refuse("ambiguous request target");
    }
    let mut parts = http::uri::Parts::default();
    parts.scheme = Some(if https { Scheme::HTTPS } else { Scheme::HTTP });
    parts.authority = Some(authority(request, &target)?);
    parts.path_and_query = Some(path(request, &target)?);
    Uri::from_parts(parts).or_else(|_| refuse("the request target is not a URI"))
}

fn authority(request: &RequestHeader, target: &RawTargetAuthority<'_>) -> Result<Authority> {
    let mut hosts = request.headers.get_all(HOST).iter();
    let bytes = match (hosts.next(), hosts.next()) {
        (Some(_), Some(_)) => return refuse("more than one Host"),
        (Some(host), None) => host.as_bytes(),
        (None, _) => match (request.uri.authority(), target.authority()) {
            (Some(authority), _) => authority.as_str().as_bytes(),
            (None, Some(authority)) => authority,
            (None, None) => return refuse("no Host"),
        },
    };
    if bytes.contains(&b'@') {
        return refuse("user information in the authority");
    }
    let authority = Authority::try_from(bytes).or_else(|_| refuse("Host is not an authority"))?;
    let has_port = authority.as_str().len() > authority.host().len();
    if authority.host().is_empty() || (has_port && authority.port_u16().is_none()) {
        return refuse("Host is not an authority");
    }
    Ok(authority)
}

fn path(request: &RequestHeader, target: &RawTargetAuthority<'_>) -> Result<PathAndQuery> {
    if !request.raw_path_is_utf8() {
        return refuse("the path is not UTF-8");
    }
    let raw = match target {
        RawTargetAuthority::Absolute { path_and_query, .. } => path_and_query,
        RawTargetAuthority::None | RawTargetAuthority::AmbiguousAuthority => request.raw_path(),
    };
    let known = match raw.first() {
        Some(b'/') => PathAndQuery::try_from(raw),
        None => Ok(PathAndQuery::from_static("/")),
        Some(b'?') => PathAndQuery::try_from([b"/", raw].concat()),
        // `OPTIONS *` is about the server as a whole (RFC 9112 §3.2.4).
        Some(b'*') if raw == b"*" && request.method == http::Method::OPTIONS => {
            PathAndQuery::try_from(raw)
        }
        Some(_) => return refuse("the path does not begin with a slash"),
    };
    known.or_else(|_| refuse("the path is not valid in a URI"))
}
