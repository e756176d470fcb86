//! Cross-origin resource sharing (GEP-1767).

use http::{HeaderName, Method};
use mcwan_routing::filter::Cors;

use super::source::CorsSource;
use crate::translate::finding::{Fault, UNSUPPORTED_VALUE};

/// Seconds that a preflight answer may be cached, where the filter does not say (`HTTPCORSFilter.maxAge`).
const DEFAULT_MAX_AGE: i64 = 5;

/// Reads the filter.
pub(super) fn read(source: &CorsSource) -> Result<Cors, Fault> {
    check("allowOrigins", &source.allow_origins, is_origin)?;
    check("allowMethods", &source.allow_methods, |m| {
        Method::from_bytes(m.as_bytes()).is_ok()
    })?;
    check("allowHeaders", &source.allow_headers, is_header)?;
    check("exposeHeaders", &source.expose_headers, is_header)?;
    let max_age = source.max_age.unwrap_or(DEFAULT_MAX_AGE);
    let max_age = u32::try_from(max_age)
        .ok()
        .filter(|s| *s > 0)
        .ok_or_else(|| {
            Fault::new(
                UNSUPPORTED_VALUE,
                format!("{max_age} is not a maxAge"),
                "write 1 second or more",
            )
        })?;
    Ok(Cors {
        allow_origins: source.allow_origins.clone(),
        allow_methods: source.allow_methods.clone(),
        allow_headers: source.allow_headers.clone(),
        expose_headers: source.expose_headers.clone(),
        allow_credentials: source.allow_credentials,
        max_age,
    })
}

/// Each item is `*`, alone, or valid.
fn check(field: &str, list: &[String], valid: impl Fn(&str) -> bool) -> Result<(), Fault> {
    if list.len() > 1 && list.iter().any(|item| item == "*") {
        return Err(Fault::new(
            UNSUPPORTED_VALUE,
            format!("`*` in cors.{field} leaves nothing for the other items"),
            "write `*` alone, or leave it out",
        ));
    }
    match list.iter().find(|item| *item != "*" && !valid(item)) {
        Some(bad) => Err(Fault::new(
            UNSUPPORTED_VALUE,
            format!("`{bad}` in cors.{field} is not valid"),
            "origins are http(s)://host[:port], the others plain names; `*` alone means all",
        )),
        None => Ok(()),
    }
}

fn is_header(name: &str) -> bool {
    HeaderName::from_bytes(name.as_bytes()).is_ok()
}

/// `http(s)://host[:port]`; the host is a name or an address, may begin with `*.`, or be `*`.
fn is_origin(origin: &str) -> bool {
    let Some(authority) = origin
        .strip_prefix("http://")
        .or_else(|| origin.strip_prefix("https://"))
    else {
        return false;
    };
    let (host, port) = authority
        .split_once(':')
        .map_or((authority, None), |(h, p)| (h, Some(p)));
    let name = host.strip_prefix("*.").unwrap_or(host);
    let is_label =
        |l: &str| !l.is_empty() && l.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-');
    (host == "*" || name.split('.').all(is_label)) && port.is_none_or(|p| p.parse::<u16>().is_ok())
}
