//! The access-log line of a request: Istio's names, then ours.

use std::net::SocketAddr;

use mcwan_routing::rule::RuleName;
use mcwan_routing::spec::Role;

use super::json::{milliseconds, number, string, timestamp};
use super::outcome::Outcome;
use super::trace::put_hex;
use super::{Attempt, Completed, last_backend, wan_of};
use crate::backends::Backend;

/// Longest path and query that is logged.
const MAX_PATH: usize = 8 * 1024;
/// Longest host, user agent, name that is logged.
const MAX_WORD: usize = 512;

/// A key with the comma before it and the colon behind it, as one constant.
macro_rules! key {
    ($name:literal) => {
        concat!(",\"", $name, "\":").as_bytes()
    };
}

/// Appends the line, with its line break.
pub(super) fn write(out: &mut Vec<u8>, own: &str, request: &Completed<'_>, outcome: Outcome) {
    let mut object = Fields { out };
    object.out.extend_from_slice(b"{\"start_time\":");
    timestamp(object.out, request.start);
    http(&mut object, request, outcome);
    addresses(&mut object, request);
    tracing(&mut object, request);
    routing(&mut object, own, request);
    object.text(key!("outcome"), outcome.as_str());
    attempts(&mut object, own, request.attempts);
    object.out.extend_from_slice(b"}\n");
}

fn http(object: &mut Fields<'_>, request: &Completed<'_>, outcome: Outcome) {
    object.text(key!("method"), request.method);
    object.bytes(key!("path"), request.path, MAX_PATH);
    object.text(key!("protocol"), request.protocol);
    object.number(key!("response_code"), u64::from(request.status));
    object.text(key!("response_flags"), outcome.flags());
    object.bytes(key!("authority"), request.authority, MAX_WORD);
    object.number(key!("bytes_received"), request.bytes_received);
    object.number(key!("bytes_sent"), request.bytes_sent);
    object.key(key!("duration"));
    milliseconds(object.out, request.duration);
    object.bytes(key!("user_agent"), request.user_agent, MAX_WORD);
    object.bytes(key!("request_id"), request.request_id.as_bytes(), MAX_WORD);
}

fn addresses(object: &mut Fields<'_>, request: &Completed<'_>) {
    object.address(key!("downstream_remote_address"), request.downstream);
    object.address(key!("downstream_local_address"), request.local);
    let upstream = request.attempts.last().and_then(|a| a.address);
    object.address(key!("upstream_host"), upstream);
    object.key(key!("upstream_cluster"));
    match last_backend(request) {
        Some(backend) => object.backend(backend),
        None => object.null(),
    }
}

fn tracing(object: &mut Fields<'_>, request: &Completed<'_>) {
    let trace = request.trace;
    object.hex::<32>(key!("trace_id"), trace.trace_id);
    object.hex::<16>(key!("span_id"), u128::from(trace.span_id));
    if trace.parent_id == 0 {
        object.key(key!("parent_span_id"));
        object.null();
    } else {
        object.hex::<16>(key!("parent_span_id"), u128::from(trace.parent_id));
    }
}

fn routing(object: &mut Fields<'_>, own: &str, request: &Completed<'_>) {
    object.text(key!("role"), role(request.role));
    let rule = request.rule.map(|linked| linked.rule.as_ref());
    object.rule(request.route);
    let backend = last_backend(request);
    let wan = wan_of(request, backend);
    object.text(
        key!("source_cluster"),
        request.source_cluster.unwrap_or(own),
    );
    object.optional(
        key!("destination_cluster"),
        backend.map(|b| cluster(b, own)),
    );
    let service = rule.and_then(|r| r.service.as_ref());
    let local = backend.filter(|b| b.tunnel.is_none());
    let name = service.map(|s| s.name.as_str());
    let name = name.or_else(|| local.map(|b| b.name.service.as_str()));
    object.optional(key!("destination_service_name"), name);
    let namespace = service.map(|s| s.namespace.as_str());
    let namespace = namespace.or_else(|| local.map(|b| b.name.namespace.as_str()));
    object.optional(key!("destination_service_namespace"), namespace);
    object.optional(key!("wan_policy"), wan.map(|(policy, _)| policy));
    object.optional(key!("tunnel"), wan.map(|(_, class)| class));
}

fn attempts(object: &mut Fields<'_>, own: &str, attempts: &[Attempt]) {
    object.key(key!("attempts"));
    object.out.push(b'[');
    for (index, attempt) in attempts.iter().enumerate() {
        if index > 0 {
            object.out.push(b',');
        }
        object.out.extend_from_slice(b"{\"cluster\":");
        object.value(cluster(&attempt.backend, own));
        let tunnel = attempt.backend.tunnel.as_ref();
        object.optional(key!("policy"), tunnel.map(|t| t.policy.as_str()));
        object.address(key!("address"), attempt.address);
        object.key(key!("duration_ms"));
        milliseconds(object.out, attempt.duration);
        object.number(key!("status"), u64::from(attempt.status));
        object.text(key!("reason"), attempt.reason);
        object.out.push(b'}');
    }
    object.out.push(b']');
}

/// The cluster that a backend is in.
fn cluster<'a>(backend: &'a Backend, own: &'a str) -> &'a str {
    backend.tunnel.as_ref().map_or(own, |t| &t.cluster)
}

const fn role(role: Role) -> &'static str {
    match role {
        Role::Plain => "plain",
        Role::Egress => "egress",
        Role::Ingress => "ingress",
    }
}

/// The fields of one object, one after the other.
struct Fields<'a> {
    out: &'a mut Vec<u8>,
}

impl Fields<'_> {
    fn key(&mut self, key: &'static [u8]) {
        self.out.extend_from_slice(key);
    }

    fn null(&mut self) {
        self.out.extend_from_slice(b"null");
    }

    fn bytes(&mut self, key: &'static [u8], value: &[u8], limit: usize) {
        self.key(key);
        string(self.out, value, limit);
    }

    fn value(&mut self, value: &str) {
        string(self.out, value.as_bytes(), MAX_WORD);
    }

    fn text(&mut self, key: &'static [u8], value: &str) {
        self.bytes(key, value.as_bytes(), MAX_WORD);
    }

    fn optional(&mut self, key: &'static [u8], value: Option<&str>) {
        match value {
            Some(value) => self.text(key, value),
            None => {
                self.key(key);
                self.null();
            }
        }
    }

    fn number(&mut self, key: &'static [u8], n: u64) {
        self.key(key);
        number(self.out, n);
    }

    fn hex<const DIGITS: usize>(&mut self, key: &'static [u8], n: u128) {
        self.key(key);
        let mut digits = [0u8; DIGITS];
        put_hex(&mut digits, n);
        self.out.push(b'"');
        self.out.extend_from_slice(&digits);
        self.out.push(b'"');
    }

    fn address(&mut self, key: &'static [u8], address: Option<SocketAddr>) {
        self.key(key);
        match address {
            None => self.null(),
            Some(SocketAddr::V4(v4)) => {
                self.out.push(b'"');
                for (index, part) in v4.ip().octets().into_iter().enumerate() {
                    if index > 0 {
                        self.out.push(b'.');
                    }
                    number(self.out, u64::from(part));
                }
                self.port(v4.port());
            }
            Some(SocketAddr::V6(v6)) => {
                let text = v6.ip().to_string();
                self.out.extend_from_slice(b"\"[");
                self.out.extend_from_slice(text.as_bytes());
                self.out.push(b']');
                self.port(v6.port());
            }
        }
    }

    fn port(&mut self, port: u16) {
        self.out.push(b':');
        number(self.out, u64::from(port));
        self.out.push(b'"');
    }

    /// `namespace/service:port`. Names of objects need no escaping: they are DNS labels.
    fn backend(&mut self, backend: &Backend) {
        let name = &backend.name;
        self.out.push(b'"');
        self.out.extend_from_slice(name.namespace.as_bytes());
        self.out.push(b'/');
        self.out.extend_from_slice(name.service.as_bytes());
        self.port(name.port);
    }

    /// `route_name` is the route, `rule` the rule in it.
    fn rule(&mut self, name: Option<&RuleName>) {
        self.key(key!("route_name"));
        let Some(name) = name else {
            self.null();
            self.key(key!("rule"));
            return self.null();
        };
        self.route(name);
        self.out.push(b'"');
        self.key(key!("rule"));
        self.route(name);
        self.out.push(b'/');
        number(self.out, u64::from(name.index));
        self.out.push(b'"');
    }

    /// `"namespace/route`, without the closing quote.
    fn route(&mut self, name: &RuleName) {
        self.out.push(b'"');
        self.out.extend_from_slice(name.namespace.as_bytes());
        self.out.push(b'/');
        self.out.extend_from_slice(name.route.as_bytes());
    }
}

#[cfg(test)]
mod tests;
