//! Header modifiers, forwarding headers and hop-by-hop headers on Pingora's header types.

use std::net::IpAddr;

use http::header::{
    CONNECTION, HeaderMap, HeaderName, HeaderValue, PROXY_AUTHENTICATE, TE, TRAILER,
    TRANSFER_ENCODING, UPGRADE,
};
use mcwan_routing::filter::HeaderTarget;
use pingora_http::{RequestHeader, ResponseHeader};

use super::wan::FORWARDED_HOST;

static FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");
static FORWARDED_PROTO: HeaderName = HeaderName::from_static("x-forwarded-proto");
static KEEP_ALIVE: HeaderName = HeaderName::from_static("keep-alive");
static PROXY_CONNECTION: HeaderName = HeaderName::from_static("proxy-connection");

/// Pingora's header types as targets of modifiers. A header map that is full stays as it is.
macro_rules! target {
    ($target:ident, $header:ty) => {
        /// See [`HeaderTarget`].
        #[derive(Debug)]
        pub(super) struct $target<'h>(pub(super) &'h mut $header);

        impl HeaderTarget for $target<'_> {
            fn set(&mut self, name: &HeaderName, value: &HeaderValue) {
                let _map_full = self.0.insert_header(name.clone(), value.clone());
            }

            fn add(&mut self, name: &HeaderName, value: &HeaderValue) {
                let _map_full = self.0.append_header(name.clone(), value.clone());
            }

            fn remove(&mut self, name: &HeaderName) {
                self.0.remove_header(name);
            }
        }
    };
}

target!(RequestTarget, RequestHeader);
target!(ResponseTarget, ResponseHeader);

/// Says who asked, and how: `x-forwarded-for` grows by the client's address; `x-forwarded-proto` and `x-forwarded-host`
/// are kept where a proxy before us set them.
pub(super) fn forwarded(request: &mut RequestHeader, client: Option<IpAddr>, host: &[u8]) {
    if let Some(value) = client.and_then(|client| forwarded_for(&request.headers, client)) {
        let _map_full = request.insert_header(&FORWARDED_FOR, value);
    }
    if !request.headers.contains_key(&FORWARDED_PROTO) {
        let _map_full = request.insert_header(&FORWARDED_PROTO, HeaderValue::from_static("http"));
    }
    if !request.headers.contains_key(&FORWARDED_HOST)
        && let Ok(host) = HeaderValue::from_bytes(host)
    {
        let _map_full = request.insert_header(&FORWARDED_HOST, host);
    }
}

fn forwarded_for(headers: &HeaderMap, client: IpAddr) -> Option<HeaderValue> {
    let mut list = Vec::with_capacity(64);
    for before in headers.get_all(&FORWARDED_FOR) {
        list.extend_from_slice(before.as_bytes());
        list.extend_from_slice(b", ");
    }
    list.extend_from_slice(client.to_canonical().to_string().as_bytes());
    HeaderValue::from_maybe_shared(bytes::Bytes::from(list)).ok()
}

/// Removes from a response what belongs to the backend's connection alone (RFC 9110 §7.6.1). `transfer-encoding` and
/// `connection` themselves are Pingora's to write. An upgrade keeps its `upgrade` header.
pub(super) fn strip_hop_by_hop(response: &mut ResponseHeader) {
    let nominated: Vec<HeaderName> = response
        .headers
        .get_all(CONNECTION)
        .iter()
        .filter_map(|v| v.to_str().ok())
        .flat_map(|v| v.split(','))
        .filter_map(|name| name.trim().parse().ok())
        .filter(|name| {
            !matches!(*name, CONNECTION | UPGRADE | TRANSFER_ENCODING) && name != "close"
        })
        .collect();
    for name in &nominated {
        response.remove_header(name);
    }
    for name in [
        &KEEP_ALIVE,
        &PROXY_CONNECTION,
        &PROXY_AUTHENTICATE,
        &TE,
        &TRAILER,
    ] {
        response.remove_header(name);
    }
    if response.status != http::StatusCode::SWITCHING_PROTOCOLS {
        response.remove_header(&UPGRADE);
    }
}

#[cfg(test)]
mod tests {
    use mcwan_routing::filter::HeaderModifier;

    use super::*;

    #[test]
    fn a_modifier_sets_adds_and_removes() {
        let mut request = RequestHeader::build("GET", b"/", None).unwrap();
        for (name, value) in [
            ("X-Set", "old"),
            ("x-set", "older"),
            ("x-add", "one"),
            ("x-remove", "gone"),
        ] {
            request.append_header(name, value).unwrap();
        }
        let modifier = HeaderModifier {
            set: vec![(
                HeaderName::from_static("x-set"),
                HeaderValue::from_static("new"),
            )],
            add: vec![(
                HeaderName::from_static("x-add"),
                HeaderValue::from_static("two"),
            )],
            remove: vec![HeaderName::from_static("x-remove")],
        };
        modifier.apply(&mut RequestTarget(&mut request));
        let all = |name: &str| {
            request
                .headers
                .get_all(name)
                .iter()
                .cloned()
                .collect::<Vec<_>>()
        };
        assert_eq!(all("x-set"), ["new"]);
        assert_eq!(all("x-add"), ["one", "two"]);
        assert!(all("x-remove").is_empty());
    }

    #[test]
    fn the_client_is_added_behind_earlier_proxies() {
        let mut request = RequestHeader::build("GET", b"/", None).unwrap();
        request
            .append_header("x-forwarded-for", "192.0.2.1")
            .unwrap();
        request.append_header("x-forwarded-proto", "https").unwrap();
        forwarded(
            &mut request,
            "::ffff:198.51.100.7".parse().ok(),
            b"a.example",
        );
        assert_eq!(
            request.headers.get("x-forwarded-for").unwrap(),
            "192.0.2.1, 198.51.100.7"
        );
        assert_eq!(request.headers.get("x-forwarded-proto").unwrap(), "https");
        assert_eq!(
            request.headers.get("x-forwarded-host").unwrap(),
            "a.example"
        );
    }

    #[test]
    fn what_the_backend_nominates_stays_on_its_connection() {
        let mut response = ResponseHeader::build(200, None).unwrap();
        for (name, value) in [
            ("connection", "x-private, close"),
            ("x-private", "1"),
            ("keep-alive", "timeout=5"),
        ] {
            response.append_header(name, value).unwrap();
        }
        response.append_header("x-public", "1").unwrap();
        strip_hop_by_hop(&mut response);
        assert!(!response.headers.contains_key("x-private"));
        assert!(!response.headers.contains_key("keep-alive"));
        assert!(response.headers.contains_key("x-public"));
    }
}
