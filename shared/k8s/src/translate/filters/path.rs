//! `URLRewrite` and `RequestRedirect`.

use mcwan_routing::filter::{PathModifier, Redirect, UrlRewrite};
use mcwan_routing::hostname::HostPattern;

use super::source::{PathSource, RedirectSource, RewriteSource};
use crate::translate::finding::{Fault, INCOMPATIBLE_FILTERS, UNSUPPORTED_VALUE};

/// Statuses that a redirect may have (`HTTPRequestRedirectFilter.statusCode`).
const STATUSES: [u16; 5] = [301, 302, 303, 307, 308];

/// Reads a rewrite.
pub(super) fn rewrite(source: &RewriteSource, by_prefix: bool) -> Result<UrlRewrite, Fault> {
    Ok(UrlRewrite {
        hostname: source.hostname.as_deref().map(hostname).transpose()?,
        path: source
            .path
            .as_ref()
            .map(|p| modifier(p, by_prefix))
            .transpose()?,
    })
}

/// Reads a redirect.
pub(super) fn redirect(source: &RedirectSource, by_prefix: bool) -> Result<Redirect, Fault> {
    Ok(Redirect {
        scheme: source.scheme.as_deref().map(scheme).transpose()?,
        hostname: source.hostname.as_deref().map(hostname).transpose()?,
        path: source
            .path
            .as_ref()
            .map(|p| modifier(p, by_prefix))
            .transpose()?,
        port: source.port.map(port).transpose()?,
        status: status(source.status_code.unwrap_or(302))?,
    })
}

fn hostname(name: &str) -> Result<String, Fault> {
    match HostPattern::parse(name) {
        Ok(HostPattern::Exact(name)) => Ok(name),
        _ => Err(Fault::new(
            UNSUPPORTED_VALUE,
            format!("`{name}` is not the name of one host"),
            "write a name without wildcard and port, such as a.example.com",
        )),
    }
}

fn scheme(scheme: &str) -> Result<String, Fault> {
    if matches!(scheme, "http" | "https") {
        return Ok(scheme.to_owned());
    }
    Err(Fault::new(
        UNSUPPORTED_VALUE,
        format!("cannot redirect to the scheme `{scheme}`"),
        "use http or https",
    ))
}

fn port(port: i32) -> Result<u16, Fault> {
    u16::try_from(port).ok().filter(|p| *p > 0).ok_or_else(|| {
        Fault::new(
            UNSUPPORTED_VALUE,
            format!("{port} is not a port"),
            "use a port from 1 to 65535",
        )
    })
}

fn status(status: i64) -> Result<u16, Fault> {
    u16::try_from(status)
        .ok()
        .filter(|s| STATUSES.contains(s))
        .ok_or_else(|| {
            Fault::new(
                UNSUPPORTED_VALUE,
                format!("{status} is not the status of a redirect"),
                "use 301, 302, 303, 307 or 308",
            )
        })
}

/// Only a rule that matches by prefix has a matched prefix to replace.
fn modifier(source: &PathSource, by_prefix: bool) -> Result<PathModifier, Fault> {
    match (
        source.kind.as_str(),
        &source.replace_full_path,
        &source.replace_prefix_match,
    ) {
        ("ReplaceFullPath", Some(full), None) => {
            Ok(PathModifier::ReplaceFullPath(path(full, "/")?))
        }
        ("ReplacePrefixMatch", None, Some(_)) if !by_prefix => Err(Fault::new(
            INCOMPATIBLE_FILTERS,
            "ReplacePrefixMatch needs a rule all of whose matches are of type PathPrefix",
            "match by PathPrefix, or use ReplaceFullPath",
        )),
        ("ReplacePrefixMatch", None, Some(prefix)) => {
            Ok(PathModifier::ReplacePrefixMatch(path(prefix, "")?))
        }
        (kind, _, _) => Err(Fault::new(
            UNSUPPORTED_VALUE,
            format!("a path modifier of type `{kind}` needs the field of that type, and no other"),
            "fill in replaceFullPath or replacePrefixMatch, as the type says",
        )),
    }
}

/// A path that can be sent as it is; `empty` stands for nothing at all.
fn path(path: &str, empty: &str) -> Result<String, Fault> {
    let sendable = |b: u8| b.is_ascii_graphic() && b != b'?' && b != b'#';
    if !path.bytes().all(sendable) {
        return Err(Fault::new(
            UNSUPPORTED_VALUE,
            format!("`{}` cannot be sent as a path", path.escape_debug()),
            "percent-encode it, without query and fragment",
        ));
    }
    Ok(match path {
        "" => empty.to_owned(),
        absolute if absolute.starts_with('/') => absolute.to_owned(),
        relative => format!("/{relative}"),
    })
}
