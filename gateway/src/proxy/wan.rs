//! Headers of the WAN hop, between an egress and an ingress gateway. Clients and backends never see them.
//!
//! * `x-mc-wan-source`: cluster of the egress gateway. With it, `x-forwarded-host` is the Host that the client sent.
//! * `x-mc-wan-forwarded-host`: the `x-forwarded-host` that the client sent, which that displaced.
//! * `x-mc-wan-origin`, on answers: who answered.

use http::header::{HOST, HeaderMap, HeaderName, HeaderValue};
use pingora_http::{RequestHeader, ResponseHeader};

/// Everything that begins like this belongs to the WAN hop.
const PREFIX: &str = "x-mc-wan-";
/// Longest name of a cluster (a DNS label, RFC 1123).
const LONGEST_CLUSTER: usize = 63;

static SOURCE: HeaderName = HeaderName::from_static("x-mc-wan-source");
static ORIGIN: HeaderName = HeaderName::from_static("x-mc-wan-origin");
static DISPLACED_HOST: HeaderName = HeaderName::from_static("x-mc-wan-forwarded-host");
pub(super) static FORWARDED_HOST: HeaderName = HeaderName::from_static("x-forwarded-host");

/// Who gave an answer on the WAN hop.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Origin {
    /// A backend.
    Backend,
    /// The ingress gateway, after it had sent the request to a backend.
    Gateway,
    /// The ingress gateway, which had not sent the request to any backend.
    GatewayUnsent,
}

impl Origin {
    const fn word(self) -> &'static str {
        match self {
            Self::Backend => "backend",
            Self::Gateway => "gateway",
            Self::GatewayUnsent => "gateway-unsent",
        }
    }

    /// Says it on an answer of an ingress gateway.
    pub(super) fn write(self, response: &mut ResponseHeader) {
        let _map_full = response.insert_header(&ORIGIN, HeaderValue::from_static(self.word()));
    }

    /// What an answer that came through a tunnel says.
    pub(super) fn read(headers: &HeaderMap) -> Option<Self> {
        let value = headers.get(&ORIGIN)?.as_bytes();
        [Self::Backend, Self::Gateway, Self::GatewayUnsent]
            .into_iter()
            .find(|o| o.word().as_bytes() == value)
    }
}

/// The cluster that a request on an ingress socket comes from, if the sender says so in a name that can be one.
pub(super) fn source(headers: &HeaderMap) -> Option<&str> {
    let source = headers.get(&SOURCE)?.to_str().ok()?;
    let is_label = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-';
    let fits = !source.is_empty() && source.len() <= LONGEST_CLUSTER;
    (fits && source.bytes().all(is_label)).then_some(source)
}

/// Before a request enters a tunnel: says where it comes from, and which Host the client used.
pub(super) fn enter(request: &mut RequestHeader, cluster: &HeaderValue, host: &[u8]) {
    if let Some(displaced) = request.headers.get(&FORWARDED_HOST).cloned() {
        let _map_full = request.insert_header(&DISPLACED_HOST, displaced);
    }
    if let Ok(host) = HeaderValue::from_bytes(host) {
        let _map_full = request.insert_header(&FORWARDED_HOST, host);
    }
    let _map_full = request.insert_header(&SOURCE, cluster.clone());
}

/// Before a request that came through a tunnel goes to a backend: restores the Host and `x-forwarded-host` that the
/// client sent.
pub(super) fn leave(request: &mut RequestHeader) {
    if source(&request.headers).is_none() {
        return;
    }
    let Some(host) = request.headers.get(&FORWARDED_HOST).cloned() else {
        return;
    };
    let _map_full = request.insert_header(HOST, host);
    if let Some(displaced) = request.headers.get(&DISPLACED_HOST).cloned() {
        let _map_full = request.insert_header(&FORWARDED_HOST, displaced);
    }
}

/// Removes every header of the WAN hop from a request.
pub(super) fn strip_request(request: &mut RequestHeader) {
    for name in names(&request.headers) {
        request.remove_header(&name);
    }
}

/// Removes every header of the WAN hop from an answer.
pub(super) fn strip_response(response: &mut ResponseHeader) {
    for name in names(&response.headers) {
        response.remove_header(&name);
    }
}

fn names(headers: &HeaderMap) -> Vec<HeaderName> {
    headers
        .keys()
        .filter(|name| name.as_str().starts_with(PREFIX))
        .cloned()
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn request(headers: &[(&'static str, &'static str)]) -> RequestHeader {
        let mut request = RequestHeader::build("GET", b"/", None).unwrap();
        for (name, value) in headers {
            request.append_header(*name, *value).unwrap();
        }
        request
    }

    #[test]
    fn a_round_trip_gives_back_host_and_forwarded_host() {
        let mut hop = request(&[
            ("host", "pay.example"),
            ("x-forwarded-host", "shop.example"),
        ]);
        enter(
            &mut hop,
            &HeaderValue::from_static("cluster-2"),
            b"pay.example",
        );
        hop.insert_header(HOST, "p80.payment.secure.svc.clusterset.local")
            .unwrap();
        assert_eq!(source(&hop.headers), Some("cluster-2"));
        leave(&mut hop);
        strip_request(&mut hop);
        assert_eq!(hop.headers.get(HOST).unwrap(), "pay.example");
        assert_eq!(hop.headers.get(&FORWARDED_HOST).unwrap(), "shop.example");
        assert_eq!(hop.headers.len(), 2, "{hop:?}");
    }

    #[test]
    fn without_a_source_the_host_stays() {
        let mut hop = request(&[("host", "a.example"), ("x-forwarded-host", "b.example")]);
        leave(&mut hop);
        assert_eq!(hop.headers.get(HOST).unwrap(), "a.example");
    }

    #[test]
    fn a_source_that_cannot_be_a_cluster_is_none() {
        for source_value in ["", "Cluster", "a b", "a/b"] {
            assert_eq!(
                source(&request(&[("x-mc-wan-source", source_value)]).headers),
                None
            );
        }
    }

    #[test]
    fn an_origin_is_read_as_it_was_written() {
        for origin in [Origin::Backend, Origin::Gateway, Origin::GatewayUnsent] {
            let mut answer = ResponseHeader::build(200, None).unwrap();
            origin.write(&mut answer);
            assert_eq!(Origin::read(&answer.headers), Some(origin));
            strip_response(&mut answer);
            assert_eq!(Origin::read(&answer.headers), None);
        }
    }
}
