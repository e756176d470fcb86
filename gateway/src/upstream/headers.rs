//! From Pingora's request to an HTTP/2 request.
//!
//! Pingora gives a custom session the request as it came in (HTTP/1 or HTTP/2) with the proxy's changes: all of the
//! translation is here, and it is security code. What one hop means must not reach the next one (RFC 9110 §7.6.1), and
//! there must be one authority and one path that every hop understands alike (RFC 9113 §8.3, RFC 9112 §3.2).
//!
//! A request that cannot be translated without guessing is refused with `InvalidHTTPHeader`: the client's mistake.

mod target;

use http::header::{
    CONNECTION, CONTENT_LENGTH, HOST, HeaderName, HeaderValue, PROXY_AUTHENTICATE,
    PROXY_AUTHORIZATION, TE, TRAILER, TRANSFER_ENCODING, UPGRADE,
};
use http::{HeaderMap, Method, Version};
use pingora_error::ErrorType::InvalidHTTPHeader;
use pingora_error::{Error, Result};
use pingora_http::RequestHeader;

const KEEP_ALIVE: &str = "keep-alive";
const PROXY_CONNECTION: &str = "proxy-connection";
const HTTP2_SETTINGS: &str = "http2-settings";

/// Options that a `Connection` header may list. Real clients send one or two; an attacker sends as many as fit.
const MAX_OPTIONS: usize = 10;

fn refuse<T>(why: &'static str) -> Result<T> {
    Error::e_explain(InvalidHTTPHeader, why)
}

/// Removes what concerns the downstream connection only: the headers that `Connection` names, `Connection` itself and
/// the other hop-by-hop headers. `TE` survives as `trailers` (gRPC needs it).
///
/// To be called **before** the proxy adds headers of its own: a client must not be able to strip those by naming them
/// in `Connection`. [`to_http2`] calls it again, so that nothing depends on that call.
///
/// # Errors
/// `InvalidHTTPHeader` when `Connection` names too much, nonsense, or a header that only proxies may decide about.
pub fn strip_hop_by_hop(request: &mut RequestHeader) -> Result<()> {
    for name in connection_options(&request.headers)? {
        // The names below are treated one by one: `TE: trailers` must survive `Connection: te`.
        if name != TE {
            request.remove_header(&name);
        }
    }
    if request.headers.contains_key(TRANSFER_ENCODING) {
        // Transfer-Encoding overrides Content-Length (RFC 9112 §6.3), whose value is then a lie.
        request.remove_header(&CONTENT_LENGTH);
    }
    let wants_trailers = wants_trailers(&request.headers);
    for name in [
        CONNECTION,
        UPGRADE,
        TRANSFER_ENCODING,
        TE,
        TRAILER,
        PROXY_AUTHENTICATE,
        PROXY_AUTHORIZATION,
    ] {
        request.remove_header(&name);
    }
    for name in [KEEP_ALIVE, PROXY_CONNECTION, HTTP2_SETTINGS] {
        request.remove_header(name);
    }
    if wants_trailers {
        request.insert_header(TE, HeaderValue::from_static("trailers"))?;
    }
    Ok(())
}

/// The request as it goes out over HTTP/2, `https` or not.
///
/// # Errors
/// `InvalidHTTPHeader`: see the module. A `WebSocket` handshake or `CONNECT` is refused too: both need HTTP/1 here.
pub(crate) fn to_http2(mut request: RequestHeader, https: bool) -> Result<http::Request<()>> {
    if request.method == Method::CONNECT || asks_for_websocket(&request.headers) {
        return refuse("upgrades and CONNECT need an HTTP/1 connection");
    }
    strip_hop_by_hop(&mut request)?;
    check_fields(&request.headers)?;
    let content_length = content_length(&request.headers)?;
    let uri = target::uri(&request, https)?;

    let mut parts: http::request::Parts = request.into();
    parts.headers.remove(HOST);
    if let Some(value) = content_length {
        parts.headers.insert(CONTENT_LENGTH, value);
    }
    parts.uri = uri;
    parts.version = Version::HTTP_2;
    Ok(http::Request::from_parts(parts, ()))
}

/// Request trailers that may travel: no framing, no routing, no control data (RFC 9110 §6.5.1).
pub(crate) fn clean_trailers(trailers: &mut HeaderMap) {
    for name in [
        CONNECTION,
        UPGRADE,
        TRANSFER_ENCODING,
        TE,
        TRAILER,
        HOST,
        CONTENT_LENGTH,
        PROXY_AUTHENTICATE,
        PROXY_AUTHORIZATION,
        http::header::AUTHORIZATION,
        http::header::COOKIE,
    ] {
        trailers.remove(name);
    }
    for name in [KEEP_ALIVE, PROXY_CONNECTION, HTTP2_SETTINGS] {
        trailers.remove(name);
    }
}

/// A `tchar` of RFC 9110 §5.6.2.
const fn is_token_byte(byte: u8) -> bool {
    byte.is_ascii_alphanumeric()
        || matches!(
            byte,
            b'!' | b'#'
                | b'$'
                | b'%'
                | b'&'
                | b'\''
                | b'*'
                | b'+'
                | b'-'
                | b'.'
                | b'^'
                | b'_'
                | b'`'
                | b'|'
                | b'~'
        )
}

fn is_token(bytes: &[u8]) -> bool {
    !bytes.is_empty() && bytes.iter().copied().all(is_token_byte)
}

/// Elements of a list header, over all its lines, without surrounding white space and without empty ones.
fn list<'a>(headers: &'a HeaderMap, name: &HeaderName) -> impl Iterator<Item = &'a [u8]> {
    headers
        .get_all(name)
        .iter()
        .flat_map(|value| value.as_bytes().split(|byte| *byte == b','))
        .map(<[u8]>::trim_ascii)
        .filter(|element| !element.is_empty())
}

fn connection_options(headers: &HeaderMap) -> Result<smallvec::SmallVec<[HeaderName; 4]>> {
    let mut names = smallvec::SmallVec::new();
    for option in list(headers, &CONNECTION) {
        if names.len() == MAX_OPTIONS {
            return refuse("Connection lists too many options");
        }
        // `HeaderName` takes a few bytes that no token has; a quoted spelling must not pass for another name.
        let Some(name) = is_token(option)
            .then(|| HeaderName::from_bytes(option).ok())
            .flatten()
        else {
            return refuse("Connection lists something that is not a token");
        };
        if is_protected(&name) {
            return refuse("Connection names a header that is not the client's to drop");
        }
        names.push(name);
    }
    Ok(names)
}

/// Headers that the next hop decides by: a client that could drop them could choose what it is taken for.
fn is_protected(name: &HeaderName) -> bool {
    let name = name.as_str();
    matches!(
        name,
        "host"
            | "content-length"
            | "authorization"
            | "cookie"
            | "forwarded"
            | "traceparent"
            | "x-request-id"
    ) || name.starts_with("x-forwarded-")
        || name.starts_with("x-mc-wan-")
}

fn wants_trailers(headers: &HeaderMap) -> bool {
    list(headers, &TE).any(|coding| coding.eq_ignore_ascii_case(b"trailers"))
}

fn asks_for_websocket(headers: &HeaderMap) -> bool {
    list(headers, &UPGRADE).any(|protocol| protocol.eq_ignore_ascii_case(b"websocket"))
}

/// Names and values as RFC 9113 §8.2.1 wants them. `http` accepts a little more, and Pingora makes values unchecked.
fn check_fields(headers: &HeaderMap) -> Result<()> {
    for (name, value) in headers {
        if !is_token(name.as_str().as_bytes()) {
            return refuse("a header name is not a token");
        }
        if value
            .as_bytes()
            .iter()
            .any(|b| matches!(b, 0 | b'\r' | b'\n'))
        {
            return refuse("a header value has a line break or NUL");
        }
    }
    Ok(())
}

/// The one length of the body; None where none is given. Equal repetitions count as one (RFC 9110 §8.6).
fn content_length(headers: &HeaderMap) -> Result<Option<HeaderValue>> {
    if !headers.contains_key(CONTENT_LENGTH) {
        return Ok(None);
    }
    let mut length: Option<&[u8]> = None;
    for value in headers.get_all(CONTENT_LENGTH) {
        for element in value.as_bytes().split(|byte| *byte == b',') {
            let element = element.trim_ascii();
            let digits = !element.is_empty() && element.iter().all(u8::is_ascii_digit);
            if !digits || length.is_some_and(|known| known != element) {
                return refuse("Content-Length is not one number");
            }
            length = Some(element);
        }
    }
    length
        .map(HeaderValue::from_bytes)
        .transpose()
        .or_else(|_| refuse("Content-Length is not one number"))
}

#[cfg(test)]
mod tests;
