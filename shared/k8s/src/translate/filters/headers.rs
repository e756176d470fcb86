//! Header modifiers.

use http::{HeaderName, HeaderValue};
use mcwan_routing::filter::HeaderModifier;

use super::source::{HeaderSource, HeadersSource};
use crate::translate::finding::{Fault, UNSUPPORTED_VALUE};

/// Headers that carry the message rather than its content (RFC 9110 §7.6.1, RFC 9112 §6): the proxy sets them, and a
/// wrong one splits requests. The Host is the business of URLRewrite.
const NOT_TO_BE_CHANGED: [&str; 9] = [
    "connection",
    "content-length",
    "host",
    "keep-alive",
    "proxy-connection",
    "te",
    "trailer",
    "transfer-encoding",
    "upgrade",
];

/// Reads a modifier. Of entries with equal names the first counts.
pub(super) fn read(source: &HeadersSource) -> Result<HeaderModifier, Fault> {
    let mut modifier = HeaderModifier {
        set: headers(&source.set)?,
        add: headers(&source.add)?,
        remove: Vec::new(),
    };
    for name in &source.remove {
        let name = header_name(name)?;
        if !modifier.remove.contains(&name) {
            modifier.remove.push(name);
        }
    }
    Ok(modifier)
}

fn headers(list: &[HeaderSource]) -> Result<Vec<(HeaderName, HeaderValue)>, Fault> {
    let mut headers: Vec<(HeaderName, HeaderValue)> = Vec::new();
    for header in list {
        let name = header_name(&header.name)?;
        let value = HeaderValue::from_bytes(header.value.as_bytes()).map_err(|_invalid| {
            let message =
                format!("the value for header {name} holds characters that a header cannot");
            Fault::new(UNSUPPORTED_VALUE, message, "use printable characters only")
        })?;
        if headers.iter().all(|(other, _)| *other != name) {
            headers.push((name, value));
        }
    }
    Ok(headers)
}

fn header_name(name: &str) -> Result<HeaderName, Fault> {
    let parsed = HeaderName::from_bytes(name.as_bytes()).map_err(|_invalid| {
        Fault::new(
            UNSUPPORTED_VALUE,
            format!("`{name}` is not a header name"),
            "use letters, digits and -",
        )
    })?;
    if NOT_TO_BE_CHANGED.contains(&parsed.as_str()) {
        return Err(Fault::new(
            UNSUPPORTED_VALUE,
            format!("header {parsed} belongs to the connection and cannot be changed by a filter"),
            "leave it out; to change the Host use URLRewrite with a hostname",
        ));
    }
    Ok(parsed)
}
