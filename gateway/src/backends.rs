//! Running state of backends. It outlives tables: an endpoint that is in the old and in the new table keeps its
//! connections, load and health.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use mcwan_routing::health::Health;
use mcwan_routing::spec::{BackendName, BackendProtocol, Tunnel};
use pingora_core::upstreams::peer::HttpPeer;
use serde::Serialize;

/// A backend of the table in force: its endpoints, and which of them to use.
#[derive(Debug)]
pub struct Backend {
    /// Which Service port.
    pub name: BackendName,
    /// Protocol spoken to the endpoints.
    pub protocol: BackendProtocol,
    /// Set when the endpoints are a peer's ingress gateways.
    pub tunnel: Option<Tunnel>,
    /// Endpoints.
    pub endpoints: Vec<Arc<Endpoint>>,
}

impl Backend {
    /// Health of the backend as a candidate: the best of its endpoints'; `Down` without endpoints.
    #[must_use]
    pub fn health(&self) -> Health {
        todo!("health")
    }

    /// Chooses an endpoint (P2C on in-flight and latency, over healthy ones) that is not in `tried`, unless all are.
    /// None when there is no endpoint at all, or (tunnels only) all of them are down.
    #[must_use]
    pub fn pick(&self, tried: &[SocketAddr]) -> Option<Lease> {
        let _unused = tried;
        todo!("pick")
    }
}

/// One address of a backend. Its state lives as long as any table, request or connection uses it.
#[derive(Debug)]
pub struct Endpoint {
    /// Address.
    pub address: SocketAddr,
    /// Unique in this process: `HttpPeer::group_key`, by which connections are pooled and the connector finds it.
    pub id: u64,
}

/// A request's use of an endpoint: counts as load until it is dropped. Exactly one of the report methods is called
/// before that; a dropped lease without report counts for nothing (the client went away).
#[derive(Debug)]
pub struct Lease {
    endpoint: Arc<Endpoint>,
}

/// What a request needs from its connection.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct PeerNeeds {
    /// The request asks for an upgrade: HTTP/1.1 over the own connector, whatever the backend's protocol.
    pub upgrade: bool,
    /// Time left for this attempt, None without limit.
    pub time_left: Option<Duration>,
}

impl Lease {
    /// The endpoint.
    #[must_use]
    pub const fn endpoint(&self) -> &Arc<Endpoint> {
        &self.endpoint
    }

    /// The peer that Pingora connects to.
    #[must_use]
    pub fn peer(&self, needs: PeerNeeds) -> Box<HttpPeer> {
        let _unused = needs;
        todo!("peer")
    }

    /// A response header came after this time.
    pub fn answered(self, latency: Duration) {
        let _unused = latency;
        todo!("answered")
    }

    /// No connection could be made.
    pub fn connect_failed(self) {
        todo!("connect_failed")
    }

    /// The connection broke before a response header.
    pub fn broken(self) {
        todo!("broken")
    }
}

/// All endpoints that any table, request or connection uses, by [`Endpoint::id`]; and the tunnels among them, which it
/// keeps connected and checked.
#[derive(Debug, Default)]
pub struct Registry {}

/// State of one tunnel endpoint, for `/debug/tunnels` and metrics.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct TunnelReport {
    /// Cluster at the far end.
    pub cluster: String,
    /// `WANPolicy`.
    pub policy: String,
    /// Transport class.
    pub class: String,
    /// Ingress gateway address at the far end.
    pub address: SocketAddr,
    /// State.
    pub health: Health,
    /// Seconds in this state.
    pub since_seconds: f64,
    /// Round trip of the last PING, in milliseconds.
    pub rtt_ms: Option<f64>,
    /// Open connections.
    pub connections: usize,
    /// Requests in flight.
    pub in_flight: usize,
    /// What last made it `Down`, in one line; empty if nothing did.
    pub last_failure: String,
}

impl Registry {
    /// Keeps tunnels connected from now on, with tasks on `runtime`. Without this call the first use inside a runtime
    /// decides, which is right for tests, and wrong where tables are published from a runtime of their own.
    pub fn start(&self, runtime: &tokio::runtime::Handle) {
        let _unused = runtime;
        todo!("start")
    }

    /// Stops all tasks, closes all connections, and waits for both. Requests in flight fail: drain first.
    pub async fn shutdown(&self) {
        tokio::task::yield_now().await;
    }

    /// The tunnels, sorted by cluster, policy and address.
    #[must_use]
    pub fn tunnels(&self) -> Vec<TunnelReport> {
        todo!("tunnels")
    }
}
