//! The routing table as plain values: what `translate` says, before it is indexed.
//!
//! Two equal [`TableSpec`]s route alike, so a publisher compares them to see whether anything changed; their JSON is
//! what `/debug/table` and the goldens show.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use serde::Serialize;

use crate::hostname::HostPattern;
use crate::matching::{RequestMatch, RouteOrder};
use crate::rule::Rule;

/// All that a gateway process serves.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub struct TableSpec {
    /// Bound sockets, sorted by address.
    pub sockets: Vec<SocketSpec>,
    /// Backends that rules point to, by name.
    pub backends: BTreeMap<BackendName, Backend>,
    /// Rules in force of the imported services that rules point to, by service port. A request that is sent there is
    /// looked up in them, after the filters that sent it; no rule: it is denied.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub imports: BTreeMap<BackendName, Vec<RouteEntry>>,
}

/// One socket the gateway listens on.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct SocketSpec {
    /// Where to bind.
    pub socket: SocketAddr,
    /// The port as the Gateway API objects say it; differs from the bound port for privileged ports.
    pub port: u16,
    /// What the socket is for.
    pub role: Role,
    /// On a WAN listener: the class whose traffic comes in here.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub wan: Option<WanClass>,
    /// The listeners that share this socket, sorted by hostname, then name.
    pub listeners: Vec<ListenerSpec>,
}

/// The WAN policy of a listener.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize)]
pub struct WanClass {
    /// Name of the `WANPolicy`.
    pub policy: String,
    /// Transport class, `spec.tunnel` of the policy.
    pub class: String,
    /// DSCP marking of answers, 0–63 (RFC 2474). None: the kernel's default.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub dscp: Option<u8>,
}

/// What a listening socket is for. Decides which rules are allowed behind it and what headers are trusted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Role {
    /// A user's own Gateway.
    Plain,
    /// `mc-wan-egress`: cluster-internal; its rules may use tunnels.
    Egress,
    /// `mc-wan-ingress`: faces the WAN; its rules have local backends only.
    Ingress,
}

/// One Gateway API listener. A request is served only by the listener whose hostname is the most specific match
/// (listener isolation).
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct ListenerSpec {
    /// `namespace/gateway/listener`, or `namespace/listenerset/listener`.
    pub name: String,
    /// Hostname of the listener.
    pub hostname: HostPattern,
    /// Routes attached to it.
    pub routes: Vec<RouteEntry>,
}

/// One rule of one route, under one of the route's hostnames.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct RouteEntry {
    /// The route's own hostname. Precedence goes by this one, not by the intersection with the listener's
    /// (feature `GatewayRouteHostnameIntersectionPrecedence`).
    pub hostname: HostPattern,
    /// Any of these takes the request. Never empty: a rule without matches has one that takes everything.
    pub matches: Vec<RequestMatch>,
    /// Tie-breaker between matches of equal specificity.
    pub order: RouteOrder,
    /// What happens with the request.
    pub rule: Arc<Rule>,
}

/// Name of a backend: a port of a Service.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct BackendName {
    /// Namespace of the Service.
    pub namespace: String,
    /// Name of the Service.
    pub service: String,
    /// Service port (not the target port).
    pub port: u16,
}

impl std::fmt::Display for BackendName {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}/{}:{}", self.namespace, self.service, self.port)
    }
}

impl Serialize for BackendName {
    fn serialize<S: serde::Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
        s.collect_str(self)
    }
}

/// Where requests for a Service port go.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Backend {
    /// Protocol spoken to the endpoints.
    pub protocol: BackendProtocol,
    /// Ready endpoints, sorted, without duplicates. Empty is an ordinary case.
    pub endpoints: Vec<SocketAddr>,
    /// Set when the endpoints are ingress gateways of a peer cluster.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tunnel: Option<Tunnel>,
}

/// Protocol of a backend, from `appProtocol` of the Service port (GEP-1911).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum BackendProtocol {
    /// HTTP/1.1; also WebSocket (`kubernetes.io/ws`).
    Http1,
    /// HTTP/2 with prior knowledge (`kubernetes.io/h2c`, gRPC, tunnels). Upgrades still use HTTP/1.1.
    H2c,
}

/// A tunnel: (peer cluster, `WANPolicy`), and how its connections are kept.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize)]
pub struct Tunnel {
    /// Cluster at the far end.
    pub cluster: String,
    /// Name of the `WANPolicy`.
    pub policy: String,
    /// Transport class, `spec.tunnel` of the policy.
    pub class: String,
    /// Connections per peer address: at least this many are kept open.
    pub min_connections: u8,
    /// Connections per peer address: at most this many.
    pub max_connections: u8,
    /// Age at which a connection is replaced, in order to follow changed paths.
    pub max_age: Duration,
    /// Requests in flight per connection.
    pub max_streams: u32,
    /// Time a tunnel must be healthy again before it is preferred again.
    pub hold_down: Duration,
    /// `hold_down` doubles with each flap, up to this.
    pub max_hold_down: Duration,
    /// DSCP marking of the tunnel's packets, 0–63 (RFC 2474). None: the kernel's default.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub dscp: Option<u8>,
}
